"""What all resources have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretBytes, SecretStr

from clockwork import _core

_definitions = count()


@dataclass
class Origin:
    """Where a resource comes from. Resources that differ in nothing else are equal."""

    order: int = field(default_factory=lambda: next(_definitions), compare=False)
    folder: Path | None = field(default=None, compare=False)
    connected: list[Resource] = field(default_factory=list, compare=False)


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
        depends_on: What has to be there before it, and is taken down after it.
    """

    model_config = ConfigDict(extra="forbid")

    artifact_model: ClassVar[type[BaseModel] | None] = None
    """The shape of the model's answer; without one it is a text."""

    # What only built-in kinds have: the templates in the core that write the prompt and the pyinfra code, and the
    # field that a text of the model fills.
    __template__: ClassVar[str | None] = None
    __artifact_field__: ClassVar[str | None] = None

    name: str = Field(min_length=1)
    description: str | None = None
    context: list[str] = []
    depends_on: list[Resource] = Field(default=[], exclude=True, repr=False)

    _origin: Origin = PrivateAttr(default_factory=Origin)

    def connect(self, *others: Resource) -> None:
        """Says that this resource uses others: it depends on them, and the model learns what they are.

        A configuration that the model writes can then hold the right names and ports.

        Args:
            *others: The resources that it uses.
        """
        known = {id(other) for other in self.depends_on}
        self.depends_on = [*self.depends_on, *(other for other in others if id(other) not in known)]
        self._origin.connected.extend(others)

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
        chosen = self.model_fields_set - {"name", "description", "size", "content", "context", "depends_on"}
        return self.model_dump(mode="json", include=chosen)

    def _plain_fields(self) -> dict[str, Any]:
        """What the pyinfra code is made from: all fields, secrets included."""
        plain: dict[str, Any] = _reveal(self.model_dump())
        return plain


def _reveal(value: Any) -> Any:
    """Takes secrets out of their wrappers, which keep them out of logs and prompts."""
    if isinstance(value, (SecretStr, SecretBytes)):
        return value.get_secret_value()
    if isinstance(value, dict):
        return {key: _reveal(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_reveal(inner) for inner in value]
    return value
