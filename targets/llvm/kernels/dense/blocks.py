"""Chooses how many outputs, pixels and steps one turn of the dense kernel keeps in registers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from spqc.targets._plan.geometry import Map
from spqc.targets._plan.machine import Machine
from spqc.targets._tir.width import LANES

from .product import Product

_REGISTERS = 24  # accumulators of LANES 32-bit sums, of the 32 of AVX-512; the rest hold weights and inputs
_ROOM = 28  # for accumulators and weights, in the 32 registers of AVX-512
_FEWER = 10  # the same in vectors, of the 16 registers of other CPUs: with 14 LLVM spills
_COMPARISONS = 640  # in straight code: 24 neurons of 25 thresholds; more only makes compiling slow


@dataclass(frozen=True)
class Block:
    """`tiles` vectors of LANES outputs, `pixels` along a row, `steps` of time."""

    tiles: int
    pixels: int
    steps: int

    @property
    def accumulators(self) -> int:
        return self.tiles * self.pixels * self.steps


def budget(features: frozenset[str], bits: int = 32) -> int:
    """Return how many accumulators and weights of LANES elements of so many bits stay in registers."""
    if "avx512f" in features:
        return _ROOM
    width = 256 if "avx2" in features else 128
    return max(2, _FEWER * width // (LANES * bits))


def choose_block(output: Map, steps: int, thresholds: int = 1, room: int = _ROOM) -> Block:
    """Return the block with the least cost: vector loads and wasted columns a useful multiply-accumulate."""
    return min(blocks(output, steps, thresholds, room), key=lambda block: (_cost(block, output), -block.accumulators))


def blocks(output: Map, steps: int, thresholds: int = 1, room: int = _ROOM) -> list[Block]:
    """Return every block that fits the registers: accumulators, and the weights of a row."""
    registers = max(4, min(_REGISTERS, _COMPARISONS // thresholds))
    all_tiles = output.padded // LANES
    return [
        Block(tiles, pixels, window)
        for tiles in _divisors(all_tiles, 4)
        for window in _divisors(steps, registers)
        for pixels in range(1, min(output.width, registers) + 1)
        if tiles * pixels * window <= min(registers, room - tiles)
    ]


def _cost(block: Block, output: Map) -> float:
    rounded = math.ceil(output.width / block.pixels) * block.pixels
    waste = rounded / output.width
    # one broadcast load a pixel and step, one weight load a tile; two loads a cycle against two multiplies
    inner = max(block.accumulators, block.pixels * block.steps + block.tiles) / block.accumulators
    latency = max(1.0, 10 / block.accumulators)  # too few independent sums leave the multiplier waiting
    return waste * inner * latency + 0.02 * (block.pixels * block.steps + block.tiles) / block.accumulators


def _divisors(n: int, most: int) -> list[int]:
    return [d for d in range(1, min(n, most) + 1) if n % d == 0]


def room(machine: Machine, product: Product | None) -> int:
    """Return how many accumulators and weights of a product stay in registers."""
    return budget(machine.features, 16 if product is not None and product.narrow else 32)
