"""Progress in a Jupyter notebook: one line for each resource, updated in place."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Progress = Callable[[dict[str, Any]], None]

# A browser does not show more frequent updates any sooner.
_SECONDS_BETWEEN_UPDATES = 0.1
_LINES_SHOWN = 12


def in_notebook() -> bool:
    """Tells if this process is the kernel of a notebook. Imports nothing."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    # Google Colab and others have their own subclass of Jupyter's class.
    return any(known.__name__ == "ZMQInteractiveShell" for known in type(shell).__mro__)


@contextmanager
def progress(chosen: Progress | None) -> Iterator[Progress | None]:
    """Gives the receiver of progress events: the caller's, a display in a notebook, or None."""
    if chosen is not None or not in_notebook():
        yield chosen
        return
    display = _Display()
    try:
        yield display
    finally:
        display.clear()


class _Display:
    """A live list of the work in progress."""

    def __init__(self) -> None:
        from IPython import display

        # IPython has no type annotations.
        self._html = cast("Callable[..., Any]", display.HTML)
        self._lock = threading.Lock()
        self._lines: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        self._shown = 0.0
        show: Callable[..., Any] = display.display
        self._handle = show(self._html(""), display_id=True)

    def __call__(self, event: dict[str, Any]) -> None:
        """Receives one event."""
        with self._lock:
            self._note(event)
            now = time.monotonic()
            if now - self._shown >= _SECONDS_BETWEEN_UPDATES:
                self._shown = now
                lines = list(self._lines.values())[-_LINES_SHOWN:]
                self._update("<br>".join(escape(line) for line in lines))

    def clear(self) -> None:
        """Clears the list, to make room for the result."""
        with self._lock:
            self._update("")

    def _update(self, html: str) -> None:
        if self._handle is not None:
            self._handle.update(self._html(html))

    def _note(self, event: dict[str, Any]) -> None:
        what = event["event"]
        resource = event.get("resource")
        name = f"{resource['kind']} {resource['name']}" if resource else ""
        if what == "waiting":
            self._lines[what] = f"… waiting for {event['holder']}"
        elif what == "waited":
            self._lines.pop("waiting", None)
        elif what == "generate_start":
            self._lines[name] = f"✎ {name}: asking the model"
        elif what == "generate_delta":
            self._texts[name] = (self._texts.get(name, "") + event["text"])[-80:]
            self._lines[name] = f"✎ {name}: {self._texts[name]}"
        elif what == "generate_retry":
            self._texts.pop(name, None)
            self._lines[name] = f"… {name}: {event['reason']}; again in {event['seconds']:.0f} s"
        elif what in ("generate_end", "generate_error"):
            self._lines[name] = (
                f"{'✓' if what == 'generate_end' else '✗'} {name}: {event.get('error') or 'written'}"
            )
        elif what == "download":
            self._lines["download"] = (
                f"↓ {event['what']}: {event['bytes'] / 1e6:.0f} of {event['total'] / 1e6:.0f} MB"
            )
        elif what == "host_error":
            self._lines[event["host"]] = f"✗ {event['host']}: {event['error']}"
        elif what == "operation_start":
            self._lines[f"{event['host']} {name}"] = f"⋯ {event['host']}: {event['operation']}"
        elif what == "operation_end":
            mark, word = ("✗", "failed") if event["failed"] else ("✓", event["action"])
            self._lines[f"{event['host']} {name}"] = f"{mark} {event['host']}: {event['operation']}: {word}"
        elif what == "check_start":
            self._lines[f"{event['host']} {name} {event['check']}"] = f"⋯ {event['host']}: {event['check']}"
        elif what == "check_end":
            mark = "✓" if event["ok"] else "✗"
            line = f"{mark} {event['host']}: {event['check']}"
            self._lines[f"{event['host']} {name} {event['check']}"] = line
