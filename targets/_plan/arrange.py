"""How constants lie for the kernels: packed weights of the artifact become the byte order that the loops read.

Only numpy: the runtime does this when it loads an artifact, without any compiler.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from spqc.ir.ops import Automaton
from spqc.ir.program import LANES

from .adder_programs import Programs
from .aligned import Bytes, aligned
from .constant_input_spikes import find_trains
from .digits import GROUP, Way, codes_of, in_order, pieces
from .threshold_tables import Entries, limits

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Arrangement:
    """One constant in the kernels' memory. `form`:

    `weight`: [tile][kernel row][kernel column and channel group][lane][group], from OxCxKxL (or OxI, via `map`);
    with two `parts`, only the high (0) or low (1) byte of each, w = 256 * high + low;
    `shifts`: the same order, each weight as sign bit 7, non-zero bit 6 and shift;
    `sparse`: the rows of `weight` that are not zero, tile after tile (with `fill`: as `shifts`); `places`: where the
    rows of each tile begin, then where each row finds its inputs, by `strides` (see kernels/sparse.py);
    `taps`: [tile][kernel row][kernel column][lane] from Cx1xKxL, of a depthwise convolution;
    `events`: [tile][block of `group` channels][kernel row][kernel column][channel, then zeros][words]: the bytes of two
    outputs in a word, `fill` added (see kernels/events.py); with two `parts` low bytes' words, then high bytes';
    `spread`: [tile][channel][kernel row][kernel column][lane];
    `bits`: [tile][word][plane][lane], 32 inputs a word, from ternary weights: those added, then those subtracted;
    `table`: [tile][row * k][lane] from RxKxC; `vector`: [padded channel];
    `codes`: digit `part` of the weights as codes, [tile of `group` outputs][K][output][code], K as `in_order` says for
    groups of `inputs` channels; each times `fill`, if any; `pieces`: what each code adds to a look-up table,
    [code's place][code][2**inputs];
    `limits`: thresholds to permute, vectors for `group` of `channels` outputs (see limits.py);
    `trains`: spikes of all `group` steps by places of the sum (see trains.py), of the automaton with `entries` for its
    next states, `part` the outcome it fires from, and what it carries;
    `programs`: programs of full adders for blocks of `group` channels, `split` bits of an input, `part` slices and
    vectors of `words` words (see sliced.py);
    `columns`: bits of pixels for which a kernel column lies within the map, [kernel column][word], by `strides`, each
    word `group` times.
    """

    name: str
    form: str
    dtype: str
    offset: int
    bytes: int
    kernel: tuple[int, int] = (1, 1)
    channels: int = 0
    padded_channels: int = 0
    groups: int = 1
    group: int = 1
    lanes: int = LANES
    fill: int = 0
    part: int = 0
    parts: int = 1
    rows_inside: bool = False
    way: tuple[str, int, int] = ("whole", 0, 1)
    alphabet: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    split: int = 1
    words: int = 8
    inputs: int = GROUP
    entries: tuple[int, ...] = ()
    carry: tuple[int, ...] = ()
    closed: tuple[int, ...] = ()

    def settings(self) -> dict[str, Any]:
        return asdict(self)


def from_settings(found: Mapping[str, Any]) -> Arrangement:
    settings: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in found.items()}
    return Arrangement(**settings)


def lay_out(arrangements: Sequence[Arrangement], data: Mapping[str, Integers], size: int) -> Bytes:
    """Return the kernels' constant memory."""
    memory = aligned(size)
    for a in arrangements:
        place = a.offset
        for part in _parts(a, data[a.name]):
            raw = np.ascontiguousarray(_arranged(a, part)).view(np.uint8).ravel()
            memory[place : place + raw.size] = raw
            place += raw.size
    return memory


def _parts(a: Arrangement, array: Integers) -> list[Integers]:
    """Return an array as pieces that are arranged one after the other: a tile of outputs takes little memory."""
    if a.form not in ("weight", "shifts", "codes", "bits", "events", "spread") or a.groups > 1:
        return [array]
    return [array[first : first + a.lanes] for first in range(0, len(array), a.lanes)]


def _arranged(a: Arrangement, array: Integers) -> npt.NDArray[Any]:
    return _FORMS[a.form](a, array).astype(a.dtype, copy=False)


def _whole(a: Arrangement, array: Integers) -> Integers:
    return _weight(a, array if a.parts == 1 else byte_of(array, a.part))


def _kept(a: Arrangement, array: Integers) -> Integers:
    weight: Integers = _whole(a, array)[rows_kept(a, array)]
    return _shift_codes(weight) if a.fill else weight


def _pieces(a: Arrangement, _: Integers) -> npt.NDArray[Any]:
    return pieces(a.alphabet, a.split, a.inputs)


def _limits(a: Arrangement, array: Integers) -> npt.NDArray[Any]:
    entries = Entries(a.entries, a.carry, a.closed)
    return limits(entries, array, channels=a.channels, together=a.group, dtype=a.dtype)


def _trains(a: Arrangement, array: Integers) -> Integers:
    op = Automaton((), (), "", following=a.entries, fires=a.part, carry=a.carry)
    return find_trains(op, array, a.channels, a.group).vectors(a.lanes)


def _table(a: Arrangement, array: Integers) -> Integers:
    rows, steps, channels = array.shape
    whole = _pad(array.reshape(rows * steps, channels), 1, a.lanes, a.fill)
    return whole.reshape(rows * steps, -1, a.lanes).transpose(1, 0, 2)


def _by_taps(a: Arrangement, array: Integers) -> Integers:
    if a.form == "spread":
        return _weight(a, array)[..., 0].transpose(0, 3, 1, 2, 4)
    rows = _pad(array.reshape(len(array), -1), 0, a.lanes)
    return rows.reshape(-1, a.lanes, rows.shape[1]).transpose(0, 2, 1)


def _codes(a: Arrangement, weight: Integers) -> Integers:
    values = _pad(Way(*a.way).values(weight, a.part), 0, a.lanes)
    codes = codes_of(in_order(values, a.kernel, a.rows_inside, a.inputs), a.alphabet, a.split)
    places: Integers = codes.reshape(-1, a.group, *codes.shape[1:]).transpose(0, 2, 1, 3) * max(1, a.fill)
    return places


def _bit_planes(a: Arrangement, array: Integers) -> npt.NDArray[np.uint32]:
    rows = _weight(a, array)[..., 0]
    inputs = _pad(rows.reshape(len(rows), -1, a.lanes), 1, 32)
    planes = np.stack([inputs > 0, inputs < 0], axis=1).reshape(len(rows), 2, -1, 32, a.lanes)
    packed = np.packbits(planes.transpose(0, 2, 1, 4, 3), axis=-1, bitorder="little")
    words: npt.NDArray[np.uint32] = np.ascontiguousarray(packed).view("<u4")[..., 0]
    return words


def _programs(a: Arrangement, array: Integers) -> Programs:
    return Programs(_pad(array.reshape(len(array), -1, *a.kernel), 0, a.lanes), a.group, a.split, a.part, a.words)


def _columns(a: Arrangement) -> npt.NDArray[np.uint8]:
    """Return bits by output pixel, a row for each kernel column, zeros up to whole words; each word repeated."""
    width, height, source, stride, padding = a.strides
    x = np.arange(width)[None] * stride + np.arange(a.kernel[1])[:, None] - padding
    inside = np.tile((x >= 0) & (x < source), (1, height))
    whole = np.zeros((len(inside), a.bytes // a.group // len(inside) * 8), np.bool_)
    whole[:, : inside.shape[1]] = inside
    words = np.packbits(whole, axis=1, bitorder="little").view(np.uint64)
    return np.repeat(words, a.group, axis=1).view(np.uint8)


def byte_of(weight: Integers, part: int) -> Integers:
    """Return the high (part 0) or low (part 1) signed byte of 16-bit weights: w = 256 * high + low."""
    weight = weight.astype(np.int64)
    high = (weight + 128) >> 8
    return high if part == 0 else weight - 256 * high


def _pad(array: Integers, axis: int, multiple: int, fill: int = 0) -> Integers:
    extra = -array.shape[axis] % multiple
    width = [(0, extra if i == axis else 0) for i in range(array.ndim)]
    return np.pad(array, width, constant_values=fill)


def _weight(a: Arrangement, array: Integers) -> Integers:
    out = array.shape[0]
    weight = array.reshape(out, -1, *a.kernel)
    if a.groups > 1:
        weight = _dense_groups(weight, a.groups)
    extra = a.padded_channels - weight.shape[1]
    weight = _pad(np.pad(weight, ((0, 0), (0, extra), (0, 0), (0, 0))), 0, a.lanes)
    tiles = weight.reshape(-1, a.lanes, a.padded_channels // a.group, a.group, *a.kernel)
    return tiles.transpose(0, 4, 5, 2, 1, 3)  # tile, ky, kx, channel group, lane, group


def _event_rows(a: Arrangement, array: Integers) -> Integers:
    bytes_ = [array] if a.parts == 1 else [byte_of(array, 1), byte_of(array, 0)]
    return np.concatenate([_words(a, _blocked(a, part)) for part in bytes_], axis=-1)


def _blocked(a: Arrangement, array: Integers) -> Integers:
    """Return [tile][block of `group` channels][ky][kx][channel, then zeros][lane]."""
    rows = _weight(replace(a, group=1), array)[..., 0]
    blocks = rows.reshape(*rows.shape[:3], -1, a.group, a.lanes).transpose(0, 3, 1, 2, 4, 5)
    return np.pad(blocks, [(0, 0)] * 4 + [(0, 1), (0, 0)])


def _words(a: Arrangement, rows: Integers) -> Integers:
    """Return [..., words] of [..., lanes]: word j of a vector holds its outputs j and j + half."""
    half = min(a.lanes // 2, 32)
    halves = rows.reshape(*rows.shape[:-1], -1, 2, half)
    words: Integers = 256 * halves[..., 1, :] + halves[..., 0, :] + a.fill
    return words.reshape(*rows.shape[:-1], -1)


def _dense_groups(weight: Integers, groups: int) -> Integers:
    """Return a grouped kernel as a dense one, zero between groups."""
    out, per_group = weight.shape[:2]
    dense = np.zeros((out, per_group * groups, *weight.shape[2:]), weight.dtype)
    for o in range(out):
        first = o // (out // groups) * per_group
        dense[o, first : first + per_group] = weight[o]
    return dense


def rows_kept(a: Arrangement, array: Integers) -> npt.NDArray[np.bool_]:
    """Return which rows are not zero: [tile, kernel row, kernel column, channel group]."""
    return np.asarray((_weight(a, array) != 0).any(axis=(4, 5)))


def _places(a: Arrangement, kept: npt.NDArray[np.bool_]) -> Integers:
    """Return where each tile's rows begin, and where every row's inputs lie behind the top of its window."""
    counts = kept.reshape(len(kept), -1).sum(axis=1)
    _, row, column, channels = np.nonzero(kept)
    height, layer, line = a.strides
    inputs = row // height * layer + row % height * line + column * kept.shape[3] + channels
    return np.concatenate([[0], np.cumsum(counts), inputs])


def _shift_codes(weight: Integers) -> Integers:
    """Return sign in bit 7, non-zero in bit 6, shift in the bits below: as signed bytes."""
    magnitude = np.abs(weight)
    shift = np.log2(np.maximum(magnitude, 1)).astype(np.int64)
    codes = np.where(magnitude > 0, 64 | shift, 0)
    return np.where(weight < 0, codes - 128, codes)


_FORMS: Mapping[str, Callable[[Arrangement, Integers], npt.NDArray[Any]]] = {
    "weight": _whole,
    "shifts": lambda a, array: _shift_codes(_whole(a, array)),
    "sparse": _kept,
    "places": lambda a, array: _places(a, rows_kept(a, array)),
    "taps": _by_taps,
    "spread": _by_taps,
    "events": _event_rows,
    "bits": lambda a, array: _bit_planes(a, array).view(a.dtype),
    "codes": _codes,
    "pieces": _pieces,
    "limits": _limits,
    "trains": _trains,
    "programs": lambda a, array: _programs(a, array).write().view(a.dtype),
    "columns": lambda a, _: _columns(a).view(a.dtype),
    "table": _table,
    "vector": lambda a, array: _pad(array.ravel(), 0, a.lanes, a.fill),
}
