"""Options of a whole network: flat keyword arguments, checked, completed and plain enough for a file."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from spqc.foundation.errors import UsageError
from spqc.foundation.options import require_seed
from spqc.ir.inputs import Coding, Encoding, InputFormat
from spqc.ir.levels import RELEASED, TAPEOUT, TERNARY

from .options import INTEGER, INTEGER_ONLY, LEVELS_ONLY, MaskOptions, NeuronOptions, check_choices
from .synapse import BatchNorm, SynapseOptions

_MEMBRANES: dict[str, dict[str, Any]] = {
    "ternary": {"levels": TERNARY},
    "quantised": {},
    "binary": {"levels": TERNARY, "silence": "state"},
    "released": {"levels": RELEASED},
    "tapeout": {"levels": TAPEOUT},
    "float": {"membrane": "float"},
    "fixed": {"membrane": "fixed"},
    "ace": {
        "membrane": "fixed",
        "leak": 1.0,
        "learn_leak": True,
        "learn_threshold": True,
        "reset": "soft",
        "fire": "gt",
        "surrogate": "normalised",
    },
    "loihi": {"membrane": "loihi", "fire": "gt"},
}
_FORMAT = re.compile(r"q(\d{1,2})\.(\d{1,2})")

_SHAPES = "or (features,), (channels, length), (channels, depth, height, width)"


@dataclass(frozen=True)
class NetworkOptions:
    """What every model takes; the fields of NeuronOptions and MaskOptions are accepted by name beside these.

    in_shape: [C, H, W] of one frame (or [features], [C, L], [C, D, H, W]).
    steps: T; input, coding: see InputFormat (A15).
    weight_bits, weight_grid: 2 to 8 bits on pot, apot, uniform or twn, or 32 for floats; classifier_bits: uniform.
    membrane: "ternary", "binary" (ternary with silenced negatives), "released" (-3..1), "tapeout" (24 levels of 1/8
        from -2), "mint4", "ace", "fixed", "q11.16" (11 integer bits, sign included, and 16 fractional), "loihi",
        "float", or a tuple of levels.
    silence: True stores max(m, 0); a string names a rule of NeuronOptions.
    batch_norm: plain, threshold (scaled by the threshold) or none (A18).
    sparsity: of the weights: none, l0, block:B, tile:OxI or N:M, see spqc.nn.sparsity.
    overrides: specification keys of single layers by name, e.g. {"features.0": {"weight_bits": 8}}.
    seed: draws parameters from a private generator; calibrate: set batch-norm statistics and theta on seeded inputs.
    """

    in_shape: tuple[int, ...]
    classes: int = 10
    steps: int = 4
    weight_bits: int = 4
    weight_grid: str = "pot"
    classifier_bits: int = 8
    input: Encoding = "pixels"
    coding: Coding = "frames"
    membrane: str | tuple[float, ...] = "ternary"
    silence: bool | str = False
    batch_norm: BatchNorm = "plain"
    sparsity: str = "none"
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    seed: int = 0
    calibrate: bool = True
    neuron: NeuronOptions = field(default_factory=NeuronOptions)
    masks: MaskOptions = field(default_factory=MaskOptions)

    def __post_init__(self) -> None:
        check_choices(self)
        require_seed(self.seed)
        if not isinstance(self.overrides, Mapping) or not all(
            isinstance(own, Mapping) for own in self.overrides.values()
        ):
            raise UsageError(
                "overrides must be {layer: {key: value}}", hint='e.g. overrides={"features.0": {"weight_bits": 8}}'
            )
        for name in ("classes", "steps"):
            if not _is_count(getattr(self, name)):
                raise UsageError(f"{name} must be a positive integer, not {getattr(self, name)!r}")
        if (
            not isinstance(self.in_shape, tuple)
            or not 1 <= len(self.in_shape) <= 4
            or not all(map(_is_count, self.in_shape))
        ):
            raise UsageError(f"in_shape must be (channels, height, width), not {self.in_shape}", hint=_SHAPES)

    @property
    def inputs(self) -> InputFormat:
        """Return how arrays become codes."""
        return InputFormat(self.input, self.coding)

    def synapse(self, *, bias: bool = False) -> SynapseOptions:
        """Return the options of one layer's weights."""
        return SynapseOptions(self.weight_bits, self.weight_grid, self.batch_norm, bias, self.sparsity)


def parse(config: Mapping[str, Any]) -> NetworkOptions:
    """Return the options of flat keyword arguments. Raises UsageError for an unknown name or a wrong value."""
    own = _field_names(NetworkOptions) - {"neuron", "masks"}
    if "levels" in config:
        config = _levels_as_membrane(config)
    chosen = {name: _frozen(value) for name, value in config.items() if name in own}
    if "in_shape" not in chosen:
        raise UsageError("a network needs in_shape, the shape of one frame", hint="for example in_shape=(2, 34, 34)")
    membrane = _membrane(chosen.get("membrane", "ternary"), chosen.get("silence", False))
    neuron = membrane | _pick(NeuronOptions, config, own)
    return NetworkOptions(
        **chosen, neuron=NeuronOptions(**neuron), masks=MaskOptions(**_pick(MaskOptions, config, own))
    )


def plain(options: NetworkOptions) -> dict[str, Any]:
    """Return every option as flat plain values, so that a file keeps its meaning when defaults change."""
    left_out = ("neuron", "masks", "calibrate")
    top = {f.name: getattr(options, f.name) for f in dataclasses.fields(options) if f.name not in left_out}
    neuron = {name: value for name, value in dataclasses.asdict(options.neuron).items() if name not in ("levels", *top)}
    return {name: _thawed(value) for name, value in {**top, **neuron, **dataclasses.asdict(options.masks)}.items()}


def plain_fields(options: Any) -> dict[str, Any]:
    """Return the fields of a model's own options as plain values."""
    return {entry.name: _thawed(getattr(options, entry.name)) for entry in dataclasses.fields(options)}


def option_names() -> set[str]:
    """Return every name that `parse` understands."""
    nested = _field_names(NeuronOptions) | _field_names(MaskOptions)
    return (_field_names(NetworkOptions) - {"neuron", "masks"}) | nested


def require_known(names: Iterable[str], known: set[str], owner: str) -> None:
    """Raise UsageError with the nearest known names for an option that does not exist."""
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"the options are {', '.join(sorted(known))}"
            raise UsageError(f"{owner} has no option {name!r}", hint=hint)


def override_membrane(neuron: NeuronOptions, membrane: Any) -> NeuronOptions:
    """Return a layer's own neuron options for a membrane named in its specification (A19)."""
    own = {"membrane": "quantised", **_membrane(_frozen(membrane), False)}
    if (own["membrane"] in INTEGER) != neuron.is_integer:  # nothing of the other kind is kept
        defaults = {f.name: f.default for f in dataclasses.fields(NeuronOptions)}
        own = {name: defaults[name] for name in (*LEVELS_ONLY, *INTEGER_ONLY)} | own
    return dataclasses.replace(neuron, **own)


def override_neuron(neuron: NeuronOptions, own: Any) -> NeuronOptions:
    """Return neuron options with a layer's own fields over them; `membrane` and `silence` as for a network.

    Raises UsageError for what is no mapping, an unknown field or a wrong value.
    """
    if not isinstance(own, Mapping):
        raise UsageError(f"neuron must be a mapping of options, not {own!r}", hint="for example {'leak': 0.25}")
    require_known(own, _field_names(NeuronOptions), "a neuron")
    if "levels" in own:
        own = _levels_as_membrane(own)
    fields = {name: _frozen(value) for name, value in own.items()}
    if "membrane" in fields:
        neuron = override_membrane(neuron, fields.pop("membrane"))
    if isinstance(fields.get("silence"), bool):
        fields["silence"] = "state" if fields["silence"] else "none"
    return dataclasses.replace(neuron, **fields)


def _levels_as_membrane(config: Mapping[str, Any]) -> dict[str, Any]:
    if "membrane" in config:
        raise UsageError("give either membrane or levels, not both", hint="membrane=(-1, 0, 1) names the levels too")
    return {"membrane": config["levels"], **{name: value for name, value in config.items() if name != "levels"}}


def _membrane(membrane: Any, silence: Any) -> dict[str, Any]:
    if isinstance(membrane, str):
        fields = _named(membrane)
    elif not isinstance(membrane, tuple) or not all(isinstance(level, int | float) for level in membrane):
        raise UsageError(f"membrane must be a name or a tuple of levels, not {membrane!r}")
    else:
        fields = {"levels": tuple(float(level) for level in membrane)}
    if silence:
        fields["silence"] = "state" if silence is True else silence
    return fields


def _named(membrane: str) -> dict[str, Any]:
    """Return the neuron options that a name stands for; `mint2` to `mint8` count their bits, `q11.16` its parts."""
    if membrane in _MEMBRANES:
        return dict(_MEMBRANES[membrane])
    parts = _FORMAT.fullmatch(membrane)
    if parts is not None:
        fraction = int(parts[2])
        return {"membrane": "fixed", "membrane_bits": int(parts[1]) + fraction, "membrane_fraction": fraction}
    family, bits = membrane[:-1], membrane[-1:]
    if family == "mint" and bits in "2345678":
        return _mint(int(bits))
    hint = f"one of {', '.join(_MEMBRANES)}, mint2 to mint8, q11.16, or a tuple of levels such as (-1, 0, 1)"
    raise UsageError(f"unknown membrane {membrane!r}", hint=hint)


def _mint(bits: int) -> dict[str, Any]:
    """Return the neuron of MINT: H = U + x, fire H > 1/2, U = Q(tanh(leak * H)) on the scale of the weights."""
    top = 2 ** (bits - 1) - 1
    return {
        "levels": tuple(float(level) for level in range(-top, top + 1)),
        "level_scale": "weights",
        "squash": "tanh",
        "leak_at": "write",
        "fire": "gt",
        "threshold": 0.5,
        "clamp_threshold": False,  # half of the clamp's least value, and the membrane counts another unit
        "ties": "even",
    }


def _pick(kind: type, config: Mapping[str, Any], taken: set[str]) -> dict[str, Any]:
    return {name: _frozen(value) for name, value in config.items() if name in _field_names(kind) - taken}


def _field_names(kind: type) -> set[str]:
    return {entry.name for entry in dataclasses.fields(kind)}


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list | tuple) else value


def _thawed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _thawed(entry) for key, entry in value.items()}
    return [_thawed(entry) for entry in value] if isinstance(value, list | tuple) else value


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0
