"""The generate stage by itself."""

from __future__ import annotations

from collections.abc import Iterable  # noqa: TC003
from typing import Any

from clockwork.core import ClockworkCore
from clockwork.resources import Group, Resource  # noqa: TC001

__all__ = ["ArtifactGenerator"]


class ArtifactGenerator:
    """Asks the model for the artifacts that the resources need.

    Args:
        api_key: The key of the model server.
        model: The model's name.
        base_url: The address of an OpenAI-compatible server.
        concurrency: How many requests are made at once; 8 if left out.
    """

    def __init__(
        self,
        api_key: str | None = None,
        model: str | None = None,
        base_url: str | None = None,
        *,
        concurrency: int | None = None,
    ) -> None:
        """Keeps the settings. They are checked when something is generated."""
        self._core = ClockworkCore(api_key, model, base_url, concurrency=concurrency)

    def generate(self, resources: Iterable[Resource | Group]) -> dict[str, str | dict[str, Any]]:
        """Gets the artifacts of all resources that need one, from the lock file or from the model.

        Args:
            resources: The resources. `clockwork.lock` in the working folder pins what is written for them.

        Returns:
            The artifacts by the resources' names: a text, or the fields of the resource's `artifact_model`.
            Where resources of two kinds share a name, the later one is to be had as `Kind/name`.

        Raises:
            GenerationError: The model did not give what it was asked for.
        """
        artifacts: dict[str, str | dict[str, Any]] = {}
        for artifact in self._core.generate(list(resources)).artifacts:
            if artifact.content is not None:
                name = artifact.name if artifact.name not in artifacts else f"{artifact.kind}/{artifact.name}"
                artifacts[name] = artifact.content
        return artifacts
