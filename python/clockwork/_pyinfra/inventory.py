"""Reads an inventory file as pyinfra's command line does, whose module may not be imported: it patches."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from pyinfra.api.inventory import Inventory

from clockwork._pyinfra.current import here

Group = tuple[list[Any], dict[str, Any]]


def load_inventory(text: str, file: str) -> Inventory:
    """Makes an inventory of the text of an inventory file.

    Each list in it, or tuple of a list and a dictionary of data, is a group of hosts. Data for a group also
    comes from ``group_data/<group>.py`` beside the file.

    Args:
        text: The text of the file.
        file: Its full path, for ``__file__`` and for tracebacks.

    Raises:
        Exception: Whatever the file raises.
    """
    namespace = execute(text, file)
    groups = {name: as_group(value) for name, value in namespace.items() if is_group(name, value)}
    everyone = groups.pop("all", None)
    if everyone is None:
        names = (
            host[0] if isinstance(host, tuple) else host for hosts, _ in groups.values() for host in hosts
        )
        everyone = (list(dict.fromkeys(names)), {})
    groups.setdefault(Path(file).stem, (everyone[0], {}))

    # Files of group data may look at the inventory, which is then still without that data.
    here.inventory = Inventory(everyone, **{**groups, "all": everyone})
    try:
        extra = group_data(Path(file).parent / "group_data")
    finally:
        here.inventory = None
    everyone[1].update(extra.pop("all", {}))
    for name, data in extra.items():
        # A group that no list names may still be given to hosts by a connector.
        groups.setdefault(name, ([], {}))[1].update(data)
    return Inventory(everyone, **groups)


def execute(text: str, file: str) -> dict[str, Any]:
    """Runs a file's text and returns its names."""
    namespace: dict[str, Any] = {"__file__": file}
    exec(compile(text, file, "exec", dont_inherit=True), namespace)
    return namespace


def is_group(name: str, value: Any) -> bool:
    """Returns true if a name in an inventory file is a group of hosts."""
    if name.startswith("_"):
        return False
    if isinstance(value, tuple) and value:
        value = value[0]
    return isinstance(value, (list, tuple)) and all(isinstance(item, (str, tuple)) for item in value)


def as_group(value: Any) -> Group:
    """A group as its hosts and a copy of its data."""
    if isinstance(value, tuple):
        hosts, data = value
        return list(hosts), dict(data)
    return list(value), {}


def group_data(folder: Path) -> dict[str, dict[str, Any]]:
    """Reads the data of each group that has a file in a folder, without the names that the file imports."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob("*.py")) if folder.is_dir() else []:
        text = path.read_text(encoding="utf-8")
        namespace = execute(text, str(path))
        names = namespace.get("__all__")
        if names is None:
            names = [name for name in namespace if name not in imported_names(text)]
        found[path.stem] = {name: namespace[name] for name in names if not name.startswith("__")}
    return found


def imported_names(text: str) -> set[str]:
    """The names that a file's import statements bind."""
    return {
        (alias.asname or alias.name).split(".")[0]
        for node in ast.parse(text).body
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for alias in node.names
    }
