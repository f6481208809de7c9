"""What a kernel is called in tuning records: everything that its time depends on, and no name of a layer."""

from __future__ import annotations

import zlib

import numpy as np

from spqc.cost.density import density_class
from spqc.ir import Array

from .geometry import Region, WeightedSum
from .strategy import Site


def key_of(site: Site) -> str:
    """Return the key; kernels with the same key are measured once."""
    conv, program = site.sum, site.program
    shape = "x".join(map(str, (conv.input.channels, conv.input.depth, conv.input.height, conv.input.width)))
    inputs = f"{conv.source.type.encoding}{conv.source.type.bits} inputs {density_class(site.density)}"
    zeros = site.constants.cached(("zeros", conv.weight.name), lambda: _zeros(site.weight))
    weights = f"{conv.weight.type.encoding}{conv.weight.type.bits} weights{zeros}"
    steps = f"{site.steps}/{program.steps} steps {program.mode}"
    return (
        f"{site.region.kernel.ops[0].name} {shape} -> {conv.output.channels} {_window(conv)}, "
        f"{weights}, {inputs}, {steps}, "
        f"then {_epilogue(site.region)}; {site.machine.cpu}, {site.machine.threads} threads"
    )


def _zeros(weight: Array) -> str:
    """Return where a sparse weight's zeros are, as a number: a strategy may leave them out. Few zeros say nothing."""
    kept = weight != 0
    if 2 * np.count_nonzero(kept) > kept.size:
        return ""
    return f" of pattern {zlib.crc32(np.packbits(kept).tobytes()):08x}"


def _window(conv: WeightedSum) -> str:
    pairs = (("k", conv.kernel), ("s", conv.stride), ("p", conv.padding))
    plain = " ".join(f"{letter}{rows}x{columns}" for letter, (rows, columns) in pairs) + f" g{conv.groups}"
    layers = conv.layers
    return plain if layers is None else f"{plain} depth k{layers.kernel} s{layers.stride} p{layers.padding}"


def _epilogue(region: Region) -> str:
    words = [f"{op.name} {op.outputs[0].type.encoding}{op.outputs[0].type.bits}" for op in region.kernel.ops[1:]]
    if region.neuron is not None and len(region.neuron.inputs) > 2:
        words.append("table " + "x".join(map(str, region.neuron.inputs[2].type.shape[:-1])))
    return ", ".join(words) or "nothing"
