"""Fixtures on real parts: a Docker engine, a model server, a project that the real command runs in."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from support.docker import Docker, Images, build_images, remove_images
from support.model_server import ModelServer
from support.project import Project
from support.require import in_ci
from support.sshd import Sshd, free_port, running_sshd
from support.watching import Hook, running_hook

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI, a skipped test is a failed one, whatever it was skipped by."""
    report = yield
    if report.skipped and in_ci() and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and in CI nothing is: {reason}"
    return report


@pytest.fixture(scope="session")
def docker_images() -> Iterator[Images]:
    """Two tiny images, made once and removed in the end."""
    images = build_images()
    yield images
    remove_images(images)


@pytest.fixture
def docker_image(docker_images: Images) -> str:
    """An image that serves a page on port 80."""
    return docker_images.one


@pytest.fixture
def docker(docker_images: Images) -> Iterator[Docker]:
    """The Docker engine, with names of this test's own; what has them is removed in the end."""
    engine = Docker(docker_images, f"clockwork-{uuid.uuid4().hex[:8]}", [free_port() for _ in range(3)])
    yield engine
    engine.clean_up()


@pytest.fixture
def model_server() -> Iterator[ModelServer]:
    """A scripted model server."""
    with ModelServer() as server:
        yield server


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project without a model server: whatever asks for one has to say where it is."""
    return Project(tmp_path)


@pytest.fixture
def served_project(tmp_path: Path, model_server: ModelServer) -> Project:
    """A project whose model server is the scripted one, and that has no key."""
    return Project(tmp_path, model_server.base_url)


@pytest.fixture
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process works in a folder of the test's own, and tells no webhook."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CLOCKWORK_WEBHOOK", raising=False)


@pytest.fixture(scope="module")
def sshd() -> Iterator[Sshd]:
    """A server that stands for other hosts; a test that stops it starts one of its own instead."""
    with running_sshd() as server:
        yield server


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A webhook."""
    with running_hook() as hook:
        yield hook
