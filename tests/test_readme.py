"""What the README and the examples show is run as it stands there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.model_server import Reply

if TYPE_CHECKING:
    from support.model_server import ModelServer
    from support.project import Project

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
EXAMPLES = dict(re.findall(r"<!-- example: (\w+) -->\n```python\n(.*?)```", README, re.DOTALL))


def test_the_documented_main(served_project: Project, model_server: ModelServer) -> None:
    served_project.write(EXAMPLES["documented"])
    report = served_project.json("generate")
    assert [artifact["name"] for artifact in report["artifacts"]] == ["article.md", "web"]


def test_a_kind_of_your_own(served_project: Project, model_server: ModelServer) -> None:
    text = 'Hello, "you" \\ {there}!\n'
    model_server.script(Reply(text=text))
    target = served_project.folder / "greeting"
    served_project.write(EXAMPLES["custom"].replace("/tmp/clockwork-greeting", str(target)))
    assert served_project.actions("apply") == {"hello": "create"}
    assert (target / "latest").read_text().strip() == text.strip()
    assert served_project.actions("apply") == {"hello": "unchanged"}
    assert served_project.actions("destroy") == {"hello": "remove"}
    assert not list(target.iterdir())


def test_groups(project: Project) -> None:
    project.write(EXAMPLES["groups"].replace("/tmp/clockwork-groups", str(project.folder / "out")))
    assert set(project.actions("apply").values()) == {"create"}
    document = project.json("graph")
    groups = {r["name"]: g for r, g in zip(document["resources"], document["groups"], strict=True)}
    assert groups == {
        "base.conf": None,
        "index.html": "webapp",
        "data.json": "webapp/storage",
        "check.txt": None,
    }
    assert set(project.actions("destroy").values()) == {"remove"}


def test_a_script(project: Project) -> None:
    done = project.python(EXAMPLES["script"])
    assert done.returncode == 0, done.stderr
    assert done.stdout == "FileResource motd @local create\n"


def test_checks(project: Project) -> None:
    folder = project.folder / "checks"
    project.write(EXAMPLES["checks"].replace("/tmp/clockwork-checks", str(folder)))
    assert [check["ok"] for check in project.json("apply")["checks"]] == [True] * 4
    (folder / "settings.json").write_text('{"port": 80}')
    report = project.json("check", expect=1)
    assert [check["ok"] for check in report["checks"]] == [True, True, False, False]
    assert "main.py, line 11, in is_valid_json" in report["checks"][3]["error"]


def test_the_life_cycle(project: Project) -> None:
    project.write(EXAMPLES["lifecycle"])
    assert project.run("apply").returncode == 0
    (project.folder / "site" / "base.conf").write_text("port = 80\n")
    changed = EXAMPLES["lifecycle"].replace("<h1>Hello</h1>", "<h1>Hello, you</h1>")
    changed = changed.replace("depends_on=[base]", 'depends_on=[base], mode="640"')
    changed = re.sub(r"robots = .*\n", "", changed).replace("[page, robots]", "[page]")
    project.write(changed)
    output = project.run("plan").stdout.replace(str(project.folder), "/srv")
    (shown,) = re.findall(r"<!-- output: lifecycle -->\n```text\n(.*?)```", README, re.DOTALL)
    for part in (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", r"\d+\.\d s"):
        output, shown = re.sub(part, "…", output), re.sub(part, "…", shown)
    assert output == shown
    assert project.actions("apply", "--prune", "--yes") == {
        "robots.txt": "remove",
        "base.conf": "drifted",
        "index.html": "change",
    }
    assert set(project.actions("destroy").values()) == {"remove"}
    assert not list((project.folder / "site").iterdir())


@pytest.mark.parametrize("example", ["quickstart", "file-generation", "docker-service", "custom-resource"])
def test_examples_load(example: str, project: Project) -> None:
    project.write((ROOT / "examples" / example / "main.py").read_text())
    assert project.run("generate", "--dry-run").returncode == 0


def test_every_command_and_option_is_told() -> None:
    for command in (
        "apply",
        "generate",
        "plan",
        "destroy",
        "check",
        "state list",
        "state show",
        "state forget",
        "state adopt",
        "init",
        "model pull",
        "completion",
        "version",
    ):
        assert f"`clockwork {command}" in README


def test_the_recording_is_of_a_real_run() -> None:
    svg = (ROOT / "docs/session.svg").read_text()
    for words in ("clockwork", "apply", "destroy"):
        assert words in svg


def test_what_is_installed_is_in_the_table_of_dependencies() -> None:
    direct = re.findall(r"^([a-z0-9_-]+)(?:\.workspace)? = ", _dependencies(), re.MULTILINE)
    for name in direct:
        assert re.search(rf"\b{name}\b", README), f"{name} has no reason in the README"


def _dependencies() -> str:
    sections = []
    for manifest in ("Cargo.toml", "clockwork_py/Cargo.toml"):
        text = (ROOT / manifest).read_text()
        sections += re.findall(r"^\[dependencies\]\n(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
    return "\n".join(sections).replace("clockwork-core", "clockwork")


def test_no_build_output_is_committed() -> None:
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if files.returncode == 0:
        assert not [name for name in files.stdout.split() if name.endswith((".so", ".gguf", ".whl", ".pyc"))]
