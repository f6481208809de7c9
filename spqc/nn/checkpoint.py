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
from torch import nn

from spqc.foundation.errors import ModelError, SpqcError
from spqc.foundation.files import write_atomic

from . import models, parameters, restorable, wrappers
from .container import check_container, check_size
from .network import SpikingNetwork

FORMAT = "spqc-checkpoint"
VERSION = 1
_BAD_CONFIG = "the checkpoint's configuration is not valid"
_SAVE_HINT = "save networks with spqc.nn.checkpoint.save, or with `spqc train`"


def save(network: nn.Module, path: str | os.PathLike[str]) -> None:
    """Write a network to `path`, whole or not at all; also one inside torch.compile, DataParallel or AveragedModel.

    Raises ModelError for a network that could not be read again as it is, OutputError where the disk refuses.
    """
    network = wrappers.unwrapped(network, str(path))
    parameters.check_network(network, str(path))
    restorable.check_restorable(network, str(path))
    content = {
        "format": FORMAT,
        "version": VERSION,
        "model": network.model,
        "config": network.config,
        "epsilon": restorable.epsilons(network),
        "state_dict": {name: value.detach().cpu() for name, value in network.state_dict().items()},
    }
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomic(Path(path), buffer.getvalue())


def load(path: str | os.PathLike[str]) -> SpikingNetwork:
    """Return the network of a checkpoint, in evaluation mode. Raises ModelError; code in the file is never run."""
    where = str(path)
    content = _checked(_read(Path(path)), where)
    with torch.device("cpu"):  # whatever the caller has made the default
        return _loaded(content, where)


def _loaded(content: dict[str, Any], where: str) -> SpikingNetwork:
    network = _rebuild(content, where)
    state = wrappers.bare_names(content["state_dict"])
    dtype = parameters.check_state(state, network.shapes, where, network.model)
    network.to(dtype).load_state_dict(state)
    restorable.set_epsilons(network, content.get("epsilon", {}), where)
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
        return make()
    except SpqcError as error:
        raise ModelError(f"{_BAD_CONFIG}: {error.message}", where=where, hint=error.hint or _SAVE_HINT) from error
    except (TypeError, ValueError, OverflowError, MemoryError, RuntimeError) as error:
        raise ModelError(f"{_BAD_CONFIG}: {error}", where=where, hint=_SAVE_HINT) from error
