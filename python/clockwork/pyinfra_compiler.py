"""The compile stage by itself: converts resources to files that plain pyinfra runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping  # noqa: TC003
from pathlib import Path
from typing import Any

from clockwork import _core, _interrupt
from clockwork.resources import Group, Resource  # noqa: TC001

__all__ = ["PyInfraCompiler"]


class PyInfraCompiler:
    """Writes `inventory.py`, `deploy.py` and `destroy.py`.

    To deploy elsewhere than to this machine, override `_generate_inventory` and pass the compiler to
    `ClockworkCore(compiler=…)`:

    ```python
    class OnMyHosts(PyInfraCompiler):
        def _generate_inventory(self) -> str:
            return 'web = [("10.0.0.5", {"ssh_user": "admin"})]'
    ```

    Args:
        output_dir: The folder to write to; it is created where it does not exist.
    """

    def __init__(self, output_dir: str | Path = ".clockwork/pyinfra") -> None:
        """Keeps the folder."""
        self.output_dir = Path(output_dir)

    def compile(
        self, resources: Iterable[Resource | Group], artifacts: Mapping[str, Any] | None = None
    ) -> Path:
        """Writes all three files.

        Args:
            resources: The resources, in order of deployment.
            artifacts: What the model wrote, by the resources' names.

        Returns:
            The folder.

        Raises:
            CompileError: A resource cannot be turned into pyinfra code.
            WriteError: The folder cannot be written to.
        """
        return self._compile(resources, artifacts, with_deploy=True)

    def compile_destroy(
        self, resources: Iterable[Resource | Group], artifacts: Mapping[str, Any] | None = None
    ) -> Path:
        """Writes `inventory.py` and `destroy.py` alone; no artifact is needed. See `compile`."""
        return self._compile(resources, artifacts, with_deploy=False)

    def _compile(
        self, resources: Iterable[Resource | Group], artifacts: Mapping[str, Any] | None, *, with_deploy: bool
    ) -> Path:
        with _interrupt.interruptible():
            _core.compile(
                list(resources),
                dict(artifacts or {}),
                self._generate_inventory(),
                str(self.output_dir),
                with_deploy,
            )
        return self.output_dir

    def _generate_inventory(self) -> str:
        """The text of `inventory.py`: lists of hosts, as pyinfra reads them.

        Returns:
            Python code. Without an override, it names this machine.
        """
        return _core.DEFAULT_INVENTORY
