"""The training loop: Adam, cosine schedule, TET loss; seeded, and the same on every run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from tqdm import tqdm

from spqc.nn import losses
from spqc.nn.layers import Record
from spqc.nn.network import SpikingNetwork

from .digits import Split
from .presets import Preset

_EVALUATION_BATCH = 256


@dataclass(frozen=True)
class LayerReport:
    """Shares over a test set: spikes per neuron and step, states at 0, neurons kept by the spatial mask, open gates."""

    name: str
    spike_rate: float
    zero_states: float
    kept: float
    open_gates: float
    threshold: float


@dataclass(frozen=True)
class TrainReport:
    """What a training run reached; accuracies in [0, 1]; `path` is the checkpoint, or None."""

    name: str
    preset: str
    epochs: int
    seed: int
    train_accuracy: float
    test_accuracy: float
    layers: tuple[LayerReport, ...]
    path: str | None

    @property
    def spike_rate(self) -> float:
        """Return the mean spike rate over the layers."""
        return sum(layer.spike_rate for layer in self.layers) / max(len(self.layers), 1)


def fit(network: SpikingNetwork, data: Split, preset: Preset, epochs: int, seed: int) -> None:
    """Train a network in place; it ends in evaluation mode. Progress goes to stderr."""
    optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], lr=preset.learning_rate)
    batches = -(-len(data.train_labels) // preset.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=max(epochs * batches, 1))
    rng = np.random.default_rng(seed)
    progress = tqdm(range(epochs), desc="training", unit="epoch", file=sys.stderr)
    for _ in progress:
        network.train()
        for images, labels in _batches(data, preset, rng):
            _step(network, optimiser, images, labels, preset.regulariser)
            schedule.step()
        network.eval()
        progress.set_postfix_str(f"test accuracy {accuracy(network, data.test_images, data.test_labels):.4f}")


def accuracy(network: SpikingNetwork, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]) -> float:
    """Return the share of images whose summed logits are greatest for their label."""
    correct = 0
    with torch.no_grad():
        for start in range(0, len(labels), _EVALUATION_BATCH):
            part = slice(start, start + _EVALUATION_BATCH)
            decided = network(images[part]).sum(dim=1).argmax(dim=1).cpu().numpy()
            correct += int((decided == labels[part]).sum())
    return correct / len(labels)


def layer_reports(network: SpikingNetwork, images: npt.NDArray[np.uint8]) -> tuple[LayerReport, ...]:
    """Return activity and sparsity of every spiking layer on the given images."""
    with torch.no_grad():
        records = network.observe(images).layers
    return tuple(_layer_report(name, records[name], layer.threshold) for name, layer in network.spiking_layers())


def _layer_report(name: str, record: Record, threshold: float) -> LayerReport:
    return LayerReport(
        name=name,
        spike_rate=float(record.spikes.mean()),
        zero_states=float((record.states == 0).float().mean()),
        kept=1.0 if record.keep is None else float(record.keep.float().mean()),
        open_gates=1.0 if record.gate is None else float(record.gate.mean()),
        threshold=threshold,
    )


def _step(
    network: SpikingNetwork, optimiser: torch.optim.Optimizer, images: npt.NDArray[np.uint8], labels: Tensor, lam: float
) -> None:
    optimiser.zero_grad()
    loss = losses.tet(network(images), labels, regulariser=lam)
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def _batches(data: Split, preset: Preset, rng: np.random.Generator) -> Iterator[tuple[npt.NDArray[np.uint8], Tensor]]:
    order = rng.permutation(len(data.train_labels))
    for start in range(0, len(order), preset.batch):
        chosen = order[start : start + preset.batch]
        images = _shifted(data.train_images[chosen], preset.shift, rng)
        yield images, torch.from_numpy(data.train_labels[chosen])


def _shifted(images: npt.NDArray[np.uint8], reach: int, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Return every image moved by up to `reach` pixels, zeros moving in: the digits are not centred alike."""
    if reach == 0:
        return images
    side = images.shape[-1]
    padded = np.pad(images, ((0, 0), (0, 0), (reach, reach), (reach, reach)))
    corners = rng.integers(0, 2 * reach + 1, size=(len(images), 2))
    moved = [image[:, top : top + side, left : left + side] for image, (top, left) in zip(padded, corners, strict=True)]
    return np.stack(moved)
