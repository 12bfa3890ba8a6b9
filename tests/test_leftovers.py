"""Earlier deployments: at another place, under another name, by another version, on another host."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from support.files import HEAD, file, files, write

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.project import Project


def inode(project: Project, name: str) -> tuple[int, int]:
    found = (project.folder / "out" / name).stat()
    return found.st_ino, found.st_mtime_ns


@pytest.mark.parametrize("known", [False, True])
def test_what_another_resource_stands_on_now_is_not_pruned(project: Project, known: bool) -> None:
    write(project, file("a", "path='out/one'"), file("c"))
    project.run("apply")
    before = inode(project, "one")
    write(project, file("b", "path='out/one', protect=True"), file("d"))
    told = "no longer has FileResource 'a', whose place on @local is FileResource 'b''s now"
    assert told in project.run("plan", "--prune").stdout
    if known:
        # The entry of `a` is removed by the first run that finds `b` there.
        assert told in project.run("apply").stdout
        assert project.known() == ["b", "c", "d"]
    report = project.json("apply", "--prune", "--yes")
    assert {r["name"]: r["action"] for r in report["resources"]} == {
        "c": "remove",
        "b": "unchanged",
        "d": "unchanged" if known else "create",
    }
    assert inode(project, "one") == before
    assert project.known() == ["b", "d"]
    assert "no longer has" not in project.run("apply").stdout


def test_a_target_does_not_prune_what_the_rest_stands_on(project: Project) -> None:
    write(project, file("a", "path='out/one'"), file("b"))
    project.run("apply")
    before = inode(project, "one")
    # Both say that they have it, as long as `a` is not gone.
    write(project, file("a", "path='out/one'"), file("b", "path='out/one'"))
    project.run("apply", "--target", "b")
    write(project, file("b", "path='out/one'"))
    assert project.known() == ["b"], "the place is its by now"
    assert project.run("apply", "--prune", "--yes", "--target", "a").returncode == 1
    assert inode(project, "one") == before
    assert project.run("destroy").returncode == 0
    assert files(project) == []


def test_files_that_change_places_are_not_taken_away(project: Project) -> None:
    write(project, file("a", "path='out/one'", "x"), file("b", "path='out/two'", "y"))
    project.run("apply")
    write(project, file("a", "path='out/two', protect=True", "x"), file("b", "path='out/one'", "y"))
    report = project.json("apply")["resources"]
    assert [(r["action"], r["replaces"]) for r in report] == [("change", False)] * 2
    assert [(project.folder / "out" / name).read_text() for name in ("one", "two")] == ["y", "x"]
    assert set(project.actions("apply").values()) == {"unchanged"}
    assert not [entry for entry in project.state["resources"] if "leftovers" in entry]
    project.write(HEAD + f"r = {file('b', 'path=' + repr('out/one'), 'y')}\n")
    assert project.json("destroy", expect=1)["error"]["kind"] == "ProtectedError"


def change_state(project: Project, change: Callable[[dict[str, Any]], object]) -> None:
    """Rewrites what the state knows of each resource."""
    state = project.state
    for entry in state["resources"]:
        change(entry)
    (project.folder / ".clockwork/state.json").write_text(json.dumps(state))


@pytest.mark.parametrize("seen", [True, False])
def test_after_an_upgrade_nothing_is_orphaned(project: Project, seen: bool) -> None:
    write(project, file("a", "path='out/one'"))
    project.run("apply")
    change_state(project, lambda entry: entry["deployed"].update(by="0.0.9"))
    if seen:
        assert project.actions("apply") == {"a": "unchanged"}
    write(project, file("a", "path='out/two'"))
    assert project.run("apply").returncode == 0
    assert files(project) == ["two"], "an identity is the same in every version"
    assert set(project.actions("apply").values()) == {"unchanged"}
    assert project.run("destroy").returncode == 0
    assert files(project) == []


def test_what_a_kind_had_elsewhere_goes_in_the_end(project: Project) -> None:
    def declare(directory: str) -> None:
        project.write(f"""
            from clockwork.resources import Resource
            class Greeting(Resource):
                directory: str
                def to_pyinfra_operations(self, artifacts):
                    return f"files.put(src=StringIO('hi'), dest='{{self.directory}}/hi', create_remote_dir=True)"
                def to_pyinfra_destroy_operations(self, artifacts):
                    return f"files.file(path='{{self.directory}}/hi', present=False)"
            hi = Greeting(name="hi", directory="{directory}")
        """)

    for directory in ("one", "two", "three"):
        declare(directory)
        assert project.run("apply").returncode == 0
    there = [project.folder / directory / "hi" for directory in ("one", "two", "three")]
    assert all(path.exists() for path in there), "it has no place that it moves from"
    shown = project.run("state", "show", "hi").stdout
    assert all(str(path.relative_to(project.folder)) in shown for path in there)
    assert project.actions("destroy") == {"hi": "remove"}
    assert not [path for path in there if path.exists()]
    assert project.known() == []


def test_hosts_that_have_left_the_inventory_are_named(project: Project) -> None:
    write(project, file("a"), file("b"))
    project.run("apply")
    change_state(project, lambda entry: entry.update(host="web1"))
    told = "was deployed on web1, which is not in the inventory"
    way_out = "`clockwork state forget a --host web1`"
    write(project, file("a"))
    for command in (["plan"], ["apply", "--prune", "--yes"], ["destroy", "--dry-run"]):
        done = project.run(*command)
        assert done.returncode == 0
        assert done.stdout.count(f"FileResource 'a' {told}") == 1
        assert way_out in done.stdout
        assert done.stdout.count(f"FileResource 'b' {told}") == 1
        assert "apply --prune" not in done.stdout
    change_state(project, lambda entry: entry.update(host="web1"))
    project.run("state", "forget", "a")
    write(project, file("c"))
    project.run("apply")
    change_state(project, lambda entry: entry.update(host="web1"))
    before = files(project)
    done = project.run("destroy")
    assert done.returncode == 1
    assert f"FileResource 'c' {told}" in done.stdout
    assert told in project.json("destroy", expect=1)["error"]["message"]
    assert files(project) == before, "what main.py says is not done where nothing was deployed"
    assert project.known() == ["b", "c"]


def test_what_cannot_be_brought_up_at_its_new_place_stays_at_its_old_one(project: Project) -> None:
    write(project, file("need"), file("a", "path='out/one', depends_on=[r0]"))
    project.run("apply")
    # A folder is in the way, which no file takes the place of.
    (project.folder / "out/need").unlink()
    (project.folder / "out/need").mkdir()
    write(project, file("need", content="y"), file("a", "path='out/two', depends_on=[r0]"))
    report = project.json("apply", expect=1)
    assert report["resources"][1]["action"] == "skipped"
    assert (project.folder / "out/one").read_text() == "x"
    assert [entry["identity"].rpartition("/")[2] for entry in project.state["resources"]] == ["need", "one"]
    (project.folder / "out/need").rmdir()
    assert project.run("apply").returncode == 0
    assert files(project) == ["need", "two"]
