"""Errors that a user can act on: what is wrong, where, a hint, and the exit code of the command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass
class SpqcError(Exception):
    """The root of every error that spqc raises on purpose."""

    message: str
    where: str = ""
    hint: str = ""

    exit_code: ClassVar[int] = 2

    def __str__(self) -> str:
        lines = [f"error: {self.message}"]
        lines += [f"  --> {self.where}"] if self.where else []
        lines += [f"hint: {self.hint}"] if self.hint else []
        return "\n".join(lines)


class UsageError(SpqcError):
    """A wrong option, name or command line."""


class ModelError(SpqcError):
    """A model, or a file that should hold one, that cannot be read or compiled."""


class GraphError(SpqcError):
    """A temporal graph that breaks a rule of the IR."""


class InputError(SpqcError):
    """An input array that does not fit the network."""


class ArtifactError(SpqcError):
    """A compiled file that is damaged, foreign or too new."""


class OutputError(SpqcError):
    """A result that could not be written; what was there before is untouched."""


class Unavailable(SpqcError):
    """A target that this machine cannot run."""

    exit_code: ClassVar[int] = 3


class InternalError(SpqcError):
    """A bug of spqc: please report it."""

    exit_code: ClassVar[int] = 70


class Notice(UserWarning):
    """What the user should know and what is no error: how an input was taken, what is rounded."""
