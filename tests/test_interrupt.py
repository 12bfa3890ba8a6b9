"""Ctrl-C in programs of all kinds: each a process of its own, which has to end as Python programs do."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from support.model_server import ModelServer, Reply
from support.processes import all_gone, running
from support.project import clean_environment
from support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PROGRAM = """
import asyncio, os, queue, signal, sys, threading, time
import clockwork
from clockwork.resources import FileResource, Resource

class Slow(Resource):
    def to_pyinfra_operations(self, artifacts):
        return 'server.shell(commands=["sleep {seconds}"])'

deploys = [Slow(name="slow")]
generates = [FileResource(name="a.txt", description="A text", directory="out")]
settings = {"base_url": {base_url}}

def work():
    try:
        clockwork.apply({resources}, **settings)
    except KeyboardInterrupt:
        left = [thread.name for thread in threading.enumerate() if thread.name.startswith("clockwork-@")]
        print("interrupted", *left, flush=True)
        raise
    print("through", flush=True)

def started(**options):
    thread = threading.Thread(target=work, **options)
    thread.start()
    return thread

def say(*_):
    print("handled", flush=True)

def leave(*_):
    sys.exit(7)

def wait_to_leave():
    while not os.path.exists("leave"):
        time.sleep(0.01)

async def beside(function=work):
    await asyncio.to_thread(function)

"""

IN_A_THREAD = "started().join()"
WAYS = {
    "on the main thread": "work()",
    "in a running loop": """
async def inside():
    work()
asyncio.run(inside())
""",
    "in a thread": IN_A_THREAD,
    "in a daemon": "started(daemon=True).join()",
    "beside a loop": "asyncio.run(beside())",
    # The first loop has put a handler of its own in place and taken it away again.
    "beside a second loop": """
asyncio.run(beside(lambda: clockwork.plan(deploys)))
asyncio.run(beside())
""",
}
# The main thread goes on, so that its end cannot be what stops the run.
CAUGHT = """
thread = started()
try:
    thread.join()
except KeyboardInterrupt:
    print("caught", flush=True)
while any(each.name == thread.name for each in threading.enumerate()):
    time.sleep(0.01)
"""

SLOW_GOODBYE = """
from pyinfra.connectors.local import LocalConnector

def disconnect(self):
    open("leaving", "w").close()
    time.sleep(2)

LocalConnector.disconnect = disconnect
"""


@dataclass
class Program:
    """A program that runs.

    Attributes:
        process: Its process.
        sleep: The command that it deploys, like no other.
    """

    process: subprocess.Popen[str]
    sleep: str

    def sleeping(self) -> list[int]:
        return running(self.sleep)

    def leaves_nothing(self) -> bool:
        return all_gone(self.sleeping())

    def wait_for(self, condition: Callable[[], object]) -> None:
        def as_far() -> object:
            assert self.process.poll() is None, self.process.communicate()
            return condition()

        wait_until(as_far)

    def end(self) -> tuple[int, str]:
        """Its exit status and its output. The timeout is much shorter than the work that was interrupted."""
        output, errors = self.process.communicate(timeout=60)
        print(errors)
        return self.process.returncode, output


numbers = itertools.count()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    programs: list[Program] = []

    def start(call: str, base_url: str = "", whole_seconds: int = 600) -> Program:
        seconds = f"{whole_seconds}.{os.getpid()}{next(numbers):03}"
        text = PROGRAM.replace("{seconds}", seconds).replace("{base_url}", repr(base_url or None))
        text = text.replace("{resources}", "generates" if base_url else "deploys")
        process = subprocess.Popen(
            [sys.executable, "-c", text + call],
            cwd=tmp_path,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        programs.append(Program(process, f"sleep {seconds}"))
        return programs[-1]

    yield start
    for program in programs:
        with program.process:
            program.process.kill()
        for pid in program.sleeping():
            os.kill(pid, signal.SIGKILL)


@contextmanager
def silent_server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        server.script(Reply(delay=600))
        yield server


@pytest.mark.parametrize("way", WAYS)
def test_a_deploy_is_stopped(run: Callable[..., Program], way: str) -> None:
    program = run(WAYS[way])
    program.wait_for(program.sleeping)
    program.process.send_signal(signal.SIGINT)
    status, output = program.end()
    assert status in (-signal.SIGINT, 130)
    assert output == "interrupted\n"
    assert program.leaves_nothing()


@pytest.mark.parametrize("way", ["on the main thread", "in a thread", "in a daemon", "beside a loop"])
def test_a_generation_is_stopped(run: Callable[..., Program], way: str) -> None:
    with silent_server() as server:
        program = run(WAYS[way], server.base_url)
        program.wait_for(lambda: server.requests)
        program.process.send_signal(signal.SIGINT)
        status, output = program.end()
    assert status in (-signal.SIGINT, 130)
    assert output == "interrupted\n"


def test_a_program_that_goes_on_is_heard_too(run: Callable[..., Program]) -> None:
    program = run(CAUGHT)
    program.wait_for(program.sleeping)
    program.process.send_signal(signal.SIGINT)
    status, output = program.end()
    assert status == 0
    assert sorted(output.split()) == ["caught", "interrupted"]
    assert program.leaves_nothing()


@pytest.mark.parametrize("way", ["in a thread", "beside a loop"])
def test_a_handler_of_the_programs_own_may_let_it_go_on(run: Callable[..., Program], way: str) -> None:
    program = run(f"signal.signal(signal.SIGINT, say)\n{WAYS[way]}", whole_seconds=3)
    program.wait_for(program.sleeping)
    program.process.send_signal(signal.SIGINT)
    assert program.end() == (0, "handled\nthrough\n")


def test_a_handler_of_the_programs_own_may_end_the_program(run: Callable[..., Program]) -> None:
    program = run(f"signal.signal(signal.SIGINT, leave)\n{IN_A_THREAD}")
    program.wait_for(program.sleeping)
    program.process.send_signal(signal.SIGINT)
    status, output = program.end()
    assert (status, output) == (7, "interrupted\n")
    assert program.leaves_nothing()


def test_what_is_ignored_is_ignored(run: Callable[..., Program]) -> None:
    program = run(f"signal.signal(signal.SIGINT, signal.SIG_IGN)\n{IN_A_THREAD}", whole_seconds=3)
    program.wait_for(program.sleeping)
    program.process.send_signal(signal.SIGINT)
    assert program.end() == (0, "through\n")


def test_the_end_of_the_program_stops_a_daemon(run: Callable[..., Program], tmp_path: Path) -> None:
    program = run("started(daemon=True)\nwait_to_leave()")
    program.wait_for(program.sleeping)
    (tmp_path / "leave").touch()
    assert program.end() == (0, "interrupted\n")
    assert program.leaves_nothing()


def test_the_end_of_the_program_stops_an_endless_loop(run: Callable[..., Program], tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("open('leave', 'w').close()\nwhile True: pass\n")
    program = run("deploys = '.'\nstarted(daemon=True)\nwait_to_leave()")
    assert program.end() == (0, "interrupted\n")


def test_nothing_stays_behind(run: Callable[..., Program], tmp_path: Path) -> None:
    plan = "threading.Thread(target=clockwork.plan, args=(deploys,))"
    program = run(
        f"thread = {plan}\nthread.start()\nthread.join()\nopen('through', 'w').close()\nqueue.Queue().get()"
    )
    program.wait_for((tmp_path / "through").exists)
    time.sleep(0.2)
    program.process.send_signal(signal.SIGINT)
    status, output = program.end()
    assert (status, output) == (-signal.SIGINT, "")


def test_a_goodbye_is_stopped(run: Callable[..., Program], tmp_path: Path) -> None:
    program = run(SLOW_GOODBYE + "work()", whole_seconds=0)
    program.wait_for((tmp_path / "leaving").exists)
    program.process.send_signal(signal.SIGINT)
    assert program.end() == (-signal.SIGINT, "interrupted\n")


@pytest.mark.parametrize("call", ["clockwork.graph('.')", "PyInfraCompiler().compile(Lines())"])
def test_the_end_of_the_program_waits_for_what_a_daemon_is_at(
    run: Callable[..., Program], tmp_path: Path, call: str
) -> None:
    (tmp_path / "main.py").write_text("open('leave', 'w').close()\nwhile True: pass\n")
    program = run(
        """
from clockwork.pyinfra_compiler import PyInfraCompiler
class Endless(Resource):
    def to_pyinfra_operations(self, artifacts):
        open("leave", "w").close()
        while True: pass
class Lines(list):
    def __iter__(self):
        return iter([Endless(name="a")])
threading.Thread(target=lambda: CALL, daemon=True).start()
wait_to_leave()
""".replace("CALL", call)
    )
    assert program.end() == (0, "")


@pytest.mark.parametrize("stop", ["signal.raise_signal(signal.SIGINT)", "sys.exit(7)"])
def test_what_ends_a_program_is_heard_in_a_display_too(run: Callable[..., Program], stop: str) -> None:
    program = run(f"""
told = []
def progress(event):
    told.append(event["event"])
    if event["event"] == "deploy_begin":
        {stop}
try:
    clockwork.apply(deploys, progress=progress)
except KeyboardInterrupt:
    print("interrupted", "operation_end" in told, flush=True)
""")
    assert program.end() == (0, "interrupted False\n")
