"""A kind of your own in one file: a service of systemd."""

import re
from collections.abc import Iterator
from hashlib import sha256
from io import StringIO
from typing import Annotated, Any, ClassVar

from pydantic import field_validator, model_validator
from typing_extensions import Self

from clockwork.resources import Generated, Operation, Resource

SECTIONS = ("Unit", "Service")


class SystemdUnit(Resource):
    """A service that is enabled and stays up.

    Attributes:
        name: The name of the unit, such as `web.service`.
        text: The unit file, if the model is not to write it.
        unit_folder: The folder that systemd reads it from. Another folder, for a unit that is deployed, leaves the file
            in the old one until the unit is destroyed.
    """

    placement: ClassVar[frozenset[str]] = frozenset({"unit_folder"})

    # systemd executes what stands in it, so nothing that a model has just written is started unasked.
    text: Annotated[str | None, Generated(text=True, executed=True)] = None
    unit_folder: str = "/etc/systemd/system"

    def identity(self) -> str:
        return f"unit:{self.name}"

    def claims(self) -> Iterator[str]:
        yield f"path:{self._file()}"

    def operations(self) -> Iterator[Operation]:
        text = self.text or ""
        yield Operation(
            "clockwork.operations.files.put",
            name=f"Write {self._file()}",
            src=StringIO(text),
            dest=self._file(),
            mode="644",
        ).state(path=self._file(), type="file", sha256=sha256(text.encode()).hexdigest(), mode="644")
        yield Operation("unit_operations.unit", name=f"Start {self.name}", unit=self.name)

    def destroy_operations(self) -> Iterator[Operation]:
        yield Operation("unit_operations.unit", name=f"Stop {self.name}", unit=self.name, present=False)
        yield Operation(
            "clockwork.operations.files.file", name=f"Remove {self._file()}", path=self._file(), present=False
        ).state(path=self._file(), type="absent")
        yield Operation("unit_operations.reload", name=f"Forget {self.name}", unit=self.name)

    def validate_artifact(self, artifact: str | dict[str, Any]) -> None:
        # The model gets the error, and mends its text.
        found = re.findall(r"^\[(.+)\]\s*$", str(artifact), re.MULTILINE)
        missing = [section for section in SECTIONS if section not in found]
        if missing:
            raise ValueError(f"a service has the sections [Unit] and [Service]; it lacks [{missing[0]}]")
        if not re.search(r"^ExecStart=\S", str(artifact), re.MULTILINE):
            raise ValueError("the section [Service] says by ExecStart= what is run")

    @model_validator(mode="after")
    def _text_is_a_unit(self) -> Self:
        if self.text is not None:
            self.validate_artifact(self.text)
        return self

    @field_validator("name")
    @classmethod
    def _is_the_name_of_a_service(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9:_.\\@-]+\.service", name):
            raise ValueError(f"{name!r} is no name of a service, such as web.service")
        return name

    def _file(self) -> str:
        return f"{self.resolve(self.unit_folder)}/{self.name}"
