"""The papers' arithmetic for one network: account, memory, operations, energy, and what it does on inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from spqc.commands.analyze_subject import LOWERED_WEIGHTS, Subject, subject_of
from spqc.commands.compile import lowered, optimised, target_of
from spqc.commands.sources import inputs_for
from spqc.cost.account import Account, account_of, main_sum
from spqc.cost.activity import LayerActivity, activity_of
from spqc.cost.counts import LayerOperations, implied_channel_sparsity, operations_of, total_of
from spqc.cost.energy import Energy, bit_level, eq31, syops
from spqc.cost.memory import MemoryForm, memory_forms
from spqc.cost.total import total_activity
from spqc.foundation.errors import GraphError, ModelError, UsageError
from spqc.ir import Graph
from spqc.ir.axis_order import AxisOrder
from spqc.ir.program import Program
from spqc.runtime.given import drawn_layout, given_codes
from spqc.runtime.observe import input_format, layer_of

_SAMPLES, _BUDGET_MACS = 16, 4e9


@dataclass(frozen=True)
class ProgramMemory:
    """What the program compiled for a CPU holds for one inference, in bytes.

    weights: every constant at its true width, neuron tables included. arena: what passes between kernels when all steps
    run inside each (no state is stored then). stream_arena, states: the same one step at a time.
    """

    weights: int
    arena: int
    stream_arena: int
    states: int

    @property
    def total(self) -> int:
        return self.weights + self.arena


@dataclass(frozen=True)
class Analysis:
    """One network's figures. `inputs` says what the activity was measured on, or why there is none."""

    model: str
    kind: str
    name: str
    steps: int
    account: Account
    memory: tuple[MemoryForm, ...]
    program: ProgramMemory | None
    operations: tuple[LayerOperations, ...]
    energy: tuple[Energy, ...]
    inputs: str
    samples: int
    activity: Mapping[str, LayerActivity] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    channel_sparsity: float = 0.0
    spatial_sparsity: float = 0.0
    factor: float | None = None

    @property
    def implied_channel_sparsity(self) -> float | None:
        """S_c with which Eq 30 gives `factor`, at the spatial sparsity given; None where none was asked for."""
        return None if self.factor is None else implied_channel_sparsity(self.factor, self.spatial_sparsity)

    @property
    def total_operations(self) -> LayerOperations:
        return total_of(self.operations)

    @property
    def total_activity(self) -> LayerActivity | None:
        return total_activity(self.account, self.activity) if self.activity else None


@dataclass(frozen=True)
class Question:
    """What to analyse beyond the account.

    x, samples, seed: given inputs, or how many to draw; without either nothing is measured on a fresh model.
    layout: the axes of given inputs, NT, TN, N or T. from_data: whether they are samples of a data set.
    program: whether to lower the network for a CPU; None: unless it is fresh and large. clip_bound: c of Eq 5.
    weight_bits: charged for every weight, instead of the model's own.
    channel_sparsity, spatial_sparsity: of masks that are not measured. rate: assumed where no rate is measured.
    factor: of Eq 30, as papers report one; the channel sparsity that it implies is returned.
    frontend: the name of the one that reads the model, which then is a file or a live network, neither a name nor an
    artifact.
    """

    x: npt.ArrayLike | None = None
    description: str = "given inputs"
    samples: int | None = None
    seed: int = 0
    program: bool | None = None
    clip_bound: float = -1.0
    weight_bits: int | None = None
    channel_sparsity: float = 0.0
    spatial_sparsity: float = 0.0
    rate: float | None = None
    factor: float | None = None
    layout: AxisOrder | None = None
    from_data: bool = False
    frontend: str | None = None

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise UsageError(f"seed must be 0 or more, not {self.seed}")
        _check_share("channel_sparsity", self.channel_sparsity)
        _check_share("spatial_sparsity", self.spatial_sparsity)
        if self.rate is not None and not 0.0 <= self.rate <= 1.0:
            raise UsageError(f"rate is a share in [0, 1], not {self.rate}")
        least = 1.0 / (1.0 - self.spatial_sparsity)
        if self.factor is not None and not self.factor >= least:
            raise UsageError(f"with these spatial masks the factor is at least {least:.4g}, not {self.factor}")
        if not self.clip_bound < 0.0:
            raise UsageError(f"the clip bound is below 0, not {self.clip_bound}")
        if self.weight_bits is not None and not 1 <= self.weight_bits <= 32:
            raise UsageError(f"weights have 1 to 32 bits, not {self.weight_bits}")


def analyze_model(model: Any, settings: Mapping[str, Any] | None = None, question: Question | None = None) -> Analysis:
    """Return the analysis of a model's name (with its options `settings`), a path, a live network or an artifact."""
    question = question or Question()
    runs = question.x is not None or question.samples is not None
    forced = question.frontend
    subject = subject_of(model, dict(settings or {}), runs=runs, lower=question.program, frontend=forced)
    graph, account = subject.graph, account_of(subject.graph)
    if not account.layers:
        raise ModelError("there is no layer with weights or neurons to account for", subject.label)
    activity, inputs, samples = _measured(subject, question)
    sparsities = question.channel_sparsity, question.spatial_sparsity
    operations = operations_of(account, activity, *sparsities, _strategies(subject))
    program, widths, refusal = _program(subject, question)
    energy = [
        *eq31(operations),
        *syops(account, operations, question.rate),
        *bit_level(account, operations, widths, question.rate),
    ]
    return Analysis(
        subject.label,
        subject.kind,
        graph.name,
        graph.steps,
        account,
        memory_forms(account, question.weight_bits),
        program,
        operations,
        tuple(energy),
        inputs,
        samples,
        activity,
        tuple(_notes(subject, activity, refusal)),
        question.channel_sparsity,
        question.spatial_sparsity,
        question.factor,
    )


def _measured(subject: Subject, question: Question) -> tuple[dict[str, LayerActivity], str, int]:
    """Return what the network did, on what, and on how many samples."""
    if question.x is None and question.samples is None and subject.fresh:
        return {}, "none", 0
    x, description = _inputs(subject, question)
    graph = subject.graph
    drawn = question.x is None or question.from_data
    layout = drawn_layout(graph, np.asarray(x)) if drawn else question.layout
    codes = given_codes(graph, input_format(graph), x, layout)
    return activity_of(graph, codes, question.clip_bound), description, len(codes)


def _inputs(subject: Subject, question: Question) -> tuple[npt.ArrayLike, str]:
    if question.x is not None:
        return question.x, question.description
    samples = question.samples or _affordable(subject.graph)
    if samples < 1:
        raise UsageError(f"samples must be 1 or more, not {samples}")
    examples = inputs_for(subject.graph, samples, question.seed)
    return examples.x, examples.description


def _affordable(graph: Graph) -> int:
    """Return how many samples the interpreter runs in a few seconds."""
    return int(max(1, min(_SAMPLES, _BUDGET_MACS // max(1, account_of(graph).macs))))


def _program(subject: Subject, question: Question) -> tuple[ProgramMemory | None, dict[str, int], str]:
    """Return the memory of the program for a CPU and the widths of its accumulators, or why there is none."""
    if question.program is False:
        return None, {}, ""
    try:
        target = target_of("llvm" if subject.artifact is None else subject.artifact.target)
    except UsageError as error:  # a plug-in that is not installed here
        return None, {}, error.message
    if "run" not in target.lowerings():
        return None, {}, f"the artifact is for target '{target.name}', which lowers no program"
    if question.program is None and subject.fresh and account_of(subject.graph).weights > LOWERED_WEIGHTS:
        return None, {}, "a fresh network this large is lowered only if --program asks for it"
    try:
        graph = subject.graph if subject.artifact is not None else optimised(subject.model)
        programs: dict[str, Program] = lowered(graph, target)
    except (GraphError, ModelError) as error:
        return None, {}, error.message
    weights = sum(v.type.size * v.type.bits for v in graph.constants)
    states = sum(v.type.size * v.type.bits for v in graph.states)
    run, step = programs["run"].arena_bytes, programs["step"].arena_bytes
    return ProgramMemory(-(-weights // 8), run, step, -(-states // 8)), accumulator_widths(graph), ""


def _strategies(subject: Subject) -> dict[str, str]:
    """Return how an artifact's kernels sum, by layer; nothing where its target does not say."""
    report = subject.artifact.contents.report.get("kernels", {}) if subject.artifact is not None else {}
    return {str(kernel["layer"]): str(kernel["strategy"]) for kernel in report.get("run", ())}


def accumulator_widths(graph: Graph) -> dict[str, int]:
    """Return the proven width in bits of each layer's sum, where passes have narrowed it."""
    groups: dict[str, list[Any]] = {}
    for op in graph.ops:
        groups.setdefault(layer_of(op), []).append(op)
    sums = {name: main_sum(graph, ops) for name, ops in groups.items()}
    return {name: op.out.type.bits for name, op in sums.items() if op is not None}


def _notes(subject: Subject, activity: Mapping[str, LayerActivity], refusal: str) -> list[str]:
    """Return what a reader must know about the figures."""
    notes = []
    if subject.fresh and not activity:
        notes.append("a fresh network is not run unless --samples, --input or --data asks for it: no activity")
    elif subject.fresh:
        notes.append("the weights are fresh: rates and states say nothing about a trained network")
    if refusal:
        notes.append(f"there is no program for a CPU: {' '.join(refusal.split())}")
    if subject.artifact is not None:
        notes.append("an artifact holds no potentials: Eq 5 and 6 need the model it was compiled from")
    return notes


def _check_share(name: str, value: float) -> None:
    if not 0.0 <= value < 1.0:
        raise UsageError(f"{name} is a share in [0, 1), not {value}")
