"""Networks too small for more than one torch thread."""

from support.one_thread import one_thread

__all__ = ["one_thread"]
