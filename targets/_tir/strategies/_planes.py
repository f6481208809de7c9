"""What strategies that read spikes, or sums of a few, as planes of bits refuse alike."""

from __future__ import annotations

from ..strategy import Site

_PLANES = 4  # bits of an input


def refused(site: Site) -> str:
    """Return why the input of a sum is not read as planes of bits; the empty text where it is."""
    g = site.sum
    x = site.region.kernel.ops[0].type_of(0)
    if site.region.kernel.ops[0].inputs[0] in site.program.graph.inputs or g.source in site.program.graph.inputs:
        return "it reads the network's input"
    if g.constant or x.clock == "const":
        return "its sum is constant in time"
    if x.range[0] < 0 or x.range[1] >= 2**_PLANES:
        return f"its input has more than {_PLANES} bits"
    return ""
