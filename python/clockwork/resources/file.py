"""A file with a content that is given or written by the model."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import threading
import warnings
from pathlib import PurePosixPath
from typing import Any, ClassVar

from pydantic import field_validator, model_validator
from typing_extensions import Self

from clockwork.resources.base import ArtifactSize, Resource

# How long a shell may take to read a script.
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

    __template__: ClassVar[str | None] = "file"
    __artifact_field__: ClassVar[str | None] = "content"
    __has_place__: ClassVar[bool] = True
    # These say where and how the file is put, and do not bear on the text: the model is not asked anew for them.
    __placement__: ClassVar[tuple[str, ...]] = ("path", "directory", "mode")

    size: ArtifactSize = ArtifactSize.SMALL
    directory: str | None = None
    path: str | None = None
    content: str | None = None
    mode: str = "644"

    def validate_artifact(self, artifact: str | dict[str, Any]) -> None:
        """Checks programs with their own interpreter; all other formats the core knows."""
        suffix = PurePosixPath(self.path or self.name).suffix
        if isinstance(artifact, str) and suffix in {".py", ".pyi"}:
            _check_python(artifact)
        elif isinstance(artifact, str) and suffix in {".sh", ".bash"}:
            _check_shell(
                artifact, "bash" if suffix == ".bash" or "bash" in artifact.partition("\n")[0] else "sh"
            )

    def _own_path(self) -> str | None:
        return self.path or f"{'/tmp' if self.directory is None else self.directory}/{self.name}"

    @field_validator("name", "directory", "path")
    @classmethod
    def _is_a_path(cls, value: str | None) -> str | None:
        if value is not None and "\0" in value:
            raise ValueError("a path cannot hold a NUL character")
        if value == "":
            raise ValueError("it is empty; leave it out instead")
        return value

    @field_validator("mode", mode="before")
    @classmethod
    def _is_octal(cls, mode: object) -> str:
        if isinstance(mode, int):
            # 0o644 and 644 are both meant for it, and cannot be told apart for sure.
            raise ValueError("permissions are a text, such as mode='644'")
        if not isinstance(mode, str):
            raise ValueError("permissions are three or four octal digits, such as '644' or '0755'")
        if not re.fullmatch(r"[0-7]{3,4}", mode):
            raise ValueError("permissions are three or four octal digits, such as '644' or '0755'")
        return mode[1:] if len(mode) == 4 and mode[0] == "0" else mode

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
        # A model's doubtful escape is no error, and not the user's to see.
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
