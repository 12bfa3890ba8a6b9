"""`clockwork watch` on real files, containers and hosts that somebody changes behind its back."""

from __future__ import annotations

import fcntl
import json
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from support.waiting import wait_until
from support.watching import Hook, watching

if TYPE_CHECKING:
    from pathlib import Path

    from support.docker import Docker
    from support.model_server import ModelServer
    from support.project import Project

TWO = """
from clockwork.resources import FileResource
a = FileResource(name="a.txt", content="a", directory="out")
b = FileResource(name="b.txt", content="b", directory="out", depends_on=[a])
"""
QUICK = ("--interval", "0.2")


def names(resources: list[dict[str, Any]]) -> list[str]:
    return [resource["name"] for resource in resources]


def deployed(project: Project, main: str = TWO) -> Path:
    project.write(main)
    assert project.run("apply").returncode == 0
    return project.folder / "out"


def test_drift_is_told_once_and_again_when_it_changes_or_comes_back(project: Project, hook: Hook) -> None:
    out = deployed(project)
    with watching(project, *QUICK, CLOCKWORK_WEBHOOK=hook.url) as rounds:
        assert rounds.next()["drifted"] == []
        (out / "a.txt").write_text("by hand")
        found = rounds.until(lambda round: round["drifted"])
        assert names(found["drifted"]) == ["a.txt"]
        assert "+a" in found["drifted"][0]["diff"]
        assert "changed by somebody else since" in found["drifted"][0]["reason"]
        for _ in range(2):
            assert names(rounds.next()["drifted"]) == ["a.txt"]
        assert hook.events == ["drift"]
        (out / "b.txt").unlink()
        rounds.until(lambda round: len(round["drifted"]) == 2)
        rounds.next()
        assert names(hook.told[1]["resources"]) == ["b.txt"]
        (out / "a.txt").write_text("by another hand")
        rounds.until(lambda _: len(hook.told) == 3)
        (out / "a.txt").write_text("a")
        rounds.until(lambda round: len(round["drifted"]) == 1)
        (out / "a.txt").write_text("by another hand")
        rounds.until(lambda _: len(hook.told) == 4)
        assert rounds.end(signal.SIGTERM) == 130
    assert hook.events == ["drift"] * 4
    told = hook.told[0]
    assert (told["schema"], told["project"], told["hosts"]) == (1, str(project.folder), ["@local"])
    assert told["text"] == told["message"]
    assert "FileResource 'a.txt' on @local" in told["text"]
    assert time.strptime(told["time"], "%Y-%m-%dT%H:%M:%SZ")
    assert "by hand" not in json.dumps(hook.told), "diffs are not told"
    assert not (out / "b.txt").exists(), "without --heal nothing is changed"


def test_healing_is_limited_to_what_has_drifted(project: Project, hook: Hook) -> None:
    out = deployed(project, TWO + 'c = FileResource(name="c.txt", content="c", directory="out")\n')
    compiled = (project.folder / ".clockwork/pyinfra/deploy.py").read_text()
    # `a` is wanted otherwise, `c` is gone from main.py, `d` is new.
    project.write(
        TWO.replace('content="a"', 'content="A"')
        + 'd = FileResource(name="d.txt", content="d", directory="out")\n'
    )
    for name in "abc":
        (out / f"{name}.txt").write_text("by hand")
    project.write(f"CLOCKWORK_WEBHOOK={hook.url}\n", name=".env")
    round = project.json("watch", "--heal", "--rounds", "1")
    assert names(round["drifted"]) == names(round["healed"]) == ["b.txt"]
    assert sorted(names(round["pending"])) == ["a.txt", "c.txt", "d.txt"]
    contents = {path.name: path.read_text() for path in out.iterdir()}
    assert contents == {"a.txt": "by hand", "b.txt": "b", "c.txt": "by hand"}
    assert hook.events == ["drift", "healed"]
    assert (project.folder / ".clockwork/pyinfra/deploy.py").read_text() == compiled
    (entry,) = project.json("state", "show", "b.txt")
    assert names(entry["needs"]) == ["a.txt"], "what it needs is not forgotten"
    text = project.run("watch", "--rounds", "1").stdout
    assert "no drift; 3 changes in main.py are not applied yet" in text


def test_exit_status_and_text(project: Project) -> None:
    out = deployed(project)
    quiet = project.run("watch", "--rounds", "2", *QUICK)
    assert quiet.returncode == 0
    assert [line.split(" ", 1)[1] for line in quiet.stdout.splitlines()] == ["no drift"] * 2
    (out / "a.txt").write_text("by hand")
    loud = project.run("watch", "--rounds", "2", *QUICK)
    assert loud.returncode == 1
    assert loud.stdout.count("! FileResource 'a.txt'  @local  drifted") == 2
    assert loud.stdout.count("-by hand") == 1, "the diff is shown once"
    only = project.json("watch", "--rounds", "1", "--target", "a.txt", expect=1)
    assert only["watched"] == 1
    healed = project.run("watch", "--rounds", "1", "--heal")
    assert healed.returncode == 0
    assert "1 drifted, 1 repaired" in healed.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("--interval", "0"),
        ("--interval", "-1"),
        ("--interval", "nan"),
        ("--rounds", "0"),
        ("--webhook", "ftp://example.org/T0KEN"),
        ("--webhook", "example.org/T0KEN"),
    ],
)
def test_wrong_usage(project: Project, arguments: tuple[str, str]) -> None:
    deployed_nothing = project.run("watch", *arguments)
    assert deployed_nothing.returncode == 2
    assert deployed_nothing.stderr
    assert "T0KEN" not in deployed_nothing.stdout + deployed_nothing.stderr


def test_a_stopped_container_is_healed_and_checked(project: Project, docker: Docker, hook: Hook) -> None:
    name, port = docker.name("web"), docker.ports[0]
    main = f"""
        from clockwork.assertions import HttpResponds
        from clockwork.resources import DockerServiceResource
        web = DockerServiceResource(
            name={name!r}, description="a page", image={docker.images.one!r}, ports=["127.0.0.1:{port}:80"],
            assertions=[HttpResponds(url="http://127.0.0.1:{port}/", body="one")],
        )
    """
    deployed(project, main)
    with watching(project, *QUICK, "--heal", "--webhook", hook.url) as rounds:
        rounds.next()
        docker("stop", "-t", "1", name)
        found = rounds.until(lambda round: round["healed"])
        assert names(found["healed"]) == [name]
        assert [check["ok"] for check in found["checks"]] == [True]
        assert docker.page(port) == "clockwork-test one"
        assert rounds.next()["drifted"] == []
        assert rounds.end(signal.SIGINT) == 130
    assert hook.events == ["drift", "healed"]


def test_what_is_protected_is_not_replaced(project: Project, docker: Docker) -> None:
    name = docker.name("kept")
    web = f"""
        from clockwork.resources import DockerServiceResource
        web = DockerServiceResource(name={name!r}, description="a", image={docker.images.one!r}, protect=True)
    """
    deployed(project, web)
    docker("rm", "--force", name)
    docker("run", "--detach", "--name", name, docker.images.two)
    round = project.json("watch", "--heal", "--rounds", "1", expect=1)
    assert names(round["drifted"]) == [name]
    assert round["healed"] == []
    assert "is protected, and is not replaced" in round["notes"][0]
    container = docker.container(name)
    assert container is not None
    assert container["Config"]["Image"] == docker.images.two


def test_a_heal_that_fails_is_tried_again(project: Project, hook: Hook) -> None:
    code = f"""
        files.put(src=StringIO("x"), dest="{project.folder}/out", mode="644")
        server.shell(name="Look", commands=["test ! -e {project.folder}/block"])
    """
    project.write(f"""
        from clockwork.resources import Resource
        class Guarded(Resource):
            def to_pyinfra_operations(self, artifacts):
                return {code!r}
        it = Guarded(name="it")
    """)
    assert project.run("apply").returncode == 0
    with watching(project, *QUICK, "--heal", "--webhook", hook.url) as rounds:
        assert rounds.next()["drifted"] == [], "what is run each time is no drift"
        (project.folder / "block").touch()
        (project.folder / "out").write_text("by hand")
        found = rounds.until(lambda round: round["failed"])
        assert "Look" in found["failed"][0]["error"]
        (project.folder / "out").write_text("by hand")
        rounds.until(lambda round: round["failed"])
        (project.folder / "block").unlink()
        (project.folder / "out").unlink()
        rounds.until(lambda round: round["healed"] and not round["failed"])
        rounds.next()
        assert rounds.end(signal.SIGTERM) == 130
    assert hook.events[:2] == ["drift", "failed"]
    assert hook.events[-1] == "healed"


def test_main_py_may_be_broken_for_a_while(project: Project, hook: Hook) -> None:
    project.write("TEXT = 'a'\n", name="helper.py")
    main = (
        "import helper\n"
        "from clockwork.resources import FileResource\n"
        "a = FileResource(name='a.txt', content=helper.TEXT, directory='out')\n"
    )
    deployed(project, main)
    with watching(project, *QUICK, "--heal", "--webhook", hook.url) as rounds:
        assert rounds.next()["error"] is None
        project.write("1 +\n")
        found = rounds.until(lambda round: round["error"])
        assert found["error"]["kind"] == "LoadError"
        rounds.next()
        (project.folder / "main.py").unlink()
        found = rounds.until(lambda round: round["error"]["kind"] == "ProjectNotFoundError")
        project.write(main)
        rounds.until(lambda round: not round["error"])
        project.write("TEXT = 'other'\n", name="helper.py")
        found = rounds.until(lambda round: round["pending"])
        assert found["drifted"] == []
        state = project.folder / ".clockwork/state.json"
        good = state.read_text()
        state.write_text("{")
        found = rounds.until(lambda round: round["error"])
        assert found["error"]["kind"] == "StateError"
        state.write_text(good)
        project.write("TEXT = 'a'\n", name="helper.py")
        rounds.until(lambda round: not (round["error"] or round["pending"]))
        assert rounds.end(signal.SIGTERM) == 130
    assert hook.events == ["round_failed"] * 3
    assert "main.py does not parse" in hook.told[0]["text"]


def test_another_run_is_not_disturbed(project: Project, hook: Hook) -> None:
    out = deployed(project)
    with (project.folder / ".clockwork/state.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (out / "a.txt").write_text("by hand")
        with watching(project, *QUICK, "--heal", "--webhook", hook.url) as rounds:
            found = rounds.next()
            assert names(found["drifted"]) == ["a.txt"]
            assert found["healed"] == found["failed"] == []
            assert "nothing is repaired in this round: another run is at work" in found["notes"][0]
            fcntl.flock(lock, fcntl.LOCK_UN)
            rounds.until(lambda round: round["healed"])
            # A round is printed before it is told.
            rounds.next()
            assert rounds.end(signal.SIGTERM) == 130
    assert hook.events == ["drift", "healed"]


def test_no_model_is_asked(served_project: Project, model_server: ModelServer) -> None:
    out = deployed(served_project)
    served_project.write(TWO + 'c = FileResource(name="c.txt", description="Write", depends_on=[b])\n')
    (out / "a.txt").write_text("by hand")
    round = served_project.json("watch", "--heal", "--rounds", "1")
    assert names(round["healed"]) == ["a.txt"]
    assert [each["name"] for each in round["missing"]] == ["c.txt"]
    assert (
        "lacks FileResource 'c.txt': run `clockwork generate`"
        in served_project.run("watch", "--rounds", "1").stdout
    )
    assert model_server.requests == []
    assert not (served_project.folder / "clockwork.lock").exists()


def test_a_webhook_that_fails_is_no_reason_to_end(project: Project, hook: Hook) -> None:
    hook.status = 500
    (deployed(project) / "a.txt").unlink()
    done = project.run("watch", "--heal", "--rounds", "1", CLOCKWORK_WEBHOOK=hook.url)
    assert done.returncode == 0, done.stderr
    host = hook.url.split("/")[2]
    assert f"drift could not be told: the webhook at {host} answers with status 500" in done.stderr
    assert f"healed could not be told: the webhook at {host} answers with status 500" in done.stderr
    assert "T0KEN" not in done.stdout + done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_once_between_two_rounds(project: Project, number: signal.Signals) -> None:
    deployed(project)
    with watching(project, "--interval", "600") as rounds:
        rounds.next()
        assert rounds.end(number) == 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("phase", ["main", "host", "webhook"])
def test_it_ends_at_once_inside_a_round(
    project: Project, hook: Hook, phase: str, number: signal.Signals
) -> None:
    busy = f"open({str(project.folder / 'busy')!r}, 'w').close(); import time; time.sleep(600)"
    main = f"""
        from clockwork.resources import Resource
        class Slow(Resource):
            def to_pyinfra_operations(self, artifacts):
                return {busy if phase == "host" else "pass"!r}
        slow = Slow(name="slow")
    """
    project.write(main)
    if phase == "main":
        project.write(busy)
    if phase == "webhook":
        project.write("1 +")
        hook.status = 503
    with watching(project, *QUICK, "--webhook", hook.url) as rounds:
        if phase == "webhook":
            rounds.next()
            time.sleep(0.5)
        else:
            wait_until((project.folder / "busy").exists)
            time.sleep(0.3)
        assert rounds.end(number) == 130


def test_a_terminal_counts_down(project: Project) -> None:
    deployed(project)
    seen = project.terminal("watch", "--interval", "500", interrupt_at="next round in 49", timeout=60)
    assert seen.returncode == 130
    assert "no drift" in seen.text


def test_a_docker_engine_that_is_down_for_a_while(project: Project, docker: Docker, hook: Hook) -> None:
    name = docker.name("web")
    web = f"""
        from clockwork.resources import DockerServiceResource, FileResource
        a = FileResource(name="a.txt", content="a", directory="out")
        web = DockerServiceResource(name={name!r}, description="a", image={docker.images.one!r})
    """
    out = deployed(project, web)
    (out / "a.txt").unlink()
    with watching(
        project, *QUICK, "--heal", "--webhook", hook.url, DOCKER_HOST="unix:///nowhere.sock"
    ) as rounds:
        found = rounds.next()
        assert names(found["healed"]) == ["a.txt"], "the rest is healed all the same"
        assert names(found["drifted"]) == ["a.txt"], "what nobody can see has not drifted"
        found = rounds.next()
        assert (names(found["healed"]), names(found["drifted"])) == ([], [])
        assert "daemon does not run" in found["unknown"][0]["error"]
        rounds.next()
        assert rounds.end(signal.SIGTERM) == 130
    assert hook.events == ["drift", "healed", "round_failed"]
    assert project.json("watch", "--heal", "--rounds", "1")["drifted"] == [], "it was there all the time"


def test_a_watch_writes_no_removals(project: Project) -> None:
    out = deployed(project)
    project.write(TWO.replace('name="a.txt"', 'name="a.txt", path="out/moved"'))
    files = project.folder / ".clockwork/pyinfra"
    before = sorted(path.name for path in files.iterdir())
    round = project.json("watch", "--rounds", "1")
    assert names(round["pending"]) == ["a.txt"]
    assert sorted(path.name for path in files.iterdir()) == before
    assert (out / "a.txt").exists()


def test_a_path_that_was_mistyped_is_told_at_once(project: Project) -> None:
    project.write(TWO)
    done = project.run("watch", "mian.py", "--rounds", "3")
    assert done.returncode == 2
    assert done.stderr.count("mian.py") == 1
    assert "clockwork init" in done.stderr
