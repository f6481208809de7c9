"""Trained networks on disk: plain tensors and a plain configuration, never code."""

from __future__ import annotations

import io
import json
import os
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spqc.errors import ModelError, SpqcError
from spqc.files import write_atomic

from . import models
from .container import check_container, check_size
from .network import SpikingNetwork

FORMAT = "spqc-checkpoint"
VERSION = 1
_BAD_CONFIG = "the checkpoint's configuration is not valid"
_SAVE_HINT = "save networks with spqc.nn.checkpoint.save, or with `spqc train`"


def save(network: SpikingNetwork, path: str | os.PathLike[str]) -> None:
    """Write a network to `path`, whole or not at all. Raises OutputError."""
    content = {
        "format": FORMAT,
        "version": VERSION,
        "model": network.model,
        "config": network.config,
        "state_dict": {name: value.detach().cpu() for name, value in network.state_dict().items()},
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomic(Path(path), buffer.getvalue())


def load(path: str | os.PathLike[str]) -> SpikingNetwork:
    """Return the network of a checkpoint, in evaluation mode. Raises ModelError; code in the file is never run."""
    where = str(path)
    content = _checked(_read(Path(path)), where)
    network = _rebuild(content, where)
    _check_tensors(network, content["state_dict"], where)
    network.load_state_dict(content["state_dict"])
    return network.eval()


def _read(path: Path) -> Any:
    where = str(path)
    try:
        _require_file(path)
        content = path.read_bytes()
    except OSError as error:
        message = f"the file cannot be read: {error.strerror or error}"
        raise ModelError(message, where=where, hint="check its name and its rights") from error
    check_container(content, where)
    try:
        with warnings.catch_warnings():
            # A foreign pickle makes torch ask the user to file an issue with torch.
            warnings.simplefilter("ignore")
            return torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
    except Exception as error:  # The unpickler raises anything on foreign bytes; every case is the same to the user.
        raise _unreadable(where, content, error) from error


def _require_file(path: Path) -> None:
    where = str(path)
    if not path.exists():
        raise ModelError("there is no such file", where=where, hint="check the path; `spqc train` writes checkpoints")
    if not path.is_file():
        raise ModelError("a checkpoint is a file", where=where, hint=_SAVE_HINT)
    if path.stat().st_size == 0:
        raise ModelError("the file is empty", where=where, hint="the write was interrupted: save the network again")


def _unreadable(where: str, content: bytes, error: Exception) -> ModelError:
    if "unsupported global" in str(error).lower():
        return ModelError("the file holds Python objects or code, which spqc never loads", where=where, hint=_SAVE_HINT)
    if content[:2] == b"PK":
        return ModelError("the file is damaged or truncated, or not a checkpoint", where=where, hint=_SAVE_HINT)
    return ModelError("the file is not an spqc checkpoint", where=where, hint=_SAVE_HINT)


def _checked(content: Any, where: str) -> dict[str, Any]:
    """Return the content if its frame is right: format, version, model, configuration, tensors."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ModelError("the file is not an spqc checkpoint", where=where, hint=_SAVE_HINT)
    version = content.get("version")
    if version != VERSION:
        hint = "install a newer spqc" if isinstance(version, int) and version > VERSION else _SAVE_HINT
        raise ModelError(
            f"checkpoint version {version!r} is not supported; this spqc reads {VERSION}", where=where, hint=hint
        )
    kinds = {"model": str, "config": dict, "state_dict": dict}
    for key, kind in kinds.items():
        if not isinstance(content.get(key), kind):
            raise ModelError(f"the checkpoint has no valid '{key}'", where=where, hint=_SAVE_HINT)
    return content


def _rebuild(content: dict[str, Any], where: str) -> SpikingNetwork:
    try:
        json.dumps(content["config"])
        make = partial(models.rebuild, content["model"], content["config"])
        check_size(make, content["state_dict"], where)
        return models.create(content["model"], **{**content["config"], "calibrate": False})
    except SpqcError as error:
        raise ModelError(f"{_BAD_CONFIG}: {error.message}", where=where, hint=error.hint or _SAVE_HINT) from error
    except (TypeError, ValueError, OverflowError, MemoryError, RuntimeError) as error:
        raise ModelError(f"{_BAD_CONFIG}: {error}", where=where, hint=_SAVE_HINT) from error


def _check_tensors(network: SpikingNetwork, state: dict[str, Any], where: str) -> None:
    hint = "the weights belong to another configuration: save the network again"
    expected = network.state_dict()
    for name, wanted in expected.items():
        if name not in state:
            raise ModelError(f"parameter '{name}' is missing", where=where, hint=hint)
        _check_tensor(name, state[name], wanted, where)
    extra = [name for name in state if name not in expected]
    if extra:
        raise ModelError(f"parameter '{extra[0]}' does not exist in model '{network.model}'", where=where, hint=hint)


def _check_tensor(name: str, found: Any, wanted: Tensor, where: str) -> None:
    if not isinstance(found, Tensor) or found.layout != torch.strided or not found.dtype.is_floating_point:
        raise ModelError(f"parameter '{name}' is not a dense float tensor", where=where, hint=_SAVE_HINT)
    if found.shape != wanted.shape:
        raise ModelError(
            f"parameter '{name}' has shape {list(found.shape)}; the configuration gives {list(wanted.shape)}",
            where=where,
            hint="the weights belong to another configuration: save the network again",
        )
    if not bool(torch.isfinite(found).all()):
        raise ModelError(
            f"parameter '{name}' holds NaN or infinity",
            where=where,
            hint="the training diverged: lower the learning rate",
        )
    if name.endswith(".variance") and bool((found < 0).any()):
        raise ModelError(
            f"'{name}' holds a negative variance", where=where, hint="the file was edited or damaged: save it again"
        )
