"""Networks too small for more than one torch thread."""

from one_thread import one_thread

__all__ = ["one_thread"]
