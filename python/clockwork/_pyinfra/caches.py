"""Replaces caches of pyinfra's that outlive a session, and adds missing ones."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

from clockwork._pyinfra import names
from clockwork._pyinfra.current import here, hooked

if TYPE_CHECKING:
    from pyinfra.api.host import HostData


class _HostCache(dict[Any, Any]):
    """A cache of pyinfra's that each host of a session has for itself, and that ends with the session."""

    def __init__(self, name: str, shared: dict[Any, Any]) -> None:
        super().__init__(shared)
        self._name = name

    def _own(self) -> dict[Any, Any] | None:
        return None if here.run is None else here.run.resources.caches.setdefault(self._name, {})

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
    """Gives each host of a session its own copy of the caches that would become stale or mix up hosts."""
    client = "pyinfra.connectors.sshuserclient.client"
    caches = {
        "shas": "pyinfra.api.util:FILE_SHAS",
        "templates": "pyinfra.api.util:TEMPLATES",
        "host_keys": f"{client}:get_host_keys.cache",
        "ssh_config": f"{client}:get_ssh_config.cache",
        "transfers": "pyinfra.connectors.ssh:SSHConnector.get_file_transfer_connection.cache",
        "temporary_folder": "pyinfra.api.host:Host._get_temp_directory.cache",
    }
    for key, path in caches.items():
        names.replace(path, _HostCache(key, names.original(path)))


def hook_lookups() -> None:
    """Speeds up what pyinfra does for each of 32 arguments of each operation and of each fact."""
    path = "pyinfra.api.arguments:all_global_arguments"
    original = names.original(path)
    known = original()

    @hooked(original)
    def all_global_arguments() -> list[tuple[str, type]]:
        return known  # type: ignore[no-any-return]

    names.replace(path, all_global_arguments)
    path = "pyinfra.api.host:HostData.__getattr__"

    @hooked(names.original(path))
    def find(self: HostData, key: str) -> Any:
        for data in self.datas:
            found = data() if callable(data) else data
            if key in found:
                return copy(found[key])
        raise AttributeError(key)

    names.replace(path, find)
