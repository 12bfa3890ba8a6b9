"""The base class of all resources."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from contextvars import ContextVar
from copy import deepcopy
from dataclasses import dataclass, field, replace
from enum import Enum
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator, model_validator
from typing_extensions import Self

from clockwork import _core
from clockwork.assertions import AssertionList, checked
from clockwork.resources._image_digest import with_digests
from clockwork.resources._values import as_json, fields_of, secrets_in
from clockwork.resources.generated import answer_of, marks_of, text_field
from clockwork.resources.group import Component, Group, resources_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from clockwork.resources.operation import Operation

_definitions = count()

_OWN_FOLDER = str(Path(__file__).parent.parent)


def _place_of_caller() -> str | None:
    """The file and line that constructs a resource: the innermost that is neither ours nor a library's."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        is_library = "site-packages" in name or "/pydantic/" in name or name.startswith((_OWN_FOLDER, "<"))
        if not is_library:
            return f"{Path(name).name}, line {frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return None


@dataclass
class Origin:
    """The place of a resource's definition and its groups. It does not count for equality."""

    order: tuple[int, ...] = field(default_factory=lambda: (next(_definitions),), compare=False)
    defined_at: str | None = field(default_factory=lambda: _place_of_caller(), compare=False)
    folder: Path | None = field(default=None, compare=False)
    connected: list[Resource] = field(default_factory=list, compare=False)
    group: Group | None = field(default=None, compare=False)
    discarded: bool = field(default=False, compare=False)

    def __deepcopy__(self, memo: dict[int, Any]) -> Origin:
        """The origin of a copy, which is in no group. A copied group adds its copies itself."""
        # Resources that are copied together keep their order.
        together = memo.setdefault(id(_definitions), next(_definitions))
        order = (together, *self.order)
        connected = deepcopy(self.connected, memo)
        return Origin(order, _place_of_caller(), self.folder, connected)


if TYPE_CHECKING:

    class _Needs:
        """The type of `depends_on` for type checkers: it accepts resources and groups, and holds resources."""

        def __get__(self, resource: object, owner: object) -> list[Resource]: ...
        def __set__(self, resource: object, needs: Resource | Group | Sequence[Resource | Group]) -> None: ...


_collecting: ContextVar[list[Resource] | None] = ContextVar("clockwork_collecting", default=None)


@contextmanager
def collecting(resources: list[Resource] | None) -> Iterator[None]:
    """Collects the resources that are constructed or copied meanwhile in a list, or in none."""
    before = _collecting.set(resources)
    try:
        yield
    finally:
        _collecting.reset(before)


def _collect(resource: Resource) -> None:
    resources = _collecting.get()
    if resources is not None:
        resources.append(resource)


def discard(*resources: Resource | Group) -> None:
    """Removes resources from the project of the main.py that constructs them.

    Args:
        *resources: The resources, and groups of them.
    """
    for resource in resources_of(resources):
        resource._origin.discarded = True


class ArtifactSize(str, Enum):
    """The length of the text that the model writes."""

    SMALL = "small"
    """About 100 to 500 words."""
    MEDIUM = "medium"
    """About 500 to 2000 words."""
    LARGE = "large"
    """More than 2000 words."""


class Resource(BaseModel, _core.Resource):
    """A thing on a host that main.py declares.

    To make a kind of your own, subclass it, annotate fields as in any Pydantic model, and give its work as data:
    `operations` and `destroy_operations`, with `identity` to say what the thing is on its host. A kind may also return
    pyinfra code, from `to_pyinfra_operations` and `to_pyinfra_destroy_operations`.

    Attributes:
        name: What it is called; no two resources of one kind may have the same name.
        description: What it is for, in words that the model reads.
        context: Files that the model reads too, below the folder of main.py. Secrets in them are left out.
        suggest: Further fields that the model may fill in, where you leave them out.
        depends_on: What has to be there before it, and is taken down after it. A group stands for all its
            resources.
        protect: Whether it is never to be removed or replaced.
        renamed_from: The name that it had before, so that it is known to be the same.
        on: The host that it is for, or several, by their names in the inventory; without it, all of them.
        assertions: What has to hold once it is deployed: models of `clockwork.assertions`, and functions of yours.
            No model reads them, and a change of them changes nothing on a host.
    """

    # Messages about a field do not show its value, which may be a secret.
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    artifact_model: ClassVar[type[BaseModel] | None] = None
    """The model of the answer if no field is marked as `Generated`. Without one the answer is a text."""

    placement: ClassVar[frozenset[str]] = frozenset()
    """The fields for the place and the permissions of the thing. A change of them makes no pinned answer stale."""

    instructions: ClassVar[str | None] = None
    """The kind's own words for the model, shown in every question. A change of them makes no pinned answer stale."""

    name: str = Field(min_length=1)
    description: str | None = None
    context: list[str] = []
    suggest: list[str] = []
    if TYPE_CHECKING:
        depends_on: _Needs = _Needs()
    else:
        depends_on: list[Resource] = Field(default=[], exclude=True, repr=False)
    protect: bool = Field(default=False, exclude=True, repr=False)
    renamed_from: str | None = Field(default=None, min_length=1, exclude=True, repr=False)
    on: str | list[str] | None = Field(default=None, exclude=True, repr=False)
    assertions: AssertionList = Field(default=[], exclude=True, repr=False)

    _origin: Origin = PrivateAttr(default_factory=Origin)

    if not TYPE_CHECKING:  # checkers know the fields better

        def __init__(self, /, **data: Any) -> None:
            """Validates the fields. In a main.py it also adds the resource to the project."""
            super().__init__(**data)
            _collect(self)

    @field_validator("depends_on", mode="before")
    @classmethod
    def _without_groups(cls, needs: Any) -> Any:
        if isinstance(needs, (Resource, Group)):
            needs = [needs]
        return list(resources_of(needs)) if isinstance(needs, (list, tuple, set, frozenset)) else needs

    def __copy__(self) -> Self:
        """A copy, which is in no group."""
        copied = super().__copy__()
        connected = [*self._origin.connected]
        origin = Origin()
        copied._origin = replace(origin, folder=self._origin.folder, connected=connected)
        _collect(copied)
        return copied

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """A copy, with copies of all that it refers to."""
        copied = super().__deepcopy__(memo)
        _collect(copied)
        return copied

    def __hash__(self) -> int:
        """Depends on kind and name only, because fields may change."""
        return hash((type(self), self.name))

    def connect(self, *others: Resource | Group) -> None:
        """Declares that this resource uses others: it depends on them, and the model is shown them.

        A configuration that the model writes can then hold the right names and ports. A new resource of the same
        kind and name takes the old one's place, so that a cell of a notebook can run again.

        Args:
            *others: The resources that it uses, and groups of them.
        """
        used = list(resources_of(others))
        self.depends_on = _with(self.depends_on, used)
        self._origin.connected = _with(self._origin.connected, used)

    def identity(self) -> str:
        """The identity of the thing on its host, such as `path:/etc/motd` or `container:web`.

        No two resources of a host may have the same one, and another one means that the resource has moved. It never
        depends on the host. Without an override, all that is known of the thing is its kind and name.
        """
        return f"code:{type(self).__name__}/{self.name}"

    def claims(self) -> Iterable[str]:
        """The other things that only one resource of a host may have, such as `port:0.0.0.0:8080/tcp`."""
        return ()

    def uses(self) -> Iterable[str]:
        """The identities and claims that it needs if something in the project provides them."""
        return ()

    def operations(self) -> Iterable[Operation]:
        """The operations that deploy it. They are asked for when the model has filled in the open fields."""
        raise NotImplementedError

    def destroy_operations(self) -> Iterable[Operation]:
        """The operations that destroy it. None may hold the value of a secret."""
        raise NotImplementedError

    def resolve(self, path: str) -> str:
        """Makes a path absolute: a relative one is below the folder of main.py, and `~` is the home folder.

        Raises:
            ValueError: The path begins with another user's home folder.
        """
        return _core._resolve(path, self._origin.folder or Path.cwd())

    def needs_artifact_generation(self) -> bool:
        """Tells if the model has to write anything for it. By default: if a generated field is open."""
        return bool(self._open_fields())

    def answer_model(self) -> type[BaseModel] | None:
        """The model of the answer for this resource; None means a text."""
        fields = type(self).model_fields
        names = self._open_fields()
        if not names or names == [text_field(fields)]:
            return None if names else self.artifact_model
        return answer_of(type(self).__name__, fields, names)

    def validate_artifact(self, artifact: str | dict[str, Any]) -> None:
        """Checks the meaning of an answer. Override it for a kind of your own.

        Args:
            artifact: The text, or the object of the shape of `answer_model`.

        Raises:
            ValueError: What is wrong with it, in words for the model, which is asked to mend it.
        """

    def _needs(self) -> list[Resource]:
        """All its dependencies: its own, and those of its groups."""
        # Items that are added to the list later are not validated, and may be groups.
        needs: list[Resource] = list(resources_of(self.depends_on))
        group = self._origin.group
        for around in group.and_around() if group else ():
            needs.extend(resources_of(around.depends_on))
        return needs

    def _own_path(self) -> str | None:
        """The default path of assertions about files: that of the identity, if it has one."""
        what, _, path = self.identity().partition(":")
        return path if what == "path" else None

    @model_validator(mode="after")
    def _can_be_asserted(self) -> Self:
        if self.assertions:
            checked(self.assertions, self._own_path(), type(self).__name__)
        return self

    def _text_field(self) -> str | None:
        """The field for a whole text."""
        return text_field(type(self).model_fields)

    def _executes(self) -> bool:
        """Tells if the host executes what the model writes for it."""
        marks = marks_of(type(self).model_fields)
        return any(name in marks and marks[name].executed for name in self._open_fields())

    def _on_hosts(self) -> list[str] | None:
        """The names of the hosts that it is for; None is all of them."""
        return [self.on] if isinstance(self.on, str) else self.on

    def _qualified_name(self) -> str:
        """Its name, behind those of the components that it is in: `blog/index.html`."""
        group = self._origin.group
        around = [one.name for one in (group.and_around() if group else ()) if isinstance(one, Component)]
        return "/".join((*reversed(around), self.name))

    def _open_fields(self) -> list[str]:
        """The fields that the model fills in: missing ones that are marked, or named by `suggest`."""
        fields = type(self).model_fields
        marked = [
            name
            for name, mark in marks_of(fields).items()
            if not mark.suggested and getattr(self, name) is None
        ]
        suggested = [name for name in self.suggest if name not in self.model_fields_set]
        return list(dict.fromkeys((*marked, *suggested)))

    @model_validator(mode="after")
    def _asks_one_question(self) -> Self:
        fields = type(self).model_fields
        own = fields.keys() - Resource.model_fields.keys()
        unknown = [name for name in self.suggest if name not in own]
        if unknown:
            raise ValueError(
                f"suggest: there is no field {unknown[0]!r} that a model may fill in; "
                f"there are: {', '.join(sorted(own))}"
            )
        names = self._open_fields()
        text = text_field(fields)
        if text in names and len(names) > 1:
            others = ", ".join(name for name in names if name != text)
            raise ValueError(
                f"a model writes either the text {text!r} or fields ({others}), and both are left to it: give one"
            )
        return self

    def _check_artifact(self, artifact: str | dict[str, Any]) -> str | dict[str, Any]:
        """Checks an answer: its shape, its values as fields of this resource, its meaning.

        Returns:
            What is to be pinned: the answer, or a more exact form of it.
        """
        model = self.answer_model()
        if model is not None:
            model.model_validate(artifact)
        if self._open_fields():
            self._completed(artifact)
        self.validate_artifact(artifact)
        if model is not None and isinstance(artifact, dict):
            return {**artifact, **with_digests(artifact, model.model_json_schema())}
        return artifact

    def _completed(self, artifact: Any) -> Self:
        """A copy whose open fields have the values of an answer. All other fields stay.

        Raises:
            ValidationError: A value does not fit its field.
        """
        names = self._open_fields()
        if not names:
            return self
        text = text_field(type(self).model_fields)
        given = {text: artifact} if names == [text] else artifact
        values = {name: given[name] for name in names if name in given} if isinstance(given, dict) else {}
        with collecting(None):
            completed = self.model_copy(update=values)
            completed._origin = self._origin
            for name, value in values.items():
                self.__pydantic_validator__.validate_assignment(completed, name, value)
        return completed

    def _given_fields(self) -> dict[str, Any]:
        """The fields that the user set, as JSON values, for the prompt.

        The core removes the values of secrets and of environments.
        """
        # The prompt has these in its own words.
        told = {"name", "description", "context", "suggest", text_field(type(self).model_fields)}
        if isinstance(getattr(self, "size", None), ArtifactSize):
            told.add("size")
        given: dict[str, Any] = as_json(self)
        return {name: given[name] for name in given if name in self.model_fields_set - told}

    def _kept_fields(self) -> dict[str, Any]:
        """All fields as JSON values, for the state. The core removes what the state must not keep."""
        kept: dict[str, Any] = as_json(self)
        return {name: kept[name] for name in kept if name not in {"name", "context"}}

    def _changed_fields(self) -> dict[str, Any]:
        """The kind's fields that differ from their defaults, as JSON values, secrets included."""
        fields = type(self).model_fields
        of_all = {name for name, field in Resource.model_fields.items() if field.exclude} | {
            "context",
            "suggest",
        }
        own = {name: value for name, value in fields_of(self, whole=True).items() if name not in of_all}
        plain: dict[str, Any] = as_json(own, reveal=True)
        return {
            name: value
            for name, value in plain.items()
            if name not in fields
            or value != as_json(fields[name].get_default(call_default_factory=True), reveal=True)
        }

    def _secrets(self) -> list[str]:
        """The values of its secrets, which must not be written to disk."""
        of_all = {name for name, field in Resource.model_fields.items() if field.exclude}
        own = {name: value for name, value in fields_of(self, whole=True).items() if name not in of_all}
        return list(secrets_in(own))


def _with(known: Sequence[Resource | Group], others: list[Resource]) -> list[Any]:
    """Adds resources to a list, each once. They replace others of the same kind and name."""
    added = {(type(other).__name__, other.name): other for other in others}

    def stays(one: Resource | Group) -> bool:
        return added.get((type(one).__name__, one.name), one) is one

    return list({id(one): one for one in (*filter(stays, known), *others)}.values())
