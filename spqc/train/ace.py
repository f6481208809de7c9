"""ACE-SNN's flow: train the CNN of the same layers, set thresholds from its currents, fine-tune the spiking network.

The recipe's fields: `cnn_epochs`, `cnn_rate` of the CNN; `percentile`, `factor` of the thresholds; `epochs`,
`learning_rate` of the fine-tuning, in which weights (6 bits), thresholds and leaks learn together.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from spqc.foundation.errors import UsageError
from spqc.nn import axes
from spqc.nn.layers import SpikingLayer
from spqc.nn.network import SpikingNetwork
from spqc.nn.twin import ReluTwin

from .evaluation import exactly
from .loop import Session, Stage, fit
from .objective import Objective
from .tasks import Classification

_SAMPLES = 512
_LEAST_THRESHOLD = 2.0**-6
_FINE = "fine-tuning"


class CnnObjective(nn.Module):
    """Cross-entropy of the CNN."""

    def __init__(self, twin: ReluTwin) -> None:
        super().__init__()
        self.twin = twin

    def forward(self, codes: Any, labels: Tensor) -> Tensor:
        """Return the loss of codes [N, ...] and labels [N]."""
        return F.cross_entropy(self.twin(codes).float().squeeze(1), labels)


def train_ace(session: Session) -> None:
    """Run the three steps; a resumed session goes on in the one it was in."""
    network, recipe = session.network, session.settings.recipe
    if not isinstance(session.task, Classification):
        raise UsageError("the ACE flow trains classifiers", hint="choose another preset, e.g. --preset quant")
    twin = ReluTwin(network)
    if session.resumed is None or session.resumed.stage != _FINE:
        fit(session, Stage("cnn", CnnObjective(twin), twin, recipe.cnn_epochs, recipe.cnn_rate, chooses=False))
        codes, _ = session.data.arrays(slice(0, _SAMPLES))
        set_thresholds(network, codes, recipe.percentile, recipe.factor)
    fit(session, Stage(_FINE, Objective(network, session.task, recipe), network, recipe.epochs, recipe.learning_rate))


def set_thresholds(network: SpikingNetwork, x: Any, percentile: float, factor: float) -> None:
    """Set every threshold to a percentile of the layer's currents times a factor.

    Front to back, each layer on the spikes of those before it, which have their thresholds already. Quantisers with a
    learned range start again from the weights.
    """
    network.eval()

    def apply(index: int, reads: tuple[Tensor, ...]) -> Tensor:
        layer: Any = network.features[index]
        if not isinstance(layer, SpikingLayer):
            emitted: Tensor = layer(*reads)
            return emitted
        layer.synapse.quantiser.start(layer.synapse.weight)
        current = axes.over_steps(reads[0], layer.synapse.raw).flatten()
        rank = min(max(round(percentile / 100 * current.numel()), 1), current.numel())
        greatest = float(current.kthvalue(rank).values)
        layer.neuron.potential_threshold.fill_(max(factor * greatest, _LEAST_THRESHOLD))
        spikes: Tensor = layer(*reads).spikes
        return spikes

    with exactly(), torch.no_grad():
        network.topology.run(network.codes(x), apply)
