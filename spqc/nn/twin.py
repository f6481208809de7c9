"""The CNN of the same layers: a network's own weights as floats, ReLU in the place of its neurons, no time."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spqc.foundation.errors import UsageError

from . import axes
from .layers import SpikingLayer
from .network import SpikingNetwork


class ReluTwin(nn.Module):
    """Shares its weights with the network: what is trained here is there already (ACE-SNN's copying of weights).

    Raises UsageError for a network with batch norm, biases, masks or residuals: it has no such twin.
    """

    def __init__(self, network: SpikingNetwork) -> None:
        super().__init__()
        for index, layer in enumerate(network.features):
            _require_twin(index, layer)
        self._network = [network]  # in a list, so that only the weights are parameters of this module
        weights = [layer.synapse.weight for _, layer in network.spiking_layers()]
        self.weights = nn.ParameterList([*weights, network.classifier.weight])

    def forward(self, x: Any) -> Tensor:
        """Return logits [N, 1, classes] of inputs [N, T, *in_shape], averaged over time, or [N, *in_shape]."""
        (network,) = self._network
        values = network.codes(x).mean(dim=1, keepdim=True) * network.signature.source.scale
        features = network.topology.run(values, self._feature)
        return F.linear(features, network.classifier.weight)

    def _feature(self, index: int, reads: tuple[Tensor, ...]) -> Tensor:
        layer: Any = self._network[0].features[index]
        if isinstance(layer, SpikingLayer):
            current: Tensor = axes.over_steps(reads[0], layer.synapse.analog)
            return torch.relu(current)
        emitted: Tensor = layer(*reads) * (layer.out.scale / layer.source.scale)
        return emitted


def _require_twin(index: int, layer: nn.Module) -> None:
    where = f"features.{index} ({type(layer).__name__})"
    if isinstance(layer, SpikingLayer):
        plain = layer.synapse.norm is None and layer.synapse.bias is None
        masked = layer.gate is not None or layer.spatial is not None or layer.options.residual != "none"
        if not plain or masked:
            raise UsageError(
                "the CNN of a network has no batch norm, bias, mask or residual", where, "--set batch_norm=none"
            )
    elif not hasattr(layer, "out") or not hasattr(layer, "source"):
        raise UsageError("the CNN of a network has no such layer", where)
