"""The example's kind of a service, on a host that really runs systemd."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

from test_kinds import EXAMPLE, UNIT

from support.systemd import SystemdHost, running_systemd

if TYPE_CHECKING:
    from support.project import Project

SCRIPT = """
import json, sys
from clockwork.core import ClockworkCore
from clockwork.exceptions import ClockworkError
from clockwork.pyinfra_compiler import PyInfraCompiler

class There(PyInfraCompiler):
    def _generate_inventory(self):
        return 'hosts = ["@docker/{host}"]'

try:
    result = ClockworkCore(compiler=There()).{verb}("main.py")
except ClockworkError as error:
    result = error.result
    print(error, file=sys.stderr)
print(json.dumps([[resource.action, resource.error] for resource in result.resources]))
"""


def run(project: Project, host: SystemdHost, verb: str) -> list[list[str | None]]:
    done = project.python(SCRIPT.replace("{host}", host.name).replace("{verb}", verb))
    assert done.returncode == 0, done.stdout + done.stderr
    found: list[list[str | None]] = json.loads(done.stdout)
    return found


def test_a_service_lives_where_systemd_runs(project: Project) -> None:
    for name in ("systemd_unit.py", "unit_operations.py"):
        shutil.copy(EXAMPLE / name, project.folder)
    main = f"from systemd_unit import SystemdUnit\nclock = SystemdUnit(name='clock.service', text={UNIT!r})\n"
    project.write(main)
    with running_systemd() as host:
        assert run(project, host, "plan") == [["create", None]]
        assert run(project, host, "apply") == [["create", None]]
        assert host.run("systemctl is-active clock; systemctl is-enabled clock") == "active\nenabled"
        assert run(project, host, "apply") == [["unchanged", None]]

        host.run("systemctl stop clock")
        assert run(project, host, "apply") == [["drifted", None]]
        assert host.run("systemctl is-active clock") == "active"

        project.write(main.replace("sleep 60", "sleep 90"))
        assert run(project, host, "apply") == [["change", None]]
        assert "sleep 90" in host.run("tr '\\0' ' ' < /proc/$(systemctl show -P MainPID clock)/cmdline")

        renamed = main.replace("name='clock.service'", "name='bell.service', renamed_from='clock.service'")
        project.write(renamed.replace("/bin/sleep 60", "/bin/false"))
        ((_, error),) = run(project, host, "apply")
        assert error is not None
        assert "does not stay up" in error
        assert host.run("systemctl is-active clock") == "active", "the old one stays until the new one is up"

        project.write(renamed)
        assert run(project, host, "apply")[0][1] is None
        units = "systemctl list-units --all --no-legend --plain 'clock*' 'bell*' | cut -d' ' -f1"
        assert host.run(units) == "bell.service"
        assert run(project, host, "destroy") == [["remove", None]]
        assert host.run(units) == ""
        assert host.run("ls /etc/systemd/system | grep -e clock -e bell") == ""
