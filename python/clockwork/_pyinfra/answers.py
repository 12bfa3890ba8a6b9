"""Answers pyinfra's commonest questions about local files without starting a process.

A file costs three of these questions to plan and three more to deploy, and each would be a shell with three
children. Only commands that are to the letter the ones that pyinfra's own facts make are answered, for paths
without anything that a shell or ``stat`` would quote. The answer is what the command would have printed, so
that pyinfra reads it as it always does.
"""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from pyinfra.facts.files import File, Sha1File

if TYPE_CHECKING:
    from collections.abc import Callable

PLAIN = re.compile(r"/[A-Za-z0-9_./@:+,%=-]*")
MARK = "/@path@"
CHUNK = 1 << 18


def answer(command: str) -> str | None:
    """The output of a command, without running it; None if it has to be run."""
    for parts, respond in _QUESTIONS:
        if command.startswith(parts[0]):
            start = len(parts[0])
            path = command[start : start + _width(command, start)]
            if PLAIN.fullmatch(path) and path.join(parts) == command:
                return respond(path)
    return None


def _width(command: str, start: int) -> int:
    end = command.find(" ", start)
    return (len(command) if end < 0 else end) - start


def _status(path: str) -> str | None:
    try:
        found = os.lstat(path)
    except OSError:  # to `test` it is not there
        return ""
    name = f"'{path}'"
    if stat.S_ISLNK(found.st_mode):
        target = str(Path(path).readlink())
        if not PLAIN.fullmatch(f"/{target}"):
            return None
        name = f"{name} -> '{target}'"
    return (
        f"user={_user(found.st_uid)} group={_group(found.st_gid)} mode={stat.filemode(found.st_mode)} "
        f"atime={found.st_atime_ns // 10**9} mtime={found.st_mtime_ns // 10**9} "
        f"ctime={found.st_ctime_ns // 10**9} size={found.st_size} {name}"
    )


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return "UNKNOWN"


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return "UNKNOWN"


def _sha1(path: str) -> str | None:
    digest = hashlib.sha1(usedforsecurity=False)
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            return None
        with Path(path).open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except OSError:
        return None
    return f"{digest.hexdigest()}  {path}"


_FILE: str = str(File().command(path=MARK))
_SHA1: str = str(Sha1File().command(path=MARK))
_QUESTIONS: list[tuple[list[str], Callable[[str], str | None]]] = [
    (_FILE.split(MARK), _status),
    (_SHA1.split(MARK), _sha1),
]
