r"""Infrastructure as Python: declare it, let a model fill in what you left out, deploy it with pyinfra.

```python
import clockwork
from clockwork.resources import FileResource

motd = FileResource(name="motd", content="Welcome.\n", directory="/tmp/clockwork-demo")
result = clockwork.apply([motd])
```

The functions `apply`, `plan`, `generate`, `destroy`, `check`, `watch` and `graph` take a path or a list of resources,
and work from the main thread, from any other thread, from a running asyncio loop and from a Jupyter cell.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from clockwork._core import VERSION as __version__
from clockwork.exceptions import ClockworkError

if TYPE_CHECKING:
    from clockwork._graph import Graph, graph
    from clockwork._watch import Round, watch
    from clockwork.core import ClockworkCore, apply, check, destroy, generate, plan
    from clockwork.resources.base import discard
    from clockwork.resources.group import Component, Group
    from clockwork.results import Result

__all__ = [
    "ClockworkCore",
    "ClockworkError",
    "Component",
    "Graph",
    "Group",
    "Result",
    "Round",
    "__version__",
    "apply",
    "check",
    "destroy",
    "discard",
    "generate",
    "graph",
    "plan",
    "watch",
]

# Pydantic takes longer to import than everything else here, and `clockwork version` does not need it.
_LAZY = {
    "ClockworkCore": "clockwork.core",
    "Graph": "clockwork._graph",
    "Component": "clockwork.resources.group",
    "Group": "clockwork.resources.group",
    "Result": "clockwork.results",
    "Round": "clockwork._watch",
    "apply": "clockwork.core",
    "check": "clockwork.core",
    "destroy": "clockwork.core",
    "discard": "clockwork.resources.base",
    "generate": "clockwork.core",
    "graph": "clockwork._graph",
    "plan": "clockwork.core",
    "watch": "clockwork._watch",
}


def __getattr__(name: str) -> object:
    """Imports a public name when it is first used."""
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Lists the public names, loaded or not."""
    return sorted(__all__)
