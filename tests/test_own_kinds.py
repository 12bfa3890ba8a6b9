"""Kinds of a user's own, with all that Pydantic lets them do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from clockwork.resources import Resource
from support.model_server import ModelServer, Reply

if TYPE_CHECKING:
    from support.project import Project

SECRET = "hunter2-planted"

OPEN = """
    from pydantic import Field, Secret, SecretStr, field_serializer
    from clockwork.resources import Resource

    class Gate(Resource):
        gate: SecretStr
        hidden: SecretStr = Field(exclude=True)
        code: Secret[str]

        def needs_artifact_generation(self):
            return True

        @field_serializer("gate", "code", when_used="json")
        def open(self, secret):
            return secret.get_secret_value()

        def to_pyinfra_operations(self, artifacts):
            return f"server.shell(commands=['true # {self.gate.get_secret_value()}'])"

    gate = Gate(name="gate", description="d", gate="hunter2-planted", hidden="hunter2-planted", code="hunter2-planted")
"""


def test_a_serializer_of_its_own_tells_no_secret(served_project: Project, model_server: ModelServer) -> None:
    served_project.write(OPEN)
    shown = served_project.run("generate", "--show-prompts")
    assert shown.returncode == 0, shown.stderr
    assert SECRET not in shown.stdout + shown.stderr
    assert served_project.run("apply").returncode == 0
    assert SECRET not in json.dumps([request.body for request in model_server.requests])
    for name in ("clockwork.lock", ".clockwork/state.json"):
        assert SECRET not in (served_project.folder / name).read_text()


def test_fields_of_any_type(served_project: Project, model_server: ModelServer) -> None:
    served_project.write("""
        from datetime import datetime
        from pathlib import Path
        from pydantic import ConfigDict, Field, computed_field
        from clockwork.resources import FileResource, Resource

        class Page(FileResource):
            model_config = ConfigDict(serialize_by_alias=True)
            path: str | None = Field(default=None, alias="at")
            source: Path = Path("site")
            since: datetime = datetime(2026, 1, 1)

        class Anything:
            pass

        class Odd(Resource):
            model_config = ConfigDict(arbitrary_types_allowed=True)
            raw: bytes
            large: int
            thing: Anything

            @computed_field
            @property
            def broken(self) -> int:
                return 1 // 0

            def needs_artifact_generation(self):
                return True

            def to_pyinfra_operations(self, artifacts):
                return "server.shell(commands=['true'])"

        page = Page(name="page", content="x", at="out/page", since="2026-02-02")
        odd = Odd(name="odd", description="d", raw=bytes([255]), large=2**70, thing=Anything())
    """)
    assert served_project.json("apply")["error"] is None
    assert (served_project.folder / "out/page").read_text() == "x"
    assert str(2**70) in model_server.requests[0].prompt
    assert served_project.run("generate", "--locked").returncode == 0, "it is told the same way each time"


class Disk(Resource):
    """A kind whose fields are called as some of a file's are."""

    size: str
    content: str = ""


def test_its_fields_are_told_whatever_they_are_called() -> None:
    disk = Disk(name="disk", description="d", size="40 GB", content="backups")
    assert disk._given_fields() == {"size": "40 GB", "content": "backups"}


def test_an_alias_is_no_reason_to_refuse_an_answer(
    served_project: Project, model_server: ModelServer
) -> None:
    served_project.write("""
        from pydantic import Field, field_validator
        from clockwork.resources import DockerServiceResource

        class Tiered(DockerServiceResource):
            tier: int = Field(alias="Tier")

            @field_validator("tier", mode="before")
            @classmethod
            def by_name(cls, name):
                return {"gold": 1}[name]

        web = Tiered(name="web", description="d", Tier="gold", suggest=["ports"])
    """)
    model_server.values["ports"] = ["99999:1"]
    done = served_project.run("generate", "--max-repairs", "0")
    assert "ports are numbers from 1 to 65535" in done.stderr
    model_server.values["ports"] = ["8080:80"]
    assert served_project.json("generate")["artifacts"][0]["error"] is None


OWN_CHECK = """
    from clockwork.resources import FileResource

    class Checked(FileResource):
        def validate_artifact(self, artifact):
            import helpers
            helpers.check(artifact)

    a = Checked(name="a.txt", description="d", directory="out")
"""


@pytest.mark.parametrize("is_inside", [False, True])
def test_its_check_may_import_what_is_beside_main(
    served_project: Project, model_server: ModelServer, is_inside: bool
) -> None:
    served_project.write("def check(text):\n    assert 'clock' in text, 'tell of clocks'\n", "helpers.py")
    main = OWN_CHECK
    if is_inside:  # what main.py itself calls must not wait for what main.py holds
        main += (
            "\n    import clockwork, helpers\n    clockwork.generate([Checked(name='b', description='d')])\n"
        )
    served_project.write(main)
    model_server.script(*[Reply(text="Of bells."), Reply(text="Of clocks.")] * 2)
    report = served_project.json("generate")
    assert report["artifacts"][0]["repairs"] == 1
    assert "tell of clocks" in model_server.requests[1].prompt


def test_a_mistake_in_its_check_is_not_the_models(served_project: Project, model_server: ModelServer) -> None:
    served_project.write("def check(text):\n    return {}['clocks']\n", "helpers.py")
    served_project.write(OWN_CHECK)
    done = served_project.run("generate")
    assert done.returncode == 1
    assert "Checked 'a.txt' cannot be compiled: its check of the model's answer raised" in done.stderr
    assert "helpers.py, line 2, in check" in done.stderr
    assert "KeyError: 'clocks'" in done.stderr
    assert len(model_server.requests) == 1, "nobody pays for a mistake of one's own"


def test_a_secret_is_told_by_nothing(project: Project) -> None:
    project.write("""
        from pydantic import SecretStr
        from clockwork.resources import Resource

        class Login(Resource):
            token: SecretStr

            def to_pyinfra_operations(self, artifacts):
                text = f"token = {self.token.get_secret_value()}\\n"
                return f"files.put(src=StringIO({text!r}), dest='login')"

        class Broken(Login):
            def to_pyinfra_operations(self, artifacts):
                secret = self.token.get_secret_value()
                return f"server.shell(name='say {secret}', commands=['echo {secret} >&2; exit 1'])"

        login = Login(name="login", token="hunter2-one")
        broken = Broken(name="broken", token="-----BEGIN-----\\nhunter2-two\\n-----END-----".splitlines()[1])
    """)
    told = [project.run("plan", "--out", "plan.json"), project.run("plan", "--json", "-v")]
    told += [project.run("apply", "-v"), project.run("apply", "--json")]
    for done in told:
        assert "hunter2" not in done.stdout + done.stderr
    assert "+token = (not shown)" in told[0].stdout
    assert "(not shown)" in told[2].stdout
    assert "hunter2" not in (project.folder / "plan.json").read_text()
    assert (project.folder / "login").read_text() == "token = hunter2-one\n", "what is deployed is whole"
