"""Ctrl-C while a run goes on, in whichever thread.

Python handles signals in its main thread alone. A run there asks for them while it waits; one in another thread is
told by an `_Ear`, and asks it through `check`.
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
"""Modules that put a handler of SIGINT in the place of Python's own, to end what they run when it lets them."""

END_SECONDS = 5.0
"""How long the interpreter's exit waits for runs in other threads to stop."""

LAST_SECONDS = 0.5
"""How long it then waits for their threads, so that they can tell of it."""


@contextmanager
def heard_at_once() -> Iterator[None]:
    """Lets the first Ctrl-C raise `KeyboardInterrupt` in the run inside, in whichever thread that is.

    In `asyncio.run` the first one only asks the running task to end, which it cannot while it waits for us.
    Handlers that the program has set itself are left as they are.

    Raises:
        ClockworkError: gevent has patched what a run needs, so that nothing would be heard, or done.
    """
    _refuse_green_threads()
    if threading.current_thread() is not threading.main_thread():
        with _ear.told():
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

    On the main thread there is nothing to do: Python's own handling raises it.
    """
    if _here.run is not None:
        _ear.look()
        if _here.run.is_over():
            raise KeyboardInterrupt


def _refuse_green_threads() -> None:
    """Refuses a process in which `gevent.monkey` has put its own things in the place of threads and processes.

    A run works in threads that are real: they would wait for each other for ever, and for what they start.
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
    """A run in a thread that is not the main one.

    Attributes:
        stop: Whether it is to stop.
        heard: Whether Ctrl-C came while the program had a handler of its own.
    """

    def __init__(self) -> None:
        self.thread = threading.current_thread()
        self.stop = False
        self.heard = False

    def is_over(self) -> bool:
        # A handler of the program's own may raise, which ends the main thread, or may want the work to go on.
        if not self.stop and not threading.main_thread().is_alive():
            self.stop = self.heard or _has_ended_program()
        return self.stop


class _Here(threading.local):
    run: _Run | None = None


class _Ear:
    """Hears SIGINT while there are runs in threads other than the main one.

    Nothing in Python does so without changing what the main thread does with it. `_core._Sigint` puts a native
    handler before Python's, which is still called. As `signal.signal` removes the native one again, without a word,
    it is looked after, and it goes when there is no such run any more. Where it cannot be had, or where other native
    code has a handler, runs in threads are stopped only by the end of the program.

    Tried instead: `faulthandler.register` can do all of this by itself, but crashes now and then while it walks the
    frames of a busy main thread. `signal.set_wakeup_fd` is for the main thread only, and for its event loop.
    """

    def __init__(self) -> None:
        self.runs: list[_Run] = []
        self.stopped: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._native: _Native | None = None
        self._raises = False

    @contextmanager
    def told(self) -> Iterator[None]:
        """Tells the run inside, which is the current thread's."""
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
        """Forgets all runs, and whoever held the lock."""
        self._lock = threading.Lock()
        self.runs.clear()

    def look(self) -> None:
        """Tells all runs what has been heard, and goes on listening."""
        with self._lock:
            self._look()

    def _look(self) -> None:
        # Before anything else looks at the handler: what counts is the one that there was when it came.
        if self._native is not None and self._native.heard.take():
            for run in self.runs:
                run.heard = True
                run.stop = run.stop or self._raises
        handler = signal.getsignal(signal.SIGINT)
        self._raises = handler is signal.default_int_handler or _is_of_a_loop(handler)
        if not callable(handler):
            return  # it is ignored, or ends the process at once, and so it shall be
        if self._native is not None:
            self._native.install()
            return
        # Without ctypes there is no way back from the native handler.
        with suppress(ImportError, OSError):
            self._native = _Native()


class _Native:
    """The native handler.

    What the system does on SIGINT is read and written as the bytes of a `struct sigaction`, whatever that looks like
    here; only what has been read is written.

    Attributes:
        heard: Tells whether the signal has come.
    """

    def __init__(self) -> None:
        """Installs it, which can be done once in a process; later it is put back as it was.

        Raises:
            ImportError: This Python was built without ctypes.
            OSError: The system refuses.
        """
        import ctypes

        self._buffer = ctypes.create_string_buffer
        # Not released meanwhile, the interpreter's lock keeps `signal.signal` from coming in between.
        self._sigaction = ctypes.PyDLL(None).sigaction
        self._address = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_int)(("PyOS_getsig", ctypes.pythonapi))
        self._theirs = self._read()
        self.heard = _core._Sigint()
        # Else a main thread that waits for a lock, as in `join`, would sleep on where Ctrl-C is to wake it.
        signal.siginterrupt(signal.SIGINT, True)
        self._ours = self._read()

    def install(self) -> None:
        """Puts it back where it has been replaced by the handler that it calls."""
        self._replace(self._theirs, self._ours)

    def remove(self) -> None:
        """Puts back what was there before, unless somebody else has done so."""
        self._replace(self._ours, self._theirs)

    def _read(self) -> tuple[int | None, bytes]:
        """The address of the handler that there is, and all that the system knows of it."""
        action = self._buffer(1024)  # several times what any system needs
        if self._sigaction(int(signal.SIGINT), None, action):
            raise OSError("the handler of SIGINT cannot be read")
        return self._address(signal.SIGINT), action.raw

    def _replace(self, old: tuple[int | None, bytes], new: tuple[int | None, bytes]) -> None:
        if self._address(signal.SIGINT) == old[0]:
            self._sigaction(int(signal.SIGINT), self._buffer(new[1], len(new[1])), None)


_here = _Here()
_exiting = threading.Event()
_ear = _Ear()


def _stop_all() -> None:
    """Stops the runs that still go on in threads when the interpreter ends, and waits for them.

    Python would end their threads amid Rust code, which aborts the process. It waits itself for threads that are
    no daemons, but in some versions not for one that it was already waiting for when Ctrl-C came.
    """
    _exiting.set()
    for run in list(_ear.runs):
        run.stop = True
    _wait(END_SECONDS, lambda: not _ear.runs)
    for run in list(_ear.runs):
        _raise_in(run.thread)
    _wait(LAST_SECONDS, lambda: not _ear.runs and _ear.stopped.isdisjoint(threading.enumerate()))
    # What imports pyinfra runs native code of others, which aborts just so; and what it defines makes Python forget
    # what is noted below.
    for thread in threading.enumerate():
        if thread.name == "clockwork-preload":
            _raise_in(thread, SystemExit)
            _wait(END_SECONDS, _has_ended(thread))
    if _has_ended_program():
        # Python notes this for the exit status.
        with suppress(KeyboardInterrupt):
            exec("raise KeyboardInterrupt")


def _has_ended(thread: threading.Thread) -> Callable[[], bool]:
    return lambda: not thread.is_alive()


def _raise_in(thread: threading.Thread, error: type[BaseException] = KeyboardInterrupt) -> None:
    """Raises an error in Python code that does not ask for it, such as an endless loop in main.py."""
    with suppress(ImportError):
        import ctypes

        raised = ctypes.py_object(error)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), raised)


def _has_ended_program() -> bool:
    """Whether Ctrl-C has ended the main program."""
    # At a prompt, the last exception is only the last that was shown.
    return getattr(sys, "last_type", None) is KeyboardInterrupt and not hasattr(sys, "ps1")


def _wait(seconds: float, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while not done() and time.monotonic() < deadline:
        # Another Ctrl-C does not make it faster.
        with suppress(KeyboardInterrupt):
            time.sleep(0.01)


def _forget_all() -> None:
    """Begins anew in a forked child, which has none of its parent's threads."""
    _ear.forget()
    _here.run = None


atexit.register(_stop_all)
os.register_at_fork(after_in_child=_forget_all)
