"""Reads and changes files of this machine in this process, without a child process.

Every folder on the way to a file is opened one after the other, relative to the one before. Nobody can swap one of
them for a symbolic link between a look and what follows from it.
"""

from __future__ import annotations

import errno
import grp
import hashlib
import os
import pwd
import re
import secrets
import stat
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A descriptor to continue from needs no permission to list the folder.
FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
LINKS = 40
CHUNK = 1 << 18
PRIVATE = ".clockwork-"
STALE = 3600.0
"""Age in seconds at which a temporary file that a killed run left behind is removed."""
COPIES = 5
"""The number of copies of each path that are kept."""

_LEFT = re.compile(r"\.clockwork-[0-9a-f]{16}\.tmp")
_swept: dict[tuple[int, int], float] = {}


class FileProblemError(Exception):
    """A change that is refused, with the reason."""


class MissingFolderError(FileProblemError):
    """A folder on the path does not exist."""


@dataclass(frozen=True)
class Folder:
    """An open folder, and its path without any symbolic link."""

    descriptor: int
    path: str


@dataclass(frozen=True)
class Copy:
    """A copy of what is overwritten or removed.

    Attributes:
        folder: The folder for copies; None is `~/.clockwork/backup`.
        stem: The beginning of the name of all copies of this path.
        name: The name of this one.
    """

    folder: str | None
    stem: str
    name: str


def expand(path: str) -> str:
    """Puts the home of this user in place of a `~` that begins a path."""
    if path == "~" or path.startswith("~/"):
        return os.path.expanduser("~") + path[1:]  # noqa: PTH111 (a Path would lose what follows)
    return path


def split(path: str) -> tuple[str, str]:
    """The folder of a path, and the name in it."""
    path = expand(path)
    if "/" not in path:
        return ".", path
    folder, _, name = path.rpartition("/")
    return folder or "/", name


def temporary() -> str:
    """A random name."""
    return f"{PRIVATE}{secrets.token_hex(8)}.tmp"


@contextmanager
def enter(path: str, make: Callable[[int, str], None] | None = None) -> Iterator[Folder]:
    """Opens a folder step by step.

    Args:
        path: The folder.
        make: Called with a descriptor and a name to make a folder that is missing.

    Raises:
        FileProblemError: The way leads through a link that is not to be trusted, or through a file.
        OSError: A folder cannot be entered.
    """
    here = "" if path.startswith("/") else os.getcwd().rstrip("/")  # noqa: PTH109
    descriptor = os.open("/" if path.startswith("/") else ".", FOLDER)
    parts = path.split("/")[::-1]
    links = 0
    try:
        while parts:
            part = parts.pop()
            if part in ("", "."):
                continue
            try:
                try:
                    step = os.open(part, FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
                except FileNotFoundError:
                    if make is None:
                        raise MissingFolderError(f"there is no folder {here}/{part}") from None
                    make(descriptor, part)
                    step = os.open(part, FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
            except PermissionError:
                _check_entered(descriptor, here)
                raise
            except OSError as error:
                if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                    raise
                target = _link(descriptor, part, here)
                links += 1
                if links > LINKS:
                    raise FileProblemError(f"{path} leads through symbolic links in a circle") from None
                if target.startswith("/"):
                    os.close(descriptor)
                    descriptor = os.open("/", FOLDER)
                    here = ""
                parts += target.split("/")[::-1]
                continue
            here = here.rpartition("/")[0] if part == ".." else f"{here}/{part}"
            os.close(descriptor)
            descriptor = step
        _check_entered(descriptor, here)
        yield Folder(descriptor, here or "/")
    finally:
        os.close(descriptor)


def _check_entered(folder: int, here: str) -> None:
    """A folder can be opened without the permission to traverse it."""
    try:
        os.stat(".", dir_fd=folder)
    except PermissionError:
        raise FileProblemError(f"{here or '/'} cannot be entered: Permission denied") from None


def _link(folder: int, name: str, here: str) -> str:
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if not stat.S_ISLNK(found.st_mode):
        raise FileProblemError(f"{here}/{name} is no folder, so nothing can be in it")
    around = os.fstat(folder)
    if around.st_mode & stat.S_IWOTH and found.st_uid not in (0, os.geteuid(), around.st_uid):
        raise FileProblemError(
            f"{here}/{name} is a symbolic link that another user put into a folder which everybody may write to: "
            f"it is not followed"
        )
    return os.readlink(name, dir_fd=folder)


def maker(user: str | None, group: str | None) -> Callable[[int, str], None]:
    """Makes the folders on the way to a file, for that user and group."""

    def make(folder: int, name: str) -> None:
        with suppress(FileExistsError):
            os.mkdir(name, 0o777, dir_fd=folder)
            if user or group:
                made = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
                try:
                    os.fchown(made, uid(user), gid(group))
                finally:
                    os.close(made)

    return make


def uid(user: str | None) -> int:
    """The number of a user, who is given by name or number; -1 for None.

    Raises:
        FileProblemError: There is no such user.
    """
    if user is None:
        return -1
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        if user.isdecimal():
            return int(user)
        raise FileProblemError(f"there is no user {user!r} on this host") from None


def gid(group: str | None) -> int:
    """The number of a group, which is given by name or number; -1 for None.

    Raises:
        FileProblemError: There is no such group.
    """
    if group is None:
        return -1
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        if group.isdecimal():
            return int(group)
        raise FileProblemError(f"there is no group {group!r} on this host") from None


def user_name(number: int) -> str:
    """The name of a user, or the number where it has none."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def group_name(number: int) -> str:
    """The name of a group, or the number where it has none."""
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def open_file(folder: int, name: str) -> int | None:
    """Opens a file to read it; None where this user may not, or it is no plain file."""
    try:
        # A fifo that is put there meanwhile must not block.
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(opened).st_mode):
        return opened
    os.close(opened)
    return None


def sha256(folder: int, name: str) -> str | None:
    """The hash of a file's content; None where it cannot be read."""
    opened = open_file(folder, name)
    if opened is None:
        return None
    digest = hashlib.sha256()
    with os.fdopen(opened, "rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def kind(folder: int, name: str) -> str:
    """The type at a path: `file`, `directory`, `link`, `other` or `absent`."""
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return "absent"
    return type_of(mode)


def type_of(mode: int) -> str:
    """The type in a mode."""
    for name, check in (("file", stat.S_ISREG), ("directory", stat.S_ISDIR), ("link", stat.S_ISLNK)):
        if check(mode):
            return name
    return "other"


def write(
    path: str,
    data: bytes,
    mode: str | None,
    user: str | None,
    group: str | None,
    kept_group: int | None,
    make: bool,
    copy: Copy | None,
) -> str | None:
    """Writes a file beside its place, and then puts it there. Returns the path of the copy that was kept."""
    parent, name = split(path)
    with enter(parent, maker(user, group) if make else None) as folder:
        refuse_no_file(kind(folder.descriptor, name), path)
        new = temporary()
        # Without a mode the file gets what the umask leaves, as any new file.
        first = 0o666 if mode is None else 0o600
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        opened = os.open(new, flags, first, dir_fd=folder.descriptor)
        try:
            try:
                left = memoryview(data)
                while left:
                    left = left[os.write(opened, left) :]
                if user or group:
                    os.fchown(opened, uid(user), gid(group))
                if kept_group is not None:
                    with suppress(PermissionError):
                        os.fchown(opened, -1, kept_group)
                # A change of owner clears the setuid bits, so the mode comes last.
                if mode is not None:
                    os.fchmod(opened, int(mode, 8))
            finally:
                os.close(opened)
            kept = keep(folder, name, copy)
            os.replace(new, name, src_dir_fd=folder.descriptor, dst_dir_fd=folder.descriptor)
        except BaseException:
            with suppress(OSError):
                os.unlink(new, dir_fd=folder.descriptor)
            raise
        _sweep(folder.descriptor)
        return kept


def refuse_no_file(found: str, path: str) -> None:
    """Refuses a destination that is no file.

    Raises:
        FileProblemError: It is a folder, a link or the like.
    """
    if found not in ("file", "absent"):
        raise FileProblemError(no_file(path))


def no_file(path: str) -> str:
    """The sentence about a destination that is no file."""
    return f"{path} is a folder, a symbolic link or the like, and no file: remove it, or name the file that it leads to"


def make_directory(path: str, mode: str | None, user: str | None, group: str | None) -> None:
    """Makes a folder, and those on the way to it."""
    parent, name = split(path)
    with enter(parent, maker(user, group)) as folder:
        os.mkdir(name, 0o777 if mode is None else 0o700, dir_fd=folder.descriptor)
        if mode is not None or user or group:
            made = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder.descriptor)
            try:
                _set(made, mode, user, group)
            except BaseException:
                with suppress(OSError):
                    os.rmdir(name, dir_fd=folder.descriptor)
                raise
            finally:
                os.close(made)


def set_attributes(
    path: str, wanted: str, owner: int, mode: str | None, user: str | None, group: str | None
) -> None:
    """Sets mode and owner at a path, if the type and the owner there are still those that the fact has read."""
    parent, name = split(path)
    with enter(parent) as folder:
        direct = getattr(os, "O_PATH", None)
        flags = os.O_NOFOLLOW | os.O_CLOEXEC | (os.O_RDONLY | os.O_NONBLOCK if direct is None else direct)
        opened = os.open(name, flags, dir_fd=folder.descriptor)
        try:
            found = os.fstat(opened)
            if type_of(found.st_mode) != wanted or found.st_uid != owner:
                raise FileProblemError(f"{path} was replaced meanwhile, and is left as it is")
            # A descriptor of O_PATH needs no right to read, but can only be changed through its link in /proc.
            _set(opened if direct is None else f"/proc/self/fd/{opened}", mode, user, group)
        finally:
            os.close(opened)


def _set(what: int | str, mode: str | None, user: str | None, group: str | None) -> None:
    if user or group:
        os.chown(what, uid(user), gid(group))
    if mode is not None:
        os.chmod(what, int(mode, 8))  # noqa: PTH101


def remove(path: str, wanted: str, copy: Copy | None) -> str | None:
    """Removes a file, or an empty folder. Returns the path of the copy that was kept."""
    parent, name = split(path)
    with enter(parent) as folder:
        found = kind(folder.descriptor, name)
        if found == "absent":
            return None
        if found != wanted:
            raise FileProblemError(f"{path} was replaced meanwhile, and is not removed")
        if wanted == "directory":
            try:
                os.rmdir(name, dir_fd=folder.descriptor)
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise
                raise FileProblemError(not_empty(path)) from None
            return None
        kept = keep(folder, name, copy)
        # Another run may be removing it too.
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder.descriptor)
        return kept


def not_empty(path: str) -> str:
    """The sentence about a folder that is not removed."""
    return f"{path} is not empty, and is not removed: remove what is in it first, or leave the folder there"


def keep(folder: Folder, name: str, copy: Copy | None) -> str | None:
    """Copies what is there, with its mode and owner, and removes the oldest copies. Returns the copy's path.

    Raises:
        FileProblemError: The copy cannot be made.
    """
    if copy is None:
        return None
    place = expand(copy.folder or "~/.clockwork/backup")
    source = open_file(folder.descriptor, name)
    if source is None:
        if kind(folder.descriptor, name) == "absent":
            return None
        raise FileProblemError(
            f"{folder.path.rstrip('/')}/{name} cannot be read, so no copy of it can be kept in {place}"
        )
    try:
        for around in [*reversed(Path(place).parents), Path(place)]:
            with suppress(FileExistsError):
                around.mkdir(0o700)
        Path(place).chmod(0o700)
        target = f"{place}/{copy.name}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        opened = os.open(target, flags, 0o600)
        try:
            with os.fdopen(opened, "wb", buffering=0) as file:
                while chunk := os.read(source, CHUNK):
                    left = memoryview(chunk)
                    while left:
                        left = left[file.write(left) :]
                found = os.fstat(source)
                with suppress(PermissionError):
                    os.fchown(opened, found.st_uid, found.st_gid)
                os.fchmod(opened, stat.S_IMODE(found.st_mode))
        except BaseException:
            os.unlink(target)  # noqa: PTH108
            raise
        copies = sorted(each for each in os.listdir(place) if each.startswith(copy.stem))  # noqa: PTH208
        for each in copies[:-COPIES]:
            os.unlink(f"{place}/{each}")  # noqa: PTH108
    except OSError as error:
        raise FileProblemError(f"a copy of {name} cannot be kept in {place}: {error.strerror}") from error
    finally:
        os.close(source)
    return target


def _sweep(folder: int) -> None:
    """Removes temporary files that killed runs of this user left behind. Each folder is searched once an hour."""
    found = os.fstat(folder)
    key, now = (found.st_dev, found.st_ino), time.monotonic()
    if now - _swept.get(key, -STALE) < STALE:
        return
    _swept[key] = now
    with suppress(OSError):
        opened = os.open(".", os.O_RDONLY | os.O_DIRECTORY, dir_fd=folder)
        try:
            names = [name for name in os.listdir(opened) if _LEFT.fullmatch(name)]  # noqa: PTH208
        finally:
            os.close(opened)
        for name in names:
            left = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if left.st_uid != os.geteuid() or time.time() - left.st_mtime < STALE:
                continue
            if stat.S_ISDIR(left.st_mode):
                with suppress(FileNotFoundError):
                    os.unlink(f"{name}/{name}", dir_fd=folder)
                os.rmdir(name, dir_fd=folder)
            else:
                os.unlink(name, dir_fd=folder)
