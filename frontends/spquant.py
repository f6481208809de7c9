"""SpQuant networks: a checkpoint of spqc.nn, or a live module, as a temporal graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from spqc.foundation.errors import ModelError, UsageError
from spqc.ir import Array, Builder, Graph, Type, Value, ops
from spqc.plugins.frontend import Frontend, Match, Observation, Source

from . import _torch_files
from ._lower import layers, weights

if TYPE_CHECKING:
    from spqc.nn.layers import SpikingLayer
    from spqc.nn.network import SpikingNetwork

_SUFFIXES = (".pt", ".pth")
_FORMAT = "spqc-checkpoint"  # of spqc.nn.checkpoint, which would load torch for this word


class SpQuant(Frontend):
    """Reads checkpoints of spqc.nn and its live networks; the framework to agree with is torch."""

    name: ClassVar[str] = "spquant"

    @classmethod
    def matches(cls, source: Source) -> Match:
        if source.model is not None:
            return _match_object(source.model)
        return Match.no("there is neither a file nor a module") if source.path is None else _match_file(source.path)

    def load(self, source: Source) -> Graph:
        net = _network(source)
        from spqc.nn import parameters
        from spqc.nn.borrowed import evaluating
        from spqc.nn.weight_cache import read_once

        parameters.check_network(net, source.label)
        with evaluating(net), read_once(net):
            return self._load(net, source)

    def _load(self, net: SpikingNetwork, source: Source) -> Graph:
        refused = [reason for name, layer in net.spiking_layers() for reason in layers.refusals(name, layer)]
        if net.classifier.quantiser.is_float:
            refused.append("classifier: float weights have no exact integer form")
        if refused:
            raise ModelError(
                "; ".join(refused),
                source.label,
                "change the named option; `spqc train NAME --preset quant` trains a network that compiles",
            )
        graph = _Lowering(net).graph()
        layers.say_what_is_rounded(net)
        return graph

    def observe(self, source: Source, x: Array) -> Observation:
        import torch

        from spqc.nn.borrowed import evaluating

        net = _network(source)
        with evaluating(net):
            seen = net.observe(torch.from_numpy(np.ascontiguousarray(x)))
            return self._observation(net, seen)

    def _observation(self, net: SpikingNetwork, seen: Any) -> Observation:
        modules = dict(net.spiking_layers())
        gates: dict[str, Array] = {}
        for name, record in seen.layers.items():
            if record.gate is not None:
                gates[name] = record.gate.numpy().astype(np.int64)
            if modules[name].spatial is not None and record.keep is not None:
                gates[f"{name}.keep"] = record.keep.numpy().astype(np.int64)
        spikes = {name: record.spikes.numpy().astype(np.int64) for name, record in seen.layers.items()}
        states = {name: layers.codes(record.states.numpy(), modules[name]) for name, record in seen.layers.items()}
        return Observation(seen.logits.numpy(), spikes, states, gates)

    def eager(self, source: Source) -> Callable[[Array], object]:
        from copy import deepcopy

        from spqc.nn.eager import folded

        return folded(deepcopy(_network(source)))  # its own, since it stays in evaluation mode


def _match_object(model: Any) -> Match:
    if _is_network(model):
        return Match.sure("a part of spqc.nn")
    return Match.no(f"a {type(model).__name__} is no network of spqc.nn, and wraps none")


def _match_file(path: Path) -> Match:
    """Return what the first bytes of a file say; where only its name makes it ours, `load` says what is wrong."""
    named_so = path.suffix in _SUFFIXES
    try:
        contents = _torch_files.look(path)
    except _torch_files.OtherFile as error:
        return Match.no(str(error))
    except (_torch_files.DamagedFile, OSError) as error:
        return Match.unsure(str(error)) if named_so else Match.no(str(error))
    if ("format", _FORMAT) in contents.pairs:
        return Match.sure("a checkpoint of spqc.nn")
    if any(name.startswith("spqc.nn.") for name in contents.names):
        return Match.unsure("it holds Python objects of spqc.nn, and is no checkpoint")
    if named_so and not contents.whole:
        return Match.unsure("it is a file of torch.save with so much in it that its beginning does not tell what")
    held = f"Python objects ({contents.stranger})" if contents.stranger else "data of another kind"
    return Match.no(f"it is a file of torch.save with {held}; spqc.nn.checkpoint.save writes what this frontend reads")


def _is_network(model: Any) -> bool:
    """Return whether a live object is a part of spqc.nn, or a module of torch around one."""
    if any(base.__module__.startswith("spqc.nn.") for base in type(model).__mro__):
        return True
    if not any(base.__module__.startswith("torch.nn.") for base in type(model).__mro__):
        return False
    from spqc.nn import wrappers

    inner = wrappers.content(model)
    return inner is not None and _is_network(inner)


def _network(source: Source) -> SpikingNetwork:
    """Return the network, a live one in the mode it is in; a clear error where torch is not installed."""
    try:
        from spqc.nn import checkpoint, wrappers
        from spqc.nn.borrowed import on_cpu
    except ImportError as error:
        raise UsageError(f"reading {source.label} needs torch: {error}", hint="pip install 'spqc[torch]'") from None
    if source.model is not None:
        return on_cpu(wrappers.unwrapped(source.model, source.label))
    if source.path is None:
        raise ModelError("there is neither a file nor a module to read", source.label)
    return checkpoint.load(source.path)


@dataclass
class _Lowering:
    """Walks a network's layers in order and builds its graph."""

    net: SpikingNetwork

    def graph(self) -> Graph:
        net = self.net
        self.build = Builder(net.model.replace("-", "_"), net.steps)
        last = net.topology.run(self._input(), lambda index, reads: self._layer(index, net.features[index], reads))
        return self.build.graph(self._classifier(last))

    def _input(self) -> Value:
        inputs = self.net.inputs
        encoding: Any = "spike" if inputs.bits == 1 else "uint"
        static = inputs.coding == "direct"
        type_ = Type(encoding, inputs.bits, tuple(self.net.in_shape), "const" if static else "step", inputs.scale)
        self.build.notes += [
            ("input_encoding", inputs.encoding),
            ("coding", inputs.coding),
            ("input_max", str(inputs.max)),
        ]
        x = self.build.input("x", type_)
        return self.build.op(ops.Repeat, x, origin="input")[0] if static else x

    def _layer(self, index: int, layer: Any, reads: tuple[Value, ...]) -> Value:
        x = reads[0]
        origin = f"features.{index} ({type(layer).__name__})"
        kind = type(layer).__name__
        if kind[:-2] in ("SumPool", "MaxPool"):
            pool = ops.SumPool if kind.startswith("Sum") else ops.MaxPool
            return self.build.op(pool, x, origin=origin, **asdict(layer.window))[0]
        if kind == "GlobalSum":
            return self.build.op(ops.GlobalSum, x, origin=origin)[0]
        if kind == "Flatten":
            return self.build.op(ops.Flatten, x, origin=origin)[0]
        if kind == "Reshape":
            return self.build.op(ops.Reshape, x, origin=origin, shape=layer.shape)[0]
        if kind == "Add":
            return reduce(lambda total, more: self.build.op(ops.Add, total, more, origin=origin)[0], reads)
        if kind == "Attention":
            return self.build.op(ops.Attention, *reads, origin=origin, heads=layer.heads, scale=layer.scale)[0]
        if kind in ("SpikingLinear", "SpikingNeuron") or kind[:-2] == "SpikingConv":
            return self._spiking(index, layer, x, reads[-1], origin)
        raise ModelError(f"there is no operator for {kind}", origin)

    def _spiking(self, index: int, layer: SpikingLayer, x: Value, branch: Value, origin: str) -> Value:
        bare = type(layer).__name__ == "SpikingNeuron"
        n = x if bare else self._sum(f"w{index}", layer.synapse, layer.integer_weight(), x, origin)
        if layer.options.neuron.is_integer:
            return layers.integer_neuron(self.build, index, layer, n, origin)
        current = weights.affine(self.build, f"{index}", n, *layer.fold(), origin)
        if layer.options.residual == "identity":
            current = self.build.op(ops.Add, current, branch, origin=origin)[0]
        elif layer.options.residual == "project":
            current = self._projected(index, layer, branch, current, origin)
        constants = layer.constants()
        if constants.theta is not None:
            current = self.build.op(ops.SpatialMask, current, origin=origin, threshold=constants.theta)[0]
        if layer.gate is not None:
            current = self._gated(index, layer, x, current, origin)
        return layers.level_neuron(self.build, index, layer, current, origin)

    def _sum(self, name: str, synapse: Any, weight: tuple[Array, float], x: Value, origin: str) -> Value:
        w = weights.weight_constant(self.build, name, layers.weights_of(synapse, weight))
        if len(w.type.shape) == 2:
            return weights.weighted_sum(self.build, x, w, origin)
        geometry = synapse.geometry
        sides = {"stride": geometry.stride, "padding": geometry.padding, "groups": geometry.groups}
        n, before = weights.weighted_sum(self.build, x, w, origin, **sides), geometry.pool_before
        return self.build.op(ops.SumPool, n, origin=origin, kernel=before, stride=before)[0] if before > 1 else n

    def _projected(self, index: int, layer: SpikingLayer, branch: Value, current: Value, origin: str) -> Value:
        shortcut: Any = layer.shortcut
        n = self._sum(f"p{index}", shortcut, layer.shortcut_weight(), branch, origin)
        other = weights.affine(self.build, f"p{index}", n, *layer.shortcut_fold(), origin)
        return self.build.op(ops.Add, current, other, origin=origin)[0]

    def _gated(self, index: int, layer: SpikingLayer, x: Value, current: Value, origin: str) -> Value:
        gate: Any = layer.gate
        weight, bias = gate.integer_gate()
        counts = self.build.op(ops.GlobalSum, x, origin=origin)[0] if len(x.type.shape) > 1 else x
        w = weights.integer_constant(self.build, f"gate{index}", weight)
        (z,) = self.build.op(ops.Linear, counts, w, origin=origin)
        t = weights.integer_constant(self.build, f"limit{index}", -bias)
        (opened,) = self.build.op(ops.Greater, z, t, origin=origin)
        return self.build.op(ops.Gate, current, opened, origin=origin)[0]

    def _classifier(self, x: Value) -> Value:
        classifier = self.net.classifier
        origin = "classifier (Classifier)"
        if len(x.type.shape) > 1:
            (x,) = self.build.op(ops.Flatten, x, origin=origin)
        weight, _ = classifier.integer_weight()
        quantiser: Any = classifier.quantiser
        # the logits' scale is the classifier's own float, whatever the products of scales would round to
        scale = float(classifier.logit_scale) / x.type.scale
        w = self.build.constant(
            "head", Type(quantiser.encoding, quantiser.stored_bits, weight.shape, "const", scale), weight
        )
        (n,) = self.build.op(ops.Linear, x, w, origin=origin)
        bias = classifier.integer_bias()
        b = weights.integer_constant(self.build, "bias", bias)
        self.build.notes.append(("logits_dtype", str(classifier.eval_dtype).removeprefix("torch.")))
        self.build.notes.append(("logit_scale", repr(float(classifier.logit_scale))))
        return self.build.op(ops.Bias, n, b, origin=origin)[0]


PLUGIN = SpQuant
