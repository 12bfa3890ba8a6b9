"""The parts of driving pyinfra that must be Python: classes, hooks and context managers. The driver itself is Rust.

Nothing but `clockwork._core` imports this package, and `import clockwork` never does: it costs the 0.7 s that
pyinfra takes to import.

pyinfra keeps its context in module globals and runs its commands on gevent. Here both are replaced for the
threads of a run only. Each such thread works for one host. Every hook first asks whether the current thread is
one of these, and hands over to pyinfra's own code where it is not, so that a program's own use of pyinfra goes
on undisturbed, and runs in two threads never meet. The names that are replaced stand in `names`.
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

from clockwork._pyinfra.checks import CheckRunner  # noqa: E402
from clockwork._pyinfra.code import (  # noqa: E402
    compile_code,
    count_commands,
    describe,
    read_diff,
    run_operation,
    run_prelude,
    run_section,
    settle,
)
from clockwork._pyinfra.connection import connect, describe_connection, disconnect  # noqa: E402
from clockwork._pyinfra.current import HostResources, Interrupted, attach, detach  # noqa: E402
from clockwork._pyinfra.hooks import install  # noqa: E402
from clockwork._pyinfra.inventory import load_inventory  # noqa: E402
from clockwork._pyinfra.state import open_state  # noqa: E402
from clockwork.operations import Context  # noqa: E402

__all__ = [
    "CheckRunner",
    "Context",
    "HostResources",
    "Interrupted",
    "attach",
    "compile_code",
    "connect",
    "count_commands",
    "describe",
    "describe_connection",
    "detach",
    "disconnect",
    "install",
    "load_inventory",
    "open_state",
    "read_diff",
    "run_operation",
    "run_prelude",
    "run_section",
    "settle",
]
