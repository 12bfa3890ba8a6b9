"""Parts that a machine may lack.

On a user's machine, the tests of a part that is not there are skipped, with a reason that says what to
install. In CI (``CI=true``) a missing part is a failure: nothing may go untested without anyone noticing.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest


def in_ci() -> bool:
    """Tells if this is a CI run, in which every part is required."""
    return os.environ.get("CI", "").lower() in {"1", "true"}


def missing(what: str, install: str) -> NoReturn:
    """Ends a test whose part is missing: skipped at home, failed in CI."""
    reason = f"{what} is missing: {install}"
    if in_ci():
        pytest.fail(f"{reason} (in CI nothing is skipped)", pytrace=False)
    pytest.skip(reason)


def require_program(name: str, install: str) -> str:
    """The path of a program, also where it is in a folder for administrators that is not on PATH."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin:/bin")
    return found or missing(f"the program {name}", install)


def require_module(name: str, install: str) -> None:
    """Asks for a Python package."""
    if importlib.util.find_spec(name) is None:
        missing(f"the Python package {name}", install)


def require_sshd() -> str:
    """The path of the server that stands for other hosts."""
    return require_program("sshd", "install OpenSSH's server (Debian: apt-get install openssh-server)")


def require_docker() -> None:
    """Asks for a Docker engine that answers."""
    docker = require_program("docker", "install Docker (Debian: apt-get install docker.io)")
    answer = subprocess.run(
        [docker, "version", "--format", "{{.Server.Version}}"], capture_output=True, text=True
    )
    if answer.returncode != 0:
        missing("a running Docker engine", f"start it (dockerd); docker says: {answer.stderr.strip()[-200:]}")


def require_busybox() -> str:
    """Asks for a busybox that runs without libraries, of which test images are made."""
    install = "install busybox-static (Debian: apt-get install busybox-static)"
    busybox = require_program("busybox", install)
    with Path(busybox).open("rb") as file:
        if b"/ld-" in file.read(4096):  # one that needs libraries names its loader at its beginning
            missing("a static busybox", install)
    return busybox


def require_local_model() -> None:
    """Asks for what runs a model in this process."""
    require_module("xllamacpp", 'pip install "clockwork[local]"')
    require_module("pip", "python -m ensurepip")
