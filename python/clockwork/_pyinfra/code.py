"""Runs the user's code and its operations, and describes their exceptions."""

from __future__ import annotations

import ast
import sysconfig
import traceback
from dataclasses import replace
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Any

import pyinfra
from pyinfra.api.operations import run_host_op
from pyinfra.connectors.util import CommandOutput

from clockwork._pyinfra.current import here, operation_of
from clockwork._pyinfra.state import HostFailedError, begin_section
from clockwork.operations import Context, Intent, session

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


def run_prelude(code: CodeType, namespace: dict[str, Any], context: Context) -> None:
    """Runs the code before all sections, which binds its names in a namespace."""
    with session(context, _listen):
        exec(code, namespace)


def run_section(section: int, code: CodeType, prelude: dict[str, Any], context: Context) -> None:
    """Runs the code of a section in a namespace of its own, which begins as a copy of the prelude's.

    Args:
        section: The place of the section in the script.
        code: Its code.
        prelude: The names that the prelude has bound.
        context: The context of its operations.
    """
    assert here.host is not None
    begin_section(here.host)
    here.section = section
    try:
        with session(context, _listen):
            exec(code, dict(prelude))
    finally:
        here.section = None


def run_operation(section: int, key: str, context: Context, wants_diff: bool) -> bool:
    """Executes an operation of a section. Returns whether it succeeded, or its failure is ignored.

    Raises:
        Exception: Whatever the operation raises.
    """
    assert here.state is not None
    assert here.host is not None
    here.section, here.operation, here.wants_diff = section, key, wants_diff
    try:
        with session(replace(context, wants_diff=wants_diff), _listen):
            return run_host_op(here.state, here.host, key)
    finally:
        here.section, here.operation, here.wants_diff = None, None, True


def _listen(intent: Intent) -> None:
    """Records an intent with the operation that makes it, or that runs the one that makes it."""
    operation = operation_of(here.host)
    if here.run is not None and here.host is not None and operation is not None:
        current = here.host.current_op_hash
        if here.operation not in (None, current) and current != here.host.nested_executing_op_hash:
            return  # A nested operation is prepared, and announces the same again when it runs.
        here.run.record_intent(operation, intent)


def describe(error: BaseException, file: str) -> str:
    """Describes an exception, with the place in the user's own code that raised it.

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
    # The message is enough, without the class.
    if str(error) and (type(error) is RuntimeError or type(error).__module__.startswith("pyinfra.")):
        text = str(error)
    if not frames:
        return text
    places = [f"{Path(frame.filename).name}, line {frame.lineno}" for frame in frames]
    return f"{text} ({', '.join(dict.fromkeys(places))})"


def read_diff(section: int, key: str, data: StateOperationHostData, context: Context) -> None:
    """Lets an operation yield all its commands, so that its whole diff is logged. Runs none of them."""
    here.section, here.operation = section, key
    try:
        with session(context, _listen):
            for _ in data.command_generator():
                pass
    finally:
        here.section = here.operation = None


def count_commands(data: StateOperationHostData) -> tuple[int, bool]:
    """The commands that an executed operation has started, without its intents, and whether it succeeded."""
    commands = data.operation_meta._commands or []
    return sum(not isinstance(command, Intent) for command in commands), bool(data.operation_meta._success)


def settle(data: StateOperationHostData) -> None:
    """Marks an operation as done without running it: it has nothing to change."""
    data.operation_meta.set_complete(True, [], CommandOutput([]))
