"""The same cases on every kind of host, as root: the same inputs give the same results."""

from __future__ import annotations

import hashlib
import os
import random
import stat
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyinfra.api import OperationError

from clockwork.operations import Context, files
from clockwork.operations.facts.files import FileBytes, FileStatus, look_locally, read_locally

if TYPE_CHECKING:
    from operations.conftest import Place

NO_FILE = "is a folder, a symbolic link or the like, and no file"
ODD = [
    "plain",
    'it\'s "quoted" $HOME `id` $(id) * ? [a] ; & | < > #',
    "back\\slash\\n",
    "new\nline\n\nand more",
    "ends in newlines\n\n",
    "%s {0} {{ }} !",
    "-rf",
    "--help",
    "unïcode ✓ \u202e",
    " leading and trailing ",
    "~",
    "~root",
]


def mode(path: Path) -> str:
    return f"{stat.S_IMODE(path.lstat().st_mode):03o}"


def owner(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_uid, found.st_gid


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def refused(place: Place, message: str, function: Any, *args: Any, **arguments: Any) -> None:
    """The operation is refused when it is planned, and fails with the same message when it is executed."""
    with pytest.raises(OperationError, match=message.replace("(", r"\(")):
        place(function, *args, **arguments)
    done = place.host.execute(function, *args, **arguments)
    assert done.failed
    assert message in done.said
    assert "Traceback" not in done.said


def test_a_file_from_its_creation_to_its_removal(far_place: Place) -> None:
    place = far_place
    path = place.folder / "deep/er/file"
    done = place(files.put, StringIO("one\n"), str(path), mode="640", user="1234", group="1235")
    assert done.changed, done.said
    assert not done.failed
    (intent,) = done.intents
    assert intent.action == "create"
    assert intent.changes == (
        ("content", None, "(4 bytes, sha256 2c8b08da5ce6)"),
        ("mode", None, "640"),
        ("owner", None, "1234"),
        ("group", None, "1235"),
    )
    assert intent.diff == f"--- /dev/null\n+++ {path}\n@@ -0,0 +1 @@\n+one\n"
    assert (intent.overwrites, intent.found) == (None, {})
    assert (path.read_bytes(), mode(path), owner(path)) == (b"one\n", "640", (1234, 1235))
    assert owner(path.parent) == owner(path.parent.parent) == (1234, 1235)
    assert names(path.parent) == ["file"]

    before = path.stat()
    done = place(files.put, StringIO("one\n"), str(path), mode="0640", user="1234", group="1235")
    assert (done.planned, done.intents, done.changed) == ([], [], False)
    assert path.stat() == before

    done = place(files.put, StringIO("two"), str(path))
    (intent,) = done.intents
    assert intent.action == "change"
    assert intent.changes == (
        ("content", "(4 bytes, sha256 2c8b08da5ce6)", "(3 bytes, sha256 3fc4ccfe7458)"),
    )
    assert intent.overwrites == f"path:{path}"
    assert intent.found == {
        "sha256": hashlib.sha256(b"one\n").hexdigest(),
        "mode": "640",
        "owner": "1234",
        "group": "1235",
    }
    assert intent.diff == f"--- {path}\n+++ {path}\n@@ -1 +1 @@\n-one\n+two\n\\ No newline at end of file\n"
    assert (path.read_bytes(), mode(path), owner(path)) == (b"two", "640", (1234, 1235))

    inode = path.stat().st_ino
    done = place(files.put, StringIO("two"), str(path), mode="4750", user="0")
    assert done.intents[0].changes == (("mode", "640", "4750"), ("owner", "1234", "0"))
    assert (done.intents[0].overwrites, done.intents[0].diff) == (None, None)
    assert (path.stat().st_ino, mode(path), owner(path)) == (inode, "4750", (0, 1235))

    done = place(files.file, str(path), present=False)
    (intent,) = done.intents
    assert (intent.action, intent.changes) == ("remove", (("type", "file", None),))
    assert names(path.parent) == []
    assert not place(files.file, str(path), present=False).changed
    assert not place(files.file, str(place.folder / "no/such"), present=False).changed


@pytest.mark.parametrize("digits", ["000", "1777", "6711", 700, 0])
def test_the_mode_is_what_was_asked_for(digits: Any, place: Place) -> None:
    path = place.folder / "file"
    for content in ("one", "one", "two"):
        place(files.put, StringIO(content), str(path), mode=digits, user="1234", group="1235")
        assert (path.read_text(), mode(path)) == (content, str(digits).zfill(3))
        assert owner(path) == (1234, 1235)
    assert not place(files.put, StringIO("two"), str(path), mode=digits).changed
    # A new owner takes the setuid bits away, unless they are set again.
    assert place(files.put, StringIO("two"), str(path), user="1236").changed
    assert (mode(path), owner(path)) == (str(digits).zfill(3), (1236, 1235))


CONTENTS = {
    "empty": b"",
    "no newline": b"a",
    "newlines only": b"\n\n\n",
    "carriage returns": b"a\r\nb\r\n\rc\r",
    "every byte": bytes(range(256)),
    "percent and backslash": b"%s %d \\n \\\\ %% \\101 '\" $HOME `id`\n-n -e\n",
    "large": random.Random(1).randbytes(100_000),
}


def test_contents_come_through_byte_for_byte(far_place: Place) -> None:
    place = far_place
    for name, content in CONTENTS.items():
        path = place.folder / name
        assert place(files.put, BytesIO(content), str(path)).changed
        assert path.read_bytes() == content, name
    assert not place(files.put, BytesIO(CONTENTS["every byte"]), str(place.folder / "every byte")).changed
    path = place.folder / "every byte"
    read = read_locally(str(path)) if place.way == "native" else place.host.fact(FileBytes, path=str(path))
    assert read == path.read_bytes()


def test_a_path_of_odd_characters_anywhere(far_place: Place) -> None:
    test_a_path_may_hold_any_characters("-\"' \\n\n$HOME ✓\n", far_place)


@pytest.mark.parametrize("name", ODD)
def test_a_path_may_hold_any_characters(name: str, place: Place) -> None:
    folder = place.folder / "in" / name
    path = folder / name
    assert place(files.put, StringIO("x"), str(path)).intents[0].action == "create"
    assert (names(place.folder / "in"), names(folder)) == ([name], [name])
    assert path.read_text() == "x"
    assert not place(files.put, StringIO("x"), str(path)).changed
    assert place(files.file, str(path), mode="600").changed
    assert mode(path) == "600"
    path.with_name("link").symlink_to(path)
    found = place.host.fact(FileStatus, path=str(folder / "link"))
    assert (found["path"], found["target"]) == (str(folder / "link"), str(path))
    (folder / "link").unlink()
    assert place(files.file, str(path), present=False, context=Context(keep_copy=True)).changed
    assert len(names(place.home / ".clockwork/backup")) == 1
    assert place(files.directory, str(folder), mode="700").changed
    assert place(files.directory, str(folder), present=False).changed
    assert names(place.folder / "in") == []


def test_a_tilde_is_the_home_of_who_does_it(far_place: Place) -> None:
    place = far_place
    assert place(files.put, StringIO("x"), "~/some/file").changed
    assert (place.home / "some/file").read_text() == "x"
    assert not place(files.put, StringIO("x"), "~/some/file").changed
    assert place(files.file, "~/some/file", present=False).changed
    assert place(files.directory, "~/some", present=False).changed
    assert names(place.home) == []


def test_what_is_no_file_is_neither_written_nor_removed(place: Place) -> None:
    (place.folder / "target").write_text("kept")
    (place.folder / "link").symlink_to("target")
    (place.folder / "dangling").symlink_to("nowhere")
    (place.folder / "folder").mkdir()
    os.mkfifo(place.folder / "fifo")
    for name in ("dangling", "folder", "fifo"):
        path = str(place.folder / name)
        refused(place, f"{path} {NO_FILE}: remove it, or name", files.put, StringIO("x"), path)
        refused(place, f"{path} {NO_FILE}: it is not removed", files.file, path, present=False)
        refused(place, f"{path} {NO_FILE}: remove it, or name", files.file, path, mode="600")
    for name in ("link", "target"):
        path = str(place.folder / name)
        what = "a symbolic link" if name == "link" else "a file or the like"
        refused(place, f"{path} is {what}, and no folder", files.directory, path)
        refused(
            place, f"{path} is {what}, and no folder: it is not removed", files.directory, path, present=False
        )
    assert (place.folder / "target").read_text() == "kept"
    assert names(place.folder) == ["dangling", "fifo", "folder", "link", "target"]


def test_the_way_to_a_file(place: Place) -> None:
    (place.folder / "file").write_text("")
    (place.folder / "real/deep").mkdir(parents=True)
    (place.folder / "link").symlink_to("real/../real/./deep")
    (place.folder / "absolute").symlink_to(place.folder / "link")
    (place.folder / "circle").symlink_to("circle")
    inside = str(place.folder / "file/x")
    refused(
        place, f"{place.folder}/file is no folder, so nothing can be in it", files.put, StringIO("x"), inside
    )
    circle = str(place.folder / "circle/x")
    refused(place, "leads through symbolic links in a circle", files.put, StringIO("x"), circle)
    assert place(files.put, StringIO("x"), str(place.folder / "absolute/new/x")).changed
    assert (place.folder / "real/deep/new/x").read_text() == "x"
    found = place.host.fact(FileStatus, path=str(place.folder / "absolute/new/x"))
    assert found["path"] == str(place.folder / "real/deep/new/x")
    assert place(files.put, StringIO("x"), f"{place.folder}/real//deep/../y").changed
    assert (place.folder / "real/y").read_text() == "x"
    done = place(files.put, StringIO("x"), str(place.folder / "no/x"), create_remote_dir=False)
    assert done.failed
    assert f"there is no folder {place.folder}/no" in done.said


def test_links_of_others_in_shared_folders_are_not_followed(place: Place) -> None:
    common = place.folder / "common"
    (place.folder / "loot").mkdir()
    common.mkdir()
    common.chmod(0o1777)
    (common / "theirs").symlink_to(place.folder / "loot")
    os.lchown(common / "theirs", 1234, 1234)
    (common / "ours").symlink_to(place.folder / "loot")
    refusal = (
        f"{common}/theirs is a symbolic link that another user put into a folder which everybody may write to"
    )
    refused(place, refusal, files.put, StringIO("x"), str(common / "theirs/x"))
    refused(place, refusal, files.directory, str(common / "theirs/x"))
    (place.folder / "loot/x").write_text("")
    refused(place, refusal, files.file, str(common / "theirs/x"), present=False)
    assert place(files.put, StringIO("ours"), str(common / "ours/x")).changed
    assert (place.folder / "loot/x").read_text() == "ours"


def test_a_file_that_another_user_put_there_keeps_neither_owner_nor_mode(place: Place) -> None:
    common = place.folder / "common"
    common.mkdir()
    common.chmod(0o1777)
    path = common / "x"
    path.write_text("theirs")
    os.chown(path, 1234, 1234)
    path.chmod(0o666)
    with path.open() as already_open:
        done = place(files.put, StringIO("secret"), str(path), mode="600")
        assert already_open.read() == "theirs"
    assert ("owner", "1234", "root") in done.intents[0].changes
    assert done.intents[0].found["owner"] == "1234"
    assert (path.read_text(), mode(path), owner(path)) == ("secret", "600", (0, 0))


def test_an_empty_file(place: Place) -> None:
    path = place.folder / "a/b"
    done = place(files.file, str(path), mode="600", user="1234")
    assert done.intents[0].action == "create"
    assert (path.read_bytes(), mode(path), owner(path)) == (b"", "600", (1234, 0))
    path.write_text("kept")
    done = place(files.file, str(path), mode="4711", group="1235")
    assert done.intents[0].changes == (("mode", "600", "4711"), ("group", "root", "1235"))
    assert (path.read_text(), mode(path), owner(path)) == ("kept", "4711", (1234, 1235))
    assert not place(files.file, str(path)).changed
    assert names(path.parent) == ["b"]


def test_a_folder(place: Place) -> None:
    path = place.folder / "a/b"
    done = place(files.directory, f"{path}/", mode="2750", user="1234", group="1235")
    assert done.intents[0].action == "create"
    assert (mode(path), owner(path), owner(path.parent)) == ("2750", (1234, 1235), (1234, 1235))
    assert not place(files.directory, str(path), mode="2750", user="1234").changed
    assert place(files.directory, str(path), user="1236").changed
    assert (mode(path), owner(path)) == ("2750", (1236, 1235))
    assert place(files.directory, str(path), mode="755").changed
    assert mode(path) == "755"
    (path / "theirs").write_text("kept")
    done = place(files.directory, str(path), present=False)
    assert done.failed
    assert f"{path} is not empty, and is not removed" in done.said
    assert (path / "theirs").read_text() == "kept"
    (path / "theirs").unlink()
    assert place(files.directory, str(path), present=False).intents[0].action == "remove"
    assert not place(files.directory, str(path), present=False).changed
    assert names(path.parent) == []


def test_copies_of_what_is_lost(place: Place) -> None:
    path, backup = place.folder / "file", place.home / ".clockwork/backup"
    keep = Context(keep_copy=True)
    assert (
        place(files.put, StringIO("0"), str(path), mode="4640", user="1234", context=keep).intents[0].reason
        is None
    )
    assert not backup.exists()
    for number in range(1, 8):
        done = place(files.put, StringIO(str(number)), str(path), context=keep)
        assert done.intents[0].reason == "a copy is kept in ~/.clockwork/backup"
        assert f"{path}: what was there is kept as {backup}/file~" in done.said
    copies = sorted(backup.iterdir())
    assert [copy.read_text() for copy in copies] == ["2", "3", "4", "5", "6"]
    assert {(mode(copy), owner(copy)) for copy in copies} == {("4640", (1234, 0))}
    assert (mode(backup), mode(backup.parent)) == ("700", "700")
    place(files.file, str(path), present=False, context=keep)
    assert max(backup.iterdir()).read_text() == "7"
    assert len(names(backup)) == 5
    assert names(place.folder) == []


def test_a_copy_that_cannot_be_kept_stops_it(place: Place) -> None:
    (place.home / ".clockwork").write_text("in the way")
    path = place.folder / "file"
    path.write_text("old")
    try:
        for function, arguments in (
            (files.put, {"src": StringIO("new"), "dest": str(path)}),
            (files.file, {"path": str(path), "present": False}),
        ):
            done = place(function, context=Context(keep_copy=True), **arguments)
            assert done.failed
            assert f"a copy of file cannot be kept in {place.home}/.clockwork/backup" in done.said
        assert path.read_text() == "old"
        assert names(place.folder) == ["file"]
    finally:
        (place.home / ".clockwork").unlink()


def test_what_is_not_ours_stays_unless_it_is_allowed(place: Place) -> None:
    path = place.folder / "file"
    path.write_text("theirs")
    asked = Context(take_over=False)
    for function, arguments in (
        (files.put, {"src": StringIO("new"), "dest": str(path)}),
        (files.file, {"path": str(path), "present": False}),
    ):
        done = place(function, context=asked, **arguments)
        assert done.failed
        assert len(done.planned) == 1
        assert f"{path} is not this project's own, and is left as it is" in done.said
    assert path.read_text() == "theirs"
    assert place(files.put, StringIO("new"), str(place.folder / "new"), context=asked).changed


def test_a_file_makes_room_for_a_folder(place: Place) -> None:
    old, new = str(place.folder / "a"), str(place.folder / "a/b")
    (place.folder / "a").write_text("old")
    (place.folder / "a").chmod(0o4711)
    done = place(files.set_aside, old, new)
    assert done.intents[0].action == "change", done.said
    assert len(names(place.folder)) == 1
    assert not place(files.set_aside, old, new).changed
    assert place(files.put, StringIO("new"), new).changed
    assert place(files.drop_aside, old, new).changed
    assert names(place.folder) == ["a"]
    assert (place.folder / "a/b").read_text() == "new"
    assert not place(files.drop_aside, old, new).changed
    assert not place(files.put_back, old, new).changed


def test_a_folder_makes_room_for_a_file(place: Place) -> None:
    old, new = str(place.folder / "a/b/c"), str(place.folder / "a")
    (place.folder / "a/b").mkdir(parents=True, mode=0o750)
    Path(old).write_text("old")
    assert place(files.set_aside, old, new).changed
    assert place(files.put, StringIO("new"), new).changed
    done = place(files.drop_aside, old, new, context=Context(keep_copy=True))
    assert done.intents[0].action == "remove", done.said
    assert not done.failed, done.said
    assert names(place.folder) == ["a"]
    assert (place.folder / "a").read_text() == "new"
    (copy,) = (place.home / ".clockwork/backup").iterdir()
    assert copy.read_text() == "old"


@pytest.mark.parametrize(("old", "new"), [("a", "a/b/c"), ("a/b", "a")])
def test_what_was_set_aside_comes_back_as_it_was(old: str, new: str, place: Place) -> None:
    path = place.folder / old
    path.parent.mkdir(exist_ok=True)
    path.write_text("old")
    path.chmod(0o640)
    os.utime(path, (1, 1))
    before = path.stat()
    there, to_be = str(path), str(place.folder / new)
    assert place(files.set_aside, there, to_be).changed
    if old == "a":
        (place.folder / "a/b").mkdir(parents=True)
    assert place(files.put_back, there, to_be).changed
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns, after.st_mode) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_mode,
    )
    assert names(place.folder) == ["a"]


def test_what_cannot_be_set_aside_or_put_back(place: Place) -> None:
    (place.folder / "a/b").mkdir(parents=True)
    (place.folder / "a/b/old").write_text("old")
    (place.folder / "a/theirs").write_text("theirs")
    done = place(files.set_aside, str(place.folder / "a/b/old"), str(place.folder / "a"))
    assert done.failed
    assert f"{place.folder}/a cannot be set aside for {place.folder}/a: something else is in it" in done.said
    done = place(files.set_aside, str(place.folder / "a"), str(place.folder / "a/c"))
    assert done.failed
    assert "it is a folder that is not empty" in done.said
    assert names(place.folder / "a") == ["b", "theirs"]

    old, new = str(place.folder / "a/theirs"), str(place.folder / "a/theirs/new")
    assert place(files.set_aside, old, new).changed
    (place.folder / "a/theirs").mkdir()
    (place.folder / "a/theirs/new").write_text("new")
    done = place(files.put_back, old, new)
    assert done.failed
    assert f"{old} is not put back, as something else is in its place by now" in done.said
    done = place(files.set_aside, old, new)
    assert done.failed


def test_a_plan_knows_what_will_have_been_set_aside(place: Place) -> None:
    (place.folder / "a").mkdir()
    (place.folder / "a/b").write_text("old")
    state = place.host.state
    from pyinfra.api.operation import add_op

    add_op(state, files.set_aside, str(place.folder / "a/b"), str(place.folder / "a"))
    found = add_op(state, files.put, StringIO("new"), str(place.folder / "a"))
    assert found[place.host.host].will_change


def test_the_fact_and_the_look_say_the_same(place: Place) -> None:
    folder = place.folder
    (folder / "file").write_bytes(b"content")
    (folder / "folder").mkdir(mode=0o1777)
    (folder / "folder").chmod(0o1777)
    (folder / "link").symlink_to("a\nb")
    os.mkfifo(folder / "fifo")
    os.chown(folder / "file", 1234, 0)
    (folder / "file").chmod(0o4751)
    os.link(folder / "file", folder / "folder/file")
    for below in ("file", "folder", "link", "fifo", "no", "no/no", "folder/file", "file/x", "link/x"):
        path = str(folder / below)
        said, seen = place.host.fact(FileStatus, path=path), look_locally(path)
        assert {**said, "base64": True, "size": seen["size"]} == seen
    found = place.host.fact(FileStatus, path=str(folder / "folder/file"))
    assert (found["shared"], found["mode"], found["owner"], found["size"]) == (True, "4751", "1234", 7)
