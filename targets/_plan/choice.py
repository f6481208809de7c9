"""Chooses the strategy of every kernel that begins with a weighted sum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spqc.cost.density import assumed, measured
from spqc.cost.prices import priced
from spqc.foundation.errors import UsageError
from spqc.foundation.options import nearest
from spqc.ir.program import Kernel, Program
from spqc.plugins.target import Advice, Finding
from spqc.targets._plan.machine import Machine

from .constants import Constants
from .geometry import is_wide, region
from .key import key_of
from .rates import rates_for
from .strategy import Choice, Settings, Site, Strategy

AUTO = "auto"
_NO_ADVICE = Advice()


@dataclass(frozen=True)
class Chooser:
    """The choice among the strategies of one target."""

    strategies: Mapping[str, Strategy]

    def require(self, name: str) -> None:
        """Raise UsageError where no strategy has this name."""
        known = [AUTO, *self.strategies]
        if name not in known:
            raise UsageError(f"there is no kernel strategy '{name}'", hint=nearest(name, known))

    def choose_all(
        self, program: Program, machine: Machine, constants: Constants, advice: Advice, wanted: str = AUTO
    ) -> dict[str, Choice]:
        """Return the choice for every kernel that begins with a weighted sum, by the kernel's name."""
        sites = (site(program, kernel, machine, constants, advice) for kernel in program.kernels)
        return {s.region.kernel.name: self.choose(s, wanted, advice) for s in sites if s is not None}

    def choose(self, site: Site, wanted: str = AUTO, advice: Advice = _NO_ADVICE) -> Choice:
        """Return how a kernel is emitted: the fastest that was measured, else what is predicted to be fastest.

        `wanted` names the one strategy to take wherever it serves.
        """
        refusal = self.strategies[wanted].refuses(site) if wanted != AUTO else ""
        names = self.serving(site) if wanted == AUTO or refusal else [wanted]
        finding = self._finding(site, names, advice)
        if finding is not None:
            reason = f"measured {_shown(finding.time_ns)} on {finding.date}"
            return self._choice(site, finding.strategy, finding.settings, reason, finding)
        settings = {name: self._proposal(site, name) for name in names}
        if wanted != AUTO and not refusal:
            return self._choice(site, wanted, settings[wanted], "as asked for")
        times = sorted((self.predict(site, name, settings[name]), name) for name in names)
        others = ", ".join(f"{name} {_shown(ns)}" for ns, name in times[1:])
        reason = f"predicted fastest; {others}" if others else "no other serves"
        best = times[0][1]
        return self._choice(site, best, settings[best], f"{wanted} refuses: {refusal}; {reason}" if refusal else reason)

    def serving(self, site: Site) -> list[str]:
        """Return the names of the strategies that can compute a kernel."""
        return [name for name, strategy in self.strategies.items() if not strategy.refuses(site)]

    def as_asked(self, site: Site, name: str, settings: Settings) -> Choice:
        """Return a choice that somebody else made."""
        return self._choice(site, name, settings, "as asked for")

    def predict(self, site: Site, name: str, settings: Settings) -> float:
        """Return the nanoseconds that one sample's kernel should take."""
        strategy = self.strategies[name]
        rates = {**strategy.rates, **site.rates.get(name, {})}
        return priced(strategy.features(site, settings), rates)

    def _finding(self, site: Site, names: Sequence[str], advice: Advice) -> Finding | None:
        """Return the fastest that was measured of the given strategies, with settings that they still have."""
        for finding in advice.findings.get(key_of(site), ()) if advice.findings else ():
            if finding.strategy in names:
                space = self.strategies[finding.strategy].space(site)
                if any(dict(settings) == dict(finding.settings) for settings in space):
                    return finding
        return None

    def _proposal(self, site: Site, name: str) -> Settings:
        """Return the settings of a strategy that are predicted to be fastest; the first of equals."""
        return min(self.strategies[name].proposed(site), key=lambda settings: self.predict(site, name, settings))

    def _choice(self, site: Site, name: str, settings: Settings, reason: str, finding: Finding | None = None) -> Choice:
        kernel = site.region.kernel
        layer = kernel.ops[0].origin.partition(" ")[0] or kernel.ops[0].out.name
        ns = self.predict(site, name, settings)
        return Choice(kernel.name, layer, name, settings, reason, site.density, ns, finding is not None)


def site(
    program: Program, kernel: Kernel, machine: Machine, constants: Constants, advice: Advice = _NO_ADVICE
) -> Site | None:
    """Return what a choice for a kernel may look at; None where it begins with no weighted sum."""
    if is_wide(kernel):
        return None
    work = region(program, kernel)
    if work.sum is None:
        return None
    source = work.kernel.ops[0].inputs[0]
    chances = advice.chances.get(source.name)
    density = assumed(program.graph, source) if chances is None else measured(chances)
    return Site(program, work, machine, constants, density, rates_for(machine, advice))


def _shown(ns: float) -> str:
    return f"{ns / 1e3:.1f} us"
