"""The account of a network for people: one row a layer, then memory, operations and energy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .terminal import say, show_table

if TYPE_CHECKING:
    from spqc.commands.analyze import Analysis
    from spqc.cost.account import LayerAccount
    from spqc.cost.activity import LayerActivity
    from spqc.cost.memory import Footprint

_FEW_LEVELS = 5
_OPERATIONS = {
    "dense": "dense",
    "eq30": "Eq 30: masked channels and pixels left out",
    "public": "counter of the released code",
    "synaptic": "inputs that are not 0",
    "executed": "our dense kernels",
}


def show_analysis(analysis: Analysis) -> None:
    """Print everything of an analysis."""
    head = f"{analysis.kind} {analysis.model}: network '{analysis.name}', {analysis.steps} steps"
    say(head)
    _show_layers(analysis)
    if analysis.activity:
        say(f"activity on {analysis.inputs}, {analysis.samples} samples")
        _show_activity(analysis)
    _show_memory(analysis)
    _show_operations(analysis)
    _show_energy(analysis)
    for note in analysis.notes:
        say(f"note: {note}")


def _show_layers(analysis: Analysis) -> None:
    strategies = {one.layer: one.strategy for one in analysis.operations}
    kernels = ["kernel"] if any(strategies.values()) else []
    head = ("layer", "kind", "output", "weights", "bits", "neurons", "MACs/step", *kernels)
    rows = [(*_layer_row(layer), *(strategies[layer.layer] for _ in kernels)) for layer in analysis.account.layers]
    total, gates = analysis.account, sum(layer.gate_weights for layer in analysis.account.layers)
    gate_macs = sum(layer.gate_macs for layer in total.layers)
    sums = (f"{total.weights + gates:,}", "", f"{total.neurons:,}", f"{total.macs_per_step + gate_macs:,}")
    show_table(head, [*rows, ("total", "", "", *sums, *("" for _ in kernels))], head[3:7])


def _layer_row(layer: LayerAccount) -> tuple[str, ...]:
    return (
        layer.layer,
        layer.kind,
        "x".join(map(str, layer.shape)),
        f"{layer.weights + layer.gate_weights:,}",
        str(layer.weight_bits or ""),
        f"{layer.neurons:,}" if layer.neurons else "",
        f"{layer.macs + layer.gate_macs:,}",
    )


def _show_activity(analysis: Analysis) -> None:
    ones = list(analysis.activity.values()) + ([analysis.total_activity] if analysis.total_activity else [])
    columns = [
        ("spike rate", [_share(one.spike_rate) for one in ones]),
        ("inputs not 0", [_share(one.input_rate) for one in ones]),
        *_state_columns(ones),
        ("masked", [_share(one.spatial_sparsity) for one in ones]),
        ("gated", [_share(one.channel_sparsity) for one in ones]),
        *_clip_columns(ones),
    ]
    kept = [(title, cells) for title, cells in columns if any(cells)]
    rows = zip([one.layer for one in ones], *(cells for _, cells in kept), strict=True)
    titles = [title for title, _ in kept]
    show_table(("layer", *titles), rows, titles)


def _state_columns(ones: Sequence[LayerActivity]) -> list[tuple[str, list[str]]]:
    """Return the shares of the stored levels; nothing where they are too many for a terminal."""
    levels = sorted({level for one in ones for level in one.occupancy}, key=float)
    if len(levels) > _FEW_LEVELS:
        return []
    return [(f"at {level}", [_share(one.occupancy.get(level)) for one in ones]) for level in levels]


def _clip_columns(ones: Sequence[LayerActivity]) -> list[tuple[str, list[str]]]:
    """Return Eq 5 and 6: who starts below the bound, and how many of those fire later."""
    clips = [one.clip for one in ones]
    bound = next((clip.bound for clip in clips if clip is not None), 0.0)
    return [
        (f"u < {bound:g}", [_share(clip.silent) if clip else "" for clip in clips]),
        ("r_s", [_share(clip.late_rate) if clip else "" for clip in clips]),
        ("wake", [_share(clip.wake) if clip else "" for clip in clips]),
        ("least u", [f"{clip.lowest:.2f}" if clip and clip.lowest is not None else "" for clip in clips]),
    ]


def _show_memory(analysis: Analysis) -> None:
    head = ("memory, MB", "weights", "states", "between layers", "total", "32-bit floats", "ratio")
    rows = [
        (f"Eq 28, {form.form} form", *_footprint(form.quantised), _figure(form.baseline.mb), f"{form.ratio:.2f}x")
        for form in analysis.memory
    ]
    if analysis.program is not None:
        program, floats = analysis.program, next(f.baseline.mb for f in analysis.memory if f.form == "published")
        parts = (program.weights, 0, program.arena, program.total)
        cells = (_figure(part / 1e6) for part in parts)
        rows.append(("program for a CPU", *cells, _figure(floats), f"{floats * 1e6 / program.total:.2f}x"))
    show_table(head, rows, head[1:])


def _footprint(one: Footprint) -> tuple[str, ...]:
    return tuple(_figure(mb) for mb in (one.weight_mb, one.state_mb, one.buffer_mb, one.mb))


def _show_operations(analysis: Analysis) -> None:
    total = analysis.total_operations
    rows = []
    for name, title in _OPERATIONS.items():
        count = getattr(total, name)
        if count is not None:
            base = total.public_dense if name == "public" else total.dense
            if name == "executed" and any(one.strategy for one in analysis.operations):
                title = "our kernels"
            rows.append((title, f"{count:,.0f}", f"{base / count:.2f}x" if count else ""))
    if total.gate:
        rows.append(("channel gates", f"{total.gate:,}", ""))
    rows.append(("membrane updates", f"{total.membrane:,}", ""))
    show_table(("operations of one inference", "MACs", "fewer"), rows, ("MACs", "fewer"))
    if analysis.factor is not None:
        implied = f"S_c = {analysis.implied_channel_sparsity:.3f} at S_p = {analysis.spatial_sparsity:g}"
        say(f"  a factor of {analysis.factor:g} in Eq 30 implies {implied}", "    ")


def _show_energy(analysis: Analysis) -> None:
    rows = [
        (one.convention, one.what, f"{one.operations:,.0f}", _figure(one.energy_mj), one.kind)
        for one in analysis.energy
    ]
    show_table(("energy", "of", "operations", "mJ", "kind"), rows, ("operations", "mJ"))
    for source in dict.fromkeys(source for one in analysis.energy for source in one.sources):
        say(f"  constant: {source}", "    ")


def _figure(value: float) -> str:
    return f"{value:.4f}" if value >= 0.1 or value == 0.0 else f"{value:.3g}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f} %"
