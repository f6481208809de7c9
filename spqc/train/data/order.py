"""The order of events in time: a clock that starts again is continued, an event that comes too late is refused."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import InputError

Integers = npt.NDArray[np.int64]

TURN = 1 << 32
MOST_LATE = 10_000_000
_LONGEST_PAUSE = 1 << 26
"""Microseconds, a minute: a counter that falls by less than a turn less this pause was reset, or its events swapped."""


@dataclass
class Clock:
    """A counter of microseconds of 32 bits that starts again after 2^32: about 72 minutes."""

    last: int | None = None
    turns: int = 0

    def continued(self, counted: npt.NDArray[Any]) -> Integers:
        """Return the times [n] of the next events of a file, without the jumps where the counter starts again."""
        count = counted.astype(np.int64)
        if not len(count):
            return count
        step = np.diff(count, prepend=count[0] if self.last is None else self.last)
        around = TURN - _LONGEST_PAUSE
        turns = self.turns + np.cumsum((step < -around).astype(np.int64) - (step > around))
        self.last, self.turns = int(count[-1]), int(turns[-1])
        return np.asarray(count + TURN * turns)


@dataclass
class Watch:
    """Follows the times of a recording; `allowed`: how many microseconds an event may come too late.

    seen: events so far; latest: the greatest time of them; late: how many came too late.
    """

    allowed: int = 0
    seen: int = 0
    latest: int | None = None
    late: int = 0

    def follow(self, times: Integers, numbers: Integers | None = None) -> None:
        """Take the next times [n]; InputError names the first event that comes too late.

        numbers: of the events in their file, where events without a pixel lie between them.
        """
        if not len(times):
            return
        first = int(times[0]) if self.latest is None else self.latest
        before = np.maximum.accumulate(np.concatenate([[first], times]))
        behind = before[:-1] - times
        if (behind > self.allowed).any():
            place = int(np.argmax(behind > self.allowed))
            number = self.seen + place if numbers is None else int(numbers[place])
            raise _too_late(number, int(times[place]), int(before[place]))
        self.seen, self.latest = self.seen + len(times), int(before[-1])
        self.late += int(np.count_nonzero(behind > 0))


def _too_late(number: int, time: int, latest: int) -> InputError:
    behind, hint = latest - time, "was a counter reset, or were packets swapped?"
    if behind <= MOST_LATE:
        hint += f" where events may come late, the option late={behind} puts them in order and counts them"
    return InputError(
        f"the events are not in order of time: event {number} is of {time} us, after one of {latest} us", hint=hint
    )


def shared_counts(count: int) -> Integers:
    """Return zeros that this process shares with those that it forks, as the readers of a training are."""
    return np.frombuffer(mmap.mmap(-1, 8 * max(count, 1)), np.int64)[:count]
