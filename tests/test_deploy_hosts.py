"""The deploy engine on several hosts: one real sshd on loopback that serves as all of them."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from clockwork import _core
from support.processes import running
from support.sshd import Sshd, free_port
from support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

PRELUDE = """\
from io import StringIO
from pyinfra import host, inventory
from pyinfra.operations import files, server
"""


def section(name: str, code: str) -> tuple[str, str, str]:
    return ("Test", name, code)


def run(folder: Path, inventory: str, *sections: tuple[str, str, str], **more: Any) -> Any:
    return _core._run_script(inventory, folder, list(sections), prelude=PRELUDE, **more)


def table(outcome: Any) -> dict[tuple[str, str], str]:
    return {(each["name"], each["host"]): each["action"] for each in outcome["resources"]}


def put_each(folder: Path, name: str) -> tuple[str, str, str]:
    """A file of its own for each host, since all are one machine."""
    path = f"f'{folder}/{{host.name}}-{name}'"
    return section(name, f"files.put(src=StringIO(host.name), dest={path}, mode='644')\n")


def test_two_hosts(tmp_path: Path, sshd: Sshd) -> None:
    inventory = sshd.inventory("one", "two")
    outcome = run(tmp_path, inventory, put_each(tmp_path, "a"))
    assert table(outcome) == {("a", "one"): "change", ("a", "two"): "change"}
    assert (tmp_path / "two-a").read_text() == "two"
    outcome = run(tmp_path, inventory, put_each(tmp_path, "a"))
    assert table(outcome) == {("a", "one"): "unchanged", ("a", "two"): "unchanged"}


def test_an_extra_operation_on_one_host_shifts_nothing(tmp_path: Path, sshd: Sshd) -> None:
    extra = section(
        "extra",
        f"if host.name == 'two':\n    files.directory(name='only two', path='{tmp_path}/only-two')\n"
        f"server.shell(name='both', commands=['true'])\n",
    )
    outcome = run(tmp_path, sshd.inventory("one", "two"), extra, put_each(tmp_path, "after"))
    named = {
        r["host"]: [op["name"] for op in r["operations"]]
        for r in outcome["resources"]
        if r["name"] == "extra"
    }
    assert named == {"one": ["both"], "two": ["only two", "both"]}
    assert table(outcome)["after", "one"] == "change"
    assert not any(resource["error"] for resource in outcome["resources"])


def test_a_host_that_is_away_does_not_stop_the_other(tmp_path: Path, sshd: Sshd) -> None:
    away = sshd.host("away", ssh_port=free_port())
    nameless = "('no.such.host.invalid', {})"
    keyless = sshd.host("keyless", ssh_key="/nowhere/key")
    stranger = sshd.host("stranger", ssh_user="nobody-of-that-name")
    inventory = f"hosts = [{away}, {nameless}, {keyless}, {stranger}, {sshd.host('good')}]\n"
    events: list[Any] = []
    outcome = run(tmp_path, inventory, put_each(tmp_path, "a"), listener=events.append)
    errors = {each["host"]: each["error"] for each in outcome["host_errors"]}
    assert set(errors) == {"away", "no.such.host.invalid", "keyless", "stranger"}
    assert "refused" in errors["away"]
    assert "no host called" in errors["no.such.host.invalid"]
    assert "/nowhere/key" in errors["keyless"]
    assert "does not let you in as nobody-of-that-name" in errors["stranger"]
    assert table(outcome)["a", "good"] == "change"
    assert table(outcome)["a", "away"] == "skipped"
    assert {event["host"] for event in events if event["event"] == "host_error"} == set(errors)


def test_a_failure_on_one_host_is_its_own(tmp_path: Path, sshd: Sshd) -> None:
    fails = section("fails", "server.shell(commands=['exit 1' if host.name == 'one' else 'true'])\n")
    raises = section("raises", "assert host.name != 'two', 'two is not wanted'\n")
    parts = (fails, raises, put_each(tmp_path, "after"), put_each(tmp_path, "apart"))
    outcome = run(tmp_path, sshd.inventory("one", "two", "three"), *parts, needs=[[], [], [0, 1], []])
    assert {table(outcome)["apart", host] for host in ("one", "two", "three")} == {"change"}
    assert table(outcome)["after", "one"] == "skipped"
    assert table(outcome)["after", "two"] == "skipped"
    assert table(outcome)["after", "three"] == "change"
    errors = {(r["name"], r["host"]): r["error"] for r in outcome["resources"] if r["error"]}
    assert set(errors) == {("fails", "one"), ("raises", "two")}
    assert "two is not wanted" in errors["raises", "two"]


def test_a_fact_that_cannot_be_had_fails_its_host(tmp_path: Path, sshd: Sshd) -> None:
    code = (
        "from pyinfra.facts.server import Command\n"
        "host.get_fact(Command, command='echo broken >&2; exit 1' if host.name == 'one' else 'true')\n"
    )
    outcome = run(tmp_path, sshd.inventory("one", "two"), section("fact", code), put_each(tmp_path, "a"))
    assert "broken" in outcome["resources"][0]["error"]
    assert table(outcome)["a", "two"] == "change"


@pytest.mark.parametrize(
    ("option", "most"), [("_serial=True", 1), ("_parallel=2", 2), ("_run_once=True", 1), ("_timeout=60", 3)]
)
def test_hosts_wait_where_an_operation_asks_for_it(
    tmp_path: Path, sshd: Sshd, option: str, most: int
) -> None:
    lock = threading.Lock()
    at_once: list[int] = [0, 0, 0]

    def listen(event: Any) -> None:
        if event.get("operation") != "slow":
            return
        with lock:
            at_once[0] += 1 if event["event"] == "operation_start" else -1
            at_once[1] = max(at_once[:2])
            at_once[2] += event["event"] == "operation_start"

    # Each host waits until as many are at it as may be; what comes too early would be seen in what remains.
    command = (
        f"touch {tmp_path}/began-$$; tries=0; until test $(ls {tmp_path} | grep -c began-) -ge {most}; do "
        f"sleep 0.05; tries=$((tries + 1)); test $tries -lt 1200 || exit 1; done; sleep 0.4"
    )
    slow = section("slow", f"server.shell(name='slow', commands=[{command!r}], {option})\n")
    outcome = run(
        tmp_path,
        sshd.inventory("one", "two", "three"),
        put_each(tmp_path, "before"),
        slow,
        put_each(tmp_path, "after"),
        listener=listen,
    )
    assert not any(resource["error"] for resource in outcome["resources"])
    assert at_once[1] == most
    assert at_once[2] == (1 if "once" in option else 3)
    assert [table(outcome)["after", name] for name in ("one", "two", "three")] == ["change"] * 3


def test_much_output_and_a_time_out_over_ssh(tmp_path: Path, sshd: Sshd) -> None:
    both = "yes | head -c 5000000; yes | head -c 5000000 >&2; printf 'caf\\351'"
    outcome = run(tmp_path, sshd.inventory("one"), section("much", f"server.shell(commands=[{both!r}])\n"))
    assert outcome["resources"][0]["error"] is None
    began = time.monotonic()
    slow = section("slow", "server.shell(commands=['sleep 60'], _timeout=1)\n")
    outcome = run(tmp_path, sshd.inventory("one"), slow)
    assert "timed out after 1s" in outcome["resources"][0]["error"]
    assert time.monotonic() - began < 50, "the command is not waited for until its own end"


def test_a_cancelled_run_closes_its_connections(tmp_path: Path, sshd: Sshd) -> None:
    cancel, ended = _core._Cancel(), []
    command = f"sleep 650.{os.getpid()}"

    def work() -> None:
        try:
            slow = section("slow", f"server.shell(commands=['{command}'])\n")
            run(tmp_path, sshd.inventory("one", "two"), slow, cancel=cancel)
        except KeyboardInterrupt:
            ended.append(threading.active_count())

    def connections() -> int:
        mine = psutil.Process().net_connections("tcp")
        return sum(each.raddr.port == sshd.port for each in mine if each.raddr)

    before = threading.active_count()
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        wait_until(lambda: len(running(command)) == 2)
        assert connections() == 2
        cancel.cancel()
        thread.join(60)
        assert ended == [before + 1]
        assert connections() == 0
    finally:
        # Closing an SSH channel ends no process on the other side.
        for pid in running(command):
            os.kill(pid, signal.SIGKILL)


def test_nothing_leaks_over_ssh(tmp_path: Path, sshd: Sshd) -> None:
    process = psutil.Process()
    run(tmp_path, sshd.inventory("one", "two"), put_each(tmp_path, "first"))
    descriptors, threads = process.num_fds(), threading.active_count()
    for number in range(20):
        run(tmp_path, sshd.inventory("one", "two"), put_each(tmp_path, str(number)))
    assert process.num_fds() == descriptors
    assert threading.active_count() == threads


def test_groups_and_their_data(tmp_path: Path, sshd: Sshd) -> None:
    (tmp_path / "group_data").mkdir()
    (tmp_path / "group_data" / "web.py").write_text(
        "import os\nfrom pyinfra import inventory\ncolour = 'blue'\n"
    )
    inventory = (
        f"_hidden = ['nobody']\nweb = ([{sshd.host('one')}], {{'size': 3}})\ndb = [{sshd.host('two')}]\n"
        f"assert __file__.endswith('inventory.py')\n"
    )
    code = (
        "assert [each.name for each in inventory] == ['one', 'two']\n"
        "assert [each.name for each in inventory.get_group('web')] == ['one']\n"
        "assert [each.name for each in inventory.get_group('inventory')] == ['one', 'two']\n"
        "wanted = (3, 'blue') if 'web' in host.groups else (None, None)\n"
        "assert (host.data.get('size'), host.data.get('colour')) == wanted\n"
    )
    outcome = run(tmp_path, inventory, section("groups", code))
    assert [resource["error"] for resource in outcome["resources"]] == [None, None]
