"""Operations that announce what they are about to do, and the context that they run in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from clockwork import _core

if TYPE_CHECKING:
    from pathlib import Path

PRELUDE = """\
from pyinfra import host
from pyinfra.api import operation
from pyinfra.operations import files, python
from clockwork.operations import Intent, context

@operation()
def announce(*commands, action="change", **more):
    yield Intent(action, **more)
    yield from commands

@operation()
def nothing():
    return
    yield
"""


def run(folder: Path, *sections: str, prelude: str = PRELUDE, **more: Any) -> list[Any]:
    """Runs sections of code on this machine, and gives the outcome of each."""
    parts = [("Test", str(number), code + "\n") for number, code in enumerate(sections)]
    outcome = _core._run_script('hosts = ["@local"]\n', folder, parts, prelude=prelude, **more)
    resources: list[Any] = outcome["resources"]
    return resources


def operation(folder: Path, code: str, **more: Any) -> Any:
    """The outcome of a section's only operation."""
    (resource,) = run(folder, code, **more)
    assert resource["error"] is None
    (found,) = resource["operations"]
    return found


@pytest.mark.parametrize("plan", [True, False])
@pytest.mark.parametrize("action", ["create", "change", "remove"])
def test_an_intent_is_what_is_reported(tmp_path: Path, plan: bool, action: str) -> None:
    code = (
        f"announce('true', action={action!r}, changes=[('ports', None, [80])], replaces='container:web',"
        " overwrites='path:/a', found={'project': 'x'}, reason='because', diff='-a\\n+b\\n')"
    )
    found = operation(tmp_path, code, plan=plan)
    assert (found["action"], found["changed"], found["replaces"]) == (action, True, True)
    assert found["diff"] == "-a\n+b\n"
    assert found["intent"] == {
        "action": action,
        "changes": [{"field": "ports", "before": None, "after": [80]}],
        "replaces": "container:web",
        "overwrites": "path:/a",
        "found": {"project": "x"},
        "reason": "because",
    }


def test_an_operation_without_commands_has_no_intent(tmp_path: Path) -> None:
    found = operation(tmp_path, "nothing()")
    assert (found["action"], found["intent"]) == ("unchanged", None)


def test_an_intent_alone_changes_nothing(tmp_path: Path) -> None:
    found = operation(tmp_path, "announce(diff='+b\\n')")
    assert (found["action"], found["changed"], found["intent"], found["diff"]) == (
        "unchanged",
        False,
        None,
        None,
    )


def test_an_operation_that_fails_at_its_first_command_has_changed_nothing(tmp_path: Path) -> None:
    (resource,) = run(tmp_path, "announce('exit 3', action='create')")
    (found,) = resource["operations"]
    assert (found["action"], found["changed"]) == ("create", False)
    assert not resource["changed"]
    (resource,) = run(tmp_path, "announce('true', 'exit 3')")
    assert resource["changed"]
    (resource,) = run(tmp_path, "announce('exit 3', _ignore_errors=True)")
    assert (resource["changed"], resource["action"]) == (False, "unchanged")


def test_what_happens_decides_not_what_was_planned(tmp_path: Path) -> None:
    """An operation announces anew when it runs, after what an earlier one has changed."""
    prelude = (
        PRELUDE
        + f"""
from pyinfra.facts.files import File
@operation()
def ensure():
    found = host.get_fact(File, path="{tmp_path}/made")
    yield Intent("change" if found else "create")
    yield "touch {tmp_path}/made"
"""
    )
    first, second = run(tmp_path, "ensure()", "ensure()", prelude=prelude)
    assert (first["action"], second["action"]) == ("create", "change")
    (tmp_path / "made").unlink()
    first, second = run(tmp_path, "ensure()", "ensure()", prelude=prelude, plan=True)
    assert (first["action"], second["action"]) == ("create", "create")


def test_several_intents_of_one_operation_are_one(tmp_path: Path) -> None:
    code = """
@operation()
def both():
    yield from announce._inner("true", action="create", changes=[("a", None, 1)], diff="+a\\n")
    yield from announce._inner("true", changes=[("b", 1, 2)], diff="+b\\n")
both()
"""
    found = operation(tmp_path, code)
    assert (found["action"], found["diff"]) == ("create", "+a\n+b\n")
    assert [change["field"] for change in found["intent"]["changes"]] == ["a", "b"]


def test_a_nested_operation_speaks_for_the_one_that_runs_it(tmp_path: Path) -> None:
    found = operation(tmp_path, "python.call(function=lambda: announce('true', changes=[('a', 1, 2)]))")
    assert found["action"] == "conditional", "pyinfra calls the function whether it changes anything or not"
    assert [change["field"] for change in found["intent"]["changes"]] == ["a"]


def test_another_try_announces_nothing_new(tmp_path: Path) -> None:
    code = f"""
@operation()
def at_last():
    yield Intent("create", changes=[("a", None, 1)])
    yield "test -e {tmp_path}/tried || (touch {tmp_path}/tried; false)"
at_last(_retries=1, _retry_delay=0)
"""
    found = operation(tmp_path, code)
    assert (found["action"], len(found["intent"]["changes"])) == ("create", 1)


@pytest.mark.parametrize(
    ("intent", "reason"),
    [
        ("'mend'", "the action of an Intent is 'create', 'change' or 'remove', not 'mend'"),
        ("'change', changes=[('a', 1, object())]", "'a' of an Intent is no JSON value"),
    ],
)
def test_an_intent_that_cannot_be_read_says_why(tmp_path: Path, intent: str, reason: str) -> None:
    code = f"@operation()\ndef wrong():\n    yield Intent({intent})\nwrong()"
    (resource,) = run(tmp_path, code)
    assert reason in resource["error"]


def test_conditions_and_removals_come_first(tmp_path: Path) -> None:
    found = operation(tmp_path, "announce('true', action='create', _if=lambda: True)", plan=True)
    assert found["action"] == "conditional"
    found = operation(tmp_path, "announce('true', action='create', _if=lambda: True)")
    assert found["action"] == "create"
    assert operation(tmp_path, "announce('true')", removes=True)["action"] == "remove"


def test_operations_run_in_the_context_that_was_decided(tmp_path: Path) -> None:
    prelude = (
        PRELUDE
        + f"""
@operation()
def tell(name):
    now = context()
    yield Intent("change")
    yield f"echo {{now.project}} {{now.keep_copy}} {{now.take_over}} > {tmp_path}/{{name}}"
"""
    )
    decisions = [("@local", 1, True, False)]
    run(tmp_path, "tell('a')", "tell('b')", prelude=prelude, project="p", decisions=decisions)
    assert (tmp_path / "a").read_text() == "p False True\n"
    assert (tmp_path / "b").read_text() == "p True False\n"
    code = "assert (context().project, context().keep_copy, context().take_over) == ('p', False, True)"
    (planned,) = run(tmp_path, code, project="p", plan=True, decisions=[("@local", 0, True, False)])
    assert planned["error"] is None


def test_a_section_has_a_namespace_of_its_own(tmp_path: Path) -> None:
    clash = "files = host = None\nannounce = 1\nfor _ in [0]:\n    later = 1"
    first, second = run(tmp_path, clash, f"files.directory(path='{tmp_path}/made')\nlater")
    assert first["error"] is None
    assert "name 'later' is not defined" in second["error"]
    (only,) = run(tmp_path, f"files.directory(path='{tmp_path}/made')")
    assert only["error"] is None


def test_code_that_breaks_off_leaves_nothing_to_the_next_section(tmp_path: Path) -> None:
    breaks = "kept = host.loop([1])\nnext(kept)\nhost.current_deploy_name = 'left'\nraise ValueError"
    first, second = run(tmp_path, breaks, "announce('true')")
    assert "ValueError" in first["error"]
    assert [each["name"] for each in second["operations"]] == ["announce"]
