"""The model zoo: every module beside this file is a model, created by its name."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import Any

from spqc.foundation.errors import UsageError

from .. import builder, calibration, config, initialisation
from ..network import NetworkSignature, SpikingNetwork


def available() -> list[str]:
    """Return the names of all models, sorted."""
    return sorted(_modules())


def option_names(name: str) -> set[str]:
    """Return the names of every option that `create` takes for a model. Raises UsageError for an unknown model."""
    return config.option_names() | {field.name for field in dataclasses.fields(find(name).Options)}


def defaults(name: str) -> dict[str, Any]:
    """Return the options that a model sets unless told otherwise."""
    model = find(name)
    return {**model.DEFAULTS, **getattr(model, "VARIANTS", {}).get(spelled(name), {})}


def create(name: str, **options: Any) -> SpikingNetwork:
    """Return a fresh network in evaluation mode; the same options give the same weights, whatever the global seeds.

    A model module holds `DEFAULTS` (its common options), `Options` (a frozen dataclass of its own) and
    `layers(options, network_options)` (specifications for the builder). It makes one model, of its own name with
    dashes, or those that its `VARIANTS` name, each with the options that it sets.
    Raises UsageError for an unknown model or option, ModelError for layers that do not fit.
    """
    network, chosen = _made(name, options, draw=True)
    if chosen.calibrate:
        calibration.calibrate_fresh(network, chosen.seed)
    return network.eval()


def rebuild(name: str, config: Mapping[str, Any]) -> SpikingNetwork:
    """Return the network of a configuration in evaluation mode, its parameters not drawn. Raises like `create`."""
    return _made(name, {**config, "calibrate": False}, draw=False)[0].eval()


def outline(name: str, **options: Any) -> SpikingNetwork:
    """Return a network to be counted and not run: nothing is drawn, and its graph has no array of weights.

    Where a width depends on the weights themselves (integer membranes), they are drawn. Raises like `create`.
    """
    network, chosen = _made(name, options, draw=False)
    if any(layer.options.neuron.is_integer for _, layer in network.spiking_layers()):
        initialisation.initialise(network, chosen.seed)
    else:
        network.outline = True
    return network.eval()


def _made(name: str, options: Mapping[str, Any], *, draw: bool) -> tuple[SpikingNetwork, config.NetworkOptions]:
    model = find(name)
    own = {field.name for field in dataclasses.fields(model.Options)}
    config.require_known(options, option_names(name), f"model '{name}'")
    chosen = {**defaults(name), **options}
    network_options = config.parse(chosen)
    model_options = model.Options(**{key: value for key, value in chosen.items() if key in own})
    specs: Sequence[builder.Spec] = model.layers(model_options, network_options)
    signature = _signature(spelled(name), network_options, model_options)
    return builder.build(specs, network_options, signature, draw=draw), network_options


def spelled(name: str) -> str:
    """Return a model's name as it is listed: with dashes, where underscores were given."""
    dashed = name.replace("_", "-")
    return dashed if dashed in _modules() else name


def find(name: str) -> ModuleType:
    """Return the module that makes a model. Raises UsageError for an unknown one."""
    modules, name = _modules(), spelled(name)
    if name not in modules:
        near = difflib.get_close_matches(name, modules, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"the models are {', '.join(sorted(modules))}"
        raise UsageError(f"unknown model {name!r}", hint=hint)
    return modules[name]


@cache
def _modules() -> dict[str, ModuleType]:
    """Return the module of every model by the model's name."""
    names = (module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    return {name: module for module in modules for name in _names(module)}


def _names(module: ModuleType) -> Sequence[str]:
    own = module.__name__.rpartition(".")[2].replace("_", "-")
    return tuple(getattr(module, "VARIANTS", ())) or (own,)


def _signature(name: str, options: config.NetworkOptions, own: Any) -> NetworkSignature:
    plain = {**config.plain(options), **config.plain_fields(own)}
    return NetworkSignature(name, plain, options.inputs, options.in_shape, options.steps, options.classes)
