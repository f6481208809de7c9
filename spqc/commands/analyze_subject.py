"""What is analysed: a model's name, a path, a live network, a graph or an artifact."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spqc.commands.sources import Model, read_model
from spqc.cost.account import account_of
from spqc.foundation.errors import Notice, UsageError
from spqc.ir import Graph
from spqc.runtime.session import Artifact

LOWERED_WEIGHTS = 3e7
"""A fresh network of more weights is lowered only where that is asked for."""
_OWN_OPTIONS = "a file has its own options: --set is for a model's name"


@dataclass(frozen=True)
class Subject:
    """What is analysed: `fresh` weights were drawn and never trained."""

    kind: str
    label: str
    graph: Graph
    model: Model | None = None
    artifact: Artifact | None = None

    @property
    def fresh(self) -> bool:
        return self.kind == "name"


def subject_of(
    model: Any, settings: dict[str, Any], *, runs: bool, lower: bool | None, frontend: str | None = None
) -> Subject:
    """Return what a model's name (with its options `settings`), a path, a live network or an artifact gives to analyse.

    runs: whether it will be run; lower: whether it will be lowered, None: where it is small. Both matter to a name.
    frontend: the name of the one that reads it; UsageError for a model's name or an artifact, which no frontend reads.
    """
    if frontend is not None and (_is_artifact(model) or (isinstance(model, str) and is_name(model))):
        raise UsageError("a frontend reads a model's file, not a name or an artifact", str(model), "omit --frontend")
    if isinstance(model, str) and is_name(model):
        read = _created(model, settings, runs, lower)
        return Subject("name", model, read.graph, read)
    if settings:
        require_name(model)
    if _is_artifact(model):
        artifact = model if isinstance(model, Artifact) else Artifact.load(model)
        return Subject("artifact", artifact.label, artifact.graph, None, artifact)
    read = read_model(model, frontend)
    return Subject("model", read.source.label, read.graph, read)


def assigned(model: Any, texts: tuple[str, ...]) -> dict[str, Any]:
    """Return the options of a named model that `key=value` texts choose; UsageError for those of a training."""
    if not texts:
        return {}
    name = require_name(model)
    try:
        from spqc.train import settings
    except ImportError as error:
        raise UsageError(f"models need {error.name}", hint="pip install 'spqc[torch]'") from None
    chosen = settings.read_assignments(texts)
    parts = settings.split(name, chosen)
    if parts["recipe"]:
        raise UsageError(f"'{next(iter(parts['recipe']))}' is an option of a training", hint="see `spqc train --help`")
    return parts["network"]


def require_name(model: Any) -> str:
    """Return the model's name; UsageError for what has options of its own."""
    if isinstance(model, str) and is_name(model):
        return model
    raise UsageError(_OWN_OPTIONS, str(model), "`spqc list models` names the models that take some")


def is_name(text: str) -> bool:
    """Return whether a text names a model rather than a file."""
    return "/" not in text and not Path(text).suffix and not Path(text).exists()


def _is_artifact(model: Any) -> bool:
    return isinstance(model, Artifact) or (isinstance(model, str | Path) and Path(model).suffix == ".spqc")


def _created(name: str, settings: dict[str, Any], runs: bool, lower: bool | None) -> Model:
    """Return a named network: drawn and calibrated to be run, drawn to be lowered, else only its outline."""
    try:
        from spqc.nn import models
    except ImportError as error:
        raise UsageError(f"models need {error.name}", hint="pip install 'spqc[torch]'") from None
    outline = _fresh(models.outline(name, **settings))
    few = account_of(outline.graph).weights <= LOWERED_WEIGHTS
    if runs or (few if lower is None else lower):
        return _fresh(models.create(name, **settings, calibrate=runs))
    return outline


def _fresh(network: Any) -> Model:
    """Return a drawn network read without notices: nobody chose its numbers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Notice)
        return read_model(network)
