"""Gives every thread of a pool cores of its own while it computes: never two on one core while another core is idle.

Threads that wait for each other spin. Once two of them are on one core, both look busy and both ran a moment ago, which
is when Linux leaves threads where they are: they share the core for many calls, and two threads are no faster than one.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any


class _Group(ctypes.Structure):
    """TVM's TVMParallelGroupEnv."""

    _fields_ = (("sync", ctypes.c_void_p), ("tasks", ctypes.c_int32))


TASK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.POINTER(_Group), ctypes.c_void_p)


def share(cores: set[int], place: int, threads: int) -> set[int]:
    """Return the cores of one of several threads: every `threads`th, or all of them where there are fewer than threads.

    Dealt in turns, so that each thread finds cores near those of the others.
    """
    return set(sorted(cores)[place::threads]) if len(cores) >= threads else cores


class Cores(threading.local):
    """The threads that compute for the calling thread (TVM's pool is one for each caller), apart inside `with`.

    The calling thread gets back the cores it had. `launch` runs a task on every thread of the pool, the caller's first.
    """

    def __init__(self, launch: Callable[[Any, None, int], int]) -> None:
        self.launch = launch
        self.all: set[int] = set()
        self.own: set[int] = set()

    def __enter__(self) -> None:
        found = os.sched_getaffinity(0)
        if found != self.all:
            self._deal(found)
        _move(self.own)

    def __exit__(self, *_: object) -> None:
        _move(self.all)

    def _deal(self, cores: set[int]) -> None:
        """Give each thread its share; the first time, this starts them."""

        def place(task: int, group: Any, _: Any) -> int:
            found = share(cores, task, group.contents.tasks)
            _move(found)
            if task == 0:
                self.own = found
            return 0

        self.launch(TASK(place), None, 0)
        self.all = cores


def _move(cores: set[int]) -> None:
    """Let the calling thread run on these cores only, where the system allows it: places change times, not results."""
    with suppress(OSError):
        os.sched_setaffinity(0, cores)
