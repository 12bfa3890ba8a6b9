"""Clockwork replaces names of pyinfra's, and refuses a version in which one of them differs."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata


def told(change: str) -> str:
    """The error for a pyinfra in which something differs."""
    code = f"""
import sys
import pyinfra.api.facts, pyinfra.connectors.ssh, pyinfra.connectors.util, pyinfra.local
{change}
from clockwork import _core
from clockwork.exceptions import ClockworkError
try:
    _core._run_script('hosts = ["@local"]', ".", [("T", "t", "pass")])
except ClockworkError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_pyinfra_that_is_known_is_driven() -> None:
    assert told("") == ""


def test_what_differs_is_named_with_the_versions_that_work() -> None:
    text = told(
        "pyinfra.connectors.util.run_local_process = lambda command, shell: None\n"
        "del pyinfra.connectors.ssh.read_output_buffers\n"
        "pyinfra.api.util.FILE_SHAS = []"
    )
    first, *rest = text.splitlines()
    version = metadata.version("pyinfra")
    assert first.startswith(f"pyinfra {version} differs from the versions that Clockwork works with.")
    assert "pip install 'pyinfra" in first
    assert rest == [
        "  pyinfra.connectors.util:run_local_process is (command, shell), expected was "
        "(command, stdin, timeout, print_output, print_prefix)",
        "  pyinfra.connectors.util:read_output_buffers is missing (module 'pyinfra.connectors.ssh' has no "
        "attribute 'read_output_buffers')",
        "  pyinfra.api.util:FILE_SHAS is (list), expected was (dict)",
    ]
