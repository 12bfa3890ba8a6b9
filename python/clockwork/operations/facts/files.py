"""Facts about files: all that an operation needs to know of a path, in one round trip."""

from __future__ import annotations

import base64
import os
import re
import stat
from typing import Literal, TypedDict

from pyinfra.api import FactBase

from clockwork.operations import _native, _shell

__all__ = ["FileBytes", "FileStatus", "FileStatusDict", "look_locally", "read_locally"]


class FileStatusDict(TypedDict):
    """The status of a path. Values that are unknown or do not apply are None.

    Attributes:
        path: The path with `~` and the links of its folders resolved.
        type: What is there itself, no link followed. `absent` also where its folder is.
        mode: Three or four octal digits, such as `644` or `4755`.
        owner: The name of the user that it belongs to, or the number where there is no name.
        group: The same of its group.
        uid: The number of that user.
        gid: The number of that group.
        size: In bytes.
        sha256: Of a file's content. None where it cannot be read.
        target: Where a symbolic link leads, as it is written in it.
        parent: Whether the folder that it is in is there.
        shared: Whether everybody may put something into that folder, as into `/tmp`.
        me: The number of the user that operations run as.
        user: The name of that user.
        base64: Whether the host has the command `base64`.
        problem: Why nothing can be done at that path, as a sentence.
    """

    path: str
    type: Literal["file", "directory", "link", "other", "absent"]
    mode: str | None
    owner: str | None
    group: str | None
    uid: int | None
    gid: int | None
    size: int | None
    sha256: str | None
    target: str | None
    parent: Literal["directory", "absent"]
    shared: bool
    me: int
    user: str
    base64: bool
    problem: str | None


class FileStatus(FactBase[FileStatusDict]):
    """The status of a path: type, mode, owner, group, size, hash, the target of a link, and the obstacle to a change.

    ```python
    found = host.get_fact(FileStatus, path="/etc/motd")
    if found["type"] == "file" and found["sha256"] != wanted:
        ...
    ```
    """

    def command(self, path: str) -> str:
        """The script that reads it. It needs a POSIX shell, `id`, `stat` and `readlink`."""
        return _shell.look(path)

    def process(self, output: list[str]) -> FileStatusDict:
        """Parses the output."""
        said: dict[str, str] = {}
        key = ""
        for line in output:
            if line.startswith("+"):
                said[key] += f"\n{line[1:]}"
            else:
                key, _, said[key] = line.partition("=")
        user = re.match(r"uid=(\d+)(?:\(([^)]*)\))?", said.get("id", ""))
        found = _nothing(
            said.get("path", ""), int(user[1]) if user else -1, (user[2] or user[1]) if user else ""
        )
        found["base64"] = "base64" in said
        found["problem"] = said.get("problem")
        if said.get("parent") == "absent":
            found["parent"] = "absent"
        if around := said.get("around"):
            found["shared"] = bool(int(around.split(" ")[0], 8) & stat.S_IWOTH)
        kind = said.get("type", "absent")
        if kind in ("file", "directory", "link", "other"):
            found["type"] = kind  # type: ignore[typeddict-item]
        if status := said.get("stat"):
            mode, uid, gid, size, names = status.split(" ", 4)
            owner, _, group = names.partition("/")
            found["mode"] = f"{int(mode, 8):03o}"
            found["uid"], found["gid"], found["size"] = int(uid), int(gid), int(size)
            found["owner"] = uid if owner in ("UNKNOWN", "") else owner
            found["group"] = gid if group in ("UNKNOWN", "") else group
        found["sha256"] = said.get("sha256") or None
        found["target"] = said.get("target")
        return found


class FileBytes(FactBase[bytes | None]):
    """The content of a file, byte for byte; None where it cannot be read."""

    def command(self, path: str) -> str:
        """The script that reads it. A failure does not fail the host."""
        return f"({_shell.read(path)}) 2>/dev/null || :"

    def process(self, output: list[str]) -> bytes | None:
        """Decodes the output."""
        if output[0] == "base64":
            return base64.b64decode("".join(output[1:]))
        return bytes(int(number, 8) for line in output[1:] for number in line.split())


def look_locally(path: str) -> FileStatusDict:
    """The same as `FileStatus`, for this machine and in this process.

    Args:
        path: The path; `~` is this user's home.
    """
    me = os.geteuid()
    found = _nothing(_native.expand(path), me, _native.user_name(me))
    found["base64"] = True
    parent, name = _native.split(path)
    try:
        with _native.enter(parent) as folder:
            found["path"] = f"{folder.path.rstrip('/')}/{name}"
            found["shared"] = bool(os.fstat(folder.descriptor).st_mode & stat.S_IWOTH)
            _look(found, folder.descriptor, name)
    except _native.MissingFolderError:
        found["parent"] = "absent"
    except _native.FileProblemError as problem:
        found["problem"] = str(problem)
    except OSError as error:
        found["problem"] = f"{path} cannot be reached: {error.strerror}"
    return found


def _look(found: FileStatusDict, folder: int, name: str) -> None:
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return
    found["type"] = _native.type_of(status.st_mode)  # type: ignore[typeddict-item]
    found["mode"] = f"{stat.S_IMODE(status.st_mode):03o}"
    found["uid"], found["gid"], found["size"] = status.st_uid, status.st_gid, status.st_size
    found["owner"], found["group"] = _native.user_name(status.st_uid), _native.group_name(status.st_gid)
    if found["type"] == "file":
        found["sha256"] = _native.sha256(folder, name)
    elif found["type"] == "link":
        found["target"] = os.readlink(name, dir_fd=folder)


def read_locally(path: str) -> bytes | None:
    """The content of a file on this machine; None where it cannot be read."""
    parent, name = _native.split(path)
    try:
        with _native.enter(parent) as folder:
            opened = _native.open_file(folder.descriptor, name)
            if opened is None:
                return None
            with os.fdopen(opened, "rb") as file:
                return file.read()
    except (_native.FileProblemError, OSError):
        return None


def _nothing(path: str, me: int, user: str) -> FileStatusDict:
    return {
        "path": path,
        "type": "absent",
        "mode": None,
        "owner": None,
        "group": None,
        "uid": None,
        "gid": None,
        "size": None,
        "sha256": None,
        "target": None,
        "parent": "directory",
        "shared": False,
        "me": me,
        "user": user,
        "base64": False,
        "problem": None,
    }
