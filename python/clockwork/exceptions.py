"""Every error that Clockwork raises.

All of them are `ClockworkError`. Where Python has a built-in exception with the same meaning, they inherit it too, so
that ``except FileNotFoundError`` or ``except TimeoutError`` works as expected. They can be pickled, and have the
details of the failure as attributes.
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
    "OwnershipError",
    "PlanMovedError",
    "ProjectNotFoundError",
    "ProtectedError",
    "RateLimitError",
    "ReviewError",
    "SettingsError",
    "StateError",
    "StateLockedError",
    "TargetError",
    "WriteError",
]


class ClockworkError(Exception):
    """The base class of all errors of Clockwork.

    Attributes:
        message: The attempted action with its resource, the problem, and the next step.
        result: The result up to the failure, if there is any.
    """

    def __init__(self, message: str = "", result: Result | None = None) -> None:
        """Stores the message and the result."""
        super().__init__(message)
        self.message = message
        self.result = result

    def __str__(self) -> str:
        """The message alone, because parents such as `OSError` would add to it."""
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickles the message and the result."""
        return (type(self), (self.message, self.result))


class SettingsError(ClockworkError, ValueError):
    """A setting has a value that cannot be used."""


class LoadError(ClockworkError):
    """main.py cannot be parsed, or raises."""


class ProjectNotFoundError(LoadError, FileNotFoundError):
    """There is no main.py in the given place."""


class NoResourcesError(LoadError, LookupError):
    """main.py defines no resource."""


class DuplicateResourceError(LoadError, ValueError):
    """Two resources of one kind have the same name, or two groups the same path."""


class InvalidResourceError(LoadError, ValueError):
    """A resource has an invalid field, or a group an invalid member."""


class DependencyCycleError(LoadError, ValueError):
    """The dependencies of the resources form a cycle."""


class TargetError(ClockworkError, LookupError):
    """A name matches no resource and no group, or several groups."""


class GenerationError(ClockworkError):
    """The model gave no usable answer."""


class MissingKeyError(GenerationError, LookupError):
    """An artifact has to be generated, and there is no API key."""


class AuthenticationError(GenerationError, PermissionError):
    """The model server rejects the key, or the key may not do this."""


class CreditsError(GenerationError):
    """The account at the model server has no credits left."""


class ModelNotFoundError(GenerationError, LookupError):
    """The model server does not know the model."""


class RateLimitError(GenerationError):
    """The model server still limits the rate of requests after all retries."""


class ModelConnectionError(GenerationError, ConnectionError):
    """The model server cannot be reached."""


class ModelTimeoutError(GenerationError, TimeoutError):
    """The model server did not answer in time."""


class ModelServerError(GenerationError):
    """The model server failed, or sent a malformed response."""


class AnswerError(GenerationError, ValueError):
    """The model's answer is empty, truncated, a refusal, or does not match the schema."""


class BudgetError(GenerationError):
    """The token or cost budget of the run is used up, or truncated an answer."""


class LocalModelError(GenerationError):
    """The local model cannot be downloaded or started."""


class LockError(ClockworkError, ValueError):
    """clockwork.lock cannot be read."""


class LockedError(LockError):
    """clockwork.lock lacks an artifact or has an outdated one, and the model may not be asked."""


class CompileError(ClockworkError, ValueError):
    """A resource cannot be turned into pyinfra code."""


class WriteError(ClockworkError, OSError):
    """A file of Clockwork's own cannot be written."""


class DeployError(ClockworkError):
    """An operation failed, or a host could not be used. `result` has the details."""


class CheckError(ClockworkError, AssertionError):
    """An assertion does not hold, or a host could not be checked. `result` has the details. Deployed resources stay."""


class StateError(ClockworkError, ValueError):
    """`.clockwork/state.json` cannot be used, or lacks the requested resource."""


class StateLockedError(ClockworkError, TimeoutError):
    """Another run holds the lock of the project."""


class ProtectedError(ClockworkError, PermissionError):
    """A protected resource would be removed or replaced. Nothing has been done; `result` is the plan."""


class OwnershipError(ClockworkError, PermissionError):
    """Something that is not the project's would be replaced or removed, and nobody can be asked."""


class ReviewError(ClockworkError):
    """A model has just written what a host would execute, and nobody can be asked."""


class PlanMovedError(ClockworkError, RuntimeError):
    """A saved plan no longer applies. Nothing has been done."""


class DeclinedError(ClockworkError, RuntimeError):
    """A plan was declined. Nothing has been done; `result` is the plan."""
