"""docs/papers.md: every published number beside ours, written from the model definitions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from spqc.cost.ace import Shares, shares_of, spikes_for_gain
from spqc.cost.constants import constant, constants
from spqc.cost.counts import flops_factor
from spqc.cost.memory import ratio_bounds

from . import ace, memory, networks, operations, words
from .markdown import item, line, prose, table
from .networks import NETWORKS, account
from .program import ProgramRow
from .published import figure, published
from .rows import Row, compare


def page(programs: Sequence[ProgramRow]) -> str:
    """Return the page; `programs` is what the lowered networks take, which changes with the compiler."""
    parts = [
        *["# The papers' arithmetic", ""],
        *prose(words.HEAD),
        *_networks(),
        *_memory(programs),
        *factors(),
        *_energy(),
        *energy_constants(),
        *implications(),
        *ace_shares(),
        *_unreachable(),
    ]
    return "\n".join(parts).rstrip("\n") + "\n"


def _networks() -> list[str]:
    head = ("network", "weights", "of convolutions", "neurons", "MACs a step", "T", "command")
    reported = [
        _weights("VGG-9 of LT-SNN", "vgg9-lt"),
        _weights("VGG-7", "vgg7", words.RECONSTRUCTED),
        _weights("VGG-11", "vgg11", words.RECONSTRUCTED),
        _weights("MobileNet light", "mobilenet", words.MOBILENET),
        _weights("Spikformer-8-512", "spikformer-8-512", words.NORMS),
    ]
    return [
        *["## Networks", ""],
        *table(head, [network_row(key) for key in NETWORKS]),
        *prose(words.NEURONS),
        *prose("Weights that were reported:"),
        *compared(reported),
    ]


def _weights(title: str, key: str, why: str = "") -> Row:
    return compare(title, f"weights.{key}", account(key).weights / 1e6, 2, 0.01, " M", why)


def network_row(key: str) -> tuple[str, ...]:
    """Return one network's counts."""
    network = account(key)
    counts = (network.weights, memory.conv_weights(network), network.neurons, network.macs_per_step)
    return (NETWORKS[key].title, *(f"{n:,}" for n in counts), str(network.steps), f"`{NETWORKS[key].command}`")


def _memory(programs: Sequence[ProgramRow]) -> list[str]:
    bounds = (f"{bits}-bit weights: {low:g} to {high:g}" for bits in (2, 4, 8) for low, high in (ratio_bounds(bits),))
    return [
        *["## Memory (Eq 28 and 29)", ""],
        *prose(words.FORMS),
        *table(_MEMORY_HEAD, [memory_row(key) for key in memory.FUSED]),
        *prose(words.BOUNDS, bounds="; ".join(bounds)),
        *_programs(programs),
        *prose("The published table:"),
        *compared(memory.table_rows()),
        *prose("The published ratios:"),
        *compared(memory.ratio_rows()),
    ]


_MEMORY_HEAD = (
    *("network", "weights, MB", "states, MB", "buffer, MB", "total, MB", "32 bits, MB"),
    *("literal", "published", "fused", "fused, MB"),
)


def memory_row(key: str) -> tuple[str, ...]:
    """Return one network's memory in the three forms."""
    forms = memory.forms(key)
    published_form, fused = forms["published"], forms["fused"].quantised
    one = published_form.quantised
    parts = (one.weight_mb, one.state_mb, one.buffer_mb, one.mb, published_form.baseline.mb)
    ratios = (f"{forms[name].ratio:.2f}x" for name in ("literal", "published", "fused"))
    return (NETWORKS[key].title, *(f"{part:.4f}" for part in parts), *ratios, f"{fused.mb:.3f}")


def _programs(programs: Sequence[ProgramRow]) -> list[str]:
    """Return what the compiled programs take; the table that changes when kernels and layouts do."""
    if not programs:
        return []
    head = ("program for a CPU", "weights and tables, MB", "between kernels, MB", "total, MB", "over 32 bits")
    return [*prose(words.PROGRAMS), *table(head, map(_program_row, programs))]


def _program_row(row: ProgramRow) -> tuple[str, ...]:
    parts = (f"{mb:.3f}" for mb in (row.weights_mb, row.arena_mb, row.total_mb))
    return (row.title, *parts, f"{row.ratio:.2f}x")


def factors() -> list[str]:
    """Return the section on Eq 30."""
    head = ("where", "factor", "implied S_c", "all sparsity", "back through Eq 30")
    spatial, vgg9 = figure("sparsity.spatial"), account("vgg9")
    rows = []
    for one in operations.implied():
        sparsities = (f"{one.channel_sparsity:.3f}", f"{100 * one.total_sparsity:.1f} %")
        again = flops_factor(one.channel_sparsity, spatial)
        rows.append((one.where, f"{one.factor:.1f}x", *sparsities, f"{again:.1f}x"))
    return [
        *["## Operations (Eq 30)", ""],
        *prose(words.FACTORS, spatial=100 * spatial),
        *table(head, rows),
        *prose(words.MEMBRANES, share=100 * vgg9.neurons / vgg9.macs_per_step),
    ]


def _energy() -> list[str]:
    head = ("network", "additions", "32-bit floats, mJ", "8-bit integers, mJ", "after a factor of 5, mJ", "gain")
    rows = []
    for one in operations.energy_rows():
        energies = (f"{one.floats:.3f}", f"{one.integers:.4f}", f"{one.masked:.4f}")
        rows.append((one.title, f"{one.operations / 1e9:.2f} G", *energies, f"{one.gain:.0f}x"))
    return ["## Energy (Eq 31)", "", *prose(words.ENERGY), *table(head, rows)]


def energy_constants() -> list[str]:
    """Return the constants with their sources."""
    rows = [(one.operation, f"{one.pj:g}", str(one.node_nm), one.source, one.evidence) for one in constants().values()]
    return [*prose(words.CONSTANTS), *table(("operation", "pJ", "nm", "source", "evidence"), rows)]


def implications() -> list[str]:
    """Return the section on ACE-SNN, but for its networks."""
    implied = ace.implications()
    shares = (("energy", 6.24, 30, implied.energy_share), ("delay", 9.42, 7, implied.delay_share))
    rows = [
        ("32-bit over 6-bit multiply-accumulate, from the gains 560.6 and 44.8", f"{implied.mac_ratio:.2f}"),
        ("6-bit multiply-accumulate, if 32 bits are integers (3.2 pJ)", f"{implied.integer_mac_pj:.4f} pJ"),
        ("the same, if 32 bits are floats (4.6 pJ)", f"{implied.float_mac_pj:.4f} pJ"),
        *(
            (f"the same, if a multiplication shrinks with b^{power:g}", f"{pj:.3f} pJ")
            for power, pj in implied.scalings
        ),
        *(
            (f"layer 1's share of the {what}: memory divides it by {by:g} and saves {saved} %", f"{100 * share:.1f} %")
            for what, by, saved, share in shares
        ),
        ("energy times delay saved by both (printed: 38 %, a mean over networks)", f"{100 * implied.product:.1f} %"),
    ]
    return ["## ACE-SNN", "", *prose(words.ACE), *table(("quantity", "value"), rows)]


def ace_shares() -> list[str]:
    """Return what ACE-SNN's networks spend in their first layers."""
    gain = figure("ace.gain_over_6_bits")
    head = ("network", "MACs", "in layer 1", "share", "greatest gain over the 6-bit CNN", f"spikes for {gain:g}x")
    shares = [(title, shares_of(one)) for title, one in networks.hyperspectral()]
    rows = [(title, *_share_cells(one), _spikes(one, gain)) for title, one in shares]
    return [*prose(words.SHARES, gain=gain), *table(head, rows)]


def _share_cells(one: Shares) -> tuple[str, ...]:
    counts = (f"{one.macs_per_step / 1e6:.2f} M", f"{one.first_macs / 1e6:.3f} M")
    return (*counts, f"{100 * one.share:.2f} %", f"{one.bound:.1f}x")


def _spikes(one: Shares, gain: float) -> str:
    rate = spikes_for_gain(one, gain, ace.implications().integer_mac_pj, constant("int8_add_45").pj)
    return "beyond the bound" if rate is None else f"{rate:.2f}"


def _unreachable() -> list[str]:
    bound = memory.bound_text()
    places = sorted({one.where for one in published().values()})
    return [
        *["## What is not reproduced, and why", ""],
        *(part for text in words.UNREACHABLE for part in item(text.replace("{bound}", bound))),
        "",
        *prose("Published figures are from:"),
        *(part for place in places for part in item(place)),
    ]


def compared(rows: Iterable[Row]) -> list[str]:
    """Return published figures beside ours."""
    head = ("figure", "published", "ours", "reproduced", "remark")
    return table(head, [tuple(map(line, row.cells)) for row in rows])
