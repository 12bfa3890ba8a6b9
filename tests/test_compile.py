"""Whatever a value holds, it stays a value: compiled code reads back just what went in."""

from __future__ import annotations

import ast
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import Any

import pyinfra.operations
import pytest
from hypothesis import given
from hypothesis import strategies as st

import clockwork
from clockwork.exceptions import CompileError
from clockwork.pyinfra_compiler import PyInfraCompiler
from clockwork.resources import DockerServiceResource, FileResource, Resource

# Pydantic strings: any text without lone surrogates.
texts = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
hostile = st.sampled_from(
    [
        '"""',
        "'''",
        '" + __import__("os").system("id") + "',
        "\\",
        "{{ 7*7 }}",
        "{% raw %}",
        "\n)\nimport os\n",
        "-rf",
    ]
)
values = st.one_of(texts, hostile, st.tuples(texts, hostile, texts).map("".join))


def calls(code: str) -> dict[str, dict[str, Any]]:
    """The keyword arguments of every call in the code whose values are literals."""
    found: dict[str, dict[str, Any]] = {}
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            arguments = found.setdefault(ast.unparse(node.func), {})
            for keyword in node.keywords:
                value = keyword.value
                if isinstance(value, ast.Call) and ast.unparse(value.func) == "StringIO":
                    value = value.args[0]
                try:
                    arguments[str(keyword.arg)] = ast.literal_eval(value)
                except ValueError:
                    continue
    return found


@given(content=values, name=values.filter(lambda name: "\0" not in name))
def test_any_text_reads_back_the_same(content: str, name: str) -> None:
    file = FileResource(name="file", content=content, path=f"/tmp/{name}x")
    put = calls(file.to_pyinfra_operations({}))["clockwork_files.put"]
    assert put["src"] == content
    assert put["dest"] == f"/tmp/{name}x"


@given(value=values.filter(lambda value: "\0" not in value))
def test_any_environment_reads_back_the_same(value: str) -> None:
    service = DockerServiceResource(name="web", description="d", image="nginx", env_vars={"KEY": value})
    assert calls(service.to_pyinfra_operations({}))["clockwork_docker.container"]["env_vars"] == {
        "KEY": value
    }


@given(text=values)
def test_nothing_but_the_expected_calls_comes_of_any_text(text: str) -> None:
    path = f"/tmp/{text}x".replace("\0", "")
    code = FileResource(name="file", content=text, path=path).to_pyinfra_operations({})
    assert set(calls(code)) == {"clockwork_files.put"}
    assert [type(node).__name__ for node in ast.parse(code).body] == ["Expr"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, "/tmp/a.txt"),
        ({"directory": "/srv"}, "/srv/a.txt"),
        ({"directory": "out"}, "{folder}/out/a.txt"),
        ({"directory": "./out/"}, "{folder}/out//a.txt"),
        ({"path": "/etc/motd", "directory": "/srv"}, "/etc/motd"),
        ({"path": "-x"}, "{folder}/-x"),
        ({"path": "~/x"}, "{home}/x"),
    ],
)
def test_path_wins_over_directory_over_tmp(
    fields: dict[str, Any], expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/someone")
    put = calls(FileResource(name="a.txt", content="x", **fields).to_pyinfra_operations({}))[
        "clockwork_files.put"
    ]
    assert put["dest"] == expected.format(folder=tmp_path, home="/home/someone")


def test_writes_the_same_bytes_again_for_the_users_eyes_only(tmp_path: Path) -> None:
    resources = [
        FileResource(name="a.txt", description="d"),
        DockerServiceResource(name="web", description="d", networks=["front"]),
    ]
    artifacts = {"a.txt": "one\ntwo\n", "web": {"image": "nginx:1.27"}}
    compiler = PyInfraCompiler(tmp_path / "out")
    assert compiler.compile(resources, artifacts) == tmp_path / "out"
    first = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    compiler.compile(resources, artifacts)
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir()} == first
    assert sorted(first) == ["deploy.py", "destroy.py", "inventory.py"]
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "out").iterdir()} == {0o600}
    assert b'image="nginx:1.27"' in first["deploy.py"]


def test_a_value_of_the_user_wins_over_a_suggested_one(tmp_path: Path) -> None:
    service = DockerServiceResource(name="web", description="d", image="redis:7")
    assert 'image="redis:7"' in service.to_pyinfra_operations({"web": {"image": "nginx"}})
    file = FileResource(name="a", content="mine")
    assert "mine" in file.to_pyinfra_operations({"a": "the model's"})


def test_taking_down_needs_no_artifact(tmp_path: Path) -> None:
    resources = [
        FileResource(name="a.txt", description="d"),
        DockerServiceResource(name="web", description="d"),
    ]
    PyInfraCompiler(tmp_path).compile_destroy(resources)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["destroy.py", "inventory.py"]
    with pytest.raises(CompileError, match=r"FileResource 'a.txt' has no content yet"):
        PyInfraCompiler(tmp_path).compile(resources)


def test_an_overridden_inventory_is_written(tmp_path: Path) -> None:
    class Elsewhere(PyInfraCompiler):
        def _generate_inventory(self) -> str:
            return 'hosts = ["example.org"]\n'

    Elsewhere(tmp_path).compile([FileResource(name="a", content="x")])
    assert (tmp_path / "inventory.py").read_text() == 'hosts = ["example.org"]\n'


class Documented(Resource):
    """A kind whose code is written with a margin, as the documentation does."""

    def to_pyinfra_operations(self, artifacts: dict[str, Any]) -> str:
        return """
        server.systemd.service(
            name="Start my service",
            service="myapp",
            running=True,
        )
        apt.packages(packages=["nginx"])
        """


def test_code_finds_its_modules_imported(tmp_path: Path) -> None:
    PyInfraCompiler(tmp_path).compile([Documented(name="d")])
    code = (tmp_path / "deploy.py").read_text()
    assert "\nfrom pyinfra.operations import apt, server, systemd\n" in code
    assert "\nserver.systemd.service(\n" in code
    ast.parse(code)


def test_every_module_is_also_found_under_server(tmp_path: Path) -> None:
    modules = [module.name for module in pkgutil.iter_modules(pyinfra.operations.__path__)]
    assert "systemd" in modules

    class Documented(Resource):
        def to_pyinfra_operations(self, artifacts: dict[str, Any]) -> str:
            found = "".join(f"    server.{name}.x,\n" for name in modules if name not in ("util", "server"))
            return f"found = lambda: [\n{found}]\nshell = server.shell\n"

    PyInfraCompiler(tmp_path).compile([Documented(name="d")])
    names: dict[str, Any] = {}
    exec((tmp_path / "deploy.py").read_text(), names)
    assert names["shell"] is pyinfra.operations.server.shell
    for name in set(modules) - {"util", "server"}:
        # An operation of server's own, such as server.crontab, stays what it is.
        own = getattr(pyinfra.operations.server, name, None)
        assert isinstance(getattr(names["server"], name), ModuleType) or callable(own), name


@pytest.mark.parametrize(
    "text", ["spring.cloud.config.server.git.uri=x", "the unit on server.systemd.service is fine"]
)
def test_what_a_text_says_does_no_harm(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    clockwork.apply([FileResource(name="a.txt", content=text, directory=str(tmp_path))])
    assert (tmp_path / "a.txt").read_text() == text


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("files.put(", "is not Python"),
        (None, "returned NoneType"),
        (["files.put()"], "returned list"),
    ],
)
def test_code_that_is_none_is_refused_before_anything_is_written(
    code: Any, complaint: str, tmp_path: Path
) -> None:
    class Broken(Resource):
        def to_pyinfra_operations(self, artifacts: dict[str, Any]) -> str:
            return code  # type: ignore[no-any-return]

    with pytest.raises(CompileError, match=rf"Broken 'b' cannot be compiled: .*{complaint}"):
        PyInfraCompiler(tmp_path / "out").compile([Broken(name="b")])
    assert not (tmp_path / "out").exists()


def test_a_kind_without_operations_says_what_to_override() -> None:
    class Bare(Resource):
        pass

    with pytest.raises(CompileError, match=r"override to_pyinfra_operations\(self, artifacts\) in Bare"):
        Bare(name="b").to_pyinfra_operations({})
