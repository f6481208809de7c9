"""What the layers of a network did, as one: means over all neurons, all inputs, all channels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .account import Account, LayerAccount
from .activity import LayerActivity
from .clip import Clip

_Weighted = Iterable[tuple[float | None, float]]


def total_activity(account: Account, activities: Mapping[str, LayerActivity]) -> LayerActivity:
    """Return the activity of the whole network; a layer without a mask counts as one whose mask shuts nothing."""
    pairs = [(layer, activities[layer.layer]) for layer in account.layers if layer.layer in activities]
    spiking = [(layer, one) for layer, one in pairs if one.spike_rate is not None]
    masked = any(one.spatial_sparsity is not None for _, one in spiking)
    gated = any(one.channel_sparsity is not None for _, one in spiking)
    return LayerActivity(
        "total",
        _mean((one.spike_rate, layer.neurons) for layer, one in spiking),
        _mean((one.input_rate, layer.macs) for layer, one in pairs),
        _occupancy(spiking),
        _mean((one.spatial_sparsity or 0.0, layer.neurons) for layer, one in spiking) if masked else None,
        _mean((one.channel_sparsity or 0.0, layer.channels) for layer, one in spiking) if gated else None,
        _mean((1.0 if one.open_tiles is None else one.open_tiles, layer.channels) for layer, one in spiking)
        if gated
        else None,
        _clip(spiking),
        _mean((one.input_mean, layer.macs) for layer, one in pairs),
    )


def _mean(values: _Weighted) -> float | None:
    known = [(value, weight) for value, weight in values if value is not None]
    total = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / total if total else None


def _occupancy(pairs: list[tuple[LayerAccount, LayerActivity]]) -> dict[str, float]:
    """Return the shares of the levels over all neurons whose levels were counted."""
    counted = [(layer, one) for layer, one in pairs if one.occupancy]
    neurons = sum(layer.neurons for layer, _ in counted)
    levels = sorted({level for _, one in counted for level in one.occupancy}, key=float)
    return {
        level: sum(one.occupancy.get(level, 0.0) * layer.neurons for layer, one in counted) / neurons
        for level in levels
    }


def _clip(pairs: list[tuple[LayerAccount, LayerActivity]]) -> Clip | None:
    clips = [(layer.neurons, one.clip) for layer, one in pairs if one.clip is not None]
    if not clips:
        return None
    lows = [clip.lowest for _, clip in clips if clip.lowest is not None]
    return Clip(
        clips[0][1].bound,
        min(lows) if lows else None,
        _mean((clip.silent, neurons) for neurons, clip in clips) or 0.0,
        _mean((clip.late_rate, clip.silent * neurons) for neurons, clip in clips),
        _mean((clip.wake, clip.silent * neurons) for neurons, clip in clips),
    )
