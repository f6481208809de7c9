"""Operations: dense, in the papers' form (SpQuant-SNN Eq 30), in the released code's, and as our kernels run them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .account import Account, LayerAccount
from .activity import LayerActivity

_EVENTS = "events"

Activities = dict[str, LayerActivity]


@dataclass(frozen=True)
class LayerOperations:
    """Multiply-accumulates of one inference (all T steps) of one layer.

    dense: nothing left out. eq30: masked channels and pixels left out. public: the counter of the released code,
    which leaves out masked channels of the sums and of the membranes, and adds its gate's work; it includes one
    membrane update a neuron and step. synaptic: only inputs that are not zero (None where no input was measured).
    executed: what our kernels run: once where the input is constant in time; dense ones without the tiles of
    channels that a gate keeps shut, event-driven ones v times for an input of code v (a look-up counts like the
    dense kernel that it stands for). strategy: of an artifact's kernel; dense ones are counted where it is not
    known. gate: what our own channel gate takes. membrane: updates of a stored state.
    """

    layer: str
    dense: int
    eq30: float
    public: float
    public_dense: int
    synaptic: float | None
    executed: float
    gate: int
    membrane: int
    strategy: str = ""


def operations_of(
    account: Account,
    activities: Activities,
    channel_sparsity: float = 0.0,
    spatial_sparsity: float = 0.0,
    strategies: Mapping[str, str] | None = None,
) -> tuple[LayerOperations, ...]:
    """Return the operations of every layer; masks that were not measured count with the sparsities given."""
    known, sparsities = strategies or {}, (channel_sparsity, spatial_sparsity)
    return tuple(
        layer_operations(layer, account.steps, activities.get(layer.layer), sparsities, known.get(layer.layer, ""))
        for layer in account.layers
    )


def total_of(operations: Sequence[LayerOperations]) -> LayerOperations:
    """Return the sums over all layers; `synaptic` is None where a layer's inputs were not measured."""
    measured = all(one.synaptic is not None for one in operations)
    return LayerOperations(
        layer="total",
        dense=sum(one.dense for one in operations),
        eq30=sum(one.eq30 for one in operations),
        public=sum(one.public for one in operations),
        public_dense=sum(one.public_dense for one in operations),
        synaptic=sum(one.synaptic or 0.0 for one in operations) if measured else None,
        executed=sum(one.executed for one in operations),
        gate=sum(one.gate for one in operations),
        membrane=sum(one.membrane for one in operations),
    )


def layer_operations(
    layer: LayerAccount,
    steps: int,
    activity: LayerActivity | None,
    sparsities: tuple[float, float] = (0.0, 0.0),
    strategy: str = "",
) -> LayerOperations:
    """Return the operations of one layer, or of one kernel, over `steps` steps.

    activity: measured or assumed rates of its inputs and masks; None: none is known. sparsities: (channel, spatial) of
    masks that are not in it. strategy: how a kernel sums.
    """
    dense, (channel, spatial) = steps * layer.macs, sparsities
    shut = activity.channel_sparsity if activity and activity.channel_sparsity is not None else channel
    masked = activity.spatial_sparsity if activity and activity.spatial_sparsity is not None else spatial
    if not layer.neurons:
        shut = masked = 0.0
    return LayerOperations(
        layer=layer.layer,
        dense=dense,
        eq30=dense * (1 - shut) * (1 - masked),
        public=(dense + steps * layer.neurons * (1 - masked)) * (1 - shut) + _public_gate(layer, steps, bool(masked)),
        public_dense=dense + steps * layer.neurons,
        synaptic=_synaptic(dense, activity),
        executed=_executed(layer, steps, activity, strategy),
        gate=layer.gate_macs * steps,
        membrane=layer.neurons * steps,
        strategy=strategy,
    )


def _synaptic(dense: int, activity: LayerActivity | None) -> float | None:
    if not dense:
        return 0.0  # neurons on their own
    return dense * activity.input_rate if activity and activity.input_rate is not None else None


def _public_gate(layer: LayerAccount, steps: int, masked: bool) -> float:
    """Return the work of the released spatial gate: 2 (C_in / 4) C_out H W, where there is a spatial mask at all."""
    return steps * 2 * (layer.in_channels / 4) * layer.neurons if masked else 0.0


def _executed(layer: LayerAccount, steps: int, activity: LayerActivity | None, strategy: str) -> float:
    if strategy == _EVENTS and activity is not None and activity.input_mean is not None:
        return layer.macs * steps * activity.input_mean
    opened = 1.0 if activity is None or activity.open_tiles is None else activity.open_tiles
    return layer.macs * (1 if layer.constant else steps) * (1.0 if layer.constant else opened)


def flops_factor(channel_sparsity: float, spatial_sparsity: float) -> float:
    """Return dense over sparse operations by Eq 30: `1 / ((1 - S_c) (1 - S_p))`."""
    return 1.0 / ((1.0 - channel_sparsity) * (1.0 - spatial_sparsity))


def implied_channel_sparsity(factor: float, spatial_sparsity: float = 0.35) -> float:
    """Return the S_c with which Eq 30 gives a factor, at a spatial sparsity S_p; below 0 where S_p alone gives more."""
    return 1.0 - 1.0 / (factor * (1.0 - spatial_sparsity))
