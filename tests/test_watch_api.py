"""`clockwork.watch` from Python, on hosts that go away and come back, and for as long as it takes."""

from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING

import psutil
import pytest

import clockwork
from clockwork.resources import FileResource
from support.sshd import core, running_sshd

if TYPE_CHECKING:
    from pathlib import Path

    from support.sshd import Sshd
    from support.watching import Hook

pytestmark = pytest.mark.usefixtures("in_a_folder")


def test_rounds_are_made_when_they_are_asked_for(tmp_path: Path) -> None:
    file = FileResource(name="a.txt", content="a", directory="out")
    clockwork.apply([file])
    seen: list[int] = []
    rounds = clockwork.watch([file], interval=0.05, heal=True, on_round=lambda each: seen.append(each.number))
    assert seen == []
    first = next(rounds)
    assert first.ok
    (tmp_path / "out/a.txt").write_text("by hand")
    second = next(rounds)
    assert [each.name for each in second.healed] == ["a.txt"]
    assert second.healed[0].action == "drifted"
    assert second.ok and not second.unhealed
    assert (tmp_path / "out/a.txt").read_text() == "a"
    assert seen == [1, 2]
    (tmp_path / "out/a.txt").unlink()
    (third,) = clockwork.watch([file], rounds=1, target="a.txt")
    assert not third.ok
    assert third.unhealed == third.drifted
    assert "by somebody else" in third._repr_html_()
    assert third.to_dict()["drifted"][0]["name"] == "a.txt"


def test_rounds_do_not_overlap(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "import time\nfrom clockwork.resources import FileResource\n"
        "def say(word):\n    with open('said', 'a') as said: said.write(word + '\\n')\n"
        "say('start')\ntime.sleep(0.3)\n"
        "a = FileResource(name='a.txt', content='a', directory='out')\nsay('end')\n"
    )

    def over(_: clockwork.Round) -> None:
        with (tmp_path / "said").open("a") as said:
            said.write("over\n")

    # A round takes longer than from the beginning of one to that of the next.
    rounds = list(clockwork.watch("main.py", interval=0.05, rounds=4, on_round=over))
    assert [each.number for each in rounds] == [1, 2, 3, 4]
    assert all(each.seconds > 0.25 for each in rounds)
    assert (tmp_path / "said").read_text().split() == ["start", "end", "over"] * 4


def test_what_is_wrong_does_not_end_the_program() -> None:
    (broken,) = clockwork.watch("nowhere.py", interval=60, rounds=1)
    assert broken.error is not None
    assert broken.error.kind == "ProjectNotFoundError"
    assert clockwork.Round.from_dict(broken.to_dict()) == broken
    assert not broken.ok
    with pytest.raises(ValueError, match="above 0"):
        clockwork.watch("nowhere.py", interval=0)
    with pytest.raises(ValueError, match="neither http"):
        clockwork.watch("nowhere.py", webhook="ftp://example.org/T0KEN")


def test_a_host_that_goes_away_and_comes_back(hook: Hook, tmp_path: Path) -> None:
    file = FileResource(name="a.txt", content="a", directory=str(tmp_path / "out"))
    with running_sshd() as sshd:
        both = core(f"hosts = ['@local', {sshd.host('far')}]\n")
        both.apply([file])
        rounds = both.watch([file], interval=0.1, heal=True, webhook=hook.url)
        assert next(rounds).ok
        sshd.stop()
        (tmp_path / "out/a.txt").write_text("by hand")
        found = next(rounds)
        assert [each.host for each in found.host_errors] == ["far"]
        assert [each.host for each in found.healed] == ["@local"]
        assert not found.ok
        assert not next(rounds).ok
        sshd.start()
        assert next(rounds).ok
        assert next(rounds).ok
    assert hook.events == ["host_away", "drift", "healed", "host_back"]
    assert hook.told[0]["hosts"] == hook.told[-1]["hosts"] == ["far"]


def test_only_the_hosts_that_drifted_are_connected_to(sshd: Sshd, tmp_path: Path) -> None:
    class Each(FileResource):
        def to_pyinfra_operations(self, artifacts: dict[str, object]) -> str:
            return f"files.put(src=StringIO('x'), dest=f'{tmp_path}/{{host.name}}', mode='644')\n"

    def connections() -> int:
        return (sshd.folder / "log").read_text().count("Accepted publickey")

    file = Each(name="a.txt", content="")
    both = core(sshd.inventory("one", "two"))
    both.apply([file])
    (tmp_path / "one").write_text("by hand")
    before = connections()
    (found,) = both.watch([file], heal=True, rounds=1)
    assert [(each.name, each.host) for each in found.healed] == [("a.txt", "one")]
    assert connections() - before == 3, "two to look, and one to repair"


def test_nothing_piles_up(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(
        "from clockwork.resources import FileResource\n"
        "class Mine(FileResource):\n    pass\n"
        "all = [Mine(name=f'{n}.txt', content='x', directory='out') for n in range(3)]\n"
    )
    clockwork.apply("main.py")
    process = psutil.Process()
    rounds = clockwork.watch(tmp_path / "main.py", interval=0.001, heal=True)

    def some() -> tuple[int, int, int]:
        for number in range(12):
            (tmp_path / "out/1.txt").write_text(str(number))
            assert next(rounds).healed
        gc.collect()
        return process.num_fds(), threading.active_count(), process.memory_info().rss

    some()
    descriptors, threads, memory = some()
    after = some()
    assert after[:2] == (descriptors, threads)
    assert after[2] - memory < 4_000_000
