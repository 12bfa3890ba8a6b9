"""Sets a thing aside whose old and new place overlap, natively and in shell.

What is in the way is renamed into a private folder beside it, whole, so that it comes back just as it was.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shlex
import stat
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from clockwork.operations import _shell
from clockwork.operations._native import FOLDER, FileProblemError, Folder, enter, keep, kind, split

if TYPE_CHECKING:
    from collections.abc import Iterator

    from clockwork.operations._native import Copy

HELD = "it"
"""The name that a thing has while it is set aside."""


@dataclass(frozen=True)
class Aside:
    """A thing at `path` that makes room for one at `room_for`, one of which is below the other.

    Attributes:
        path: The old place.
        room_for: The new place.
    """

    path: str
    room_for: str

    @property
    def top(self) -> str:
        """The upper one of the two, which is what is renamed."""
        return min(self.path, self.room_for, key=len)

    @property
    def name(self) -> str:
        """The name of the private folder."""
        return f".clockwork-aside-{hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]}"

    @property
    def place(self) -> str:
        """The path of the private folder."""
        folder = self.top.rpartition("/")[0]
        return f"{folder}/{self.name}"

    @property
    def inside(self) -> list[str]:
        """The thing itself, and the folders from it up to `top`, as paths below `top`; `.` is `top` itself."""
        below = PurePosixPath(self.path).relative_to(self.top)
        return [str(below), *(str(parent) for parent in below.parents)]

    @property
    def made(self) -> list[str]:
        """The folders that are made for the new place, as paths below `top`, the deepest first."""
        below = PurePosixPath(self.room_for).relative_to(self.top)
        return [str(parent) for parent in below.parents]


def set_aside(aside: Aside) -> None:
    """Renames the thing at the old place into its private folder."""
    parent, name = split(aside.top)
    with enter(parent) as folder:
        thing, *around = aside.inside
        for upper, lower in zip(around, aside.inside, strict=False):
            if set(_names(folder, name, upper)) - {PurePosixPath(lower).name}:
                raise FileProblemError(_others(aside))
        if kind(folder.descriptor, _join(name, thing)) == "directory" and _names(folder, name, thing):
            raise FileProblemError(_full(aside))
        try:
            os.mkdir(aside.name, 0o700, dir_fd=folder.descriptor)
        except FileExistsError:
            raise FileProblemError(_twice(aside)) from None
        try:
            with _private(folder, aside) as held:
                os.rename(name, HELD, src_dir_fd=folder.descriptor, dst_dir_fd=held)
        except BaseException:
            with suppress(OSError):
                os.rmdir(aside.name, dir_fd=folder.descriptor)
            raise


def put_back(aside: Aside) -> None:
    """Renames it back, if only empty folders have been created in its place."""
    parent, name = split(aside.top)
    with enter(parent) as folder, _private(folder, aside) as held:
        for made in aside.made:
            with suppress(OSError):
                os.rmdir(_join(name, made), dir_fd=folder.descriptor)
        if kind(folder.descriptor, name) != "absent":
            raise FileProblemError(_taken(aside))
        os.rename(HELD, name, src_dir_fd=held, dst_dir_fd=folder.descriptor)
        os.rmdir(aside.name, dir_fd=folder.descriptor)


def drop(aside: Aside, copy: Copy | None) -> str | None:
    """Removes the thing that was set aside. Returns the path of the copy that was kept."""
    parent, _ = split(aside.top)
    kept = None
    with enter(parent) as folder, _private(folder, aside) as held:
        thing, *around = aside.inside
        found = kind(held, _join(HELD, thing))
        if found == "directory":
            around = [thing, *around]
        elif found != "absent":
            above = _join(HELD, thing).rpartition("/")[0] or "."
            inner = os.open(above, FOLDER, dir_fd=held)
            try:
                if found == "file":
                    kept = keep(Folder(inner, aside.place), PurePosixPath(_join(HELD, thing)).name, copy)
                os.unlink(PurePosixPath(_join(HELD, thing)).name, dir_fd=inner)
            finally:
                os.close(inner)
        for each in around:
            os.rmdir(_join(HELD, each), dir_fd=held)
        os.rmdir(aside.name, dir_fd=folder.descriptor)
    return kept


@contextmanager
def _private(folder: Folder, aside: Aside) -> Iterator[int]:
    try:
        held = os.open(aside.name, FOLDER | os.O_NOFOLLOW, dir_fd=folder.descriptor)
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        raise FileProblemError(_foreign(aside)) from None
    try:
        found = os.fstat(held)
        if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
            raise FileProblemError(_foreign(aside))
        yield held
    finally:
        os.close(held)


def _join(name: str, below: str) -> str:
    return name if below == "." else f"{name}/{below}"


def _names(folder: Folder, name: str, below: str) -> list[str]:
    opened = os.open(
        _join(name, below), os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder.descriptor
    )
    try:
        return os.listdir(opened)  # noqa: PTH208
    finally:
        os.close(opened)


def _others(aside: Aside) -> str:
    return f"{aside.top} cannot be set aside for {aside.room_for}: something else is in it, which has to go first"


def _full(aside: Aside) -> str:
    return f"{aside.path} cannot be set aside for {aside.room_for}: it is a folder that is not empty"


def _twice(aside: Aside) -> str:
    return (
        f"{aside.path} was set aside before, and is there again. {aside.place} holds the former one: move it away, or "
        f"remove it"
    )


def _taken(aside: Aside) -> str:
    return (
        f"{aside.path} is not put back, as something else is in its place by now: it is kept in {aside.place}"
    )


def _foreign(aside: Aside) -> str:
    return f"{aside.place} is not a private folder of the user that operations run as: it is left alone"


_CHECK = """
[ -d "./$aside" ] && [ ! -L "./$aside" ] && [ -O "./$aside" ] || no @FOREIGN@
case $(stats "./$aside") in 700\\ *) ;; *) no @FOREIGN@ ;; esac
"""


def set_aside_script(aside: Aside) -> str:
    """The same as `set_aside`."""
    thing, *around = aside.inside
    lines = [_start(aside)]
    for upper, lower in zip(around, aside.inside, strict=False):
        child = shlex.quote(PurePosixPath(lower).name)
        found = f'"$(ls -A {_below(upper)})"'
        lines.append(f"[ {found} = {child} ] || no {shlex.quote(_others(aside))}\n")
    whole = _below(thing)
    lines.append(f'if [ -d {whole} ] && [ ! -L {whole} ]; then [ -z "$(ls -A {whole})" ] ')
    lines.append(f"|| no {shlex.quote(_full(aside))}; fi\n")
    lines.append(f'[ ! -e "./$aside" ] && [ ! -L "./$aside" ] || no {shlex.quote(_twice(aside))}\n')
    lines.append('mkdir -m 700 "./$aside" || exit 1\n')
    lines.append(f'rename "./$name" "./$aside/{HELD}" || {{ rmdir "./$aside"; exit 1; }}\n')
    return "".join(lines)


def put_back_script(aside: Aside) -> str:
    """The same as `put_back`."""
    lines = [_start(aside), _check(aside)]
    lines += [f"rmdir {_below(made)} 2>/dev/null\n" for made in aside.made]
    lines.append(f'[ "$(kind "$name")" = absent ] || no {shlex.quote(_taken(aside))}\n')
    lines.append(f'rename "./$aside/{HELD}" "./$name" || exit 1\nrmdir "./$aside"\n')
    return "".join(lines)


def drop_script(aside: Aside, copy: Copy | None) -> str:
    """The same as `drop`."""
    thing, *around = aside.inside
    whole = f'"./$aside/"{shlex.quote(_join(HELD, thing))}'
    lines = [_start(aside), _check(aside)]
    lines.append(f"if [ -d {whole} ] && [ ! -L {whole} ]; then rmdir {whole} || exit 1\nelse\n")
    if copy is not None:
        # The copy is taken from below, as from the private folder in which a file is written.
        lines.append('(\nmkdir "./$aside/copy" && cd -P "./$aside/copy" || exit 1\n')
        lines.append(
            f"trap 'rmdir \"../copy\"' EXIT\nname={shlex.quote(_join(HELD, thing))}\n{_shell.keep(copy)}"
        )
        lines.append(") || exit\n")
    lines.append(f"rm -f {whole} || exit 1\nfi\n")
    for each in around:
        lines.append(f'rmdir "./$aside/"{shlex.quote(_join(HELD, each))} || exit 1\n')
    lines.append('rmdir "./$aside"\n')
    return "".join(lines)


def _start(aside: Aside) -> str:
    return f"{_shell.start(aside.top)}aside={shlex.quote(aside.name)}\n"


def _check(aside: Aside) -> str:
    return _CHECK.replace("@FOREIGN@", shlex.quote(_foreign(aside)))


def _below(below: str) -> str:
    return '"./$name"' if below == "." else f'"./$name/"{shlex.quote(below)}'
