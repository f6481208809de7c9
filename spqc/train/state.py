"""What a training needs to go on after a kill: plain tensors and plain values in one file, whole or not there."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from spqc.foundation.errors import ModelError, UsageError
from spqc.foundation.files import write_atomic

from .settings import Settings, difference

FORMAT = "spqc-training"
VERSION = 1
_KINDS: dict[str, type] = {
    "settings": str, "stage": str, "order": dict, "network": dict, "optimiser": dict, "schedule": dict, "scaler": dict,
    "best": float, "best_epoch": int,
}  # fmt: skip


@dataclass
class Snapshot:
    """Everything of one moment: the stage's name, the place in it, and the state of each part.

    best, best_epoch: the greatest accuracy that chooses a checkpoint, and the epochs done when it was reached.
    """

    stage: str
    order: dict[str, Any]
    network: Mapping[str, Any]
    optimiser: Mapping[str, Any]
    schedule: Mapping[str, Any]
    scaler: Mapping[str, Any] = field(default_factory=dict)
    best: float = -1.0
    best_epoch: int = 0


@dataclass(frozen=True)
class Files:
    """Where a training writes: the checkpoint, the best one, and the state to resume from."""

    out: Path

    @property
    def best(self) -> Path:
        """Return the path of the best checkpoint: net.best.pt beside net.pt."""
        return self.out.with_name(f"{self.out.stem}.best{self.out.suffix}")

    @property
    def state(self) -> Path:
        """Return the path of the state: net.state.pt beside net.pt."""
        return self.out.with_name(f"{self.out.stem}.state{self.out.suffix}")


def save(snapshot: Snapshot, settings: Settings, path: Path) -> None:
    """Write a snapshot, whole or not at all. Raises OutputError."""
    content = {"format": FORMAT, "version": VERSION, "settings": json.dumps(settings.plain()), **vars(snapshot)}
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomic(path, buffer.getvalue())


def load(settings: Settings, path: Path) -> Snapshot:
    """Return the snapshot in a file. ModelError where it is damaged, UsageError where its settings are others."""
    where = str(path)
    content = _checked(_read(path), where)
    try:
        differs = difference(json.loads(content["settings"]), settings.plain())
    except (ValueError, AttributeError, TypeError):
        raise damaged(where) from None
    if differs:
        raise UsageError(
            f"the training was started with other settings: {'; '.join(differs)}",
            where=where,
            hint="resume with the options it was started with, or start anew without --resume",
        )
    return Snapshot(**{name: content[name] for name in Snapshot.__dataclass_fields__})


def _read(path: Path) -> Any:
    try:
        return torch.load(io.BytesIO(path.read_bytes()), weights_only=True, map_location="cpu")
    except OSError as error:
        raise ModelError(f"the training's state cannot be read: {error.strerror or error}", where=str(path)) from None
    except Exception as error:  # The unpickler raises anything on foreign bytes.
        raise damaged(str(path)) from error


def _checked(content: Any, where: str) -> dict[str, Any]:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise damaged(where)
    if content.get("version") != VERSION:
        raise ModelError(f"version {content.get('version')!r} of a training's state is not supported", where=where)
    if any(not isinstance(content.get(key), kind) for key, kind in _KINDS.items()):
        raise damaged(where)
    return content


def damaged(where: str) -> ModelError:
    """Return the error of a file that cannot be gone on from."""
    return ModelError(
        "the file is not the state of a training, or it is damaged", where, "delete it and start without --resume"
    )
