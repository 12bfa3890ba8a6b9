"""Orphans, renamed and moved resources, and things that must not be touched."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import clockwork
from clockwork.exceptions import ProtectedError
from support.files import HEAD, file, files, write

if TYPE_CHECKING:
    from support.model_server import ModelServer
    from support.project import Project

PRUNE = "Go on, and remove what main.py no longer has?"
REPLACE = "Something is going to be removed or replaced. Go on?"
DESTROY = "Take all this down?"


@pytest.fixture
def gone(project: Project) -> Project:
    """A project of which `b` is deployed, and no longer in main.py."""
    write(project, file("a"), file("b"))
    assert project.run("apply").returncode == 0
    write(project, file("a"))
    return project


def test_what_is_gone_is_named_and_pruned(gone: Project) -> None:
    for _ in range(2):
        done = gone.run("apply")
        assert done.returncode == 0
        assert "note: main.py no longer has FileResource 'b', which is still on @local" in done.stdout
        assert "`clockwork apply --prune`" in done.stdout
        assert "`clockwork state forget b`" in done.stdout
        assert files(gone) == ["a", "b"]
    refused = gone.run("apply", "--prune")
    assert refused.returncode == 2
    assert "--prune needs --yes" in refused.stderr
    assert files(gone) == ["a", "b"]
    assert gone.actions("apply", "--prune", "--yes") == {"b": "remove", "a": "unchanged"}
    assert files(gone) == ["a"]
    assert gone.known() == ["a"]
    assert "no longer has" not in gone.run("apply").stdout


def test_at_a_terminal_it_is_asked_for(gone: Project) -> None:
    no = gone.terminal("apply", answers={PRUNE: ""})
    assert no.returncode == 1
    assert "nothing was done" in no.text
    keep = gone.terminal("apply", answers={PRUNE: "k"})
    assert keep.returncode == 0
    assert "note: main.py no longer has" in keep.text
    assert files(gone) == ["a", "b"]
    yes = gone.terminal("apply", answers={PRUNE: "y"})
    assert yes.returncode == 0
    assert files(gone) == ["a"]
    assert gone.known() == ["a"]
    again = gone.terminal("apply")
    assert "[y/N]" not in again.text


def test_a_target_prunes_that_alone(project: Project) -> None:
    write(project, file("a"), file("b"), file("c"))
    project.run("apply")
    write(project, file("a"))
    assert project.actions("apply", "--prune", "--yes", "--target", "c") == {"c": "remove"}
    assert files(project) == ["a", "b"]


def test_pruning_what_somebody_has_removed_already(gone: Project) -> None:
    (gone.folder / "out/b").unlink()
    assert gone.actions("apply", "--prune", "--yes") == {"b": "unchanged", "a": "unchanged"}
    assert gone.known() == ["a"]


def test_another_file_of_the_folder_is_left_alone(project: Project) -> None:
    write(project, file("a"))
    project.write(HEAD + f"b = {file('b')}\n", "other.py")
    project.run("apply")
    project.run("apply", "other.py")
    assert project.actions("apply", "--prune", "--yes") == {"a": "unchanged"}
    assert files(project) == ["a", "b"]


@pytest.mark.parametrize("main", [None, "nonsense(", "raise SystemExit(3)\n", "x = 1\n"])
def test_destroy_works_without_main(project: Project, main: str | None) -> None:
    project.write(HEAD + f"a = {file('a')}\nb = {file('b', 'depends_on=[a]')}\nc = {file('c')}\n")
    project.run("apply")
    (project.folder / "main.py").unlink()
    if main is not None:
        project.write(main)
    done = project.run("destroy", "--target", "a")
    assert done.returncode == 0, done.stderr
    assert "what is taken down is what the state knows, because" in done.stdout
    assert files(project) == ["c"], "what needs it goes with it"
    assert list(project.actions("destroy")) == ["c"]
    assert project.known() == []
    assert project.run("destroy").returncode == 1, "now there is nothing to go by"


def test_destroy_asks_at_a_terminal_and_nowhere_else(project: Project) -> None:
    write(project, file("a"))
    project.run("apply")
    no = project.terminal("destroy", answers={DESTROY: "n"})
    assert no.returncode == 1
    assert "the answer was no" in no.text
    assert files(project) == ["a"]
    assert project.terminal("destroy", answers={DESTROY: "yes"}).returncode == 0
    assert files(project) == []
    project.run("apply")
    assert "[y/N]" not in project.terminal("destroy", "--yes").text
    assert files(project) == []


def test_another_path_leaves_nothing_behind(project: Project) -> None:
    write(project, file("a", "path='out/one'"), file("b"))
    project.run("apply")
    write(project, file("a", "path='out/two'"), file("b"))
    assert files(project) == ["b", "one"]
    no = project.terminal("apply", answers={REPLACE: "n"})
    assert no.returncode == 1
    assert files(project) == ["b", "one"]
    (a, b) = project.json("apply")["resources"]
    assert (a["action"], a["replaces"], b["action"]) == ("change", True, "unchanged")
    assert files(project) == ["b", "two"]
    write(project, file("a", "path='out/three'"), file("b"))
    assert project.terminal("apply", answers={REPLACE: "y"}).returncode == 0
    assert files(project) == ["b", "three"]
    assert set(project.actions("apply").values()) == {"unchanged"}


def test_what_could_not_be_taken_away_is_not_forgotten(project: Project) -> None:
    write(project, file("a", "path='out/one'"))
    project.run("apply")
    # A folder is in the place of the old file; removing a file does not remove a folder.
    (project.folder / "out/one").unlink()
    (project.folder / "out/one").mkdir()
    write(project, file("a", "path='out/two'"))
    assert project.run("apply").returncode == 1
    (project.folder / "out/one").rmdir()
    (project.folder / "out/one").write_text("x")
    assert project.run("apply").returncode == 0
    assert files(project) == ["two"]


def test_a_renamed_file_moves(project: Project) -> None:
    write(project, file("old"), file("b", "depends_on=[r0]"))
    project.run("apply")
    write(project, file("new", "renamed_from='old'"), file("b", "depends_on=[r0]"))
    assert project.actions("plan") == {"new": "change", "b": "unchanged"}
    assert project.known() == ["b", "old"], "a plan changes nothing"
    assert project.actions("apply") == {"new": "change", "b": "unchanged"}
    assert files(project) == ["b", "new"]
    assert project.known() == ["b", "new"]
    (needs,) = [entry["needs"] for entry in project.state["resources"] if entry["name"] == "b"]
    assert needs == [{"kind": "FileResource", "name": "new"}]
    for _ in range(2):
        done = project.run("apply")
        assert "2 unchanged" in done.stdout
        assert "no longer has" not in done.stdout


def test_a_renamed_file_with_a_path_of_its_own_stays(project: Project) -> None:
    write(project, file("old", "path='out/it'"))
    project.run("apply")
    before = (project.folder / "out/it").stat()
    write(project, file("new", "path='out/it', renamed_from='old'"))
    assert project.actions("apply") == {"new": "unchanged"}
    after = (project.folder / "out/it").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert project.known() == ["new"]


def test_a_name_of_old_tears_nothing_down(project: Project) -> None:
    def declare(name: str, more: str, remove: str) -> None:
        project.write(f"""
            from clockwork.resources import Resource
            class Own(Resource):
                def to_pyinfra_operations(self, artifacts):
                    return 'server.shell(commands=["echo {name} >> log; touch made"])'
                def to_pyinfra_destroy_operations(self, artifacts):
                    return 'server.shell(commands=["echo {remove} >> log; rm -f made"])'
            own = Own(name="{name}", {more})
        """)

    def log() -> list[str]:
        return (project.folder / "log").read_text().split()

    declare("old", "", "rm-old")
    project.run("apply")
    declare("new", "renamed_from='old'", "rm-new")
    project.run("apply")
    assert log() == ["old", "rm-old", "new"]
    declare("new", "renamed_from='old'", "rm-newer")
    report = project.json("apply")["resources"]
    assert not report[0]["replaces"]
    assert "somebody else" not in str(report[0]["reason"])
    assert log() == ["old", "rm-old", "new", "new"]


def test_without_being_told_a_new_name_is_another_resource(project: Project) -> None:
    write(project, file("old"))
    project.run("apply")
    write(project, file("new"))
    assert project.actions("apply") == {"new": "create"}
    assert files(project) == ["new", "old"]
    # One that says that it had the name of another that is there is not that one.
    write(project, file("old"), file("third", "renamed_from='old'"))
    assert project.actions("apply") == {"old": "unchanged", "third": "create"}


@pytest.mark.parametrize("edited", [False, True])
def test_what_the_model_wrote_follows_the_name(
    served_project: Project, model_server: ModelServer, edited: bool
) -> None:
    def declare(name: str, more: str = "") -> None:
        served_project.write(
            HEAD + f'a = FileResource(name="{name}", description="an article", directory="out", {more})\n'
        )

    declare("old.md")
    assert served_project.run("apply").returncode == 0
    lock = served_project.folder / "clockwork.lock"
    if edited:
        lock.write_text(lock.read_text().replace("And so on, at some length.", "And so forth.", 1))
        served_project.run("apply")
    content = (served_project.folder / "out/old.md").read_text()
    before = clockwork_lock(lock)
    model_server.requests.clear()

    declare("new.md", "renamed_from='old.md'")
    assert served_project.run("plan").returncode == 0
    assert served_project.run("apply", "--locked").returncode == 0
    assert model_server.requests == []
    assert (served_project.folder / "out/new.md").read_text() == content
    assert files(served_project) == ["new.md"]
    after = clockwork_lock(lock)
    assert list(after) == ["new.md"]
    assert after["new.md"].pop("fingerprint") != before["old.md"].pop("fingerprint")
    assert after["new.md"] == before["old.md"], "its content, its hash, who wrote it and when"

    # The name is in the lock now: nothing has to say any more what it was.
    declare("new.md")
    assert served_project.run("apply", "--locked").returncode == 0
    # Another question is another one, whatever the name was.
    declare("third.md", "renamed_from='new.md', size='medium'")
    assert served_project.run("apply").returncode == 0
    # Nobody writes a text anew that a person has edited.
    assert len(model_server.requests) == (0 if edited else 1)


def clockwork_lock(path: Any) -> dict[str, dict[str, str]]:
    """The entries of a lock, by name, each line by its key."""
    entries: dict[str, dict[str, str]] = {}
    for block in path.read_text().split("[[")[1:]:
        pairs = [line.partition(" = ") for line in block.splitlines()]
        lines = {key: value for key, equals, value in pairs if equals}
        name = lines.pop("name").strip('"')
        entries[name] = lines | {"all": block.partition("content")[2]}
    return entries


def test_what_is_protected_is_not_replaced(project: Project) -> None:
    write(project, file("a", "path='out/one', protect=True"), file("b"))
    project.run("apply")
    write(project, file("a", "path='out/two', protect=True"), file("b", content="y"))
    for command in (["apply"], ["apply", "--yes"], ["plan"], ["apply", "--dry-run"]):
        report = project.json(*command, expect=1)
        assert report["error"]["kind"] == "ProtectedError"
        assert "Take protect=True away first, or leave it out with --target" in report["error"]["message"]
    assert files(project) == ["b", "one"]
    assert (project.folder / "out/b").read_text() == "x", "nothing at all is touched"
    # To change it where it is takes nothing away.
    write(project, file("a", "path='out/one', protect=True", content="y"), file("b"))
    assert project.actions("apply") == {"a": "change", "b": "unchanged"}
    report = project.json("destroy", expect=1)
    assert report["error"]["kind"] == "ProtectedError"
    assert files(project) == ["b", "one"]
    assert project.actions("destroy", "--target", "b") == {"b": "remove"}
    write(project, file("a", "path='out/two'", content="y"))
    assert project.actions("apply") == {"a": "change"}
    assert files(project) == ["two"]


def test_what_is_protected_is_not_pruned(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    write(project, file("a"), file("b", "protect=True"), file("c"))
    project.run("apply")
    write(project, file("a"))
    # The answer is about `c` alone.
    done = project.terminal("apply", answers={PRUNE: "y"})
    assert done.returncode == 0, done.text
    assert files(project) == ["a", "b"]
    assert "It is protected: put it back with protect=False" in done.text
    assert project.actions("plan") == {"a": "unchanged"}
    assert "It is protected" in project.run("plan").stdout
    for arguments in (["apply", "--prune", "--yes"], ["plan", "--prune", "--out", "plan.json"]):
        refused = project.run(*arguments)
        assert refused.returncode == 1
        assert "Put it into main.py with protect=False, let go of it with" in refused.stderr
    assert not (project.folder / "plan.json").exists()
    assert project.run("destroy").returncode == 1
    monkeypatch.chdir(project.folder)
    with pytest.raises(ProtectedError, match="FileResource 'b' on @local"):
        clockwork.apply(prune=True)
    assert files(project) == ["a", "b"]
    write(project, file("a"), file("b"))
    project.run("apply")
    write(project, file("a"))
    assert project.run("apply", "--prune", "--yes").returncode == 0
    assert files(project) == ["a"]


@pytest.mark.parametrize("gone", [False, True])
def test_what_is_protected_is_not_removed_conditionally_either(project: Project, gone: bool) -> None:
    own = """
class Own(Resource):
    def to_pyinfra_operations(self, artifacts):
        return "files.file(path='own', touch=True)"
    def to_pyinfra_destroy_operations(self, artifacts):
        return "files.file(path='own', present=False, _if=lambda: True)"
own = Own(name="own", protect=True)
"""
    project.write(HEAD + own + f"a = {file('a')}\n")
    project.run("apply")
    if gone:
        write(project, file("a"))
    command = ["apply", "--prune", "--yes"] if gone else ["destroy"]
    assert project.json(*command, expect=1)["error"]["kind"] == "ProtectedError"
    assert (project.folder / "own").exists()


def test_what_does_not_say_how_it_is_removed(project: Project) -> None:
    operations = "return 'server.shell(commands=[\"true\"])'"
    own = f"class Own(Resource):\n    def to_pyinfra_operations(self, artifacts): {operations}\n"
    project.write(HEAD + own + f"own = Own(name='own')\na = {file('a')}\n")
    project.run("apply")
    write(project, file("a"))
    done = project.run("apply", "--prune", "--yes")
    assert done.returncode == 0
    assert "Own 'own' on @local does not say how it is taken down, and stays" in done.stdout
    assert "`clockwork state forget own`" in done.stdout
    assert "no longer has" not in done.stdout, "once is enough"
    assert project.known() == ["a", "own"]


def test_what_is_gone_and_does_not_say_how_it_is_removed_is_put_back_for_that(project: Project) -> None:
    own = (
        "class Own(Resource):\n"
        "    def to_pyinfra_operations(self, artifacts): return 'server.shell(commands=[\"touch made\"])'\n"
    )
    project.write(HEAD + own + f"own = Own(name='own')\na = {file('a')}\n")
    project.run("apply")
    stays = "Own 'own' on @local does not say how it is taken down, and stays: "
    assert f"{stays}override to_pyinfra_destroy_operations in Own, or" in project.run("destroy").stdout
    project.run("apply")
    write(project, file("a"))
    done = project.run("apply", "--prune", "--yes")
    put_back = "put it back into main.py, with to_pyinfra_destroy_operations in Own, and run"
    assert f"{stays}{put_back} `clockwork destroy --target own`" in done.stdout
    says = "    def to_pyinfra_destroy_operations(self, artifacts): return 'server.shell(commands=[\"rm made\"])'\n"
    project.write(HEAD + own + says + f"own = Own(name='own')\na = {file('a')}\n")
    assert project.actions("destroy", "--target", "own") == {"own": "remove"}
    assert not (project.folder / "made").exists()
    assert project.known() == ["a"]


STUBBORN = """class Stubborn(Resource):
    def to_pyinfra_operations(self, artifacts): return 'server.shell(commands=["true"])'
    def to_pyinfra_destroy_operations(self, artifacts=None): return NO
"""


def test_fail_fast_holds_from_what_is_removed_to_what_is_brought_up(project: Project) -> None:
    stubborn = STUBBORN.replace("NO", "'server.shell(commands=[\"exit 3\"])'")
    project.write(HEAD + stubborn + f"own = Stubborn(name='own')\na = {file('a')}\n")
    project.run("apply")
    write(project, file("a", content="y"))
    assert project.actions("apply", "--prune", "--yes", "--fail-fast", expect=1)["a"] == "skipped"
    assert (project.folder / "out/a").read_text() == "x"
    assert project.actions("apply", "--prune", "--yes", expect=1)["a"] == "change"
    assert (project.folder / "out/a").read_text() == "y"


def test_what_takes_down_is_in_a_file_as_it_is_run(project: Project) -> None:
    fails = STUBBORN.replace("NO", "'\\n\\n\\nraise RuntimeError(\"no\")'")
    project.write(HEAD + fails + "own = Stubborn(name='own')\n")
    project.run("apply")
    project.write(
        HEAD + STUBBORN.replace("NO", "'server.shell(commands=[\"true\"])'") + "own = Stubborn(name='own')\n"
    )
    done = project.run("destroy")
    assert done.returncode == 1
    number = int(done.stdout.partition("destroy.py, line ")[2].split()[0].strip(":,)"))
    lines = (project.folder / ".clockwork/pyinfra/destroy.py").read_text().splitlines()
    assert "raise RuntimeError" in lines[number - 1]
