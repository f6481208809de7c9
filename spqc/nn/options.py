"""Every choice about a neuron and its masks, as data: one field per open question of the literature."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

from spqc.foundation.errors import UsageError
from spqc.ir.fixed_point import Overflow, Rounding
from spqc.ir.levels import TERNARY, Ties, is_power_of_two

INTEGER = ("fixed", "loihi")
"""Membranes that are integers themselves."""
LEVELS_ONLY = ("levels", "order", "leak_at", "silence", "top_level", "level_scale", "squash", "masked")
INTEGER_ONLY = ("learn_leak", "leak_bits", "membrane_bits", "membrane_fraction", "rounding", "overflow", "current_leak")
_FIXED_ONLY = ("leak_bits", "membrane_bits", "membrane_fraction", "rounding", "overflow", "input_scale")

LOWEST_LEARNED_THRESHOLD = 0.5 + 2.0**-9
"""A learned threshold stays above 1/2, so that a stored +1 leaking to 1/2 cannot fire alone (A20)."""


@dataclass(frozen=True)
class NeuronOptions:
    """One leaky integrate-and-fire neuron with a quantised membrane; A1-A20 name the ambiguity register's rows.

    levels: stored membrane levels, ascending, 0 among them (A6).
    input_scale: factor of the current, a power of two: u = leak*m + input_scale*x. With leak 1/2, input_scale=0.5 is
        the decaying-input neuron u = m + (x - m)/tau of tau 2 (Spikformer).
    leak: factor of the stored state; at `read` before the charge, at `write` before it is quantised (A3).
    threshold, learn_threshold, clamp_threshold: the firing threshold's start, whether it is learned, and whether a
        learned one is kept above 1/2 (A20).
    fire: `ge` fires at u >= threshold, `gt` at u > threshold (A2).
    order: `reset_first` quantises after fire and reset; `quantise_first` fires on the quantised potential (A1).
    reset: `hard` to 0, `soft` subtracts the threshold (A4).
    ties: where the quantiser sends a midpoint (A5).
    silence: `state` stores max(m, 0); `spikes` keeps a neuron with a negative stored state from firing; `sticky` also
        keeps that state (A7).
    masked: a masked neuron gets no `input` but leaks, or is left out (`freeze`: no spike, same state) (A8).
    top_level: the highest level stays as written (`one`) or is multiplied by the threshold (`threshold`) (A14).
    level_scale: levels are real numbers (`one`), or multiples of the scale of the layer's weights (`weights`, MINT).
    squash: `tanh` sends what is stored through tanh before it is quantised (MINT).
    membrane: `quantised` to the levels; `fixed`, an integer in fixed point; `loihi`, a current and a voltage of 24
        bits; or `float` for training only (no exact integer program exists).

    What follows is for the integer membranes (see spqc.nn.integer_neuron); `reset`, `fire`, `leak`, `threshold` hold
    for them as well.
    learn_leak, leak_bits: whether the leak is learned, and its fractional bits.
    membrane_bits, membrane_fraction: width of a fixed membrane (0: the least that is proven to hold it), and its
        fractional bits (None: it counts the scale of its sums).
    rounding, overflow: how shifts round, and what happens to a sum that is too wide.
    current_leak: factor of the stored current (loihi).
    surrogate: gradient of the spike: `triangle` of u - V (Eq 4), or `normalised`, 0.3 max(0, 1 - |u/V - 1|) (ACE-SNN).
    """

    levels: tuple[float, ...] = TERNARY
    leak: float = 0.5
    threshold: float = 1.0
    learn_threshold: bool = False
    clamp_threshold: bool = True
    fire: Literal["ge", "gt"] = "ge"
    order: Literal["reset_first", "quantise_first"] = "reset_first"
    leak_at: Literal["read", "write"] = "read"
    reset: Literal["hard", "soft"] = "hard"
    ties: Ties = "down"
    silence: Literal["none", "state", "spikes", "sticky"] = "none"
    masked: Literal["input", "freeze"] = "input"
    top_level: Literal["one", "threshold"] = "one"
    membrane: Literal["quantised", "fixed", "loihi", "float"] = "quantised"
    input_scale: float = 1.0
    level_scale: Literal["one", "weights"] = "one"
    squash: Literal["none", "tanh"] = "none"
    learn_leak: bool = False
    leak_bits: int = 8
    membrane_bits: int = 0
    membrane_fraction: int | None = None
    rounding: Rounding = "truncate"
    overflow: Overflow = "saturate"
    current_leak: float = 0.0
    surrogate: Literal["triangle", "normalised"] = "triangle"

    @property
    def is_integer(self) -> bool:
        """Return whether the membrane is an integer itself, and not the code of a level."""
        return self.membrane in INTEGER

    def __post_init__(self) -> None:
        if self.rounding == "stochastic":  # type: ignore[comparison-overlap]
            raise UsageError(
                "stochastic rounding draws random numbers, which two runs and two machines cannot share bit for bit",
                hint="rounding is truncate, zero or nearest",
            )
        check_choices(self)
        _check_levels(self.levels)
        _check_integer_membrane(self)
        if not 0.0 <= self.leak <= 1.0:
            raise UsageError(f"leak must lie in [0, 1], not {self.leak}")
        if not (is_power_of_two(self.input_scale) and 2.0**-16 <= self.input_scale <= 2.0**16):
            raise UsageError(
                f"input_scale must be a power of two, not {self.input_scale}",
                hint="0.5 halves the current; another factor belongs into the batch norm",
            )
        if self.level_scale == "weights" and not all(float(level).is_integer() for level in self.levels):
            raise UsageError(
                f"levels that count the weights' scale are integers, not {list(self.levels)}",
                hint="membrane='mint4' names them",
            )
        if self.level_scale == "weights" and self.top_level == "threshold":
            raise UsageError("top_level='threshold' does not go with levels that count the weights' scale")
        if not 0.0 < self.threshold < 2.0**20:
            raise UsageError(f"threshold must be positive, not {self.threshold}")
        clamped = self.learn_threshold and self.clamp_threshold and not self.is_integer
        if clamped and self.threshold < LOWEST_LEARNED_THRESHOLD:
            raise UsageError(
                f"a learned threshold is kept above 1/2 and cannot start at {self.threshold}",
                hint="start it higher, or give clamp_threshold=False",
            )


@dataclass(frozen=True)
class MaskOptions:
    """The two masks of a spiking layer.

    spatial_mask: fraction of silent inputs per layer, or None for no spatial mask; in (0, 1).
    spatial_rule: `fixed` compares |x| with one calibrated constant per layer; `topk` sorts at every step (A11).
    granularity: per `neuron`, or per `pixel` on the channels' mean |x| (A12).
    channel_gate: whether a gate per channel, sample and step multiplies x.
    gate_threshold: what the gate's non-linearity must exceed: 0.5 in the released code, 0.47 in the paper (A10).
    gate_nonlinearity: `sigmoid`, or `softmax` over the channels, which exceeds 0.47 on at most two of them (A10).
    gate_input: the previous layer's activations at the same `step`, or their mean over all the `time` (A9).
    """

    spatial_mask: float | None = None
    spatial_rule: Literal["fixed", "topk"] = "fixed"
    granularity: Literal["neuron", "pixel"] = "neuron"
    channel_gate: bool = False
    gate_threshold: float = 0.5
    gate_nonlinearity: Literal["sigmoid", "softmax"] = "sigmoid"
    gate_input: Literal["step", "time"] = "step"

    def __post_init__(self) -> None:
        check_choices(self)
        if self.spatial_mask is not None and not 0.0 < self.spatial_mask < 1.0:
            raise UsageError(
                f"spatial_mask is a fraction in (0, 1), not {self.spatial_mask}", hint="None switches it off"
            )
        if not 0.0 < self.gate_threshold < 1.0:
            raise UsageError(f"gate_threshold must lie in (0, 1), not {self.gate_threshold}")


def check_choices(options: Any) -> None:
    """Raise UsageError for a field that holds another kind of value, or another choice, than declared."""
    for name, hint in get_type_hints(type(options)).items():
        value = getattr(options, name)
        choices = get_args(hint)
        if choices and all(isinstance(choice, str) for choice in choices) and value not in choices:
            raise UsageError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
        if hint in _KINDS and not _is_kind(value, hint):
            raise UsageError(f"{name} must be {_KINDS[hint]}, not {value!r}")


_KINDS: dict[Any, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    float | None: "a number or None",
    str: "a text",
}


def _is_kind(value: object, kind: Any) -> bool:
    if kind is float or kind == float | None:
        return (value is None and kind is not float) or (isinstance(value, int | float) and not isinstance(value, bool))
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _check_integer_membrane(options: NeuronOptions) -> None:
    """Raise UsageError where an integer membrane has a value, or an option of quantised ones, that it cannot have."""
    if not 1 <= options.leak_bits <= 16:
        raise UsageError(f"leak_bits lies in 1..16, not {options.leak_bits}", hint="8 is common")
    if options.membrane_bits != 0 and not 2 <= options.membrane_bits <= 31:
        raise UsageError(f"membrane_bits lies in 2..31, not {options.membrane_bits}", hint="0 takes what is proven")
    fraction = options.membrane_fraction
    if fraction is not None and not (isinstance(fraction, int) and 0 <= fraction <= 30):
        raise UsageError(f"membrane_fraction lies in 0..30, not {fraction}", hint="None counts sums")
    if not 0.0 <= options.current_leak <= 1.0:
        raise UsageError(f"current_leak must lie in [0, 1], not {options.current_leak}")
    if not options.is_integer:
        _refuse(options, INTEGER_ONLY, "is for the membranes 'fixed' and 'loihi'")
        return
    _refuse(options, LEVELS_ONLY, f"does not go with the membrane '{options.membrane}', which has no levels")
    if options.membrane == "fixed":
        _refuse(options, ("current_leak",), "is for the membrane 'loihi'")
    if options.membrane == "loihi":
        _refuse(options, _FIXED_ONLY, "is not Loihi's")
        if options.reset != "hard" or options.fire != "gt":
            raise UsageError("Loihi's neuron fires above its threshold and resets to 0", hint="reset='hard', fire='gt'")


def _refuse(options: NeuronOptions, names: tuple[str, ...], why: str) -> None:
    for field in dataclasses.fields(options):
        if field.name in names and getattr(options, field.name) != field.default:
            raise UsageError(f"{field.name} {why}", hint=f"leave out {field.name}")


def _check_levels(levels: tuple[float, ...]) -> None:
    if len(levels) < 2 or list(levels) != sorted(set(levels)) or 0.0 not in levels:
        raise UsageError(f"membrane levels must ascend, two or more, 0 among them: {list(levels)}")
