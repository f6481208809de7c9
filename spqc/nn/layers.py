"""Spiking layers: synapse, residual, masks, neuron; training and reference evaluation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from spqc.foundation.errors import ModelError

from . import axes, constants, exact, integer_arithmetic, integer_neuron
from .constants import Arithmetic
from .integer_arithmetic import IntegerArithmetic
from .masks import ChannelGate, SpatialMask
from .neuron import Neuron, NeuronConstants, StepRules
from .options import MaskOptions, NeuronOptions
from .signal import Signal, spikes
from .synapse import ConvGeometry, Floats, Synapse, SynapseOptions

_EXACT_FLOAT32 = 1 << 24

Residual = Literal["none", "identity", "project"]


@dataclass(frozen=True)
class LayerOptions:
    """What a spiking layer is made of; `residual` adds a branch of `skip` codes to the current."""

    synapse: SynapseOptions = field(default_factory=SynapseOptions)
    neuron: NeuronOptions = field(default_factory=NeuronOptions)
    masks: MaskOptions = field(default_factory=MaskOptions)
    residual: Residual = "none"


@dataclass(frozen=True)
class Record:
    """What one spiking layer did: spikes and stored states [N, T, ...], gate [N, T, C] and kept inputs [N, T, ...]."""

    spikes: Tensor
    states: Tensor
    gate: Tensor | None = None
    keep: Tensor | None = None


class SpikingLayer(nn.Module):
    """Base of the convolutional and the dense spiking layer.

    source: the codes it reads; skip_source: the codes of its residual branch (its own input unless told otherwise).
    """

    def __init__(
        self,
        source: Signal,
        channels: int,
        geometry: ConvGeometry | None,
        options: LayerOptions,
        skip_source: Signal | None = None,
    ) -> None:
        super().__init__()
        self.options, self.source = options, source
        self.skip_source = skip_source or source
        self.synapse = self._synapse(channels, geometry)
        self.shortcut = self._shortcut(channels, geometry) if options.residual == "project" else None
        self.neuron: Any = (integer_neuron.create if options.neuron.is_integer else Neuron)(options.neuron)
        self.spatial = SpatialMask(options.masks) if options.masks.spatial_mask is not None else None
        self.gate = ChannelGate(source, channels, options.masks) if options.masks.channel_gate else None
        self._check_shapes()

    @property
    def out(self) -> Signal:
        """Return what the layer emits: spikes of its output shape."""
        return spikes(self.synapse.out_shape)

    @property
    def threshold(self) -> float:
        """Return the firing threshold of the evaluation, a real number."""
        if self.options.neuron.is_integer:
            return self.integers.threshold
        numbers = self.constants()
        return numbers.threshold * numbers.unit

    @property
    def theta(self) -> float | None:
        """Return the bound of |x| of the spatial mask, in units of the potentials; None without one."""
        return self.constants().theta

    @property
    def fraction_bits(self) -> int | None:
        """Return F if the layer evaluates on multiples of 2^-F (projected residual), else None."""
        if self.shortcut is None or self.synapse.quantiser.is_float:
            return None
        threshold = float(self.neuron.threshold().detach())
        margin = max(2.0, threshold + max(abs(level) for level in self.neuron.levels(self.level_scale)))
        branches = (self.synapse, self.shortcut)
        terms = [(*branch.fold64(threshold), branch.greatest_sum()) for branch in branches]
        return exact.fraction_bits(terms, margin, self.options.neuron.input_scale)

    @property
    def level_scale(self) -> float:
        """Return what one unit of the options' levels is worth: 1, or the scale of the weights."""
        return self.integer_weight()[1] if self.options.neuron.level_scale == "weights" else 1.0

    @property
    def counts_units(self) -> bool:
        """Return whether the layer computes in units of its accumulation: a membrane on the weights' scale."""
        plain = self.synapse.norm is None and self.options.residual == "none"
        return plain and self.options.neuron.level_scale == "weights" and not self.synapse.quantiser.is_float

    @property
    def unit(self) -> float:
        """Return the real value of one unit of the potentials: 1, or weight scale * input scale / pooling window."""
        return self.integer_weight()[1] * self.synapse.unit if self.counts_units else 1.0

    @property
    def eval_dtype(self) -> torch.dtype:
        """Return the arithmetic of the evaluation: float32 where exact, float64 otherwise and for a projection."""
        if self.counts_units and constants.greatest_charge(self.synapse, self.neuron, self.unit) >= _EXACT_FLOAT32:
            return torch.float64
        return torch.float64 if self.fraction_bits is not None else self.synapse.eval_dtype()

    def integer_weight(self) -> tuple[npt.NDArray[np.int64], float]:
        """Return (integer weights [C, ...], scale) of the main branch."""
        return self.synapse.integer_weight()

    def fold(self) -> tuple[Floats, Floats]:
        """Return (A, B) [C] of the main branch: x = A n + B, rounded to the layer's arithmetic."""
        return self._fold(self.synapse)

    def shortcut_weight(self) -> tuple[npt.NDArray[np.int64], float]:
        """Return (integer weights [C, C_in, 1, 1], scale) of the projected residual."""
        return self._require_shortcut().integer_weight()

    def shortcut_fold(self) -> tuple[Floats, Floats]:
        """Return (A, B) [C] of the projected residual."""
        return self._fold(self._require_shortcut())

    def constants(self) -> NeuronConstants:
        """Return the neuron's numbers, rounded to the layer's arithmetic."""
        constants.require_levels(self.options.neuron)
        theta = None if self.spatial is None else float(self.spatial.theta)
        return constants.of(self.neuron, self._arithmetic, theta)

    @property
    def _arithmetic(self) -> Arithmetic:
        per_level = round(1 / self.synapse.unit) if self.counts_units else None
        return Arithmetic(self._numpy_dtype(), self.unit, self.level_scale, per_level, self.fraction_bits)

    @property
    def integers(self) -> IntegerArithmetic:
        """Return the arithmetic of an integer membrane; only for layers that have one."""
        return IntegerArithmetic(self.synapse, self.neuron)

    def forward(self, codes: Tensor, skip: Tensor | None = None) -> Record:
        """Return the spikes and states of input codes [N, T, ...]; `skip` are the codes of the residual branch."""
        if self.options.neuron.is_integer:
            run = self.integers.train if self.training else self.integers.evaluate
            return Record(*run(codes))
        branch = codes if skip is None else skip
        return self._train(codes, branch) if self.training else self._evaluate(codes, branch)

    def _train(self, codes: Tensor, skip: Tensor) -> Record:
        current = self._training_current(codes, skip)
        if self.spatial is not None:
            self.spatial.observe(current)
        theta = 0.0 if self.spatial is None else float(self.spatial.theta)
        current, keep, gate = self._masked(codes, current, theta)
        fired, states = self.neuron.run(current, axes.live(keep, gate, current), self._training_rules())
        return Record(fired, states, gate, keep)

    def _training_rules(self) -> StepRules:
        counts = self.options.neuron.level_scale == "weights"
        scale = self.synapse.quantiser.scale(self.synapse.weight) if counts else None
        rules: StepRules = self.neuron.training_rules(scale)
        return rules

    def _training_current(self, codes: Tensor, skip: Tensor) -> Tensor:
        threshold = self.neuron.threshold()
        current = axes.over_steps(codes, lambda flat: self.synapse(flat, threshold))
        if self.shortcut is not None:
            shortcut = self.shortcut
            return current + axes.over_steps(skip, lambda flat: shortcut(flat, threshold))
        return current + skip * self.skip_source.scale if self.options.residual == "identity" else current

    def _evaluate(self, codes: Tensor, skip: Tensor) -> Record:
        with torch.no_grad():
            numbers = self.constants()
            current = self.evaluation_current(codes, skip)
            current, keep, gate = self._masked(codes, current, numbers.theta or 0.0)
            rules = self.neuron.evaluation_rules(numbers)
            fired, states = self.neuron.run(current, axes.live(keep, gate, current), rules)
            return Record(fired.float(), states, gate, keep)

    def evaluation_current(self, codes: Tensor, skip: Tensor) -> Tensor:
        """Return x [N, T, ...] before the masks: fl(fl(A n) + B), then the residual; every operation rounds."""
        dtype = self.eval_dtype
        current = axes.affine(axes.over_steps(codes, lambda flat: self.synapse.accumulate(flat, dtype)), *self.fold())
        if self.shortcut is not None:
            shortcut = self.shortcut
            second = axes.over_steps(skip, lambda flat: shortcut.accumulate(flat, dtype))
            return current + axes.affine(second, *self.shortcut_fold())
        if self.options.residual == "identity":
            return current + skip.to(dtype) * self.skip_source.scale
        return current

    def _masked(self, codes: Tensor, current: Tensor, theta: float) -> tuple[Tensor, Tensor | None, Tensor | None]:
        keep = None if self.spatial is None else self.spatial.keep(current, theta)
        if keep is not None:
            current = torch.where(keep, current, torch.zeros((), dtype=current.dtype, device=current.device))
        gate = None if self.gate is None else self.gate(codes)
        if gate is not None:
            current = current * axes.spread(gate, current).to(current.dtype)
        return current, keep, gate

    def _fold(self, branch: Synapse) -> tuple[Floats, Floats]:
        fraction = self.fraction_bits
        if self.counts_units:
            dtype, offset = self._numpy_dtype(), np.rint(branch.fold64(1.0)[1] / self.unit)
            return np.ones(offset.shape, dtype), offset.astype(dtype)
        gain, offset = branch.fold64(float(self.neuron.threshold().detach()))
        if fraction is not None:
            return exact.on_lattice(gain, fraction), exact.on_lattice(offset, fraction)
        dtype = self._numpy_dtype()
        return gain.astype(dtype), offset.astype(dtype)

    def _numpy_dtype(self) -> type[np.floating[Any]]:
        return np.float32 if self.eval_dtype == torch.float32 else np.float64

    def _require_shortcut(self) -> Synapse:
        if self.shortcut is None:
            raise ModelError("the layer has no projected residual")
        return self.shortcut

    def _synapse(self, channels: int, geometry: ConvGeometry | None) -> Synapse:
        return Synapse(self.source, channels, geometry, self.options.synapse)

    def _shortcut(self, channels: int, geometry: ConvGeometry | None) -> Synapse:
        """Return the 1x1 convolution of the residual, strided so that its output fits the layer's."""
        if geometry is None:
            return Synapse(self.skip_source, channels, None, self.options.synapse)
        stride = tuple(
            -(-side // max(goal, 1))
            for side, goal in zip(self.skip_source.shape[1:], self.synapse.out_shape[1:], strict=True)
        )
        ones, zeros = (1,) * len(stride), (0,) * len(stride)
        return Synapse(self.skip_source, channels, ConvGeometry(ones, stride, zeros), self.options.synapse)

    def _check_shapes(self) -> None:
        options = self.options
        if options.neuron.is_integer:
            integer_arithmetic.check(options.neuron.membrane, self.synapse, options.masks, options.residual)
        if options.neuron.level_scale == "weights" and self.synapse.quantiser.is_float:
            raise ModelError("a membrane on the scale of its weights needs quantised ones", "", "weight_bits 2 to 8")
        if self.counts_units and not float(1 / self.synapse.unit).is_integer():
            raise ModelError(
                f"a membrane on the weights' scale needs inputs of 1/k a code, not {self.synapse.unit}",
                hint="use level_scale='one', or a batch norm",
            )
        shape = self.synapse.out_shape
        if min(shape) < 1:
            raise ModelError(f"a layer reading {list(self.source.shape)} has an empty output {list(shape)}")
        branch = self.shortcut.out_shape if self.shortcut else self.skip_source.shape
        if options.residual != "none" and branch != shape:
            raise ModelError(
                f"a residual of shape {list(branch)} cannot be added to a layer of shape {list(shape)}",
                hint="keep channels and size (stride 1, padding kernel//2), or use residual='project'",
            )


class SpikingLinear(SpikingLayer):
    """A dense layer with batch norm and spiking neurons."""

    def __init__(self, source: Signal, features: int, options: LayerOptions, skip_source: Signal | None = None) -> None:
        super().__init__(source, features, None, options, skip_source)
