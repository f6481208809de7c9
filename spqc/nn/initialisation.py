"""The parameters of a fresh network, drawn from one seed."""

from __future__ import annotations

import math

import torch
from torch import nn

from .classifier import Classifier
from .masks import ChannelGate
from .network import SpikingNetwork
from .synapse import Synapse


def initialise(network: SpikingNetwork, seed: int) -> None:
    """Draw every parameter from a private generator: kaiming weights, batch-norm gains of either sign."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, Synapse | ChannelGate | Classifier) and module.weight.numel():
            _draw_weights(module.weight, generator)
            module.quantiser.start(module.weight)
        if isinstance(module, Synapse) and module.norm is not None:
            signs = torch.randint(0, 2, module.norm.gamma.shape, generator=generator) * 2 - 1
            _fill(
                module.norm.gamma, signs * torch.empty_like(module.norm.gamma).uniform_(0.8, 1.25, generator=generator)
            )
            _fill(module.norm.beta, torch.empty_like(module.norm.beta).uniform_(-0.1, 0.1, generator=generator))
        if isinstance(module, ChannelGate):
            _fill(module.bias, torch.empty_like(module.bias).uniform_(0.0, 0.5, generator=generator))


def _draw_weights(weight: nn.Parameter, generator: torch.Generator) -> None:
    deviation = math.sqrt(2.0 / weight[0].numel())
    _fill(weight, torch.empty_like(weight).normal_(0.0, deviation, generator=generator))


def _fill(parameter: nn.Parameter, values: torch.Tensor) -> None:
    with torch.no_grad():
        parameter.copy_(values)
