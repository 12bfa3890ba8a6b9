"""main.py is plain Python, and what is wrong with it is told in the user's terms."""

from __future__ import annotations

import sys
import threading
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

import clockwork
from clockwork import exceptions
from clockwork.resources import FileResource

if TYPE_CHECKING:
    from pathlib import Path

    from support.project import Project

IMPORT = "from clockwork.resources import FileResource, Resource\n"


def compiled(folder: Path, main: str, name: str = "main.py") -> list[str]:
    """Loads and compiles a main.py, and names its resources in order of deployment."""
    (folder / name).write_text(IMPORT + main)
    clockwork.generate(folder / name)
    lines = (folder / ".clockwork/pyinfra/deploy.py").read_text().splitlines()
    return [line.split("'")[1] for line in lines if line.startswith("# FileResource '")]


def failure(folder: Path, main: str | bytes) -> exceptions.ClockworkError:
    source = main if isinstance(main, bytes) else (IMPORT + main).encode()
    (folder / "main.py").write_bytes(source)
    with pytest.raises(exceptions.ClockworkError) as caught:
        clockwork.generate(folder)
    assert not (folder / ".clockwork").exists()
    return caught.value


def test_collects_resources_wherever_they_are_bound(tmp_path: Path) -> None:
    main = """
def file(name):
    return FileResource(name=name, content="x")
first = file("1")
groups = {"a": [file("2"), (file("3"), {"b": file("4")})]}
again = groups["a"][0]
loop = [file("5")]
loop.append(loop)
some = {file("6"), file("7")}
class Proxy:
    @property
    def __class__(self):
        raise RuntimeError("there is no request")
request = Proxy()
"""
    assert compiled(tmp_path, main) == ["1", "2", "3", "4", "5", "6", "7"]


def test_order_is_that_of_definition(tmp_path: Path) -> None:
    main = """
x = FileResource(name="1", content="x")
b = FileResource(name="2", content="x")
a = FileResource(name="3", content="x")
listed = [a, b]
x = FileResource(name="4", content="x")
"""
    assert compiled(tmp_path, main) == ["1", "2", "3", "4"]
    main = """
from copy import deepcopy
a = FileResource(name="1", content="x")
b = FileResource(name="2", content="x")
c = a.model_copy(update={"name": "3"})
d, e = deepcopy([b, a])
d.name, e.name = "5", "4"
f = FileResource(name="6", content="x")
"""
    assert compiled(tmp_path, main) == ["1", "2", "3", "4", "5", "6"]


def test_what_is_needed_comes_first(tmp_path: Path) -> None:
    main = """
def file(name, **fields):
    return FileResource(name=name, content="x", **fields)
top = file("top", depends_on=[file("unnamed")])
other = file("other")
base = file("base")
top.connect(base)
middle = file("middle", depends_on=[base])
top.depends_on.append(middle)
"""
    assert compiled(tmp_path, main) == ["unnamed", "base", "middle", "top", "other"]
    destroy = (tmp_path / ".clockwork/pyinfra/destroy.py").read_text()
    names = [line.split("'")[1] for line in destroy.splitlines() if line.startswith("# FileResource '")]
    assert names == ["other", "top", "middle", "base", "unnamed"]


def test_a_cycle_names_the_way_round(tmp_path: Path) -> None:
    main = """
a = FileResource(name="a", content="x")
b = FileResource(name="b", content="x", depends_on=[a])
c = FileResource(name="c", content="x", depends_on=[b])
a.connect(c)
"""
    error = failure(tmp_path, main)
    assert isinstance(error, exceptions.DependencyCycleError)
    assert "FileResource 'a' → FileResource 'c' → FileResource 'b' → FileResource 'a'" in str(error)


def test_runs_as_a_module_beside_its_own(tmp_path: Path) -> None:
    (tmp_path / "helpers.py").write_text("WORD = 'first'\n")
    main = """
import os, helpers, sys
assert __name__ != "__main__"
assert os.path.basename(__file__) == "site.py" and os.path.isabs(__file__)
assert sys.path[0] == os.path.dirname(__file__)
assert sys.modules[__name__].__file__ == __file__
a = FileResource(name=helpers.WORD, content="x")
"""
    before = list(sys.path)
    assert compiled(tmp_path, main, "site.py") == ["first"]
    (tmp_path / "helpers.py").write_text("WORD = 'second one'\n")
    assert compiled(tmp_path, main, "site.py") == ["second one"], "a helper is read anew, like main.py itself"
    assert sys.path == before


def test_the_list_of_import_paths_is_replaced_and_not_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread that imports something goes through that very list."""
    seen = ModuleType("seen")
    seen.__dict__.update(path=sys.path, before=list(sys.path))
    monkeypatch.setitem(sys.modules, "seen", seen)
    main = tmp_path / "main.py"
    main.write_text(
        "import sys\nimport seen\nfrom clockwork.resources import FileResource\n"
        "assert sys.path[1:] == seen.before\nassert seen.path == seen.before\n"
        "a = FileResource(name='a', content='x')\n"
    )
    clockwork.generate(main)
    assert seen.__dict__["path"] == seen.__dict__["before"] == sys.path


def test_methods_may_import_late(tmp_path: Path) -> None:
    (tmp_path / "late.py").write_text("CODE = 'server.shell(commands=[\"true\"])'\n")
    main = """
class Late(Resource):
    def to_pyinfra_operations(self, artifacts):
        import late
        return late.CODE
l = Late(name="l")
"""
    compiled(tmp_path, main)
    assert 'server.shell(commands=["true"])' in (tmp_path / ".clockwork/pyinfra/deploy.py").read_text()


def test_a_list_of_resources_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    clockwork.generate([FileResource(name="a", content="x", directory="out")])
    assert f'dest="{tmp_path}/out/a"' in (tmp_path / ".clockwork/pyinfra/deploy.py").read_text()
    clockwork.generate(FileResource(name="b", content="x", directory="out"))
    assert f'dest="{tmp_path}/out/b"' in (tmp_path / ".clockwork/pyinfra/deploy.py").read_text()
    with pytest.raises(exceptions.LoadError, match="int is none"):
        clockwork.generate([1])  # type: ignore[list-item]
    with pytest.raises(exceptions.LoadError, match="NoneType is none: pass a path"):
        clockwork.generate(None)  # type: ignore[arg-type]
    with pytest.raises(exceptions.NoResourcesError):
        clockwork.generate([])


def test_no_main(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"there is no .*/main\.py: run `clockwork init`"):
        clockwork.generate(tmp_path)


def test_does_not_parse(tmp_path: Path) -> None:
    error = failure(tmp_path, "x = (1\n")
    assert isinstance(error, exceptions.LoadError)
    assert "main.py does not parse" in str(error)
    assert 'main.py", line 2' in str(error)
    assert "SyntaxError: '(' was never closed" in str(error)


@pytest.mark.parametrize("source", [b"x = '\xff'\n", b"x = 1\0\n"])
def test_is_no_text(tmp_path: Path, source: bytes) -> None:
    assert "main.py" in str(failure(tmp_path, source))


def test_raises(tmp_path: Path) -> None:
    (tmp_path / "helpers.py").write_text("import json\n\ndef read():\n    return json.loads('{')\n")
    error = failure(tmp_path, "import helpers\nhelpers.read()\n")
    assert str(error).splitlines() == [
        "main.py stopped with an error",
        "  main.py, line 3, in <module>",
        "    helpers.read()",
        "  helpers.py, line 4, in read",
        "    return json.loads('{')",
        "json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
    ]


def test_calls_exit(tmp_path: Path) -> None:
    assert "SystemExit: 3" in str(failure(tmp_path, "import sys\nsys.exit(3)\n"))


def test_runs_clockwork_on_itself(tmp_path: Path) -> None:
    main = 'a = FileResource(name="a", content="x")\nimport clockwork\nclockwork.apply(__file__)\n'
    assert 'put that below `if __name__ == "__main__":`' in str(failure(tmp_path, main))


def test_a_method_of_the_users_raises(tmp_path: Path) -> None:
    error = failure(
        tmp_path,
        "class Own(Resource):\n    def needs_artifact_generation(self):\n        return 1 / 0\nown = Own(name='o')\n",
    )
    assert isinstance(error, exceptions.CompileError)
    assert str(error).splitlines() == [
        "Own 'o' cannot be compiled: its needs_artifact_generation raised an error",
        "  main.py, line 4, in needs_artifact_generation",
        "    return 1 / 0",
        "ZeroDivisionError: division by zero",
    ]


def test_defines_nothing(tmp_path: Path) -> None:
    error = failure(tmp_path, "x = 1\n")
    assert isinstance(error, exceptions.NoResourcesError)
    assert "main.py defines no resources" in str(error)


def test_defines_one_twice(tmp_path: Path) -> None:
    main = 'a = FileResource(name="a", content="1")\nb = [FileResource(name="a", content="2")]\n'
    error = failure(tmp_path, main)
    assert isinstance(error, exceptions.DuplicateResourceError)
    assert "main.py defines FileResource 'a' twice" in str(error)


def test_kinds_may_share_a_name(tmp_path: Path) -> None:
    main = """
class Other(Resource):
    def to_pyinfra_operations(self, artifacts):
        return ""
a, b = FileResource(name="a", content="1"), Other(name="a")
"""
    assert compiled(tmp_path, main) == ["a"]


def test_does_not_validate(tmp_path: Path) -> None:
    error = failure(
        tmp_path, 'a = FileResource(name="a\\n", content="hunter2", mode="99", contnt="hunter2")\n'
    )
    assert isinstance(error, exceptions.InvalidResourceError)
    assert isinstance(error, ValueError)
    assert str(error).splitlines() == [
        r"FileResource 'a\n' is not valid",
        "  mode: permissions are three or four octal digits, such as '644' or '0755'",
        "  contnt: there is no such field; did you mean content?",
        "  main.py, line 2, in <module>",
    ]


def test_two_threads_load_two_projects(tmp_path: Path) -> None:
    results: dict[str, list[str]] = {}

    def load(name: str) -> None:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "helpers.py").write_text(f"WORD = {name!r}\n")
        for _ in range(20):
            results[name] = compiled(
                folder, 'import helpers\na = FileResource(name=helpers.WORD, content="x")\n'
            )
            assert results[name] == [name]

    threads = [threading.Thread(target=load, args=(name,)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {"one": ["one"], "two": ["two"]}


def test_a_module_that_imports_others_when_it_is_looked_at(project: Project) -> None:
    project.write("""
        import sys
        from types import ModuleType
        from clockwork.resources import FileResource

        class Lazy(ModuleType):
            @property
            def __file__(self):
                sys.modules[f"more{len(sys.modules)}"] = ModuleType("more")
                raise AttributeError("__file__")

        for number in range(3):
            sys.modules[f"lazy{number}"] = Lazy("lazy")
        a = FileResource(name="a", content="x")
    """)
    assert project.json("graph")["resources"][0]["name"] == "a"


def test_assertions_of_main_hold_in_an_optimizing_python_too(project: Project) -> None:
    project.write("from clockwork.resources import FileResource\nassert FileResource is None, 'not so'\n")
    done = project.run("generate", PYTHONOPTIMIZE="1")
    assert done.returncode == 1
    assert "not so" in done.stderr
