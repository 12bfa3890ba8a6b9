"""`clockwork check`, and what an apply checks by itself."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

import clockwork
from clockwork.assertions import (
    CallSucceeds,
    CommandSucceeds,
    FileExists,
    HttpResponds,
    PortOpen,
)
from clockwork.exceptions import CheckError, DeployError, LoadError
from clockwork.resources import FileResource, Resource
from support.checks import check, file, serving
from support.processes import all_gone, running
from support.waiting import wait_until

if TYPE_CHECKING:
    from support.docker import Docker
    from support.model_server import ModelServer
    from support.project import Project


pytestmark = pytest.mark.usefixtures("in_a_folder")


def test_a_service_from_apply_to_check(project: Project, docker: Docker) -> None:
    project.write(f"""
        from clockwork.assertions import ContainerRunning, HttpResponds, PortOpen
        from clockwork.resources import DockerServiceResource
        web = DockerServiceResource(
            name="{docker.name("web")}", description="a page", image="{docker.images.one}",
            ports=["127.0.0.1:{docker.ports[0]}:80"],
            assertions=[
                ContainerRunning(),
                PortOpen(port={docker.ports[0]}),
                HttpResponds(url="http://{{host}}:{docker.ports[0]}/", body="test one"),
            ],
        )
    """)
    report = project.json("apply")
    assert [each["ok"] for each in report["checks"]] == [True] * 3
    docker("stop", docker.name("web"))
    report = project.json("check", expect=1)
    assert [each["ok"] for each in report["checks"]] == [False] * 3


MAIN = """\
from clockwork.assertions import CommandSucceeds, FileContains, FileExists
from clockwork.resources import FileResource
def helped(host):
    import helpers
    assert helpers.good(host), "no good"
a = FileResource(name="a.txt", content="x", directory="out", assertions=[FileExists(), helped])
b = FileResource(name="b.txt", content="y", directory="out", assertions=[FileContains(text={!r})])
"""


def test_the_command(project: Project) -> None:
    project.write("def good(host): return host.run('true').ok\n", "helpers.py")
    project.write(MAIN.format("y"))
    assert project.run("check").returncode == 1, "nothing is there yet"
    applied = project.run("apply")
    assert applied.returncode == 0, applied.stderr
    assert "Checked: 3 passed" in applied.stdout
    done = project.run("check")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("✓") == 3
    assert "Checked: 3 passed in" in done.stdout
    assert not (project.folder / "clockwork.lock").exists()

    project.write(MAIN.format("z"))
    done = project.run("check")
    assert done.returncode == 1
    assert "Checked: 1 failed, 2 passed in" in done.stdout
    assert "it is not in the file" in done.stdout
    report = project.json("check", expect=1)
    assert [each["ok"] for each in report["checks"]] == [True, True, False]
    assert report["checks"][2] == {
        "kind": "FileResource",
        "name": "b.txt",
        "host": "@local",
        "assertion": f"{project.folder}/out/b.txt contains 'z'",
        "ok": False,
        "error": "it is not in the file",
        "attempts": 1,
        "seconds": report["checks"][2]["seconds"],
    }
    assert report["error"]["kind"] == "CheckError"
    assert "1 of 3 checks failed: FileResource 'b.txt' on @local" in report["error"]["message"]
    screen = project.terminal("check")
    assert screen.returncode == 1
    assert "✗ FileResource 'b.txt'" in screen.text
    assert "tries" not in screen.text

    project.write("1 / 0")
    assert project.run("check").returncode == 1
    assert project.run("check", "--model", "local").returncode == 2


def test_a_failed_import_is_told_in_the_users_terms(project: Project) -> None:
    project.write("raise OSError('no disk')\n", "helpers.py")
    project.write(MAIN.format("y"))
    report = project.json("apply", expect=1)
    error = report["checks"][1]["error"]
    assert "main.py, line 4, in helped" in error
    assert "helpers.py, line 1" in error
    assert "OSError: no disk" in error
    assert "look.py" not in error


def test_a_hint_where_there_is_nothing_to_check(project: Project) -> None:
    project.write("from clockwork.resources import FileResource\nx = FileResource(name='x', content='')\n")
    done = project.run("check")
    assert done.returncode == 0, done.stderr
    assert "assertions=[FileExists()]" in done.stdout
    report = project.json("check")
    assert report["checks"] == []
    assert len(report["notes"]) == 1


def test_apply_checks_what_it_deployed(tmp_path: Path) -> None:
    class Broken(Resource):
        def to_pyinfra_operations(self, artifacts: dict[str, Any]) -> str:
            return "server.shell(commands=['false'])"

        def to_pyinfra_destroy_operations(self, artifacts: dict[str, Any] | None = None) -> str:
            return ""

    events: list[dict[str, Any]] = []
    with pytest.raises(CheckError, match="1 of 2 checks failed") as failed:
        clockwork.apply([file(FileExists(), FileExists(mode="777"))], progress=events.append)
    assert (tmp_path / "out/a.txt").exists(), "what is deployed stays"
    assert isinstance(failed.value, AssertionError)
    copy = pickle.loads(pickle.dumps(failed.value))
    assert copy.result == failed.value.result
    result = failed.value.result
    assert result is not None
    assert result.resources[0].action == "create"
    assert result.failed
    assert "<td" in result._repr_html_()
    assert "its mode is 640" in result._repr_html_()
    assert type(result).from_dict(result.to_dict()) == result
    told = [(each["event"], each.get("ok")) for each in events if each["event"].startswith("check")]
    assert told == [("check_start", None), ("check_end", True), ("check_start", None), ("check_end", False)]

    unchecked = clockwork.apply([file(FileExists(mode="777"))], check=False)
    assert unchecked.checks == ()
    assert clockwork.apply([file(FileExists(mode="777"))], dry_run=True).checks == ()
    assert clockwork.plan([file(FileExists(mode="777"))]).checks == ()
    broken = Broken(name="broken", assertions=[lambda: None])
    after = file(FileExists(), name="b.txt")
    after.connect(broken)
    with pytest.raises(DeployError) as partly:
        clockwork.apply([broken, after, file(FileExists())])
    assert partly.value.result is not None
    assert [each.name for each in partly.value.result.checks] == ["a.txt"], "what is there, and nothing else"


def test_no_check_on_the_command_line(project: Project) -> None:
    project.write(MAIN.format("z"))
    assert project.run("apply", "--no-check").returncode == 0
    assert project.run("apply").returncode == 1
    assert project.run("destroy").returncode == 0


def test_nothing_is_added_to_an_apply_without_assertions(project: Project) -> None:
    project.write(
        "from clockwork.resources import FileResource\nx = FileResource(name='x', content='', directory='o')\n"
    )
    done = project.python("""
        import sys, clockwork
        clockwork.apply()
        assert "clockwork._checks" not in sys.modules
    """)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "waits",
    [
        "CommandSucceeds(command='{command}', timeout=600)",
        "PortOpen(port=1, retries=600)",
        "CallSucceeds(function=lambda: __import__('time').sleep(600), timeout=600)",
    ],
)
def test_interrupting_leaves_nothing_behind(project: Project, waits: str) -> None:
    command = f"sleep 640.{os.getpid()}"
    project.write(f"""
        from clockwork.assertions import CallSucceeds, CommandSucceeds, PortOpen
        from clockwork.resources import FileResource
        def begin(): open("begun", "w").close()
        a = FileResource(name="a", content="", directory="o", assertions=[begin, {waits.format(command=command)}])
    """)
    with project.start("check") as process:
        wait_until((project.folder / "begun").exists)
        if "command" in waits:
            wait_until(lambda: running(command))
        children = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "interrupted" in errors
    assert all_gone(children + running(command))


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ("FileExists(path='')", "it is empty"),
        ("FileExists(path='a\\0b')", "NUL"),
        ("FileExists(mode='999')", "octal"),
        ("FileExists(timeout=0)", "greater than 0"),
        ("FileExists(retries=-1)", "greater than or equal to 0"),
        ("FileExists(paht='x')", "did you mean path?"),
        ("FileContains()", "either a text or a pattern"),
        ("FileContains(text='a', pattern='b')", "either a text or a pattern"),
        ("FileContains(text='')", "something to look for"),
        ("FileContains(pattern='(')", "no regular expression"),
        ("PortOpen(port=0)", "greater than or equal to 1"),
        ("PortOpen(port=65536)", "less than or equal to 65535"),
        ("PortOpen(port=80, host='http://x/')", "a name or an address alone"),
        ("PortOpen(port=80, host='x:80')", "a name or an address alone"),
        ("HttpResponds(url='ftp://x/')", "no address such as"),
        ("HttpResponds(url='localhost:80')", "no address such as"),
        ("HttpResponds(url='http://x:99999/')", "no address such as"),
        ("HttpResponds(url='http://x/ y')", "no address such as"),
        ("HttpResponds(url='http://x/', body='[')", "no regular expression"),
        ("HttpResponds(url='http://x/', status=99)", "greater than or equal to 200"),
        ("ContainerRunning(name='-rf')", "letters, digits"),
        ("CommandSucceeds(command=' ')", "it is empty"),
        ("FileExists", "write FileExists(…)"),
        ("'a.txt'", "str is neither"),
        ("None", "NoneType is neither"),
        ("lambda a, b: None", "needs more than one argument"),
        ("asleep", "is async"),
        ("yields", "yields"),
        ("Assertion()", "it says nothing"),
    ],
)
def test_bad_input_is_told_of_at_once(project: Project, wrong: str, complaint: str) -> None:
    project.write(f"""
        from clockwork.assertions import *
        from clockwork.resources import FileResource
        async def asleep(): pass
        def yields(): yield
        a = FileResource(name="a", content="", assertions=[{wrong}])
    """)
    with pytest.raises(LoadError) as error:
        clockwork.check(project.folder)
    assert complaint in str(error.value)
    assert "main.py, line 6" in str(error.value)


def test_a_path_is_needed_where_there_is_none_to_fall_back_on(project: Project) -> None:
    project.write("""
        from clockwork.assertions import FileExists
        from clockwork.resources import DockerServiceResource
        a = DockerServiceResource(name="aa", description="", image="nginx:1", assertions=[FileExists()])
    """)
    with pytest.raises(LoadError, match="FileExists needs a path here: DockerServiceResource is no file"):
        clockwork.check(project.folder)
    late = file()
    late.assertions.append("nonsense")  # type: ignore[arg-type]
    with pytest.raises(LoadError, match=r"'a\.txt' cannot be checked: .* str is neither"):
        clockwork.check([late])


def test_assertions_are_nobody_elses_business(served_project: Project, model_server: ModelServer) -> None:
    def write(assertions: str) -> None:
        served_project.write(f"""
            from clockwork.assertions import CommandSucceeds
            from clockwork.resources import FileResource
            a = FileResource(name="a.txt", description="a text", directory="out", assertions=[{assertions}])
        """)

    write("CommandSucceeds(command='echo hush-hush')")
    prompts = served_project.run("generate", "--show-prompts")
    assert prompts.returncode == 0, prompts.stderr
    assert "hush-hush" not in prompts.stdout
    assert served_project.run("generate").returncode == 0
    lock = (served_project.folder / "clockwork.lock").read_bytes()
    compiled = {path: path.read_bytes() for path in served_project.folder.glob(".clockwork/pyinfra/*.py")}
    assert compiled
    assert not any(b"hush-hush" in text for text in (lock, *compiled.values()))
    write("")
    assert served_project.run("generate", "--locked").returncode == 0
    assert (served_project.folder / "clockwork.lock").read_bytes() == lock
    assert {path: path.read_bytes() for path in compiled} == compiled


def test_resources_with_assertions_are_models_like_others() -> None:
    resource = file(FileExists(), PortOpen(port=80))
    for copy in (resource.model_copy(deep=True), pickle.loads(pickle.dumps(resource))):
        assert copy == resource
        assert copy.assertions == resource.assertions
    assert "assertions" not in resource.model_dump()
    assert "assertions" not in repr(resource)
    assert FileResource.model_validate(resource.model_dump()) == file()
    assert "assertions" not in FileResource.model_json_schema()["properties"]
    assert CallSucceeds.model_json_schema()["properties"]
    assert file().assertions is not file().assertions
    with pytest.raises(ValueError, match="frozen"):
        resource.assertions[0].mode = "777"  # type: ignore[union-attr]


def test_an_inventory_that_cannot_be_read() -> None:
    from clockwork.exceptions import CompileError
    from clockwork.pyinfra_compiler import PyInfraCompiler

    class Wrong(PyInfraCompiler):
        def _generate_inventory(self) -> str:
            return "1 / 0"

    core = clockwork.ClockworkCore(compiler=Wrong())
    with pytest.raises(CompileError, match="ZeroDivisionError"):
        core.check([file(FileExists())])
    assert core.check([file()]).notes, "where there is nothing to check, no host is asked for"


def test_two_checks_in_two_threads() -> None:
    with serving() as port:
        found: list[Any] = []
        threads = [
            threading.Thread(
                target=lambda: found.extend(check(HttpResponds(url=f"http://{{host}}:{port}/"), lambda: None))
            )
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert [result.ok for result in found] == [True] * 8


def test_nothing_leaks() -> None:
    process = psutil.Process()

    def all_kinds() -> None:
        check(FileExists(), CommandSucceeds(command="true"), PortOpen(port=1, retries=0), lambda: None)

    all_kinds()
    descriptors, threads = process.num_fds(), threading.active_count()
    for _ in range(20):
        all_kinds()
    assert process.num_fds() <= descriptors
    assert threading.active_count() == threads
    assert subprocess.run(["true"]).returncode == 0
