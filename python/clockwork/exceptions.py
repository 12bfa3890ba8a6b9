"""Every error that Clockwork raises.

All of them are `ClockworkError`; where Python has an error of the same meaning, they are that too, so that
``except FileNotFoundError`` or ``except TimeoutError`` works as a reader expects. They pickle, and carry what
is known about the failure as attributes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clockwork.results import Result

__all__ = [
    "AnswerError",
    "AuthenticationError",
    "BudgetError",
    "CheckError",
    "ClockworkError",
    "CompileError",
    "CreditsError",
    "DeclinedError",
    "DependencyCycleError",
    "DeployError",
    "DuplicateResourceError",
    "GenerationError",
    "InvalidResourceError",
    "LoadError",
    "LocalModelError",
    "LockError",
    "LockedError",
    "MissingKeyError",
    "ModelConnectionError",
    "ModelNotFoundError",
    "ModelServerError",
    "ModelTimeoutError",
    "NoResourcesError",
    "PlanMovedError",
    "ProjectNotFoundError",
    "ProtectedError",
    "RateLimitError",
    "SettingsError",
    "StateError",
    "StateLockedError",
    "TargetError",
    "WriteError",
]


class ClockworkError(Exception):
    """What all errors of Clockwork have in common.

    Attributes:
        message: What was being done to which resource, what went wrong, and what to do next.
        result: What had been done until then, where anything had.
    """

    def __init__(self, message: str = "", result: Result | None = None) -> None:
        """Keeps the message and what had been done."""
        super().__init__(message)
        self.message = message
        self.result = result

    def __str__(self) -> str:
        """The message alone: parents such as `OSError` would add to it."""
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles the message and the result."""
        return (type(self), (self.message, self.result))


class SettingsError(ClockworkError, ValueError):
    """A setting has a value that cannot be used."""


class LoadError(ClockworkError):
    """main.py does not parse, or raises."""


class ProjectNotFoundError(LoadError, FileNotFoundError):
    """There is no main.py where one was looked for."""


class NoResourcesError(LoadError, LookupError):
    """main.py defines no resource."""


class DuplicateResourceError(LoadError, ValueError):
    """Two resources of one kind have the same name, or two groups the same path."""


class InvalidResourceError(LoadError, ValueError):
    """A resource has a field that does not validate, or a group something in it that cannot be."""


class DependencyCycleError(LoadError, ValueError):
    """Resources depend on one another, so that none can be the first."""


class TargetError(ClockworkError, LookupError):
    """A name is that of no resource and no group, or of several groups."""


class GenerationError(ClockworkError):
    """The model did not give what it was asked for."""


class MissingKeyError(GenerationError, LookupError):
    """Something has to be generated, and there is no API key."""


class AuthenticationError(GenerationError, PermissionError):
    """The model server rejects the key, or the key may not do this."""


class CreditsError(GenerationError):
    """The account at the model server has no credits left."""


class ModelNotFoundError(GenerationError, LookupError):
    """The model server does not know the model."""


class RateLimitError(GenerationError):
    """The model server wants fewer requests, and still did after all retries."""


class ModelConnectionError(GenerationError, ConnectionError):
    """The model server cannot be reached."""


class ModelTimeoutError(GenerationError, TimeoutError):
    """The model server takes too long."""


class ModelServerError(GenerationError):
    """The model server failed, or answered with something that is no answer."""


class AnswerError(GenerationError, ValueError):
    """The model's answer is empty, cut off, refused, or not of the shape that was asked for."""


class BudgetError(GenerationError):
    """The limit of tokens or of cost that was set for the run leaves no room to ask for more, or cut an answer off."""


class LocalModelError(GenerationError):
    """The local model cannot be fetched or started."""


class LockError(ClockworkError, ValueError):
    """clockwork.lock cannot be read."""


class LockedError(LockError):
    """clockwork.lock lacks something, or has it out of date, and no model was to be asked."""


class CompileError(ClockworkError, ValueError):
    """A resource cannot be turned into pyinfra code."""


class WriteError(ClockworkError, OSError):
    """A file of Clockwork's own cannot be written."""


class DeployError(ClockworkError):
    """An operation failed, or a host could not be used. `result` tells which."""


class CheckError(ClockworkError, AssertionError):
    """An assertion does not hold, or a host could not be checked. `result` tells which. What is deployed stays."""


class StateError(ClockworkError, ValueError):
    """`.clockwork/state.json` cannot be used, or does not know what was asked for."""


class StateLockedError(ClockworkError, TimeoutError):
    """Another run is at work on the same project."""


class ProtectedError(ClockworkError, PermissionError):
    """What is protected would be removed or replaced. Nothing has been done; `result` is the plan."""


class PlanMovedError(ClockworkError, RuntimeError):
    """A plan in a file does not hold any more. Nothing has been done."""


class DeclinedError(ClockworkError, RuntimeError):
    """Somebody said no to a plan. Nothing has been done; `result` is the plan."""
