"""A file whose content the user gives or the model writes."""

from __future__ import annotations

import ast
import shutil
import subprocess
import threading
import warnings
from collections.abc import Iterator
from hashlib import sha256
from io import StringIO
from pathlib import PurePosixPath
from typing import Annotated, Any, ClassVar

from pydantic import field_validator, model_validator
from typing_extensions import Self

from clockwork.resources._paths import HostPath, Mode, check_path
from clockwork.resources.base import ArtifactSize, Resource
from clockwork.resources.generated import Generated
from clockwork.resources.operation import Operation

# The time that a shell may take to read a script, in seconds.
SECONDS = 10.0


class FileResource(Resource):
    r"""A file on the host.

    It is written to `path`; without one to `directory`/`name`; without either to `/tmp/name`. A relative path
    is below the folder of main.py, and `~` is the home folder. Folders on the way are created.

    ```python
    FileResource(name="article.md", description="Write about Conway's Game of Life")
    FileResource(name="motd", content="Welcome.\n", path="/etc/motd", mode="644")
    ```

    Attributes:
        name: The file's name, from which the model learns the format.
        description: What is to be in the file. May be missing only where `content` is given.
        size: How long the model's text should be.
        directory: The folder to put it in.
        path: The whole path, name and all.
        content: The content, if the model is not to write it.
        mode: The permissions, in octal.
    """

    placement: ClassVar[frozenset[str]] = frozenset({"directory", "path", "mode"})

    size: ArtifactSize = ArtifactSize.SMALL
    directory: HostPath | None = None
    path: HostPath | None = None
    content: Annotated[str | None, Generated(text=True)] = None
    mode: Mode = "644"

    def identity(self) -> str:
        """The path of the file."""
        return f"path:{self.resolve(self._own_path())}"

    def operations(self) -> Iterator[Operation]:
        """Writes the file."""
        target, content = self.resolve(self._own_path()), self.content or ""
        yield Operation(
            "clockwork.operations.files.put",
            name=f"Write {target}",
            src=StringIO(content, newline=""),
            dest=target,
            mode=self.mode,
        ).state(path=target, type="file", sha256=sha256(content.encode()).hexdigest(), mode=self.mode)

    def destroy_operations(self) -> Iterator[Operation]:
        """Removes the file."""
        target = self.resolve(self._own_path())
        yield Operation(
            "clockwork.operations.files.file", name=f"Remove {target}", path=target, present=False
        ).state(path=target, type="absent")

    def validate_artifact(self, artifact: str | dict[str, Any]) -> None:
        """Checks programs with their own interpreter. The core checks all other formats."""
        suffix = PurePosixPath(self.path or self.name).suffix
        if isinstance(artifact, str) and suffix in {".py", ".pyi"}:
            _check_python(artifact)
        elif isinstance(artifact, str) and suffix in {".sh", ".bash"}:
            _check_shell(
                artifact, "bash" if suffix == ".bash" or "bash" in artifact.partition("\n")[0] else "sh"
            )

    def _own_path(self) -> str:
        return self.path or f"{'/tmp' if self.directory is None else self.directory}/{self.name}"

    @field_validator("name")
    @classmethod
    def _is_a_path(cls, name: str) -> str:
        return check_path(name)

    @model_validator(mode="after")
    def _has_a_content_and_a_place(self) -> Self:
        if self.content is None and not (self.description or "").strip():
            raise ValueError("it needs a description, for the model to write from, or a content")
        if self.path is None:
            if self.name.startswith("/"):
                raise ValueError("its name is a whole path: give it as path=, and a short name=")
            if self.name.rstrip("/").rpartition("/")[2] in {"", ".", ".."} or self.name.endswith("/"):
                raise ValueError("its name is that of a folder; a file needs a name of its own")
        elif self.path.endswith("/"):
            raise ValueError("its path is that of a folder: give the folder as directory=")
        return self


# The filters of warnings belong to the whole process, and answers are checked in several threads.
_filtering = threading.Lock()


def _check_python(code: str) -> None:
    with _filtering, warnings.catch_warnings():
        # A doubtful escape in a model's string is no error, and its warning is not shown.
        warnings.simplefilter("ignore")
        try:
            ast.parse(code)
        except SyntaxError as error:
            raise ValueError(f"it is not Python: line {error.lineno}: {error.msg}") from error
        except (RecursionError, MemoryError) as error:
            raise ValueError("it is not Python that can be read: it is nested too deeply") from error


def _check_shell(script: str, shell: str) -> None:
    found = shutil.which(shell)
    if found is None:
        return
    # With -n, a shell reads and runs nothing.
    try:
        done = subprocess.run([found, "-n"], input=script.encode(), capture_output=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return  # a machine that has no time for it says nothing about the script
    if done.returncode != 0:
        raise ValueError(f"it is no {shell} script: {done.stderr.decode(errors='replace').strip()[:500]}")
