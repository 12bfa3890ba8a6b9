"""Prints how fast Clockwork is, as a Markdown table, next to what it is to be compared with.

Every figure is a median of several runs of the real command in fresh processes. Those that are compared take turns
within one run of this script, so that a machine that is busy for a while slows down both.

    python benchmarks/run.py [--rounds N] [--files N]
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.model_server import ModelServer
from support.project import clean_environment, clockwork_command

if TYPE_CHECKING:
    from collections.abc import Sequence

ARTIFACTS = 16
CONCURRENCY = 8
SERVER_SECONDS = 0.3
OWN_DEPLOY = """
from io import StringIO

from pyinfra.operations import files

for i in range({count}):
    content = StringIO(f"This is file {{i}}.\\n" * 20)
    files.put(name=f"file-{{i}}.txt", src=content, dest=f"{output}/file-{{i}}.txt", mode="644")
"""

FILES_MAIN = """\
from clockwork.resources import FileResource

files = [
    FileResource(name=f"file-{{i}}.txt", content=f"This is file {{i}}.\\n" * 20, directory="output")
    for i in range({count})
]
"""
ARTIFACTS_MAIN = """\
from clockwork.resources import FileResource

files = [
    FileResource(name=f"text-{{i}}.txt", description=f"Text number {{i}}", directory="output")
    for i in range({count})
]
"""


@dataclass
class Run:
    """One run of a command: its wall time in seconds and its peak resident memory in bytes."""

    seconds: float
    memory: int


def run(command: Sequence[str], folder: Path) -> Run:
    """Runs a command in a fresh process.

    Raises:
        SystemExit: It failed; what it said is shown.
    """
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            output.seek(0)
            said = output.read().decode(errors="replace")
            sys.exit(f"{' '.join(command)} failed with {process.returncode}:\n{said[-4000:]}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Run(seconds, usage.ru_maxrss * unit)


def pyinfra_command(deploy: str = "deploy.py") -> list[str]:
    """The command of plain pyinfra for a file beside the compiled inventory."""
    return [str(Path(sysconfig.get_path("scripts")) / "pyinfra"), "-y", "inventory.py", deploy]


def local_files(count: int, rounds: int) -> list[str]:
    """Files deployed to this machine.

    Clockwork is compared with the `pyinfra` command, with pyinfra's own `files.put`, and on the compiled files, whose
    operations are Clockwork's.
    """
    ours = [clockwork_command(), "apply", "."]
    peers = {"`files.put` of pyinfra": "own.py", "the compiled files": "deploy.py"}
    times: dict[str, list[float]] = {}
    memory: list[int] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        compiled, output = folder / ".clockwork/pyinfra", folder / "output"
        (folder / "main.py").write_text(FILES_MAIN.format(count=count))
        # So that compiled files are there, and all code of both is in the file cache.
        run(ours, folder)
        (compiled / "own.py").write_text(OWN_DEPLOY.format(count=count, output=output))
        for deploy in peers.values():
            run(pyinfra_command(deploy), compiled)
        for _ in range(rounds):
            shutil.rmtree(output)
            (folder / ".clockwork/state.json").unlink(missing_ok=True)
            fresh = run(ours, folder)
            check(output, count)
            times.setdefault("fresh", []).append(fresh.seconds)
            memory.append(fresh.memory)
            times.setdefault("unchanged", []).append(unchanged(ours, folder, output).seconds)
            for deploy in peers.values():
                shutil.rmtree(output)
                peer = run(pyinfra_command(deploy), compiled)
                check(output, count)
                times.setdefault(f"{deploy} fresh", []).append(peer.seconds)
                peer = unchanged(pyinfra_command(deploy), compiled, output)
                times.setdefault(f"{deploy} unchanged", []).append(peer.seconds)
    rows = []
    for name, deploy in peers.items():
        for what in ("fresh", "unchanged"):
            mine, theirs = median(times[what]), median(times[f"{deploy} {what}"])
            row = f"| {count} local files, {what} | {mine:.2f} s | {theirs:.2f} s (`pyinfra -y`, {name})"
            goal = "at least 7 times" if deploy == "own.py" else ""
            rows.append(f"{row} | {theirs / mine:.1f} times faster | {goal} |")
    peak = median(memory) / 1e6
    rows.append(f"| peak memory of a {count}-file apply | {peak:.0f} MB | | | under 120 MB |")
    return rows


def check(output: Path, count: int) -> None:
    """Sees to it that a run did what it was measured for."""
    found = sum(1 for _ in output.iterdir())
    if found != count:
        sys.exit(f"{found} files were deployed instead of {count}")


def unchanged(command: Sequence[str], folder: Path, output: Path) -> Run:
    """Runs a command that has nothing to do, and sees to it that it does nothing to the files."""

    def state() -> dict[str, tuple[int, int]]:
        return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in output.iterdir()}

    before = state()
    done = run(command, folder)
    if state() != before:
        sys.exit(f"{' '.join(command)} changed files that were as they should be")
    return done


def artifacts(rounds: int) -> list[str]:
    """Artifacts from a server that takes its time, with the whole command around it."""
    times: dict[str, list[float]] = {"generate": [], "apply": []}
    with tempfile.TemporaryDirectory() as name, ModelServer(delay=SERVER_SECONDS) as server:
        folder = Path(name)
        (folder / "main.py").write_text(ARTIFACTS_MAIN.format(count=ARTIFACTS))
        options = ["--base-url", server.base_url, "--model", "scripted", "--api-key", "none-needed"]
        options += ["--concurrency", str(CONCURRENCY)]
        for number in range(rounds + 1):
            for verb, measured in times.items():
                server.requests.clear()
                for path in (folder / "clockwork.lock", folder / ".clockwork/state.json"):
                    path.unlink(missing_ok=True)
                shutil.rmtree(folder / "output", ignore_errors=True)
                taken = run([clockwork_command(), verb, ".", *options], folder).seconds
                if len(server.requests) != ARTIFACTS:
                    sys.exit(f"{len(server.requests)} requests were made instead of {ARTIFACTS}")
                if number:  # the first round warms up
                    measured.append(taken)
    least = ARTIFACTS / CONCURRENCY * SERVER_SECONDS
    what = f"{ARTIFACTS} artifacts from a {SERVER_SECONDS * 1000:.0f} ms server"
    peer = f"{least:.1f} s (the server alone, {CONCURRENCY} at once)"
    return [
        f"| {what}, `clockwork {verb}` | {median(taken):.2f} s | {peer} | {median(taken) - least:.2f} s more "
        f"| {'under 1.2 s' if verb == 'generate' else ''} |"
        for verb, taken in times.items()
    ]


def start(rounds: int) -> list[str]:
    """The time that the command takes to start."""
    ours, python = [], []
    folder = Path.cwd()
    for number in range(rounds + 1):
        mine = run([clockwork_command(), "version"], folder).seconds
        theirs = run([sys.executable, "-c", "pass"], folder).seconds
        if number:
            ours.append(mine)
            python.append(theirs)
    mine, theirs = median(ours) * 1000, median(python) * 1000
    row = f"| `clockwork version` | {mine:.0f} ms | {theirs:.0f} ms (`python -c pass`)"
    return [f"{row} | {mine - theirs:.0f} ms more | at most 40 ms more |"]


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description="Prints how fast Clockwork is.")
    parser.add_argument("--rounds", type=int, default=5, help="runs of each command (default: 5)")
    parser.add_argument("--files", type=int, default=200, help="files to deploy (default: 200)")
    arguments = parser.parse_args()
    print("| what | Clockwork | compared with | result | goal |\n|---|---|---|---|---|", flush=True)
    for row in start(arguments.rounds * 4):
        print(row, flush=True)
    for row in local_files(arguments.files, arguments.rounds):
        print(row, flush=True)
    for row in artifacts(arguments.rounds):
        print(row, flush=True)
    print(
        f"\nMedians of {arguments.rounds} runs each ({arguments.rounds * 4} for the start), on {os.cpu_count()} "
        f"cores, Python {sys.version.split()[0]}."
    )


if __name__ == "__main__":
    main()
