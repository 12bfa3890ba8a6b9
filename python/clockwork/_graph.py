"""The dependency graph, as an object and as a picture."""

from __future__ import annotations

from dataclasses import dataclass

from clockwork import _core, _interrupt
from clockwork._types import Source  # noqa: TC001
from clockwork.resources import Resource  # noqa: TC001

__all__ = ["Graph", "graph"]


@dataclass(frozen=True, repr=False)
class Graph:
    """The dependency graph. A notebook shows it as a picture; as a string it is Mermaid.

    Attributes:
        resources: The resources, in order of deployment.
        needs: For each resource, the indices in `resources` of the resources that it needs.
        groups: For each resource, the path of its group, such as `webapp/storage`.
    """

    resources: tuple[Resource, ...]
    needs: tuple[tuple[int, ...], ...]
    groups: tuple[str | None, ...]

    def mermaid(self) -> str:
        """The graph in Mermaid, which Markdown viewers draw."""
        return self._draw("mermaid")

    def dot(self) -> str:
        """The graph in DOT, for Graphviz."""
        return self._draw("dot")

    def svg(self) -> str:
        """The graph as an SVG picture."""
        return self._draw("svg")

    def __str__(self) -> str:
        """The same as `mermaid`."""
        return self.mermaid()

    def __repr__(self) -> str:
        """The number of resources and dependencies."""
        return f"<Graph of {len(self.resources)} resources>"

    def _repr_svg_(self) -> str:
        """The picture, for a notebook."""
        return self.svg()

    def _draw(self, format: str) -> str:
        addresses = [(type(resource).__name__, resource.name) for resource in self.resources]
        return _core.draw(addresses, self.needs, self.groups, format)


def graph(source: Source = "main.py") -> Graph:
    """Loads a project, and returns its dependency graph.

    Args:
        source: A main.py, a folder that holds one, a group, or a list of resources and groups.

    Raises:
        LoadError: main.py cannot be used, or there is none.
    """
    with _interrupt.interruptible():
        resources, needs, groups = _core.graph(source)
    return Graph(tuple(resources), tuple(map(tuple, needs)), tuple(groups))
