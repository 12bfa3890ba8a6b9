"""The tests' own parts do what they promise."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from support.model_server import ModelServer, Reply

if TYPE_CHECKING:
    from support.docker import Docker
    from support.project import Project

SCHEMA = {"type": "object", "properties": {"image": {"type": "string"}, "ports": {"type": "array"}}}


def post(server: ModelServer, **more: Any) -> bytes:
    body = {"model": "m", "messages": [{"role": "user", "content": "Write about the sea"}], **more}
    request = Request(f"{server.base_url}/chat/completions", json.dumps(body).encode())
    with urlopen(request, timeout=10) as answer:
        data: bytes = answer.read()
        return data


def test_the_model_server_answers_in_the_same_way_each_time(model_server: ModelServer) -> None:
    answers = [json.loads(post(model_server)) for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0]["choices"][0]["message"]["content"].startswith("About: Write about the sea\n")
    wanted = {"type": "json_schema", "json_schema": {"schema": SCHEMA}}
    chosen = json.loads(
        json.loads(post(model_server, response_format=wanted))["choices"][0]["message"]["content"]
    )
    assert chosen == {"image": "nginx:1.27-alpine", "ports": []}
    assert model_server.requests[0].prompt == "Write about the sea"
    lines = [line for line in post(model_server, stream=True).decode().split("\n\n") if line]
    assert lines[0] == ": OPENROUTER PROCESSING" and lines[-1] == "data: [DONE]"
    pieces = [json.loads(line.removeprefix("data: ")) for line in lines[1:-1]]
    text = "".join(piece["choices"][0]["delta"].get("content", "") for piece in pieces if piece["choices"])
    assert text.startswith("About: Write about the sea\n") and pieces[-1]["usage"]["cost"]


def test_the_model_server_fails_as_it_is_told(model_server: ModelServer) -> None:
    model_server.script(Reply.failure(429, "slow down", headers={"Retry-After": "1"}), Reply(drop=True))
    with pytest.raises(HTTPError) as caught:
        post(model_server)
    with caught.value as error:
        assert (error.code, error.headers["Retry-After"]) == (429, "1")
    with pytest.raises(OSError):
        post(model_server)
    assert post(model_server)
    model_server.delay = 0.2
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: post(model_server), range(4)))
    assert model_server.at_once == 4


def test_the_images_serve_what_tells_them_apart(docker: Docker) -> None:
    for image, port, page in zip(
        (docker.images.one, docker.images.two),
        docker.ports,
        ("clockwork-test one", "clockwork-test two"),
        strict=False,
    ):
        name = docker.name(page.split()[-1])
        docker("run", "--detach", "--name", name, "--publish", f"127.0.0.1:{port}:80", image)
        assert docker.page(port) == page
        container = docker.container(name)
        assert container and container["State"]["Running"]
    docker("network", "create", docker.name("net"))
    assert docker.network(docker.name("net"))
    docker.clean_up()
    assert docker.container(docker.name("one")) is None and docker.network(docker.name("net")) is None


def test_the_command_runs_in_a_pipe_and_in_a_terminal(project: Project) -> None:
    project.write(
        'from clockwork.resources import FileResource\nx = FileResource(name="x", content="hi", path="x")\n'
    )
    done = project.run("version")
    assert done.returncode == 0 and done.stdout
    shown = project.terminal("apply")
    assert shown.returncode == 0 and (project.folder / "x").read_text() == "hi"
    assert "\x1b" in shown.output and "\x1b" not in shown.text


def test_a_terminal_is_interrupted(served_project: Project, model_server: ModelServer) -> None:
    served_project.write(
        'from clockwork.resources import FileResource\nx = FileResource(name="slow.txt", description="x", path="x")\n'
    )
    model_server.script(Reply(delay=600))
    shown = served_project.terminal("apply", interrupt_at="slow.txt")
    assert shown.returncode == 130


def test_in_ci_a_skipped_test_fails(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text((Path(__file__).parent / "conftest.py").read_text())
    (tmp_path / "test_it.py").write_text(
        "import pytest\n\ndef test_it():\n    pytest.skip('a part is missing')\n"
    )
    for ci, expected, said in (
        ("", 0, "1 skipped"),
        ("true", 1, "in CI nothing is: Skipped: a part is missing"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(tmp_path)],
            env={"CI": ci, "PYTHONPATH": str(Path(__file__).parent)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == expected and said in done.stdout, done.stdout + done.stderr
