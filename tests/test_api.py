"""Clockwork as a library: in scripts, threads, event loops and notebooks."""

from __future__ import annotations

import asyncio
import json
import pickle
import threading
import typing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import clockwork
from clockwork import exceptions
from clockwork.artifact_generator import ArtifactGenerator
from clockwork.core import ClockworkCore
from clockwork.pyinfra_compiler import PyInfraCompiler
from clockwork.resources import FileResource
from clockwork.resources._image_digest import with_digest
from clockwork.results import HostError, OperationResult, ResourceResult, Result

if TYPE_CHECKING:
    from support.project import Project
    from support.sshd import Sshd

pytestmark = pytest.mark.usefixtures("in_a_folder")


def file(name: str = "a.txt", content: str = "x") -> FileResource:
    return FileResource(name=name, content=content, directory="out")


def test_from_a_thread_and_from_a_running_loop() -> None:
    results: list[Result] = []
    thread = threading.Thread(target=lambda: results.append(clockwork.apply([file("thread")])))
    thread.start()
    thread.join()

    async def inside() -> None:
        results.append(clockwork.apply([file("blocking")]))
        results.append(await asyncio.to_thread(clockwork.apply, [file("beside")]))

    asyncio.run(inside())
    assert [result.resources[0].action for result in results] == ["create"] * 3
    assert sorted(path.name for path in Path("out").iterdir()) == ["beside", "blocking", "thread"]


def test_two_deploys_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    results: dict[str, Result] = {}

    def deploy(name: str) -> None:
        folder = tmp_path / name
        folder.mkdir()
        main = "from clockwork.resources import FileResource\nfiles = [\n"
        main += "".join(
            f'FileResource(name="{i}", content="{name} {i}", directory="out"),\n' for i in range(30)
        )
        (folder / "main.py").write_text(main + "]\n")
        results[name] = clockwork.apply(folder)

    threads = [threading.Thread(target=deploy, args=(name,)) for name in ("one", "two", "three")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for name in ("one", "two", "three"):
        assert [resource.action for resource in results[name].resources] == ["create"] * 30
        assert {path.read_text() for path in (tmp_path / name / "out").iterdir()} == {
            f"{name} {i}" for i in range(30)
        }


def test_an_overridden_inventory_is_deployed_to(sshd: Sshd, tmp_path: Path) -> None:
    class Elsewhere(PyInfraCompiler):
        def _generate_inventory(self) -> str:
            return sshd.inventory("one", "two")

    core = ClockworkCore(compiler=Elsewhere())
    target = FileResource(name="a", content="x", path=str(tmp_path / "there"))
    assert [(r.host, r.action) for r in core.plan([target]).resources] == [
        ("one", "create"),
        ("two", "create"),
    ]
    # Both names are this machine, so the second host may find what the first one wrote.
    result = core.apply([target])
    assert {r.host for r in result.resources} == {"one", "two"}
    assert result.changed
    assert not core.apply([target]).changed
    assert core.destroy([target]).changed
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize("inventory", ["", "web = []", "web = 'web1'", "hosts = []\n"])
def test_an_inventory_without_hosts_is_no_success(inventory: str, tmp_path: Path) -> None:
    class Nowhere(PyInfraCompiler):
        def _generate_inventory(self) -> str:
            return inventory

    core = ClockworkCore(compiler=Nowhere(tmp_path / "out"))
    for run in (core.plan, core.apply, core.destroy):
        with pytest.raises(exceptions.CompileError, match="the inventory names no host"):
            run([FileResource(name="a", content="x", path=str(tmp_path / "there"))])
    assert not (tmp_path / "there").exists()


def test_a_host_that_is_away_is_told_beside_one_that_is_not(sshd: Sshd, tmp_path: Path) -> None:
    class HalfAway(PyInfraCompiler):
        def _generate_inventory(self) -> str:
            return (
                sshd.inventory("here") + '\naway = [("gone", {"ssh_hostname": "127.0.0.1", "ssh_port": 1})]\n'
            )

    core = ClockworkCore(compiler=HalfAway())
    with pytest.raises(exceptions.DeployError, match="gone") as caught:
        core.apply([FileResource(name="a", content="x", path=str(tmp_path / "there"))])
    result = caught.value.result
    assert result is not None
    assert [error.host for error in result.host_errors] == ["gone"]
    assert {r.host: r.action for r in result.resources}["here"] == "create"
    assert (tmp_path / "there").exists()


def test_an_inventory_that_does_not_parse() -> None:
    class Broken(PyInfraCompiler):
        def _generate_inventory(self) -> str:
            return "hosts = ["

    with pytest.raises(exceptions.CompileError, match=r"inventory"):
        ClockworkCore(compiler=Broken()).apply([file()])


def test_settings_that_cannot_be_used() -> None:
    for settings in ({"concurrency": 0}, {"base_url": "nonsense"}, {"model": "local:/no/such.gguf"}):
        with pytest.raises(exceptions.ClockworkError):
            clockwork.generate([FileResource(name="a", description="d")], **settings)


def test_errors_pickle_with_their_results() -> None:
    resource = ResourceResult(
        "K", "n", "@local", "create", True, None, 0.1, None, (OperationResult("op", "create"),)
    )
    result = Result("apply", resources=(resource,), host_errors=(HostError("h", "away"),))
    for error in (exceptions.DeployError("no", result), exceptions.ProjectNotFoundError("no")):
        twin = pickle.loads(pickle.dumps(error))
        assert (type(twin), str(twin), twin.result) == (type(error), "no", error.result)
    assert Result.from_dict(result.to_dict()) == result
    assert json.loads(json.dumps(result.to_dict())) == result.to_dict(), "plain lists and dictionaries"


@pytest.mark.parametrize("name", exceptions.__all__)
def test_every_error_is_one_tree(name: str) -> None:
    error = getattr(exceptions, name)
    assert issubclass(error, clockwork.ClockworkError)
    assert str(error("what to do")) == "what to do"


def test_a_result_shows_itself_as_a_table() -> None:
    resource = ResourceResult("K", "<b>", "@local", "change", True, None, 0.1, "-a\n+<script>", ())
    failed = ResourceResult("K", "c", "@local", "skipped", False, "no & never", 0.1, None, ())
    html = Result("apply", resources=(resource, failed), host_errors=(HostError("h", "away"),))._repr_html_()
    assert "&lt;b&gt;" in html
    assert "&lt;script&gt;" in html
    assert "no &amp; never" in html
    assert html.count("<tr>") == 4


def test_the_namespace_is_small_and_lazy() -> None:
    assert dir(clockwork) == sorted(clockwork.__all__)
    assert clockwork.ClockworkCore is ClockworkCore
    with pytest.raises(AttributeError, match="aply"):
        _ = clockwork.aply


def test_a_setting_that_cannot_be_used_is_named() -> None:
    with pytest.raises(exceptions.SettingsError, match="the setting concurrency cannot be used"):
        clockwork.generate([file()], concurrency="four")
    with pytest.raises(exceptions.SettingsError, match="the setting max_cost"):
        next(clockwork.watch([file()], max_cost=[1]))


def test_annotations_can_be_read() -> None:
    functions: list[Any] = [
        clockwork.graph,
        clockwork.watch,
        PyInfraCompiler.compile,
        ArtifactGenerator.generate,
    ]
    functions += [getattr(ClockworkCore, name) for name in vars(ClockworkCore) if not name.startswith("_")]
    functions += [getattr(clockwork.core, name) for name in clockwork.core.__all__]
    for function in functions:
        assert "return" in typing.get_type_hints(function) or isinstance(function, type)


QUIET = """
import io, sys
class Sink:
    def write(self, text):
        return sys.__stderr__.write(text)
    def flush(self):
        pass
sys.stdout = {stream}
import clockwork
from clockwork.resources import FileResource
(resource,) = clockwork.apply([FileResource(name="a.txt", content="x", directory="out")]).resources
print("before the end")
assert resource.action == "create"
"""


@pytest.mark.parametrize(
    "stream", ["None", "Sink()", "open('closed', 'w'); sys.stdout.close(); sys.stdout = None"]
)
def test_a_program_without_a_standard_output_deploys(project: Project, stream: str) -> None:
    done = project.python(QUIET.format(stream=stream))
    assert done.returncode == 0, done.stderr
    assert done.stderr == ("before the end\n" if stream == "Sink()" else "")


def test_a_pyinfra_that_is_broken_is_not_the_inventorys_fault(project: Project) -> None:
    project.write("raise ImportError('no such connector')\n", "pyinfra/__init__.py")
    done = project.python(QUIET.format(stream="sys.stderr"))
    assert "ClockworkError: pyinfra, which deploys, cannot be imported" in done.stderr
    assert "ImportError: no such connector" in done.stderr
    assert "inventory" not in done.stderr.rpartition("ClockworkError")[2]


@pytest.mark.parametrize(
    ("what", "works"), [("", False), ("thread=False, subprocess=False, select=False", True)]
)
def test_threads_that_are_none_are_refused(project: Project, what: str, works: bool) -> None:
    patch = f"import gevent.monkey\ngevent.monkey.patch_all({what})\n"
    done = project.python(patch + QUIET.format(stream="sys.stderr"), timeout=60)
    assert (done.returncode == 0) == works, done.stderr
    assert works or "run it in a process of its own" in done.stderr


def test_a_check_of_nothing_says_so_in_a_notebook() -> None:
    html = clockwork.check([file()])._repr_html_()
    assert "no resource has an assertion" in html
    assert "<table>" not in html


def test_an_image_has_the_digest_of_its_own_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    digests = [f"{name}@sha256:{number:064}" for number, name in enumerate(REPOSITORIES)]

    class Engine(BaseHTTPRequestHandler):
        """An engine with an image that came from several repositories."""

        def do_GET(self) -> None:
            body = json.dumps({"RepoDigests": digests}).encode()
            self.send_response(404 if self.path.startswith("/distribution/") else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Engine) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_port}")
        for number, image in enumerate(
            ["nginx:1", "me/app", "localhost:5000/app:1", "docker.io/library/redis:7"]
        ):
            assert with_digest(image) == f"{image}@sha256:{number:064}"
        assert with_digest("other:1") == "other:1"
        server.shutdown()


REPOSITORIES = ["nginx", "docker.io/me/app", "localhost:5000/app", "redis"]


def test_what_a_callback_raises_comes_through_as_it_is() -> None:
    def refuse(plan: Result) -> bool:
        raise LookupError("not like this")

    with pytest.raises(LookupError, match="not like this"):
        clockwork.apply([file()], approve=refuse)
    assert not Path("out/a.txt").exists()
