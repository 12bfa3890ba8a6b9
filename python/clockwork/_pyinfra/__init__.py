"""What of driving pyinfra must be Python: classes, hooks and context managers. The driver itself is Rust.

Nothing but `clockwork._core` imports this package, and `import clockwork` never does: it costs the 0.7 s that
pyinfra takes to import.

pyinfra keeps its context in module globals and runs its commands on gevent. Here both are replaced for the
threads of a deploy only. Each such thread is a *lane*: it works for one host of one run. Every hook first
asks whether the current thread is a lane, and hands over to pyinfra's own code where it is not, so that a
program's own use of pyinfra goes on undisturbed, and runs in two threads never meet.
"""

from __future__ import annotations

import threading

import gevent.hub  # type: ignore[import-untyped]

# gevent takes the thread that imports it for the main thread. This package may be imported by any thread, and
# child processes through gevent would from then on fail in the real main thread.
gevent.hub.MAIN_THREAD_IDENT = threading.main_thread().ident

from clockwork._pyinfra.streams import that_answer  # noqa: E402

with that_answer():
    import pyinfra.progress  # noqa: F401

from clockwork._pyinfra.code import compile_code, describe, drain, run_code, settle  # noqa: E402
from clockwork._pyinfra.current import Belongings, Interrupted, enter, leave  # noqa: E402
from clockwork._pyinfra.hooks import install  # noqa: E402
from clockwork._pyinfra.hosts import describe_connection, hang_up, open_state, watch_facts  # noqa: E402
from clockwork._pyinfra.inventory import load_inventory  # noqa: E402
from clockwork._pyinfra.look import Lookout  # noqa: E402

__all__ = [
    "Belongings",
    "Interrupted",
    "Lookout",
    "compile_code",
    "describe",
    "describe_connection",
    "drain",
    "enter",
    "hang_up",
    "install",
    "leave",
    "load_inventory",
    "open_state",
    "run_code",
    "settle",
    "watch_facts",
]
