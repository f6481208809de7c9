"""Errors and warnings by the names that users and plug-ins know them by."""

from spqc.foundation.errors import (
    ArtifactError,
    GraphError,
    InputError,
    InternalError,
    ModelError,
    Notice,
    OutputError,
    SpqcError,
    Unavailable,
    UsageError,
)

__all__ = [
    "ArtifactError",
    "GraphError",
    "InputError",
    "InternalError",
    "ModelError",
    "Notice",
    "OutputError",
    "SpqcError",
    "Unavailable",
    "UsageError",
]
