"""The form of what `--json` prints is documented, and what is printed has that form."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from clockwork.results import Result

if TYPE_CHECKING:
    from support.project import Project

ROOT = Path(__file__).parent.parent

MAIN = """
from clockwork.assertions import FileExists
from clockwork.resources import FileResource

a = FileResource(name="a", content="one\\n", directory="out", assertions=[FileExists()])
b = FileResource(name="b", content="two\\n", directory="/proc/none", depends_on=[a])
"""


@pytest.fixture(scope="module")
def schema() -> Any:
    spec = importlib.util.spec_from_file_location("schema", ROOT / "docs/schema.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_documented_schema_is_that_of_the_code(schema: Any) -> None:
    assert (ROOT / "docs/result.schema.json").read_text() == schema.text(), "run python docs/schema.py"


def test_every_key_is_described(schema: Any) -> None:
    document = schema.schema()
    for name, shape in [("Result", document), *document["$defs"].items()]:
        for key, entry in shape["properties"].items():
            assert entry.get("description"), f"{name}.{key}"


@pytest.mark.parametrize(("command", "status"), [("plan", 0), ("apply", 1), ("check", 0), ("destroy", 0)])
def test_what_is_printed_has_that_form(command: str, status: int, project: Project) -> None:
    project.write(MAIN)
    if command == "check":
        project.run("apply")
    document = project.json(command, expect=status)
    assert json.loads(json.dumps(Result.from_dict(document).to_dict())) == document, (
        "a key is lost or not known"
    )
    assert document["schema"] == 1


def test_a_command_that_cannot_begin_prints_that_form_too(project: Project) -> None:
    document = project.json("apply", expect=1)
    result = Result.from_dict(document)
    assert result.error is not None
    assert result.error.kind == "ProjectNotFoundError"
    assert result.failed
    assert json.loads(json.dumps(result.to_dict())) == document
