"""Ctrl-C during a run, in any thread.

Python handles signals in its main thread only. A run in the main thread checks for signals while it waits. A run in
another thread is stopped by a `_SignalListener`, and polls it through `check`.
"""

from __future__ import annotations

import atexit
import functools
import os
import signal
import sys
import threading
import time
import weakref
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from clockwork import _core
from clockwork.exceptions import ClockworkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOOPS = ("asyncio.runners", "anyio._backends._asyncio", "ipykernel.ipkernel", "trio._core._ki")
"""Modules that replace Python's SIGINT handler by one that cancels their current task."""

END_SECONDS = 5.0
"""The time that runs in other threads get to stop at the interpreter's exit, in seconds."""

LAST_SECONDS = 0.5
"""The time that their threads then get to report it, in seconds."""


@contextmanager
def interruptible() -> Iterator[None]:
    """Makes the first Ctrl-C raise `KeyboardInterrupt` in the enclosed run, in any thread.

    The handler of `asyncio.run` only cancels the running task, which does not react while it waits for the run.
    Handlers that the program has set itself stay.

    Raises:
        ClockworkError: gevent has patched threads or processes, with which a run cannot work.
    """
    _refuse_green_threads()
    if threading.current_thread() is not threading.main_thread():
        with _listener.registered():
            yield
        return
    handler = signal.getsignal(signal.SIGINT)
    if not _is_of_a_loop(handler):
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def check() -> None:
    """Raises `KeyboardInterrupt` if the run of the current thread is to stop.

    In the main thread it does nothing: Python's own signal handling raises it.
    """
    if _here.run is not None:
        _listener.look()
        if _here.run.is_over():
            raise KeyboardInterrupt


def _refuse_green_threads() -> None:
    """Refuses a process in which `gevent.monkey` has patched threads or processes.

    A run uses native threads. With patched locks and processes they would deadlock.
    """
    monkey = sys.modules.get("gevent.monkey")
    if monkey is not None and any(map(monkey.is_module_patched, ("threading", "subprocess", "select"))):
        raise ClockworkError(
            "Clockwork cannot run where gevent has patched threads and processes: run it in a process of its own, such "
            "as `subprocess.run(['clockwork', 'apply'])`, or leave them alone with "
            "gevent.monkey.patch_all(thread=False, subprocess=False, select=False)"
        )


def _is_of_a_loop(handler: Any) -> bool:
    function = handler.func if isinstance(handler, functools.partial) else handler
    return getattr(function, "__module__", None) in LOOPS


class _Run:
    """A run in a thread other than the main thread.

    Attributes:
        stop: True if the run has to stop.
        heard: True if Ctrl-C came while the program had its own handler.
    """

    def __init__(self) -> None:
        self.thread = threading.current_thread()
        self.stop = False
        self.heard = False

    def is_over(self) -> bool:
        # A handler of the program may raise, which ends the main thread, or may let the work continue.
        if not self.stop and not threading.main_thread().is_alive():
            self.stop = self.heard or _has_ended_program()
        return self.stop


class _Here(threading.local):
    run: _Run | None = None


class _SignalListener:
    """Listens for SIGINT while there are runs in threads other than the main thread.

    Python has no means for this that leaves the signal handling of the main thread as it is. `_core._Sigint` installs
    a native handler in front of Python's, which is still called. `signal.signal` silently removes the native handler,
    so it is checked and reinstalled regularly, and it is removed after the last such run. If it cannot be installed,
    or if other native code has a handler, runs in threads stop only when the program ends.

    Rejected: `faulthandler.register` could do this alone, but sometimes crashes while it walks the frames of a busy
    main thread. `signal.set_wakeup_fd` works in the main thread only, and belongs to its event loop.
    """

    def __init__(self) -> None:
        self.runs: list[_Run] = []
        self.stopped: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._native: _Native | None = None
        self._raises = False

    @contextmanager
    def registered(self) -> Iterator[None]:
        """Registers the enclosed run, which belongs to the current thread."""
        before, run = _here.run, _Run()
        with self._lock:
            self._look()
            run.stop = _exiting.is_set()
            self.runs.append(run)
        _here.run = run
        try:
            yield
        finally:
            _here.run = before
            with self._lock:
                if run.stop:
                    self.stopped.add(run.thread)
                self.runs.remove(run)
                if not self.runs and self._native is not None:
                    self._native.remove()

    def forget(self) -> None:
        """Forgets all runs, and replaces the lock, which another thread may have held."""
        self._lock = threading.Lock()
        self.runs.clear()

    def look(self) -> None:
        """Passes a received signal to all runs, and keeps listening."""
        with self._lock:
            self._look()

    def _look(self) -> None:
        # First of all: the handler that counts is the one that was installed when the signal came.
        if self._native is not None and self._native.heard.take():
            for run in self.runs:
                run.heard = True
                run.stop = run.stop or self._raises
        handler = signal.getsignal(signal.SIGINT)
        self._raises = handler is signal.default_int_handler or _is_of_a_loop(handler)
        if not callable(handler):
            return  # SIGINT is ignored, or ends the process at once
        if self._native is not None:
            self._native.install()
            return
        # Without ctypes the native handler could not be removed again.
        with suppress(ImportError, OSError):
            self._native = _Native()


class _Native:
    """The native handler.

    The action of the system for SIGINT is read and written as the bytes of a `struct sigaction`. Their layout does not
    matter, since only bytes that were read before are written.

    Attributes:
        heard: Records that the signal has come.
    """

    def __init__(self) -> None:
        """Installs the handler, which works once in a process; `install` puts it back later.

        Raises:
            ImportError: This Python was built without ctypes.
            OSError: The system refuses.
        """
        import ctypes

        self._buffer = ctypes.create_string_buffer
        # PyDLL keeps the GIL during the call, so that `signal.signal` cannot run in between.
        self._sigaction = ctypes.PyDLL(None).sigaction
        self._address = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_int)(("PyOS_getsig", ctypes.pythonapi))
        self._theirs = self._read()
        self.heard = _core._Sigint()
        # Without this, Ctrl-C would not wake a main thread that waits for a lock, as in `join`.
        signal.siginterrupt(signal.SIGINT, True)
        self._ours = self._read()

    def install(self) -> None:
        """Reinstalls the handler if it was replaced by the handler that it calls."""
        self._replace(self._theirs, self._ours)

    def remove(self) -> None:
        """Restores the previous handler, unless other code has replaced ours."""
        self._replace(self._ours, self._theirs)

    def _read(self) -> tuple[int | None, bytes]:
        """The address of the current handler, and the bytes of its `struct sigaction`."""
        action = self._buffer(1024)  # several times what any system needs
        if self._sigaction(int(signal.SIGINT), None, action):
            raise OSError("the handler of SIGINT cannot be read")
        return self._address(signal.SIGINT), action.raw

    def _replace(self, old: tuple[int | None, bytes], new: tuple[int | None, bytes]) -> None:
        if self._address(signal.SIGINT) == old[0]:
            self._sigaction(int(signal.SIGINT), self._buffer(new[1], len(new[1])), None)


_here = _Here()
_exiting = threading.Event()
_listener = _SignalListener()


def _stop_all() -> None:
    """Stops the runs that are still active in threads when the interpreter exits, and waits for them.

    Python would end their threads within Rust code, which aborts the process. Python itself waits for threads that
    are no daemons, but some versions do not wait for one that was being joined when Ctrl-C came.
    """
    _exiting.set()
    for run in list(_listener.runs):
        run.stop = True
    _wait(END_SECONDS, lambda: not _listener.runs)
    for run in list(_listener.runs):
        _raise_in(run.thread)
    _wait(LAST_SECONDS, lambda: not _listener.runs and _listener.stopped.isdisjoint(threading.enumerate()))
    # The preload thread imports pyinfra, whose native code would abort the process too, and whose imports would clear
    # the exit status that is set below.
    for thread in threading.enumerate():
        if thread.name == "clockwork-preload":
            _raise_in(thread, SystemExit)
            _wait(END_SECONDS, _has_ended(thread))
    if _has_ended_program():
        # Python sets the exit status from this exception.
        with suppress(KeyboardInterrupt):
            exec("raise KeyboardInterrupt")


def _has_ended(thread: threading.Thread) -> Callable[[], bool]:
    return lambda: not thread.is_alive()


def _raise_in(thread: threading.Thread, error: type[BaseException] = KeyboardInterrupt) -> None:
    """Raises an exception in Python code that does not poll, such as an endless loop in main.py."""
    with suppress(ImportError):
        import ctypes

        raised = ctypes.py_object(error)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), raised)


def _has_ended_program() -> bool:
    """Tells if Ctrl-C has ended the main program."""
    # At an interactive prompt, `last_type` is only the last exception that was shown.
    return getattr(sys, "last_type", None) is KeyboardInterrupt and not hasattr(sys, "ps1")


def _wait(seconds: float, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        # Further Ctrl-C are ignored while waiting.
        with suppress(KeyboardInterrupt):
            time.sleep(0.01)


def _forget_all() -> None:
    """Resets the state in a forked child, which has none of its parent's threads."""
    _listener.forget()
    _here.run = None


atexit.register(_stop_all)
os.register_at_fork(after_in_child=_forget_all)
