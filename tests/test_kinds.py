"""Two kinds that are one Python file each: a folder, which is built in, and the example's service of systemd."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pydantic import ValidationError

from clockwork.resources import DirectoryResource
from support.model_server import ModelServer, Reply
from support.project import actions
from support.systemctl import SystemctlDouble

if TYPE_CHECKING:
    from support.project import Project

EXAMPLE = Path(__file__).parent.parent / "examples/systemd-unit"

FOLDERS = "from clockwork.resources import DirectoryResource, FileResource\n"
FOLDER = 'folder = DirectoryResource(name="folder", path="out/site", mode="750")\n'


def mode(path: Path) -> str:
    return f"{path.stat().st_mode & 0o777:o}"


def test_a_folder_lives(project: Project) -> None:
    there = project.folder / "out/site"
    project.write(FOLDERS + FOLDER)
    assert project.actions("plan") == {"folder": "create"}
    assert not there.exists()
    assert project.actions("apply") == {"folder": "create"}
    assert mode(there) == "750"
    assert project.actions("apply") == {"folder": "unchanged"}

    project.write(FOLDERS + FOLDER.replace("750", "0700"))
    (planned,) = project.json("plan")["resources"]
    assert planned["action"] == "change"
    assert planned["changes"] == [{"field": "mode", "before": "750", "after": "700", "by_model": False}]
    assert project.actions("apply") == {"folder": "change"}

    there.chmod(0o777)
    (planned,) = project.json("plan")["resources"]
    assert planned["action"] == "drifted"
    assert planned["changes"] == [{"field": "mode", "before": "777", "after": "700", "by_model": False}]
    assert project.actions("apply") == {"folder": "drifted"}
    assert mode(there) == "700"

    project.write(FOLDERS + FOLDER.replace("750", "0700").replace("out/site", "out/shop"))
    assert project.run("plan").stdout.startswith("± DirectoryResource 'folder'  @local  replace")
    project.json("apply")
    assert [path.name for path in (project.folder / "out").iterdir()] == ["shop"]

    destroyed = project.run("destroy")
    assert "a copy of it is kept" not in destroyed.stdout, "a folder is nothing to copy"
    assert list((project.folder / "out").iterdir()) == []


def test_a_folder_that_is_not_empty_stays_and_says_so(project: Project) -> None:
    project.write(FOLDERS + FOLDER)
    project.json("apply")
    theirs = project.folder / "out/site/theirs"
    theirs.write_text("x")
    done = project.run("destroy")
    assert done.returncode == 1
    assert "out/site is not empty, and is not removed" in done.stdout + done.stderr
    assert theirs.read_text() == "x"
    assert project.known() == ["folder"]
    theirs.unlink()
    assert project.actions("destroy") == {"folder": "remove"}


def test_a_folder_comes_before_what_lies_in_it_and_goes_after_it(project: Project) -> None:
    page = 'page = FileResource(name="index.html", content="x", directory="out/site")\n'
    project.write(FOLDERS + page + FOLDER)
    assert "FileResource 'index.html' comes after DirectoryResource 'folder'" in project.run("plan").stdout
    assert list(project.actions("apply")) == ["folder", "index.html"]
    project.write((FOLDERS + page + FOLDER).replace("out/site", "out/site/deep"))
    assert project.run("apply").returncode == 0
    there = project.folder / "out/site"
    assert [path.name for path in there.iterdir()] == ["deep"], "it has moved into itself"
    assert project.actions("destroy") == {"folder": "remove", "index.html": "remove"}
    assert list(there.iterdir()) == []


def test_what_a_folder_needs_may_lie_in_it(project: Project) -> None:
    project.write(
        FOLDERS
        + """
first = FileResource(name="first", content="x", directory="out/site")
second = FileResource(name="second", content="x", path="out/second", depends_on=[first])
"""
        + FOLDER.replace("mode=", "depends_on=[second], mode=")
    )
    assert list(project.actions("apply")) == ["first", "second", "folder"]


def test_two_folders_at_one_place(project: Project) -> None:
    project.write(FOLDERS + FOLDER + 'other = DirectoryResource(name="other", path="out/x/../site")\n')
    done = project.run("plan")
    assert done.returncode == 1
    assert "DirectoryResource 'folder' (main.py, line 2) and DirectoryResource 'other' (main.py, line 3)" in (
        done.stderr
    )
    assert f"are at the same place, {project.folder}/out/site: give one of them another" in done.stderr


def test_a_model_chooses_the_permissions(served_project: Project, model_server: ModelServer) -> None:
    keys = (
        'keys = DirectoryResource(name="keys", description="Private keys", path="keys", suggest=["mode"])\n'
    )
    served_project.write(FOLDERS + keys)
    model_server.script(Reply(text='{"mode": "rwx"}'), Reply(text='{"mode": "0700"}'))
    assert served_project.run("apply").returncode == 0
    assert "permissions are three or four octal digits" in model_server.requests[1].prompt
    assert mode(served_project.folder / "keys") == "700"
    assert served_project.actions("apply") == {"keys": "unchanged"}
    served_project.write(FOLDERS + keys.replace('path="keys"', 'path="elsewhere"'))
    assert served_project.run("apply").returncode == 0
    assert len(model_server.requests) == 2, "another path asks nobody"
    assert mode(served_project.folder / "elsewhere") == "700"


def test_a_protected_folder(project: Project) -> None:
    protected = FOLDERS + FOLDER.replace("mode=", "protect=True, mode=")
    project.write(protected)
    project.json("apply")
    done = project.run("destroy", "--yes")
    assert done.returncode == 1
    assert "DirectoryResource 'folder'" in done.stderr
    assert "protect" in done.stderr
    project.write(protected.replace("out/site", "out/shop"))
    done = project.run("apply", "--yes")
    assert done.returncode == 1
    assert "protect" in done.stderr
    assert [path.name for path in (project.folder / "out").iterdir()] == ["site"]


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"path": "/"}, "/ is always there"),
        ({"path": ""}, "it is empty"),
        ({"path": "a\0"}, "NUL"),
        ({"path": "a", "mode": 755}, "permissions are a text"),
        ({"path": "a", "mode": "rwx"}, "octal digits"),
        ({"path": "a", "suggest": ["colour"]}, "there is no field 'colour' that a model may fill in"),
    ],
)
def test_a_folder_that_cannot_be(fields: dict[str, str], error: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(error)):
        DirectoryResource(name="folder", **fields)  # type: ignore[arg-type]


@pytest.fixture
def systemctl(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> SystemctlDouble:
    return SystemctlDouble(tmp_path_factory.mktemp("systemd"), monkeypatch)


UNIT = "[Unit]\nDescription=Clock\n\n[Service]\nExecStart=/bin/sleep 60\n\n[Install]\nWantedBy=multi-user.target\n"


@pytest.fixture
def example(served_project: Project) -> Project:
    for name in ("systemd_unit.py", "unit_operations.py"):
        shutil.copy(EXAMPLE / name, served_project.folder)
    # One second for each start adds up.
    operations = served_project.folder / "unit_operations.py"
    operations.write_text(operations.read_text().replace("GRACE = 1", "GRACE = 0"))
    return served_project


def unit(systemctl: SystemctlDouble, more: str = "", name: str = "clock.service", text: str = UNIT) -> str:
    """The code of a unit."""
    given = f"text={text!r}, " if text else ""
    return (
        "from clockwork.resources import FileResource\nfrom systemd_unit import SystemdUnit\n"
        f'clock = SystemdUnit(name="{name}", {given}unit_folder="{systemctl.units}", {more})\n'
    )


def test_a_unit_of_the_users_own_lives(example: Project, systemctl: SystemctlDouble) -> None:
    example.write(unit(systemctl))
    assert example.actions("plan") == {"clock.service": "create"}
    assert systemctl.active == {}
    assert example.actions("apply") == {"clock.service": "create"}
    assert systemctl.active == {"clock.service": UNIT}
    assert systemctl.enabled == ["clock.service"]
    assert example.actions("apply") == {"clock.service": "unchanged"}

    changed = UNIT.replace("60", "90")
    example.write(unit(systemctl, text=changed))
    (planned,) = example.json("plan")["resources"]
    assert planned["action"] == "change"
    assert "+ExecStart=/bin/sleep 90" in planned["diff"]
    assert example.actions("apply") == {"clock.service": "change"}
    assert systemctl.active == {"clock.service": changed}, "it runs with its new text"

    systemctl.stop("clock.service")
    (planned,) = example.json("plan")["resources"]
    assert planned["action"] == "drifted"
    assert planned["changes"] == [{"field": "running", "before": False, "after": True, "by_model": False}]
    assert example.actions("apply") == {"clock.service": "drifted"}
    assert systemctl.active == {"clock.service": changed}

    example.write(unit(systemctl, 'renamed_from="clock.service"', name="bell.service", text=changed))
    assert example.run("apply", "--yes").returncode == 0
    assert systemctl.active == {"bell.service": changed}
    assert (systemctl.enabled, systemctl.loaded) == (["bell.service"], ["bell.service"])
    assert example.known() == ["bell.service"]

    assert example.actions("destroy") == {"bell.service": "remove"}
    assert (systemctl.active, systemctl.enabled, systemctl.loaded) == ({}, [], [])
    assert list(systemctl.units.iterdir()) == []


def test_a_unit_that_does_not_stay_up_fails(example: Project, systemctl: SystemctlDouble) -> None:
    example.write(unit(systemctl, text=UNIT.replace("/bin/sleep 60", "/bin/false")))
    done = example.run("apply")
    assert done.returncode == 1
    assert "clock.service does not stay up: see journalctl -u clock.service" in done.stdout + done.stderr
    assert example.run("destroy").returncode == 0
    assert list(systemctl.units.iterdir()) == []


def test_a_unit_and_a_file_at_one_place(example: Project, systemctl: SystemctlDouble) -> None:
    taken = f'taken = FileResource(name="x", content="x", path="{systemctl.units}/clock.service")\n'
    example.write(unit(systemctl) + taken)
    done = example.run("apply")
    assert done.returncode == 1
    assert (
        "SystemdUnit 'clock.service' (main.py, line 3) and FileResource 'x' (main.py, line 4)" in done.stderr
    )
    assert systemctl.active == {}


def test_a_model_writes_a_unit_and_only_a_later_run_starts_it(
    example: Project, model_server: ModelServer, systemctl: SystemctlDouble
) -> None:
    example.write(unit(systemctl, 'description="Ticks"', text=""))
    model_server.script(Reply(text="[Unit]\nDescription=Clock\n"), Reply(text=UNIT))
    done = example.run("apply")
    assert done.returncode == 1
    assert "it lacks [Service]" in model_server.requests[1].prompt
    assert "systemd unit" in model_server.requests[0].prompt
    assert "clock.service" in done.stderr
    assert systemctl.active == {}, "what a model has just written is not started unasked"
    assert example.actions("apply") == {"clock.service": "create"}
    assert systemctl.active == {"clock.service": UNIT}
    assert example.actions("apply") == {"clock.service": "unchanged"}
    assert len(model_server.requests) == 2


def test_a_protected_unit(example: Project, systemctl: SystemctlDouble) -> None:
    example.write(unit(systemctl, "protect=True"))
    assert example.run("apply").returncode == 0
    done = example.run("destroy", "--yes")
    assert done.returncode == 1
    assert "protect" in done.stderr
    # A new text restarts it, and takes nothing away.
    changed = UNIT.replace("60", "90")
    example.write(unit(systemctl, "protect=True", text=changed))
    assert actions(example.json("apply")) == {"clock.service": "change"}
    assert systemctl.active == {"clock.service": changed}


def test_a_unit_is_destroyed_without_main(example: Project, systemctl: SystemctlDouble) -> None:
    example.write(unit(systemctl))
    assert example.run("apply").returncode == 0
    (example.folder / "main.py").unlink()
    operations = example.folder / "unit_operations.py"
    kept = operations.read_text()
    operations.unlink()
    done = example.run("destroy", "--yes")
    assert done.returncode == 1
    assert "unit_operations" in done.stdout + done.stderr, "the module that is gone is named"
    assert list(systemctl.active) == ["clock.service"]
    assert example.known() == ["clock.service"]
    operations.write_text(kept)
    assert example.run("destroy", "--yes").returncode == 0
    assert systemctl.active == {}
    assert json.dumps(example.state["resources"]) == "[]"
