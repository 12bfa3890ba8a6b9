"""The command line: what can be typed, what is printed where, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import clockwork
from support.model_server import ModelServer, Reply
from support.processes import all_gone, running
from support.project import clean_environment, clockwork_command
from support.require import require_local_model
from support.waiting import wait_until

if TYPE_CHECKING:
    from support.project import Project

HELLO = """\
from clockwork.resources import FileResource
hello = FileResource(name="a.txt", content="x", directory="out")
"""
SLOW = """
from clockwork.resources import Resource
class Slow(Resource):
    def to_pyinfra_operations(self, artifacts):
        return 'server.shell(name="take a nap", commands=["sleep 770.{}"])'
slow = Slow(name="slow")
"""


def test_version(project: Project) -> None:
    for arguments in (["version"], ["--version"]):
        assert project.run(*arguments).stdout == f"clockwork {clockwork.__version__}\n"
    assert project.json("version") == {"version": clockwork.__version__}
    assert subprocess.run([sys.executable, "-m", "clockwork", "version"], capture_output=True).returncode == 0


@pytest.mark.parametrize(
    "statement", ["import clockwork", "from clockwork import _core; _core.main(['c', 'version'])"]
)
def test_starts_without_what_it_does_not_need(project: Project, statement: str) -> None:
    heavy = "{'pyinfra', 'pydantic', 'paramiko', 'gevent', 'http.client', 'urllib.request', 'ssl', 'asyncio'}"
    done = project.python(f"import sys\n{statement}\nassert not {heavy} & set(sys.modules), set(sys.modules)")
    assert done.returncode == 0, done.stderr


def test_init_starts_a_project_that_works(served_project: Project, model_server: ModelServer) -> None:
    project = served_project
    done = project.run("init")
    assert done.returncode == 0
    names = sorted(path.name for path in project.folder.iterdir())
    assert names == [".env.example", ".gitignore", "main.py"]
    assert "left" not in done.stdout
    report = project.json("generate", "--dry-run")
    assert [artifact["name"] for artifact in report["artifacts"]] == ["article.md"]
    model_server.script(Reply(text="It lives.\n"))
    both = {"hello.txt", "article.md"}
    assert project.actions("apply") == dict.fromkeys(both, "create")
    assert (project.folder / "output/article.md").read_text() == "It lives.\n"
    assert project.actions("apply") == dict.fromkeys(both, "unchanged")
    assert project.actions("destroy") == dict.fromkeys(both, "remove")

    project.write("mine", "main.py")
    assert "left ./main.py as it is" in project.run("init").stdout
    assert (project.folder / "main.py").read_text() == "mine"
    assert project.run("init", "new/project").returncode == 0
    assert (project.folder / "new/project/main.py").exists()
    assert project.run("init", "main.py").returncode == 1


def test_the_local_model_can_be_fetched_ahead_of_time(project: Project) -> None:
    require_local_model()
    done = project.run("model", "pull", timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(".gguf\n")
    assert Path(project.json("model", "pull")["path"]).stat().st_size > 90_000_000


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_of_the_shell(project: Project, shell: str) -> None:
    script = project.run("completion", shell).stdout
    assert "clockwork" in script
    assert "detailed-exitcode" in script
    if shell == "bash":
        script += "\nCOMP_WORDS=(clockwork pl); COMP_CWORD=1; _clockwork clockwork pl clockwork; echo ${COMPREPLY[@]}"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True)
        assert done.stdout.strip() == "plan"


@pytest.mark.parametrize(
    "arguments",
    [["aply"], ["apply", "--modle", "x"], ["plan", "a", "b"], ["completion", "tcsh"], ["--color", "red"]],
)
def test_wrong_usage_exits_with_2_and_says_what_is_right(project: Project, arguments: list[str]) -> None:
    done = project.run(*arguments)
    assert done.returncode == 2
    assert "error:" in done.stderr
    assert "--help" in done.stderr
    assert not done.stdout


def test_a_graph_of_what_needs_what(project: Project) -> None:
    project.write(HELLO + 'b = FileResource(name="b", content="x", depends_on=[hello])\n')
    assert project.run("graph").stdout == (
        'flowchart LR\n    n0["FileResource a.txt"]\n    n1["FileResource b"]\n    n0 --> n1\n'
    )
    assert "n0 -> n1" in project.run("graph", "--format", "dot").stdout
    assert project.json("graph") == {
        "resources": [{"kind": "FileResource", "name": "a.txt"}, {"kind": "FileResource", "name": "b"}],
        "needs": [[], [0]],
        "groups": [None, None],
    }
    assert project.run("graph", "elsewhere").returncode == 1


def test_a_path_may_be_a_file_or_a_folder(project: Project) -> None:
    project.write(HELLO, "site/main.py")
    project.write(HELLO.replace("a.txt", "b.txt"), "site/other.py")
    assert project.run("apply", "site").returncode == 0
    assert project.run("apply", "site/other.py").returncode == 0
    assert sorted(path.name for path in (project.folder / "site/out").iterdir()) == ["a.txt", "b.txt"]
    done = project.run("apply", "elsewhere")
    assert done.returncode == 1
    assert "there is no elsewhere" in done.stderr


def test_json_stands_alone_on_standard_output(project: Project) -> None:
    noisy = "import os\nprint('noise')\nos.system('echo noise')\n"
    project.write(noisy + HELLO)
    report = project.json("apply")
    assert (report["command"], report["dry_run"], report["error"]) == ("apply", False, None)
    assert [resource["action"] for resource in report["resources"]] == ["create"]
    project.write(noisy + "raise ValueError('no')\n")
    failed = project.json("apply", expect=1)
    assert failed["error"]["kind"] == "LoadError"
    assert "ValueError: no" in failed["error"]["message"]


def test_output_of_main_comes_before_ours(project: Project) -> None:
    project.write("print('first')\n" + HELLO)
    assert project.run("apply").stdout.splitlines()[0] == "first"


def test_plain_lines_into_a_pipe_and_colors_on_request(project: Project) -> None:
    project.write(HELLO)
    done = project.run("plan")
    assert "\x1b" not in done.stdout + done.stderr
    assert "+ FileResource 'a.txt'  @local  create" in done.stdout
    assert "Plan: 1 to create" in done.stdout
    assert "\x1b[32m+" in project.run("plan", "--color", "always").stdout
    assert "\x1b[32m+" in project.terminal("plan").output
    assert "\x1b[3" not in project.terminal("plan", "--color", "never").output
    assert "\x1b[3" not in project.terminal("plan", NO_COLOR="1").output


def test_verbose_shows_what_did_not_change(project: Project) -> None:
    project.write(HELLO)
    project.run("apply")
    assert "FileResource" not in project.run("apply").stdout
    assert "= FileResource 'a.txt'" in project.run("apply", "-v").stdout


def test_a_log_for_whoever_asks_for_one(project: Project) -> None:
    project.write(HELLO)
    assert project.run("apply").stderr == ""
    log = project.run("apply", LOG_LEVEL="INFO").stderr
    assert " INFO @local: connected\n" in log
    assert " DEBUG " not in log
    project.write(HELLO.replace('content="x"', 'content="y"'))
    assert "DEBUG @local: Write" in project.run("apply", LOG_LEVEL="debug").stderr
    assert "LOG_LEVEL is 'loud'" in project.run("apply", LOG_LEVEL="loud").stderr


def test_a_reader_that_goes_away_is_no_error(project: Project) -> None:
    project.write(HELLO)
    with project.start("plan") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(30) == 0


def test_a_folder_that_cannot_be_written(project: Project) -> None:
    project.write(HELLO)
    (project.folder / ".clockwork").write_text("")
    done = project.run("apply")
    assert done.returncode == 1
    assert ".clockwork/state.lock cannot be written" in done.stderr
    assert not (project.folder / "out").exists()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_deploying_leaves_no_process(project: Project, signum: signal.Signals) -> None:
    project.write(SLOW.replace("{}", str(os.getpid())))
    command = f"sleep 770.{os.getpid()}"
    with project.start("apply") as process:
        sleeping = wait_until(lambda: running(command))
        process.send_signal(signum)
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 130
        assert "interrupted" in stderr
        assert "Traceback" not in stderr
    assert all_gone(sleeping)


def test_an_interrupt_while_main_runs(project: Project) -> None:
    project.write("import time\nprint('ready', flush=True)\ntime.sleep(60)\n")
    with project.start("apply") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130


def test_ctrl_c_on_a_terminal(project: Project) -> None:
    project.write(SLOW.replace("{}", f"{os.getpid()}1"))
    terminal = project.terminal("apply", interrupt_at="take a nap")
    assert terminal.returncode == 130
    assert "error: interrupted" in terminal.text


def test_json_reports_read_back_as_results(project: Project) -> None:
    project.write(HELLO)
    document = project.json("apply")
    assert document["error"] is None
    result = clockwork.Result.from_dict(document)
    assert json.loads(json.dumps(result.to_dict())) == document


def test_what_main_prints_does_not_stand_in_a_drawing(project: Project) -> None:
    project.write("""
        print("hello")
        from clockwork.resources import FileResource
        a = FileResource(name="a", content="x")
    """)
    for format in ("mermaid", "dot", "svg"):
        done = project.run("graph", "--format", format)
        assert "hello" not in done.stdout
        assert "hello" in done.stderr
    assert "hello" not in project.run("generate", "--show-prompts").stdout


@pytest.mark.parametrize("command", ["version", "graph", "plan --json", "show a"])
def test_output_that_cannot_be_written_is_a_failure(command: str, project: Project) -> None:
    project.write("""
        from clockwork.resources import FileResource
        a = FileResource(name="a", content="x")
    """)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "clockwork", *command.split()],
            cwd=project.folder,
            env=clean_environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["graph none", "show a none", "init main.py/x"])
def test_a_failure_is_a_document_too(command: str, project: Project) -> None:
    project.write("")
    done = project.run(*command.split(), "--json")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert document["command"] == command.split()[0]
    assert document["error"]["message"] in done.stderr


def test_init_elsewhere_says_where_to_go_on(project: Project) -> None:
    assert "`cd site`" in project.run("init", "site").stdout
    assert "`cd" not in project.run("init").stdout


def test_an_argument_that_is_no_text_is_wrong_usage(project: Project) -> None:
    done = subprocess.run(
        [clockwork_command(), "plan", b"caf\xe9.py"], cwd=project.folder, capture_output=True
    )
    assert done.returncode == 2
    assert done.stderr == b"error: the argument 'caf\\udce9.py' is no UTF-8 text\n"
