"""The life of real containers: stopped, removed and replaced by hand, changed, renamed, protected, pruned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from support.docker import Docker
    from support.project import Project

REPLACE = "Something is going to be removed or replaced. Go on?"


class Life:
    """A project of two containers and a file beside them."""

    def __init__(self, project: Project, docker: Docker) -> None:
        self.project, self.docker = project, docker
        self.web, self.other = docker.name("web"), docker.name("other")
        self.network = docker.name("net")

    def write(self, web: str | None = None, more: str = "", image: str | None = None) -> None:
        """Declares `web` under this name, and `other`."""
        service = f"""DockerServiceResource(
                name="{web or self.web}", description="a page", image="{image or self.docker.images.one}",
                networks=["{self.network}"], {more})"""
        self.project.write(f"""
            from clockwork.resources import DockerServiceResource, FileResource
            web = {service}
            other = DockerServiceResource(
                name="{self.other}", description="another", image="{self.docker.images.one}")
            note = FileResource(name="note", content="x", directory="out")
        """)

    def ids(self) -> dict[str, str]:
        """The containers that run, and which they are."""
        found = {name: self.docker.container(name) for name in (self.web, self.other)}
        return {name: one["Id"] for name, one in found.items() if one is not None and one["State"]["Running"]}

    def actions(self, command: str, *arguments: str) -> list[str]:
        """The actions of a command on `web`, `other` and the file."""
        actions = self.project.actions(command, *arguments)
        return [actions[name] for name in (self.web, self.other, "note")]


@pytest.fixture
def life(project: Project, docker: Docker) -> Life:
    """The project, deployed."""
    made = Life(project, docker)
    made.write()
    assert made.actions("apply") == ["create", "create", "create"]
    return made


def stop(life: Life) -> None:
    life.docker("stop", "--time", "1", life.web)


def remove(life: Life) -> None:
    life.docker("rm", "--force", life.web)


def replace(life: Life) -> None:
    remove(life)
    life.docker("run", "--detach", "--name", life.web, life.docker.images.two)


def pause(life: Life) -> None:
    life.docker("pause", life.web)


def disconnect(life: Life) -> None:
    life.docker("network", "disconnect", life.network, life.web)


def without_network(life: Life) -> None:
    disconnect(life)
    life.docker("rm", "--force", life.web)
    life.docker("network", "rm", life.network)


@pytest.mark.parametrize("act", [stop, remove, replace, pause, disconnect, without_network])
def test_what_somebody_did_by_hand_is_drift_and_is_repaired(life: Life, act: Any) -> None:
    before = life.ids()
    act(life)
    assert life.actions("plan") == ["drifted", "unchanged", "unchanged"]
    assert "by somebody else since it was deployed" in life.project.run("plan").stdout
    assert life.actions("apply") == ["drifted", "unchanged", "unchanged"]
    after = life.ids()
    assert set(after) == {life.web, life.other}
    assert after[life.other] == before[life.other], "the other is not touched"
    container = life.docker.container(life.web)
    assert container is not None
    assert container["Config"]["Image"] == life.docker.images.one
    assert list(container["NetworkSettings"]["Networks"]) == [life.network]
    assert life.actions("apply") == ["unchanged", "unchanged", "unchanged"]


def test_another_image_replaces_and_is_asked_for(life: Life) -> None:
    before = life.ids()
    life.write(image=life.docker.images.two)
    report = life.project.json("plan")["resources"]
    web = next(each for each in report if each["name"] == life.web)
    assert (web["action"], web["replaces"]) == ("change", True)
    images = (life.docker.images.one, life.docker.images.two)
    assert [(each["field"], each["before"], each["after"]) for each in web["changes"]] == [("image", *images)]
    no = life.project.terminal("apply", answers={REPLACE: ""})
    assert no.returncode == 1
    assert "replace" in no.text
    assert life.ids() == before
    yes = life.project.terminal("apply", answers={REPLACE: "y"})
    assert yes.returncode == 0
    after = life.ids()
    assert after[life.web] != before[life.web]
    assert after[life.other] == before[life.other]
    # Without a terminal it proceeds without a question.
    life.write()
    assert life.actions("apply") == ["change", "unchanged", "unchanged"]


def test_what_is_protected_is_neither_replaced_nor_removed(life: Life) -> None:
    life.write(more="protect=True")
    assert life.actions("apply") == ["unchanged", "unchanged", "unchanged"]
    before = life.ids()
    life.write(more="protect=True", image=life.docker.images.two)
    (life.project.folder / "out/note").unlink()
    for command in ("apply", "destroy"):
        report = life.project.json(command, expect=1)
        assert report["error"]["kind"] == "ProtectedError"
    assert life.ids() == before
    assert not (life.project.folder / "out/note").exists(), "nothing at all is done"
    # Protection does not prevent a restart, which is no removal.
    life.write(more="protect=True")
    stop(life)
    assert life.actions("apply") == ["drifted", "unchanged", "drifted"]
    assert life.ids() == before


def test_a_renamed_container_with_a_network(life: Life) -> None:
    old = life.web
    life.web = life.docker.name("renamed")
    life.write(more=f'renamed_from="{old}"')
    assert life.actions("plan") == ["change", "unchanged", "unchanged"]
    assert life.actions("apply") == ["change", "unchanged", "unchanged"]
    assert life.docker.container(old) is None
    assert set(life.ids()) == {life.web, life.other}
    container = life.docker.container(life.web)
    assert container is not None
    assert list(container["NetworkSettings"]["Networks"]) == [life.network]
    assert life.docker.network(life.network) is not None
    assert life.project.known() == sorted([life.web, life.other, "note"])
    assert life.actions("apply") == ["unchanged", "unchanged", "unchanged"]
    assert life.actions("destroy") == ["remove", "remove", "remove"]
    assert life.docker.network(life.network) is None


def test_a_container_that_is_gone_from_main_is_pruned(life: Life) -> None:
    life.project.write("""
        from clockwork.resources import FileResource
        note = FileResource(name="note", content="x", directory="out")
    """)
    assert life.project.actions("apply") == {"note": "unchanged"}
    assert set(life.ids()) == {life.web, life.other}
    pruned = life.project.actions("apply", "--prune", "--yes")
    assert pruned == {life.web: "remove", life.other: "remove", "note": "unchanged"}
    assert life.ids() == {}
    assert life.docker.network(life.network) is None
    assert life.project.known() == ["note"]


def test_destroy_takes_down_what_was_deployed_and_not_what_main_says_now(life: Life) -> None:
    life.network = life.docker.name("another")
    life.write()
    (life.project.folder / "main.py").write_text("broken(")
    assert life.actions("destroy") == ["remove", "remove", "remove"]
    assert life.docker("network", "ls", "--filter", f"name={life.docker.prefix}", "--quiet") == ""
    assert life.project.known() == []


def test_a_network_that_it_had_before_goes_in_the_end(life: Life) -> None:
    before, life.network = life.network, life.docker.name("another")
    life.write()
    assert life.actions("apply") == ["change", "unchanged", "unchanged"]
    assert life.docker.network(before) is not None
    assert life.actions("destroy") == ["remove", "remove", "remove"]
    assert life.docker.network(before) is None
    assert life.docker.network(life.network) is None
    assert life.project.known() == []


def test_a_container_whose_class_has_another_name_stays(life: Life) -> None:
    before = life.ids()
    main = (life.project.folder / "main.py").read_text()
    own = "class Web(DockerServiceResource): ...\nweb = Web("
    life.project.write(main.replace("web = DockerServiceResource(", own))
    assert life.actions("apply", "--prune", "--yes") == ["unchanged", "unchanged", "unchanged"]
    assert life.ids() == before
    assert life.project.known() == sorted([life.web, life.other, "note"])


def test_secrets_of_the_environment_are_not_kept(life: Life) -> None:
    life.write(more='env_vars={"PASSWORD": "s3cret-of-env"}')
    assert life.actions("apply") == ["change", "unchanged", "unchanged"]
    kept = (life.project.folder / ".clockwork/state.json").read_text()
    assert "PASSWORD" in kept
    assert "s3cret-of-env" not in kept
    life.write(more='env_vars={"PASSWORD": "s3cret-of-env-2"}')
    assert "such as a secret" in life.project.run("plan").stdout
    # It takes no secret to take it down.
    (life.project.folder / "main.py").unlink()
    assert life.actions("destroy") == ["remove", "remove", "remove"]
