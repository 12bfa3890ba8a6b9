"""A model without a key: llama.cpp's own OpenAI-compatible server, run inside this process.

```python
with LocalServer() as server:
    print(server.base_url, server.model)
```

Importing this module loads nothing; the server library is imported when a server is first started.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import importlib.util
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clockwork._model_file import is_gguf, is_pulled, model_path, pull
from clockwork.exceptions import LocalModelError

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ["LocalServer", "is_pulled", "leave", "model_path", "pull", "require_runtime", "unload"]

# Measured with the small model on two cores: about 90 tokens per second for one request at a time, about 140
# for four together. A slot of 4,096 tokens holds a prompt and the longest file of size MEDIUM.
SLOTS = 4
SLOT_TOKENS = 4096
# Beyond this length the text of the small model degenerates.
SMALL_MODEL_TOKENS = 1500
# A server without requests for this long frees its memory, and loads the model again on the next request.
IDLE_SECONDS = 120

# The time that the server's loop gets to become idle before it is stopped.
SETTLE_SECONDS = 0.3

_lock = threading.Lock()
_running: dict[tuple[Path, int, int], _Running] = {}


class LocalServer:
    """A running model server on loopback, for as long as the ``with`` block lasts.

    Servers are shared: within a process, a model is loaded once, and a second `LocalServer` for the same file
    starts at once. `close` therefore only releases it; the memory is freed after some idle time, by
    `unload`, or at the interpreter's exit.

    Attributes:
        base_url: The base URL for an OpenAI client; it ends in ``/v1``.
        model: The model's name: the name of the file without its suffix.
        path: The model file.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        """Starts the server, or shares the one that is running. May be called from any thread.

        Args:
            path: A GGUF file of a chat model. None means the small model, which is downloaded if needed.

        Raises:
            LocalModelError: The file is no model or cannot be downloaded, or the server library is missing.
        """
        require_runtime()
        self.path = _checked(Path(path)) if path is not None else pull()
        with _lock:
            stat = self.path.stat()
            key = (self.path.resolve(), stat.st_mtime_ns, stat.st_size)
            if key not in _running:
                if not _running:
                    # The native server has to be stopped before the interpreter exits: see `_Running.stop`.
                    atexit.unregister(unload)
                    atexit.register(unload)
                _running[key] = _Running(self.path)
            running = _running[key]
        self.base_url = f"http://127.0.0.1:{running.port}/v1"
        self.model = self.path.stem

    def close(self) -> None:
        """Releases the server. It stays loaded for the next use; `unload` stops it."""

    def __enter__(self) -> Self:
        """Returns the server."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Releases the server."""
        self.close()

    def __repr__(self) -> str:
        """The model and its address."""
        return f"LocalServer({self.model!r} at {self.base_url!r})"


def require_runtime() -> None:
    """Checks that the server library is installed, without loading it.

    Call it before a long `pull`, which would be useless without the library.

    Raises:
        LocalModelError: It is not installed.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise LocalModelError('A local model needs one more package: `pip install "clockwork[local]"`.')


def unload() -> None:
    """Stops all servers of this process and frees their memory. Answers in progress are aborted."""
    with _lock:
        while _running:
            _running.popitem()[1].stop()


def leave(status: int) -> None:
    """Ends the process at once if a server is running; otherwise does nothing.

    For the end of a program: the system frees the server's resources, so that its unreliable shutdown (see
    `_Running.stop`) is not needed.

    Args:
        status: The exit status.
    """
    if _running:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)


class _Running:
    """One native server."""

    def __init__(self, path: Path) -> None:
        try:
            native = importlib.import_module("xllamacpp")
        except ImportError as error:
            raise LocalModelError(
                f"The local model's server library cannot be loaded: {error}. "
                'Install it anew with `pip install --force-reinstall "clockwork[local]"`.'
            ) from error
        try:
            # This is the only reference to the native object: dropping it stops the server.
            self._server: Any = native.Server(_parameters(native, path))
        except RuntimeError as error:
            raise LocalModelError(
                f"llama.cpp cannot load {path}. It begins like a GGUF file, but is cut off, damaged, of an "
                "unknown kind, or too large for this memory. Fetch it again, or choose another model."
            ) from error
        self.port = int(self._server.listening_address.rsplit(":", 1)[1])

    def stop(self) -> None:
        """Stops the server.

        The native destructor holds the GIL while it waits for every answer to finish, so an answer in progress
        is a deadlock; at the interpreter's exit it is a crash. The server's side of each connection is
        therefore shut down first, so that no answer is in progress.
        """
        # The listening socket first, so that no new connection is accepted in between.
        for connected in (False, True):
            for descriptor in [int(entry.name) for entry in Path("/dev/fd").iterdir()]:
                with contextlib.suppress(OSError):
                    self._shut(descriptor, connected)
        # The destructor also deadlocks if it stops the loop just when the loop begins to wait for work. After a
        # moment without requests the loop is already waiting, and receives the stop.
        time.sleep(SETTLE_SECONDS)
        self._server = None

    def _shut(self, descriptor: int, connected: bool) -> None:
        """Shuts down a descriptor if it is the server's listening socket or, with `connected`, a connection of it."""
        # A duplicate, because another thread may close the descriptor and reuse its number.
        pinned = os.dup(descriptor)
        try:
            found = socket.socket(fileno=pinned)
        except OSError:
            os.close(pinned)
            return
        with found:
            if found.family == socket.AF_INET and found.getsockname() == ("127.0.0.1", self.port):
                listening = bool(found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
                if listening is not connected:
                    found.shutdown(socket.SHUT_RDWR)


def _parameters(native: Any, path: Path) -> Any:
    """The parameters of the server: silent, on loopback only, without optional features."""
    parameters = native.CommonParams()
    parameters.model.path = str(path)
    parameters.model_alias = {path.stem}  # otherwise answers have the full path of the file
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.verbosity = -1
    # Web pages may not use the server, and requests of others are not readable.
    parameters.cors_origins = ""
    parameters.endpoint_slots = False
    parameters.ui = False
    for threads in (parameters.cpuparams, parameters.cpuparams_batch):
        threads.n_threads = _cores()
        threads.poll = 0  # spinning threads starve each other on a busy machine
    parameters.n_parallel = SLOTS
    parameters.n_ctx = SLOTS * SLOT_TOKENS
    # Half the memory for the context (360 instead of 530 MB in all), at the same speed.
    parameters.cache_type_k = parameters.cache_type_v = native.ggml_type.GGML_TYPE_Q8_0
    parameters.cache_ram_mib = 0
    parameters.cache_idle_slots = False
    parameters.sleep_idle_seconds = IDLE_SECONDS
    if path == model_path():
        # Defaults for requests that set nothing else. Without these the small model repeats itself until its context
        # is full: nearly always with a low temperature, and in every second text with a plain repeat penalty.
        parameters.n_predict = SMALL_MODEL_TOKENS
        parameters.sampling.temp = 0.6
        parameters.sampling.top_p = 0.9
        parameters.sampling.penalty_repeat = 1.1
        parameters.sampling.penalty_last_n = 256
        parameters.sampling.dry_multiplier = 0.8
    return parameters


def _cores() -> int:
    """The number of cores to use: all available ones, up to eight; more do not speed up a small model."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, 8)


def _checked(path: Path) -> Path:
    """Checks that a file of the user's is a GGUF model."""
    path = path.expanduser().absolute()
    try:
        if not is_gguf(path):
            raise LocalModelError(
                f"{path} is not a GGUF model file. Give one, as in `--model local:/path/to/model.gguf`."
            )
    except OSError as error:
        raise LocalModelError(
            f"The model file {path} cannot be read: {error.strerror}. Check the path in `--model local:…`."
        ) from error
    return path
