"""The plan: what would be done, and why; and a plan that is kept and run later, or refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import clockwork
from clockwork.exceptions import DeclinedError, LoadError, PlanMovedError
from clockwork.resources import FileResource

if TYPE_CHECKING:
    from support.project import Project

THREE = """
from clockwork.resources import FileResource
a = FileResource(name="a", content="one\\n", directory="out")
b = FileResource(name="b", content="two\\n", directory="out")
c = FileResource(name="c", content="three\\n", directory="out")
"""
WRITTEN = """
from clockwork.resources import FileResource
a = FileResource(name="{}", description="an article", directory="out", {})
"""
OWN = """
from pathlib import Path
from clockwork.resources import Resource
class Own(Resource):
    token: str
    def to_pyinfra_operations(self, artifacts):
        own = str(Path(__file__).parent / "own")
        return f"files.put(name='put', src=StringIO({self.token!r}), dest={own!r})"
own = Own(name="own", token=TOKEN)
"""


@pytest.fixture
def three(project: Project) -> Project:
    project.write(THREE)
    assert project.run("apply").returncode == 0
    return project


def resource(project: Project, name: str, *arguments: str) -> Any:
    (found,) = [each for each in project.json("plan", *arguments)["resources"] if each["name"] == name]
    return found


def test_three_things_are_compared(three: Project) -> None:
    assert three.actions("plan") == {"a": "unchanged", "b": "unchanged", "c": "unchanged"}
    three.write(THREE.replace("two", "TWO").replace('c = FileResource(name="c"', 'd = FileResource(name="d"'))
    (three.folder / "out/a").write_text("by hand\n")
    assert three.actions("plan") == {"a": "drifted", "b": "change", "c": "remove", "d": "create"}
    text = three.run("plan").stdout
    assert "-by hand\n    +one" in text
    assert "changed by somebody else since it was deployed at 20" in text
    assert "main.py no longer has it" in text
    assert "1 to create, 1 to change, 1 to remove, 1 drifted" in text
    assert (three.folder / "out/a").read_text() == "by hand\n", "a plan changes nothing"


def test_what_changes_is_told_field_by_field(three: Project) -> None:
    three.write(THREE.replace('"two\\n", directory="out"', '"TWO\\n", directory="out", mode="600"'))
    changes = {each["field"]: each for each in resource(three, "b")["changes"]}
    assert set(changes) == {"content", "mode"}, "a content of the same length is another one"
    assert (changes["mode"]["before"], changes["mode"]["after"]) == ("644", "600")
    assert '    mode: "644" → "600"' in three.run("plan").stdout.splitlines()
    assert resource(three, "b")["diff"].endswith("@@ -1 +1 @@\n-two\n+TWO\n")


def test_what_may_not_be_shown_differs_all_the_same(project: Project) -> None:
    project.write(OWN.replace("TOKEN", "'s3cret-one'"))
    assert project.run("apply").returncode == 0
    project.write(OWN.replace("TOKEN", "'s3cret-two'"))
    own = resource(project, "own")
    assert own["action"] == "change"
    assert own["changes"] == []
    assert "such as a secret" in own["reason"]


def test_what_the_model_chose_is_marked(served_project: Project) -> None:
    served_project.write(WRITTEN.format("a.md", ""))
    assert served_project.run("apply").returncode == 0
    served_project.write(WRITTEN.format("a.md", 'mode="600"').replace("an article", "a poem"))
    text = served_project.run("plan").stdout
    marked = [line.strip() for line in text.splitlines() if "chosen by the model" in line]
    assert any(line.startswith("content") for line in marked), text
    assert not any(line.startswith("mode") for line in marked), text


def test_drift_is_repaired_and_nothing_else_is_touched(three: Project) -> None:
    out = three.folder / "out"
    before = (out / "c").stat()
    (out / "a").write_text("by hand\n")
    (out / "b").unlink()
    assert three.actions("plan") == {"a": "drifted", "b": "drifted", "c": "unchanged"}
    assert "removed by somebody else" in three.run("plan").stdout
    assert three.actions("apply") == {"a": "drifted", "b": "drifted", "c": "unchanged"}
    assert ((out / "a").read_text(), (out / "b").read_text()) == ("one\n", "two\n")
    after = (out / "c").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert set(three.actions("apply").values()) == {"unchanged"}


def test_the_exit_status_tells_whether_something_is_pending(three: Project) -> None:
    assert three.run("plan", "--detailed-exitcode").returncode == 0
    (three.folder / "out/a").unlink()
    assert three.run("plan").returncode == 0
    assert three.run("plan", "--detailed-exitcode").returncode == 2
    three.run("apply")
    three.write("\n".join(THREE.splitlines()[:-1]))
    assert three.run("plan", "--detailed-exitcode").returncode == 2, "something is to be removed"
    three.write("nonsense(")
    assert three.run("plan", "--detailed-exitcode").returncode == 1


def test_a_target_limits_it(three: Project) -> None:
    three.write(THREE.replace("\\n", "!").replace('"b", ', '"b", depends_on=[a], '))
    assert set(three.actions("plan", "--target", "b")) == {"a", "b"}
    assert three.actions("apply", "--target", "FileResource.b") == {"a": "change", "b": "change"}
    assert three.actions("plan") == {"a": "unchanged", "b": "unchanged", "c": "change"}
    assert three.actions("destroy", "--target", "a") == {"b": "remove", "a": "remove"}
    assert three.known() == ["c"]


def test_a_plan_is_kept_and_run(three: Project) -> None:
    three.write(THREE.replace("two", "TWO").rpartition("c = ")[0])
    done = three.run("plan", "--out", "plan.json")
    assert done.returncode == 0, done.stderr
    assert "run it with `clockwork apply plan.json`" in done.stdout
    assert (three.folder / "plan.json").stat().st_mode & 0o777 == 0o600
    assert three.actions("apply", "plan.json") == {"a": "unchanged", "b": "change"}
    assert (three.folder / "out/c").exists(), "it was no plan to prune"
    assert three.run("plan", "--prune", "--out", "prune.json").returncode == 0
    assert three.actions("apply", "prune.json") == {"a": "unchanged", "b": "unchanged", "c": "remove"}
    assert three.known() == ["a", "b"]


def test_a_plan_of_a_part_is_run_as_one(three: Project) -> None:
    three.write(THREE.replace("\\n", "!"))
    assert three.run("plan", "--target", "b", "--out", "plan.json").returncode == 0
    assert three.actions("apply", "plan.json") == {"b": "change"}
    done = three.run("apply", "plan.json", "--target", "a")
    assert done.returncode == 2
    assert "give --prune and --target to `clockwork plan`" in done.stderr


MOVES: dict[str, tuple[Any, str]] = {
    "main.py": (lambda p: p.write(THREE.replace("two", "2")), "FileResource 'b' is defined in another way"),
    "a resource more": (
        lambda p: p.write(THREE.replace("two", "TWO") + 'd = FileResource(name="d", content="")\n'),
        "FileResource 'd' is defined now",
    ),
    "a resource less": (
        lambda p: p.write(THREE.replace("two", "TWO").replace("a = F", "# F")),
        "FileResource 'a' is no longer defined",
    ),
    "what is changed": (
        lambda p: (p.folder / "out/b").write_text("2"),
        "'b' on @local: the change is another",
    ),
    "what is not": (
        lambda p: (p.folder / "out/a").unlink(),
        "'a' on @local: planned as unchanged, now drifted",
    ),
    "it was run": (lambda p: p.run("apply"), "'b' on @local: planned as change, now unchanged"),
    "no main.py": (lambda p: (p.folder / "main.py").unlink(), "there is no"),
    "a broken main.py": (lambda p: p.write("nonsense("), "main.py"),
}


@pytest.mark.parametrize("move", MOVES)
def test_a_plan_is_refused_where_the_world_has_moved(three: Project, move: str) -> None:
    three.write(THREE.replace("two", "TWO"))
    assert three.run("plan", "--out", "plan.json").returncode == 0
    act, told = MOVES[move]
    act(three)
    before = {path.name: path.read_text() for path in (three.folder / "out").iterdir()}
    state = three.state
    report = three.json("apply", "plan.json", expect=1)
    assert report["error"]["kind"] == "PlanMovedError"
    assert "nothing was done. Plan again" in report["error"]["message"]
    assert told in report["error"]["message"]
    assert {path.name: path.read_text() for path in (three.folder / "out").iterdir()} == before
    assert three.state == state


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hello", "no plan that `clockwork plan --out` has written"),
        ('{"resources": []}', "no plan that `clockwork plan --out` has written"),
        ('{"format": 1}', "Plan again with --out"),
        ('{"format": 9}', "a plan of format 9"),
        (None, "`clockwork plan --out FILE` writes a plan"),
    ],
)
def test_what_is_no_plan(project: Project, text: str | None, told: str) -> None:
    if text is not None:
        project.write(text, "plan.json")
    done = project.run("apply", "plan.json")
    assert done.returncode == 1
    assert told in done.stderr
    assert json.loads(project.run("apply", "plan.json", "--json").stdout)["error"]["message"]


def test_a_program_is_shown_the_plan_and_may_say_no(three: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(three.folder)
    three.write(THREE.replace("two", "TWO"))
    shown: list[clockwork.Result] = []

    def approve(plan: clockwork.Result) -> bool:
        shown.append(plan)
        return len(shown) > 1

    with pytest.raises(DeclinedError) as declined:
        clockwork.apply(approve=approve)
    assert declined.value.result is not None
    assert [each.action for each in shown[0].resources] == ["unchanged", "change", "unchanged"]
    assert (three.folder / "out/b").read_text() == "two\n"
    assert clockwork.apply(approve=approve).changed

    clockwork.plan(out="plan.json")
    (three.folder / "out/b").unlink()
    with pytest.raises(PlanMovedError, match="now drifted"):
        clockwork.apply("plan.json")


def test_a_plan_of_a_file_in_a_folder_that_is_yet_to_be_made(project: Project) -> None:
    project.write(THREE)
    planned = project.json("plan", "--out", "plan.json")["resources"]
    assert "+one" in planned[0]["diff"]
    done = project.json("apply", "plan.json")["resources"]
    assert [each["diff"] for each in done] == [each["diff"] for each in planned]
    assert (project.folder / "out/a").read_text() == "one\n"


def test_what_is_decided_on_has_the_diffs_that_plan_shows(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.folder)
    project.write(THREE)

    def approve(plan: clockwork.Result) -> bool:
        return [each.diff for each in plan.resources] == [each.diff for each in clockwork.plan().resources]

    assert clockwork.apply(approve=approve).changed


def test_a_look_at_a_plan_that_has_moved_says_so(three: Project) -> None:
    three.write(THREE.replace("two", "TWO"))
    assert three.run("plan", "--out", "plan.json").returncode == 0
    assert three.actions("apply", "plan.json", "--dry-run") == {
        "a": "unchanged",
        "b": "change",
        "c": "unchanged",
    }
    three.write(THREE.replace("two", "2"))
    report = three.json("apply", "plan.json", "--dry-run", expect=1)
    assert report["error"]["kind"] == "PlanMovedError"


def test_a_program_says_yes_or_no_to_a_kept_plan_too(three: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(three.folder)
    three.write(THREE.replace("two", "TWO").rpartition("c = ")[0])
    clockwork.plan(prune=True, out="plan.json")
    shown: list[clockwork.Result] = []

    def approve(plan: clockwork.Result) -> bool:
        shown.append(plan)
        return len(shown) > 1

    with pytest.raises(DeclinedError):
        clockwork.apply("plan.json", approve=approve)
    assert {each.name: each.action for each in shown[0].resources} == {
        "a": "unchanged",
        "b": "change",
        "c": "remove",
    }
    assert three.known() == ["a", "b", "c"]
    for limits in ({"prune": True}, {"target": "b"}):
        with pytest.raises(ValueError, match=r"give prune and target to clockwork\.plan"):
            clockwork.apply("plan.json", **limits)
    assert clockwork.apply("plan.json", approve=approve).changed
    assert three.known() == ["a", "b"]


def test_a_plan_is_kept_under_a_name_that_apply_knows(
    three: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(three.folder)
    refused = three.run("plan", "--out", "plan.out")
    assert refused.returncode == 2
    assert "the name of a plan ends in .json" in refused.stderr
    with pytest.raises(ValueError, match=r"ends in \.json"):
        clockwork.plan(out="plan.out")
    heard: list[object] = []
    a = FileResource(name="a", content="", directory="out")
    with pytest.raises(LoadError, match="put them into a file"):
        clockwork.plan([a], out="plan.json", progress=heard.append)
    assert heard == []
    assert sorted(path.name for path in three.folder.glob("plan*")) == []


def test_a_plan_takes_no_other_files_place(three: Project) -> None:
    mine = three.folder / "package.json"
    mine.write_text('{"name": "mine"}')
    done = three.run("plan", "--out", "package.json")
    assert done.returncode == 1
    assert "package.json is there already, and is no plan: give --out another name" in done.stderr
    assert mine.read_text() == '{"name": "mine"}'
    for _ in range(2):
        assert three.run("plan", "--out", "plan.json").returncode == 0
