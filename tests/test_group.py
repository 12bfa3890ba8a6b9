"""Groups: what belongs together is given, ordered, deployed, taken down and drawn together."""

from __future__ import annotations

import copy
import pickle
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import clockwork
from clockwork.exceptions import DuplicateResourceError, InvalidResourceError
from clockwork.resources import FileResource

if TYPE_CHECKING:
    from support.project import Project

MAIN = """
import clockwork
from clockwork.resources import FileResource
def file(name, **more):
    return FileResource(name=name, content=name, directory="out", **more)
"""
WEBAPP = (
    MAIN
    + """
check = file("check")
base = file("base")
webapp = clockwork.Group(
    "webapp", [file("page"), clockwork.Group("storage", [file("db"), file("cache")])], depends_on=[base]
)
report = file("report", depends_on=[webapp])
check.connect(webapp.members[1], base)
"""
)


def file(name: str) -> FileResource:
    return FileResource(name=name, content="x", directory="out")


def names(resources: object) -> list[str]:
    assert isinstance(resources, (list, tuple))
    return [resource["name"] if isinstance(resource, dict) else resource.name for resource in resources]


def needs(document: dict[str, list[list[int]]]) -> dict[str, set[str]]:
    all_names = names(document["resources"])
    return {name: {all_names[n] for n in its} for name, its in zip(all_names, document["needs"], strict=True)}


def test_a_project_with_nested_groups_from_apply_to_destroy(project: Project) -> None:
    project.write(WEBAPP)
    applied = project.json("apply")
    assert {resource["action"] for resource in applied["resources"]} == {"create"}
    out = project.folder / "out"
    assert sorted(path.name for path in out.iterdir()) == ["base", "cache", "check", "db", "page", "report"]
    assert names(applied["resources"]) == ["base", "db", "cache", "check", "page", "report"]
    again = project.json("apply")
    assert {resource["action"] for resource in again["resources"]} == {"unchanged"}
    destroyed = project.json("destroy")
    assert names(destroyed["resources"]) == ["report", "page", "check", "cache", "db", "base"]
    assert not list(out.iterdir())


def test_what_a_group_needs_all_in_it_need_and_what_needs_it_needs_them(project: Project) -> None:
    project.write(WEBAPP)
    assert needs(project.json("graph")) == {
        "base": set(),
        "page": {"base"},
        "db": {"base"},
        "cache": {"base"},
        "report": {"page", "db", "cache"},
        "check": {"db", "cache", "base"},
    }


def test_a_failure_in_a_group_skips_what_depends_on_the_group(project: Project) -> None:
    (project.folder / "out").write_text("in the way")
    project.write(
        MAIN
        + """
site = clockwork.Group("site", [file("page")])
report = FileResource(name="report", content="x", directory="elsewhere", depends_on=[site])
other = FileResource(name="other", content="x", directory="elsewhere")
"""
    )
    report = project.json("apply", expect=1)
    assert {r["name"]: r["action"] for r in report["resources"]}["report"] == "skipped"
    assert [path.name for path in (project.folder / "elsewhere").iterdir()] == ["other"]


@pytest.mark.parametrize(
    "main",
    [
        'g = clockwork.Group("g", [file("a"), file("b")])',
        'listed = [clockwork.Group("g", [file("a"), file("b")])]',
        'listed = {"x": (clockwork.Group("g", [file("a"), file("b")]),)}',
        'listed = {clockwork.Group("g", [file("a"), file("b")])}',
        'b = file("c", depends_on=(clockwork.Group("g", [file("a"), file("b")]),))',
        'g = clockwork.Group("g", [file("z")], depends_on=[clockwork.Group("h", [file("a"), file("b")])])',
        'g = clockwork.Group("g", [], depends_on=[file("a"), file("b")])',
    ],
)
def test_a_group_counts_wherever_resources_do(project: Project, main: str) -> None:
    project.write(MAIN + main)
    assert names(project.json("graph")["resources"])[:2] == ["a", "b"]


def test_a_group_and_its_resources_may_both_have_names(project: Project) -> None:
    project.write(MAIN + 'a, b = file("a"), file("b")\ninner = clockwork.Group("i", [b])\nouter = '
                  'clockwork.Group("o", [inner, a])\nall = [a, inner, outer]\n')  # fmt: skip
    document = project.json("graph")
    assert names(document["resources"]) == ["a", "b"], "the order is that of definition"
    assert document["groups"] == ["o", "o/i"]


def test_from_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    group = clockwork.Group("g", [file("a"), clockwork.Group("h", [file("b")])])
    assert names(clockwork.apply(group).resources) == ["a", "b"]
    assert names(clockwork.plan([file("c"), group]).resources) == ["a", "b", "c"]
    assert names(clockwork.destroy([group]).resources) == ["b", "a"]
    assert not list((tmp_path / "out").iterdir())


def test_what_a_group_tells_of_itself() -> None:
    a, b = file("a"), file("b")
    inner = clockwork.Group("inner", [b])
    group = clockwork.Group("outer", (member for member in (a, inner)))
    assert group.members == (a, inner)
    assert group.resources == (a, b) == tuple(group)
    assert len(group) == 2
    assert (group.path, inner.path) == ("outer", "outer/inner")
    assert repr(group) == "Group('outer', [FileResource('a'), Group('inner', [FileResource('b')])])"


def test_groups_are_given_and_resources_are_kept() -> None:
    group = clockwork.Group("g", [file("a"), clockwork.Group("h", [file("b")])])
    top = FileResource(name="top", content="x", depends_on=[file("c"), group])
    assert names(top.depends_on) == ["c", "a", "b"]
    other, uses = file("other"), clockwork.Group("uses", [file("d"), file("e")])
    uses.connect(other, group)
    for resource in uses:
        assert names(resource.depends_on) == ["other", "a", "b"]
        assert names(resource._origin.connected) == ["other", "a", "b"]


def test_a_copy_is_in_no_group_and_a_copy_of_a_group_is_one() -> None:
    a = file("a")
    outer = clockwork.Group("outer", [clockwork.Group("inner", [a])])
    for copied in (a.model_copy(), a.model_copy(deep=True), copy.copy(a), copy.deepcopy(a)):
        assert clockwork.graph([copied]).groups == (None,)
        copied.connect(file("b"))
    assert not a._origin.connected
    for whole in (copy.deepcopy(outer), pickle.loads(pickle.dumps(outer))):
        assert whole.resources[0] is not a
        assert clockwork.graph(whole).groups == ("outer/inner",)
    assert copy.deepcopy(outer.members[0]).path == "inner"  # type: ignore[union-attr]
    assert clockwork.graph(outer).groups == ("outer/inner",)


def test_a_cell_that_makes_a_group_can_run_again() -> None:
    a, needed = file("a"), file("needed")
    clockwork.Group("g", [clockwork.Group("h", [a])], depends_on=[needed])
    group = clockwork.Group("g", [clockwork.Group("h", [a])])
    graph = clockwork.graph([group, needed])
    assert graph.groups == ("g/h", None)
    assert graph.needs == ((), ()), "what the old one depended on is gone with it"


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ('clockwork.Group("", [])', "a group cannot be called '': its name is a text that is not empty and has no '/'"),
        ('clockwork.Group("a/b", [])', "a group cannot be called 'a/b'"),
        ("clockwork.Group(1, [])", "a group cannot be called 1"),
        ('clockwork.Group("g", [a, a])', "the group 'g' has FileResource 'a' twice"),
        ('clockwork.Group("g", [a, clockwork.Group("g", [a])])', "the group 'g' has FileResource 'a' twice"),
        ('clockwork.Group("g", [h, h])', "the group 'g' has the group 'h' twice"),
        ('clockwork.Group("g", [a, "b"])', "the group 'g' holds resources and groups, and str is neither"),
        ('clockwork.Group("g", None)', "the group 'g' holds resources and groups, and NoneType is neither"),
        ('clockwork.Group("g", [a], depends_on=[1])', "the group 'g' depends on resources and groups, and int is"),
        ('clockwork.Group("g", [a], depends_on=[a])', "the group 'g' cannot depend on FileResource 'a', which is"),
        ('clockwork.Group("g", [a, h]).connect(h)', "the group 'g' cannot depend on FileResource 'b', which is"),
        (
            'clockwork.Group("one", [a]), clockwork.Group("two", [a])',
            "FileResource 'a' cannot be in the group 'two': it is in the group 'one', and nothing is in two",
        ),
        (
            'clockwork.Group("one", [h]), clockwork.Group("two", [h])',
            "the group 'h' cannot be in the group 'two': it is in the group 'one', and nothing is in two",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_a_group(project: Project, made: str, message: str) -> None:
    project.write(MAIN + f'a = file("a")\nh = clockwork.Group("h", [file("b")])\nmade = {made}\n')
    done = project.run("apply")
    assert done.returncode == 1
    assert message in done.stderr
    assert "main.py, line 8, in <module>" in done.stderr
    assert "group.py" not in done.stderr, "only the user's own lines are told"
    assert project.json("apply", expect=1)["error"]["kind"] == "InvalidResourceError"
    assert not (project.folder / "out").exists()


def test_a_group_that_fails_takes_nothing() -> None:
    a, b = file("a"), file("b")
    clockwork.Group("one", [b])
    with pytest.raises(InvalidResourceError, match="nothing is in two"):
        clockwork.Group("two", [a, b])
    assert a._origin.group is None


def test_two_groups_of_one_path() -> None:
    one, two = clockwork.Group("g", [file("a")]), clockwork.Group("g", [file("b")])
    with pytest.raises(
        DuplicateResourceError, match="the list defines the group 'g' twice: give one of them"
    ):
        clockwork.graph([one, two])
    with pytest.raises(DuplicateResourceError, match="the group 'g' twice"):
        clockwork.graph([*one, *two])
    nested = [clockwork.Group(name, [clockwork.Group("same", [file(name)])]) for name in ("x", "y")]
    assert clockwork.graph(nested).groups == ("x/same", "y/same")


def test_a_resource_that_another_group_has_taken_over() -> None:
    a = file("a")
    inner = clockwork.Group("g", [a])
    outer = clockwork.Group("outer", [inner])
    again = clockwork.Group("g", [a])
    with pytest.raises(
        InvalidResourceError, match=r"FileResource 'a' is in the group 'g', and nothing is in two"
    ):
        clockwork.graph([outer, again])


def test_an_empty_group_is_nothing_to_do(project: Project) -> None:
    empty = clockwork.Group("none", [])
    assert names(clockwork.graph([file("a"), empty]).resources) == ["a"]
    assert FileResource(name="b", content="x", depends_on=[empty]).depends_on == []
    with pytest.raises(clockwork.ClockworkError, match="defines no resources"):
        clockwork.apply(empty)


def test_a_group_that_needs_what_needs_it_is_a_cycle() -> None:
    a = file("a")
    group = clockwork.Group("g", [file("b")], depends_on=[a])
    a.connect(group)
    with pytest.raises(clockwork.ClockworkError, match="'a' → FileResource 'b' → FileResource 'a'"):
        clockwork.graph(group)


def test_the_graph_from_the_command(project: Project) -> None:
    project.write(WEBAPP)
    assert '    subgraph g0["webapp"]\n        n' in project.run("graph").stdout
    assert (
        '        subgraph cluster_1 {\n            label="storage"\n'
        in project.run("graph", "--format=dot").stdout
    )
    svg = project.run("graph", "--format", "svg").stdout
    assert {"webapp", "storage", "FileResource", "page"} <= texts(svg)
    assert project.run("graph", "--format", "png").returncode == 2


def test_the_graph_from_the_library() -> None:
    group = clockwork.Group("<g>", [file("a"), file('b"]')])
    graph = clockwork.graph([group, FileResource(name="c\x1b", content="x", path="/c", depends_on=[group])])
    assert names(graph.resources) == ["a", 'b"]', "c\x1b"]
    assert graph.needs == ((), (), (0, 1))
    assert graph.groups == ("<g>", "<g>", None)
    assert str(graph) == graph.mermaid()
    assert 'subgraph g0["#60;g#62;"]' in graph.mermaid()
    assert "n1 -> n2" in graph.dot()
    assert {"<g>", 'b"]', "c"} <= {text.strip() for text in texts(graph.svg())}
    assert repr(graph) == "<Graph of 3 resources>"


def test_a_graph_that_does_not_fit_together_is_not_drawn() -> None:
    for its in (((1,),), ((), ())):
        with pytest.raises(ValueError, match="do not fit"):
            clockwork.Graph((file("a"),), its, (None,)).svg()


def texts(svg: str) -> set[str]:
    root = ElementTree.fromstring(svg)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    return {element.text or "" for element in root.iter("{http://www.w3.org/2000/svg}text")}
