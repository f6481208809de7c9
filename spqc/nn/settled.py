"""The former place of `read_once`, which a frontend still imports: see weight_cache.py."""

from .weight_cache import read_once

__all__ = ["read_once"]
