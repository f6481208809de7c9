"""A stream of a compiled network: the packed states of its samples between two steps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import UsageError
from spqc.ir import Array, Value
from spqc.plugins.executor import Stream
from spqc.targets._plan.geometry import padded
from spqc.targets._tir.width import LANES

from .engine import Engine, agreed
from .workspace import Stage

Bytes = npt.NDArray[np.uint8]


class NativeStream(Stream):
    """Calls of `step` with state memory of their own; all else they share with the executor."""

    def __init__(self, engine: Engine, samples: int) -> None:
        self.samples = samples
        self._engine = engine
        self._size = int(engine.settings["state_bytes"])
        self._stages = engine.stages(samples)
        self._under_way = False
        self._write({})

    def step(self, frame: Array) -> Array:
        if len(frame) != self.samples:
            raise UsageError(f"the stream holds {self.samples} samples, but the frame {len(frame)}")
        with self._engine.lock.now:
            self._engine.opened()
            self._check_whole()
            codes = self._engine.checked("step", frame)
            self._under_way = True  # still set in a process that was forked meanwhile, and after an interrupt
            result = self._engine.step(self._stages, codes)
            self._under_way = False
            return result

    def states(self) -> dict[str, Array]:
        with self._engine.lock.now:
            self._engine.opened()
            self._check_whole()
            packed = agreed([self._packed(stages) for stages in self._stages])
        values = {v.name: v for v in self._engine.graph.states}
        return {slot["name"]: unpacked(packed, slot, values[slot["name"]]) for slot in self._engine.settings["states"]}

    def restore(self, states: Mapping[str, Array]) -> None:
        with self._engine.lock.now:
            self._engine.opened()
            self._write(states)
            self._under_way = False

    def _write(self, states: Mapping[str, Array]) -> None:
        """Set the given states, all others to their level 0, and the lanes that no channel has too."""
        packed = np.zeros((self.samples, self._size), np.uint8)
        for slot in self._engine.settings["states"]:
            pattern = sum(-slot["low"] << shift for shift in range(0, 8, slot["bits"]))
            packed[:, slot["offset"] : slot["offset"] + slot["bytes"]] = pattern
            if slot["name"] in states:
                pack_into(packed, slot, states[slot["name"]])
        for stages in self._stages:
            for part, own in zip(self._parts(stages), np.split(packed, self._ends(stages)), strict=True):
                part[:] = own

    def _packed(self, stages: list[Stage]) -> Bytes:
        return np.concatenate(list(self._parts(stages)))

    def _parts(self, stages: list[Stage]) -> Iterator[Bytes]:
        """Yield the states of each call: a view [N, bytes]."""
        for call in (call for stage in stages for call in stage.calls.each):
            yield call.memory["state"][: call.samples * self._size].reshape(call.samples, self._size)

    def _ends(self, stages: list[Stage]) -> list[int]:
        sizes = [call.samples for stage in stages for call in stage.calls.each]
        return [int(end) for end in np.cumsum(sizes)[:-1]]

    def _check_whole(self) -> None:
        if self._under_way:
            raise UsageError(
                "the stream was left in the middle of a step, by an interrupt or by a fork of the process",
                hint="call reset(), or load a state that was saved before",
            )


def unpacked(packed: Bytes, slot: Mapping[str, Any], value: Value) -> Array:
    """Return the codes [N, ...] of one state from packed states [N, bytes]; see kernels' `load_state`."""
    channels, pixels, lanes = _layout(value)
    bits, count = slot["bits"], pixels * lanes
    raw = np.ascontiguousarray(packed[:, slot["offset"] : slot["offset"] + count * bits // 8])
    if bits < 8:
        shifts = np.arange(0, 8, bits, dtype=np.uint8)
        fields = (raw[:, :, None] >> shifts) & np.uint8((1 << bits) - 1)
    else:
        fields = raw.view("u1" if bits == 8 else f"<i{bits // 8}")
    codes = fields.reshape(len(packed), pixels, lanes)[:, :, :channels].transpose(0, 2, 1).astype(np.int64)
    return codes.reshape(len(packed), *value.type.shape) + int(slot["low"])


def pack_into(packed: Bytes, slot: Mapping[str, Any], codes: Array) -> None:
    """Store codes [N, C, ...] as `unpacked` reads them; lanes without a channel keep what they have."""
    samples, channels = codes.shape[:2]
    pixels, lanes, bits = math.prod(codes.shape[2:]), padded(channels, LANES), slot["bits"]
    dtype = "u1" if bits <= 8 else f"<i{bits // 8}"
    fields = np.full((samples, pixels, lanes), -slot["low"], dtype)
    fields[:, :, :channels] = (codes.reshape(samples, channels, pixels) - slot["low"]).transpose(0, 2, 1)
    if bits < 8:
        shifts = np.arange(0, 8, bits, dtype=np.uint8)
        fields = np.bitwise_or.reduce(fields.reshape(samples, -1, 8 // bits) << shifts, axis=2, dtype=np.uint8)
    raw = np.ascontiguousarray(fields).reshape(samples, -1).view(np.uint8)
    packed[:, slot["offset"] : slot["offset"] + raw.shape[1]] = raw


def _layout(value: Value) -> tuple[int, int, int]:
    """Return channels, pixels, and the lanes that the channels of one pixel take."""
    channels, *sides = value.type.shape
    return channels, math.prod(sides), padded(channels, LANES)
