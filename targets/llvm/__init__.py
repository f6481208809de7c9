"""The CPU target: TIR kernels compiled by LLVM into one function an inference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from spqc.foundation.errors import Unavailable, UsageError
from spqc.ir import Graph
from spqc.ir.program import Program
from spqc.plugins.executor import Package
from spqc.plugins.pricing import KernelCount
from spqc.plugins.target import Advice, Binary, Target
from spqc.plugins.tuning import Lesson, Tracker, Tuner
from spqc.targets._tir.width import ALIGNMENT, LANES

from .cpu import architecture, missing_features
from .execution.executor import NativeExecutor
from .loader.checks import MOST_THREADS, checked

_GRAPH = (
    "fold-neurons,remove-dead,absorb-direction,lower-power-of-two,hoist-constant,"
    "narrow-accumulators,fix-point,combine-branches,remove-dead,associate-attention"
)
_LOWER = (
    f"form-kernels{{{{tile={LANES} alignment={ALIGNMENT}}}}},"
    "fuse-time{{mode={mode}}},pack-spikes,skip-masked,plan-memory"
)


@dataclass(frozen=True)
class Llvm(Target):
    """Compile for a CPU: `cpu` is LLVM's name of it (`host`: this machine), `threads` how many an inference uses.

    `strategy`: one kernel strategy wherever it serves, or `auto`: the fastest for each kernel.
    """

    cpu: str = "host"
    threads: int = 1
    strategy: str = "auto"
    name: ClassVar[str] = "llvm"

    def pipeline(self) -> str:
        return _GRAPH

    def lowerings(self) -> Mapping[str, str]:
        return {"run": _LOWER.format(mode="fused"), "step": _LOWER.format(mode="stepped")}

    def check(self, graph: Graph) -> list[str]:
        from .lowering import unsupported

        return unsupported(graph)

    def emit(self, graph: Graph, programs: Mapping[str, Program], advice: Advice) -> Binary:
        from .compile import build

        if not 1 <= self.threads <= MOST_THREADS:
            what = f"'llvm{{threads={self.threads}}}' is not possible"
            raise UsageError(what, hint=f"threads is 1 to {MOST_THREADS}")
        return build(graph, programs, self, advice)

    def tuner(
        self, graph: Graph, programs: Mapping[str, Program], advice: Advice, tracker: Tracker | None = None
    ) -> Tuner:
        from .tuning.tuner import tuner

        return tuner(graph, programs, self, advice, tracker)

    def lessons(self) -> Sequence[Lesson]:
        from .tuning.lessons import lessons

        return lessons()

    def count(self, graph: Graph, program: Program, advice: Advice) -> Sequence[KernelCount]:
        from .counting import count, machine_of

        return count(graph, program, advice, machine_of(self.cpu, self.threads, advice), self.strategy)

    @classmethod
    def require_ready(cls) -> None:
        from .loader.ready import require_loadable

        require_loadable()

    @classmethod
    def open(cls, package: Package) -> NativeExecutor:
        settings = checked(package).settings
        if settings["architecture"] != architecture():
            raise Unavailable(
                f"the artifact is built for {settings['architecture']}, this machine is {architecture()}",
                hint="compile it on this machine",
            )
        missing = missing_features(settings["features"])
        if missing:
            needs = f"needs {', '.join(missing)}, which this CPU lacks"
            raise Unavailable(
                f"the artifact is built for cpu '{settings['cpu']}' and {needs}",
                hint="compile it with --target llvm (this machine) or --target 'llvm{cpu=x86-64-v3}'",
            )
        return NativeExecutor(package)


PLUGIN: Any = Llvm
