"""Everything an executor computes beside the interpreter: twice, in another order, in memory full of garbage."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from spqc.ir import Array, Graph
from spqc.plugins.executor import Executor
from spqc.plugins.frontend import Observation
from spqc.runtime.observe import observe_graph


@dataclass
class Comparison:
    """How many values of each kind were compared, and one line for each array that differs.

    A spike counts once, however often an executor computes it.
    """

    spikes: int = 0
    states: int = 0
    gates: int = 0
    logits: int = 0
    differences: list[str] = field(default_factory=list)

    def compare(self, what: str, computed: Array, wanted: Array) -> None:
        if computed.shape != wanted.shape:
            self.differences.append(f"{what}: shape {computed.shape}, not {wanted.shape}")
        elif (computed != wanted).any():
            places = np.argwhere(computed != wanted)
            first = ", ".join(map(str, places[0]))
            self.differences.append(f"{what}: {len(places)} of {wanted.size} differ, the first at [{first}]")


def compare(graph: Graph, executor: Executor, codes: Array, seed: int = 0) -> Comparison:
    """Compare whole windows, traces and streams of codes [N, T, ...] ([N, ...] where the input is static)."""
    wanted = observe_graph(graph, codes)
    done = Comparison(
        sum(a.size for a in wanted.spikes.values()),
        sum(a.size for a in wanted.states.values()),
        sum(a.size for a in wanted.gates.values()),
        wanted.logits.size,
    )
    rng = np.random.default_rng(seed)
    for turn in range(2):
        order = rng.permutation(len(codes))
        executor.dirty(seed + turn)
        done.compare(f"logits of call {turn}", executor.run(codes[order]), wanted.logits[order])
    executor.dirty(seed + 2)
    done.compare("logits of one sample", executor.run(codes[-1:]), wanted.logits[-1:])
    executor.dirty(seed + 3)
    compare_traces(done, executor.trace(codes), wanted)
    for turn in range(2):
        compare_stream(done, graph, executor, codes, wanted.logits, seed + 4 + turn)
    return done


def compare_traces(done: Comparison, traced: Observation, wanted: Observation) -> None:
    """Compare what a trace holds: logits, spikes, states, and those gates that the target keeps."""
    done.compare("logits of the trace", traced.logits, wanted.logits)
    for kind in ("spikes", "states"):
        seen, right = getattr(traced, kind), getattr(wanted, kind)
        if sorted(seen) != sorted(right):
            done.differences.append(f"{kind} of {sorted(seen)}, not of {sorted(right)}")
        for layer in sorted(set(seen) & set(right)):
            done.compare(f"{kind} of {layer}", seen[layer], right[layer])
    for layer, gate in traced.gates.items():
        done.compare(f"gates of {layer}", gate, wanted.gates[layer])


def compare_stream(done: Comparison, graph: Graph, executor: Executor, codes: Array, logits: Array, seed: int) -> None:
    """Compare a stream's logits, step by step; all memory but the stream's state is garbage before every step."""
    static = graph.inputs[0].type.clock == "const"
    executor.reset()
    for step in range(graph.steps):
        executor.dirty(seed + step)
        frame = codes if static else codes[:, step]
        done.compare(f"logits of step {step}", executor.step(frame), logits[:, step])
    executor.reset()
