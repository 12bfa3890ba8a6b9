"""Killed at any moment, and failed in the middle: the next apply picks up where the last one stopped."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import clockwork
from support.sshd import running_sshd

if TYPE_CHECKING:
    import pytest

    from support.project import Project

KILLS = 50
# Each version has other contents in five of the files, two of them elsewhere, and one that the one before has not.
MAIN = """
from clockwork.resources import FileResource
for number in range(29):
    text = f"{{{version} - ({version} - number) % 6}} " * 1000
    folder = f"out/{{{version} % 2}}" if number < 2 else "out"
    needs = [globals()[f"f{{number - 1}}"]] if number % 3 else []
    globals()[f"f{{number}}"] = FileResource(name=f"f{{number}}", content=text, directory=folder, depends_on=needs)
last = FileResource(name="last-{version}", content="x", directory="out")
"""


def wanted(version: int) -> dict[str, str]:
    """The content of a version's files, by their paths below `out`."""
    files = {"last-" + str(version): "x"}
    for number in range(29):
        folder = f"{version % 2}/" if number < 2 else ""
        files[f"{folder}f{number}"] = f"{version - (version - number) % 6} " * 1000
    return files


def found(out: Path) -> dict[str, str]:
    return {str(path.relative_to(out)): path.read_text() for path in out.rglob("*") if path.is_file()}


def left_over(project: Project) -> list[Path]:
    """Temporary files beside what Clockwork writes for itself."""
    return [path for path in project.folder.rglob("*.tmp") if path.is_file()]


def test_killed_at_fifty_moments(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.folder)
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    for version in range(2):
        project.write(MAIN.format(version=version))
        began = time.monotonic()
        assert project.run("apply", "--prune", "--yes").returncode == 0
    whole = time.monotonic() - began
    state = project.folder / ".clockwork/state.json"
    killed = halfway = 0
    for version in range(2, KILLS + 2):
        project.write(MAIN.format(version=version))
        moment = chance.uniform(0, whole)
        told = f"seed {seed}, kill {version - 1}, after {moment:.3f} of {whole:.3f} s"
        with project.start("apply", "--prune", "--yes") as process:
            with suppress(Exception):
                process.wait(moment)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
        entries = json.loads(state.read_text())["resources"]
        halfway += any("pending" in entry for entry in entries)
        # Nothing is there that the state does not know.
        known = {entry["name"] for entry in entries}
        assert {path.rpartition("/")[2] for path in found(project.folder / "out")} <= known, told

        result = clockwork.apply(prune=True)
        assert found(project.folder / "out") == wanted(version), told
        assert not {resource.error for resource in result.resources} - {None}, told
        entries = json.loads(state.read_text())["resources"]
        assert sorted(entry["name"] for entry in entries) == sorted(
            path.rpartition("/")[2] for path in wanted(version)
        ), told
        assert not any("pending" in entry for entry in entries), told
    assert killed, "each run was through before it was killed"
    assert halfway, "no run was killed while it worked"
    assert set(project.actions("plan").values()) == {"unchanged"}

    # Leftovers of killed runs are removed by the next write, once they are old enough.
    assert len(left_over(project)) <= KILLS
    for path in left_over(project):
        os.utime(path, (0, 0))
    project.write(MAIN.format(version=KILLS + 2))
    assert project.run("apply", "--prune", "--yes").returncode == 0
    assert [path for path in left_over(project) if path.name.startswith("state.json")] == []


# A diamond (base, left, right, top) with a row before and a row after it, and ten that stand alone.
GRAPH = """
from pathlib import Path
from clockwork.resources import FileResource, Resource

class Sick(Resource):
    def to_pyinfra_operations(self, artifacts):
        return "server.shell(name='operate', commands=['test -e {here}/cure && echo $(date) >> {here}/ran'])"
    def to_pyinfra_destroy_operations(self, artifacts):
        return "files.file(name='remove', path='{here}/ran', present=False)"

def file(name, *needs):
    return FileResource(name=name, content=name, path=PATH, depends_on=list(needs))

before = [file("before-0")]
for number in range(1, 8):
    before.append(file(f"before-{{number}}", before[-1]))
base = file("base", before[-1])
left = file("left", base)
right = Sick(name="right", depends_on=[base])
top = file("top", left, right)
after = [file("after-0", top)]
for number in range(1, 8):
    after.append(file(f"after-{{number}}", after[-1]))
alone = [file(f"alone-{{number}}") for number in range(10)]
"""
BEFORE = {f"before-{number}" for number in range(8)} | {"base", "left"}
AFTER = {"top"} | {f"after-{number}" for number in range(8)}
ALONE = {f"alone-{number}" for number in range(10)}


def test_a_failure_in_the_middle_of_thirty(project: Project) -> None:
    out = project.folder / "out"
    project.write(GRAPH.format(here=project.folder).replace("PATH", 'f"out/{name}"'))
    report = project.json("apply", expect=1)
    actions = {each["name"]: each["action"] for each in report["resources"]}
    assert len(actions) == 30
    assert {each["name"] for each in report["resources"] if each["error"]} == {"right"}
    assert {name for name, action in actions.items() if action == "create"} == BEFORE | ALONE
    assert {name for name, action in actions.items() if action == "skipped"} == AFTER
    assert set(found(out)) == BEFORE | ALONE
    assert set(project.known()) == BEFORE | ALONE | {"right"}, "of what failed something may be there"
    assert "an apply did not get to its end" in project.run("state", "list").stdout

    # Nothing of it is done twice, and what was skipped waits for the cure.
    report = project.json("apply", expect=1)
    actions = {each["name"]: each["action"] for each in report["resources"]}
    assert {name for name, action in actions.items() if action == "unchanged"} == BEFORE | ALONE
    (project.folder / "cure").touch()
    actions = project.actions("apply")
    assert {name for name, action in actions.items() if action == "create"} == AFTER
    assert actions["right"] == "conditional"
    assert set(found(out)) == BEFORE | ALONE | AFTER
    assert set(project.known()) == BEFORE | ALONE | AFTER | {"right"}
    assert "did not get to its end" not in project.run("state", "list").stdout

    order = list(project.actions("destroy", "--target", "base"))
    assert set(order) == AFTER | {"base", "left", "right"}
    assert order.index("top") < order.index("left") < order.index("base")
    assert order.index("top") < order.index("right") < order.index("base")
    assert set(found(out)) == ALONE | BEFORE - {"base", "left"}


def test_each_host_has_a_life_of_its_own(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.folder)
    with running_sshd() as sshd:
        project.write(
            f"""
            from clockwork.pyinfra_compiler import PyInfraCompiler
            class Two(PyInfraCompiler):
                def _generate_inventory(self):
                    return {sshd.inventory("one", "two")!r}
            class Away(PyInfraCompiler):
                def _generate_inventory(self):
                    return "hosts = [" + {sshd.host("one")!r} + ", " + {sshd.host("two", ssh_port=1)!r} + "]"
        """,
            "hosts.py",
        )
        project.write(
            """
            from clockwork.resources import Resource
            class Own(Resource):
                content: str
                def to_pyinfra_operations(self, artifacts):
                    return f"files.put(name='p', src=StringIO({self.content!r}), dest='FOLDER/' + host.name)"
                def to_pyinfra_destroy_operations(self, artifacts):
                    return "files.file(name='r', path='FOLDER/' + host.name, present=False)"
            own = Own(name="own", content="one")
        """.replace("FOLDER", str(project.folder))
        )
        script = """
            import sys; sys.path.insert(0, ".")
            import clockwork, hosts
            from clockwork.core import ClockworkCore
            from clockwork.exceptions import DeployError
            core = ClockworkCore(compiler=hosts.{}())
            try:
                result = core.{}
            except DeployError as error:
                result = error.result
            print({{resource.host: resource.action for resource in result.resources}})
        """

        def act(compiler: str, call: str) -> dict[str, str]:
            done = project.python(script.format(compiler, call))
            assert done.returncode == 0, done.stderr
            actions: dict[str, str] = json.loads(done.stdout.splitlines()[-1].replace("'", '"'))
            return actions

        assert act("Two", "apply()") == {"one": "create", "two": "create"}
        (project.folder / "two").write_text("by hand")
        assert act("Two", "plan()") == {"one": "unchanged", "two": "drifted"}
        assert act("Two", "apply()") == {"one": "unchanged", "two": "drifted"}
        (project.folder / "two").unlink()
        # The entries of an unreachable host stay in the state.
        assert act("Away", "destroy()") == {"one": "remove", "two": "skipped"}
        assert [(entry["name"], entry["host"]) for entry in project.state["resources"]] == [("own", "two")]
        assert act("Two", "apply()") == {"one": "create", "two": "drifted"}
        (project.folder / "main.py").unlink()
        assert act("Two", "destroy()") == {"one": "remove", "two": "remove"}
        assert project.known() == []
