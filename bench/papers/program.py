"""What the lowered programs of the papers' networks hold."""

from __future__ import annotations

from dataclasses import dataclass

from spqc.commands.analyze import Question, analyze_model

from .memory import FUSED
from .networks import NETWORKS


@dataclass(frozen=True)
class ProgramRow:
    """One network's program for a CPU in MB of 10^6 bytes, and how many times less it takes than 32-bit floats."""

    title: str
    weights_mb: float
    arena_mb: float
    total_mb: float
    ratio: float


def program_rows() -> list[ProgramRow]:
    """Lower every network of the memory table; a target that refuses one leaves it out."""
    rows = []
    for key in FUSED:
        network = NETWORKS[key]
        analysis = analyze_model(network.model, network.options, Question())
        program = analysis.program
        if program is None:
            continue
        floats = next(form.baseline.mb for form in analysis.memory if form.form == "published")
        parts = (program.weights / 1e6, program.arena / 1e6, program.total / 1e6)
        rows.append(ProgramRow(network.title, *parts, floats * 1e6 / program.total))
    return rows
