"""Groups of resources."""

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
    """A group of resources, which is selected, planned and destroyed as one.

    ```python
    web = DockerServiceResource(name="web", description="the pages", image="nginx:1.27")
    db = DockerServiceResource(name="db", description="the data", image="postgres:17")
    webapp = clockwork.Group("webapp", [web, clockwork.Group("storage", [db])])
    ```

    A group can be passed in place of its resources, and iterating over it yields them.

    A resource is in one group at most, and so is a group. A new group of the same name takes over the members of the
    old one, so that a notebook cell can run again. A copy of a resource is in no group; a deep copy of a group is a
    group of copies.

    Args:
        name: Its name, without a "/".
        members: Its resources and groups; may be empty.
        depends_on: The resources and groups that are deployed before its members.

    Attributes:
        name: Its name.
        members: Its resources and groups, as given.
        depends_on: The dependencies of all its resources, as given.
        resources: All its resources, including those of nested groups.

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
        """Adds the members. If one of them is invalid, none is added."""
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
        """Its name, after the names of the groups around it: `webapp/storage`."""
        return "/".join(reversed([group.name for group in self.and_around()]))

    def connect(self, *others: Resource | Group) -> None:
        """Declares that all its resources use others. See `Resource.connect`.

        Args:
            *others: The resources that they use, and groups of them.
        """
        self._check_needs(self._checked(others, "connects to resources and groups"))
        for resource in self.resources:
            resource.connect(*others)

    def __iter__(self) -> Iterator[Resource]:
        """Yields all its resources, including those of nested groups."""
        return iter(self.resources)

    def __len__(self) -> int:
        """The number of its resources."""
        return len(self.resources)

    def __repr__(self) -> str:
        """The group as written in Python, with its resources by kind and name."""
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
        # Resources and groups are iterable too, but a single one is an error here.
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
            # A group of the same name comes from an earlier run of the same notebook cell.
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
        """The group itself and the groups around it, the innermost first."""
        group: Group | None = self
        while group is not None:
            yield group
            group = group._parent


class Component(Group):
    """A group whose names are its own: what is in it is addressed `blog/index.html`.

    Two components may hold resources of the same names. A component is what a function returns that declares
    resources for others to use.

    ```python
    def website(name: str, folder: str) -> clockwork.Component:
        return clockwork.Component(name, [FileResource(name="index.html", content="<p>Hi</p>", directory=folder)])


    blog, shop = website("blog", "/srv/blog"), website("shop", "/srv/shop")
    ```
    """


def resources_of(items: Iterable[Resource | Group]) -> Iterator[Any]:
    """Replaces every group by its resources; other items stay."""
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
