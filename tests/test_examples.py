"""The examples, run for real: on the small local model, on a scripted one, with real containers."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient

from support.model_server import ModelServer, Reply
from support.require import require_local_model

if TYPE_CHECKING:
    from support.docker import Docker
    from support.project import Project

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture
def example(project: Project, request: pytest.FixtureRequest) -> Project:
    """A copy of an example, on a machine that can run the local model."""
    require_local_model()
    return copied(request.param, project)


def copied(example: str, project: Project) -> Project:
    made = shutil.ignore_patterns(".clockwork", "clockwork.lock", "output", "site")
    shutil.copytree(EXAMPLES / example, project.folder, dirs_exist_ok=True, ignore=made)
    return project


def there_and_back(example: Project, written: list[str]) -> None:
    """Deployed files exist, a second apply leaves them unchanged, and destroy removes them."""
    for name in written:
        assert (example.folder / name).read_text().strip(), name
    again = example.json("apply")
    assert {resource["action"] for resource in again["resources"]} == {"unchanged"}
    assert all(artifact["pinned"] for artifact in again["artifacts"])
    assert example.run("destroy").returncode == 0
    assert not any((example.folder / name).exists() for name in written)


@pytest.mark.parametrize(
    ("example", "written"),
    [
        ("quickstart", ["output/article.md", "output/welcome.txt"]),
        ("custom-resource", ["output/hills/signpost.txt", "output/hills/latest"]),
    ],
    indirect=["example"],
)
def test_runs_to_the_end_and_back(example: Project, written: list[str]) -> None:
    done = example.run("apply", "--model", "local", timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    there_and_back(example, written)


def test_files_of_several_formats(served_project: Project, model_server: ModelServer) -> None:
    example = copied("file-generation", served_project)
    settings = '{"harbour": "Bergen", "days": 3}\n'
    model_server.script(Reply(), Reply(text=settings))
    done = example.run("apply", "--concurrency", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (example.folder / "output/tide/settings.json").read_text() == settings
    script = example.folder / "output/tide/tide.sh"
    assert script.stat().st_mode & 0o777 == 0o755
    guides = [f"output/guides/{city}.txt" for city in ("Bergen", "Halifax", "Valparaíso")]
    tide = [f"output/tide/{name}" for name in ("README.md", "settings.json", "tide.sh")]
    there_and_back(example, [*tide, *guides])


def test_two_containers(served_project: Project, model_server: ModelServer, docker: Docker) -> None:
    example = copied("docker-service", served_project)
    main = (example.folder / "main.py").read_text()
    # Images, names and a port of this test's own, as it must not fetch an image or meet what the machine runs.
    for theirs, ours in {
        "clockwork-example": docker.prefix,
        "redis:7-alpine": docker.images.one,
        "8080": str(docker.ports[0]),
        "/usr/share/nginx/html:ro": "/www:ro",
    }.items():
        assert theirs in main
        main = main.replace(theirs, ours)
    example.write(main)
    model_server.values["image"] = docker.images.two
    done = example.run("apply", "--allow-unverified-images")
    assert done.returncode == 0, done.stdout + done.stderr
    assert docker.page(docker.ports[0]) == "<h1>It works.</h1>"
    store = docker.container(docker.name("store"))
    assert store is not None
    assert store["Config"]["Image"] == docker.images.one
    assert "TZ=UTC" in store["Config"]["Env"]
    assert docker.network(docker.prefix) is not None
    there_and_back(example, ["site/index.html"])
    assert [docker.container(docker.name(name)) for name in ("web", "store")] == [None, None]
    assert docker.network(docker.prefix) is None
    assert docker.volume(docker.name("data")) is not None, "a volume is never removed"


@pytest.mark.parametrize("example", ["notebook"], indirect=True)
def test_the_notebook_runs(example: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OPENROUTER_")]:
        monkeypatch.delenv(name)
    book = nbformat.read(example.folder / "clockwork.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    client = NotebookClient(book, timeout=600, resources={"metadata": {"path": str(example.folder)}})
    client.execute()
    outputs = [cell["outputs"] for cell in client.nb.cells if cell["cell_type"] == "code"]
    assert "[('motd.txt', 'unchanged'), ('haiku.txt', 'unchanged')]" in str(outputs)
    assert not list((example.folder / "output").iterdir())
