"""A run opens one session, which connects to each host once, whatever is done there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.sshd import core

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


def test_each_command_connects_once_to_each_host(sshd: Sshd, project: Project, tmp_path: Path) -> None:
    clockwork = core(sshd.inventory("one", "two"))
    counts: list[int] = []

    def run(verb: str) -> None:
        before = sshd.connections()
        getattr(clockwork, verb)(project.folder / "main.py")
        counts.append(sshd.connections() - before)

    first, second = tmp_path / "first", tmp_path / "second"
    project.write(MAIN.format(directory=str(first)))
    run("apply")
    assert (first / "a.txt").exists()
    # What is at the old place is taken away, and what is at the new one is checked afterwards.
    project.write(MAIN.format(directory=str(second)))
    run("plan")
    run("apply")
    assert (second / "a.txt").exists()
    assert not (first / "a.txt").exists()
    run("check")
    run("destroy")
    assert not (second / "a.txt").exists()
    assert counts == [2, 2, 2, 2, 2]
