"""Checks the owner of a container or a network, and that the engine answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyinfra.api import OperationError

from clockwork.operations import context
from clockwork.operations._docker.spec import FOLDER, PROJECT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from clockwork.operations.facts.docker import Engine


def check_engine(engine: Engine, removed: str | None = None) -> None:
    """Raises an error if the engine does not answer.

    Args:
        engine: Whether it could.
        removed: What is to be removed. It has to be asked for, while Docker can be installed before something is made.

    Raises:
        OperationError: In Docker's own words.
    """
    if engine.trouble is not None:
        raise OperationError(engine.trouble or "The Docker engine does not answer, and does not say why")
    if removed and not engine.installed:
        raise OperationError(
            "Docker is not installed on this host, or not on its PATH, so nobody can tell whether the "
            f"{removed} is there"
        )


def owner_labels() -> dict[str, str]:
    """The labels that name the owner."""
    now = context()
    pairs = ((PROJECT, now.project), (FOLDER, now.folder))
    return {key: value for key, value in pairs if value is not None}


def check_owner(labels: Mapping[str, Any], what: str, done: str) -> None:
    """Raises an error for a foreign thing, unless the context allows to take it over.

    Args:
        labels: The labels of what is there.
        what: What it is, with its name.
        done: What would be done to it: `replaced`, `removed`.

    Raises:
        OperationError: It says whose it is.
    """
    now = context()
    project = labels.get(PROJECT)
    if now.take_over or (project is not None and project == now.project):
        return
    if project is None:
        whose = "was not made by this project"
    else:
        folder = labels.get(FOLDER)
        whose = (
            f"belongs to another project ({folder})" if folder else f"belongs to another project ({project})"
        )
    raise OperationError(f"The {what} {whose}, and is not {done}")
