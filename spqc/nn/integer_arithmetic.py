"""The arithmetic of an integer membrane: what it can be combined with, its numbers, and its two ways of running."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from spqc.foundation.errors import ModelError

from . import axes, exact
from .integer_neuron import FixedNeuron, LoihiNeuron, Numbers, loihi_bias
from .options import MaskOptions
from .synapse import Synapse

_LOIHI_UNITS = 64  # of the voltage, in one of a sum


def check(membrane: str, synapse: Synapse, masks: MaskOptions, residual: str) -> None:
    """Raise ModelError where a layer has a part that is no integer on the lattice of its sums."""
    reasons = {
        "float weights": synapse.quantiser.is_float,
        "a batch norm, which scales every channel by a real number": synapse.norm is not None,
        "a residual, which counts in another unit": residual != "none",
        "a spatial mask": masks.spatial_mask is not None,
        "a channel gate": masks.channel_gate,
    }
    for reason, holds in reasons.items():
        if holds:
            hint = "batch_norm='none'" if "norm" in reason else "use weight_bits 2 to 8 and a layer without it"
            raise ModelError(f"the membrane '{membrane}' counts integers and does not go with {reason}", hint=hint)


@dataclass(frozen=True)
class IntegerArithmetic:
    """A synapse whose integer sums a neuron with an integer membrane reads."""

    synapse: Synapse
    neuron: FixedNeuron | LoihiNeuron

    @property
    def unit(self) -> float:
        """Return the real value of 1 in a sum: weight scale times input scale."""
        return self.synapse.integer_weight()[1] * self.synapse.unit

    @property
    def threshold(self) -> float:
        """Return the threshold of the evaluation as a real number."""
        own = self.unit if isinstance(self.neuron, LoihiNeuron) else self.neuron.membrane_unit(self.unit)
        return float(self.neuron.threshold_count(own) * own)

    def numbers(self, steps: int) -> Numbers:
        """Return the integers of an evaluation over `steps` steps. Raises ModelError where they do not fit."""
        bias = self.bias()
        low, high = self.synapse.sum_range()
        if not isinstance(self.neuron, LoihiNeuron):  # Loihi's bias joins the voltage, any other the sum
            low, high = low + min(0, int(bias.min())), high + max(0, int(bias.max()))
        return self.neuron.numbers(self.unit, low, high, steps)

    def bias(self) -> npt.NDArray[np.int64]:
        """Return the bias [C]: in units of a sum, or (Loihi) of the voltage."""
        synapse = self.synapse
        if synapse.bias is None:
            return np.zeros(synapse.channels, np.int64)
        counts = synapse.bias.detach().cpu().double().numpy() / self.unit
        if isinstance(self.neuron, LoihiNeuron):
            return np.array([loihi_bias(float(count) * _LOIHI_UNITS) for count in counts], np.int64)
        return exact.integers(counts, "a bias")

    def train(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Return spikes and states of codes [N, T, ...] with surrogate gradients."""
        current = axes.over_steps(codes, self.synapse.unbiased)
        bias = None if self.synapse.bias is None else _per_channel(self.synapse.bias, current)
        return self.neuron.train_run(current, bias, self.unit)

    def evaluate(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Return spikes (float32) and states (int64) of codes [N, T, ...]: the reference semantics, in integers."""
        dtype = self.synapse.eval_dtype()
        run: Any = self.neuron.run  # of the numbers of its own kind
        with torch.no_grad():
            n = axes.over_steps(codes, lambda flat: self.synapse.accumulate(flat, dtype)).to(torch.int64)
            bias = _per_channel(torch.from_numpy(self.bias()).to(n.device), n)
            fired, states = run(n, bias, self.numbers(codes.shape[1]))
        return fired.float(), states


def _per_channel(values: Tensor, like: Tensor) -> Tensor:
    return values.reshape(-1, *[1] * (like.ndim - 3))
