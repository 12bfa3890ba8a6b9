"""Another user in the same folder, a kill in the middle, a user without rights, and who can see a content."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyinfra.connectors.local
import pytest

from clockwork.operations import _native, files
from support.pyinfra_host import PyinfraHost

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534
# The interpreter may be where only root can start it.
DROP = f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n"
WAYS = {"native": {}, "shell": {"_chdir": "/"}}


@pytest.fixture(scope="module", params=WAYS)
def host(request: pytest.FixtureRequest) -> PyinfraHost:
    return PyinfraHost("@local", **WAYS[request.param])


@pytest.fixture
def common() -> Iterator[Path]:
    """A folder like /tmp, to which everybody has a way."""
    folder = Path(tempfile.mkdtemp(prefix="clockwork-common-"))
    folder.chmod(0o1777)
    yield folder
    shutil.rmtree(folder)


@contextlib.contextmanager
def attacker(code: str, *arguments: object) -> Iterator[None]:
    """Runs some lines over and over again as another user."""
    body = "".join(f"        {line}\n" for line in code.strip().splitlines())
    text = f"import os, sys\n{DROP}a = sys.argv[1:]\nwhile True:\n    try:\n{body}    except OSError: pass\n"
    process = subprocess.Popen([sys.executable, "-S", "-c", text, *map(str, arguments)])
    try:
        time.sleep(0.2)
        yield
    finally:
        process.kill()
        process.wait()


def times(host: PyinfraHost) -> int:
    return 100 if "_chdir" not in host.host.host_data else 10


def test_a_file_that_is_swapped_for_a_link(host: PyinfraHost, common: Path, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("untouched")
    path = common / "file"
    swap = "os.symlink(a[1], a[0]); os.unlink(a[0]); open(a[0], 'w').close(); os.unlink(a[0])"
    with attacker(swap, path, tmp_path / "victim"):
        for number in range(times(host)):
            host.execute(files.put, StringIO(f"secret {number}"), str(path), mode="600")
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
    assert (tmp_path / "victim").read_text() == "untouched"
    assert (tmp_path / "victim").stat().st_uid == 0


def test_a_folder_that_is_swapped_for_a_link(host: PyinfraHost, common: Path, tmp_path: Path) -> None:
    """Whose folder it is may read what is put there, but not lead it to another place."""
    tmp_path.chmod(0o755)
    (tmp_path / "file").write_text("untouched")
    before = (tmp_path / "file").stat()
    folder = common / "theirs"
    folder.mkdir()
    os.chown(folder, NOBODY, NOBODY)
    swap = "os.rename(a[0], a[0] + '2'); os.symlink(a[1], a[0]); os.unlink(a[0]); os.rename(a[0] + '2', a[0])"
    with attacker(swap, folder, tmp_path):
        for number in range(times(host)):
            # If a missing folder was made, it would be root's, and the attack at an end.
            files_only: dict[str, Any] = {"create_remote_dir": False, "user": "nobody"}
            host.execute(files.put, StringIO(f"{number}"), str(folder / "file"), mode="666", **files_only)
            host.execute(files.file, str(folder / "file"), mode=str(600 + number % 2), **files_only)
            host.execute(files.file, str(folder / "file"), present=False)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    after = (tmp_path / "file").stat()
    assert (after.st_ino, after.st_mode, after.st_uid) == (before.st_ino, before.st_mode, before.st_uid)


WITHOUT_RIGHTS = f"""
import json, os, sys
sys.path.insert(0, sys.argv[1])
from io import StringIO
from support.pyinfra_host import PyinfraHost
from clockwork.operations import files
host = PyinfraHost("@local", **json.loads(sys.argv[2]))
folder = sys.argv[3]
# All is imported by then.
host.execute(files.put, StringIO("x"), sys.argv[4])
host.execute(files.file, sys.argv[4], present=False)
os.chdir("/")
{DROP}
told = dict()
for name, function, arguments in (
    ("theirs in my folder", files.put, {{"dest": "mine/root"}}),
    ("theirs in a common folder", files.put, {{"dest": "root"}}),
    ("their folder", files.put, {{"dest": "closed/file"}}),
    ("their list", files.put, {{"dest": "readonly/file"}}),
    ("removed", files.file, {{"path": "root", "present": False}}),
    ("chown", files.put, {{"dest": "mine/new", "user": "root"}}),
    ("unknown", files.put, {{"dest": "mine/new", "user": "no such user"}}),
    ("mode", files.file, {{"path": "root", "mode": "666"}}),
    ("folder", files.directory, {{"path": "readonly/a/b"}}),
):
    if "present" not in arguments and function is files.put:
        arguments["src"] = StringIO("new")
    key = "dest" if "dest" in arguments else "path"
    arguments[key] = folder + "/" + arguments[key]
    done = host.execute(function, **arguments)
    told[name] = [done.failed or "Error" in done.said, done.said, [i.changes for i in done.intents]]
print(json.dumps(told))
"""


@pytest.mark.parametrize("way", WAYS)
def test_a_user_without_rights(way: str, common: Path, tmp_path: Path) -> None:
    for name, owner, mode in (("mine", NOBODY, 0o755), ("closed", 0, 0o700), ("readonly", 0, 0o755)):
        (common / name).mkdir(mode=mode)
        os.chown(common / name, owner, owner)
    for name in ("mine/root", "root"):
        (common / name).write_text("old")
    tests = Path(__file__).parent.parent
    arguments = [tests, json.dumps(WAYS[way]), common, tmp_path / "first"]
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_RIGHTS, *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, tuple[bool, str, Any]] = json.loads(done.stdout)
    failed, said, intents = told.pop("theirs in my folder")
    assert not failed, said
    assert intents[-1][-1] == ["owner", "root", "nobody"]
    assert (common / "mine/root").read_text() == "new"
    expected = {
        "theirs in a common folder": "root cannot be written: Operation not permitted",
        "their folder": "closed cannot be entered: Permission denied",
        "their list": "readonly/file cannot be written: Permission denied",
        "removed": "root cannot be removed: Operation not permitted",
        "chown": "mine/new cannot be written: Operation not permitted",
        "unknown": "no such user",
        "mode": "root cannot get another mode or owner: ",
        "folder": "readonly/a/b cannot be made: Permission denied",
    }
    assert all(failed for failed, _, _ in told.values()), told
    assert {name: message for name, message in expected.items() if message not in told[name][1]} == {}, told
    assert (common / "root").read_text() == "old"
    assert sorted(path.name for path in common.rglob("*")) == ["closed", "mine", "readonly", "root", "root"]


@pytest.mark.parametrize("way", WAYS)
def test_a_kill_in_the_middle(way: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    # It is stopped where the new file is whole, and about to take its place.
    mv = tmp_path / "bin/mv"
    mv.parent.mkdir()
    mv.write_text("#!/bin/sh\necho stopped\nkill -STOP $PPID\nsleep 60\n")
    mv.chmod(0o755)
    code = (
        "import os, sys, time\n"
        "from clockwork.operations import _native, _shell\n"
        "os.replace = lambda *_, **__: (print('stopped', flush=True), time.sleep(60))\n"
        "if sys.argv[1] == 'native':\n"
        "    _native.write(sys.argv[2], b'new', '600', None, None, None, True, None)\n"
        "script = _shell.write(sys.argv[2], 3, '600', None, None, None, True, None, True)\n"
        "os.execvp('sh', ['sh', '-c', script.replace('e=$(mv', '(mv')])\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, way, path],
        env={**os.environ, "PATH": f"{mv.parent}:{os.environ['PATH']}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(base64.encodebytes(b"new"))
    process.stdin.close()
    if way == "native":
        process.stdout.readline()
    else:
        while not any(each.is_dir() and list(each.iterdir()) for each in tmp_path.glob(".clockwork-*")):
            time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert path.read_text() == "old"
    (left,) = tmp_path.glob(".clockwork-*")

    host = PyinfraHost("@local", **WAYS[way])
    _native._swept.clear()
    assert host.run(files.put, StringIO("new"), str(path)).changed
    assert left.exists(), "it may be another run's, which is at it"
    hours_ago = time.time() - 2 * _native.STALE
    os.utime(left, (hours_ago, hours_ago))
    _native._swept.clear()
    assert host.run(files.put, StringIO("newer"), str(path)).changed
    assert sorted(each.name for each in tmp_path.iterdir()) == ["bin", "file"]


def test_no_process_here_and_no_content_in_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "a secret that nobody may see"
    started: list[str] = []
    start = pyinfra.connectors.local.run_local_process

    def run(command: str, **arguments: Any) -> Any:
        started.append(command)
        return start(command, **arguments)

    monkeypatch.setattr(pyinfra.connectors.local, "run_local_process", run)
    here, shell = PyinfraHost("@local"), PyinfraHost("@local", _chdir="/")
    for host in (here, shell):
        path = str(tmp_path / f"{host is here}/file")
        host.run(files.put, StringIO(secret), path, mode="600")
        host.run(files.put, StringIO(secret), path, mode="640")
        host.run(files.file, path, present=False)
        host.run(files.directory, str(Path(path).parent), present=False)
        if host is here:
            assert started == []
    assert started
    said = "\n".join(started)
    for hidden in (secret, base64.b64encode(secret.encode()).decode()[:20], "secret"):
        assert hidden not in said
