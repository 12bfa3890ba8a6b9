"""The examples of the README run as shown there."""

from __future__ import annotations

import html
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import mypy.api

from support.model_server import Reply

if TYPE_CHECKING:
    from support.model_server import ModelServer
    from support.project import Project
    from support.sshd import Sshd

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
EXAMPLES = dict(re.findall(r"<!-- example: (\w+) -->\n```python\n(.*?)```", README, re.DOTALL))


def test_the_documented_main(served_project: Project, model_server: ModelServer) -> None:
    served_project.write(EXAMPLES["documented"])
    report = served_project.json("generate")
    assert [artifact["name"] for artifact in report["artifacts"]] == ["article.md", "web"]
    assert len(model_server.requests) == 2
    code = (served_project.folder / ".clockwork/pyinfra/deploy.py").read_text()
    assert 'dest="/tmp/article.md"' in code
    assert 'image="nginx:1.27-alpine"' in code
    assert 'ports=["8080:80"]' in code


def test_a_kind_of_your_own(served_project: Project, model_server: ModelServer) -> None:
    text = 'Hello, "you" \\ {there}!\n'
    model_server.script(Reply(text=text))
    target = served_project.folder / "greeting"
    served_project.write(EXAMPLES["custom"].replace("/tmp/clockwork-greeting", str(target)))
    assert served_project.actions("apply") == {"hello": "create"}
    assert (target / "latest").read_text().strip() == text.strip()
    assert served_project.actions("apply") == {"hello": "unchanged"}
    assert served_project.actions("destroy") == {"hello": "remove"}
    assert not list(target.iterdir())


def test_a_kind_that_returns_code(served_project: Project, model_server: ModelServer) -> None:
    model_server.script(Reply(text="Tick.\n"))
    target = served_project.folder / "note"
    served_project.write(EXAMPLES["code"].replace("/tmp/clockwork-note", str(target)))
    assert served_project.actions("apply") == {"note.txt": "create"}
    assert (target / "note.txt").read_text() == "Tick."
    assert served_project.actions("apply") == {"note.txt": "unchanged"}
    assert served_project.actions("destroy") == {"note.txt": "remove"}


def test_type_checkers_have_nothing_against_it(tmp_path: Path) -> None:
    for name, example in EXAMPLES.items():
        (tmp_path / f"{name}.py").write_text(example)
    stdout, stderr, status = mypy.api.run(
        ["--strict", "--config-file=", f"--cache-dir={tmp_path}", str(tmp_path)]
    )
    assert status == 0, stdout + stderr


def test_groups(project: Project) -> None:
    project.write(EXAMPLES["groups"].replace("/tmp/clockwork-groups", str(project.folder / "out")))
    assert set(project.actions("apply").values()) == {"create"}
    document = project.json("graph")
    groups = {r["name"]: g for r, g in zip(document["resources"], document["groups"], strict=True)}
    assert groups == {
        "base.conf": None,
        "index.html": "webapp",
        "data.json": "webapp/storage",
        "check.txt": None,
    }
    assert set(project.actions("destroy").values()) == {"remove"}


def test_a_script(project: Project) -> None:
    target = project.folder / "motd"
    done = project.python(EXAMPLES["script"].replace("/tmp/clockwork-motd", str(target)))
    assert done.returncode == 0, done.stderr
    assert done.stdout == "FileResource motd @local create\n"
    assert not list(target.iterdir())


def test_other_hosts(project: Project, sshd: Sshd) -> None:
    there = project.folder / "there"
    project.write(f"""
        from clockwork.resources import FileResource
        a = FileResource(name="a", content="x", path="{there}")
    """)
    before, _, after = EXAMPLES["hosts"].split('"""')
    script = f'{before}"""{sshd.inventory("web1", "web2")}"""{after}'
    done = project.python(script + "print({r.host for r in core.plan().resources}, core.plan().changed)")
    assert done.returncode == 0, done.stderr
    assert done.stdout in ("{'web1', 'web2'} False\n", "{'web2', 'web1'} False\n")
    assert there.read_text() == "x"


def test_checks(project: Project) -> None:
    folder = project.folder / "checks"
    project.write(EXAMPLES["checks"].replace("/tmp/clockwork-checks", str(folder)))
    assert [check["ok"] for check in project.json("apply")["checks"]] == [True] * 4
    (folder / "settings.json").write_text('{"port": 80}')
    report = project.json("check", expect=1)
    assert [check["ok"] for check in report["checks"]] == [True, True, False, False]
    assert "main.py, line 11, in is_valid_json" in report["checks"][3]["error"]


def test_the_life_cycle(project: Project) -> None:
    project.write(EXAMPLES["lifecycle"])
    assert project.run("apply").returncode == 0
    (project.folder / "site" / "base.conf").write_text("port = 80\n")
    changed = EXAMPLES["lifecycle"].replace("<h1>Hello</h1>", "<h1>Hello, you</h1>")
    changed = changed.replace("depends_on=[base]", 'depends_on=[base], mode="640"')
    changed = re.sub(r"robots = .*\n", "", changed).replace("[page, robots]", "[page]")
    project.write(changed)
    output = project.run("plan").stdout.replace(str(project.folder), "/srv")
    (shown,) = re.findall(r"<!-- output: lifecycle -->\n```text\n(.*?)```", README, re.DOTALL)
    for part in (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", r"\d+\.\d s"):
        output, shown = re.sub(part, "…", output), re.sub(part, "…", shown)
    assert output == shown
    assert project.actions("apply", "--prune", "--yes") == {
        "robots.txt": "remove",
        "base.conf": "drifted",
        "index.html": "change",
    }
    assert set(project.actions("destroy").values()) == {"remove"}
    assert not list((project.folder / "site").iterdir())


def test_every_python_example_is_run() -> None:
    assert README.count("```python") == len(EXAMPLES), "one is not marked, or two have the same name"
    used = re.findall(r'EXAMPLES\["(\w+)"\]', Path(__file__).read_text())
    assert set(EXAMPLES) == set(used)


def test_every_command_and_option_is_told(project: Project) -> None:
    script = project.run("completion", "bash").stdout
    offered = dict(re.findall(r'^ +clockwork(\S*)\)\n +opts="(.*)"', script, re.MULTILINE))
    commands = [command.replace("__subcmd__", " ").strip() for command in offered]
    assert {"", "apply", "state forget"} <= set(commands), "the script is read as it is meant"
    options = {word for words in offered.values() for word in words.split() if word.startswith("--")}
    assert {"--model", "--prune", "--json"} <= options
    told = [rf"`clockwork {command}\b" for command in filter(None, commands)]
    told += [rf"(?<![\w-]){option}(?![\w-])" for option in sorted(options - {"--help", "--version"})]
    assert [pattern for pattern in told if not re.search(pattern, README)] == []


def recorded() -> list[tuple[str, list[str]]]:
    """The commands of docs/session.svg, each with the lines below it."""
    svg = (ROOT / "docs/session.svg").read_text()
    rows: dict[float, str] = {}
    for y, words in re.findall(r'<text class="[^"]*-r\d+" [^>]*\by="([\d.]+)"[^>]*>(.*?)</text>', svg):
        rows[float(y)] = rows.get(float(y), "") + html.unescape(words).replace("\xa0", " ")
    commands: list[tuple[str, list[str]]] = []
    for _, row in sorted(rows.items()):
        if row.startswith("$ "):
            commands.append((row[2:].strip(), []))
        elif commands:
            commands[-1][1].append(row)
    return commands


def alike(lines: list[str]) -> str:
    """The final content of a terminal's lines in one, without blanks and without what differs in each run.

    Not compared are times, the folder, and the text of a new file of one line.
    """
    text = "".join("".join(line.rsplit("\r", 1)[-1].split()) for line in lines)
    text = re.sub(r"\d+\.\ds|\d{4}-\d\d-\d\dT[\d:]+Z|/tmp/session-\w+", "…", text)
    return re.sub(r"(@@-0,0\+1@@).*?(?=Plan:)", r"\1", text)


def test_the_recording_is_of_a_real_run(served_project: Project, model_server: ModelServer) -> None:
    (shown, main), *session = recorded()
    assert shown == "cat main.py"
    served_project.write("\n".join(main))
    model_server.script(Reply(text="It is a game.\n"))
    ran = []
    for command, lines in session:
        if not command.startswith("clockwork "):
            subprocess.run(command, shell=True, cwd=served_project.folder, check=True)
            continue
        # The model's text is not compared, so that the scripted server can stand for the local model.
        arguments = command.replace(" --model local", "").split()[1:]
        output = served_project.terminal(*arguments, answers={"Go on?": "y"}).text.replace(
            str(served_project.folder), "/tmp/session-0"
        )
        assert alike(output.split("\n")) == alike(lines), command
        ran.append(arguments[0])
    assert ran == ["apply", "plan", "apply", "destroy"]


def test_what_is_installed_is_in_the_table_of_dependencies() -> None:
    direct = re.findall(r"^([a-z0-9_-]+)(?:\.workspace)? = ", _dependencies(), re.MULTILINE)
    for name in direct:
        assert re.search(rf"\b{name}\b", README), f"{name} has no reason in the README"


def _dependencies() -> str:
    sections = []
    for manifest in ("Cargo.toml", "clockwork_py/Cargo.toml"):
        text = (ROOT / manifest).read_text()
        sections += re.findall(r"^\[dependencies\]\n(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
    return "\n".join(sections).replace("clockwork-core", "clockwork")


def test_no_build_output_is_committed() -> None:
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if files.returncode == 0:
        assert not [name for name in files.stdout.split() if name.endswith((".so", ".gguf", ".whl", ".pyc"))]
