"""A network that belongs to the caller: read in evaluation mode, and given back as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

import torch
from torch import nn

from .network import SpikingNetwork


def on_cpu(network: SpikingNetwork) -> SpikingNetwork:
    """Return the network, or a copy on the cpu of one on an accelerator: what is exact is its evaluation there."""
    devices = {value.device.type for value in network.state_dict().values()}
    if devices <= {"cpu", "meta"}:
        return network
    return deepcopy(network).to("cpu")


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluate a network without gradients, on the cpu whatever device the caller has made the default.

    Afterwards, also after an error, each of its modules has its own mode.
    """
    modes = [(module, module.training) for module in network.modules()]
    try:
        for module, _ in modes:
            module.training = False
        with torch.no_grad(), torch.device("cpu"):
            yield
    finally:
        for module, training in modes:
            module.training = training
