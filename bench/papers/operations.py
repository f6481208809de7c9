"""Operations and energy: the factors of SpQuant-SNN and what they imply, and Eq 31 on the accounts."""

from __future__ import annotations

from dataclasses import dataclass

from spqc.cost.counts import implied_channel_sparsity, operations_of
from spqc.cost.energy import eq31

from .networks import NETWORKS, account
from .published import figure

FACTORS = {
    "ImageNet": "factor.imagenet",
    "YOLOv2, Gen1": "factor.yolo",
    "VGG-9, N-Caltech101": "factor.n-caltech",
    "VGG-9, DVS-CIFAR10": "factor.vgg9",
    "ResNet-19, CIFAR-10": "factor.resnet19",
}
ENERGY = ("vgg9", "resnet19", "resnet34", "yolov2")


@dataclass(frozen=True)
class Implied:
    """A published factor of Eq 30, and the channel sparsity that it implies beside the published spatial one."""

    where: str
    factor: float
    channel_sparsity: float
    total_sparsity: float


def implied() -> list[Implied]:
    """Return the channel sparsity that every published factor implies."""
    spatial = figure("sparsity.spatial")
    rows = []
    for where, key in FACTORS.items():
        factor = figure(key)
        rows.append(Implied(where, factor, implied_channel_sparsity(factor, spatial), 1 - 1 / factor))
    return rows


@dataclass(frozen=True)
class EnergyRow:
    """Eq 31 at 7 nm in mJ, additions of synapses only: dense in floats, dense and masked in 8-bit integers."""

    title: str
    operations: int
    floats: float
    integers: float
    masked: float

    @property
    def gain(self) -> float:
        return self.floats / self.masked


def energy_rows(factor: float = 5.0) -> list[EnergyRow]:
    """Return Eq 31 for the networks of the paper; masked as if Eq 30 gave `factor`."""
    rows = []
    for key in ENERGY:
        energies = {(one.convention, one.what): one.energy_mj for one in eq31(operations_of(account(key), {}))}
        floats, integers = (energies["eq31 7 nm", f"dense, {kind}"] for kind in ("32-bit floats", "8-bit integers"))
        rows.append(EnergyRow(NETWORKS[key].title, account(key).macs, floats, integers, integers / factor))
    return rows
