"""Files and folders, with pyinfra's names and arguments.

They differ from pyinfra's own in what they promise:

- A file takes its place whole or not at all, with its mode and owner from the first moment.
- Nothing is written or removed through a symbolic link, and no folder is removed with what is in it.
- What is there is looked at with one question, and changed with one command. On this machine, without another user,
  there is no process for either.
- Paths and contents may hold any characters. A content never stands in the arguments of a process.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from pyinfra import host
from pyinfra.api import OperationError, OperationTypeError, OperationValueError, operation

from clockwork.operations import Intent, _native, context
from clockwork.operations._aside import Aside
from clockwork.operations._commands import (
    DropAside,
    MakeDirectory,
    PutBack,
    Refusal,
    Remove,
    SetAside,
    SetAttributes,
    WriteFile,
    in_process,
)
from clockwork.operations._diff import LARGEST, log_diff, unified
from clockwork.operations.facts.files import FileBytes, FileStatus, look_locally, read_locally

if TYPE_CHECKING:
    from collections.abc import Generator

    from pyinfra.api.command import PyinfraCommand

    from clockwork.operations.facts.files import FileStatusDict

    Commands = Generator[PyinfraCommand, None, None]

__all__ = ["directory", "drop_aside", "file", "put", "put_back", "set_aside"]

_MAKING_ROOM = "clockwork_making_room"
"""The key under which the plan of a host keeps the paths that will have been set aside."""


@operation()
def put(
    src: str | os.PathLike[str] | IO[str] | IO[bytes],
    dest: str | os.PathLike[str],
    user: str | None = None,
    group: str | None = None,
    mode: int | str | bool | None = None,
    create_remote_dir: bool = True,
    add_deploy_dir: bool = True,
) -> Commands:
    r"""Writes a file.

    Without `mode`, `user` and `group`, a file that is there keeps what it has, and a new one gets what the umask
    leaves. A file that another user put into a folder where everybody may do so, such as `/tmp`, keeps neither.

    ```python
    files.put(src=StringIO("Welcome.\n"), dest="/etc/motd", mode="644")
    ```

    Args:
        src: A path on this machine, or a file-like object of text or bytes.
        dest: The whole path on the host. `~` is the home of the user that operations run as.
        user: Its owner, by name or number.
        group: Its group, by name or number.
        mode: Its permissions in octal, such as `"640"`. True takes those of `src`.
        create_remote_dir: Whether folders on the way are made, with that user and group.
        add_deploy_dir: Whether a relative `src` is below the folder of the deploy.

    Raises:
        OperationError: What is at `dest` is no file, or the way to it is not to be trusted.
    """
    path = _path(dest)
    if path.endswith("/"):
        raise OperationValueError(f"{path} is the path of a folder: dest is that of the file")
    data, local_mode = _source(src, add_deploy_dir)
    wanted_mode = local_mode if mode is True else _mode(mode)
    found = _look(path)
    if problem := found["problem"] or _no_file(found, path):
        yield from _refuse(problem)
        return
    exists = found["type"] == "file"
    digest = hashlib.sha256(data).hexdigest()
    same_content = exists and found["sha256"] == digest
    stranger = exists and found["shared"] and found["uid"] not in (0, found["me"])
    kept = exists and not stranger
    changes = _attribute_changes(found, wanted_mode, user, group)
    if same_content and not changes:
        host.noop(f"file {path} is already uploaded")
        return
    if not same_content:
        before = _describe(found["size"], found["sha256"]) if exists else None
        changes.insert(0, ("content", before, _describe(len(data), digest)))
        # The new file belongs to the user that writes it, unless that is root.
        if exists and user is None and found["uid"] != found["me"] and (stranger or found["me"] != 0):
            changes.append(("owner", found["owner"], found["user"]))
    copy = _copy(path, exists and not same_content)
    yield Intent(
        "change" if exists else "create",
        changes,
        overwrites=f"path:{path}" if exists and not same_content else None,
        found=_found(found),
        reason=_reason(copy),
        diff=None if same_content else _diff(path, found, data),
    )
    if exists and not same_content and not _allowed():
        yield from _refuse(_not_ours(path))
        return
    if same_content:
        yield _attributes(path, found, wanted_mode, user, group)
        return
    yield WriteFile(
        path,
        data,
        mode=wanted_mode or (found["mode"] if kept else None),
        user=user or (str(found["uid"]) if kept and found["me"] == 0 and found["uid"] != 0 else None),
        group=group,
        kept_group=found["gid"] if kept and group is None else None,
        make=create_remote_dir,
        copy=copy,
        base64=found["base64"],
    )


@operation()
def file(
    path: str | os.PathLike[str],
    present: bool = True,
    user: str | None = None,
    group: str | None = None,
    mode: int | str | None = None,
    create_remote_dir: bool = True,
) -> Commands:
    """Creates an empty file, sets mode and owner of one, or removes one. The content of an existing file stays.

    Args:
        path: The whole path on the host. `~` is the home of the user that operations run as.
        present: Whether it is to be there.
        user: Its owner, by name or number.
        group: Its group, by name or number.
        mode: Its permissions in octal, such as `"640"`.
        create_remote_dir: Whether folders on the way are made, with that user and group.

    Raises:
        OperationError: What is there is no file, or the way to it is not to be trusted.
    """
    where = _path(path)
    if where.endswith("/"):
        raise OperationValueError(f"{where} is the path of a folder, and not of a file")
    if not present and context().aside:
        yield from _part_of_move(where)
        return
    found, wanted_mode = _look(where), _mode(mode)
    if problem := found["problem"] or _no_file(found, where, removed=not present):
        yield from _refuse(problem)
    elif not present:
        yield from _remove(where, found)
    elif found["type"] == "absent":
        content = ("content", None, _describe(0, hashlib.sha256().hexdigest()))
        yield Intent("create", [content, *_attribute_changes(found, wanted_mode, user, group)])
        yield WriteFile(where, b"", wanted_mode, user, group, make=create_remote_dir, base64=found["base64"])
    else:
        yield from _set_attributes(where, found, wanted_mode, user, group)


@operation()
def directory(
    path: str | os.PathLike[str],
    present: bool = True,
    user: str | None = None,
    group: str | None = None,
    mode: int | str | None = None,
) -> Commands:
    """Creates a folder and its parents, sets mode and owner of one, or removes an empty one.

    The removal of a folder that is not empty fails.

    Args:
        path: The whole path on the host. `~` is the home of the user that operations run as.
        present: Whether it is to be there.
        user: Its owner, by name or number.
        group: Its group, by name or number.
        mode: Its permissions in octal, such as `"750"`.

    Raises:
        OperationError: What is there is no folder, or the way to it is not to be trusted.
    """
    where = _path(path).rstrip("/")
    if not where:
        raise OperationValueError("/ is always there, and stays as it is")
    if not present and context().aside:
        if (context().room_for or "").startswith(f"path:{where}/"):
            host.noop(f"{where} stays, as the folder that its new place is in")
            return
        yield from _part_of_move(where)
        return
    found, wanted_mode = _look(where), _mode(mode)
    if problem := found["problem"]:
        yield from _refuse(problem)
    elif found["type"] not in ("directory", "absent"):
        what = "a symbolic link" if found["type"] == "link" else "a file or the like"
        todo = "it is not removed" if not present else "remove it, or name another path"
        yield from _refuse(f"{where} is {what}, and no folder: {todo}")
    elif not present:
        yield from _remove(where, found)
    elif found["type"] == "absent":
        yield Intent("create", _attribute_changes(found, wanted_mode, user, group))
        yield MakeDirectory(where, wanted_mode, user, group)
    else:
        yield from _set_attributes(where, found, wanted_mode, user, group)


@operation()
def set_aside(path: str, room_for: str) -> Commands:
    """Sets a file or an empty folder aside whose old place is below its new one, or the reverse.

    It is renamed into a private folder beside the upper one of both places, with the folders from there to it where
    the old place is the lower one. If something else is in these, that is a failure. What is set aside already stays.

    Args:
        path: Where it is.
        room_for: Where it is to be made anew.

    Raises:
        OperationValueError: Neither place is below the other.
    """
    aside = _aside(path, room_for)
    found, held = _see(aside.path), _see(aside.place)
    if problem := found["problem"]:
        # A parent of the old place may be a file now.
        if held["type"] != "directory":
            yield from _refuse(problem)
    elif found["type"] != "absent":
        if host.state.is_executing:
            host.connector_data.pop(_MAKING_ROOM, None)
        else:
            host.connector_data.setdefault(_MAKING_ROOM, set()).add(aside.top)
        yield Intent(
            "change", [("place", aside.path, aside.place)], found=_found(found), reason="to make room"
        )
        yield SetAside(aside.path, aside)
    else:
        host.noop(f"{aside.path} is not there, or set aside already")


@operation()
def put_back(path: str, room_for: str) -> Commands:
    """Puts back a thing that was set aside, unchanged. Empty folders that were created in its place are removed.

    Args:
        path: Where it was.
        room_for: Where it was to be made anew.

    Raises:
        OperationValueError: Neither place is below the other.
    """
    aside = _aside(path, room_for)
    if _see(aside.place)["type"] == "absent":
        host.noop(f"{aside.path} is not set aside")
        return
    yield Intent("change", [("place", aside.place, aside.path)], reason="what was to take its place failed")
    yield PutBack(aside.path, aside)


@operation()
def drop_aside(path: str, room_for: str) -> Commands:
    """Removes a thing that was set aside, when it has been created in its new place.

    Args:
        path: Where it was.
        room_for: Where it is now.

    Raises:
        OperationValueError: Neither place is below the other.
    """
    aside = _aside(path, room_for)
    if _see(aside.place)["type"] == "absent":
        host.noop(f"{aside.path} is not set aside")
        return
    copy = _copy(aside.path, True)
    yield Intent("remove", [("place", aside.place, None)], reason=_reason(copy))
    yield DropAside(aside.path, aside, copy)


def _part_of_move(path: str) -> Commands:
    """Performs the step of a move that the session asks for, instead of a removal."""
    aside, room_for = context().aside, (context().room_for or "").removeprefix("path:")
    if aside == "set_aside":
        yield from set_aside._inner(path=path, room_for=room_for)
    elif aside == "put_back":
        yield from put_back._inner(path=path, room_for=room_for)
    elif aside == "drop":
        yield from drop_aside._inner(path=path, room_for=room_for)


def _path(path: str | os.PathLike[str]) -> str:
    text = os.fspath(path)
    if not isinstance(text, str):
        raise OperationTypeError("a path is a text")
    if not text or "\0" in text:
        raise OperationValueError(f"{text!r} is no path")
    if posixpath.basename(text) in (".", ".."):
        raise OperationValueError(f"{text} does not end in a name")
    return text


def _aside(path: str, room_for: str) -> Aside:
    old, new = (posixpath.normpath(_path(each)) for each in (path, room_for))
    if not old.startswith("/") and not old.startswith("~/"):
        raise OperationValueError(f"{old} is not a whole path")
    if old == new or not (f"{old}/".startswith(f"{new}/") or f"{new}/".startswith(f"{old}/")):
        raise OperationValueError(f"{old} and {new} do not overlap")
    return Aside(old, new)


def _mode(mode: int | str | bool | None) -> str | None:
    if mode is None:
        return None
    # As in pyinfra, the digits of a number are octal ones.
    text = str(mode).zfill(3) if isinstance(mode, int) and not isinstance(mode, bool) else mode
    if not isinstance(text, str) or not re.fullmatch(r"[0-7]{3,4}", text):
        raise OperationValueError(
            f"{mode!r} is no mode: it has three or four octal digits, such as '644' or '0755'"
        )
    return text[1:] if len(text) == 4 and text[0] == "0" else text


def _source(src: Any, add_deploy_dir: bool) -> tuple[bytes, str]:
    """The content, and the mode that it has on this machine."""
    if hasattr(src, "read"):
        if hasattr(src, "seek"):
            src.seek(0)
        data = src.read()
        return (data.encode() if isinstance(data, str) else bytes(data)), "644"
    local = Path(host.state.cwd or "", src) if add_deploy_dir else Path(src)
    try:
        return local.read_bytes(), f"{local.stat().st_mode & 0o777:03o}"
    except OSError as error:
        raise OperationError(f"{local} cannot be read: {error.strerror}") from error


def _look(path: str) -> FileStatusDict:
    """The status of a path. In a plan, things that will have been set aside are absent."""
    found = _see(path)
    room: set[str] = host.connector_data.get(_MAKING_ROOM, set())
    if room and not host.state.is_executing and any(f"{path}/".startswith(f"{top}/") for top in room):
        found = {**found, "type": "absent", "problem": None, "sha256": None}
    return found


def _see(path: str) -> FileStatusDict:
    """The status of a path."""
    if in_process(host):
        found = look_locally(path)
    else:
        # pyinfra calls it with keywords, which its type of a fact does not know.
        found = host.get_fact(FileStatus, path=path)
        if found is None:
            raise OperationError(f"{path} cannot be looked at: the host gave no answer")
    return found


def _no_file(found: FileStatusDict, path: str, removed: bool = False) -> str | None:
    if found["type"] in ("file", "absent"):
        return None
    if not removed:
        return _native.no_file(path)
    return f"{path} is a folder, a symbolic link or the like, and no file: it is not removed"


def _refuse(message: str) -> Commands:
    """Ends a plan with an error, and a deployment with a command that fails.

    pyinfra stops all hosts if an operation raises while it is executed.
    """
    if not host.state.is_executing:
        raise OperationError(message)
    yield Refusal(message)


def _allowed() -> bool:
    # A plan shows what it would do.
    return context().take_over or not host.state.is_executing


def _not_ours(path: str) -> str:
    return f"{path} is not this project's own, and is left as it is: allow it, or choose another path"


def _remove(path: str, found: FileStatusDict) -> Commands:
    kind = found["type"]
    if kind == "absent":
        host.noop(f"{path} does not exist")
        return
    copy = _copy(path, kind == "file")
    yield Intent("remove", [("type", kind, None)], found=_found(found), reason=_reason(copy))
    if not _allowed():
        yield from _refuse(_not_ours(path))
        return
    yield Remove(path, kind, copy)


def _set_attributes(
    path: str, found: FileStatusDict, mode: str | None, user: str | None, group: str | None
) -> Commands:
    changes = _attribute_changes(found, mode, user, group)
    if not changes:
        host.noop(f"{path} already exists")
        return
    yield Intent("change", changes, found=_found(found))
    yield _attributes(path, found, mode, user, group)


def _attribute_changes(
    found: FileStatusDict, mode: str | None, user: str | None, group: str | None
) -> list[tuple[str, Any, Any]]:
    changes: list[tuple[str, Any, Any]] = []
    if mode is not None and mode != found["mode"]:
        changes.append(("mode", found["mode"], mode))
    if user is not None and user not in (found["owner"], str(found["uid"])):
        changes.append(("owner", found["owner"], user))
    if group is not None and group not in (found["group"], str(found["gid"])):
        changes.append(("group", found["group"], group))
    return changes


def _attributes(
    path: str, found: FileStatusDict, mode: str | None, user: str | None, group: str | None
) -> SetAttributes:
    changed = {field for field, _, _ in _attribute_changes(found, mode, user, group)}
    user = user if "owner" in changed else None
    group = group if "group" in changed else None
    # A change of owner clears the setuid bits, so the mode is set anew.
    mode = mode or (found["mode"] if user or group else None)
    assert found["uid"] is not None
    return SetAttributes(path, found["type"], found["uid"], mode, user, group)


def _found(found: FileStatusDict) -> dict[str, Any]:
    if found["type"] == "absent":
        return {}
    signs = {key: found[key] for key in ("mode", "owner", "group")}
    # Only a file has content that could be lost.
    return {"sha256": found["sha256"], **signs} if found["type"] == "file" else signs


def _describe(size: int | None, digest: str | None) -> str:
    return f"({size} bytes, sha256 {digest[:12]})" if digest else f"({size} bytes, not readable)"


def _copy(path: str, loses: bool) -> _native.Copy | None:
    """A copy of the content that a path loses, if the session wants one."""
    if not loses or not context().keep_copy:
        return None
    folder = context().backup_folder if in_process(host) else None
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", posixpath.basename(path))[:100]
    # Another name than with a dot at its beginning, as copies are to be seen.
    stem = f"{plain.lstrip('.') or '_'}~{hashlib.sha256(os.fsencode(path)).hexdigest()[:12]}~"
    now = time.time_ns()
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now // 10**9))
    return _native.Copy(folder, stem, f"{stem}{stamp}.{now % 10**9:09d}")


def _reason(copy: _native.Copy | None) -> str | None:
    return None if copy is None else f"a copy is kept in {copy.folder or '~/.clockwork/backup'}"


def _diff(path: str, found: FileStatusDict, data: bytes) -> str | None:
    shown = host.state.config.DIFF and not context().wants_diff
    if not context().wants_diff and not shown:
        return None
    before: bytes | None = None
    if found["type"] == "file" and found["sha256"] is not None and (found["size"] or 0) <= LARGEST:
        before = read_locally(path) if in_process(host) else host.get_fact(FileBytes, path=path)
    diff = unified(path, before, data, size=found["size"] if found["type"] == "file" else None)
    if shown:
        log_diff(host, diff)
    return diff
