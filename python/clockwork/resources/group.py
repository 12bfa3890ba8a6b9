"""Resources that belong together."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from clockwork import _core
from clockwork.exceptions import InvalidResourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from typing_extensions import Self

    from clockwork.resources.base import Resource


class Group:
    """Resources that belong together: addressed, planned and destroyed as one.

    ```python
    web = DockerServiceResource(name="web", description="the pages", image="nginx:1.27")
    db = DockerServiceResource(name="db", description="the data", image="postgres:17")
    webapp = clockwork.Group("webapp", [web, clockwork.Group("storage", [db])])
    ```

    Wherever resources are taken, a group may stand for all of its own. Iterating over it gives them too.

    A resource is in one group at most, and so is a group. A new group of the same name takes the members of the old
    one over, so that a cell of a notebook can run again. A copy of a resource is in no group; a deep copy of a group
    is a group of copies.

    Args:
        name: What it is called, without a "/".
        members: The resources, and groups of them. There may be none.
        depends_on: The resources and groups that have to be there before any of its own.

    Attributes:
        name: What it is called.
        members: The resources and groups, as they were given.
        depends_on: What all its resources depend on, as it was given.
        resources: All its resources, those of groups within it too.

    Raises:
        InvalidResourceError: A name, a member or a dependency cannot be used.
    """

    def __init__(
        self,
        name: str,
        members: Iterable[Resource | Group],
        *,
        depends_on: Iterable[Resource | Group] = (),
    ) -> None:
        """Puts the members into the group. Where one of them cannot be, all stay as they were."""
        if not isinstance(name, str) or not name or "/" in name:
            raise InvalidResourceError(
                f"a group cannot be called {name!r}: its name is a text that is not empty and has no '/'"
            )
        self.name = name
        self.members: tuple[Resource | Group, ...] = self._checked(members, "holds resources and groups")
        self.depends_on: tuple[Resource | Group, ...] = self._checked(
            depends_on, "depends on resources and groups"
        )
        self.resources: tuple[Resource, ...] = tuple(resources_of(self.members))
        self._parent: Group | None = None
        self._check()
        self._claim()

    @property
    def path(self) -> str:
        """Its name, behind those of the groups that it is in: `webapp/storage`."""
        return "/".join(reversed([group.name for group in self.and_around()]))

    def connect(self, *others: Resource | Group) -> None:
        """Says that all its resources use others. See `Resource.connect`.

        Args:
            *others: The resources that they use, and groups of them.
        """
        self._check_needs(self._checked(others, "connects to resources and groups"))
        for resource in self.resources:
            resource.connect(*others)

    def __iter__(self) -> Iterator[Resource]:
        """Gives all its resources, those of groups within it too."""
        return iter(self.resources)

    def __len__(self) -> int:
        """The number of its resources."""
        return len(self.resources)

    def __repr__(self) -> str:
        """The group as it is written, with the resources by kind and name."""
        members = (m if isinstance(m, Group) else f"{type(m).__name__}({m.name!r})" for m in self.members)
        return f"{type(self).__name__}({self.name!r}, [{', '.join(map(str, members))}])"

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """A group of copies, in no other group."""
        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        own = {key: value for key, value in vars(self).items() if key != "_parent"}
        copied.__dict__.update(deepcopy(own, memo), _parent=None)
        copied._claim()
        return copied

    def _checked(self, items: Iterable[Resource | Group], what: str) -> tuple[Resource | Group, ...]:
        # A resource and a group can be iterated over too, which is not what is meant here.
        one = isinstance(items, (_core.Resource, Group))
        try:
            checked: tuple[Any, ...] = (items,) if one else tuple(items)
        except TypeError:
            checked = (items,)
        for item in checked:
            if not isinstance(item, (_core.Resource, Group)):
                kind = type(item).__name__
                raise InvalidResourceError(f"the group {self.name!r} {what}, and {kind} is neither")
        return checked

    def _check(self) -> None:
        seen: set[int] = set()
        groups = [member for member in self.members if isinstance(member, Group)]
        everything: list[Resource | Group] = [*groups, *self.resources]
        for one in everything:
            if id(one) in seen:
                raise InvalidResourceError(f"the group {self.name!r} has {_called(one)} twice")
            seen.add(id(one))
        for member in self.members:
            other = _group_of(member)
            # One of the same name is what a cell of a notebook made when it ran before.
            if other is not None and other.name != self.name:
                raise InvalidResourceError(
                    f"{_called(member)} cannot be in the group {self.name!r}: it is in the group {other.path!r}, "
                    "and nothing is in two"
                )
        self._check_needs(self.depends_on)

    def _check_needs(self, needs: tuple[Resource | Group, ...]) -> None:
        own = {id(resource) for resource in self.resources}
        for need in resources_of(needs):
            if id(need) in own:
                raise InvalidResourceError(
                    f"the group {self.name!r} cannot depend on {_called(need)}, which is in it"
                )

    def _claim(self) -> None:
        for member in self.members:
            if isinstance(member, Group):
                member._parent = self
            else:
                member._origin.group = self

    def and_around(self) -> Iterator[Group]:
        """The group itself, and those that it is in, the innermost first."""
        group: Group | None = self
        while group is not None:
            yield group
            group = group._parent


def resources_of(items: Iterable[Resource | Group]) -> Iterator[Any]:
    """Puts in the place of every group its resources; anything else stays as it is."""
    for item in items:
        if isinstance(item, Group):
            yield from item.resources
        else:
            yield item


def _group_of(member: Resource | Group) -> Group | None:
    return member._parent if isinstance(member, Group) else member._origin.group


def _called(member: Resource | Group) -> str:
    if isinstance(member, Group):
        return f"the group {member.name!r}"
    return f"{type(member).__name__} {member.name!r}"
