"""The CPU target behind the executor contract."""

from __future__ import annotations

from spqc.ir import Array
from spqc.plugins.executor import Executor, Package
from spqc.plugins.frontend import Observation

from ..loader.native import Library
from .engine import Engine, asked_to_check
from .stream import NativeStream


class NativeExecutor(Executor):
    """Runs the compiled functions `run` and `step`; `check`: under the memory checker, by default as SPQC_CHECK says.

    Calls of several threads wait for each other.
    """

    def __init__(self, package: Package, check: bool | None = None) -> None:
        self.engine = Engine(package, asked_to_check() if check is None else check)

    def run(self, x: Array) -> Array:
        return self.engine.run(x)

    def trace(self, x: Array) -> Observation:
        return self.engine.trace(x)

    def stream(self, samples: int) -> NativeStream:
        return NativeStream(self.engine, samples)

    def dirty(self, seed: int | None) -> None:
        self.engine.dirty(seed)

    def close(self) -> None:
        super().close()
        self.engine.close()

    @property
    def native(self) -> Library:
        """The loaded library."""
        return self.engine.native

    @property
    def state_bytes(self) -> int:
        """Bytes of packed state for one sample."""
        return int(self.engine.settings["state_bytes"])
