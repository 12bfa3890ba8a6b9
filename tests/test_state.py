"""The state: its place, its permissions, its content, and values that it never has."""

from __future__ import annotations

import json
import os
import shutil
import stat
import time
from typing import TYPE_CHECKING, Any

import pytest

import clockwork
from clockwork.exceptions import StateError, StateLockedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.project import Project

TWO = """
from clockwork.resources import FileResource
a = FileResource(name="a", content="secret-in-a-file", directory="out")
b = FileResource(name="b", content="two", directory="out", depends_on=[a])
"""
SECRETS = ["s3cret-of-env", "s3cret-of-str", "s3cret-of-field"]
OWN = """
from pydantic import SecretStr
from clockwork.resources import DockerServiceResource, Resource
class Account(Resource):
    token: SecretStr
    password: str = "s3cret-of-field"
    env_vars: dict[str, str] = {"PLAIN": "s3cret-of-env"}
    def to_pyinfra_operations(self, artifacts):
        return f"server.shell(name='make it', commands=['echo {self.token.get_secret_value()} > made'])"
    def to_pyinfra_destroy_operations(self, artifacts):
        return DESTROY
one = Account(name="one", token="s3cret-of-str")
"""
GROUPED = """
import clockwork
from clockwork.resources import FileResource, Resource
class Own(Resource):
    def to_pyinfra_operations(self, artifacts):
        return "raise RuntimeError('the engine is down')"
a = FileResource(name="a", content="one", directory="out")
both = clockwork.Group("both", [a, FileResource(name="b", content="two", directory="out")])
own = Own(name="own")
"""
WITH_SECRET = "f\"server.shell(name='drop it', commands=['rm made # {self.token.get_secret_value()}'])\""
WITHOUT = "\"server.shell(name='drop it', commands=['rm made'])\""
SLOW = """
from clockwork.resources import Resource
class Slow(Resource):
    def to_pyinfra_operations(self, artifacts):
        return 'server.shell(name="wait", commands=["touch started; while test ! -e go; do sleep 0.05; done"])'
slow = Slow(name="slow")
"""


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} does not appear"
        time.sleep(0.02)


def test_what_is_known_of_a_resource(project: Project) -> None:
    project.write(TWO)
    assert project.run("apply").returncode == 0
    a, b = project.state["resources"]
    assert (a["kind"], a["name"], a["host"], a["source"]) == ("FileResource", "a", "@local", "main.py")
    assert b["needs"] == [{"kind": "FileResource", "name": "a"}]
    assert a["deployed"]["by"] == clockwork.__version__
    (step,) = a["deployed"]["removal"]["steps"]
    assert step["operation"]["function"] == "clockwork.operations.files.file"
    assert a["identity"] == f"path:{project.folder}/out/a"
    assert "pending" not in a
    state = project.folder / ".clockwork/state.json"
    assert "secret-in-a-file" not in state.read_text()
    assert stat.S_IMODE(state.stat().st_mode) == 0o600

    before = state.stat()
    assert project.run("apply").returncode == 0
    assert state.stat().st_ino == before.st_ino, "nothing was deployed, so there is nothing to write"


def test_list_show_and_forget(project: Project) -> None:
    project.write(TWO)
    assert "nothing has been deployed from here" in project.run("state", "list").stdout
    project.run("apply")
    project.write(TWO.replace("depends_on=[a]", "protect=True").replace("a = F", "# F"))
    listed = project.run("state", "list").stdout.splitlines()
    assert "main.py no longer has it" in listed[0]
    assert "main.py no longer has it" not in listed[1]
    shown = project.run("state", "show", "FileResource.b").stdout
    assert "FileResource 'a'" in shown
    assert "taken down" in shown
    (entry,) = project.json("state", "show", "b")
    assert entry == project.state["resources"][1]

    forgot = project.run("state", "forget", "a")
    assert "it stays as it is there" in forgot.stdout
    assert project.known() == ["b"]
    assert (project.folder / "out/a").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("state", "show", "bb"), "Did you mean 'b'?"),
        (("state", "forget", "nothing-like-it"), "There are: a, b."),
        (("state", "show", "a", "--host", "db"), "called 'a' on db. It is on: @local."),
        (("state", "list", "nowhere"), "there is no nowhere"),
        (("state", "show", "a", "no/main.py"), "there is no no/main.py"),
        (("state", "adopt", "bb"), "Did you mean 'b'?"),
        (("plan", "--target", "bb"), "Did you mean 'b'?"),
        (("apply", "--target", "bb"), "Did you mean 'b'?"),
        (("destroy", "--target", "bb"), "Did you mean 'b'?"),
    ],
)
def test_names_that_are_none(project: Project, arguments: tuple[str, ...], told: str) -> None:
    project.write(TWO)
    project.run("apply")
    done = project.run(*arguments)
    assert done.returncode == 1
    assert told in done.stderr
    assert project.known() == ["a", "b"]


def test_adopting_what_is_there_already(project: Project) -> None:
    project.write(TWO)
    assert "`clockwork apply` creates it" in project.run("state", "adopt", "a").stderr
    project.run("apply")
    (project.folder / "out/b").write_text("mine")
    shutil.rmtree(project.folder / ".clockwork")
    assert "is taken up on @local\n" in project.run("state", "adopt", "a").stdout
    assert "differs from main.py" in project.run("state", "adopt", "b").stdout
    assert (project.folder / "out/b").read_text() == "mine", "it stays as it is"
    assert project.known() == ["a", "b"]
    assert project.actions("plan") == {"a": "unchanged", "b": "drifted"}
    assert project.actions("destroy") == {"a": "remove", "b": "remove"}


def test_a_list_stands_alone_and_knows_what_is_called_otherwise_now(project: Project) -> None:
    project.write(TWO)
    project.run("apply")
    project.write("print('hello')" + TWO.replace('a = FileResource(name="a"', 'a = FileResource(name="c"'))
    assert [each["name"] for each in project.json("state", "list")["gone"]] == ["a"]
    project.write("print('hello')" + TWO.replace('(name="a"', '(name="c", renamed_from="a"'))
    assert project.json("state", "list")["gone"] == []
    assert "main.py no longer has it" not in project.run("state", "list").stdout
    assert project.json("state", "list", "nowhere", expect=1)["error"]["kind"] == "ProjectNotFoundError"


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("both", lambda p: None, "'both' is the name of no resource"),
        ("a", lambda p: None, "the state knows FileResource 'a' already"),
        ("a", lambda p: (p.folder / "out/a").unlink(), "the state knows FileResource 'a' already"),
        (
            "a",
            lambda p: p.write(GROUPED.replace('name="a"', 'name="a", path="out/elsewhere"')),
            "the state knows FileResource 'a' already",
        ),
        ("own", lambda p: None, "cannot be told whether it is on @local"),
    ],
)
def test_what_is_not_adopted(
    project: Project, name: str, change: Callable[[Project], object], told: str
) -> None:
    project.write(GROUPED)
    assert project.run("apply", "--target", "both").returncode == 0
    change(project)
    before = project.state
    done = project.run("state", "adopt", name)
    assert done.returncode == 1
    assert told in done.stderr
    assert "creates it" not in done.stderr
    assert project.state == before


@pytest.mark.parametrize("command", ["apply", "plan", "destroy", "state"])
def test_a_state_that_cannot_be_used_is_told_and_stays(project: Project, command: str) -> None:
    project.write(TWO)
    project.run("apply")
    state = project.folder / ".clockwork/state.json"
    newer = json.dumps({**project.state, "format": 99, "clockwork": "9.9"})
    for text, told in (
        (state.read_text()[:200], "Put a copy of it from before in its place"),
        (newer, "Update Clockwork"),
    ):
        state.write_text(text)
        done = project.run(command, *(["list"] if command == "state" else []))
        assert done.returncode == 1
        assert told in done.stderr
        assert state.read_text() == text
        assert (project.folder / "out/a").exists()


def of_format_1(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of a file as formats 0 and 1 had it: with code that takes it down, and no identity."""
    path = entry["identity"].removeprefix("path:")
    code = f"files.file(name={json.dumps(f'Remove {path}')}, path={json.dumps(path)}, present=False)"
    fields = {name: value for name, value in entry["deployed"]["fields"].items() if name != "suggest"}
    deployed = {
        "fingerprint": "0" * 64,
        "fields": fields,
        "removal": {"code": code},
        "at": "then",
        "by": "0.0.9",
    }
    return {**{key: entry[key] for key in ("kind", "name", "host", "source", "needs")}, "deployed": deployed}


def test_a_state_of_the_oldest_format_is_taken_over(project: Project) -> None:
    project.write(TWO)
    project.run("apply")
    old = {
        "format": 0,
        "resources": {f"FileResource.{e['name']}@@local": of_format_1(e) for e in project.state["resources"]},
    }
    (project.folder / ".clockwork/state.json").write_text(json.dumps(old))
    project.write(TWO.replace('"two"', '"three"'))
    assert project.actions("apply") == {"a": "unchanged", "b": "change"}
    assert project.state["format"] == 2
    assert project.known() == ["a", "b"]


@pytest.mark.parametrize("destroy", [WITH_SECRET, WITHOUT], ids=["in the code", "elsewhere"])
def test_secrets_are_not_in_it(project: Project, destroy: str) -> None:
    project.write(OWN.replace("DESTROY", destroy))
    in_code = destroy == WITH_SECRET
    assert project.run("apply", "--no-check").returncode == 0
    made = project.folder / "made"
    assert made.exists()
    kept = "".join(path.read_text() for path in project.folder.glob(".clockwork/state*"))
    assert not [secret for secret in SECRETS if secret in kept]
    (entry,) = project.state["resources"]
    assert (entry["deployed"]["removal"] == "secret") == in_code

    main = project.folder / "main.py"
    saved = main.read_text()
    main.unlink()
    done = project.run("destroy")
    assert done.returncode == 0
    assert ("holds a secret, which the state does not keep" in done.stdout) == in_code
    if in_code:
        assert "clockwork destroy --target one" in done.stdout
        assert made.exists()
        main.write_text(saved)
        assert project.actions("destroy", "--target", "one") == {"one": "remove"}
    assert project.known() == []
    assert not made.exists()


@pytest.mark.parametrize(
    ("field", "destroy"),
    [
        ('api_key: str = "c2VjcmV0LTEyMzQ1NTY="', "server.shell(commands=['true {self.api_key}'])"),
        (r'key: SecretStr = SecretStr("back\\slash-se\'cret")', "server.shell(commands=[{self.shown!r}])"),
        (r'key: SecretStr = SecretStr("back\\slash-se\'cret")', "x = 1  # {self.shown!r}"),
        ('key: SecretStr = SecretStr("gehäuse-secret")', "server.shell(commands=[{self.shown!a}])"),
        ('key: SecretStr = SecretStr("it\'s-a-secret")', "server.shell(commands=[{quote(self.shown)!r}])"),
        ('tokens: list[str] = ["listed-secret"]', "server.shell(commands=['true {self.tokens[0]}'])"),
    ],
)
@pytest.mark.parametrize("parent", ["Resource", "FileResource"])
def test_code_with_a_secret_is_not_kept(project: Project, field: str, destroy: str, parent: str) -> None:
    project.write(f"""
        from shlex import quote
        from pydantic import SecretStr
        from clockwork.resources import FileResource, Resource
        class Own({parent}):
            {field}
            @property
            def shown(self):
                return self.key.get_secret_value()
            def to_pyinfra_operations(self, artifacts):
                return "server.shell(commands=['true'])"
            def to_pyinfra_destroy_operations(self, artifacts):
                return f\"\"\"{destroy}\"\"\"
        own = Own(name="own", description="d", {"content='x'" if parent == "FileResource" else ""})
    """)
    assert project.run("apply").returncode == 0
    (entry,) = project.state["resources"]
    assert entry["deployed"]["removal"] == "secret"


def test_what_cannot_be_written_changes_nothing(project: Project) -> None:
    project.write(TWO)
    # A folder that is closed to root too.
    (project.folder / ".clockwork").write_text("no folder")
    done = project.run("apply")
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert "Check that" in done.stderr
    assert not (project.folder / "out").exists()


def test_two_at_once(project: Project) -> None:
    project.write(SLOW)
    with project.start("apply") as first:
        wait_for(project.folder / "started")
        for command in ("apply", "destroy", "state forget slow", "state adopt slow"):
            done = project.run(*command.split())
            assert done.returncode == 1
            assert f"`clockwork apply` (process {first.pid}, " in done.stderr
            assert "--lock-timeout" in done.stderr
        impatient = project.run("apply", "--lock-timeout", "0.3")
        assert impatient.returncode == 1
        # To look changes nothing, and needs not wait.
        assert project.run("plan").returncode == 0
        assert "an apply did not get to its end" in project.run("state", "list").stdout
        with project.start("apply", "--lock-timeout", "60") as second:
            assert second.stdout is not None
            assert second.stdout.readline().startswith("waiting for `clockwork apply` (process")
            (project.folder / "go").touch()
            assert first.wait(60) == 0
            assert second.wait(60) == 0


def test_from_a_program(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.folder)
    project.write(SLOW)
    with project.start("apply"):
        wait_for(project.folder / "started")
        with pytest.raises(StateLockedError, match=r"is at work on this project"):
            clockwork.apply()
        (project.folder / "go").touch()
    (project.folder / ".clockwork/state.json").write_text("{}")
    with pytest.raises(StateError, match="which format"):
        clockwork.apply()


def test_what_killed_runs_have_left_goes_with_the_next_write(project: Project) -> None:
    project.write(TWO)
    project.run("apply")
    old, young = (project.folder / f".clockwork/state.json.{number}.0.tmp" for number in (1, 2))
    for path in (old, young):
        path.touch()
    os.utime(old, (0, 0))
    project.write(TWO.replace('"two"', '"three"'))
    assert project.run("apply").returncode == 0
    assert not old.exists()
    assert young.exists(), "another run may be about to rename it"
