"""From a list of layer specifications to a network: shapes, scales and seeded parameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from spqc.foundation.errors import ModelError, SpqcError, UsageError

from . import config as network_config
from . import overrides, values
from .attention import Attention
from .classifier import Classifier
from .config import NetworkOptions
from .convolutions import CONVOLUTIONS
from .initialisation import initialise
from .joins import Add
from .layers import LayerOptions, Residual, SpikingLinear
from .network import NetworkSignature, SpikingNetwork
from .options import NeuronOptions, check_choices
from .pooling import MAX_POOLS, SUM_POOLS, Flatten, GlobalSum, Pool, Reshape
from .signal import Signal
from .synapse import SynapseOptions
from .topology import Routes, Topology
from .weightless_neuron import SpikingNeuron

Spec = Mapping[str, Any]

_SPIKING = frozenset(
    {"out", "bias", "residual", "residual_span", "membrane", "neuron", "weight_bits", "weight_grid", "sparsity"}
)
"""Keys of every layer with weights and neurons; `neuron`, `weight_...` and `sparsity` override the network's."""

_PLACED = frozenset({"op", "name", "from"})
"""Keys of every layer: `name` is its own, `from` the layers it reads (the one before it where left out)."""

_CONV = _SPIKING | {"kernel", "stride", "padding", "groups", "pool_before"}

_KEYS: dict[str, frozenset[str]] = {
    "conv1d": _CONV,
    "conv2d": _CONV,
    "conv3d": _CONV,
    "linear": _SPIKING,
    "avg_pool": frozenset({"kernel", "stride", "padding"}),
    "max_pool": frozenset({"kernel", "stride", "padding"}),
    "global_avg_pool": frozenset(),
    "flatten": frozenset(),
    "reshape": frozenset({"shape"}),
    "add": frozenset(),
    "attention": frozenset({"heads", "scale"}),
    "neuron": frozenset({"membrane", "neuron"}),
}


def build(
    specs: Sequence[Spec], options: NetworkOptions, signature: NetworkSignature, *, draw: bool = True
) -> SpikingNetwork:
    """Return the network of the specifications; the last, a linear, is the classifier. Raises ModelError for
    layers that do not fit, UsageError for a wrong value, both with the layer's place. draw: its parameters too."""
    specs = overrides.apply(_with_flatten(specs), options.overrides)
    for index, spec in enumerate(specs):
        _check_spec(index, spec)
    features = _Features(options, signature.source, Routes(specs))
    for index, spec in enumerate(specs[:-1]):
        features.append(index, spec)
    result = features.route(len(specs) - 1, specs[-1])
    classifier = _classifier(len(specs) - 1, specs[-1], features.reads[0], options)
    network = SpikingNetwork(signature, features.layers, features.topology(result), classifier)
    if draw:
        initialise(network, options.seed)
    return network


class _Features:
    """The layers so far, the signals they emit, and what the layer being built reads."""

    def __init__(self, options: NetworkOptions, source: Signal, routes: Routes) -> None:
        self.options, self.routes = options, routes
        self.layers: list[nn.Module] = []
        self.signals: list[Signal] = [source]  # by number: see Topology
        self.reads: list[Signal] = [source]

    @property
    def signal(self) -> Signal:
        """Return the (first) signal that the layer being built reads."""
        return self.reads[0]

    def append(self, index: int, spec: Spec) -> None:
        """Build one layer behind the last; errors name its place."""
        self.route(index, spec)
        try:
            layer = self._make(spec)
        except (ModelError, UsageError) as error:
            raise _placed(error, index, spec) from None
        self.layers.append(layer)
        self.signals.append(layer.out)  # type: ignore[arg-type]

    def route(self, index: int, spec: Spec) -> tuple[int, ...]:
        """Find what a layer reads. Raises ModelError with its place."""
        try:
            numbers = self.routes.add(spec)
            _check_reads(spec, len(numbers))
        except ModelError as error:
            raise _placed(error, index, spec) from None
        self.reads = [self.signals[number] for number in numbers]
        return numbers

    def topology(self, result: tuple[int, ...]) -> Topology:
        """Return the routes of the layers; the classifier, routed last, is none of them."""
        unread = set(range(1, len(self.signals))) - {n for reads in self.routes.sources for n in reads}
        if unread:
            raise ModelError("nothing reads what this layer emits", f"layer {min(unread) - 1}", "leave the layer out")
        return Topology(tuple(self.routes.sources[: len(self.layers)]), result[0])

    def _make(self, spec: Spec) -> nn.Module:
        makers: dict[str, Callable[[], nn.Module]] = {
            "conv1d": lambda: self._conv(spec, 1),
            "conv2d": lambda: self._conv(spec, 2),
            "conv3d": lambda: self._conv(spec, 3),
            "linear": lambda: self._linear(spec),
            "avg_pool": lambda: self._pool(spec, SUM_POOLS),
            "max_pool": lambda: self._pool(spec, MAX_POOLS),
            "global_avg_pool": lambda: GlobalSum(self.signal),
            "flatten": lambda: Flatten(self.signal),
            "reshape": lambda: Reshape(self.signal, values.shape(spec, self.signal)),
            "add": lambda: Add(self.reads),
            "attention": lambda: Attention(
                self.reads, values.positive(spec, "heads", 1), values.factor(spec, "scale", 0.125)
            ),
            "neuron": lambda: SpikingNeuron(
                self.signal, LayerOptions(neuron=_neuron_options(spec, self.options), masks=self.options.masks)
            ),
        }
        return makers[spec["op"]]()

    def _conv(self, spec: Spec, axes: int) -> nn.Module:
        if len(self.signal.shape) != 1 + axes:
            wanted = ("[C, L]", "[C, H, W]", "[C, D, H, W]")[axes - 1]
            raise ModelError(f"a conv{axes}d reads {wanted}, not {list(self.signal.shape)}")
        geometry = values.geometry(spec, axes)
        channels = values.positive(spec, "out")
        if self.signal.shape[0] % geometry.groups or channels % geometry.groups:
            raise ModelError(f"{self.signal.shape[0]} -> {channels} channels cannot form {geometry.groups} groups")
        options, branch = self._layer_options(spec)
        return CONVOLUTIONS[axes](self.signal, channels, geometry, options, branch)

    def _pool(self, spec: Spec, kinds: Mapping[int, type[Pool]]) -> nn.Module:
        axes = len(self.signal.shape) - 1
        if axes not in kinds:
            raise ModelError(f"a pooling reads maps of one to three axes, not {list(self.signal.shape)}")
        return kinds[axes](self.signal, values.window(spec, axes))

    def _linear(self, spec: Spec) -> nn.Module:
        if len(self.signal.shape) != 1:
            raise ModelError(f"a linear reads a vector, not {list(self.signal.shape)}", hint="put a flatten before it")
        options, branch = self._layer_options(spec)
        return SpikingLinear(self.signal, values.positive(spec, "out"), options, branch)

    def _layer_options(self, spec: Spec) -> tuple[LayerOptions, Signal | None]:
        """Return a layer's options and the signal of its residual's branch."""
        residual: Residual = spec.get("residual", "none")
        if residual not in ("none", "identity", "project"):
            raise ModelError(f"residual must be identity or project, not {residual!r}")
        options = LayerOptions(
            _synapse_options(spec, self.options), _neuron_options(spec, self.options), self.options.masks, residual
        )
        return options, None if residual == "none" else self.reads[1]


def _check_reads(spec: Spec, count: int) -> None:
    if spec["op"] == "add":
        if count < 2:
            raise ModelError(
                "an add reads two layers or more", hint='name them: {"op": "add", "from": ["stem", "branch"]}'
            )
    elif spec["op"] == "attention":
        if count != 3:
            raise ModelError(
                f"an attention reads queries, keys and values, not {count} layers",
                hint='name them: {"op": "attention", "from": ["q", "k", "v"], "heads": 8}',
            )
    elif count > 1 and spec.get("residual", "none") == "none":
        raise ModelError(f"a {spec['op']} reads one layer, not {count}")


def _neuron_options(spec: Spec, options: NetworkOptions) -> NeuronOptions:
    """Return a layer's neuron: the network's, with the layer's own `membrane` and `neuron` fields over it."""
    neuron = options.neuron
    if "membrane" in spec:
        neuron = network_config.override_membrane(neuron, spec["membrane"])
    return network_config.override_neuron(neuron, spec["neuron"]) if "neuron" in spec else neuron


def _synapse_options(spec: Spec, options: NetworkOptions) -> SynapseOptions:
    """Return a layer's weights: the network's bits and grid unless the layer has its own."""
    own = {name: spec[name] for name in ("weight_bits", "weight_grid", "sparsity") if name in spec}
    synapse = dataclasses.replace(options.synapse(bias=bool(spec.get("bias", False))), **own)
    check_choices(synapse)
    return synapse


def _placed(error: SpqcError, index: int, spec: Spec) -> SpqcError:
    return type(error)(error.message, where=f"layer {index} ({spec.get('op')})", hint=error.hint)


def _classifier(index: int, spec: Spec, source: Signal, options: NetworkOptions) -> Classifier:
    if "out" in spec and spec["out"] != options.classes:
        raise ModelError(
            f"the last linear has {spec['out']} outputs for {options.classes} classes",
            hint="make 'out' equal to classes",
        )
    if len(source.shape) != 1:
        raise ModelError(f"the classifier reads a vector, not {list(source.shape)}", hint="put a flatten before it")
    grid, bits = spec.get("weight_grid", "uniform"), spec.get("weight_bits", options.classifier_bits)
    try:
        if "neuron" in spec:
            raise UsageError("the last linear is the classifier, which has no neuron", hint="leave out its 'neuron'")
        check_choices(SynapseOptions(bits, grid))
        return Classifier(source, options.classes, bits, grid)
    except UsageError as error:
        raise _placed(error, index, spec) from None


def _with_flatten(specs: Sequence[Spec]) -> list[Spec]:
    """Check every specification and put a flatten before the first linear that lacks one."""
    for index, spec in enumerate(specs):
        _check_spec(index, spec)
    if not specs or specs[-1]["op"] != "linear":
        raise ModelError(
            "a network ends in a linear layer, the classifier", hint='append {"op": "linear", "out": classes}'
        )
    first = next(index for index, spec in enumerate(specs) if spec["op"] == "linear")
    if any(spec["op"] == "flatten" for spec in specs[:first]):
        return list(specs)
    flatten = {"op": "flatten"} | {key: value for key, value in specs[first].items() if key == "from"}
    linear = {key: value for key, value in specs[first].items() if key != "from"}
    return [*specs[:first], flatten, linear, *specs[first + 1 :]]


def _check_spec(index: int, spec: Any) -> None:
    if not isinstance(spec, Mapping) or spec.get("op") not in _KEYS:
        op = spec.get("op") if isinstance(spec, Mapping) else spec
        raise ModelError(f"unknown layer {op!r}", where=f"layer {index}", hint=f"op is one of {', '.join(_KEYS)}")
    extra = sorted(set(spec) - _KEYS[spec["op"]] - _PLACED)
    if extra:
        known = ", ".join(sorted(_KEYS[spec["op"]])) or "none"
        raise ModelError(f"{spec['op']} has no key {extra[0]!r}", where=f"layer {index}", hint=f"its keys: {known}")
