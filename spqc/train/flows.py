"""The ways of training a network: in one stage, or as a CNN first."""

from __future__ import annotations

from collections.abc import Callable

from .ace import train_ace
from .loop import Session, Stage, fit
from .objective import Objective


def train_spiking(session: Session) -> None:
    """Train the spiking network from its first weights."""
    recipe = session.settings.recipe
    objective = Objective(session.network, session.task, recipe)
    fit(session, Stage("training", objective, session.network, recipe.epochs, recipe.learning_rate))


FLOWS: dict[str, Callable[[Session], None]] = {"spiking": train_spiking, "ace": train_ace}
