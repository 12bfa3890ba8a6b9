"""Fixtures of the tests of operations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.containers import Web
from support.docker_double import DockerDouble

if TYPE_CHECKING:
    from pathlib import Path

    from support.docker import Docker


@pytest.fixture
def web(docker: Docker) -> Web:
    """A container of the test's own."""
    return Web(docker)


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DockerDouble:
    """What stands before the real docker."""
    return DockerDouble(tmp_path, monkeypatch)
