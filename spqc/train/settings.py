"""From the words of a command to everything that decides the weights: network options, recipe, data, device."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spqc.foundation.errors import UsageError
from spqc.foundation.options import nearest
from spqc.nn import models

from . import presets, recipes
from .recipes import Recipe


@dataclass(frozen=True)
class Settings:
    """One training. Two trainings of equal settings, on one machine and torch, end with the same weights."""

    model: str
    data: str
    preset: str = "quant"
    seed: int = 0
    device: str = "cpu"
    amp: bool = False
    processes: int = 1
    flow: str = "spiking"
    network: Mapping[str, Any] = field(default_factory=dict)
    recipe: Recipe = field(default_factory=Recipe)

    def plain(self) -> dict[str, Any]:
        """Return the settings as flat plain values, for a file and for comparison."""
        top = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in ("network", "recipe")}
        own = {f.name: getattr(self.recipe, f.name) for f in dataclasses.fields(Recipe) if f.name != "network"}
        flat: dict[str, Any] = json.loads(json.dumps({**top, **own, **self.network}))
        return flat


RECIPE_NAMES = frozenset(f.name for f in dataclasses.fields(Recipe)) - {"network", "source"}


def resolve(
    model: str, data: str, preset: str | None, chosen: Mapping[str, Any], *, steps_of_data: bool = False, **top: Any
) -> Settings:
    """Return the settings of a model on a data set: the recipe, the preset over it, and what was chosen over both.

    chosen: recipe fields and network options by name; `LAYER.key` overrides `key` of one layer's specification.
    steps_of_data: the number of frames was chosen with the data set, so that the recipe's steps do not count.
    Raises UsageError for an unknown name or a wrong value.
    """
    row = recipes.row(model, data)
    preset = row.preset if preset is None else preset
    words = presets.find(preset)
    own = split(model, chosen)
    try:
        recipe = dataclasses.replace(row.recipe, **{**words.recipe, **own["recipe"]}, network={})
    except TypeError as error:
        raise UsageError(f"a value of the recipe has the wrong kind: {error}") from None
    usual = {key: value for key, value in row.recipe.network.items() if key != "steps" or not steps_of_data}
    network = {**usual, **words.network, **own["network"]}
    return Settings(model, data, preset, flow=words.flow, network=network, recipe=recipe, **top)


def split(model: str, chosen: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what was chosen as {'recipe': ..., 'network': ...}; UsageError names the nearest known option."""
    known = models.option_names(model)
    parts: dict[str, dict[str, Any]] = {"recipe": {}, "network": {}}
    for name, value in chosen.items():
        layer, dot, key = name.rpartition(".")
        if dot:
            parts["network"].setdefault("overrides", {}).setdefault(layer, {})[key] = value
        elif name in RECIPE_NAMES:
            parts["recipe"][name] = value
        elif name in known:
            parts["network"][name] = value
        else:
            raise UsageError(
                f"there is no option {name!r} of model '{model}'", hint=nearest(name, known | RECIPE_NAMES)
            )
    return parts


def read_value(text: str) -> Any:
    """Return the value of `--set key=value`: JSON where it is JSON, none, or the text itself."""
    if text.lower() in ("none", "null"):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text


def read_assignments(texts: tuple[str, ...]) -> dict[str, Any]:
    """Return {key: value} of `key=value` texts. Raises UsageError."""
    values: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"cannot read --set {text!r}", hint="write key=value, e.g. --set weight_bits=2")
        values[key.strip().replace("-", "_") if "." not in key else key.strip()] = read_value(value.strip())
    return values


def difference(saved: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return what differs between two plain settings, one line each."""
    names = [*saved, *(name for name in wanted if name not in saved)]
    return [
        f"{name} was {saved.get(name)!r} and is {wanted.get(name)!r}"
        for name in names
        if saved.get(name) != wanted.get(name)
    ]


def network_options(settings: Settings, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of models.create: the data's facts, then the settings, the seed."""
    return {**facts, **settings.network, "seed": settings.seed}
