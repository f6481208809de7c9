"""Locks and forks: a forked process has one thread, and must not wait for what the others held."""

from __future__ import annotations

import os
import threading
from weakref import WeakSet


class ForkLock:
    """A lock for `with lock.now:`; a child process finds it open, since the thread that held it is not there."""

    def __init__(self) -> None:
        self.now = threading.RLock()
        _known.add(self)


_known: WeakSet[ForkLock] = WeakSet()


def _renew() -> None:
    for lock in list(_known):
        lock.now = threading.RLock()


no_fork = threading.RLock()
"""A fork waits until nobody holds it: for short calls of libraries whose own locks a child would find closed."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
    os.register_at_fork(before=no_fork.acquire, after_in_parent=no_fork.release, after_in_child=no_fork.release)
