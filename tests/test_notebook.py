"""A real Jupyter kernel: results as tables, progress in place, and an interrupt that is heard."""

from __future__ import annotations

import os
import signal
import threading
import time
import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

if TYPE_CHECKING:
    from pathlib import Path

    from support.docker import Docker
    from support.model_server import ModelServer


def notebook(folder: Path, *cells: str) -> NotebookClient:
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])  # type: ignore[no-untyped-call]
    return NotebookClient(book, timeout=120, resources={"metadata": {"path": str(folder)}})


def outputs(client: NotebookClient) -> list[list[dict[str, Any]]]:
    client.execute()
    return [cell["outputs"] for cell in client.nb.cells]


def html(output: list[dict[str, Any]]) -> str:
    return "".join(str(part.get("data", {}).get("text/html", "")) for part in output)


def test_the_main_job_in_cells(tmp_path: Path, docker: Docker, model_server: ModelServer) -> None:
    name = docker.name("web")
    setup = f"""
import clockwork
from clockwork.resources import DockerServiceResource, FileResource
core = clockwork.ClockworkCore(base_url={model_server.base_url!r})
article = FileResource(name="a.md", description="Write about clocks", directory="out")
web = DockerServiceResource(name={name!r}, description="a page", image={docker.images.one!r})
"""
    cells = outputs(
        notebook(
            tmp_path,
            setup,
            "core.plan([article, web])",
            "core.apply([article, web])",
            "core.apply([article, web])",
            "article = article.model_copy(update={'mode': '600'}); core.apply([article, web])",
            "core.destroy([article, web])",
            "await __import__('asyncio').to_thread(core.plan, [article])",
        )
    )
    tables = [html(cell) for cell in cells]
    assert tables[1].count('<td style="text-align:left">create</td>') == 2
    assert tables[2].count('<td style="text-align:left">create</td>') == 2
    assert tables[3].count('<td style="text-align:left">unchanged</td>') == 2
    assert "change" in tables[4]
    assert tables[5].count('<td style="text-align:left">remove</td>') == 2
    assert "create" in tables[6]
    assert not (tmp_path / "out/a.md").exists()
    assert docker.container(name) is None


def test_progress_shows_while_it_runs(tmp_path: Path) -> None:
    cells = outputs(
        notebook(
            tmp_path,
            """
from IPython.display import DisplayHandle
shown = []
update = DisplayHandle.update
def record(self, obj, **kwargs):
    shown.append(obj.data)
    return update(self, obj, **kwargs)
DisplayHandle.update = record
import clockwork
from clockwork.resources import FileResource
result = clockwork.apply([FileResource(name=f"{i}", content="x", directory="out") for i in range(400)])
print(sum("Write" in html for html in shown) > 0, shown[-1] == "")
""",
        )
    )
    assert "True True" in "".join(part.get("text", "") for part in cells[0])


def test_an_error_in_a_cell_is_a_clear_one(tmp_path: Path) -> None:
    with pytest.raises(CellExecutionError, match=r"NoResourcesError.*defines no resources"):
        outputs(notebook(tmp_path, "import clockwork\nclockwork.apply([])"))


@pytest.mark.parametrize("call", ["work()", "await asyncio.to_thread(work)"])
def test_interrupting_the_kernel_stops_the_deploy(tmp_path: Path, call: str) -> None:
    client = notebook(
        tmp_path,
        """
import asyncio
import threading
import clockwork
from clockwork.resources import Resource
class Slow(Resource):
    def to_pyinfra_operations(self, artifacts):
        return 'server.shell(commands=["echo $PPID > started; sleep 60"])'
ended = threading.Event()
def work():
    try:
        clockwork.apply([Slow(name="slow")])
    except KeyboardInterrupt:
        print("interrupted")
    ended.set()
try:
    CALL
except asyncio.CancelledError:
    ended.wait(60)
""".replace("CALL", call),
    )

    def interrupt() -> None:
        deadline = time.monotonic() + 60
        started = tmp_path / "started"
        while not (started.exists() and started.read_text().strip()) and time.monotonic() < deadline:
            time.sleep(0.05)
        # The shell's parent is the kernel, which a notebook's stop button sends this signal.
        os.kill(int(started.read_text()), signal.SIGINT)

    with client.setup_kernel():
        thread = threading.Thread(target=interrupt)
        thread.start()
        began = time.monotonic()
        client.execute_cell(client.nb.cells[0], 0)
        thread.join()
    assert time.monotonic() - began < 40
    assert "interrupted" in "".join(output.get("text", "") for output in client.nb.cells[0]["outputs"])


def test_a_graph_shows_as_a_picture(tmp_path: Path) -> None:
    cells = outputs(
        notebook(
            tmp_path,
            """
import clockwork
from clockwork.resources import FileResource
page = FileResource(name="page", content="x")
clockwork.graph([clockwork.Group("site", [page, FileResource(name="log", content="x", depends_on=[page])])])
""",
        )
    )
    picture = cells[0][-1]["data"]["image/svg+xml"]
    names = [text.text for text in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")]
    assert {"site", "page", "log"} <= set(names)


def test_progress_is_told_as_it_is(tmp_path: Path) -> None:
    cells = outputs(
        notebook(
            tmp_path,
            """
from IPython import get_ipython
from clockwork import _notebook
class Shell(type(get_ipython())):
    pass
get_ipython().__class__ = Shell
print(_notebook.in_notebook())
display = _notebook._Display()
of_a = {"resource": {"kind": "File", "name": "a"}}
def tell(**event):
    display(event | of_a)
    print([*display._lines.values()][-1])
tell(event="generate_delta", text="He")
tell(event="generate_retry", reason="429", seconds=3.0)
tell(event="generate_delta", text="Hello: ")
tell(event="generate_delta", text="you")
tell(event="operation_end", host="h", operation="op", failed=True, action="change")
tell(event="operation_end", host="h", operation="op", failed=False, action="change")
""",
        )
    )
    assert "".join(part.get("text", "") for part in cells[0]).splitlines() == [
        "True",
        "✎ File a: He",
        "… File a: 429; again in 3 s",
        "✎ File a: Hello: ",
        "✎ File a: Hello: you",
        "✗ h: op: failed",
        "✓ h: op: change",
    ]
