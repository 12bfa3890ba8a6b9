"""Fields that a model fills in if the user leaves them out."""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, Field, JsonValue, create_model

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic.fields import FieldInfo

__all__ = ["Generated"]


@dataclass(frozen=True)
class Generated:
    """Marks a field that a model fills in if it is left out.

    ```python
    image: Annotated[str | None, Generated("A Docker image with its tag, such as nginx:1.27")] = None
    text: Annotated[str | None, Generated(text=True)] = None
    ```

    A resource asks one question: for one text, or for an object of several fields.

    Attributes:
        description: What the model is told of the field.
        text: Whether the field is a whole text of its own, such as the content of a file. It is checked by the format
            that the ending of the resource's name tells.
        format: The `format` of the field in the JSON schema of the answer. A `container-image`, or a list of them, has
            to be one of Docker's official images, unless others are allowed, and is pinned with its digest.
        suggested: Whether it is asked for only where `suggest` names it.
        executed: Whether the host executes it, as it does a unit or a crontab. The run in which a model wrote it asks
            before it deploys it; without a terminal it only pins it, and the next run deploys it.
    """

    description: str | None = None
    text: bool = False
    format: str | None = None
    suggested: bool = False
    executed: bool = False


def marks_of(fields: dict[str, FieldInfo]) -> dict[str, Generated]:
    """The marked fields of a kind, by name."""
    marked = {}
    for name, field in fields.items():
        for mark in field.metadata:
            if isinstance(mark, Generated):
                marked[name] = mark
    return marked


def text_field(fields: dict[str, FieldInfo]) -> str | None:
    """The field for a whole text, if there is one."""
    return next((name for name, mark in marks_of(fields).items() if mark.text), None)


def answer_of(kind: str, fields: dict[str, FieldInfo], names: Iterable[str]) -> type[BaseModel]:
    """The Pydantic model of an answer for some fields.

    Args:
        kind: The name of the kind.
        fields: The fields of the kind.
        names: The names of those that are asked for.
    """
    marks = marks_of(fields)
    shape: dict[str, Any] = {}
    for name in names:
        field = fields[name]
        mark = marks.get(name)
        description = (mark.description if mark else None) or field.description
        extra: dict[str, JsonValue] | None = {"format": mark.format} if mark and mark.format else None
        shape[name] = (
            _without_none(field.annotation),
            Field(description=description, json_schema_extra=extra),
        )
    return create_model(f"{kind}Artifact", **shape)


def _without_none(annotation: Any) -> Any:
    """The type of a field in an answer, without None."""
    if get_origin(annotation) is Annotated:
        return _without_none(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        kept = tuple(part for part in get_args(annotation) if part is not NoneType)
        return Union[kept] if len(kept) > 1 else kept[0]  # noqa: UP007
    return annotation
