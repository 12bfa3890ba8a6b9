"""Compiled files, run as a user of pyinfra does, without Clockwork's engine."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from .project import clean_environment

if TYPE_CHECKING:
    from .project import Project


def plain_pyinfra(project: Project, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the compiled files as a user of pyinfra does."""
    pyinfra = Path(sysconfig.get_path("scripts")) / "pyinfra"
    return subprocess.run(
        [str(pyinfra), "-y", "inventory.py", "deploy.py"],
        cwd=project.folder / ".clockwork/pyinfra",
        env=clean_environment(**environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
