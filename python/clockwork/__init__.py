r"""Infrastructure as Python: declare it, let a model fill in what you left out, deploy it with pyinfra.

```python
import clockwork
from clockwork.resources import FileResource

motd = FileResource(name="motd", content="Welcome.\n", directory="/tmp/clockwork-demo")
result = clockwork.apply([motd])
```

The functions `apply`, `plan`, `generate` and `destroy` take a path or a list of resources, and work from the
main thread, from any other thread, from a running asyncio loop and from a Jupyter cell.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from clockwork._core import VERSION as __version__
from clockwork.exceptions import ClockworkError

if TYPE_CHECKING:
    from clockwork.core import ClockworkCore, apply, destroy, generate, plan
    from clockwork.results import Result

__all__ = [
    "ClockworkCore",
    "ClockworkError",
    "Result",
    "__version__",
    "apply",
    "destroy",
    "generate",
    "plan",
]

# Pydantic takes longer to import than everything else here, and `clockwork version` does not need it.
_LAZY = {
    "ClockworkCore": "clockwork.core",
    "Result": "clockwork.results",
    "apply": "clockwork.core",
    "destroy": "clockwork.core",
    "generate": "clockwork.core",
    "plan": "clockwork.core",
}


def __getattr__(name: str) -> object:
    """Imports a public name when it is first used."""
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """Lists the public names, loaded or not."""
    return sorted(__all__)
