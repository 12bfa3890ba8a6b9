"""pyinfra operations of Clockwork's own, for what pyinfra's cannot do. Plain pyinfra runs them too.

An operation says what it is about to do before it does any of it: its first command is an `Intent`, which does
nothing itself. A plan is made from intents, never from the name of an operation or from the facts that it asks for.

What the state knows and what somebody approved is told to operations by a `Context`. Plain pyinfra has none, and an
operation then acts as pyinfra's own would.
"""

from __future__ import annotations

from clockwork.operations._context import Context, Intent, IntentAction, context, session
from clockwork.operations._deferred import host_data, output, publish, secret

__all__ = [
    "Context",
    "Intent",
    "IntentAction",
    "context",
    "host_data",
    "output",
    "publish",
    "secret",
    "session",
]
