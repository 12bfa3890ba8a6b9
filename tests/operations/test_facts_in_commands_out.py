"""Without any host: what a fact says goes in, what an operation would do comes out."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from pyinfra.api import OperationError, OperationValueError
from pyinfra.context import ctx_host

from clockwork.operations import Context, Intent, files, session
from clockwork.operations._commands import MakeDirectory, Refusal, Remove, SetAttributes, WriteFile
from clockwork.operations.facts.files import FileBytes, FileStatus

if TYPE_CHECKING:
    from clockwork.operations.facts.files import FileStatusDict

HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
ABSENT: dict[str, Any] = {
    **dict.fromkeys(("mode", "owner", "group", "uid", "gid", "size", "sha256", "target", "problem")),
    "path": "/a/file",
    "type": "absent",
    "parent": "directory",
    "shared": False,
    "me": 0,
    "user": "root",
    "base64": True,
}
THERE = {
    **ABSENT,
    "type": "file",
    "mode": "644",
    "owner": "root",
    "group": "root",
    "uid": 0,
    "gid": 0,
    "size": 5,
    "sha256": HELLO,
}
THEIRS = {**THERE, "owner": "eve", "uid": 1000, "mode": "666", "shared": True}


class FakeHost:
    """Answers with one status."""

    def __init__(self, status: dict[str, Any], is_executing: bool = False) -> None:
        self.status = status
        self.state = SimpleNamespace(is_executing=is_executing, config=SimpleNamespace(DIFF=False), cwd=None)
        self.connector_data: dict[str, Any] = {}
        self.connector = None
        self.asked: list[Any] = []

    def get_fact(self, fact: Any, **_: Any) -> Any:
        self.asked.append(fact)
        return self.status if fact is FileStatus else b"hello"

    def noop(self, _: str) -> None:
        pass


def commands(host: FakeHost, function: Any, *args: Any, **arguments: Any) -> list[Any]:
    with ctx_host.use(host):
        return list(function._inner(*args, **arguments))


def put(content: str, **arguments: Any) -> tuple[Any, dict[str, Any]]:
    return files.put, {"src": StringIO(content), "dest": "/a/file", **arguments}


def write(**arguments: Any) -> str:
    return repr(WriteFile("/a/file", b"", **arguments))


CASES: dict[str, tuple[dict[str, Any], tuple[Any, dict[str, Any]], list[str]]] = {
    "a new file": (
        ABSENT,
        put("hello", mode=600, user="www", create_remote_dir=False),
        [
            "Intent('create', ['content', 'mode', 'owner'])",
            write(mode="600", user="www", make=False),
        ],
    ),
    "an unchanged file": (THERE, put("hello", mode="0644", user="root", group="0"), []),
    "another content": (
        THERE,
        put("hello!"),
        ["Intent('change', ['content'])", write(mode="644", kept_group=0)],
    ),
    "another mode": (
        THERE,
        put("hello", mode="600", user="root"),
        ["Intent('change', ['mode'])", repr(SetAttributes("/a/file", "file", 0, "600"))],
    ),
    "another owner keeps the mode": (
        {**THERE, "mode": "4755"},
        put("hello", user="www"),
        ["Intent('change', ['owner'])", repr(SetAttributes("/a/file", "file", 0, "4755", "www"))],
    ),
    "a file of another user in a common folder": (
        THEIRS,
        put("hello!"),
        ["Intent('change', ['content', 'owner'])", write()],
    ),
    "a file of another user elsewhere": (
        {**THEIRS, "shared": False},
        put("hello!"),
        ["Intent('change', ['content'])", write(mode="666", user="1000", kept_group=0)],
    ),
    "an unreadable file": (
        {**THERE, "sha256": None},
        put("hello"),
        ["Intent('change', ['content'])", write(mode="644", kept_group=0)],
    ),
    "an empty file": (
        ABSENT,
        (files.file, {"path": "/a/file"}),
        ["Intent('create', ['content'])", write()],
    ),
    "a file that is gone": (ABSENT, (files.file, {"path": "/a/file", "present": False}), []),
    "a file to remove": (
        THERE,
        (files.file, {"path": "/a/file", "present": False}),
        ["Intent('remove', ['type'])", repr(Remove("/a/file", "file"))],
    ),
    "a new folder": (
        ABSENT,
        (files.directory, {"path": Path("/a/file"), "mode": "0750"}),
        ["Intent('create', ['mode'])", repr(MakeDirectory("/a/file", "750"))],
    ),
    "a folder to remove": (
        {**THERE, "type": "directory", "sha256": None},
        (files.directory, {"path": "/a/file/", "present": False}),
        ["Intent('remove', ['type'])", repr(Remove("/a/file", "directory"))],
    ),
}


@pytest.mark.parametrize(("status", "call", "expected"), CASES.values(), ids=CASES.keys())
def test_commands(status: FileStatusDict, call: tuple[Any, dict[str, Any]], expected: list[str]) -> None:
    host = FakeHost(dict(status))
    assert [repr(command) for command in commands(host, call[0], **call[1])] == expected
    assert host.asked == [FileStatus], "one question, and no diff that nobody wants"


@pytest.mark.parametrize(
    "arguments",
    [
        {"dest": "/a/"},
        {"dest": ""},
        {"dest": "a\0b"},
        {"dest": "/a/.."},
        {"dest": "/a", "mode": "8"},
        {"dest": "/a", "mode": "rwx"},
        {"dest": "/a", "mode": "00644"},
        {"dest": "/a", "mode": False},
    ],
)
def test_arguments_that_make_no_sense(arguments: dict[str, Any]) -> None:
    with pytest.raises(OperationValueError):
        commands(FakeHost(ABSENT), files.put, StringIO(""), **arguments)


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OperationError, match=r"missing cannot be read: No such file or directory"):
        commands(FakeHost(ABSENT), files.put, str(tmp_path / "missing"), "/a")
    (tmp_path / "there").write_text("hello")
    (tmp_path / "there").chmod(0o751)
    _, command = commands(FakeHost(ABSENT), files.put, tmp_path / "there", "/a", mode=True)
    assert (command.data, command.mode) == (b"hello", "751")


def test_a_refusal_is_an_error_in_a_plan_and_a_failed_command_later() -> None:
    status = {**ABSENT, "problem": "no way"}
    with pytest.raises(OperationError, match="no way"):
        commands(FakeHost(status), files.put, StringIO(""), "/a/file")
    assert commands(FakeHost(status, is_executing=True), files.put, StringIO(""), "/a/file") == [
        Refusal("no way")
    ]


@pytest.mark.parametrize("wanted", [True, False])
def test_a_diff_is_asked_for_only_where_it_is_wanted(wanted: bool) -> None:
    host, told = FakeHost(THERE), list[Intent]()
    with session(Context(wants_diff=wanted), told.append):
        commands(host, files.put, StringIO("hello\nyou\n"), "/a/file")
    assert host.asked == ([FileStatus, FileBytes] if wanted else [FileStatus])
    diff = "--- /a/file\n+++ /a/file\n@@ -1 +1,2 @@\n-hello\n\\ No newline at end of file\n+hello\n+you\n"
    assert told[0].diff == (diff if wanted else None)


def test_places_that_do_not_overlap() -> None:
    for old, new in (("/a", "/b"), ("/a", "/ab"), ("/a", "/a"), ("a", "a/b")):
        with pytest.raises(OperationValueError):
            commands(FakeHost(ABSENT), files.set_aside, old, new)
