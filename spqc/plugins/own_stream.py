"""The stream of those who call `step` without asking for one: it belongs to whoever took its first step."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable
from typing import Protocol

from spqc.foundation.errors import InputError, UsageError
from spqc.foundation.locks import ForkLock
from spqc.ir.types import Array


class Steps(Protocol):
    """A stream, as far as it matters here."""

    @property
    def samples(self) -> int: ...

    def step(self, frame: Array) -> Array: ...


class OwnStream:
    """One stream for one caller: a thread, or a task of asyncio.

    Another one's step, or a batch of another size before `reset`, is an error: nobody can tell by a frame whose it is.
    """

    def __init__(self) -> None:
        self._lock = ForkLock()
        self._live: Steps | None = None
        self._owner: object = None

    def step(self, begin: Callable[[int], Steps], frame: Array) -> Array:
        """Advance by a frame [N, ...]; the first one begins a stream of N samples, which the caller then owns."""
        with self._lock.now:
            stream, samples = self._live, len(frame) if frame.ndim else 0
            if stream is None:
                stream = begin(samples)
            elif self._owner is not caller():
                raise UsageError(
                    "another thread or task is in the middle of this stream",
                    hint="take `artifact.stream()` for each client; reset() begins anew and ends the other's stream",
                )
            elif stream.samples != samples:
                raise InputError(
                    f"the stream holds {stream.samples} samples, but the frame {samples}",
                    hint="call reset() before another batch, or take `artifact.stream()` for each client",
                )
            result = stream.step(frame)
            self._live, self._owner = stream, caller()
            return result

    def reset(self) -> None:
        """Forget the stream: whoever takes the next step begins one, and owns it."""
        with self._lock.now:
            self._live = self._owner = None


_here = threading.local()


def caller() -> object:
    """Return what stands for the running task of asyncio, or for the running thread; an object of its own for each."""
    if "asyncio" in sys.modules:
        from asyncio import current_task

        with contextlib.suppress(RuntimeError):  # no loop runs in this thread
            task = current_task()
            if task is not None:
                return task
    if not hasattr(_here, "thread"):
        _here.thread = object()
    return _here.thread
