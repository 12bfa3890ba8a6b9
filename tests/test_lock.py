"""The lock: what a model wrote is pinned, reviewed, kept, and asked for once."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest

import clockwork
from clockwork import exceptions
from support.model_server import ModelServer, Reply
from support.project import Project

ONE = """
from clockwork.resources import FileResource
a = FileResource(name="a.txt", description="Write about clocks", directory="out")
"""
TWO = ONE + 'b = FileResource(name="b.txt", description="Write about bells", directory="out")\n'


def test_what_makes_an_entry_stale_and_what_does_not(
    served_project: Project, model_server: ModelServer
) -> None:
    served_project.write(ONE)
    served_project.run("generate")

    def asked(main: str, *options: str) -> int:
        model_server.reset()
        served_project.write(main)
        served_project.run("generate", *options)
        return len(model_server.requests)

    assert asked(ONE) == 0
    assert asked(ONE, "--model", "another/model") == 0
    assert asked("x = 1" + ONE) == 0
    assert asked(ONE.replace("clocks", "bells")) == 1
    bells = ONE.replace("clocks", "bells")
    assert asked(bells.replace('"out"', '"out", mode="600"')) == 0
    assert asked(bells.replace('directory="out"', 'path="elsewhere/b.txt"')) == 0
    assert asked(bells.replace('directory="out"', 'path="elsewhere/b.md"')) == 1
    assert asked(ONE.replace("FileResource(", "FileResource(size='medium',")) == 1


def test_regenerating_shows_the_difference_and_swaps_the_author(
    served_project: Project, model_server: ModelServer
) -> None:
    served_project.write(TWO)
    model_server.script(Reply(text="old a\n"), Reply(text="old b\n"))
    served_project.run("generate", "--concurrency", "1", "--model", "first")
    model_server.script(Reply(text="new b\n"))
    done = served_project.run("generate", "--regenerate", "b.txt", "--model", "second", "--color", "never")
    assert "-old b\n    +new b\n" in done.stdout
    assert len(model_server.requests) == 3
    assert "old a" in served_project.lock
    assert 'model = "first"' in served_project.lock
    assert 'model = "second"' in served_project.lock
    model_server.script(Reply(text="newer a\n"), Reply(text="newer b\n"))
    report = served_project.json("generate", "--regenerate", "--concurrency", "1")
    assert "-old a\n+newer a\n" in report["artifacts"][0]["diff"]
    assert "newer b" in served_project.lock
    done = served_project.run("generate", "--regenerate", "c.txt")
    assert done.returncode == 1
    assert "Did you mean 'a.txt'" in done.stderr or "Did you mean 'b.txt'" in done.stderr


def test_locked_asks_nobody_and_tells_what_is_missing_or_stale(
    served_project: Project, model_server: ModelServer
) -> None:
    served_project.write(TWO)
    served_project.run("generate")
    model_server.reset()
    assert served_project.run("apply", "--locked").returncode == 0
    served_project.write(
        TWO.replace("bells", "gongs") + 'c = FileResource(name="c.txt", description="more")\n'
    )
    done = served_project.run("apply", "--locked")
    assert done.returncode == 1
    assert "b.txt" in done.stderr
    assert "c.txt" in done.stderr
    assert "a.txt" not in done.stderr
    assert "clockwork generate" in done.stderr
    assert not model_server.requests
    with pytest.raises(exceptions.LockedError):
        clockwork.apply(served_project.folder, locked=True)


def test_entries_of_what_is_gone_are_dropped(served_project: Project) -> None:
    served_project.write(TWO)
    served_project.run("generate")
    assert 'name = "b.txt"' in served_project.lock
    served_project.write(ONE)
    served_project.run("generate")
    assert 'name = "b.txt"' not in served_project.lock
    assert 'name = "a.txt"' in served_project.lock


def test_an_edit_by_hand_is_kept_as_the_users(served_project: Project, model_server: ModelServer) -> None:
    served_project.write(ONE)
    model_server.script(Reply(text="theirs\n"))
    served_project.run("generate")
    (served_project.folder / "clockwork.lock").write_text(served_project.lock.replace("theirs", "mine"))
    report = served_project.json("apply")
    assert report["artifacts"][0]["edited"]
    assert (served_project.folder / "out/a.txt").read_text() == "mine\n"
    assert "edited by you" in served_project.run("generate").stdout
    assert "edited by you" in served_project.run("show", "a.txt").stdout
    assert len(model_server.requests) == 1
    served_project.write(ONE.replace("clocks", "bells"))
    report = served_project.json("apply")
    assert report["artifacts"][0]["stale"]
    assert "--regenerate a.txt" in report["notes"][0]
    assert served_project.run("apply", "--locked").returncode == 0
    assert (served_project.folder / "out/a.txt").read_text() == "mine\n"
    assert len(model_server.requests) == 1, "an edit is replaced only where the user says so"
    backup = served_project.json("generate", "--regenerate", "a.txt")["artifacts"][0]["backup"]
    assert Path(backup).read_text() == "mine\n", "an edit is never lost"
    assert len(model_server.requests) == 2


def test_a_lock_of_an_older_clockwork_is_taken_as_it_is(
    served_project: Project, model_server: ModelServer
) -> None:
    served_project.write(TWO)
    served_project.run("generate")
    path = served_project.folder / "clockwork.lock"
    old = served_project.lock.replace("version = 2", "version = 1")
    path.write_text(old.replace('fingerprint = "', 'fingerprint = "0'))
    model_server.reset()
    report = served_project.json("apply", "--locked")
    assert all(artifact["pinned"] for artifact in report["artifacts"])
    assert [note for note in report["notes"] if "older Clockwork" in note and "2 entries" in note]
    assert "version = 2" in served_project.lock
    assert not served_project.json("apply", "--locked")["notes"], "it is said once"
    assert not model_server.requests


@pytest.mark.parametrize(
    "text", ["version = 99\n", "nonsense", "version = 1\n[[artifact]]\nkind = 1\n", "\xff"]
)
def test_a_lock_that_cannot_be_read_is_left_as_it_is(served_project: Project, text: str) -> None:
    served_project.write(ONE)
    path = served_project.folder / "clockwork.lock"
    path.write_bytes(text.encode("latin-1"))
    for command in ("generate", "apply", "plan"):
        done = served_project.run(command)
        assert done.returncode == 1
        assert "clockwork.lock" in done.stderr
    assert path.read_bytes() == text.encode("latin-1")
    assert served_project.run("destroy").returncode == 0, "taking down needs no lock"


def test_what_is_paid_for_survives_an_interrupt(served_project: Project, model_server: ModelServer) -> None:
    files = "\n".join(f'FileResource(name="{i}.txt", description="d", directory="out"),' for i in range(3))
    served_project.write(f"from clockwork.resources import FileResource\nfiles = [{files}]\n")
    model_server.script(Reply(), Reply(), Reply(delay=60))
    terminal = served_project.terminal("generate", "--concurrency", "1", interrupt_at="'1.txt' written")
    assert terminal.returncode == 130
    assert [f'name = "{i}.txt"' in served_project.lock for i in range(3)] == [True, True, False]
    model_server.reset()
    assert served_project.run("generate").returncode == 0
    assert len(model_server.requests) == 1


def test_two_runs_at_once_lose_nothing(served_project: Project, model_server: ModelServer) -> None:
    names = {run: [f"{run}{i}.txt" for i in range(12)] for run in ("x", "y")}
    for run in names:
        files = "\n".join(f'FileResource(name={name!r}, description="d"),' for name in names[run])
        served_project.write(
            f"from clockwork.resources import FileResource\nfiles = [{files}]\n", f"{run}.py"
        )
    model_server.delay = 0.05
    threads = [threading.Thread(target=served_project.run, args=("generate", f"{run}.py")) for run in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(f'name = "{name}"' in served_project.lock for name in names["x"] + names["y"])


def test_show_tells_where_an_artifact_comes_from(served_project: Project, model_server: ModelServer) -> None:
    served_project.write(ONE)
    model_server.script(Reply(text="Tick.\n"))
    served_project.run("generate", "--model", "some/model")
    shown = served_project.run("show", "a.txt")
    assert "some/model" in shown.stdout
    assert shown.stdout.endswith("\nTick.\n")
    assert served_project.json("show", "FileResource.a.txt")["content"] == "Tick.\n"
    done = served_project.run("show", "b.txt")
    assert done.returncode == 1
    assert "Did you mean 'a.txt'" in done.stderr


def test_200_pinned_artifacts_are_read_back(served_project: Project, model_server: ModelServer) -> None:
    files = "\n".join(f'FileResource(name="{i}.txt", description="d", directory="out"),' for i in range(200))
    served_project.write(f"from clockwork.resources import FileResource\nfiles = [{files}]\n")
    served_project.run("generate", "--concurrency", "32")
    model_server.reset()
    report = served_project.json("apply", "--locked")
    assert sum(artifact["pinned"] for artifact in report["artifacts"]) == 200
    assert not model_server.requests


def test_the_lock_alone_deploys_the_same_bytes_elsewhere(tmp_path: Path) -> None:
    """With the real model: what it wrote here is what is deployed there, where there is no model at all."""
    from support.require import require_local_model

    require_local_model()
    here, there = Project(tmp_path / "here"), Project(tmp_path / "there")
    for project in (here, there):
        project.folder.mkdir()
        project.write("""
            from clockwork.resources import FileResource
            a = FileResource(name="a.txt", description="What a clock is", directory="out")
            b = FileResource(name="b.json", description="One user with a name", directory="out")
        """)
    done = here.run("apply", "--model", "local", timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    shutil.copy(here.folder / "clockwork.lock", there.folder)
    assert there.run("apply", "--locked", OPENROUTER_BASE_URL="http://127.0.0.1:9/v1").returncode == 0
    for name in ("a.txt", "b.json"):
        assert (there.folder / "out" / name).read_bytes() == (here.folder / "out" / name).read_bytes()
    json.loads((there.folder / "out/b.json").read_text())
