"""Faults of pyinfra's own operations, each of which ours has not. If pyinfra mends one, its test here fails."""

from __future__ import annotations

import os
import stat
import subprocess
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyinfra.operations.files
import pytest
from pyinfra.api import OperationError

import clockwork.operations.files
from support.pyinfra_host import PyinfraHost

if TYPE_CHECKING:
    from collections.abc import Iterator

WHOSE = [
    pytest.param(clockwork.operations.files, id="ours"),
    pytest.param(
        pyinfra.operations.files,
        id="theirs",
        marks=pytest.mark.xfail(reason="a fault of pyinfra's operation"),
    ),
]
pytestmark = [
    pytest.mark.parametrize("files", WHOSE),
    # pyinfra leaks a descriptor with each file.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def host() -> PyinfraHost:
    return PyinfraHost("@local")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_leaves_the_old_file(files: Any, host: PyinfraHost, small_disk: Path) -> None:
    path = small_disk / "file"
    path.write_text("old")
    done = host.run(files.put, StringIO("x" * 100_000), str(path))
    assert done.failed
    assert path.read_text() == "old"
    assert list(small_disk.iterdir()) == [path]
    assert f"{path} cannot be written: No space left on device" in done.said


def test_nothing_is_written_through_a_link(files: Any, host: PyinfraHost, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("theirs")
    (tmp_path / "link").symlink_to("victim")
    with pytest.raises(OperationError):
        host.run(files.put, StringIO("ours"), str(tmp_path / "link"))
    assert (tmp_path / "victim").read_text() == "theirs"


def test_mode_000(files: Any, host: PyinfraHost, tmp_path: Path) -> None:
    host.run(files.put, StringIO("x"), str(tmp_path / "file"), mode="000")
    (tmp_path / "file").chmod(0o644)
    assert host.run(files.put, StringIO("x"), str(tmp_path / "file"), mode="000").changed
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0


def test_setuid_bits_survive_a_new_owner(files: Any, host: PyinfraHost, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "file").chmod(0o4755)
    assert host.run(files.put, StringIO("x"), str(tmp_path / "file"), mode="4755", user="nobody").changed
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o4755


@pytest.mark.parametrize("name", ["new\nline", "back\\slash"])
def test_odd_names_are_unchanged(files: Any, host: PyinfraHost, tmp_path: Path, name: str) -> None:
    host.run(files.put, StringIO("x"), str(tmp_path / name))
    assert not host.run(files.put, StringIO("x"), str(tmp_path / name)).changed


def test_a_relative_name_with_a_dash(
    files: Any, host: PyinfraHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    host.run(files.put, StringIO("x"), "-n")
    assert [path.name for path in tmp_path.iterdir()] == ["-n"]


def test_a_tilde(files: Any, host: PyinfraHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    host.run(files.put, StringIO("x"), "~/file")
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208
    assert not host.run(files.put, StringIO("x"), "~/file").changed


def test_a_folder_that_is_not_empty_stays(files: Any, host: PyinfraHost, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/precious").write_text("x")
    done = host.run(files.directory, str(tmp_path / "folder"), present=False)
    assert (tmp_path / "folder/precious").exists()
    assert done.failed


def test_a_file_is_never_seen_with_another_mode(
    files: Any, host: PyinfraHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands run one by one, and between them the file is looked at."""
    path = tmp_path / "file"
    seen = set()
    before = os.umask(0)
    try:
        (tmp_path / "file").write_text("public")
        for command in host.commands(files.put, StringIO("secret"), str(path), mode="600"):
            command.execute(host.state, host.host, {})
            if path.read_text() == "secret":
                seen.add(stat.S_IMODE(path.stat().st_mode))
    finally:
        os.umask(before)
    assert seen == {0o600}
