"""Locks that a forked process finds open, whatever threads of its parent held."""

from __future__ import annotations

import os
import threading
from weakref import WeakSet


class ForkLock:
    """A lock for `with lock.now:`; a child process gets a new one, since the thread that held it is not there."""

    def __init__(self) -> None:
        self.now = threading.RLock()
        _known.add(self)


_known: WeakSet[ForkLock] = WeakSet()


def _renew() -> None:
    for lock in list(_known):
        lock.now = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
