"""A run opens one session, which connects to each host once, whatever is done there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clockwork.exceptions import DeployError
from support.sshd import core, free_port

if TYPE_CHECKING:
    from pathlib import Path

    from support.project import Project
    from support.sshd import Sshd

pytestmark = pytest.mark.usefixtures("in_a_folder")

MAIN = """
    from clockwork.assertions import FileExists
    from clockwork.resources import FileResource
    a = FileResource(name="a.txt", content="x", directory={directory!r}, assertions=[FileExists()])
"""


def test_each_command_connects_once(sshd: Sshd, project: Project, tmp_path: Path) -> None:
    clockwork = core(sshd.inventory("one"))
    counts: list[int] = []

    def run(verb: str) -> None:
        before = sshd.connections()
        getattr(clockwork, verb)(project.folder / "main.py")
        counts.append(sshd.connections() - before)

    first, second = tmp_path / "first", tmp_path / "second"
    project.write(MAIN.format(directory=str(first)))
    run("apply")
    assert (first / "a.txt").exists()
    # The apply removes the file at the old place, makes it at the new one, and checks it there.
    project.write(MAIN.format(directory=str(second)))
    run("plan")
    run("apply")
    assert (second / "a.txt").exists()
    assert not (first / "a.txt").exists()
    run("check")
    run("destroy")
    assert not (second / "a.txt").exists()
    assert counts == [1, 1, 1, 1, 1]


def test_a_connection_that_breaks_is_opened_again(sshd: Sshd, project: Project, tmp_path: Path) -> None:
    project.write(f"""
        from clockwork.assertions import CommandSucceeds
        from clockwork.resources import Resource
        class Cut(Resource):
            def to_pyinfra_operations(self, artifacts):
                command = "touch {tmp_path}/cut; kill $PPID; sleep 20"
                return f"from pyinfra.operations import server\\nserver.shell([{{command!r}}], _ignore_errors=True)"
        cut = Cut(name="cut", assertions=[CommandSucceeds(command="true")])
    """)
    before = sshd.connections()
    result = core(sshd.inventory("one")).apply(project.folder / "main.py")
    assert (tmp_path / "cut").exists()
    assert [each.ok for each in result.checks] == [True]
    assert sshd.connections() - before == 2


def test_a_host_that_is_away_is_tried_once(
    sshd: Sshd, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run looks at removals, looks at the deploy and does both; the host is away for all of it."""
    project.write(MAIN.format(directory=str(tmp_path / "first")))
    core(sshd.inventory("one")).apply(project.folder / "main.py")
    project.write(MAIN.format(directory=str(tmp_path / "second")))
    away = f"hosts = [{sshd.host('one')}, {sshd.host('two', ssh_port=free_port())}]\n"
    tried: list[str] = []
    from pyinfra.connectors.ssh import SSHConnector

    connect = SSHConnector.connect

    def count(self: SSHConnector) -> None:
        tried.append(self.host.name)
        connect(self)

    monkeypatch.setattr(SSHConnector, "connect", count)
    events: list[dict[str, object]] = []
    with pytest.raises(DeployError) as error:
        core(away).apply(project.folder / "main.py", progress=events.append)
    assert error.value.result is not None
    assert [each.host for each in error.value.result.host_errors] == ["two"]
    assert sorted(tried) == ["one", "two"]
    assert [event["host"] for event in events if event["event"] == "host_error"] == ["two"]
