"""What all resources have in common."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretBytes,
    SecretStr,
    field_validator,
    model_validator,
)
from typing_extensions import Self

from clockwork import _core
from clockwork.assertions import AssertionList, checked
from clockwork.resources.group import Group, resources_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_definitions = count()


@dataclass
class Origin:
    """Where a resource comes from. Resources that differ in nothing else are equal."""

    order: int = field(default_factory=lambda: next(_definitions), compare=False)
    folder: Path | None = field(default=None, compare=False)
    connected: list[Resource] = field(default_factory=list, compare=False)
    group: Group | None = field(default=None, compare=False)

    def __deepcopy__(self, memo: dict[int, Any]) -> Origin:
        """The origin of a copy, which is in no group; a group that is copied takes its copies in by itself."""
        return replace(self, connected=deepcopy(self.connected, memo), group=None)


if TYPE_CHECKING:

    class _Needs:
        """What type checkers take `depends_on` for: groups may be given, resources are what it holds."""

        def __get__(self, resource: object, owner: object) -> list[Resource]: ...
        def __set__(self, resource: object, needs: Sequence[Resource | Group]) -> None: ...


class ArtifactSize(str, Enum):
    """How long a text the model should write."""

    SMALL = "small"
    """About 100 to 500 words."""
    MEDIUM = "medium"
    """About 500 to 2000 words."""
    LARGE = "large"
    """More than 2000 words."""


class Resource(BaseModel, _core.Resource):
    """Something that is to exist on a host.

    To make a kind of your own, subclass it, annotate fields as in any Pydantic model, and override
    `to_pyinfra_operations` and `to_pyinfra_destroy_operations`; where the model has to write something for it,
    `needs_artifact_generation` too. The built-in kinds take their implementations from the Rust core.

    Attributes:
        name: What it is called; no two resources of one kind may have the same name.
        description: What it is for, in words that the model reads.
        context: Files that the model reads too, below the folder of main.py. Secrets in them are left out.
        depends_on: What has to be there before it, and is taken down after it. A group stands for all its
            resources.
        protect: Whether it is never to be removed or replaced.
        renamed_from: The name that it had before, so that it is known to be the same.
        assertions: What has to hold once it is deployed: models of `clockwork.assertions`, and functions of yours.
            No model reads them, and a change of them changes nothing on a host.
    """

    model_config = ConfigDict(extra="forbid")

    artifact_model: ClassVar[type[BaseModel] | None] = None
    """The shape of the model's answer; without one it is a text."""

    # What only built-in kinds have: the templates in the core that write the prompt and the pyinfra code, and the
    # field that a text of the model fills.
    __template__: ClassVar[str | None] = None
    __artifact_field__: ClassVar[str | None] = None
    # Whether other code to take it down means that it stands elsewhere now.
    __has_place__: ClassVar[bool] = False

    name: str = Field(min_length=1)
    description: str | None = None
    context: list[str] = []
    if TYPE_CHECKING:
        depends_on: _Needs = _Needs()
    else:
        depends_on: list[Resource] = Field(default=[], exclude=True, repr=False)
    protect: bool = Field(default=False, exclude=True, repr=False)
    renamed_from: str | None = Field(default=None, min_length=1, exclude=True, repr=False)
    assertions: AssertionList = Field(default=[], exclude=True, repr=False)

    _origin: Origin = PrivateAttr(default_factory=Origin)

    @field_validator("depends_on", mode="before")
    @classmethod
    def _without_groups(cls, needs: Any) -> Any:
        if isinstance(needs, Group):
            return list(needs)
        return list(resources_of(needs)) if isinstance(needs, (list, tuple, set, frozenset)) else needs

    def __copy__(self) -> Self:
        """A copy, which is in no group."""
        copied = super().__copy__()
        copied._origin = replace(self._origin, connected=[*self._origin.connected], group=None)
        return copied

    def connect(self, *others: Resource | Group) -> None:
        """Says that this resource uses others: it depends on them, and the model learns what they are.

        A configuration that the model writes can then hold the right names and ports.

        Args:
            *others: The resources that it uses, and groups of them.
        """
        used = list(resources_of(others))
        known = {id(other) for other in self.depends_on}
        self.depends_on = [*self.depends_on, *(other for other in used if id(other) not in known)]
        self._origin.connected.extend(used)

    def answer_model(self) -> type[BaseModel] | None:
        """The shape of the model's answer for this very resource; `artifact_model` unless overridden."""
        return self.artifact_model

    def validate_artifact(self, artifact: str | dict[str, Any]) -> None:
        """Checks what the model wrote by what it means. Override it for a kind of your own.

        Args:
            artifact: The text, or the object of the shape of `answer_model`.

        Raises:
            ValueError: What is wrong with it, in words for the model, which is asked to mend it.
        """

    def _needs(self) -> list[Resource]:
        """All that has to be there before it: what it depends on, and what the groups do that it is in."""
        # What is put into the list later is not validated, and may be a group.
        needs: list[Resource] = list(resources_of(self.depends_on))
        group = self._origin.group
        for around in group.and_around() if group else ():
            needs.extend(resources_of(around.depends_on))
        return needs

    def _own_path(self) -> str | None:
        """The path that assertions on files mean where they name none, as the user wrote it."""
        return None

    @model_validator(mode="after")
    def _can_be_asserted(self) -> Self:
        checked(self.assertions, self._own_path(), type(self).__name__)
        return self

    def _check_artifact(self, artifact: str | dict[str, Any]) -> str | dict[str, Any]:
        """Checks an answer in every respect: its shape, its values as fields of this resource, its meaning.

        Returns:
            What is to be pinned: the answer, or a more exact form of it.
        """
        model = self.answer_model()
        if model is not None:
            model.model_validate(artifact)
            if self.__template__ is not None and isinstance(artifact, dict):
                given = {name: getattr(self, name) for name in self.model_fields_set}
                type(self).model_validate({**artifact, **given})
        self.validate_artifact(artifact)
        return artifact

    def _given_fields(self) -> dict[str, Any]:
        """What the prompt is made from: the fields that the user set, as JSON values.

        The core takes the values of secrets and of environments out before it words the prompt.
        """
        told_otherwise = {"name", "description", "size", "content", "context", "depends_on"}
        chosen = self.model_fields_set - told_otherwise - {"assertions"}
        return self.model_dump(mode="json", include=chosen)

    def _kept_fields(self) -> dict[str, Any]:
        """What the state is made from: all fields as JSON values. The core takes out what it must not keep."""
        return self.model_dump(mode="json", exclude={"name", "context"}, fallback=repr)

    def _secrets(self) -> list[str]:
        """The values of its secrets, which nothing on disk may hold but the compiled code."""
        return list(_secrets(self.model_dump()))

    def _plain_fields(self) -> dict[str, Any]:
        """What the pyinfra code is made from: all fields, secrets included."""
        plain: dict[str, Any] = _reveal(self.model_dump())
        return plain


def _secrets(value: Any) -> Iterator[str]:
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, SecretBytes):
        yield value.get_secret_value().decode(errors="replace")
    elif isinstance(value, (dict, list, tuple, set, frozenset)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _secrets(inner)


def _reveal(value: Any) -> Any:
    """Takes secrets out of their wrappers, which keep them out of logs and prompts."""
    if isinstance(value, (SecretStr, SecretBytes)):
        return value.get_secret_value()
    if isinstance(value, dict):
        return {key: _reveal(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_reveal(inner) for inner in value]
    return value
