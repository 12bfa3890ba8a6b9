"""pyinfra operations on services of systemd. Plain pyinfra runs them too."""

from collections.abc import Iterator
from shlex import quote

from pyinfra import host
from pyinfra.api import FactBase, StringCommand, operation
from pyinfra.api.command import PyinfraCommand

from clockwork.operations import Intent

# A service that fails at once was started all the same. So it is looked at again after this many seconds.
GRACE = 1


class UnitStatus(FactBase[dict[str, str]]):
    """The properties of a unit, by their names in systemd."""

    def command(self, unit: str) -> str:
        return f"systemctl show {quote(unit)} --property=LoadState,ActiveState,UnitFileState,NeedDaemonReload"

    def process(self, output: list[str]) -> dict[str, str]:
        return dict(line.split("=", 1) for line in output if "=" in line)


@operation()
def unit(unit: str, present: bool = True) -> Iterator[PyinfraCommand]:
    """Loads, enables and starts a unit whose file is there, or stops and disables it."""
    found = host.get_fact(UnitStatus, unit=unit)
    is_there, is_active = found["LoadState"] != "not-found", found["ActiveState"] == "active"
    # A unit without [Install] is static: it cannot be enabled.
    enabled = found.get("UnitFileState") in ("enabled", "static")
    if not present:
        if is_active or (is_there and enabled):
            yield Intent("remove", [("running", is_active, None)])
            yield StringCommand("systemctl", "disable", "--now", quote(unit))
        return
    changes = [("enabled", False, True)] if not enabled else []
    if not is_active:
        changes.append(("running", False, True))
    elif found.get("NeedDaemonReload") == "yes":
        changes.append(("restarted", False, True))
    if not changes:
        return
    # When this runs, the file is there already: a unit that is new is one that neither runs nor is to.
    yield Intent("change" if is_active or enabled else "create", changes)
    yield StringCommand("systemctl daemon-reload")
    yield StringCommand("systemctl", "enable", quote(unit))
    yield StringCommand("systemctl", "restart", quote(unit))
    yield StringCommand(
        f"sleep {GRACE}; systemctl is-active --quiet {quote(unit)} || "
        f"{{ echo {quote(unit)} does not stay up: see journalctl -u {quote(unit)} >&2; exit 1; }}"
    )


@operation()
def reload(unit: str) -> Iterator[PyinfraCommand]:
    """Lets systemd forget a unit whose file is gone, also that it failed."""
    found = host.get_fact(UnitStatus, unit=unit)
    if found["LoadState"] != "not-found" or found["ActiveState"] == "failed":
        yield Intent("remove")
        yield StringCommand("systemctl daemon-reload")
        # One that has not failed is unknown by now, and that is what is wanted.
        yield StringCommand(f"systemctl reset-failed {quote(unit)} 2>/dev/null || true")
