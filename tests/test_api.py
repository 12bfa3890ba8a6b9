"""Clockwork as a library: in scripts, threads, event loops and notebooks."""

from __future__ import annotations

import asyncio
import json
import pickle
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import clockwork
from clockwork import exceptions
from clockwork.core import ClockworkCore
from clockwork.pyinfra_compiler import PyInfraCompiler
from clockwork.resources import FileResource
from clockwork.results import HostError, OperationResult, ResourceResult, Result

if TYPE_CHECKING:
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
