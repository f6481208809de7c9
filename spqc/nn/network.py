"""A spiking network: layers joined by a topology, run one by one over all steps; no state is kept between calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spqc.ir.inputs import InputFormat

from .classifier import Classifier
from .layers import Record, SpikingLayer
from .signal import Signal
from .topology import Topology


@dataclass(frozen=True)
class Observation:
    """Logits [N, T, classes] and, by layer name, what every spiking layer did."""

    logits: Tensor
    layers: dict[str, Record]


@dataclass(frozen=True)
class NetworkSignature:
    """What a network reads and emits; `model` and `config` rebuild it through models.create."""

    model: str
    config: dict[str, Any]
    inputs: InputFormat
    in_shape: tuple[int, ...]
    steps: int
    classes: int

    @property
    def source(self) -> Signal:
        """Return the signal that the first layer reads."""
        return Signal(self.in_shape, self.inputs.scale, self.inputs.max)


class SpikingNetwork(nn.Module):
    """`features` (spiking layers, pooling, flatten), each reading what `topology` says, and `classifier`."""

    outline: bool = False
    """Whether nobody drew its weights: it is there to be counted (see `models.outline`)."""
    shapes: dict[str, tuple[int, ...]]
    """The shape that every number which a file keeps was built with, by its name."""

    def __init__(
        self, signature: NetworkSignature, features: list[nn.Module], topology: Topology, classifier: Classifier
    ) -> None:
        super().__init__()
        self.signature, self.topology = signature, topology
        self.features = nn.ModuleList(features)
        self.classifier = classifier
        self.shapes = {name: tuple(value.shape) for name, value in self.state_dict().items()}

    @property
    def model(self) -> str:
        """Return the model's name."""
        return self.signature.model

    @property
    def config(self) -> dict[str, Any]:
        """Return the plain configuration that rebuilds the network."""
        return dict(self.signature.config)

    @property
    def steps(self) -> int:
        """Return the number of steps T."""
        return self.signature.steps

    @property
    def inputs(self) -> InputFormat:
        """Return how arrays become codes."""
        return self.signature.inputs

    @property
    def in_shape(self) -> tuple[int, ...]:
        """Return the shape of one frame."""
        return self.signature.in_shape

    @property
    def classes(self) -> int:
        """Return the number of classes."""
        return self.signature.classes

    def spiking_layers(self) -> Iterator[tuple[str, SpikingLayer]]:
        """Yield (module path, layer) of every spiking layer, in order."""
        for index, layer in enumerate(self.features):
            if isinstance(layer, SpikingLayer):
                yield f"features.{index}", layer

    def codes(self, x: Any) -> Tensor:
        """Return the input codes [N, T, *in_shape] as float32. Raises InputError."""
        codes = torch.from_numpy(self.inputs.to_codes(x, self.in_shape, self.steps))
        return codes.to(self.classifier.weight.device, torch.float32)

    def forward(self, x: Any) -> Tensor:
        """Return logits [N, T, classes] of inputs [N, T, *in_shape] or [N, *in_shape]."""
        return self._run(self.codes(x), None)

    def observe(self, x: Any) -> Observation:
        """Return logits, spikes, states, gates and spatial masks of every layer."""
        layers: dict[str, Record] = {}
        logits = self._run(self.codes(x), layers)
        return Observation(logits, layers)

    def trace(self, x: Any) -> dict[str, tuple[Tensor, Tensor]]:
        """Return {layer name: (spikes [N, T, ...], states stored after each step [N, T, ...])}."""
        return {name: (record.spikes, record.states) for name, record in self.observe(x).layers.items()}

    def _run(self, codes: Tensor, layers: dict[str, Record] | None) -> Tensor:
        def apply(index: int, reads: tuple[Tensor, ...]) -> Tensor:
            layer = self.features[index]
            if not isinstance(layer, SpikingLayer):
                emitted: Tensor = layer(*reads)
                return emitted
            record: Record = layer(*reads)
            if layers is not None:
                layers[f"features.{index}"] = record
            return record.spikes

        with _exact(codes.device.type) if not self.training else nullcontext():
            logits: Tensor = self.classifier(self.topology.run(codes, apply))
        return logits


def _exact(device: str) -> AbstractContextManager[None]:
    """Return a block in which no product is taken in half precision, also where the caller's autocast asks for it."""
    return torch.autocast(device, enabled=False)
