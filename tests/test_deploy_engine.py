"""The deploy engine on this machine: files, failures, output, interrupts, leaks, and manners as a guest."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from clockwork import _core
from support.processes import all_gone, running
from support.waiting import wait_until

LOCAL = 'hosts = ["@local"]\n'
PRELUDE = """\
from io import BytesIO, StringIO
from pyinfra import host
from pyinfra.operations import files, python, server
"""


def section(name: str, code: str) -> tuple[str, str, str]:
    return ("Test", name, code)


def put(path: Path, text: str, **more: Any) -> tuple[str, str, str]:
    options = "".join(f", {key}={value!r}" for key, value in more.items())
    return section(path.name, f"files.put(src=StringIO({text!r}), dest={str(path)!r}, mode='644'{options})\n")


def run(folder: Path, *sections: tuple[str, str, str], inventory: str = LOCAL, **more: Any) -> Any:
    return _core._run_script(inventory, folder, list(sections), prelude=PRELUDE, **more)


def actions(outcome: Any) -> list[str]:
    return [resource["action"] for resource in outcome["resources"]]


def only(outcome: Any) -> Any:
    (resource,) = outcome["resources"]
    return resource


def test_files_are_created_kept_and_changed(tmp_path: Path) -> None:
    a, b = tmp_path / "a.txt", tmp_path / "new" / "folder" / "b.txt"
    first = run(tmp_path, put(a, "one\n"), put(b, "two\n"))
    assert actions(first) == ["change", "change"]
    assert (a.read_text(), b.read_text()) == ("one\n", "two\n")
    assert oct(a.stat().st_mode)[-3:] == "644"
    again = run(tmp_path, put(a, "one\n"), put(b, "two\n"))
    assert actions(again) == ["unchanged", "unchanged"]
    assert not any(resource["changed"] or resource["diff"] for resource in again["resources"])
    edited = run(tmp_path, put(a, "one\n"), put(b, "2\n"))
    assert actions(edited) == ["unchanged", "change"]
    assert edited["resources"][1]["diff"] == f"--- {b}\n+++ {b}\n@@ -1 +1 @@\n-two\n+2\n"
    gone = run(tmp_path, section("a", f"files.file(path={str(a)!r}, present=False)\n"), removes=True)
    assert actions(gone) == ["remove"]
    assert not a.exists()


def test_a_plan_tells_all_and_changes_nothing(tmp_path: Path) -> None:
    old, new = tmp_path / "old.txt", tmp_path / "no" / "such" / "new.txt"
    old.write_text("same\nold\n")
    before = sorted(tmp_path.rglob("*"))
    outcome = run(
        tmp_path,
        put(old, "same\nnew\n"),
        put(new, "hello\n"),
        section("shell", f"server.shell(commands=['touch {tmp_path}/touched'])\n"),
        section("maybe", f"files.directory(path='{tmp_path}/d', _if=lambda: True)\n"),
        plan=True,
    )
    assert actions(outcome) == ["change", "change", "conditional", "conditional"]
    assert outcome["resources"][0]["diff"] == f"--- {old}\n+++ {old}\n@@ -1,2 +1,2 @@\n same\n-old\n+new\n"
    assert outcome["resources"][1]["diff"] == f"--- /dev/null\n+++ {new}\n@@ -0,0 +1 @@\n+hello\n"
    assert sorted(tmp_path.rglob("*")) == before
    assert old.read_text() == "same\nold\n"


def test_a_file_in_a_new_folder_shows_its_diff_when_deployed(tmp_path: Path) -> None:
    outcome = run(tmp_path, put(tmp_path / "new" / "a", "x\n"))
    assert only(outcome)["diff"].endswith("@@ -0,0 +1 @@\n+x\n")


def test_nothing_is_read_from_names_and_facts(tmp_path: Path) -> None:
    """An operation that announces no intent changes something, whatever it is called and asks for."""
    path = tmp_path / "a"
    path.touch()
    absent = section("absent", f"files.file(path={str(path)!r}, present=False)\n")
    assert actions(run(tmp_path, absent, plan=True)) == ["change"]
    assert actions(run(tmp_path, absent, removes=True)) == ["remove"]


def test_contents_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "binary"
    code = "files.put(src=BytesIO({!r}), dest={!r}, mode='600')\n"
    assert actions(run(tmp_path, section("b", code.format(b"\xff\xfe", str(path))))) == ["change"]
    assert actions(run(tmp_path, section("b", code.format(b"\xff\xfd\x00", str(path))))) == ["change"]
    assert path.read_bytes() == b"\xff\xfd\x00"


def test_a_later_operation_sees_what_an_earlier_one_changed(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("right\n")
    spoil = section("spoil", f"server.shell(commands=['echo wrong > {path}'])\n")
    outcome = run(tmp_path, put(path, "right\n"), spoil, put(path, "right\n"))
    assert actions(outcome) == ["unchanged", "conditional", "change"]
    assert path.read_text() == "right\n"


def test_local_files_look_as_pyinfra_would_see_them(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x" * 1000)
    (tmp_path / "file").chmod(0o4751)
    (tmp_path / "odd name").touch()
    (tmp_path / "folder").mkdir(mode=0o1777)
    (tmp_path / "link").symlink_to("folder")
    (tmp_path / "dangling").symlink_to("/no where")
    os.mkfifo(tmp_path / "fifo")
    # With relatime, a file that was read after its last change keeps its access time when it is read again.
    for name in ("file", "odd name", "folder"):
        os.utime(tmp_path / name, (time.time(), time.time() - 100))
    with suppress(PermissionError):
        Path("/etc/shadow").read_bytes()
    names = ["file", "odd name", "folder", "link", "dangling", "fifo", "nothing", "file/below"]
    code = f"""
from pyinfra.facts.files import Directory, File, Link, Sha1File
from clockwork._pyinfra import local
assert local.answer(str(File().command(path="/nothing/there"))) == ""
direct, by_command = [], []
for seen in (direct, by_command):
    for path in {[str(tmp_path / name) for name in names]!r} + ["/", "/dev/null", "/etc/shadow"]:
        seen += [host.get_fact(fact, path=path) for fact in (File, Directory, Link)]
        seen += [host.get_fact(Sha1File, path=path)] if not path.endswith("fifo") else []
    local.answer = lambda command: None
assert direct == by_command, (direct, by_command)
"""
    # The code turns the answers off half way, to compare them with the commands' own.
    local = importlib.import_module("clockwork._pyinfra.local")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "answer", local.answer)
        assert only(run(tmp_path, section("look", code)))["error"] is None


FAILS = "server.shell(commands=['echo out; echo why >&2; exit 3'])\nserver.shell(commands=['touch {}'])\n"


@pytest.mark.parametrize("code", [FAILS, "1 / 0\n" + FAILS])
def test_a_failure_skips_what_needs_it_and_says_why(tmp_path: Path, code: str) -> None:
    outcome = run(
        tmp_path,
        section("fails", code.replace("{}", str(tmp_path / "rest"))),
        put(tmp_path / "after", "x"),
        put(tmp_path / "needs it", "x"),
        put(tmp_path / "needs that", "x"),
        needs=[[], [], [0], [1, 2]],
    )
    failed, *others = outcome["resources"]
    assert failed["error"] in (
        "server.shell: out\nwhy",
        "ZeroDivisionError: division by zero (deploy.py, line 7)",
    )
    assert [other["action"] for other in others] == ["change", "skipped", "skipped"]
    assert [other["error"] for other in others] == [None, None, None]
    assert [path.name for path in tmp_path.iterdir() if path.name != "deploy.py"] == ["after"]


def test_failing_fast_skips_all_that_follows(tmp_path: Path) -> None:
    parts = (put(tmp_path / "before", "x"), section("fails", FAILS), put(tmp_path / "after", "x"))
    assert actions(run(tmp_path, *parts, fail_fast=True))[::2] == ["change", "skipped"]


def test_failing_fast_begins_nothing_where_the_code_fails(tmp_path: Path) -> None:
    parts = (put(tmp_path / "before", "x"), section("fails", "1 / 0\n"), put(tmp_path / "after", "x"))
    assert actions(run(tmp_path, *parts, fail_fast=True)) == ["skipped", "skipped", "skipped"]
    assert not (tmp_path / "before").exists()


def test_an_ignored_failure_is_none(tmp_path: Path) -> None:
    outcome = run(
        tmp_path,
        section("fails", "server.shell(commands=['exit 3'], _ignore_errors=True)\n"),
        put(tmp_path / "after", "x"),
    )
    assert [resource["error"] for resource in outcome["resources"]] == [None, None]
    assert actions(outcome) == ["unchanged", "change"]


def test_an_exception_in_the_code_names_its_line(tmp_path: Path) -> None:
    code = "import json\n\ndef inner():\n    json.loads('{')\n\ninner()\n"
    parts = (put(tmp_path / "a", "x"), section("raises", code), put(tmp_path / "b", "x"))
    first, failed, after = run(tmp_path, *parts, needs=[[], [], [1]])["resources"]
    assert first["action"] == "change"
    assert "JSONDecodeError" in failed["error"]
    assert failed["error"].endswith("(deploy.py, line 16, deploy.py, line 14)")
    assert (failed["action"], after["action"]) == ("skipped", "skipped")
    assert not (tmp_path / "b").exists()


def test_code_that_does_not_parse_names_its_line(tmp_path: Path) -> None:
    outcome = run(tmp_path, section("bad", "x = 1\nx ===\n"))
    assert only(outcome)["error"] == "SyntaxError: invalid syntax (deploy.py, line 8)"


@pytest.mark.parametrize("path", ["/proc/nothing", "/dev/null/a"])
def test_a_place_that_cannot_be_written(tmp_path: Path, path: str) -> None:
    error = only(run(tmp_path, put(Path(path), "x", create_remote_dir=False)))["error"]
    assert error.startswith(f"files.put: {path} cannot be written: ")
    assert "path" in error.splitlines()[-1]


def test_much_output_on_both_pipes(tmp_path: Path) -> None:
    script = "head -c 5000000 /dev/zero | tr '\\0' 'y\\n' {}"
    both = f"{script.format('')}; {script.format('>&2')}; yes | head -c 5000000; yes | head -c 5000000 >&2"
    # A pipe that nobody reads would hold it up for good.
    outcome = run(tmp_path, section("much", f"server.shell(commands=[{both!r}], _timeout=300)\n"))
    assert only(outcome)["error"] is None


def test_output_that_is_not_utf_8(tmp_path: Path) -> None:
    code = "server.shell(commands=[r\"printf 'caf\\351\\n' >&2; exit 1\"])\n"
    assert only(run(tmp_path, section("latin", code)))["error"] == "server.shell: caf\ufffd"


def test_a_time_out_kills_the_whole_group(tmp_path: Path) -> None:
    slow = f"sleep 61.{os.getpid()}"
    code = f"server.shell(commands=['{slow} & {slow}'], _timeout=1)\n"
    began = time.monotonic()
    error = only(run(tmp_path, section("slow", code)))["error"]
    assert time.monotonic() - began < 50, "nothing was waited for until its own end"
    assert "timed out after 1s" in error
    assert all_gone(running(slow))


INTERRUPTED = """
import sys, threading
from clockwork import _core
code = "server.shell(commands=['SLOW & echo; SLOW'])\\n"
def listen(event):
    if event["event"] == "operation_start":
        print("started", flush=True)
try:
    _core._run_script('hosts = ["@local"]', ".", [("T", "t", code)],
                      prelude="from pyinfra.operations import server\\n", listener=listen)
except KeyboardInterrupt:
    print("interrupted", threading.active_count(), flush=True)
    sys.exit(130)
"""


def test_ctrl_c_leaves_nothing_behind() -> None:
    slow = f"sleep 620.{os.getpid()}"
    program = INTERRUPTED.replace("SLOW", slow)
    child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "started\n"
    sleeping = wait_until(lambda: len(found := running(slow)) == 2 and found)
    child.send_signal(signal.SIGINT)
    try:
        assert child.communicate(timeout=60)[0] == "interrupted 1\n"
    finally:
        child.kill()
    assert child.returncode == 130
    assert all_gone(sleeping or [])


def test_a_run_in_a_worker_thread_can_be_cancelled(tmp_path: Path) -> None:
    cancel, ended = _core._Cancel(), []
    slow = f"sleep 630.{os.getpid()}"

    def work() -> None:
        try:
            run(tmp_path, section("slow", f"server.shell(commands=['{slow}'])\n"), cancel=cancel)
        except KeyboardInterrupt:
            ended.append("interrupted")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    sleeping = wait_until(lambda: running(slow))
    cancel.cancel()
    thread.join(60)
    assert ended == ["interrupted"]
    assert all_gone(sleeping)


def test_two_runs_in_two_threads_do_not_meet(tmp_path: Path) -> None:
    outcomes: dict[int, Any] = {}

    def work(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        sections = [put(folder / f"{i}.txt", f"{number} {i}\n") for i in range(20)]
        outcomes[number] = run(folder, *sections)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(3):
        assert actions(outcomes[number]) == ["change"] * 20
        assert (tmp_path / str(number) / "7.txt").read_text() == f"{number} 7\n"


def test_nothing_leaks(tmp_path: Path) -> None:
    process = psutil.Process()
    call = section("call", "python.call(function=lambda: server.shell(commands=['true']))\n")
    run(tmp_path, put(tmp_path / "first", "x"), call)
    descriptors, threads = process.num_fds(), threading.active_count()
    for number in range(20):
        outcome = run(tmp_path, put(tmp_path / f"{number}", "x"), call)
        assert not outcome["host_errors"]
        assert [resource["error"] for resource in outcome["resources"]] == [None, None]
    assert process.num_fds() == descriptors
    assert threading.active_count() == threads


def test_a_programs_own_pyinfra_is_undisturbed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    from pyinfra import logger, state
    from pyinfra.api import Config, Inventory, State
    from pyinfra.api.connect import connect_all
    from pyinfra.api.facts import get_facts
    from pyinfra.api.operation import add_op
    from pyinfra.api.operations import run_ops
    from pyinfra.context import ctx_state
    from pyinfra.facts.server import Command
    from pyinfra.operations import files

    own = State(Inventory((["@local"], {})), Config())
    levels = logger.level, list(logger.handlers), logger.propagate
    ctx_state.set(own)
    try:
        with caplog.at_level(logging.INFO, logger="pyinfra"):
            run(tmp_path, put(tmp_path / "a", "x"))
            assert caplog.records == []
            logger.info("the program's own")
        assert [record.getMessage() for record in caplog.records] == ["the program's own"]
        assert state.config is own.config
        assert levels == (logger.level, list(logger.handlers), logger.propagate)
        connect_all(own)
        assert list(get_facts(own, Command, args=("echo hi",)).values()) == ["hi"]
        add_op(own, files.directory, path=str(tmp_path / "made"))
        run_ops(own)
        assert (tmp_path / "made").is_dir()
    finally:
        ctx_state.reset()


def test_pyinfra_is_imported_only_when_needed() -> None:
    code = (
        "import sys, clockwork; from clockwork import _core; assert 'pyinfra' not in sys.modules;"
        "_core._preload(); import threading; [thread.join() for thread in threading.enumerate()[1:]];"
        "assert 'pyinfra' in sys.modules; import gevent.hub;"
        "assert gevent.hub.MAIN_THREAD_IDENT == threading.main_thread().ident"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


WARNING = """
from pyinfra import logger
from pyinfra.api import operation
@operation()
def grumble():
    logger.warning("something is odd here")
    yield "true"
grumble()
"""


@pytest.mark.parametrize(("apart", "told"), [(True, False), (False, True)])
def test_a_failure_repeats_complaints_of_its_own_resource_alone(
    tmp_path: Path, apart: bool, told: bool
) -> None:
    fails = "raise RuntimeError('no')\n"
    sections = (
        [section("one", WARNING), section("two", fails)] if apart else [section("one", WARNING + fails)]
    )
    outcome = run(tmp_path, *sections, plan=True)
    error = outcome["resources"][-1]["error"]
    assert "no" in error
    assert ("something is odd here" in error) == told
