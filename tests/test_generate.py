"""The model is asked for what is missing, once; what is wrong with it is told clearly."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

import clockwork
from clockwork import exceptions
from clockwork.artifact_generator import ArtifactGenerator
from clockwork.resources import DockerServiceResource, FileResource
from support.model_server import ModelServer, Reply

if TYPE_CHECKING:
    from pathlib import Path

    from support.project import Project

ONE = """
from clockwork.resources import FileResource
article = FileResource(name="article.md", description="Write about clocks", directory="out")
"""


def test_is_asked_once_and_pinned(served_project: Project, model_server: ModelServer) -> None:
    served_project.write(ONE)
    model_server.script(Reply(text="Tick.\n"))
    report = served_project.json("apply")
    (artifact,) = report["artifacts"]
    assert artifact["content"] == "Tick.\n"
    assert not artifact["pinned"]
    assert (artifact["tokens_in"], artifact["tokens_out"], artifact["cost"]) == (11, 7, 0.000117)
    assert (served_project.folder / "out/article.md").read_text() == "Tick.\n"
    assert "Tick.\n" in (served_project.folder / "clockwork.lock").read_text()

    again = served_project.json("apply")
    assert again["artifacts"][0]["pinned"]
    assert [resource["action"] for resource in again["resources"]] == ["unchanged"]
    assert served_project.json("destroy")["resources"][0]["action"] == "remove"
    assert len(model_server.requests) == 1

    served_project.write(ONE.replace("clocks", "watches"))
    served_project.run("generate")
    assert len(model_server.requests) == 2


def test_the_question(served_project: Project, model_server: ModelServer) -> None:
    served_project.write("""
        from clockwork.resources import DockerServiceResource
        db = DockerServiceResource(name="db", description="A database", env_vars={"PASSWORD": "hunter2"})
    """)
    served_project.run("generate", "--api-key", "sk-secret", "--model", "some/model")
    (request,) = model_server.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer sk-secret"
    assert request.body["model"] == "some/model"
    assert request.body["stream"] is True
    assert request.body["response_format"]["type"] == "json_schema"
    assert "A database" in request.prompt
    assert "PASSWORD" in request.prompt
    assert "hunter2" not in str(request.body)
    assert "sk-secret" not in str(request.body)


def test_eight_at_once(served_project: Project, model_server: ModelServer) -> None:
    files = ", ".join(f'FileResource(name="{i}.txt", description="d", directory="out")' for i in range(20))
    served_project.write(f"from clockwork.resources import FileResource\nfiles = [{files}]\n")
    model_server.delay = 0.2
    served_project.run("generate")
    assert model_server.at_once == 8
    model_server.reset()
    model_server.delay = 0.1
    (served_project.folder / "clockwork.lock").unlink()
    served_project.run("generate", "--concurrency", "3")
    assert model_server.at_once == 3


def test_settings_come_from_env_files(project: Project, model_server: ModelServer) -> None:
    (project.folder / "inner").mkdir()
    project.write(ONE, "inner/main.py")
    project.write(f"OPENROUTER_BASE_URL={model_server.base_url}\nOPENROUTER_MODEL=outer\n", ".env")
    project.run("generate", "inner")
    project.write("OPENROUTER_MODEL=inner\nOPENROUTER_API_KEY='sk-x'\n", "inner/.env")
    (project.folder / "inner/clockwork.lock").unlink()
    project.run("generate", "inner")
    (project.folder / "inner/clockwork.lock").unlink()
    project.run("generate", "inner", OPENROUTER_MODEL="environment")
    (project.folder / "inner/clockwork.lock").unlink()
    project.run("generate", "inner", "--model", "typed", OPENROUTER_MODEL="environment")
    assert [request.body["model"] for request in model_server.requests] == [
        "outer",
        "inner",
        "environment",
        "typed",
    ]


def test_no_key_is_needed_when_nothing_has_to_be_generated(project: Project) -> None:
    project.write('from clockwork.resources import FileResource\na = FileResource(name="a", content="x")\n')
    assert project.run("generate").returncode == 0
    project.write(ONE)
    done = project.run("apply")
    assert done.returncode == 1
    assert "OPENROUTER_API_KEY" in done.stderr
    assert "--model local" in done.stderr
    assert not (project.folder / "out").exists()


def failing(status: int) -> Reply:
    return Reply.failure(status, "as you said sk-secret")


@pytest.mark.parametrize(
    ("reply", "error", "parent", "words"),
    [
        (failing(401), exceptions.AuthenticationError, PermissionError, "key"),
        (failing(402), exceptions.CreditsError, exceptions.GenerationError, "credits"),
        (failing(404), exceptions.ModelNotFoundError, LookupError, "some/model"),
        (failing(429), exceptions.RateLimitError, exceptions.GenerationError, ""),
        (failing(503), exceptions.ModelServerError, exceptions.GenerationError, ""),
        (Reply(drop=True), exceptions.ModelConnectionError, ConnectionError, ""),
        (Reply(raw=b"<html>hello</html>"), exceptions.ModelServerError, exceptions.GenerationError, ""),
        (Reply(text=""), exceptions.AnswerError, ValueError, "empty"),
        (Reply(text="half of", finish="length"), exceptions.AnswerError, ValueError, "cut off"),
    ],
)
def test_each_failure_has_its_own_message(
    reply: Reply,
    error: type[exceptions.ClockworkError],
    parent: type[Exception],
    words: str,
    model_server: ModelServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    model_server.script(*[reply] * 8)
    file = FileResource(name="a.md", description="d", directory="out")
    with pytest.raises(error) as caught:
        clockwork.apply([file], base_url=model_server.base_url, api_key="sk-secret", model="some/model")
    assert isinstance(caught.value, parent)
    assert "FileResource 'a.md'" in str(caught.value)
    assert words in str(caught.value)
    assert "sk-secret" not in str(caught.value)
    assert caught.value.result is not None
    assert not (tmp_path / "out").exists(), "nothing is deployed"


def test_one_that_fails_does_not_lose_the_others(served_project: Project, model_server: ModelServer) -> None:
    files = ", ".join(f'FileResource(name="{i}.txt", description="d", directory="out")' for i in range(6))
    served_project.write(f"from clockwork.resources import FileResource\nfiles = [{files}]\n")
    model_server.script(Reply.failure(400, "no"), Reply(), Reply.failure(400, "no"))
    done = served_project.run("apply", "--concurrency", "1")
    assert done.returncode == 1
    assert "2 of 6 artifacts" in done.stderr
    assert not (served_project.folder / "out").exists()
    model_server.reset()
    assert served_project.run("apply").returncode == 0
    assert len(model_server.requests) == 2


def test_an_image_that_is_none_is_never_deployed(
    model_server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model_server.values["image"] = "nginx; rm -rf /"
    service = DockerServiceResource(name="web", description="d")
    with pytest.raises(exceptions.AnswerError, match="no reference of an image"):
        clockwork.generate([service], base_url=model_server.base_url)
    assert not (tmp_path / "clockwork.lock").exists(), "nor pinned"


def test_the_generate_stage_by_itself(
    model_server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    resources = [
        FileResource(name="same", description="d"),
        DockerServiceResource(name="same", description="d"),
        FileResource(name="given", content="x"),
    ]
    artifacts = ArtifactGenerator(base_url=model_server.base_url).generate(resources)
    assert artifacts.keys() == {"same", "DockerServiceResource/same"}
    assert artifacts["DockerServiceResource/same"] == {"image": "nginx:1.27-alpine"}


def test_a_dry_run_asks_nobody(served_project: Project, model_server: ModelServer) -> None:
    served_project.write(ONE)
    report = served_project.json("generate", "--dry-run")
    assert [(a["name"], a["pinned"], a["content"]) for a in report["artifacts"]] == [
        ("article.md", False, None)
    ]
    assert not model_server.requests
    assert not (served_project.folder / ".clockwork").exists()


def test_live_lines_on_a_terminal(served_project: Project, model_server: ModelServer) -> None:
    served_project.write(ONE)
    model_server.script(Reply(text="Clocks tell the time of the day.\n", pause=0.1))
    terminal = served_project.terminal("apply", "--color", "always", answers={"Go on? [Y/n]": ""})
    assert terminal.returncode == 0
    assert "FileResource 'article.md'" in terminal.text
    assert re.search(r"Clocks tell", terminal.text), "what streams in is shown"
    assert "Applied: 1 created" in terminal.text
    assert "\x1b[32m" in terminal.output
    assert "\x1b" not in served_project.run("apply").stdout


def test_ctrl_c_while_the_model_is_asked(served_project: Project, model_server: ModelServer) -> None:
    served_project.write(ONE)
    model_server.script(Reply(delay=600))
    terminal = served_project.terminal("apply", interrupt_at="waiting for the model")
    assert terminal.returncode == 130
    assert "interrupted" in terminal.text


def test_context_of_events(
    served_project: Project, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[dict[str, Any]] = []
    model_server.script(Reply.failure(503, "busy"), Reply(text="Tick tock.\n"))
    served_project.write(ONE)
    clockwork.generate(served_project.folder, base_url=model_server.base_url, progress=events.append)
    kinds = [event["event"] for event in events]
    assert kinds[:3] == ["generate_begin", "generate_start", "generate_retry"]
    assert kinds[-1] == "generate_end"
    assert "".join(event["text"] for event in events if event["event"] == "generate_delta") == "Tick tock.\n"


def test_two_kinds_may_share_a_name(served_project: Project) -> None:
    served_project.write("""
        from clockwork.resources import DockerServiceResource, FileResource
        page = FileResource(name="web", description="a page", directory="out")
        web = DockerServiceResource(name="web", description="serves it", image="nginx:1.27", ports=["8080:80"])
    """)
    done = served_project.run("generate")
    assert done.returncode == 0, done.stderr
    assert 'image="nginx:1.27"' in (served_project.folder / ".clockwork/pyinfra/deploy.py").read_text()
