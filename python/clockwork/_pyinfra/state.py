"""pyinfra's state: created once for a session, and reset for each script."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pyinfra.api.config import Config
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.state import BaseStateCallback, State, StateHostMeta, StateHostResults, StateStage
from pyinfra.connectors.local import LocalConnector
from typing_extensions import override

from clockwork._pyinfra.current import here, operation_of
from clockwork._pyinfra.local import DirectLocalConnector

if TYPE_CHECKING:
    from pyinfra.api.host import Host
    from pyinfra.api.inventory import Inventory


class HostFailedError(PyinfraError):
    """A fact that an operation or the user's code depends on cannot be had from a host."""


class SessionConfig(Config):
    """A config whose `DIFF` is each thread's own."""

    @property
    def DIFF(self) -> bool:
        """True if diffs are computed now."""
        return here.run is not None and here.wants_diff

    @DIFF.setter
    def DIFF(self, value: bool) -> None:
        pass


class RetryListener(BaseStateCallback):
    """Records with the run that an operation is tried again."""

    @staticmethod
    @override
    def operation_host_retry(
        state: State, host: Host, op_hash: str, retry_num: int, max_retries: int
    ) -> None:
        operation = operation_of(host) or op_hash
        if here.run is not None:
            here.run.record_retry(operation)


class SessionState(State):
    """A state in which a host that fails stops its own thread and no other, and that serves several scripts.

    Hosts keep their connectors and connections from one script to the next.
    """

    @override
    def fail_hosts(self, hosts_to_fail: set[Host], activated_count: int | None = None) -> None:
        if hosts_to_fail:
            self.failed_hosts |= hosts_to_fail
            self.active_hosts -= hosts_to_fail
            raise HostFailedError

    def begin(self, file: str) -> None:
        """Drops the operations of the previous script, and all settings of its code.

        Relative sources are resolved as plain pyinfra does: against the working folder, or against the
        script's own where they begin with ``./``.
        """
        self.current_deploy_filename = file
        self.current_exec_filename = file
        self.current_stage = StateStage.Setup
        self.is_executing = False
        self.activated_hosts, self.active_hosts, self.failed_hosts = set(), set(), set()
        self.op_meta = {}
        self.ops = {host: {} for host in self.inventory}
        self.meta = {host: StateHostMeta() for host in self.inventory}
        self.results = {host: StateHostResults() for host in self.inventory}
        for host in self.inventory:
            host.op_hash_order = []
            host.data.override_datas.clear()
            begin_section(host)


def open_state(inventory: Inventory) -> SessionState:
    """Makes the state of a session with these hosts."""
    for host in inventory:
        if host.connector_cls is LocalConnector:
            host.connector_cls = DirectLocalConnector
    state = SessionState(check_for_changes=True)
    state.cwd = str(Path.cwd())
    state.init(inventory, SessionConfig())  # type: ignore[no-untyped-call]
    state.add_callback_handler(RetryListener())  # type: ignore[no-untyped-call]
    return state


def begin_section(host: Host) -> None:
    """Resets the position in the previous code, which an exception may have left behind."""
    host.loop_position = []
    host.in_op = host.in_deploy = False
    host.current_op_hash = host.executing_op_hash = host.nested_executing_op_hash = None
    host.current_deploy_name = host.current_deploy_kwargs = host.current_deploy_data = None
