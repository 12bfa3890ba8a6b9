"""Caches of pyinfra's that outlive a run, or should exist and do not."""

from __future__ import annotations

from copy import copy
from typing import Any

from pyinfra.api import arguments, facts, util
from pyinfra.api.host import Host, HostData
from pyinfra.connectors import ssh
from pyinfra.connectors.sshuserclient import client as ssh_client

from clockwork._pyinfra.current import here, hooked


class _LaneCache(dict[Any, Any]):
    """A cache of pyinfra's that each lane has for itself, so that nothing in it outlives a run."""

    def __init__(self, name: str, shared: dict[Any, Any]) -> None:
        super().__init__(shared)
        self._name = name

    def _own(self) -> dict[Any, Any] | None:
        return None if here.lane is None else here.lane.belongings.caches.setdefault(self._name, {})

    def __contains__(self, key: object) -> bool:
        own = self._own()
        return super().__contains__(key) if own is None else key in own

    def __getitem__(self, key: Any) -> Any:
        own = self._own()
        return super().__getitem__(key) if own is None else own[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        own = self._own()
        if own is None:
            super().__setitem__(key, value)
        else:
            own[key] = value

    def clear(self) -> None:
        own = self._own()
        if own is None:
            super().clear()
        else:
            own.clear()


def hook_caches() -> None:
    """Gives each lane its own of the caches that would go stale or mix hosts up."""
    util.FILE_SHAS = _LaneCache("shas", util.FILE_SHAS)
    util.TEMPLATES = _LaneCache("templates", util.TEMPLATES)
    memoized: dict[str, Any] = {
        "host_keys": ssh_client.get_host_keys,
        "ssh_config": ssh_client.get_ssh_config,
        "transfers": ssh.SSHConnector.get_file_transfer_connection,
        "temporary_folder": Host._get_temp_directory,
    }
    for name, function in memoized.items():
        function.cache = _LaneCache(name, function.cache)


def hook_lookups() -> None:
    """Speeds up what pyinfra does for each of 32 arguments of each operation and of each fact."""
    known = arguments.all_global_arguments()

    @hooked(arguments.all_global_arguments)
    def all_global_arguments() -> list[tuple[str, type]]:
        return known

    for module in (arguments, facts):
        setattr(module, "all_global_arguments", all_global_arguments)  # noqa: B010

    @hooked(HostData.__getattr__)
    def find(self: HostData, key: str) -> Any:
        for data in self.datas:
            found = data() if callable(data) else data
            if key in found:
                return copy(found[key])
        raise AttributeError(key)

    setattr(HostData, "__getattr__", find)  # noqa: B010
