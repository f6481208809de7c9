"""What strategies that read spikes, or sums of a few, as planes of bits have in common: what they refuse, the choice
how many planes are summed whole while the inputs with higher bits are events (`high_plane_events`), and its cost."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping

from spqc.targets._plan.geometry import WeightedSum
from spqc.targets._plan.strategy import Settings, Site
from spqc.targets._tir.width import LANES

from ..strategy import KernelStrategy
from .lane_shape import RowShape

_PLANES = 4  # bits of an input
_ROW = 32  # lanes of a vector of 16-bit sums


def refused(site: Site) -> str:
    """Return why the input of a sum is not read as planes of bits; the empty text where it is."""
    conv = site.sum
    x = site.region.kernel.ops[0].type_of(0)
    if site.region.kernel.ops[0].inputs[0] in site.program.graph.inputs or conv.source in site.program.graph.inputs:
        return "it reads the network's input"
    if conv.constant or x.clock == "const":
        return "its sum is constant in time"
    if x.range[0] < 0 or x.range[1] >= 2**_PLANES:
        return f"its input has more than {_PLANES} bits"
    return ""


def bits(conv: WeightedSum) -> int:
    """Return how many bits the inputs of a sum have."""
    return max(1, conv.source.type.range[1].bit_length())


def planes_of(conv: WeightedSum, settings: Settings) -> int:
    """Return how many bits of the inputs are summed whole: all, where no setting says less."""
    return settings.get("planes", bits(conv))


class PlaneStrategy(KernelStrategy):
    """Settings: `planes`, how many bits of the inputs are summed whole (`{}`: all); higher bits are events."""

    def space(self, site: Site) -> Iterator[Settings]:
        yield {}
        for planes in range(1, bits(site.sum)):
            yield {"planes": planes}

    def proposed(self, site: Site) -> Iterator[Settings]:
        return self.space(site)

    def features(self, site: Site, settings: Settings) -> Mapping[str, float]:
        planes = planes_of(site.sum, settings)
        return {**self.whole(site, planes), **self._high_planes(site, planes)}

    @abstractmethod
    def whole(self, site: Site, planes: int) -> Mapping[str, float]:
        """Return the features of a kernel that sums so many bits of its inputs."""

    @abstractmethod
    def rows(self, site: Site) -> RowShape:
        """Return how the outputs lie in rows."""

    def _high_planes(self, site: Site, planes: int) -> Mapping[str, float]:
        """`listed`: vectors of inputs looked at; `raised`: additions of an event to 16 outputs; `transposed`: vectors
        of sums, in chunks that have events."""
        conv, n = site.sum, self.rows(site)
        if planes >= bits(conv):
            return {}
        inputs = site.steps * conv.input.pixels * conv.input.padded
        tiles, taps = conv.output.padded // LANES, conv.kernel[0] * conv.kernel[1]
        events = sum(share * (code >> planes) for code, share in enumerate(site.density.chances)) * inputs
        some = min(1.0, events / n.chunks)
        return {
            "listed": inputs / 64,
            "raised": events * tiles * taps,
            "transposed": some * tiles * LANES * n.chunks * n.lanes / _ROW,
        }
