"""What a training minimises, as a module: codes and targets in, a loss out."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from spqc.nn import sparsity
from spqc.nn.layers import Record
from spqc.nn.network import SpikingNetwork

from .recipes import Recipe
from .tasks import Task


class Objective(nn.Module):
    """The loss of a spiking network in its task, with the penalties of the recipe."""

    def __init__(self, network: SpikingNetwork, task: Task, recipe: Recipe) -> None:
        super().__init__()
        self.network, self.task, self.recipe = network, task, recipe

    def forward(self, codes: Any, targets: Tensor) -> Tensor:
        """Return the loss of codes [N, ...] and what they teach: the task's targets."""
        if self.recipe.gate_target is None:
            logits, records = self.network(codes), []
        else:
            seen = self.network.observe(codes)
            logits, records = seen.logits, list(seen.layers.values())
        loss = self.task.loss(logits, targets)
        density = sparsity.penalty(self.network)
        if density is not None:
            loss = loss + self.recipe.sparsity_weight * density
        if self.recipe.gate_target is not None:
            loss = loss + self.recipe.gate_weight * gate_penalty(records, self.recipe.gate_target)
        return loss


def gate_penalty(records: list[Record], target: float) -> Tensor:
    """Return the mean over the gated layers of (share of shut gates - target)^2; straight-through, as the gates are.

    Ours: the papers report 67 to 70 % of the channels shut and do not say what shuts them. 0 without gates.
    """
    shut = [1.0 - record.gate.mean() for record in records if record.gate is not None]
    return torch.stack([(share - target) ** 2 for share in shut]).mean() if shut else torch.zeros(())
