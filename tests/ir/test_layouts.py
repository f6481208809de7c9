"""Every layout keeps the meaning of a program: interpreted from its bytes, random networks give the same results."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.random_graphs import Maker, random_codes

from spqc.foundation.errors import GraphError, UsageError
from spqc.ir import Array, Graph, Type, Value, interpret
from spqc.ir.interpret_program import interpret_program
from spqc.ir.layout import PLAIN, Layout
from spqc.ir.program import Buffer, Program
from spqc.ir.storage import fetch, store
from spqc.plugins import pipeline
from spqc.targets.llvm import Llvm

LOWER = "form-kernels{{tile={tile} alignment={alignment}}},fuse-time{{mode={mode}}},{pack},skip-masked,plan-memory"
LAYOUTS = {
    "plain": Layout(),
    "microcontroller": Layout(single="bits"),
    "words of a microcontroller": Layout(tile=4, alignment=4, single="bits"),
    "cpu": Layout(tile=16, alignment=64),
    "gpu": Layout(tile=32, alignment=128, container=32, single="bits"),
    "odd tiles": Layout(tile=5, alignment=2, container=16, single="bits"),
}
NETWORKS = {
    "random": lambda seed: Maker(seed).graph(3),
    "branched": lambda seed: Maker(seed).stream(),
    "attending": lambda seed: Maker(seed).attention(),
}
derandomised = settings(
    max_examples=3, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


def lowered(graph: Graph, layout: Layout, mode: str) -> Program:
    pack = f"pack-spikes{{container={layout.container} single={layout.single}}}"
    passes = LOWER.format(tile=layout.tile, alignment=layout.alignment, mode=mode, pack=pack)
    program = pipeline.run(graph, pipeline.parse(passes))
    assert isinstance(program, Program)
    return program


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("mode", ["fused", "stepped"])
@derandomised
@given(seed=st.integers(0, 2**20))
def test_every_layout_keeps_results(mode: str, kind: str, seed: int) -> None:
    graph = pipeline.run(NETWORKS[kind](seed), pipeline.parse(Llvm().pipeline()))
    assert isinstance(graph, Graph)
    codes = random_codes(graph, 2, seed)
    wanted = interpret(graph, codes)
    for name, layout in LAYOUTS.items():
        program = lowered(graph, layout, mode)
        assert program.layout == layout
        results = interpret_program(program, codes)
        for output, array in wanted.items():
            np.testing.assert_array_equal(results[output], array, err_msg=f"{output} of {name}", strict=True)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("mode", ["fused", "stepped"])
def test_places_are_aligned_and_nothing_lies_beyond_the_arena(mode: str, layout: Layout) -> None:
    for seed in range(6):
        program = lowered(Maker(seed).graph(3), layout, mode)
        for buffer in program.buffers:
            assert buffer.offset is not None and buffer.offset % layout.alignment == 0
            assert buffer.offset % (buffer.word_bits // 8) == 0
            assert buffer.offset + buffer.bytes <= program.arena_bytes


def spikes(channels: int) -> Value:
    return Value("%s", Type("spike", 1, (channels, 2, 3)))


@pytest.mark.parametrize(
    ("kind", "layout", "size"),
    [
        ("bytes", Layout(), 6 * 17),
        ("channel_bits", Layout(single="bits"), 6 * 3),
        ("channel_bits", Layout(tile=32, single="bits"), 6 * 4),
        ("bytes", Layout(tile=16), 6 * 32),
        ("bytes", Layout(tile=16, alignment=64), 192),
    ],
)
def test_bytes_of_a_single_step(kind: str, layout: Layout, size: int) -> None:
    """17 channels of 6 pixels: as bytes, or as bits side by side, padded to whole tiles."""
    assert Buffer(spikes(17), kind, 1, layout=layout).bytes == size  # type: ignore[arg-type]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_bits_of_channels_lie_lowest_first(layout: Layout) -> None:
    buffer = Buffer(spikes(17), "channel_bits", 2, layout=layout)
    array: Array = np.zeros((1, 2, 17, 2, 3), np.int64)
    array[0, 1, 9, 1, 2] = 1
    raw = store(buffer, array)
    byte = (1 * 6 + 5) * buffer.pixel_bytes + 1
    assert raw[0, byte] == 1 << 1 and np.count_nonzero(raw) == 1
    np.testing.assert_array_equal(fetch(buffer, raw), array)


def test_a_packed_microcontroller_takes_less_than_the_cpu() -> None:
    graph = Maker(3).graph(3)
    small, wide = (lowered(graph, LAYOUTS[name], "stepped") for name in ("microcontroller", "cpu"))
    assert 0 < small.arena_bytes < wide.arena_bytes


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tile": 0}, "a tile has 1 channel or more, not 0"),
        ({"alignment": 3}, "an alignment is a power of two of bytes, not 3"),
        ({"container": 12}, "a container has 8, 16 or 32 bits, not 12"),
        ({"single": "words"}, "single steps take bytes or bits, not 'words'"),
    ],
)
def test_what_no_memory_has_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        Layout(**fields)  # type: ignore[arg-type]
    assert caught.value.message == message


def test_a_program_has_one_layout() -> None:
    program = lowered(Maker(1).graph(2), PLAIN, "fused")
    with pytest.raises(GraphError, match="has the layout"):
        replace(program, layout=Layout(tile=16))


@pytest.mark.parametrize("limit", [0, 33])
def test_a_limit_of_steps_fits_a_container(limit: int) -> None:
    with pytest.raises(UsageError, match="limit is 1 to 32 steps"):
        pipeline.parse(f"pack-spikes{{limit={limit}}}")
