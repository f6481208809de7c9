"""Memory in the papers' forms (SpQuant-SNN Eq 28 and 29): `M = w N_w + (u + s) N_f`, in bits.

N_w weights of w bits, N_f neurons with a stored state of u bits and s bits of what passes between layers. The forms
differ in s. `literal`: a spike, 1 bit. `published`: the tables count a buffer for the outputs of the convolutions, 32
bits a neuron in the baseline and 8 when quantised; only so do their totals come out. `fused`: what is left when all
steps of a layer run inside one kernel: no buffer, spikes of 1 bit; it is compared with the published baseline.
"""

from __future__ import annotations

from dataclasses import dataclass

from .account import Account

FLOAT_BITS = 32
_SPIKE_BITS, _BUFFER_BITS = 1, 8


@dataclass(frozen=True)
class Footprint:
    """What a network takes, in bits: weights, stored membranes, and what passes between layers.

    convolution_bits: those of the weights that belong to convolutions.
    """

    weight_bits: int
    state_bits: int
    buffer_bits: int
    convolution_bits: int = 0

    @property
    def bits(self) -> int:
        return self.weight_bits + self.state_bits + self.buffer_bits

    @property
    def mb(self) -> float:
        """Megabytes of 10^6 bytes, as in the papers."""
        return self.bits / 8e6

    @property
    def weight_mb(self) -> float:
        return self.weight_bits / 8e6

    @property
    def convolution_mb(self) -> float:
        return self.convolution_bits / 8e6

    @property
    def state_mb(self) -> float:
        return self.state_bits / 8e6

    @property
    def buffer_mb(self) -> float:
        return self.buffer_bits / 8e6


@dataclass(frozen=True)
class MemoryForm:
    """One way to count: a network of 32-bit floats, and the same network quantised."""

    form: str
    baseline: Footprint
    quantised: Footprint

    @property
    def ratio(self) -> float:
        """How many times less the quantised network takes."""
        return self.baseline.bits / self.quantised.bits


def memory_forms(account: Account, weight_bits: int | None = None) -> tuple[MemoryForm, MemoryForm, MemoryForm]:
    """Return the literal, the published and the fused form.

    Every weight is charged `weight_bits`, or the layer's own width, where the classifier counts like the rest.
    """
    weights, neurons = _weight_bits(account, weight_bits), account.neurons
    convolutions = _weight_bits(account, weight_bits, "conv")

    def floats(buffer_bits: int) -> Footprint:
        return Footprint(
            FLOAT_BITS * account.weights, FLOAT_BITS * neurons, buffer_bits, FLOAT_BITS * account.convolution_weights
        )

    def quantised(buffer_bits: int) -> Footprint:
        return Footprint(weights, account.state_bits, buffer_bits, convolutions)

    published, lean = floats(FLOAT_BITS * neurons), quantised(_SPIKE_BITS * neurons)
    return (
        MemoryForm("literal", floats(_SPIKE_BITS * neurons), lean),
        MemoryForm("published", published, quantised(_BUFFER_BITS * neurons)),
        MemoryForm("fused", published, lean),
    )


def ratio_bounds(weight_bits: int, state_bits: int = 2) -> tuple[float, float]:
    """Return between which ratios the published form lies, from no weights at all to no neurons at all."""
    ends = (2 * FLOAT_BITS / (state_bits + _BUFFER_BITS), FLOAT_BITS / weight_bits)
    return min(ends), max(ends)


def _weight_bits(account: Account, weight_bits: int | None, kind: str = "") -> int:
    """Return the bits of the weights of all layers whose kind begins so."""
    layers = [layer for layer in account.layers if layer.kind.startswith(kind)]
    if weight_bits is not None:
        return weight_bits * sum(layer.weights for layer in layers)
    common = account.weight_bits
    return sum(layer.weights * (layer.weight_bits if layer.neurons else common) for layer in layers)
