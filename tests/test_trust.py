"""Generation that can be trusted: checked, repaired, within a budget, and without secrets."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, SecretStr

import clockwork
from clockwork.resources import DockerServiceResource, FileResource, Resource
from support.model_server import ModelServer, Reply
from support.registry import DIGEST, running_registry

if TYPE_CHECKING:
    from support.docker import Docker
    from support.project import Project

ONE = """
from clockwork.resources import FileResource
a = FileResource(name="a.txt", description="Write about clocks", directory="out")
"""
TWO = ONE + 'b = FileResource(name="b.txt", description="Write about bells", directory="out")\n'


def test_a_failed_check_goes_back_to_the_model(served_project: Project, model_server: ModelServer) -> None:
    served_project.write(ONE.replace("a.txt", "a.json"))
    model_server.script(Reply(text='{"a": 1,}'), Reply(text='```json\n{"a": 2}\n```'))
    done = served_project.run("generate")
    assert "generated, repaired 1" in done.stdout
    assert "1 repaired" in done.stdout
    assert '{"a": 2}' in served_project.lock
    complaint = model_server.requests[1].body["messages"][-1]["content"]
    assert "line 1 column 9" in complaint or "line 1" in complaint
    assert model_server.requests[1].body["messages"][-2] == {"role": "assistant", "content": '{"a": 1,}'}


def test_what_cannot_be_repaired_is_kept_to_be_looked_at(
    served_project: Project, model_server: ModelServer
) -> None:
    served_project.write(ONE.replace("a.txt", "a.json"))
    model_server.script(*[Reply(text="no json")] * 9)
    done = served_project.run("generate", "--max-repairs", "1")
    assert done.returncode == 1
    assert len(model_server.requests) == 2
    kept = re.search(r"(/\S+/\.clockwork/failed/\S+?)\.? ", done.stderr.replace(";", " "))
    assert kept, done.stderr
    assert Path(kept[1]).read_text().strip() == "no json"
    assert Path(kept[1]).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        ("a.py", "def f(:\n", "def f() -> None: ...\n"),
        ("a.sh", "if true; then\n", "if true; then echo; fi\n"),
        ("a.bash", "echo $((\n", "echo $((1))\n"),
        ("a.json", "{'a': 1}", '{"a": 1}'),
        ("a.yaml", "a: [1\n", "a: [1]\n"),
        ("a.toml", "a = \n", "a = 1\n"),
        ("a.xml", "<a>", "<a/>"),
        ("a.ini", "[a\nb=1\n", "[a]\nb=1\n"),
        ("Dockerfile", "RUN ls\n", "FROM nginx:1.27\nRUN ls\n"),
        ("compose.yaml", "a: 1\n", "services:\n  web:\n    image: nginx:1.27\n"),
        ("nginx.conf", "server { listen 80;\n", "events {}\nhttp { server { listen 80; } }\n"),
    ],
)
def test_files_are_checked_by_what_they_mean(
    name: str, bad: str, good: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_server: ModelServer
) -> None:
    monkeypatch.chdir(tmp_path)
    model_server.script(Reply(text=bad), Reply(text=good))
    result = clockwork.generate([FileResource(name=name, description="d")], base_url=model_server.base_url)
    assert result.artifacts[0].repairs == 1
    assert str(result.artifacts[0].content).strip() == good.strip()


class Ports(BaseModel):
    """The shape of an answer."""

    port: int
    reason: str


class Listener(Resource):
    """A kind that says what shape its answer has, and checks it."""

    artifact_model = Ports

    def needs_artifact_generation(self) -> bool:
        return True

    def validate_artifact(self, artifact: str | dict[str, Any]) -> None:
        if isinstance(artifact, dict) and artifact["port"] < 1024:
            raise ValueError(f"port {artifact['port']} is for root alone")

    def to_pyinfra_operations(self, artifacts: dict[str, Any]) -> str:
        return f"server.shell(commands=['echo {artifacts[self.name]['port']}'])"


def test_a_kind_brings_its_own_shape_and_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_server: ModelServer
) -> None:
    monkeypatch.chdir(tmp_path)
    answers = [{"port": "eighty", "reason": "r"}, {"port": 80, "reason": "r"}, {"port": 8080, "reason": "r"}]
    model_server.script(*(Reply(text=json.dumps(answer)) for answer in answers))
    result = clockwork.generate([Listener(name="l", description="d")], base_url=model_server.base_url)
    assert result.artifacts[0].content == {"port": 8080, "reason": "r"}
    assert result.artifacts[0].repairs == 2
    assert "port 80 is for root alone" in model_server.requests[2].prompt
    assert model_server.requests[0].body["response_format"]["json_schema"]["schema"]["required"] == [
        "port",
        "reason",
    ]


def test_suggested_ports_only_where_asked_for_and_shown_as_the_models(
    served_project: Project, model_server: ModelServer
) -> None:
    main = """
from clockwork.resources import DockerServiceResource
web = DockerServiceResource(name="web", description="d", suggest=["ports", "env_vars"], ports=["8080:80"])
"""
    model_server.values |= {"ports": ["1:1"], "env_vars": {"MODE": "fast"}}
    served_project.write(main)
    report = served_project.json("generate")
    assert report["artifacts"][0]["content"].keys() == {"image", "env_vars"}, "ports are the user's"
    code = (served_project.folder / ".clockwork/pyinfra/deploy.py").read_text()
    assert 'ports=["8080:80"]' in code
    assert 'env_vars={"MODE": "fast"}' in code
    plan = served_project.run("plan").stdout
    assert 'image = "nginx:1.27-alpine"  chosen by openai/gpt-oss-20b:free' in plan
    model_server.values["ports"] = ["99999:1"]
    served_project.write(main.replace(', ports=["8080:80"]', ""))
    done = served_project.run("generate")
    assert done.returncode == 1
    assert "ports are numbers from 1 to 65535" in done.stderr


def test_an_image_outside_the_official_ones_is_not_used_silently(
    served_project: Project, model_server: ModelServer
) -> None:
    served_project.write("""
        from clockwork.resources import DockerServiceResource
        web = DockerServiceResource(name="web", description="d")
    """)
    model_server.values["image"] = "someone/webserver:1"
    done = served_project.run("generate")
    assert done.returncode == 1
    assert "--allow-unverified-images" in done.stderr
    done = served_project.run("generate", "--allow-unverified-images")
    assert done.returncode == 0
    assert "unverified image" in done.stdout


def test_the_digest_is_pinned_where_the_engine_can_tell(
    docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model_server: ModelServer
) -> None:
    monkeypatch.chdir(tmp_path)
    web = DockerServiceResource(name="web", description="d")
    with running_registry() as registry:
        model_server.values["image"] = f"{registry}/web:1"
        clockwork.generate([web], base_url=model_server.base_url, allow_unverified_images=True)
        assert f"{registry}/web:1@{DIGEST}" in (tmp_path / "clockwork.lock").read_text()
        assert f"{registry}/web:1@{DIGEST}" in (tmp_path / ".clockwork/pyinfra/deploy.py").read_text()


def test_the_model_reads_what_the_user_lists_and_knows_what_is_there(
    served_project: Project, model_server: ModelServer
) -> None:
    served_project.write("CREATE TABLE clocks (id int);\n-- PASSWORD=hunter2\n", "schema.sql")
    main = """
from clockwork.resources import DockerServiceResource, FileResource
db = DockerServiceResource(name="db", description="Keeps the clocks", image="postgres:17")
conf = FileResource(name="app.ini", description="Point it at the database", context=["schema.sql"])
"""
    served_project.write(main)
    model_server.script(Reply(text="[db]\nhost = db\n"))
    served_project.run("generate")
    prompt = model_server.requests[0].prompt
    assert "CREATE TABLE clocks" in prompt
    assert "hunter2" not in prompt
    assert "Keeps the clocks" in prompt
    served_project.write("CREATE TABLE bells (id int);\n", "schema.sql")
    assert served_project.json("generate", "--dry-run")["artifacts"][0]["stale"]
    (served_project.folder / "schema.sql").unlink()
    done = served_project.run("generate")
    assert done.returncode == 1
    assert "FileResource 'app.ini' gives the model" in done.stderr


def test_what_a_resource_is_connected_to_is_told_in_full(
    served_project: Project, model_server: ModelServer
) -> None:
    main = """
from clockwork.resources import DockerServiceResource, FileResource
db = DockerServiceResource(
    name="db", description="Keeps clocks", image="postgres:17", ports=["5433:5432"], env_vars={"PASSWORD": "hunter2"}
)
conf = FileResource(name="app.ini", description="Point it at the database")
conf.connect(db)
"""
    served_project.write(main)
    model_server.script(*[Reply(text="[db]\nport = 5433\n")] * 2)
    served_project.run("generate")
    prompt = model_server.requests[0].prompt
    assert "5433:5432" in prompt
    assert "PASSWORD" in prompt
    assert "hunter2" not in prompt
    served_project.write(main.replace("5433", "5434"))
    served_project.run("generate")
    assert len(model_server.requests) == 2, "another port makes the file stale"


def test_show_prompts_prints_just_what_is_sent_and_sends_nothing(
    served_project: Project, model_server: ModelServer
) -> None:
    served_project.write(ONE)
    shown = served_project.run("generate", "--show-prompts", "--api-key", "sk-secret").stdout
    request = served_project.json("generate", "--show-prompts")["artifacts"][0]["request"]
    assert not model_server.requests
    assert not (served_project.folder / "clockwork.lock").exists()
    served_project.run("generate")
    assert model_server.requests[0].body == request
    for message in request["messages"]:
        assert message["content"] in shown
    assert "sk-secret" not in shown


def test_a_budget_stops_before_it_is_crossed(served_project: Project, model_server: ModelServer) -> None:
    files = "\n".join(f'FileResource(name="{i}.txt", description="d"),' for i in range(10))
    served_project.write(f"from clockwork.resources import FileResource\nfiles = [{files}]\n")
    messages = served_project.json("generate", "--dry-run")["artifacts"][0]["request"]["messages"]
    # The reservation of one request (a token for each byte of the question, an overhead, the largest answer), and room
    # for three more with their real use of 18 tokens each.
    question = len(json.dumps(messages, separators=(",", ":"), ensure_ascii=False).encode()) + 256
    limit = question + 700 + 3 * 18
    done = served_project.run("generate", "--max-tokens-total", str(limit))
    assert done.returncode == 1
    most = [request.body["max_tokens"] for request in model_server.requests]
    assert most == [700 + 18 * left for left in (3, 2, 1, 0)], "what is left, one after the other"
    assert "could cross the limit" in done.stderr
    report = served_project.json("generate", "--max-tokens-total", "10", expect=1)
    assert report["error"]["kind"] == "BudgetError"
    assert served_project.run("generate").returncode == 0


def test_a_limit_of_cost_holds_from_the_first_answer_on(
    served_project: Project, model_server: ModelServer
) -> None:
    files = "\n".join(f'FileResource(name="{i}.txt", description="d"),' for i in range(10))
    served_project.write(f"from clockwork.resources import FileResource\nfiles = [{files}]\n")
    paid = ["generate", "--model", "paid/model", "--max-cost"]
    done = served_project.run(*paid, "0.0005")
    assert done.returncode == 1
    assert "could cross the limit of $0.0005 (--max-cost): $0.0000 are spent" in done.stderr
    assert not model_server.requests, "not even the first answer may cross it"
    # The reserved cost of one request, and room for three more with their real cost of 0.000117 each.
    messages = served_project.json("generate", "--dry-run")["artifacts"][0]["request"]["messages"]
    question = len(json.dumps(messages, separators=(",", ":"), ensure_ascii=False).encode()) + 256
    limit = question * 0.000003 + 700 * 0.000012 + 3.5 * 0.000117
    report = served_project.json(*paid, str(limit), expect=1)
    assert report["error"]["kind"] == "BudgetError"
    assert [artifact["cost"] for artifact in report["artifacts"] if artifact["cost"]] == [0.000117] * 4
    most = [request.body["max_tokens"] for request in model_server.requests]
    assert most == [734, 724, 714, 704], "what is left, one after the other"
    for request in model_server.requests:
        assert request.body["provider"]["max_price"]["completion"] == pytest.approx(12)
    assert served_project.run(*paid, "1").returncode == 0

    model_server.reset()
    model_server.prices = None
    done = served_project.run(*paid, "1", "--regenerate")
    assert done.returncode == 1
    assert "does not tell what the model 'paid/model' costs" in done.stderr
    assert "use --max-tokens-total instead" in done.stderr
    assert not model_server.requests


def test_models_fall_back(served_project: Project, model_server: ModelServer) -> None:
    served_project.write(ONE)
    model_server.script(Reply.failure(404, "no such model"), Reply(text="Tick.\n"))
    assert served_project.run("generate", "--model", "gone,there").returncode == 0
    assert [request.body["model"] for request in model_server.requests] == ["gone", "there"]
    assert 'model = "there"' in served_project.lock


SECRET = "hunter2-planted"


def test_no_secret_leaves_the_machine(served_project: Project, model_server: ModelServer) -> None:
    served_project.write(f"OPENROUTER_API_KEY={SECRET}-key\nDATABASE_PASSWORD={SECRET}\n", ".env")
    served_project.write(f"host: db\npassword: {SECRET}\ntoken = '{SECRET}'\n", "settings.yaml")
    served_project.write(f"""
        from pydantic import SecretStr
        from clockwork.resources import DockerServiceResource, FileResource, Resource

        class Account(Resource):
            password: SecretStr
            api_token: str
            def needs_artifact_generation(self):
                return True
            def to_pyinfra_operations(self, artifacts):
                secret = self.password.get_secret_value()
                return f"files.put(src=StringIO({{secret!r}}), dest='{{self.name}}', mode='600')"

        service = DockerServiceResource(
            name="web", description="d", env_vars={{"PLAIN": "{SECRET}", "HIDDEN": SecretStr("{SECRET}")}}
        )
        account = Account(name="{served_project.folder}/account", description="d", password="{SECRET}",
                          api_token="{SECRET}")
        file = FileResource(name="a.md", description="d", context=["settings.yaml"], directory="out")
    """)
    done = served_project.run("generate", "-v", LOG_LEVEL="DEBUG", SOME_SECRET=SECRET)
    assert done.returncode == 0, done.stderr
    assert len(model_server.requests) == 3
    assert all(SECRET not in json.dumps(request.body) for request in model_server.requests)
    assert any("HIDDEN" in request.prompt for request in model_server.requests)
    shown = served_project.run("generate", "--show-prompts", "--regenerate")
    for output in (done, shown):
        assert SECRET not in output.stdout + output.stderr
    sources = {"main.py", ".env", "settings.yaml"}
    for path in served_project.folder.rglob("*"):
        if path.is_file() and path.name not in sources and SECRET in path.read_text():
            assert path.stat().st_mode & 0o077 == 0, f"{path} holds a secret, and others may read it"
            assert path.parent.name == "pyinfra", path
    code = (served_project.folder / ".clockwork/pyinfra/deploy.py").read_text()
    assert '"HIDDEN": secret("WEB_ENV_VARS_HIDDEN")' in code, "it is named, and deployed all the same"


def test_secrets_in_an_environment_are_deployed_but_not_shown() -> None:
    service = DockerServiceResource(
        name="web", description="d", image="nginx", env_vars={"A": SecretStr("x")}
    )
    assert 'env_vars={"A": secret("WEB_ENV_VARS_A")}' in service.to_pyinfra_operations({})
    assert "x" not in repr(service.env_vars["A"])
