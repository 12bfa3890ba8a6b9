"""A kind of resource of your own: a signpost, which is a folder with a text in it and a link to that text.

It runs on any machine, on the small local model without a key:

    clockwork apply examples/custom-resource --model local
    clockwork destroy examples/custom-resource
"""

from pathlib import Path
from typing import Any

from clockwork.resources import Resource


class Signpost(Resource):
    """A folder with a text that the model writes, and a link `latest` to it."""

    folder: str
    language: str = "English"

    def needs_artifact_generation(self) -> bool:
        # True has the model write a text, which the methods below find under the resource's name.
        return True

    def to_pyinfra_operations(self, artifacts: dict[str, Any]) -> str:
        # It returns pyinfra code. `!r` writes a value as a Python literal, so that no text, whatever
        # quotes or lines it has, can become code.
        return f"""
        files.directory(name={f"Make the folder of {self.name}"!r}, path={self.folder!r})
        files.put(
            name={f"Write the text of {self.name}"!r},
            src=StringIO({artifacts[self.name]!r}),
            dest={f"{self.folder}/signpost.txt"!r},
            mode="644",
        )
        files.link(
            name={f"Link to the text of {self.name}"!r},
            path={f"{self.folder}/latest"!r},
            target="signpost.txt",
        )
        """

    def to_pyinfra_destroy_operations(self, artifacts: dict[str, Any] | None = None) -> str:
        return f"""
        files.link(path={f"{self.folder}/latest"!r}, present=False)
        files.file(path={f"{self.folder}/signpost.txt"!r}, present=False)
        """


hills = Signpost(
    name="hills",
    description="What a hiker reads at the foot of three green hills, in two sentences",
    folder=str(Path(__file__).parent / "output" / "hills"),
)
