"""The examples that need no account, run for real on the small local model."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient

from support.require import require_local_model

if TYPE_CHECKING:
    from support.project import Project

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture
def example(project: Project, request: pytest.FixtureRequest) -> Project:
    """A copy of an example, on a machine that can run the local model."""
    require_local_model()
    shutil.copytree(
        EXAMPLES / request.param,
        project.folder,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns(".clockwork", "clockwork.lock", "output"),
    )
    return project


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
    for name in written:
        assert (example.folder / name).read_text().strip(), name
    again = example.json("apply")
    assert {resource["action"] for resource in again["resources"]} == {"unchanged"}
    assert all(artifact["pinned"] for artifact in again["artifacts"])
    assert example.run("destroy").returncode == 0
    assert not any((example.folder / name).exists() for name in written)


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
