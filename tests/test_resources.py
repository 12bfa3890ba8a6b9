"""Resources are real Pydantic models, and bad fields are refused with a reason."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from pydantic import BaseModel, Field, Secret, SecretStr, ValidationError

import clockwork
from clockwork.resources import ArtifactSize, DockerServiceResource, FileResource, Resource


class Greeting(Resource):
    """A kind of a user's own."""

    words: list[str] = []

    def to_pyinfra_operations(self, artifacts: dict[str, Any]) -> str:
        return f"server.shell(commands=[{self.words!r}])"


def file(**fields: Any) -> FileResource:
    return FileResource(**{"name": "a.txt", "content": "x", **fields})


def service(**fields: Any) -> DockerServiceResource:
    return DockerServiceResource(**{"name": "web", "description": "a web server", "image": "nginx", **fields})


@pytest.mark.parametrize(
    "resource", [file(mode="0600"), service(ports=["80:80"]), Greeting(name="g", words=["hi"])]
)
def test_is_a_pydantic_model_in_every_respect(resource: Resource) -> None:
    for twin in (copy.copy(resource), copy.deepcopy(resource), pickle.loads(pickle.dumps(resource))):
        assert twin == resource
        assert type(twin) is type(resource)
    assert type(resource).model_validate(resource.model_dump()) == resource
    assert type(resource).model_construct(**resource.model_dump()).name == resource.name
    assert type(resource).model_json_schema()["properties"]["name"]["type"] == "string"


def test_dependencies_are_the_very_same_objects_and_no_part_of_a_dump() -> None:
    base = file()
    top = file(name="top", depends_on=[base])
    top.connect(base)
    assert [id(need) for need in top.depends_on] == [id(base)]
    assert "depends_on" not in top.model_dump() | top._given_fields()
    assert "depends_on" not in repr(top)


def test_asks_the_model_only_for_what_is_missing() -> None:
    assert not file().needs_artifact_generation()
    assert FileResource(name="a.md", description="d").needs_artifact_generation()
    assert not service().needs_artifact_generation()
    assert service(image=None).needs_artifact_generation()
    assert not service(image=None, present=False).needs_artifact_generation()
    assert not Greeting(name="g").needs_artifact_generation()


def test_tells_the_fields_that_were_set() -> None:
    assert service(ports=["80:80"])._given_fields() == {"image": "nginx", "ports": ["80:80"]}
    file = FileResource(name="a", description="d", size=ArtifactSize.LARGE, mode="600")
    assert file._given_fields() == {"mode": "600"}


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"content": None}, "needs a description"),
        ({"content": None, "description": "  "}, "needs a description"),
        ({"mode": "999"}, "octal"),
        ({"mode": "rw"}, "octal"),
        ({"name": ""}, "at least 1 character"),
        ({"name": "/etc/motd"}, "give it as path="),
        ({"name": "docs/"}, "folder"),
        ({"name": ".."}, "folder"),
        ({"path": "/etc/"}, "directory="),
        ({"path": "a\0b"}, "NUL"),
        ({"directory": ""}, "leave it out"),
        ({"contents": "x"}, "Extra inputs"),
        ({"size": "huge"}, "small"),
    ],
)
def test_refuses_a_bad_file(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        file(**fields)


@pytest.mark.parametrize(
    "ports",
    [
        "80",
        "8080:80",
        "127.0.0.1:8080:80",
        "[::1]:8080:80",
        "53:53/udp",
        "8000-8010:9000-9010",
        "127.0.0.1::80",
    ],
)
def test_takes_ports_as_docker_writes_them(ports: str) -> None:
    assert service(ports=[ports]).ports == [ports]


@pytest.mark.parametrize(
    "port", ["", "web", "80:", "0:80", "80:70000", "1:2:3:4", "8000-8001:80-90", "90-80:80-90"]
)
def test_refuses_a_bad_port(port: str) -> None:
    with pytest.raises(ValidationError, match="port"):
        service(ports=[port])


def test_numbers_may_stand_for_texts_as_in_yaml() -> None:
    assert service(ports=[80], env_vars={"PORT": 8080}).env_vars == {"PORT": "8080"}


@pytest.mark.parametrize("volume", ["data:/data", "./site:/www:ro", "~/x:/x", "/srv:/srv", "/anonymous"])
def test_takes_volumes_as_docker_writes_them(volume: str) -> None:
    assert service(volumes=[volume]).volumes == [volume]


@pytest.mark.parametrize("volume", ["", "data", "data:relative", "da ta:/data", "a:/b:ro:z"])
def test_refuses_a_bad_volume(volume: str) -> None:
    with pytest.raises(ValidationError, match=r"volume|source|colons"):
        service(volumes=[volume])


@pytest.mark.parametrize(
    "image",
    [
        "nginx",
        "nginx:1.27",
        "ghcr.io/me/app:v1",
        "localhost:5000/a/b",
        "a@sha256:" + "0" * 64,
        "registry:5000/x:y",
    ],
)
def test_takes_references_of_images(image: str) -> None:
    assert service(image=image).image == image


@pytest.mark.parametrize(
    "image", ["", "NGINX", "nginx:", "a b", "nginx; rm -rf /", "$(id)", "-v", "a@sha256:12"]
)
def test_refuses_what_is_no_image(image: str) -> None:
    with pytest.raises(ValidationError, match="no reference of an image"):
        service(image=image)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"name": "my web"}, "letters"),
        ({"name": "-web"}, "letters"),
        ({"env_vars": {"A=B": "x"}}, "name of a variable"),
        ({"env_vars": {"A": "x\0"}}, "NUL"),
        ({"networks": ["a b"]}, "no name of a network"),
        ({"networks": ["aa", "aa"]}, "twice"),
        ({"description": None}, "string"),
    ],
)
def test_refuses_a_bad_service(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        service(**fields)


class Login(BaseModel):
    """Part of a kind of a user's own."""

    password: SecretStr


class Gate(Resource):
    """A kind that hides its secrets in every way there is."""

    key: SecretStr = Field(exclude=True)
    pin: Secret[int]
    logins: dict[str, list[Login]]

    def to_pyinfra_operations(self, artifacts: dict[str, Any]) -> str:
        return ""


def test_secrets_are_found_wherever_they_are() -> None:
    logins = {"admin": [Login(password=SecretStr("hunter2"))]}
    gate = Gate(name="g", key=SecretStr("swordfish"), pin=Secret(4711), logins=logins)
    assert sorted(gate._secrets()) == ["4711", "hunter2", "swordfish"]
    for told in (repr(gate._given_fields()), repr(gate._kept_fields())):
        assert not any(secret in told for secret in gate._secrets())
    assert gate._changed_fields()["logins"] == {"admin": [{"password": "hunter2"}]}


def test_what_is_wrong_is_told_without_values_and_so_is_an_environment() -> None:
    with pytest.raises(ValidationError) as caught:
        service(env_vars={"DB_PASSWORD": "hunter2"}, image="NGINX", ports=["hunter2"])
    with pytest.raises(ValidationError) as missing:
        DockerServiceResource(name="web", env_vars={"DB_PASSWORD": "hunter2"})  # type: ignore[call-arg]
    assert "hunter2" not in str(missing.value)
    assert "input_value" not in str(caught.value)
    shown = repr(service(env_vars={"DB_PASSWORD": "hunter2"}))
    assert "DB_PASSWORD" in shown
    assert "hunter2" not in shown


def test_resources_go_into_sets() -> None:
    one, other = file(), file(name="b.txt")
    assert {one, other, one} == {other, one}
    assert hash(copy.copy(one)) == hash(one)
    one.mode = "600"
    assert one in {one}


def test_a_cell_that_runs_again_connects_anew() -> None:
    web, old, log = service(), service(name="db"), file()
    web.connect(old, log)
    web.connect(log, new := service(name="db", image="postgres"))
    assert {id(need) for need in web.depends_on} == {id(log), id(new)}
    assert {id(used) for used in web._origin.connected} == {id(log), id(new)}


def test_one_need_is_as_good_as_a_list_of_one() -> None:
    base = FileResource(name="base", content="x")
    group = clockwork.Group("g", [FileResource(name="in", content="x")])
    assert FileResource(name="a", content="x", depends_on=base).depends_on == [base]
    assert FileResource(name="a", content="x", depends_on=group).depends_on == list(group)


@pytest.mark.parametrize("mode", [0o644, 644])
def test_permissions_are_a_text(mode: int) -> None:
    with pytest.raises(ValidationError, match="permissions are a text, such as mode='644'"):
        FileResource(name="a", content="x", mode=mode)  # type: ignore[arg-type]
