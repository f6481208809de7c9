"""What a network does on inputs: spike rates, stored states, masks, and who fires late, layer by layer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from spqc.ir import Array, Graph, Op, Value, interpret
from spqc.ir.ops import Greater, Neuron, SpatialMask, Spiking
from spqc.runtime.observe import layer_of, named_inputs

from .account import main_sum
from .clip import Clip, ClipTally

_CHUNK = 8
_FEW_STATES = 32


@dataclass(frozen=True)
class LayerActivity:
    """Means over samples, steps and elements of one layer; None where the layer has no such part.

    input_rate: share of the inputs of its sum that are not 0 (of spike attention: of its queries). occupancy: share
    of the stored states on each level (empty where a membrane has too many). spatial_sparsity, channel_sparsity:
    shares that the masks shut (S_p, S_c). open_tiles: share of the tiles of channels in which a gate opens at
    least once in a window. clip: Eq 5 and 6. input_mean: the mean code of those inputs.
    """

    layer: str
    spike_rate: float | None = None
    input_rate: float | None = None
    occupancy: Mapping[str, float] = field(default_factory=dict)
    spatial_sparsity: float | None = None
    channel_sparsity: float | None = None
    open_tiles: float | None = None
    clip: Clip | None = None
    input_mean: float | None = None


def activity_of(
    graph: Graph, codes: Array, clip_bound: float | None = None, tile: int = 16
) -> dict[str, LayerActivity]:
    """Run a graph in the interpreter on codes [N, T, ...] and return what every layer did.

    clip_bound: c < 0 of Eq 5; potentials exist in a graph as a frontend reads it, and not in one with folded neurons.
    tile: channels of a tile that a kernel skips at once, as the layout of a program says.
    """
    groups: dict[str, list[Op]] = {}
    for op in graph.ops:
        groups.setdefault(layer_of(op), []).append(op)
    tallies = {name: _Tally(graph, ops, clip_bound, tile) for name, ops in groups.items()}
    watched: dict[str, list[_Tally]] = {}
    for tally in tallies.values():
        for value in tally.values:
            watched.setdefault(value, []).append(tally)

    def observe(step: int, value: Value, array: Array) -> None:
        for tally in watched.get(value.name, ()):
            tally.see(step, value.name, array)

    for first in range(0, len(codes), _CHUNK):
        _run(graph, codes[first : first + _CHUNK], tallies.values(), observe, watched)
    activities = {name: tally.activity(name) for name, tally in tallies.items()}
    return {name: one for name, one in activities.items() if one != LayerActivity(name)}


def _run(graph: Graph, codes: Array, tallies: Iterable[_Tally], observe: object, watched: Mapping[str, object]) -> None:
    inputs = named_inputs(graph, codes)
    for name, array in inputs.items():
        if name in watched:
            frames = [array] * graph.steps if graph.values[name].type.clock == "const" else list(array.swapaxes(0, 1))
            for step, frame in enumerate(frames):
                observe(step, graph.values[name], frame)  # type: ignore[operator]
    interpret(graph, inputs, observe)  # type: ignore[arg-type]
    for tally in tallies:
        tally.end_window()


@dataclass
class _Share:
    """Counts elements, and those among them for which something holds."""

    seen: int = 0
    held: int = 0

    def add(self, holds: Array) -> None:
        self.seen += holds.size
        self.held += int(np.count_nonzero(holds))

    @property
    def share(self) -> float | None:
        return self.held / self.seen if self.seen else None


class _Tally:
    """What one layer has done so far."""

    def __init__(self, graph: Graph, ops: list[Op], clip_bound: float | None, tile: int) -> None:
        self.graph, self.tile = graph, tile
        self.sum = main_sum(graph, ops)
        self.neuron = next((op for op in ops if isinstance(op, Spiking)), None)
        self.mask = next((op for op in ops if isinstance(op, SpatialMask)), None)
        self.gate = next((op for op in ops if isinstance(op, Greater)), None)
        self.spikes, self.inputs, self.masked, self.shut, self.tiles = (_Share() for _ in range(5))
        self.codes = 0.0
        self.states: Counter[int] = Counter()
        self.opened: Array | None = None
        self.clip: ClipTally | None = None
        if clip_bound is not None and isinstance(self.neuron, Neuron) and self.neuron.order == "reset_first":
            self.clip = ClipTally(clip_bound, self.neuron)

    @property
    def values(self) -> set[str]:
        """Return the names of the values to look at."""
        names: set[str] = set()
        if self.sum is not None:
            names.add(self.sum.inputs[0].name)
        if self.neuron is not None:
            names |= {v.name for v in self.neuron.outputs[:2]} | {self.neuron.inputs[0].name}
        if self.mask is not None:
            names.add(self.mask.inputs[0].name)
        if self.gate is not None:
            names.add(self.gate.out.name)
        return names

    def see(self, step: int, name: str, array: Array) -> None:
        """Count one value of one step."""
        if self.sum is not None and name == self.sum.inputs[0].name:
            self.inputs.add(array != 0)
            self.codes += float(array.sum())
        if self.mask is not None and name == self.mask.inputs[0].name:
            limit = array.dtype.type(self.mask.threshold / self.mask.type_of(0).scale)
            self.masked.add(np.abs(array) <= limit)
        if self.gate is not None and name == self.gate.out.name:
            self.shut.add(array == 0)
            self.opened = array != 0 if self.opened is None else self.opened | (array != 0)
        if self.neuron is not None:
            self._see_neuron(self.neuron, step, name, array)

    def _see_neuron(self, neuron: Spiking, step: int, name: str, array: Array) -> None:
        if name == neuron.out.name:
            self.spikes.add(array != 0)
        elif name == neuron.state_outputs[0].name:
            codes, counts = np.unique(array, return_counts=True)
            self.states.update(dict(zip(codes.tolist(), counts.tolist(), strict=True)))
        if self.clip is not None:
            self.clip.see(step, name, array)

    def end_window(self) -> None:
        """Close the window of one batch."""
        if self.opened is not None:
            starts = range(0, self.opened.shape[1], self.tile)
            self.tiles.add(np.stack([self.opened[:, i : i + self.tile].any(axis=1) for i in starts]))
            self.opened = None
        if self.clip is not None:
            self.clip.end_window()

    def activity(self, name: str) -> LayerActivity:
        return LayerActivity(
            name,
            self.spikes.share,
            self.inputs.share,
            self._occupancy(name),
            self.masked.share,
            self.shut.share,
            self.tiles.share,
            self.clip.result() if self.clip is not None else None,
            self.codes / self.inputs.seen if self.inputs.seen else None,
        )

    def _occupancy(self, name: str) -> dict[str, float]:
        if not self.states or len(self.states) > _FEW_STATES:
            return {}
        total = sum(self.states.values())
        return {self._level(name, code): count / total for code, count in sorted(self.states.items())}

    def _level(self, name: str, code: int) -> str:
        """Return the level that a code stands for, as text; the code itself where nothing says it."""
        if isinstance(self.neuron, Neuron):
            return f"{self.neuron.levels[code + self.neuron.levels.index(0.0)]:g}"
        levels = self.graph.note(f"levels.{name}").split("|")
        index = code - int(self.graph.note(f"low.{name}", "0"))
        return f"{float(levels[index]):g}" if 0 <= index < len(levels) and levels[index] else str(code)
