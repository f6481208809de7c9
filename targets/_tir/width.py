"""How wide emitted vectors are. No TVM: plans count in such vectors too."""

from __future__ import annotations

LANES = 16
"""Elements of one vector of emitted code; programs that are emitted have tiles of so many channels."""

ALIGNMENT = 64
"""Bytes of a cache line, and of the widest vector: buffers of emitted programs lie on such boundaries."""
