"""The account of a network: the weights, neurons and multiply-accumulates of every layer, from the graph's types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from spqc.ir import Graph, Op, Value
from spqc.ir.ops import Greater, Spiking
from spqc.runtime.observe import layer_of


@dataclass(frozen=True)
class LayerAccount:
    """One layer; `macs` and `gate_macs` are of one step and dense, whatever is zero.

    weights: those of its sums, a residual's projection included. weight_bits: of its grid, which the papers charge, 0
    where it has none; stored_bits: what one takes here (an 8-bit power-of-two grid has 31 levels: 5 bits).
    neurons: 0 for the classifier. state_bits: what the membrane of one neuron takes. gate_weights: of a channel gate.
    shape: of its neurons, or of its sums where it has none. in_channels: of its first sum, before groups.
    reads_input: whether it reads the network's input. constant: whether what it reads is the same at every step.
    """

    layer: str
    kind: str
    shape: tuple[int, ...]
    in_channels: int
    weights: int
    weight_bits: int
    neurons: int
    state_bits: int
    macs: int
    stored_bits: int = 0
    gate_weights: int = 0
    gate_macs: int = 0
    reads_input: bool = False
    constant: bool = False

    @property
    def channels(self) -> int:
        """Output channels."""
        return self.shape[0]


@dataclass(frozen=True)
class Account:
    """A network layer by layer; `input_bits` is the width of one code of its input."""

    name: str
    steps: int
    input_bits: int
    layers: tuple[LayerAccount, ...]

    @property
    def weights(self) -> int:
        """Weights of all layers, without those of channel gates."""
        return sum(layer.weights for layer in self.layers)

    @property
    def convolution_weights(self) -> int:
        """Weights without those of dense layers: what the published table of ResNet-19 counts."""
        return sum(layer.weights for layer in self.layers if layer.kind.startswith("conv"))

    @property
    def neurons(self) -> int:
        """Spiking neurons of all layers."""
        return sum(layer.neurons for layer in self.layers)

    @property
    def macs_per_step(self) -> int:
        """Dense multiply-accumulates of one step, without those of channel gates."""
        return sum(layer.macs for layer in self.layers)

    @property
    def macs(self) -> int:
        """Dense multiply-accumulates of all steps."""
        return self.steps * self.macs_per_step

    @property
    def state_bits(self) -> int:
        """Bits of all membranes together."""
        return sum(layer.neurons * layer.state_bits for layer in self.layers)

    @property
    def weight_bits(self) -> int:
        """The width that most weights have: what the papers charge for all of them, the classifier's included."""
        count: Counter[int] = Counter()
        for layer in self.layers:
            count[layer.weight_bits] += layer.weights
        return count.most_common(1)[0][0] if count else 0


def account_of(graph: Graph) -> Account:
    """Return the account of a graph, as a frontend read it or as passes left it."""
    groups: dict[str, list[Op]] = {}
    for op in graph.ops:
        if op.macs or isinstance(op, Spiking):
            groups.setdefault(layer_of(op), []).append(op)
    layers = tuple(layer_account(graph, name, ops) for name, ops in groups.items())
    return Account(graph.name, graph.steps, graph.inputs[0].type.bits, layers)


def main_sum(graph: Graph, ops: Iterable[Op]) -> Op | None:
    """Return the first weighted sum of a layer that feeds no gate; None where there is none."""
    return next((op for op in ops if op.macs and not is_gate(graph, op)), None)


def is_gate(graph: Graph, op: Op) -> bool:
    """Return whether a comparison reads the sum: it decides a channel gate."""
    return any(isinstance(reader, Greater) for reader in graph.readers.get(op.out.name, ()))


def layer_account(graph: Graph, name: str, ops: list[Op]) -> LayerAccount:
    """Return the account of some operators as one layer; an operator alone that has no sum counts nothing."""
    sums = [op for op in ops if op.macs and not is_gate(graph, op)]
    gates = [op for op in ops if op.macs and is_gate(graph, op)]
    neurons = [op for op in ops if isinstance(op, Spiking)]
    first = sums[0] if sums else ops[0]
    weights = list(_weights(graph, sums))
    source = _source(graph, first.inputs[0])
    reads_input = source in graph.inputs
    return LayerAccount(
        layer=name,
        kind=first.name,
        shape=(neurons[0] if neurons else first).out.type.shape,
        in_channels=first.type_of(0).shape[0],
        weights=sum(w.type.size for w in weights),
        weight_bits=max((_nominal_bits(graph, w) for w in weights), default=0),
        neurons=sum(op.out.type.size for op in neurons),
        state_bits=sum(v.type.bits for op in neurons[:1] for v in op.state_outputs),
        macs=sum(op.macs for op in sums),
        stored_bits=max((w.type.bits for w in weights), default=0),
        gate_weights=sum(w.type.size for w in _weights(graph, gates)),
        gate_macs=sum(op.macs for op in gates),
        reads_input=reads_input,
        constant=reads_input and source.type.clock == "const",
    )


def _weights(graph: Graph, ops: Iterable[Op]) -> Iterator[Value]:
    constants = {v.name for v in graph.constants}
    return (v for op in ops for v in op.inputs if v.name in constants)


def _nominal_bits(graph: Graph, weight: Value) -> int:
    """Return the bits of the grid that the model names, where they are more than one weight takes."""
    return int(graph.note(f"weight_bits.{weight.name.lstrip('@')}") or weight.type.bits)


def _source(graph: Graph, value: Value) -> Value:
    """Return where a value comes from through operators that compute no sum and hold no neuron."""
    op = graph.producers.get(value.name)
    while op is not None and not op.macs and not isinstance(op, Spiking):
        value = op.inputs[0]
        op = graph.producers.get(value.name)
    return value
