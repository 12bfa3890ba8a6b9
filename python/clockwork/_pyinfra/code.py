"""Runs the user's code, and says what went wrong in it."""

from __future__ import annotations

import ast
import sysconfig
import traceback
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

import pyinfra
from pyinfra.connectors.util import CommandOutput

from clockwork._pyinfra.hosts import HostFailedError

if TYPE_CHECKING:
    from pyinfra.api.state import StateOperationHostData

FOREIGN = (
    str(Path(pyinfra.__file__).parent),
    str(Path(__file__).parent),
    *(sysconfig.get_path(key) for key in ("stdlib", "platstdlib", "purelib", "platlib")),
    "<",
)


def compile_code(text: str, file: str, line: int) -> CodeType:
    """Compiles a part of a file that begins on a line of it.

    Raises:
        SyntaxError: With the line in the file.
    """
    try:
        tree = ast.parse(text, file)
    except SyntaxError as error:
        if error.lineno is not None:
            error.lineno += line - 1
        raise
    code = compile(ast.increment_lineno(tree, line - 1), file, "exec", dont_inherit=True)
    assert isinstance(code, CodeType)
    return code


def run_code(code: CodeType, namespace: dict[str, Any]) -> None:
    """Runs compiled code in a namespace."""
    exec(code, namespace)


def describe(error: BaseException, file: str) -> str:
    """Says what an exception means, and where in the user's own code it was raised.

    Frames of pyinfra, of Clockwork and of installed packages are left out. A host that failed says nothing:
    what pyinfra logged does.
    """
    if isinstance(error, HostFailedError):
        return ""
    name = Path(file).name
    if isinstance(error, SyntaxError) and error.filename == file:
        return f"SyntaxError: {error.msg} ({name}, line {error.lineno})"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == file or not frame.filename.startswith(FOREIGN)
    ]
    text = "".join(traceback.format_exception_only(type(error), error)).strip()
    # The class says nothing that its words do not say better.
    if str(error) and (type(error) is RuntimeError or type(error).__module__.startswith("pyinfra.")):
        text = str(error)
    if not frames:
        return text
    places = [f"{Path(frame.filename).name}, line {frame.lineno}" for frame in frames]
    return f"{text} ({', '.join(dict.fromkeys(places))})"


def drain(data: StateOperationHostData) -> None:
    """Lets an operation say all that it would do, so that its diff is heard. Runs nothing."""
    for _ in data.command_generator():
        pass


def settle(data: StateOperationHostData) -> None:
    """Marks an operation as done without running it: it has nothing to change."""
    data.operation_meta.set_complete(True, [], CommandOutput([]))
