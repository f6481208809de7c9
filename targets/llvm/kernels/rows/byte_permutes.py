"""The byte permutes of CPUs: what look-ups and tables of thresholds are made with. No TVM."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Permute:
    """A CPU's byte permute: `vector` lanes at once, each out of a table of 2**inputs bytes.

    `vectors` of lanes are in registers at once, for so many `outputs` that their accumulators stay there.
    """

    features: frozenset[str]
    vector: int
    inputs: int
    vectors: int
    registers: int  # accumulators

    def outputs(self, vectors: int) -> int:
        """Return how many outputs are summed at once: a power of two, so that it divides 16."""
        return 1 << max(0, min(8, self.registers // vectors).bit_length() - 1)


PERMUTES = (
    Permute(frozenset({"avx512f", "avx512bw", "avx512vbmi"}), vector=64, inputs=6, vectors=5, registers=20),
    Permute(frozenset({"avx2"}), vector=32, inputs=4, vectors=4, registers=8),
    Permute(frozenset({"ssse3"}), vector=16, inputs=4, vectors=4, registers=8),
)


def permute_of(features: frozenset[str]) -> Permute | None:
    """Return the widest byte permute of a CPU, None where it has none."""
    return next((p for p in PERMUTES if features >= p.features), None)
