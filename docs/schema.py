"""Writes result.schema.json, the schema of what `--json` prints, with what the docstrings say of each key.

python docs/schema.py
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

from clockwork import results

FILE = Path(__file__).with_name("result.schema.json")


def attributes(docstring: str) -> dict[str, str]:
    """The descriptions in the section `Attributes` of a docstring, by attribute."""
    section = inspect.cleandoc(docstring).partition("Attributes:\n")[2]
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, flags=re.MULTILINE)
    return {name: " ".join(text.split()) for name, text in entries}


def schema() -> dict[str, Any]:
    """The schema, with descriptions."""
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": "Written by docs/schema.py.",
        **results.Result.json_schema(),
    }
    for name, shape in [("Result", document), *document["$defs"].items()]:
        docstring = inspect.getdoc(getattr(results, name)) or ""
        shape["description"] = docstring.partition("\n")[0]
        for key, text in attributes(docstring).items():
            shape["properties"][key]["description"] = text
    return document


def text() -> str:
    """The schema as it stands in the file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())
