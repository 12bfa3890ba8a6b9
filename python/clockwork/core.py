"""The whole pipeline, from Python: load, generate, compile, deploy, check."""

from __future__ import annotations

from collections.abc import Callable, Iterator  # noqa: TC003
from pathlib import Path
from typing import Any

from clockwork import _core, _interrupt, _notebook, _watch
from clockwork._types import Approve, Progress, Regenerate, Source, Target  # noqa: TC001
from clockwork.pyinfra_compiler import PyInfraCompiler
from clockwork.results import Result  # noqa: TC001

__all__ = ["ClockworkCore", "apply", "check", "destroy", "generate", "plan"]


class ClockworkCore:
    """Clockwork with its settings.

    What is left out here is looked up in the environment, then in `.env` beside main.py, then in `.env` in the
    working folder, and then has a default.

    `progress` receives each `event` as a dictionary; its `resource`, if any, has `kind` and `name`:
    `waiting` (`holder`), `waited`; `generate_begin` (`total`, `pinned`, `model`), `generate_start`, `generate_delta`
    (`text`), `generate_retry` (`attempt`, `seconds`, `reason`), `generate_repair` (`attempt`, `complaint`),
    `generate_end` (`seconds`, `tokens`), `generate_error` (`error`); `download` (`what`, `bytes`, `total`);
    `host_connected` and `host_error` (`host`, `error`); `deploy_begin` (`total`, `hosts`); `operation_start` and
    `operation_end` (`host`, `operation`, `action`, `failed`, `seconds`); `check_start` and `check_end` (`host`,
    `check`, `ok`, `error`, `attempts`, `seconds`). Further events may be added.

    Args:
        api_key: The key of the model server. `OPENROUTER_API_KEY`.
        model: The model's name; `local` is the small model that needs no key, `local:/path/to/model.gguf` one
            of your own, and `a,b` falls back to `b`. `OPENROUTER_MODEL`.
        base_url: The address of an OpenAI-compatible server. `OPENROUTER_BASE_URL`.
        concurrency: The number of concurrent requests; 8 if left out.
        output_dir: The folder of the compiled files; `.clockwork/pyinfra` beside main.py if left out.
            `PYINFRA_OUTPUT_DIR`.
        max_repairs: The number of times that an answer that fails a check goes back to the model; 2 if left out.
        max_tokens_total: The tokens that a run may use, questions and answers. Each answer is bounded by what is
            left, so a run uses no more, as long as the server keeps to `max_tokens`.
        max_cost: The US dollars that a run may cost, at the prices that OpenRouter lists; a server that lists none is
            not asked.
        allow_unverified_images: Accept images that the model names and that are not Docker official images.
        compiler: A compiler of your own, for another inventory.

    Attributes:
        pyinfra_compiler: Writes the inventory.
    """

    def __init__(
        self,
        api_key: str | None = None,
        model: str | None = None,
        base_url: str | None = None,
        *,
        concurrency: int | None = None,
        output_dir: str | Path | None = None,
        max_repairs: int | None = None,
        max_tokens_total: int | None = None,
        max_cost: float | None = None,
        allow_unverified_images: bool | None = None,
        compiler: PyInfraCompiler | None = None,
    ) -> None:
        """Keeps the settings. They are checked when something runs."""
        self._overrides = {
            "api_key": api_key,
            "model": model,
            "base_url": base_url,
            "concurrency": concurrency,
            "output_dir": None if output_dir is None else str(output_dir),
            "max_repairs": max_repairs,
            "max_tokens_total": max_tokens_total,
            "max_cost": max_cost,
            "allow_unverified_images": allow_unverified_images,
        }
        self.pyinfra_compiler = compiler or PyInfraCompiler()

    def apply(
        self,
        source: Source = "main.py",
        *,
        dry_run: bool = False,
        fail_fast: bool = False,
        regenerate: Regenerate = False,
        locked: bool = False,
        target: Target = None,
        prune: bool = False,
        lock_timeout: float = 0.0,
        approve: Approve = None,
        check: bool = True,
        progress: Progress | None = None,
    ) -> Result:
        """Brings the resources up: load, generate, compile, deploy, check.

        Args:
            source: A main.py, a folder that holds one, a list of resources, or a plan that `plan` has written to a
                file: then exactly that plan is run, or none.
            dry_run: Only report what would change.
            fail_fast: Stop a host at its first failure. By default it continues with the resources that do not
                depend on the failed one.
            regenerate: Ask the model again although the lock has an answer: for all resources (True), or for the
                named ones.
            locked: Fail instead of asking the model if the lock lacks something.
            target: The name of a resource or a group, or several: only these, and what they need.
            prune: Remove orphans: resources that main.py no longer has.
            lock_timeout: The time to wait for another run on the same project, in seconds.
            approve: Called with the plan before anything is done; False declines it.
            check: Check the assertions of the deployed resources at the end.
            progress: Called with a dictionary for each event, from several threads.

        Returns:
            The outcome of each resource on each host.

        Raises:
            LoadError: main.py cannot be used, or there is none.
            TargetError: No resource or group has that name.
            LockError: clockwork.lock cannot be read, or with `locked` lacks something.
            StateError: .clockwork/state.json cannot be used.
            StateLockedError: Another run is at work on the same project.
            GenerationError: The model gave no usable answer. Nothing has been deployed.
            CompileError: A resource cannot be turned into pyinfra code. Nothing has been deployed.
            PlanMovedError: The plan in the file no longer applies. Nothing has been deployed.
            ProtectedError: A protected resource would be removed or replaced. Nothing has been deployed.
            OwnershipError: A foreign thing would be replaced or removed, and nobody was asked.
            ReviewError: A model has just written what a host executes, and nobody was asked. It is pinned, and the
                next run deploys it.
            DeclinedError: `approve` said no. Nothing has been deployed.
            DeployError: An operation or a host failed; its `result` has what was done before.
            CheckError: Everything is deployed, and stays, but an assertion does not hold; its `result` has it.
            KeyboardInterrupt: Ctrl-C, or in a thread the end of the program; everything has been stopped. Where the
                program has a SIGINT handler of its own, a run goes on unless the handler raises, and in a thread
                unless that ends the main thread.
        """
        options = {
            "dry_run": dry_run,
            "fail_fast": fail_fast,
            "regenerate": _names(regenerate),
            "locked": locked,
            "check": check,
            "targets": _targets(target),
            "prune": prune,
            "lock_timeout": lock_timeout,
        }
        return self._run("apply", source, options, progress, approve)

    def plan(
        self,
        source: Source = "main.py",
        *,
        regenerate: Regenerate = False,
        locked: bool = False,
        target: Target = None,
        prune: bool = False,
        out: str | Path | None = None,
        progress: Progress | None = None,
    ) -> Result:
        """Reports what `apply` would change on each host, and changes nothing there.

        It compares the desired state (main.py) with the prior state (the last deployment) and the observed state (the
        hosts). Missing artifacts are generated and pinned in the lock, so that the plan shows what an `apply` then
        deploys. Arguments and errors are those of `apply`.

        Args:
            source: A main.py, a folder that holds one, or a list of resources.
            regenerate: Ask the model again.
            locked: Fail if the lock lacks something.
            target: Only these resources or groups, and what they need.
            prune: Plan to remove orphans too.
            out: A file to write the plan to, for `apply`.
            progress: Called with a dictionary for each event, from several threads.
        """
        options = {
            "regenerate": _names(regenerate),
            "locked": locked,
            "targets": _targets(target),
            "prune": prune,
            "out": None if out is None else str(out),
        }
        return self._run("plan", source, options, progress)

    def generate(
        self,
        source: Source = "main.py",
        *,
        dry_run: bool = False,
        regenerate: Regenerate = False,
        locked: bool = False,
        progress: Progress | None = None,
    ) -> Result:
        """Does everything that `apply` does, except deploying.

        Arguments and errors are those of `apply`. With `dry_run` the model is not asked: missing artifacts have no
        `content`, and their `request` is what would be sent.
        """
        options = {"dry_run": dry_run, "regenerate": _names(regenerate), "locked": locked}
        return self._run("generate", source, options, progress)

    def destroy(
        self,
        source: Source = "main.py",
        *,
        dry_run: bool = False,
        fail_fast: bool = False,
        target: Target = None,
        lock_timeout: float = 0.0,
        approve: Approve = None,
        progress: Progress | None = None,
    ) -> Result:
        """Takes the resources down again, the last one first. Never asks a model, and needs no lock.

        Resources are taken down as they were deployed, even if main.py has changed since, or is gone. With `target`,
        the resources that need these are taken down too. Arguments and errors are those of `apply`.
        """
        options = {
            "dry_run": dry_run,
            "fail_fast": fail_fast,
            "targets": _targets(target),
            "lock_timeout": lock_timeout,
        }
        return self._run("destroy", source, options, progress, approve)

    def check(
        self, source: Source = "main.py", *, target: Target = None, progress: Progress | None = None
    ) -> Result:
        """Checks the assertions of the resources on their hosts, and changes nothing there.

        Never asks a model, and needs no key and no lock.

        Args:
            source: A main.py, a folder that holds one, or a list of resources.
            target: Only these resources or groups, and what they need.
            progress: Called with a dictionary for each event, from several threads.

        Returns:
            The result of each assertion on each host, as `checks`.

        Raises:
            LoadError: main.py cannot be used, or there is none.
            CheckError: An assertion does not hold, or a host is away; its `result` has it.
            KeyboardInterrupt: Everything has been stopped.
        """
        return self._run("check", source, {"targets": _targets(target)}, progress)

    def watch(
        self,
        source: Source = "main.py",
        *,
        interval: float = 60.0,
        heal: bool = False,
        webhook: str | None = None,
        rounds: int | None = None,
        target: Target = None,
        on_round: Callable[[_watch.Round], object] | None = None,
    ) -> Iterator[_watch.Round]:
        """Watches for drift: compares the hosts with what was deployed, again and again, and repairs it with `heal`.

        It never asks a model. Each round reads main.py again; definitions that differ from what was deployed are
        reported as pending, and are not deployed. Unreachable hosts and errors in main.py are part of the round, and
        do not end the watch.

        Args:
            source: A main.py, a folder that holds one, or a list of resources.
            interval: Seconds from the beginning of a round to that of the next; rounds do not overlap.
            heal: Repair drifted resources, and check them afterwards.
            webhook: An http or https address that receives notifications, by a POST of JSON. `CLOCKWORK_WEBHOOK`.
            rounds: The number of rounds; without end if left out.
            target: Only these resources or groups, and what they need.
            on_round: Called with each round, before it is yielded.

        Returns:
            The rounds, one after the other, as `for round in core.watch(): …`; a round is made when it is asked for.

        Raises:
            ValueError: The interval or the address cannot be used.
            KeyboardInterrupt: Everything has been stopped, in a round or between two.
        """
        options = {"interval": interval, "heal": heal, "webhook": webhook, "targets": _targets(target)}
        watcher = _core.Watcher(source, options, self._overrides, self.pyinfra_compiler)
        return _watch.rounds(watcher, rounds, on_round)

    def _run(
        self,
        command: str,
        source: Source,
        options: dict[str, Any],
        progress: Progress | None,
        approve: Approve = None,
    ) -> Result:
        if isinstance(source, Path):
            source = str(source)
        with _interrupt.interruptible(), _notebook.progress(progress) as receiver:
            return _core.run(
                command, source, options, self._overrides, self.pyinfra_compiler, receiver, approve
            )


def _names(regenerate: Regenerate) -> bool | list[str]:
    if isinstance(regenerate, bool):
        return regenerate
    return [regenerate] if isinstance(regenerate, str) else list(regenerate)


def _targets(target: Target) -> list[str]:
    return [target] if isinstance(target, str) else list(target or ())


def apply(
    source: Source = "main.py",
    *,
    dry_run: bool = False,
    fail_fast: bool = False,
    regenerate: Regenerate = False,
    locked: bool = False,
    target: Target = None,
    prune: bool = False,
    lock_timeout: float = 0.0,
    approve: Approve = None,
    check: bool = True,
    progress: Progress | None = None,
    **settings: Any,
) -> Result:
    """Brings resources up. See `ClockworkCore.apply`, and `ClockworkCore` for the settings."""
    return ClockworkCore(**settings).apply(
        source,
        dry_run=dry_run,
        fail_fast=fail_fast,
        regenerate=regenerate,
        locked=locked,
        target=target,
        prune=prune,
        lock_timeout=lock_timeout,
        approve=approve,
        check=check,
        progress=progress,
    )


def plan(
    source: Source = "main.py",
    *,
    regenerate: Regenerate = False,
    locked: bool = False,
    target: Target = None,
    prune: bool = False,
    out: str | Path | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Result:
    """Reports what would change. See `ClockworkCore.plan`, and `ClockworkCore` for the settings."""
    return ClockworkCore(**settings).plan(
        source,
        regenerate=regenerate,
        locked=locked,
        target=target,
        prune=prune,
        out=out,
        progress=progress,
    )


def generate(
    source: Source = "main.py",
    *,
    dry_run: bool = False,
    regenerate: Regenerate = False,
    locked: bool = False,
    progress: Progress | None = None,
    **settings: Any,
) -> Result:
    """Generates and compiles without deploying. See `ClockworkCore.generate`, and `ClockworkCore` for the settings."""
    return ClockworkCore(**settings).generate(
        source, dry_run=dry_run, regenerate=regenerate, locked=locked, progress=progress
    )


def destroy(
    source: Source = "main.py",
    *,
    dry_run: bool = False,
    fail_fast: bool = False,
    target: Target = None,
    lock_timeout: float = 0.0,
    approve: Approve = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Result:
    """Takes resources down. See `ClockworkCore.destroy`, and `ClockworkCore` for the settings."""
    return ClockworkCore(**settings).destroy(
        source,
        dry_run=dry_run,
        fail_fast=fail_fast,
        target=target,
        lock_timeout=lock_timeout,
        approve=approve,
        progress=progress,
    )


def check(
    source: Source = "main.py", *, target: Target = None, progress: Progress | None = None, **settings: Any
) -> Result:
    """Checks the assertions of resources. See `ClockworkCore.check`, and `ClockworkCore` for the settings."""
    return ClockworkCore(**settings).check(source, target=target, progress=progress)
