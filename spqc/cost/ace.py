"""The digital energy model of ACE-SNN, and what its published factors imply for a first layer in memory.

A CNN takes `sum MAC_l E_MAC`. The spiking network takes `MAC_1 E_MAC + sum_{l>=2} z_l MAC_l E_AC`, where z_l counts the
spikes of an input neuron over all steps: its analog first layer is constant in time and paid once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .account import Account
from .constants import constant


@dataclass(frozen=True)
class Shares:
    """What a network spends in its first layer: `macs` of them all (of one step), and the bound 1/macs on the gain."""

    network: str
    macs_per_step: int
    first_macs: int

    @property
    def share(self) -> float:
        """The first layer's share of the multiply-accumulates of one step, in (0, 1]."""
        return self.first_macs / self.macs_per_step

    @property
    def bound(self) -> float:
        """The gain over a CNN of the same widths and bits cannot be greater: the first layer costs both the same."""
        return 1.0 / self.share


def shares_of(account: Account) -> Shares:
    """Return the multiply-accumulates of a network and of its layers that read the input."""
    first = sum(layer.macs for layer in account.layers if layer.reads_input)
    return Shares(account.name, account.macs_per_step, first)


def mac_of_bits(gain_over_floats: float, gain_over_bits: float, full: str = "int32_mac_45") -> float:
    """Return the pJ of the narrow multiply-accumulate that two published gains of one network imply."""
    return constant(full).pj / (gain_over_floats / gain_over_bits)


def cnn_energy_pj(account: Account, mac_pj: float) -> float:
    """Return the pJ of one inference of the CNN of the same layers: sum of MAC_l E_MAC."""
    return account.macs_per_step * mac_pj


def snn_energy_pj(account: Account, spikes: Mapping[str, float], mac_pj: float, ac_pj: float) -> float:
    """Return the pJ of one inference of the spiking network: MAC_1 E_MAC + sum over l >= 2 of z_l MAC_l E_AC.

    spikes: z_l by layer, those that read the input left out; KeyError where another layer lacks.
    """
    first = sum(layer.macs for layer in account.layers if layer.reads_input)
    others = sum(spikes[layer.layer] * layer.macs for layer in account.layers if not layer.reads_input)
    return first * mac_pj + others * ac_pj


def spikes_for_gain(shares: Shares, gain: float, mac_pj: float, ac_pj: float) -> float | None:
    """Return how many spikes z an input neuron may have for a gain over the CNN; None beyond the bound."""
    left = shares.macs_per_step * mac_pj / gain - shares.first_macs * mac_pj
    return left / (ac_pj * (shares.macs_per_step - shares.first_macs)) if left > 0 else None


def share_in_memory(saving: float, factor: float) -> float:
    """Return which share must be spent in layer 1, if making it `factor` times cheaper saves `saving` of the whole."""
    return saving / (1.0 - 1.0 / factor)
