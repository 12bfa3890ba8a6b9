"""Draws docs/session.svg from a real session: `pip install '.[docs]'`, then `python docs/record.py`.

Every command is run in a terminal of its own, in one temporary project, and its questions are answered with yes. What
stands on its screen in the end is drawn below the command.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

import pyte
from rich.console import Console
from rich.text import Text

WIDTH = 100
MAIN = """\
from clockwork.resources import FileResource

motd = FileResource(name="motd", content="Welcome.\\n", directory="out")
about = FileResource(name="about.txt", description="What chess is in one sentence", directory="out")
"""
SESSION = [
    "cat main.py",
    "clockwork apply --model local",
    "echo 'Edited by hand.' > out/motd",
    "clockwork plan",
    "clockwork apply",
    "clockwork destroy --yes",
]
QUESTION = re.compile(rb"\[(?:y/N|Y/n)\] $")


def screen_of(command: str, folder: Path) -> list[Text]:
    """The final screen of a command on a terminal, line by line, in color."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 200, WIDTH, 0, 0))
    environment = os.environ | {
        "TERM": "xterm-256color",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    process = subprocess.Popen(
        command, shell=True, cwd=folder, env=environment, stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    screen = pyte.Screen(WIDTH, 200)
    stream = pyte.ByteStream(screen)
    unanswered = b""
    while True:
        try:
            output = os.read(leader, 65536)
        except OSError:
            break
        stream.feed(output)
        unanswered += output
        if QUESTION.search(unanswered):
            os.write(leader, b"y\n")
            unanswered = b""
    process.wait()
    lines = []
    for row in range(screen.cursor.y):
        line = Text()
        for column in range(WIDTH):
            cell = screen.buffer[row][column]
            color = {"default": "", "brown": "yellow"}.get(cell.fg, cell.fg)
            line.append(cell.data, style=f"{'bold ' if cell.bold else ''}{color}".strip())
        line.rstrip()
        lines.append(line)
    return lines


def main() -> None:
    """Runs the session and draws it."""
    folder = Path(tempfile.mkdtemp(prefix="session-"))
    try:
        (folder / "main.py").write_text(MAIN)
        # A warm cache: what the picture shows is not the download.
        subprocess.run([sys.executable, "-m", "clockwork", "model", "pull"], check=True, capture_output=True)
        console = Console(record=True, width=WIDTH, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
        for command in SESSION:
            console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
            for line in screen_of(command, folder):
                console.print(line)
        svg = console.export_svg(title="clockwork")
        # Whatever font is there will do: a picture has no business on the network.
        svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
        (Path(__file__).parent / "session.svg").write_text(svg)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
