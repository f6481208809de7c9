"""The model zoo: every module beside this file is a model, created by its name."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import pkgutil
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from spqc.errors import UsageError

from .. import builder, calibration, config
from ..network import NetworkSignature, SpikingNetwork


def available() -> list[str]:
    """Return the names of all models, sorted."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def option_names(name: str) -> set[str]:
    """Return the names of every option that `create` takes for a model. Raises UsageError for an unknown model."""
    return config.option_names() | {field.name for field in dataclasses.fields(_find(name).Options)}


def defaults(name: str) -> dict[str, Any]:
    """Return the options that a model sets unless told otherwise."""
    return dict(_find(name).DEFAULTS)


def create(name: str, **options: Any) -> SpikingNetwork:
    """Return a fresh network in evaluation mode; the same options give the same weights, whatever the global seeds.

    A model module holds `DEFAULTS` (its common options), `Options` (a frozen dataclass of its own) and
    `layers(options, network_options)` (specifications for the builder).
    Raises UsageError for an unknown model or option, ModelError for layers that do not fit.
    """
    model = _find(name)
    own = {field.name for field in dataclasses.fields(model.Options)}
    config.require_known(options, option_names(name), f"model '{name}'")
    chosen = {**model.DEFAULTS, **options}
    network_options = config.parse(chosen)
    model_options = model.Options(**{key: value for key, value in chosen.items() if key in own})
    specs: Sequence[builder.Spec] = model.layers(model_options, network_options)
    network = builder.build(specs, network_options, _signature(name, network_options, model_options))
    if network_options.calibrate:
        calibration.calibrate_fresh(network, network_options.seed)
    return network.eval()


def _find(name: str) -> ModuleType:
    names = available()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"the models are {', '.join(names)}"
        raise UsageError(f"unknown model {name!r}", hint=hint)
    return importlib.import_module(f"{__name__}.{name}")


def _signature(name: str, options: config.NetworkOptions, own: Any) -> NetworkSignature:
    plain = {**config.plain(options), **config.plain_fields(own)}
    return NetworkSignature(name, plain, options.inputs, options.in_shape, options.steps, options.classes)
