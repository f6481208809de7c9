"""Spike attention: AND and popcount for the product of two spike maps, masked sums for the product with the third.

The first product is of spikes: 64 tokens (`kv`) or 64 channels of a head (`qk`) share a word, and a lane counts the
bits that two words have in common. Heads that are no whole vectors, and codes above 1, take plain loops.
"""

from __future__ import annotations

from dataclasses import dataclass

from tvm import tirx
from tvm.tirx.script import builder as T

from spqc.ir.ops import Attention
from spqc.targets._tir.context import Context
from spqc.targets._tir.memory import Place
from spqc.targets._tir.vector import (
    Expr,
    Registers,
    bind,
    broadcast,
    cast,
    constant,
    i32,
    lane_numbers,
    lanes,
    loop,
    store,
)
from spqc.targets._tir.width import LANES

_WORD = 64
_BUNDLE = 4  # result vectors that one masked sum keeps in registers


def emit_attention(context: Context, op: Attention) -> None:
    """Emit one attention over all steps."""
    with loop(context.steps_of(op.out)) as t:
        emitter = _Emitter(context, op, t)
        spikes = all(value.type.encoding == "spike" for value in op.inputs)
        if not spikes or op.width % LANES:
            emitter.plain()
        elif op.first == "kv":
            emitter.keys_first()
        else:
            emitter.queries_first()


def _rounded(count: int) -> int:
    return -(-count // LANES) * LANES


@dataclass
class _Scratch:
    """A part of the kernel's scratch memory, counted in elements of `dtype`."""

    context: Context
    dtype: str
    base: int

    def __getitem__(self, index: Expr) -> Expr:
        return self.context.memory.view("arena", self.dtype)[i32(self.base) + index]

    def vector(self, index: Expr) -> Expr:
        return self.context.memory.view("arena", self.dtype)[lanes(i32(self.base) + index)]

    def put(self, index: Expr, value: Expr) -> None:
        T.buffer_store(self.context.memory.view("arena", self.dtype), value, [i32(self.base) + index])

    def put_vector(self, index: Expr, value: Expr) -> None:
        store(self.context.memory.view("arena", self.dtype), i32(self.base) + index, value)


class _Emitter:
    """Emits one step of one attention."""

    def __init__(self, context: Context, op: Attention, t: Expr) -> None:
        self.context, self.op = context, op
        self.q, self.k, self.v = ((context.place_of(value), self._step(value.type.clock, t)) for value in op.inputs)
        self.target, self.t = context.place_of(op.out), t
        self.heads, self.width, self.tokens = op.heads, op.width, op.tokens
        self.channels = op.heads * op.width
        self.used = 0

    @staticmethod
    def _step(clock: str, t: Expr) -> Expr:
        return i32(0) if clock == "const" else t

    def scratch(self, dtype: str, count: int) -> _Scratch:
        """Return room for `count` elements behind what this kernel uses already."""
        size = 8 if dtype == "int64" else 4
        start = self.used
        self.used += -(-count * size // _WORD) * _WORD
        return _Scratch(self.context, dtype, (self.context.reserve(self.used) + start) // size)

    def keys_first(self) -> None:
        """Emit Q (K^T V): a word holds 64 tokens of one channel."""
        words = -(-self.tokens // _WORD)
        keys, values = (self.scratch("int64", words * self.channels) for _ in range(2))
        sums = self.scratch("int32", self.channels * self.width)
        self._pack_tokens(self.k, keys)
        self._pack_tokens(self.v, values)
        with T.serial(0, self.heads) as h, T.serial(0, self.width) as d:
            row = bind(h * self.width + d)
            with loop(self.width // LANES) as tile:
                column = bind(tile * LANES)
                total = Registers("common", 1, "int64")
                total[0] = constant(0, "int64")
                with loop(words) as w:
                    common = values.vector(w * self.channels + h * self.width + column) & broadcast(
                        keys[w * self.channels + row]
                    )
                    total[0] = total[0] + tirx.popcount(bind(common))
                sums.put_vector(row * self.width + column, cast(total[0], "int32"))
        with self.context.parallel(self.tokens) as n, T.serial(0, self.heads) as h:
            self._masked_rows(n, h, sums)

    def _pack_tokens(self, source: tuple[Place, Expr], words: _Scratch) -> None:
        place, t = source
        with T.serial(0, -(-self.tokens // _WORD)) as w, T.serial(0, self.channels // LANES) as tile:
            word = Registers("word", 1, "int64")
            word[0] = constant(0, "int64")
            count = bind(tirx.min(i32(_WORD), i32(self.tokens) - w * _WORD))
            with T.serial(0, count) as bit:
                spikes = place.load(t, w * _WORD + bit, tile * LANES, "int64")
                word[0] = word[0] | (spikes << broadcast(bit.astype("int64")))
            words.put_vector(w * self.channels + tile * LANES, word[0])

    def _masked_rows(self, n: Expr, h: Expr, sums: _Scratch) -> None:
        """Add up the rows of K^T V that a token's query selects."""
        place, t = self.q
        for first in range(0, self.width // LANES, _BUNDLE):
            tiles = range(first, min(first + _BUNDLE, self.width // LANES))
            total = Registers("attended", len(tiles))
            for i, _ in enumerate(tiles):
                total[i] = constant(0, "int32")
            with T.serial(0, self.width) as d:
                row = bind(h * self.width + d)
                mask = bind(broadcast(i32(0) - place.element(t, n, row)))
                for i, tile in enumerate(tiles):
                    total[i] = total[i] + (sums.vector(row * self.width + tile * LANES) & mask)
            for i, tile in enumerate(tiles):
                self.target.store(self.t, n, h * self.width + tile * LANES, total[i])

    def queries_first(self) -> None:
        """Emit (Q K^T) V: a word holds 64 channels of one token; scores are stored a row a query."""
        words, tokens = -(-self.width // _WORD), _rounded(self.tokens)
        queries, keys = (self.scratch("int64", words * tokens) for _ in range(2))
        scores = self.scratch("int32", tokens)
        with T.serial(0, self.heads) as h:
            self._pack_channels(self.q, h, queries, tokens)
            self._pack_channels(self.k, h, keys, tokens)
            with T.serial(0, self.tokens) as n:
                with loop(tokens // LANES) as tile:
                    total = Registers("common", 1, "int64")
                    total[0] = constant(0, "int64")
                    with loop(words) as w:
                        common = keys.vector(w * tokens + tile * LANES) & broadcast(queries[w * tokens + n])
                        total[0] = total[0] + tirx.popcount(bind(common))
                    scores.put_vector(tile * LANES, cast(total[0], "int32"))
                self._weighted_values(n, h, scores)

    def _pack_channels(self, source: tuple[Place, Expr], h: Expr, words: _Scratch, tokens: int) -> None:
        place, t = source
        for w in range(-(-self.width // _WORD)):
            with T.serial(0, tokens) as n:
                word = Registers("word", 1, "int64")
                word[0] = constant(0, "int64")
                with T.If(n < i32(self.tokens)), T.Then():
                    for part in range(w * _WORD, min((w + 1) * _WORD, self.width), LANES):
                        spikes = place.load(t, n, h * self.width + part, "int64")
                        word[0] = word[0] | (spikes << (lane_numbers("int64") + constant(part % _WORD, "int64")))
                together = T.call_llvm_pure_intrin("int64", "llvm.vector.reduce.or.v16i64", word[0])
                words.put(w * tokens + n, together)

    def _weighted_values(self, n: Expr, h: Expr, scores: _Scratch) -> None:
        """Add up the values of all tokens, each times its score."""
        place, t = self.v
        for first in range(0, self.width // LANES, _BUNDLE):
            tiles = range(first, min(first + _BUNDLE, self.width // LANES))
            total = Registers("attended", len(tiles))
            for i, _ in enumerate(tiles):
                total[i] = constant(0, "int32")
            with T.serial(0, self.tokens) as m:
                score = bind(broadcast(scores[m]))
                for i, tile in enumerate(tiles):
                    spikes = place.load(t, m, h * self.width + tile * LANES)
                    total[i] = total[i] + (score & (constant(0, "int32") - spikes))
            for i, tile in enumerate(tiles):
                self.target.store(self.t, n, h * self.width + tile * LANES, total[i])

    def plain(self) -> None:
        """Emit either order in scalar loops."""
        (q, tq), (k, tk), (v, tv) = self.q, self.k, self.v
        inner = self.width if self.op.first == "kv" else self.tokens
        sums = self.scratch("int32", inner * inner)
        with T.serial(0, self.heads) as h:
            start = bind(h * self.width)
            with T.grid(inner, inner) as (i, j):
                total = _Total()
                if self.op.first == "kv":
                    with T.serial(0, self.tokens) as m:
                        total.add(k.element(tk, m, start + i) * v.element(tv, m, start + j))
                else:
                    with T.serial(0, self.width) as d:
                        total.add(q.element(tq, i, start + d) * k.element(tk, j, start + d))
                sums.put(i * inner + j, total.value)
            with T.grid(self.tokens, self.width) as (n, e):
                total = _Total()
                with T.serial(0, inner) as i:
                    if self.op.first == "kv":
                        total.add(q.element(tq, n, start + i) * sums[i * inner + e])
                    else:
                        total.add(sums[n * inner + i] * v.element(tv, i, start + e))
                self.target.put(self.t, n, start + e, total.value)


class _Total:
    """A scalar that is added to."""

    def __init__(self) -> None:
        self.buffer = T.alloc_buffer((1,), "int32")
        T.buffer_store(self.buffer, i32(0), [0])

    @property
    def value(self) -> Expr:
        return self.buffer[0]

    def add(self, more: Expr) -> None:
        T.buffer_store(self.buffer, self.buffer[0] + more, [0])
