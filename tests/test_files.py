"""The main job with files: apply, apply again, an edit, destroy; from the command line and from a script."""

from __future__ import annotations

import ast
import os
import random
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import clockwork
from clockwork.resources import FileResource
from support.project import actions, clean_environment

if TYPE_CHECKING:
    from support.project import Project

MAIN = """
from clockwork.resources import FileResource

motd = FileResource(name="motd", content="Welcome.\\n", directory="out/deep")
key = FileResource(name="key", content="secret\\n", directory="out", mode="600")
"""


def test_from_declaration_to_removal(project: Project) -> None:
    project.write(MAIN)
    out = project.folder / "out"

    plan = project.json("plan")
    assert actions(plan) == {"motd": "create", "key": "create"}
    assert plan["resources"][0]["diff"] == (f"--- /dev/null\n+++ {out}/deep/motd\n@@ -0,0 +1 @@\n+Welcome.\n")
    assert not out.exists(), "a plan changes nothing"
    assert project.run("plan", "--detailed-exitcode").returncode == 2

    assert project.actions("apply") == {"motd": "create", "key": "create"}
    assert (out / "deep/motd").read_text() == "Welcome.\n"
    assert (out / "key").stat().st_mode & 0o777 == 0o600
    before = (out / "key").stat().st_mtime_ns

    again = project.json("apply")
    assert actions(again) == {"motd": "unchanged", "key": "unchanged"}
    assert not any(resource["changed"] for resource in again["resources"])
    assert (out / "key").stat().st_mtime_ns == before
    assert project.run("plan", "--detailed-exitcode").returncode == 0

    project.write(MAIN.replace("Welcome.", "Welcome back."))
    plan = project.json("plan")
    assert actions(plan) == {"motd": "change", "key": "unchanged"}
    assert "-Welcome.\n+Welcome back.\n" in plan["resources"][0]["diff"]
    assert (out / "deep/motd").read_text() == "Welcome.\n"
    assert project.actions("apply") == {"motd": "change", "key": "unchanged"}
    assert (out / "deep/motd").read_text() == "Welcome back.\n"

    project.write(MAIN.replace("600", "640").replace("Welcome.", "Welcome back."))
    assert project.actions("apply") == {"motd": "unchanged", "key": "change"}
    assert (out / "key").stat().st_mode & 0o777 == 0o640

    assert project.actions("destroy", "--dry-run") == {"key": "remove", "motd": "remove"}
    assert (out / "key").exists()
    assert project.actions("destroy") == {"key": "remove", "motd": "remove"}
    assert not (out / "key").exists()
    assert not (out / "deep/motd").exists()
    assert project.actions("destroy") == {"key": "unchanged", "motd": "unchanged"}


def test_the_same_from_a_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = FileResource(name="a.txt", content="one\n", directory="out")
    told: list[str] = []

    result = clockwork.apply([file], progress=lambda event: told.append(event["event"]))
    (resource,) = result.resources
    assert (resource.kind, resource.name, resource.host) == ("FileResource", "a.txt", "@local")
    assert (resource.action, resource.changed, resource.error) == ("create", True, None)
    assert 0 < resource.seconds < result.seconds
    assert result.changed
    assert not result.failed
    assert told == ["host_connected", "deploy_begin", "operation_start", "operation_end"]

    assert not clockwork.apply([file]).changed
    edited = FileResource(name="a.txt", content="two\n", directory="out")
    plan = clockwork.plan([edited])
    assert plan.changed
    assert plan.resources[0].diff is not None
    assert "-one\n+two\n" in plan.resources[0].diff
    assert clockwork.apply([edited]).resources[0].action == "change"
    assert (tmp_path / "out/a.txt").read_text() == "two\n"
    assert clockwork.destroy([edited]).resources[0].action == "remove"
    assert not (tmp_path / "out/a.txt").exists()


ODD = [
    "plain",
    'it\'s "quoted" $HOME `id` $(id) * ? [a] ; & | < >',
    "back\\slash",
    "new\nline",
    "{{ braces }} {% raw %} %s {0}",
    "-rf",
    "unïcode ✓ \u202e",
    "'''\"\"\"",
    " leading and trailing ",
]


@pytest.mark.parametrize("name", ODD)
def test_names_and_contents_may_hold_any_text(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    content = "\n".join([*ODD, "\r\n", "\t", "\0", "no newline at the end"])
    file = FileResource(name=name, content=content, directory="out")
    result = clockwork.apply([file])
    assert result.resources[0].action == "create"
    assert (tmp_path / "out" / name).read_bytes() == content.encode()
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]
    assert clockwork.apply([file]).resources[0].action == "unchanged"
    assert clockwork.apply([file.model_copy(update={"content": "other"})]).changed
    assert (tmp_path / "out" / name).read_text() == "other"
    assert clockwork.destroy([file]).changed
    assert not list((tmp_path / "out").iterdir())


def test_what_cannot_be_written_is_told_and_costs_nothing_else(project: Project) -> None:
    project.write("""
        from clockwork.resources import FileResource
        good = FileResource(name="good", content="x", directory="out")
        bad = FileResource(name="bad", content="x", directory="out/good")
        apart = FileResource(name="apart", content="x", directory="out")
        needs_it = FileResource(name="needs it", content="x", directory="out", depends_on=[bad])
    """)
    done = project.run("apply")
    assert done.returncode == 1
    assert "✗ FileResource 'bad'" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    report = project.json("apply", expect=1)
    assert report["error"]["kind"] == "DeployError"
    assert actions(report)["good"] == "unchanged"
    assert actions(report)["apart"] == "unchanged"
    assert actions(report)["needs it"] == "skipped"
    (project.folder / "out/apart").unlink()
    assert project.actions("apply", "--fail-fast", expect=1)["apart"] == "skipped"
    assert not (project.folder / "out/apart").exists()
    assert "FileResource 'bad' on @local" in report["error"]["message"]


def test_a_failure_carries_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    good = FileResource(name="a", content="x", directory="out")
    with pytest.raises(clockwork.ClockworkError) as caught:
        clockwork.apply([good, FileResource(name="b", content="x", directory="file")])
    result = caught.value.result
    assert result is not None
    assert result.failed
    assert [resource.error is None for resource in result.resources] == [True, False]


def test_a_bad_file_stops_everything_before_anything_is_done(project: Project) -> None:
    project.write(MAIN + 'bad = FileResource(name="x", content="x", mode="abc")\n')
    done = project.run("apply")
    assert done.returncode == 1
    assert "FileResource 'x' is not valid" in done.stderr
    assert not (project.folder / "out").exists()
    assert not (project.folder / ".clockwork").exists()


def test_plain_pyinfra_does_the_same(project: Project, tmp_path: Path) -> None:
    project.write(MAIN)
    project.run("generate")

    def pyinfra(file: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "pyinfra", "-y", "inventory.py", file],
            cwd=tmp_path / ".clockwork/pyinfra",
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout + done.stderr

    pyinfra("deploy.py")
    assert (tmp_path / "out/deep/motd").read_text() == "Welcome.\n"
    assert project.actions("apply") == {"motd": "unchanged", "key": "unchanged"}
    pyinfra("destroy.py")
    assert not (tmp_path / "out/key").exists()
    assert project.actions("destroy") == {"key": "unchanged", "motd": "unchanged"}


@pytest.mark.parametrize("there", ["link", "folder"])
def test_what_is_no_file_is_not_written_through(there: str, project: Project) -> None:
    folder = project.folder / "site"
    folder.mkdir()
    (folder / "elsewhere").write_text("old\n")
    if there == "link":
        (folder / "a.txt").symlink_to("elsewhere")
    else:
        (folder / "a.txt").mkdir()
    project.write("""
        from clockwork.resources import FileResource
        a = FileResource(name="a.txt", content="new\\n", directory="site")
        b = FileResource(name="b.txt", content="new\\n", directory="site")
    """)
    for command in ("plan", "apply"):
        report = project.json(command, expect=1)
        assert (
            "site/a.txt is a folder, a symbolic link or the like, and no file" in report["error"]["message"]
        )
    assert (folder / "elsewhere").read_text() == "old\n"
    assert (folder / "b.txt").read_text() == "new\n", "the rest goes on"
    project.json("destroy", expect=1)
    assert (folder / "a.txt").exists()


def test_answers_are_checked_in_many_threads_without_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    doubtful = FileResource(name="a.py", description="d")
    parse = ast.parse

    def slowly(*arguments: Any, **options: Any) -> Any:
        time.sleep(random.random() / 1000)
        return parse(*arguments, **options)

    monkeypatch.setattr(ast, "parse", slowly)

    def check() -> None:
        for _ in range(20):
            doubtful.validate_artifact("pattern = '\\d'\n")

    before = list(warnings.filters)
    threads = [threading.Thread(target=check) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before


def test_a_text_in_any_language_is_checked_in_any_locale(project: Project) -> None:
    done = project.python(
        "from clockwork.resources import FileResource\n"
        "FileResource(name='a.sh', description='d').validate_artifact('echo \\u2713\\n')\n",
        LC_ALL="C",
        LANG="C",
        PYTHONUTF8="0",
        PYTHONCOERCECLOCALE="0",
    )
    assert done.returncode == 0, done.stderr


def test_a_shell_that_takes_too_long_says_nothing_about_a_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sh").write_text("#!/bin/sh\nsleep 60\n")
    (tmp_path / "sh").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr("clockwork.resources.file.SECONDS", 0.2)
    FileResource(name="a.sh", description="d").validate_artifact("if\n")


def test_what_is_nested_too_deeply_is_no_python() -> None:
    with pytest.raises(ValueError, match="it is not Python"):
        FileResource(name="a.py", description="d").validate_artifact("(" * 100_000)


def test_two_at_one_place_are_refused(project: Project) -> None:
    project.write("""
        from clockwork.resources import FileResource
        a = FileResource(name="a", content="x", path="out/one")
        b = FileResource(name="b", content="y", directory="./out", path="out/one")
    """)
    for command in ("plan", "apply", "generate"):
        done = project.run(command)
        assert done.returncode == 1
        assert "FileResource 'a' (main.py, line 3) and FileResource 'b' (main.py, line 4)" in done.stderr
        assert "are at the same place" in done.stderr
    assert not (project.folder / "out").exists()
