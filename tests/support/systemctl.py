"""A `systemctl` that keeps what it is told in a folder: a double, only because no systemd runs where the tests do."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_SCRIPT = """\
#!/bin/sh
units='{units}' state='{state}'
echo "$@" >> "$state/calls"
fail() {{ echo "$1" >&2; exit 1; }}
start() {{
    [ -e "$state/loaded/$1" ] || fail "Unit $1 not found."
    # One whose text says so ends at once, and systemctl does not complain.
    grep -q '^ExecStart=/bin/false' "$state/loaded/$1" || cp "$state/loaded/$1" "$state/active/$1"
}}
case $1 in
show)
    load=not-found; active=inactive; enabled=; reload=no
    if [ -e "$state/loaded/$2" ]; then
        load=loaded; enabled=disabled
        cmp -s "$units/$2" "$state/loaded/$2" || reload=yes
    elif [ -e "$units/$2" ]; then
        load=loaded; enabled=disabled
    fi
    [ -e "$state/active/$2" ] && active=active
    [ -e "$state/enabled/$2" ] && enabled=enabled
    printf 'LoadState=%s\\nActiveState=%s\\nUnitFileState=%s\\nNeedDaemonReload=%s\\n' \
        $load $active "$enabled" $reload
    ;;
daemon-reload)
    rm -f "$state"/loaded/*
    for unit in "$units"/*; do [ ! -e "$unit" ] || cp "$unit" "$state/loaded/"; done
    ;;
enable) touch "$state/enabled/$2" ;;
reset-failed) fail "Unit $2 not loaded." ;;
disable) [ "$2" = --now ] || fail "what is this?"; rm -f "$state/enabled/$3" "$state/active/$3" ;;
restart) rm -f "$state/active/$2"; start "$2" ;;
is-active) [ "$2" = --quiet ] && [ -e "$state/active/$3" ] || exit 3 ;;
*) fail "Unknown command verb $1." ;;
esac
"""


class SystemctlDouble:
    """Stands before the real `systemctl`, for what this process starts.

    Attributes:
        units: The folder that it reads unit files from.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Takes its place on the PATH."""
        self.units, self._state = folder / "units", folder / "systemctl-state"
        for each in (self.units, *(self._state / name for name in ("loaded", "active", "enabled", "bin"))):
            each.mkdir(parents=True)
        script = self._state / "bin/systemctl"
        script.write_text(_SCRIPT.format(units=self.units, state=self._state))
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(self._state / "bin"), prepend=os.pathsep)

    def _names(self, folder: str) -> list[str]:
        return sorted(path.name for path in (self._state / folder).iterdir())

    @property
    def enabled(self) -> list[str]:
        """The units that are enabled."""
        return self._names("enabled")

    @property
    def active(self) -> dict[str, str]:
        """The units that run, with the text that each was started with."""
        return {name: (self._state / "active" / name).read_text() for name in self._names("active")}

    @property
    def loaded(self) -> list[str]:
        """The units that it knows of."""
        return self._names("loaded")

    def stop(self, unit: str) -> None:
        """Stops a unit, as somebody might by hand."""
        (self._state / "active" / unit).unlink()
