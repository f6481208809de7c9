"""Chooses the strategy of every kernel that begins with a weighted sum."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from functools import cache
from importlib import import_module

from spqc.contracts import Advice, Finding
from spqc.errors import UsageError
from spqc.ir.program import Kernel, Program
from spqc.options import nearest

from . import strategies as modules
from .constants import Constants
from .context import Machine
from .density import assumed, measured
from .geometry import is_wide, region
from .key import key_of
from .rates import rates_for
from .strategy import Choice, Settings, Site, Strategy

AUTO = "auto"
_NO_ADVICE = Advice()


@cache
def strategies() -> dict[str, Strategy]:
    """Return every strategy by its name: one for each module of the folder."""
    names = sorted(m.name for m in pkgutil.iter_modules(modules.__path__) if not m.name.startswith("_"))
    found = [import_module(f"{modules.__name__}.{name}").STRATEGY() for name in names]
    return {strategy.name: strategy for strategy in found}


def check_name(name: str) -> None:
    """Raise UsageError where no strategy has this name."""
    known = [AUTO, *strategies()]
    if name not in known:
        raise UsageError(f"there is no kernel strategy '{name}'", hint=nearest(name, known))


def choose_all(
    program: Program, machine: Machine, constants: Constants, advice: Advice, wanted: str = AUTO
) -> dict[str, Choice]:
    """Return the choice for every kernel that begins with a weighted sum, by the kernel's name."""
    found = (site(program, kernel, machine, constants, advice) for kernel in program.kernels)
    return {s.region.kernel.name: choose(s, wanted, advice) for s in found if s is not None}


def site(
    program: Program, kernel: Kernel, machine: Machine, constants: Constants, advice: Advice = _NO_ADVICE
) -> Site | None:
    """Return what a choice for a kernel may look at; None where it begins with no weighted sum."""
    if is_wide(kernel):
        return None
    found = region(program, kernel)
    if found.sum is None:
        return None
    source = found.kernel.ops[0].inputs[0]
    chances = advice.chances.get(source.name)
    density = assumed(program.graph, source) if chances is None else measured(chances)
    return Site(program, found, machine, constants, density, rates_for(machine, advice))


def choose(site: Site, wanted: str = AUTO, advice: Advice = _NO_ADVICE) -> Choice:
    """Return how a kernel is emitted: the fastest that was measured, else what is predicted to be fastest.

    `wanted` names the one strategy to take wherever it serves.
    """
    refusal = strategies()[wanted].refuses(site) if wanted != AUTO else ""
    names = serving(site) if wanted == AUTO or refusal else [wanted]
    found = _found(site, names, advice)
    if found is not None:
        reason = f"measured {_shown(found.time_ns)} on {found.date}"
        return _choice(site, found.strategy, found.settings, reason, found)
    settings = {name: _proposal(site, name) for name in names}
    if wanted != AUTO and not refusal:
        return _choice(site, wanted, settings[wanted], "as asked for")
    times = sorted((predict(site, name, settings[name]), name) for name in names)
    others = ", ".join(f"{name} {_shown(ns)}" for ns, name in times[1:])
    reason = f"predicted fastest; {others}" if others else "no other serves"
    best = times[0][1]
    return _choice(site, best, settings[best], f"{wanted} refuses: {refusal}; {reason}" if refusal else reason)


def serving(site: Site) -> list[str]:
    """Return the names of the strategies that can compute a kernel."""
    return [name for name, strategy in strategies().items() if not strategy.refuses(site)]


def _found(site: Site, names: Sequence[str], advice: Advice) -> Finding | None:
    """Return the fastest that was measured of the given strategies, with settings that they still have."""
    for finding in advice.findings.get(key_of(site), ()) if advice.findings else ():
        if finding.strategy in names:
            space = strategies()[finding.strategy].space(site)
            if any(dict(settings) == dict(finding.settings) for settings in space):
                return finding
    return None


def as_asked(site: Site, name: str, settings: Settings) -> Choice:
    """Return a choice that somebody else made."""
    return _choice(site, name, settings, "as asked for")


def predict(site: Site, name: str, settings: Settings) -> float:
    """Return the nanoseconds that one sample's kernel should take."""
    strategy = strategies()[name]
    rates = {**strategy.rates, **site.rates.get(name, {})}
    return sum(rates[feature] * count for feature, count in strategy.features(site, settings).items())


def _proposal(site: Site, name: str) -> Settings:
    """Return the settings of a strategy that are predicted to be fastest; the first of equals."""
    return min(strategies()[name].proposed(site), key=lambda settings: predict(site, name, settings))


def _choice(site: Site, name: str, settings: Settings, reason: str, found: Finding | None = None) -> Choice:
    kernel = site.region.kernel
    layer = kernel.ops[0].origin.partition(" ")[0] or kernel.ops[0].out.name
    ns = predict(site, name, settings)
    return Choice(kernel.name, layer, name, settings, reason, site.density, ns, found is not None)


def _shown(ns: float) -> str:
    return f"{ns / 1e3:.1f} us"
