"""Options and settings by themselves that other tests have no use for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from clockwork.local_model import pull
from clockwork.resources import FileResource
from support.require import require_local_model
from support.sshd import Sshd, core, free_port

if TYPE_CHECKING:
    from support.model_server import ModelServer
    from support.project import Project

ONE = """
from clockwork.resources import FileResource
a = FileResource(name="a.txt", description="Write about clocks", directory="out")
"""
TWO = """
from clockwork.assertions import FileContains, FileExists
from clockwork.resources import FileResource
a = FileResource(name="a.txt", content="a", directory="out", assertions=[FileExists()])
b = FileResource(name="b.txt", content="b", directory="out", assertions=[FileContains(text="c")], depends_on=[a])
c = FileResource(name="c.txt", content="c", directory="out", assertions=[FileExists()])
"""
COMPILED = ["deploy.py", "destroy.py", "inventory.py"]


@pytest.mark.parametrize("set_by", ["the environment", ".env"])
def test_compiled_files_go_where_they_are_wanted(project: Project, set_by: str) -> None:
    project.write(TWO, "site/main.py")
    if set_by == ".env":
        project.write("PYINFRA_OUTPUT_DIR=built/here\n", "site/.env")
        done = project.run("apply", "--no-check", "site")
    else:
        done = project.run("apply", "--no-check", "site", PYINFRA_OUTPUT_DIR="built/here")
    assert done.returncode == 0, done.stderr
    built = project.folder / "site/built/here"
    assert sorted(path.name for path in built.iterdir() if path.suffix == ".py") == COMPILED
    assert not (project.folder / "site/.clockwork/pyinfra").exists()
    assert (project.folder / "site/out/a.txt").exists()


def test_the_base_url_that_is_typed_wins(project: Project, model_server: ModelServer) -> None:
    project.write(ONE)
    nowhere = f"http://127.0.0.1:{free_port()}/v1"
    done = project.run("generate", "--base-url", model_server.base_url, OPENROUTER_BASE_URL=nowhere)
    assert done.returncode == 0, done.stderr
    assert len(model_server.requests) == 1


def test_a_check_of_a_part(project: Project) -> None:
    project.write(TWO)
    assert project.run("apply", "--no-check").returncode == 0

    def checked(*arguments: str, expect: int = 0) -> list[str]:
        return [each["name"] for each in project.json("check", *arguments, expect=expect)["checks"]]

    assert checked("--target", "c.txt") == ["c.txt"]
    assert checked("--target", "b.txt", expect=1) == ["a.txt", "b.txt"], "it, and what it needs"
    assert checked(expect=1) == ["a.txt", "b.txt", "c.txt"]


def test_what_is_known_of_one_host(project: Project, sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.folder)
    file = FileResource(name="a.txt", content="a", directory=str(project.folder / "out"))
    core(sshd.inventory("one", "two")).apply([file])
    project.write("")
    assert [entry["host"] for entry in project.json("state", "show", "a.txt")] == ["one", "two"]
    assert [entry["host"] for entry in project.json("state", "show", "a.txt", "--host", "two")] == ["two"]
    forgot = project.run("state", "forget", "a.txt", "--host", "one")
    assert forgot.returncode == 0, forgot.stderr
    assert [entry["host"] for entry in project.state["resources"]] == ["two"]
    assert (project.folder / "out/a.txt").exists(), "it stays as it is"


def test_yes_answers_at_a_terminal(project: Project) -> None:
    project.write(TWO)
    assert project.run("apply", "--no-check").returncode == 0
    moved = TWO.replace('"out"', '"elsewhere"', 1)
    project.write(moved)
    assert "[y/N]" in project.terminal("apply", "--no-check", answers={"[y/N]": "n"}).text
    assert not (project.folder / "elsewhere").exists()
    done = project.terminal("apply", "--no-check", "--yes")
    assert done.returncode == 0, done.text
    assert "[y/N]" not in done.text
    assert (project.folder / "elsewhere/a.txt").exists()
    assert not (project.folder / "out/a.txt").exists()


def test_suggested_volumes(served_project: Project, model_server: ModelServer) -> None:
    main = """
from clockwork.resources import DockerServiceResource
db = DockerServiceResource(name="db", description="A database", image="redis:7-alpine", suggest=["volumes"])
"""
    model_server.values["volumes"] = ["db-data:/data"]
    served_project.write(main)
    report = served_project.json("generate")
    assert report["artifacts"][0]["content"] == {"volumes": ["db-data:/data"]}
    assert '"db-data:/data"' in (served_project.folder / ".clockwork/pyinfra/deploy.py").read_text()
    served_project.write(main.replace("suggest=", 'volumes=["mine:/data"], suggest='))
    assert served_project.json("generate")["artifacts"] == [], "volumes are the user's"
    assert '"mine:/data"' in (served_project.folder / ".clockwork/pyinfra/deploy.py").read_text()


def test_a_model_of_your_own(project: Project) -> None:
    require_local_model()
    # An image is named in a few words, for which even a busy machine does not take long.
    project.write("""
        from clockwork.resources import DockerServiceResource
        web = DockerServiceResource(name="web", description="A small web server")
    """)
    (project.folder / "mine.gguf").symlink_to(pull())
    done = project.run("generate", "--model", f"local:{project.folder}/mine.gguf", timeout=600)
    assert done.returncode == 0, done.stderr
    assert 'model = "mine"' in project.lock
