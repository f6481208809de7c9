"""Event-driven: only the active inputs' weights are added; the time falls with the density of the input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from spqc.targets._plan.constants import Constants
from spqc.targets._plan.geometry import Region, WeightedSum
from spqc.targets._plan.neurons import thresholds
from spqc.targets._plan.strategy import Settings, Site
from spqc.targets._tir.width import LANES

from ..dense.blocks import Block
from ..strategy import KernelStrategy
from .row_format import RowFormat, row_format

if TYPE_CHECKING:
    from spqc.targets._tir.context import Context

_MOST_CODE = 15  # an input of code v is v events
_NEAR = 256 * 1024  # bytes of a linear layer's weights: rows that more of them hold wait for their cache
_CACHED = 28_000  # bytes of weights under one kernel row: they should stay in the first-level cache
_SPILLED = 36_000  # bytes of them beyond which rows are read from the next cache again


class EventSum(KernelStrategy):
    """Settings: `tiles`, how many vectors of LANES outputs a row of weights holds; `channels` of a block of inputs."""

    name: ClassVar[str] = "events"
    rates: ClassVar[Mapping[str, float]] = {
        "rows": 0.15,
        "distant": 0.25,
        "spilled": 0.1,
        "splits": 0.05,
        "runs": 1.2,
        "sums": 0.4,
        "windows": 9.0,
        "neuron": 0.05,
        "looked": 0.0,
        "scanned": 4.0,
        "kernel": 500.0,
    }

    def refuses(self, site: Site) -> str:
        low, high = site.sum.source.type.range
        if site.sum.constant:
            return "its input does not change in time"
        if low < 0 or high > _MOST_CODE:
            return f"its input has codes up to {high}, and one of code v is v events (up to {_MOST_CODE})"
        if site.sum.layers is not None:
            return "its kernel has depth"
        if site.sum.bits > 32:
            return "its sums are wider than 32 bits"
        return "" if format_of(site.sum, site.constants) else "its weights are wider than two bytes"

    def space(self, site: Site) -> Iterator[Settings]:
        own = shape_of(site.sum, site.constants, {})
        yield {}
        for tiles in divisors(site.sum):
            for channels in blocks_of(site.sum):
                if (tiles, channels) != own and 2 * tiles >= min(4, max(divisors(site.sum))):
                    yield {"tiles": tiles, "channels": channels}

    def proposed(self, site: Site) -> Iterator[Settings]:
        """Few events want long runs, from blocks of many channels; many want weights in the nearest cache."""
        tiles, own = shape_of(site.sum, site.constants, {})
        yield {}
        if site.sum.output.pixels > 1:
            yield from ({"tiles": tiles, "channels": c} for c in blocks_of(site.sum) if c != own)

    def features(self, site: Site, settings: Settings) -> Mapping[str, float]:
        """What is counted, in the order of the code below.

        `rows`: vectors of weights added; `distant`: of those, from weights beyond the nearest cache; `spilled`: of
        those, by how far a block's weights outgrow the first-level cache; `splits`: vectors of words split; `runs`: of
        events; `sums`: vectors of sums that they take up and put back; `windows`: of tile and step; `neuron`:
        comparisons of vectors; `looked`: vectors of inputs looked at; `scanned`: for each of their codes.
        """
        conv, format_ = site.sum, known_format(site.sum, site.constants)
        tiles, channels = shape_of(conv, site.constants, settings)
        blocks = -(-conv.input.channels // channels)
        windows = site.steps * conv.output.pixels * (conv.output.padded // LANES // tiles)
        taps = _inside(conv)
        filling = taps * blocks * (format_.group - 1) / 2  # events of zeros
        events = site.density.mean * conv.input.channels * taps + filling
        vectors = max(1, tiles // 4) * format_.parts
        looked = site.steps * conv.input.pixels * (conv.input.padded // LANES)
        runs = windows * conv.kernel[0] * blocks
        return {
            "rows": windows * events * vectors,
            "distant": windows * events * vectors if _distant(conv, format_) else 0.0,
            "spilled": windows * events * vectors * _spilled(conv, format_, tiles, channels),
            "splits": windows * events * vectors / format_.group,
            "runs": float(runs),
            "sums": runs * tiles * (0.5 if format_.flush == "end" else 1.0),
            "windows": float(windows),
            "neuron": float(windows * tiles * thresholds(site.region)),
            "looked": float(looked),
            "scanned": float(looked * conv.source.type.range[1]),
            "kernel": 1.0,
        }

    def emit(self, context: Context, region: Region, settings: Settings) -> None:
        from .kernel import Events

        if region.sum is None:
            raise TypeError("an event-driven kernel begins with a sum")
        tiles, channels = shape_of(region.sum, context.constants, settings)
        format_ = known_format(region.sum, context.constants)
        Events(context, region, Block(tiles, 1, 1), format=format_, channels=channels).emit()


def _spilled(conv: WeightedSum, format_: RowFormat, tiles: int, channels: int) -> float:
    """Return the square of the share of a block's weights, under one kernel row, that the nearest cache cannot hold.

    The square is what was measured: rows that lie farther away hide behind others while they are few.
    """
    size = channels * LANES * tiles * format_.parts * conv.kernel[1]
    return max(0.0, 1 - _SPILLED / size) ** 2 if conv.output.pixels > 1 else 0.0


def _inside(conv: WeightedSum) -> float:
    """Return how many taps of a window are on the map, on average: padding has no events."""
    sizes = ((conv.input.rows, conv.output.rows, 0), (conv.input.width, conv.output.width, 1))
    taps = 1.0
    for size, outputs, axis in sizes:
        starts = range(-conv.padding[axis], outputs * conv.stride[axis] - conv.padding[axis], conv.stride[axis])
        taps *= sum(max(0, min(start + conv.kernel[axis], size) - max(start, 0)) for start in starts) / outputs
    return taps


def _distant(conv: WeightedSum, format_: RowFormat) -> bool:
    """Return whether rows are read once a step (a map of one pixel), from more weights than are near."""
    weights = conv.kernel[0] * conv.kernel[1] * conv.input.channels * conv.output.padded * format_.parts
    return conv.output.pixels == 1 and weights > _NEAR


def format_of(conv: WeightedSum, constants: Constants) -> RowFormat | None:
    """Return how the weights of a sum become words, found once; None where they cannot."""
    format_: RowFormat | None = constants.cached(
        ("events", conv.weight.name, conv.source.type.range[1]),
        lambda: row_format(constants.graph.data[conv.weight.name], conv.source.type.range[1]),
    )
    return format_


def known_format(conv: WeightedSum, constants: Constants) -> RowFormat:
    format_ = format_of(conv, constants)
    if format_ is None:
        raise TypeError("a strategy that refuses is not asked")
    return format_


def shape_of(conv: WeightedSum, constants: Constants, settings: Settings) -> tuple[int, int]:
    """Return how many tiles of outputs a row of weights holds, and the channels of a block."""
    if settings:
        return settings["tiles"], settings["channels"]
    tiles = max(t for t in divisors(conv) if t <= 8 or conv.output.pixels == 1)
    row = 16 * tiles * known_format(conv, constants).parts * conv.kernel[1]
    fitting = [c for c in blocks_of(conv) if c * row <= _CACHED or conv.output.pixels == 1]
    return tiles, max(fitting, default=min(blocks_of(conv)))


def blocks_of(conv: WeightedSum) -> list[int]:
    """Return the sizes of blocks of input channels worth a thought."""
    whole = conv.input.padded
    return sorted({c for c in (32, 64, 96, 128, 192, 256) if c < whole} | {whole})


def divisors(conv: WeightedSum) -> list[int]:
    """Return the widths of rows, in tiles of LANES outputs, that divide the outputs."""
    whole = conv.output.padded // LANES
    return [tiles for tiles in (1, 2, 4, 8, 16) if whole % tiles == 0]


STRATEGY = EventSum
