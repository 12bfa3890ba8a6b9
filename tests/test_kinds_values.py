"""Values in operations that are known only later: secrets, data of hosts, and what other resources put out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from support.compiled import plain_pyinfra

if TYPE_CHECKING:
    from support.project import Project

SECRET = "hunter2-planted"

SECRETIVE = f"""
    from pydantic import SecretStr
    from clockwork.resources import Operation, Resource

    class Login(Resource):
        token: SecretStr

        def operations(self):
            yield Operation("own_operations.write", token=self.token, path=self.resolve("login"))

        def destroy_operations(self):
            yield Operation("clockwork.operations.files.file", path=self.resolve("login"), present=False)

    login = Login(name="login", token="{SECRET}")
"""
WRITE = """
    from io import StringIO
    from clockwork.operations.files import put
    from pyinfra.api import operation

    @operation()
    def write(token, path):
        yield from put._inner(src=StringIO(f"token = {token}\\n"), dest=path, mode="600")
"""


def test_a_secret_in_arguments_stays_out_of_all_that_is_kept(project: Project) -> None:
    project.write(WRITE, "own_operations.py")
    project.write(SECRETIVE)
    told = [project.run("plan", "--out", "plan.json"), project.run("plan", "--json", "-v")]
    told += [project.run("apply", "-v"), project.run("apply", "--json")]
    for done in told:
        assert done.returncode == 0, done.stderr
        assert SECRET not in done.stdout + done.stderr
    assert json.loads(told[3].stdout)["resources"][0]["action"] == "unchanged"
    login = project.folder / "login"
    assert login.read_text() == f"token = {SECRET}\n"
    code = (project.folder / ".clockwork/pyinfra/deploy.py").read_text()
    assert 'token=secret("LOGIN_TOKEN")' in code
    for path in project.folder.rglob("*"):
        if path.is_file() and path.name not in ("main.py", "login"):
            assert SECRET not in path.read_text(errors="replace"), path

    login.unlink()
    stopped = plain_pyinfra(project)
    assert stopped.returncode != 0
    assert "CLOCKWORK_SECRET_LOGIN_TOKEN" in stopped.stdout + stopped.stderr
    assert not login.exists()
    done = plain_pyinfra(project, CLOCKWORK_SECRET_LOGIN_TOKEN=SECRET)
    assert done.returncode == 0, done.stdout + done.stderr
    assert login.read_text() == f"token = {SECRET}\n"


def test_super_gives_code_that_names_secrets_and_own_modules(project: Project) -> None:
    project.write(WRITE, "own_operations.py")
    project.write(f"""{SECRETIVE}
    class Logged(Login):
        def to_pyinfra_operations(self, artifacts):
            return super().to_pyinfra_operations(artifacts) + "import own_operations\\n"

    logged = Logged(name="logged", token="{SECRET}-two", depends_on=[login])
    """)
    assert project.run("apply").returncode == 0
    assert (project.folder / "login").read_text() == f"token = {SECRET}-two\n"
    code = (project.folder / ".clockwork/pyinfra/deploy.py").read_text()
    assert 'secret("LOGGED_TOKEN")' in code
    assert SECRET not in code


DEFERRED = """
    from clockwork.resources import HostData, Operation, Output, Resource

    class Port(Resource):
        def operations(self):
            yield Operation("own_operations.find", resource=self.name, path=self.resolve("found"))

    class Page(Resource):
        def operations(self):
            yield Operation(
                "own_operations.show", port=Output("port", "number"), owner=HostData("owner"), path=self.resolve("page")
            )

    port = Port(name="port")
    page = Page(name="page", depends_on=[port])
"""
FIND = """
    from io import StringIO
    from clockwork.operations import publish
    from clockwork.operations.files import put
    from pyinfra.api import FunctionCommand, operation

    @operation()
    def find(resource, path):
        yield from put._inner(src=StringIO("x"), dest=path)
        yield FunctionCommand(publish, [resource, "number", 8080], {})

    @operation()
    def show(port, owner, path):
        yield from put._inner(src=StringIO(f"{owner}: {port}\\n"), dest=path)
"""


def test_deferred_values(project: Project) -> None:
    project.write(FIND, "own_operations.py")
    project.write(DEFERRED)
    inventory = 'hosts = [("@local", {"owner": "ada"})]\n'
    script = f"""
        from clockwork.core import ClockworkCore
        from clockwork.pyinfra_compiler import PyInfraCompiler

        class Here(PyInfraCompiler):
            def _generate_inventory(self):
                return {inventory!r}

        core = ClockworkCore(compiler=Here())
        print([(r.name, r.action) for r in core.plan("main.py").resources])
        print([(r.name, r.error) for r in core.apply("main.py").resources])
    """
    done = project.python(script)
    assert done.returncode == 0, done.stdout + done.stderr
    page = project.folder / "page"
    assert page.read_text() == "ada: 8080\n"
    page.unlink()
    assert plain_pyinfra(project).returncode == 0
    assert page.read_text() == "ada: 8080\n"
