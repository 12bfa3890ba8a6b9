"""Each kind of assertion, on real files, sockets, servers and containers."""

from __future__ import annotations

import socket
import threading
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import clockwork
from clockwork.assertions import (
    Assertion,
    CallSucceeds,
    CheckHost,
    CommandSucceeds,
    ContainerRunning,
    FileContains,
    FileExists,
    HttpResponds,
    PortOpen,
)
from support.checks import Site, check, file, serving, why
from support.processes import gone
from support.sshd import free_port
from support.waiting import wait_until

if TYPE_CHECKING:
    from support.docker import Docker


pytestmark = pytest.mark.usefixtures("in_a_folder")


def test_files() -> None:
    clockwork.apply([file()])
    Path("out/link").symlink_to("a.txt")
    Path("out/dangling").symlink_to("nowhere")
    Path("out/it's odd $x").write_text("fine\n")
    assert why(FileExists()) is None
    assert why(FileExists(mode="0640")) is None
    assert why(FileExists(mode="600")) == "its mode is 640"
    assert why(FileExists(path="out/link", mode="640")) is None
    assert why(FileExists(path="out/it's odd $x")) is None
    assert why(FileExists(path="out/dangling")) == "it is a symbolic link to nothing"
    assert why(FileExists(path=str(Path("out").absolute()))) == "it is a folder"
    assert why(FileExists(path="/dev/null")) == "it is no plain file"
    assert why(FileExists(path="out/b.txt")) == "there is no such file"


def test_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "x").touch()
    assert why(FileExists(path="~/x")) is None
    assert why(FileExists(path="~/y")) == "there is no such file"


def test_contents() -> None:
    clockwork.apply([file()])
    assert why(FileContains(text="hello\nworld")) is None
    assert why(FileContains(text="world\n")) == "it is not in the file", "nothing is made up at its end"
    assert why(FileContains(pattern="^world$")) is None
    assert why(FileContains(pattern="^ello")) == "it is not in the file"
    assert why(FileContains(text="h.llo")) == "it is not in the file", "a text is no pattern"
    Path("end").write_bytes(b"caf\xe9 \xc3\xa9\r\nlast\n")
    assert why(FileContains(text="é\r\nlast\n", path="end")) is None
    Path("empty").touch()
    assert why(FileContains(text="x", path="empty")) == "the file is empty"
    assert "No such file" in str(why(FileContains(text="x", path="nowhere")))
    with Path("huge").open("wb") as huge:
        huge.write(b"first")
        huge.truncate(20_000_000)
    assert why(FileContains(text="first", path="huge")) is None
    assert "first 10 MB" in str(why(FileContains(text="x", path="huge")))


def test_commands(tmp_path: Path) -> None:
    assert why(CommandSucceeds(command="test -d / && exit 0")) is None
    assert why(CommandSucceeds(command="echo why >&2; exit 3")) == "exit status 3: why"
    assert "yntax error" in str(why(CommandSucceeds(command="if")))
    slow = f"echo $$ > {tmp_path}/pid; sleep 600; true"
    assert why(CommandSucceeds(command=slow, timeout=0.5)) == "it had not ended after 0.5 s, and was stopped"
    assert gone(int((tmp_path / "pid").read_text()))


def test_ports() -> None:
    with serving() as port:
        assert why(PortOpen(port=port)) is None
        assert why(PortOpen(port=port, host="127.0.0.1")) is None
    refused = "nothing listens there (connection refused)"
    assert why(PortOpen(port=port, retries=0)) == refused
    assert "no host called" in str(why(PortOpen(port=port, host="no.such.host.invalid", retries=0)))


def test_a_service_that_is_just_starting_is_waited_for() -> None:
    port = free_port()
    for assertion in (PortOpen(port=port), HttpResponds(url=f"http://{{host}}:{port}/")):
        started = threading.Event()

        def later(started: threading.Event = started) -> None:
            time.sleep(1.5)
            with serving(port):
                started.wait(10)

        thread = threading.Thread(target=later)
        thread.start()
        (result,) = check(assertion)
        started.set()
        thread.join()
        assert result.ok, result.error
        assert 2 <= result.attempts <= 5


def test_what_never_starts_is_given_up_after_ten_seconds() -> None:
    began = time.monotonic()
    (result,) = check(PortOpen(port=free_port(), interval=2))
    assert time.monotonic() - began > 7, "it is waited for between the tries"
    assert result.attempts == 5


def test_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with serving() as port:

        def get(path: str, **more: Any) -> str | None:
            return why(HttpResponds(url=f"http://{{host}}:{port}{path}", retries=0, **more))

        assert get("/") is None
        assert get("/", body="(?i)^<H1>café") is None
        assert get("/", body="tea") == "its body has none of that: it begins with '<h1>café</h1>'"
        assert get("/", status=404) == "it answers 200"
        assert get("/moved") == "it answers 302, and points to /"
        assert get("/moved", status=302) is None
        assert Site.asked[-1] == "/moved", "a redirect is not followed"
        assert get("/large", body="^x+$") is None
        assert "none of that" in str(get("/large", body="end")), "only its first million bytes are read"
        assert get("/slow", timeout=0.3) == "nothing came within 0.3 s"
        assert get("/drip", body="y", timeout=0.5) == "nothing came within 0.5 s"
        assert get("/drip") is None, "a body that nobody asks for is not waited for"
    assert get("/") == "nothing listens there (connection refused)"


def test_something_else_on_the_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with server.accept()[0] as connection:
                connection.recv(1000)
                connection.sendall(b"SSH-2.0-something\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        error = why(HttpResponds(url=f"http://me:pass-word@127.0.0.1:{server.getsockname()[1]}/", retries=0))
        thread.join()
    assert error
    assert "pass-word" not in error


def test_no_password_is_shown() -> None:
    (result,) = check(HttpResponds(url=f"http://me:secret@{{host}}:{free_port()}/", retries=0))
    assert result.assertion.startswith("http://***@{host}")
    assert "secret" not in repr(result)
    address = f"http://secret@{{host}}:{free_port()}/a?v=secret&secret#top"
    for assertion in (
        HttpResponds(url=address, retries=0),
        CommandSucceeds(command=f"false '{address.replace('{host}', 'localhost')}' --fast"),
    ):
        (result,) = check(assertion)
        assert "secret" not in repr(result)
        assert "/a?v=***&***#top" in result.assertion


def test_an_assertion_of_the_users_own_is_refused_at_once() -> None:
    class Reachable(Assertion):
        pass

    with pytest.raises(ValueError, match="nobody knows how to try Reachable: use one of"):
        file(Reachable())
    with pytest.raises(ValueError, match="it says nothing"):
        file(Assertion())

    class Here(FileExists):
        pass

    assert why(Here()) == "there is no such file"


def test_the_third_try_succeeds(tmp_path: Path) -> None:
    with serving() as port:
        (result,) = check(HttpResponds(url=f"http://{{host}}:{port}/third", retries=2, interval=0.05))
        assert (result.ok, result.attempts) == (True, 3)
        Site.asked.clear()
        (result,) = check(HttpResponds(url=f"http://{{host}}:{port}/third", retries=1, interval=0.05))
        assert (result.ok, result.attempts) == (False, 2)
    count = f"echo >> {tmp_path}/tries; test $(wc -l < {tmp_path}/tries) -eq 3"
    (result,) = check(CommandSucceeds(command=count, retries=5, interval=0.05))
    assert (result.ok, result.attempts) == (True, 3)


def test_containers(docker: Docker) -> None:
    def run(name: str, *options: str) -> str:
        docker("run", "--detach", "--name", docker.name(name), *options)
        return docker.name(name)

    healthy = ("--health-interval=200ms", "--health-cmd")
    good = run("good", *healthy, "test -e /www/index.html", docker.images.one)
    bad = run("bad", "--health-retries=1", *healthy, "echo out of order; false", docker.images.one)
    ended = run("ended", docker.images.one, "sh", "-c", "exit 3")
    plain = run("plain", docker.images.one)
    assert why(ContainerRunning(name=good)) is None
    assert why(ContainerRunning(name=good, healthy=True)) is None
    assert why(ContainerRunning(name=bad)) is None
    assert why(ContainerRunning(name=bad, healthy=True)) == "it is unhealthy: out of order"
    assert why(ContainerRunning(name=plain, healthy=True)) == "nobody knows: its image has no HEALTHCHECK"
    assert why(ContainerRunning(name=ended, retries=0)) == "it has ended, with exit status 3"
    docker("pause", plain)
    assert why(ContainerRunning(name=plain, retries=0)) == "it is paused"
    docker("unpause", plain)
    name = docker.name("nothing")
    assert why(ContainerRunning(name=name, retries=0)) == f"there is no container called {name}"


def test_functions() -> None:
    seen: list[Any] = []

    def with_host(host: CheckHost) -> None:
        seen.append((host.name, host.address, host.run("echo out; echo err >&2; exit 5")))

    def fails() -> None:
        assert not seen, "one is not two"

    port = 7
    good = check(with_host, lambda: None, lambda port=port: seen.append(port), partial(with_host))
    assert all(result.ok for result in good), good
    name, address, output = seen[0]
    assert (name, address) == ("@local", "localhost")
    assert (output.ok, output.exit_status, output.stdout, output.stderr) == (False, 5, "out\n", "err")
    assert seen[1] == 7, "an argument with a default is left alone"
    assert good[0].assertion == "with_host() holds"
    assert why(lambda: False) == "it returned False"
    assert why(lambda: 0) is None
    error = str(why(fails))
    assert "test_assertions.py, line" in error
    assert "in fails" in error
    assert "one is not two" in error
    assert "clockwork/" not in error, "only the user's own frames are told"
    assert "SystemExit" in str(why(lambda: exit(3)))


def test_a_function_that_hangs_is_given_up_and_runs_no_more_commands() -> None:
    said: list[str] = []
    late = threading.Event()

    def hangs(host: CheckHost) -> None:
        late.wait(60)
        try:
            host.run("true")
        except TimeoutError as error:
            said.append(str(error))

    assert why(CallSucceeds(function=hangs, timeout=0.3)) == "it had not returned after 0.3 s"
    late.set()
    wait_until(lambda: said)
    assert said == ["the time for this check is up"]


def test_a_function_can_be_tried_again_and_described() -> None:
    tries: list[int] = []

    def third() -> bool:
        tries.append(1)
        return len(tries) == 3

    (result,) = check(CallSucceeds(function=third, retries=3, interval=0.01, description="three are there"))
    assert (result.ok, result.attempts, result.assertion) == (True, 3, "three are there")
