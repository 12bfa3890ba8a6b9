"""Checks on several hosts: one real sshd on loopback that serves as all of them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from clockwork.assertions import CheckHost, CommandSucceeds, FileExists, HttpResponds, PortOpen
from clockwork.exceptions import CheckError, DeployError
from clockwork.resources import FileResource
from support.processes import gone
from support.sshd import core, free_port
from support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from clockwork.results import Result
    from support.project import Project
    from support.sshd import Sshd

pytestmark = pytest.mark.usefixtures("in_a_folder")


def file(*assertions: Any) -> FileResource:
    return FileResource(name="a.txt", content="x", directory="out", assertions=list(assertions))


def check(inventory: str, *assertions: Any) -> Result:
    try:
        return core(inventory).check([file(*assertions)])
    except CheckError as error:
        assert error.result is not None
        return error.result


def test_everything_on_two_hosts(sshd: Sshd, tmp_path: Path) -> None:
    seen: list[tuple[str, str, bool]] = []

    def look(host: CheckHost) -> None:
        seen.append((host.name, host.address, host.run('test -n "$SSH_CONNECTION"').ok))

    (tmp_path / "it's here").touch()
    assertions = [FileExists(), FileExists(path="it's here"), PortOpen(port=sshd.port), look]
    result = core(sshd.inventory("one", "two")).apply([file(*assertions)])
    assert [(each.host, each.ok) for each in result.checks] == [("one", True), ("two", True)] * 4
    assert sorted(seen) == [("one", "127.0.0.1", True), ("two", "127.0.0.1", True)]
    result = check(sshd.inventory("one"), CommandSucceeds(command="echo $0 >&2; exit 7"))
    assert result.checks[0].error == "exit status 7: sh"


def test_hosts_are_checked_at_once(sshd: Sshd) -> None:
    meet = threading.Barrier(3)
    result = check(sshd.inventory("one", "two", "three"), lambda: meet.wait(8))
    assert [each.ok for each in result.checks] == [True] * 3


def test_a_host_that_is_away(sshd: Sshd) -> None:
    inventory = f"hosts = [{sshd.host('away', ssh_port=free_port())}, {sshd.host('good')}]\n"
    with pytest.raises(CheckError, match=r"not everything could be checked: away: .* refused") as error:
        core(inventory).check([file(CommandSucceeds(command="true"))])
    result = error.value.result
    assert result is not None
    assert [(each.host, each.ok) for each in result.checks] == [("good", True)]
    assert [each.host for each in result.host_errors] == ["away"]
    with pytest.raises(DeployError) as failed:
        core(inventory).apply([file(FileExists())])
    assert failed.value.result is not None
    assert [each.host for each in failed.value.result.checks] == ["good"]
    assert [each.host for each in failed.value.result.host_errors] == ["away"], "it is told once"


def test_the_name_in_the_ssh_configuration_is_the_address(sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Host nick\n  HostName 127.0.0.1\n")
    host = sshd.host("nick", ssh_hostname="nick", ssh_config_file=str(tmp_path / "config"))
    result = check(
        f"hosts = [{host}]\n", HttpResponds(url="http://{host}:1/", retries=0), PortOpen(port=sshd.port)
    )
    assert result.host_errors == ()
    assert result.checks[0].error == "nothing listens there (connection refused)"
    assert result.checks[1].ok


def test_a_time_out_leaves_no_process_on_the_host(sshd: Sshd, tmp_path: Path) -> None:
    slow = CommandSucceeds(command=f"echo $$ > {tmp_path}/pid; sleep 660", timeout=1)
    result = check(sshd.inventory("one"), slow, CommandSucceeds(command="true"))
    assert result.checks[0].error == "it had not ended after 1 s, and was stopped"
    assert result.checks[1].ok, "the connection goes on"
    assert gone(int((tmp_path / "pid").read_text()))


def test_an_interrupt_leaves_no_process_on_the_host(sshd: Sshd, project: Project, tmp_path: Path) -> None:
    project.write(f"""
        import _thread, os, threading, time
        import clockwork
        from clockwork.assertions import CommandSucceeds
        from clockwork.pyinfra_compiler import PyInfraCompiler
        from clockwork.resources import FileResource
        class Hosts(PyInfraCompiler):
            def _generate_inventory(self):
                return {sshd.inventory("one")!r}
        def interrupt():
            while not os.path.exists("pid"):
                time.sleep(0.05)
            time.sleep(0.5)
            _thread.interrupt_main()
        threading.Thread(target=interrupt).start()
        command = "echo $$ > {tmp_path}/pid; sleep 660"
        a = FileResource(name="a", content="", assertions=[CommandSucceeds(command=command, timeout=600)])
        try:
            clockwork.ClockworkCore(compiler=Hosts()).check([a])
        except KeyboardInterrupt:
            print("interrupted")
    """)
    done = project.python(f"exec(open({str(project.folder / 'main.py')!r}).read())")
    assert done.stdout == "interrupted\n", done.stderr
    assert gone(int((tmp_path / "pid").read_text()))


def test_quick_commands_leave_no_watch_behind(sshd: Sshd) -> None:
    result = check(sshd.inventory("one"), *[CommandSucceeds(command="true", timeout=60)] * 3)
    assert all(each.ok for each in result.checks)
    wait_until(lambda: not [each for each in psutil.process_iter() if came_through(sshd, each)])


def came_through(sshd: Sshd, process: psutil.Process) -> bool:
    """Tells if a process that was started through this server is still running."""
    try:
        connection = process.environ().get("SSH_CONNECTION", "")
        return connection.endswith(f" {sshd.port}") and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
