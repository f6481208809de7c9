"""How large a region of memory may be: compiled code counts bytes and elements in 32 bits."""

from __future__ import annotations

from spqc.foundation.errors import ModelError

MOST_BYTES = 2**31 - 2**20
"""Of one region; what is left below 2^31 is more than a vector that begins inside may reach beyond the end."""


def check_extent(size: int, what: str) -> None:
    """Raise ModelError where a region of `size` bytes, named by `what` it holds, is too large to be indexed."""
    if size > MOST_BYTES:
        raise ModelError(
            f"its {what} take {size:,} bytes, and compiled code indexes up to {MOST_BYTES:,}",
            hint="use a smaller network, fewer steps, or the target 'reference'",
        )
