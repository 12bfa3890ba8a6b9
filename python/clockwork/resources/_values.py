"""The values of a resource's fields as JSON, and the secrets among them.

Values are read from the fields directly: a kind's own serializers and aliases serve other readers, and may fail, omit
or reveal values.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from pydantic import BaseModel, RootModel
from pydantic_core import to_jsonable_python

_HIDDEN = "**********"


def fields_of(model: BaseModel, *, whole: bool = False) -> dict[str, Any]:
    """The fields of a model by name.

    Args:
        model: The model.
        whole: Include fields that are excluded from dumps.
    """
    named = {
        name: model.__dict__[name]
        for name, field in type(model).model_fields.items()
        if name in model.__dict__ and (whole or not field.exclude)
    }
    return {**named, **(model.__pydantic_extra__ or {})}


def as_json(value: Any, *, reveal: bool = False) -> Any:
    """Converts any value to JSON.

    Args:
        value: The value.
        reveal: Return secrets in plain text.
    """
    value = _bare(value)
    if _is_secret(value):
        return as_json(value.get_secret_value(), reveal=True) if reveal else _HIDDEN
    parts = _parts(value)
    if isinstance(parts, Mapping):
        return {_key(key): as_json(part, reveal=reveal) for key, part in parts.items()}
    if parts is not None:
        listed = [as_json(part, reveal=reveal) for part in parts]
        # The order of a set differs between processes, and its JSON is compared with an earlier one.
        return sorted(listed, key=json.dumps) if isinstance(value, (set, frozenset)) else listed
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)  # beyond the range of the core's numbers
    return to_jsonable_python(value, bytes_mode="base64", fallback=_as_text)


def secrets_in(value: Any, *, inside: bool = False) -> Iterator[str]:
    """All secrets in a value, as texts.

    Args:
        value: The value.
        inside: Treat the value as a part of a secret.
    """
    value = _bare(value)
    if _is_secret(value):
        yield from secrets_in(value.get_secret_value(), inside=True)
        return
    parts = _parts(value, whole=True)
    if parts is not None:
        for part in parts.values() if isinstance(parts, Mapping) else parts:
            yield from secrets_in(part, inside=inside)
    elif inside and value is not None and not isinstance(value, bool):
        yield value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _is_secret(value: Any) -> bool:
    """Tells if a value is a `SecretStr`, `SecretBytes` or `Secret[…]` of Pydantic's, or works like one."""
    return callable(getattr(type(value), "get_secret_value", None))


def _bare(value: Any) -> Any:
    """The value of an enumeration member or of a root model."""
    while isinstance(value, (Enum, RootModel)):
        value = value.value if isinstance(value, Enum) else value.root
    return value


def _parts(value: Any, *, whole: bool = False) -> Mapping[Any, Any] | Iterable[Any] | None:
    """The parts of a value, by name or in order; None for a value without parts."""
    if isinstance(value, BaseModel):
        return fields_of(value, whole=whole)
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name, None) for field in fields(value)}
    if isinstance(value, (Mapping, list, tuple, set, frozenset, deque)):
        return value
    return None


def _key(key: Any) -> str:
    """Converts a dictionary's key to a JSON key."""
    (text,) = to_jsonable_python({_bare(key): None}, fallback=_as_text)
    return str(text)


def _as_text(value: object) -> str:
    """A text for a value without JSON form, without its memory address, which differs in every process."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))
