"""A kind of resource of your own: a signpost, which is a folder with a text in it and a link to that text.

It runs on any machine, on the small local model without a key:

    clockwork apply examples/custom-resource --model local
    clockwork destroy examples/custom-resource
"""

from collections.abc import Iterator
from io import StringIO
from typing import Annotated

from clockwork.resources import Generated, Operation, Resource


class Signpost(Resource):
    """A folder with a text that the model writes, and a link `latest` to it."""

    folder: str
    language: str = "English"
    # A text of its own, which the model writes where it is left out.
    text: Annotated[str | None, Generated(text=True)] = None

    def identity(self) -> str:
        # Two signposts in one folder are refused, and one with another folder has moved.
        return f"path:{self.resolve(self.folder)}"

    def operations(self) -> Iterator[Operation]:
        folder = self.resolve(self.folder)
        yield Operation("clockwork.operations.files.directory", name=f"Make {folder}", path=folder)
        yield Operation(
            "clockwork.operations.files.put",
            name=f"Write the text of {self.name}",
            src=StringIO(self.text),
            dest=f"{folder}/signpost.txt",
            mode="644",
        )
        # A short name means one of pyinfra's own operations.
        yield Operation(
            "files.link", name=f"Link to {self.name}", path=f"{folder}/latest", target="signpost.txt"
        )

    def destroy_operations(self) -> Iterator[Operation]:
        folder = self.resolve(self.folder)
        yield Operation("files.link", path=f"{folder}/latest", present=False)
        yield Operation("clockwork.operations.files.file", path=f"{folder}/signpost.txt", present=False)
        yield Operation("clockwork.operations.files.directory", path=folder, present=False)


hills = Signpost(
    name="hills",
    description="What a hiker reads at the foot of three green hills, in two sentences",
    folder="output/hills",
)
