"""Projects of files in one folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from support.project import Project

HEAD = "from clockwork.resources import FileResource, Resource\n"


def file(name: str, more: str = "", content: str = "x") -> str:
    """The code of a file of that name."""
    return f'FileResource(name="{name}", content="{content}", directory="out", {more})'


def write(project: Project, *resources: str) -> None:
    """Writes a main.py of these resources."""
    project.write(HEAD + "".join(f"r{number} = {code}\n" for number, code in enumerate(resources)))


def files(project: Project) -> list[str]:
    """The names of the files that are there, sorted."""
    return sorted(path.name for path in (project.folder / "out").iterdir())
