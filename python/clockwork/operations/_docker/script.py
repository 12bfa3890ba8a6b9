"""The shell scripts that change containers. Any POSIX shell runs them; every part of every argument is quoted.

A container is replaced in such an order that a run may be killed between any two commands: the new one is made under
a name of its own, the old one is stopped and set aside under another, and goes when the new one has shown that it
stays up. Whatever is left tells the next run how far this one came.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pyinfra.api import OperationValueError, StringCommand

from clockwork.operations.facts.docker import NEW, OLD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from clockwork.operations._docker.spec import Spec
    from clockwork.operations.facts.docker import Container

LOG_LINES = 12
"""The number of last lines of the log that are shown of a container that does not stay up."""

# The client reads settings from some of these variables, and the shell from others. They can only be passed in a file.
_NOT_EXPORTED = re.compile(
    r"PATH|HOME|IFS|ENV|PWD|OLDPWD|PS\d|OPT\w+|LANG|LC_\w+|U?ID|E?UID|PPID|BASH\w*|SHELL\w*|TMPDIR|NO_COLOR|XDG_\w+"
    r"|LD_\w+|GO[A-Z]+|SSL_\w+|SSH_\w+|DOCKER_\w+|BUILD\w+|OTEL_\w+|(?i:\w+_proxy)"
)
_EXPORTED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# Docker reads no longer line of a file than 64 KiB.
_LONGEST = 60_000

_START = """\
command -v docker >/dev/null 2>&1 || { echo 'docker: not found' >&2; exit 127; }
say() { printf '%s\\n' "$*" >&2; }
drop() { docker container rm --force --volumes "$@" >/dev/null 2>&1; }
"""

# The name, and how often docker may have started it again. A first look comes at once, for what failed at once.
_LOOK = """\
look() {
    seconds=0
    while :; do
        state=$(docker container inspect --format '{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}' "$1") \\
            || return 1
        case $state in
            "running "*" $2") ;;
            @done) return 0 ;;
            *)
                code=${state#* }
                why="it ended with status ${code%% *}"
                [ "${state%% *}" != running ] || why="docker had to start it again"
                say "The container $1 does not stay up: $why. The last lines of its log:"
                docker container logs --tail @lines "$1" >&2
                return 1 ;;
        esac
        [ "$seconds" -lt @seconds ] || return 0
        sleep 1
        seconds=$((seconds + 1))
    done
}
"""

# The suffix of the name of the container that was set aside, the flag to start it, and its former names.
_PUT_BACK = """\
put_back() {
    end=$1 start=$2
    shift 2
    for each in "$@"; do drop "$each"; done
    for each in "$@"; do docker container rename "$each$end" "$each" || say "The old one is now $each$end."; done
    [ "$start" = true ] || return 0
    for each in "$@"; do
        docker container start "$each" >/dev/null && say "The container $each that was there before runs again."
    done
}
"""

# The names of all containers that were set aside together: one of them may hold a port that another needs.
_TOGETHER = """\
together() {
    for each in $(docker container ls --all --format '{{.Names}}' --filter "name=$1"); do
        case $each in *"$1") printf '%s\\n' "${each%"$1"}" ;; esac
    done
}
"""


@dataclass
class Script:
    """A script and its standard input."""

    name: str
    lines: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=lambda: [_START])
    stdin: str | None = None

    def __post_init__(self) -> None:
        """Starts the script with the names of the containers."""
        self.name, self.new, self.old = (quoted(self.name + end) for end in ("", NEW, OLD))

    def command(self) -> StringCommand:
        """The script as a command of pyinfra's."""
        text = "".join(self.functions) + "\n".join(self.lines)
        return StringCommand(text, _stdin=self.stdin) if self.stdin is not None else StringCommand(text)

    def clear(self, *ends: str) -> None:
        """Removes the containers that a killed run left under these names."""
        for end in ends:
            self.lines.append(f"drop {self.name}{end}")

    def create(self, spec: Spec, labels: Mapping[str, str], found: Container, pull: bool) -> None:
        """Creates the new container beside the existing one, which is kept if that fails.

        Args:
            spec: What it is made from.
            labels: Labels of Clockwork's own.
            found: What the engine has already.
            pull: Whether to fetch its image also if the engine has it.
        """
        image = quoted(spec.image)
        if found.new is not None:
            self.clear(NEW)
        # Docker itself would report it only at the start of the container.
        for network in spec.networks:
            if ":" not in network and network not in found.networks:
                self.run("network", "inspect", network)
        if pull or found.image is None:
            told = quoted(f"The image {spec.image} cannot be fetched.")
            self.lines.append(
                f"docker image pull --quiet {image} >/dev/null || {{ echo {told} >&2; exit 1; }}"
            )
        arguments = [*create_arguments(spec, labels)]
        given, file, self.stdin = environment_input(spec)
        arguments += given
        # A file that another user's process opened cannot be opened again: the client gets one of this shell's.
        here = "--env-file /dev/stdin " if file else ""
        command = (
            f"docker container create --name {self.new} {here}{' '.join(map(quoted, arguments))} -- {image}"
        )
        command = " ".join([command, *map(quoted, spec.command or ())])
        if self.stdin is None:
            self.lines.append(f"{command} >/dev/null || exit 1")
        elif not file:
            self.lines.append(f'(eval "$(cat)"; exec {command}) >/dev/null || exit 1')
        else:
            self.lines.append(f'(eval "$(cat)"; exec {command} <<END\n$file\nEND\n) >/dev/null || exit 1')
        for network in spec.networks[1:]:
            self.lines.append(
                f"docker network connect {quoted(network)} {self.new} || {{ drop {self.new}; exit 1; }}"
            )

    def set_aside(self, ran: bool, stale: bool) -> None:
        """Makes room for the new container. The old one is renamed before it stops, so that its name explains it.

        Args:
            ran: Whether it is to run again if it is put back.
            stale: Whether there is one that was set aside before, and is of no use any more.
        """
        if stale:
            self.forget(OLD)
        self.lines += [
            f"ran={str(ran).lower()}",
            f"docker container rename {self.name} {self.old} || {{ drop {self.new}; exit 1; }}",
            f"docker container stop {self.old} >/dev/null || {{",
            f"    docker container rename {self.old} {self.name}",
            f"    drop {self.new}",
            "    exit 1",
            "}",
        ]

    def take_place(self) -> None:
        """Gives the new container its name."""
        self.lines.append(f"docker container rename {self.new} {self.name} || exit 1")

    def start(self, seconds: int, once: bool, aside: str | None, discard: bool, fresh: bool = True) -> None:
        """Starts the container, and checks that it stays up.

        Args:
            seconds: How long it has to.
            once: Whether it may also end with status 0.
            aside: The end of the name of what is put back if it does not.
            discard: Whether it is removed if it does not, where there is nothing to put back.
            fresh: Whether it is started now. Else it runs, and docker may have started it again long ago.
        """
        done = '"exited 0 0"' if once else "never"
        text = _LOOK.replace("@done", done).replace("@lines", str(LOG_LINES))
        self.functions.append(text.replace("@seconds", str(seconds)))
        if fresh:
            self.lines.append(
                f"if ! docker container start {self.name} >/dev/null || ! look {self.name} 0; then"
            )
        else:
            count = f"docker container inspect --format '{{{{.RestartCount}}}}' {self.name}"
            self.lines.append(f'if ! look {self.name} "$({count})"; then')
        if aside is not None:
            self.functions += [_PUT_BACK, _TOGETHER]
            names = self.name if aside == OLD else f"$(together {quoted(aside)})"
            self.lines.append(f'    put_back {quoted(aside)} "${{ran-true}}" {names}')
        elif discard:
            self.lines.append(f"    drop {self.name}")
        self.lines += ["    exit 1", "fi"]

    def forget(self, end: str) -> None:
        """Removes the container that was set aside. Its volumes stay, also anonymous ones: they may hold data."""
        self.lines.append(f"docker container rm --force {self.name}{end} >/dev/null || exit 1")

    def forget_removed(self, end: str) -> None:
        """Waits for the removal of a container with `--rm`, which docker removes some time after its end."""
        self.lines += [
            f"docker container rm --force {self.name}{end} >/dev/null 2>&1",
            "seconds=0",
            f'while [ "$seconds" -lt 10 ] && docker container inspect {self.name}{end} >/dev/null 2>&1; do',
            "    sleep 1",
            "    seconds=$((seconds + 1))",
            "done",
        ]

    def forget_together(self, end: str) -> None:
        """Removes all containers that were set aside together, if their successors run; else leaves them for later."""
        self.functions += [_TOGETHER]
        self.lines += [
            f"names=$(together {quoted(end)})",
            "for each in $names; do",
            "    state=$(docker container inspect --format '{{.State.Running}}' \"$each\" 2>/dev/null)",
            '    [ "$state" = true ] || exit 0',
            "done",
            f'for each in $names; do docker container rm --force "$each"{quoted(end)} >/dev/null || exit 1; done',
        ]

    def forget_all(self, end: str, names: Sequence[str]) -> None:
        """Removes the containers that these set aside."""
        self.run("container", "rm", "--force", *(name + end for name in names))

    def set_aside_together(self, end: str, names: Sequence[str], stop: Sequence[str]) -> None:
        """Renames and stops containers; puts all of them back if that fails."""
        self.functions += [_PUT_BACK, _TOGETHER]
        back = f"{{ put_back {quoted(end)} true $(together {quoted(end)}); exit 1; }}"
        for name in names:
            self.lines.append(f"docker container rename {quoted(name)} {quoted(name + end)} || {back}")
        # All of them stop at the same time.
        listed = " ".join(quoted(name + end) for name in (*stop, *names))
        self.lines.append(f"docker container stop {listed} >/dev/null || {back}")

    def settle(self, end: str, names: Sequence[str], kept: Sequence[str]) -> None:
        """Removes the containers that were set aside if all of these run; else puts them back."""
        self.functions.append(_PUT_BACK)
        self.lines += [
            "failed=",
            f"for each in {' '.join(map(quoted, names))}; do",
            "    state=$(docker container inspect --format \\",
            "        '{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}} {{.State.Error}}' \"$each\" 2>&1)",
            "    case $state in",
            '        "running "*" 0 " | "exited 0 0 " | "created 0 0 ") ;;',
            '        *) failed="$failed $each"',
            f'            docker container logs --tail {LOG_LINES} "$each" >&2 ;;',
            "    esac",
            "done",
            '[ -z "$failed" ] || {',
            '    say "These containers do not run:$failed."',
            f"    put_back {quoted(end)} true {' '.join(map(quoted, kept))}",
            "    exit 1",
            "}",
        ]
        self.forget_all(end, kept)

    def run(self, *arguments: str) -> None:
        """Runs a docker command that has to succeed."""
        self.lines.append(f"docker {' '.join(map(quoted, arguments))} >/dev/null || exit 1")


def quoted(text: object) -> str:
    """A text as one word of a shell command."""
    return shlex.quote(str(text))


def create_arguments(spec: Spec, labels: Mapping[str, str]) -> list[str]:
    """The arguments of `docker container create`, without the name, the environment, the image and the command."""
    arguments: list[str] = []

    def add(option: str, values: Sequence[object]) -> None:
        for value in values:
            arguments.extend((option, str(value)))

    add("--network", spec.networks[:1])
    add("--publish", spec.ports)
    add("--volume", spec.volumes)
    add("--mount", spec.mounts)
    add("--env-file", spec.env_files)
    add("--label", [*spec.labels, *(f"{key}={value}" for key, value in labels.items())])
    add("--dns", spec.dns)
    for option, value in (
        ("--restart", spec.restart_policy),
        ("--hostname", spec.hostname),
        ("--entrypoint", spec.entrypoint),
        ("--user", spec.user),
        ("--cpus", None if spec.cpus is None else f"{spec.cpus:g}"),
        ("--memory", spec.memory),
    ):
        if value is not None:
            add(option, [value])
    if spec.auto_remove:
        arguments.append("--rm")
    if spec.privileged:
        arguments.append("--privileged")
    return [*arguments, *spec.extra_args]


def environment_input(spec: Spec) -> tuple[list[str], bool, str | None]:
    """Passes the environment's values to a container over standard input, and never as an argument.

    Docker reads a value from a line of a file, or from its own environment. The first suits any name, but no value of
    several lines; the second suits any value, but no name that means something to docker itself.

    Returns:
        Arguments for `docker container create`, whether it reads a file as well, and the standard input: a shell
        script that sets the variable `file`, and exports the others.

    Raises:
        OperationValueError: There is no way for a variable. Its value is not told.
    """
    arguments: list[str] = []
    lines: list[str] = []
    exports: list[str] = []
    for name, value in spec.env_vars:
        if value is None:
            arguments += ["--env", name]
        elif "\n" not in value and "\r" not in value and len(value.encode()) < _LONGEST:
            lines.append(f"{name}={value}")
        elif _EXPORTED.fullmatch(name) and not _NOT_EXPORTED.fullmatch(name):
            arguments += ["--env", name]
            exports.append(f"export {name}={shlex.quote(value)}")
        else:
            raise OperationValueError(
                f"the variable {name!r} cannot have a value of several lines, or of more than {_LONGEST} bytes: it "
                "would change how docker itself runs, or is no name that a shell can export"
            )
    if not lines and not exports:
        return arguments, False, None
    file = "file=" + shlex.quote("\n".join(lines))
    return arguments, bool(lines), "\n".join([file, *exports]) + "\n"
