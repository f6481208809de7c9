"""One stream of a compiled network: frames in, logits out, and its state as bytes to keep."""

from __future__ import annotations

from typing import Any, NoReturn, Protocol

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import InputError, UsageError
from spqc.foundation.locks import ForkLock
from spqc.ir import Array, Graph
from spqc.plugins.executor import Executor, Stream

from .saved_state import Saved, decode, encode

Logits = npt.NDArray[np.floating[Any]]


class Streamed(Protocol):
    """What a stream needs of the artifact that it runs."""

    @property
    def graph(self) -> Graph: ...
    @property
    def executor(self) -> Executor: ...
    @property
    def network_hash(self) -> bytes: ...
    def check_open(self) -> None: ...
    def frame(self, frame: npt.ArrayLike) -> Array: ...
    def to_logits(self, integers: Array) -> Logits: ...


class StreamSession:
    """A client of an artifact: any number of them, in any threads, know nothing of each other.

    Frames are as for `Artifact.step`. A session may move from one thread to another; its steps never overlap.
    """

    def __init__(self, artifact: Streamed) -> None:
        self._artifact = artifact
        self._lock = ForkLock()
        self._live: Stream | None = None
        self._count = 0

    @property
    def samples(self) -> int | None:
        """How many samples advance together; None before the first step."""
        live = self._live
        return None if live is None else live.samples

    @property
    def step_count(self) -> int:
        """How many steps were made since the beginning."""
        return self._count

    def step(self, frame: npt.ArrayLike) -> Logits:
        """Advance one step by a frame [N, ...] and return its logits [N, classes]. N stays the same until `reset`.

        Raises InputError for a frame that does not fit, which leaves the stream as it was, and UsageError where the
        artifact was closed, or where an interrupt, or a fork of the process, cut a step in two.
        """
        codes = self._artifact.frame(frame)
        with self._lock.now:
            executor = self._artifact.executor
            live = self._live or executor.stream(len(codes))
            if live.samples != len(codes):
                raise InputError(
                    f"the stream holds {live.samples} samples, but the frame {len(codes)}",
                    hint="call reset() before another batch, or take a second stream()",
                )
            logits = live.step(codes)
            self._live, self._count = live, self._count + 1
        return self._artifact.to_logits(logits)

    def reset(self) -> None:
        """Forget the state: the next `step` is the first, of any number of samples."""
        with self._lock.now:
            self._live, self._count = None, 0

    def state(self) -> bytes:
        """Return the state as bytes, for `load_state` of this network, in this process or another."""
        with self._lock.now:
            self._artifact.check_open()
            live = self._live
            samples, states = (0, {}) if live is None else (live.samples, live.states())
            return encode(Saved(samples, self._count, states), self._artifact.graph, self._artifact.network_hash)

    def load_state(self, content: bytes) -> None:
        """Go on where `state` was called; InputError for other bytes, which leaves this stream as it was."""
        saved = decode(content, self._artifact.graph, self._artifact.network_hash)
        with self._lock.now:
            executor = self._artifact.executor
            live = executor.stream(saved.samples) if saved.samples else None
            if live is not None:
                live.restore(saved.states)
            self._live, self._count = live, saved.step_count

    def __reduce__(self) -> NoReturn:
        raise UsageError("a stream cannot be copied or pickled", hint="keep its state(): bytes for load_state()")
