"""The file around a checkpoint: a zip as torch writes it, its parts not packed, so that it holds what it declares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from spqc.foundation.errors import ModelError
from spqc.foundation.zips import BadZip, Zip

_SLACK = 1 << 20
_HINT = "save networks with spqc.nn.checkpoint.save, or with `spqc train`"


def check_container(content: bytes, where: str) -> None:
    """Raise ModelError for a zip that is damaged, or declares more bytes than it has; what is no zip declares none."""
    if content[:2] != b"PK":
        return
    try:
        declared = sum(Zip(content).sizes.values())
    except BadZip as error:
        message = f"the file is damaged or truncated, or not a checkpoint: {error}"
        raise ModelError(message, where=where, hint=_HINT) from None
    if declared > len(content):
        message = f"the file has {len(content)} bytes and declares {declared}"
        raise ModelError(message, where=where, hint=_HINT)


def check_size(make: Callable[[], torch.nn.Module], state: dict[str, Any], where: str) -> None:
    """Raise ModelError where the network that `make` builds is far larger than the file; nothing of it is allocated."""
    with torch.device("meta"):
        needed = sum(value.numel() for value in make().state_dict().values())
    held = sum(value.numel() for value in state.values() if isinstance(value, torch.Tensor))
    if needed > 2 * held + _SLACK:  # a few that are missing have an error of their own
        message = f"the configuration describes {needed} parameters, the file holds {held}"
        hint = "the weights belong to another configuration: save the network again"
        raise ModelError(message, where=where, hint=hint)
