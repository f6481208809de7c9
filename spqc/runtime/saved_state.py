"""The state of a stream as bytes: which network, how many samples and steps, every state at its true width, a hash.

    offset  bytes
         0      8  magic "spqcstrm"
         8      4  version of this format
        12      4  samples N; 0 where the stream has not begun
        16      8  steps made
        24     32  sha256 of the network: the text of its compiled graph and its constants
        56      -  states in the graph's order, the codes [N, ...] of each packed as `packing.pack` says
       end     32  sha256 of all before

Integers are little-endian. The bytes do not depend on target, processor or threads, only on the compiled graph.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace

from spqc.foundation.errors import GraphError, InputError
from spqc.ir import Array, Graph, Type, Value
from spqc.ir.ops import Automaton, Neuron, Spiking

from .packing import pack, packed_size, unpack

MAGIC = b"spqcstrm"
VERSION = 1

_HEAD = struct.Struct("<8sIIQ32s")
_HASH = hashlib.sha256().digest_size


@dataclass(frozen=True)
class Saved:
    """A stream of `samples` after `step_count` steps: codes [N, ...] of each state by name; no states where N is 0."""

    samples: int
    step_count: int
    states: Mapping[str, Array]


def network_hash(graph: Graph) -> bytes:
    """Return the sha256 of a graph's text and of its constants as a file holds them."""
    total = hashlib.sha256(str(graph).encode())
    for value in graph.constants:
        total.update(pack(graph.data[value.name], value.type))
    return total.digest()


def encode(saved: Saved, graph: Graph, network: bytes) -> bytes:
    """Return the bytes of a state: a head, the packed states in the graph's order, and the sha256 of both."""
    head = _HEAD.pack(MAGIC, VERSION, saved.samples, saved.step_count, network)
    kept = graph.states if saved.samples else ()
    content = head + b"".join(pack(saved.states[v.name], _batched(v.type, saved.samples)) for v in kept)
    return content + hashlib.sha256(content).digest()


def decode(content: bytes, graph: Graph, network: bytes) -> Saved:
    """Return the state that `encode` wrote for this network; InputError says what is wrong with other bytes."""
    body = _checked(content)
    _, _, samples, step_count, of = _HEAD.unpack_from(body)
    if of != network:
        raise InputError(
            "the saved state is of another network",
            hint="load it into the network that it was saved from, compiled with the same passes",
        )
    kept = graph.states if samples else ()
    sizes = [packed_size(_batched(v.type, samples)) for v in kept]
    if len(body) != _HEAD.size + sum(sizes):
        raise _damaged(f"it holds {len(body) - _HEAD.size} bytes of states, not {sum(sizes)}")
    if step_count and not samples:
        raise _damaged("it counts steps, but no samples")
    states, start = {}, _HEAD.size
    for value, size in zip(kept, sizes, strict=True):
        states[value.name] = _state(body[start : start + size], value, samples, graph)
        start += size
    return Saved(samples, step_count, states)


def _checked(content: bytes) -> bytes:
    """Return the content but for its hash, once that and the magic are right."""
    if not isinstance(content, bytes | bytearray | memoryview):
        raise InputError(f"a saved state is bytes, not {type(content).__name__}", hint="give what state() returned")
    whole = bytes(content)
    if whole[: len(MAGIC)] != MAGIC:
        raise InputError("these bytes are no saved state of a stream", hint="give what state() returned")
    if len(whole) < _HEAD.size + _HASH:
        raise _damaged("it is cut off")
    version = _HEAD.unpack_from(whole)[1]
    if version != VERSION:
        raise InputError(
            f"the saved state has version {version}; this spqc reads {VERSION}",
            hint="load it with the spqc that saved it",
        )
    body = whole[:-_HASH]
    if hashlib.sha256(body).digest() != whole[-_HASH:]:
        raise _damaged("its hash does not match")
    return body


def _state(content: bytes, value: Value, samples: int, graph: Graph) -> Array:
    try:
        codes = unpack(content, _batched(value.type, samples))
    except GraphError as error:
        raise _damaged(error.message) from None
    if not value.type.is_integer:
        return codes
    low, high = limits(graph, value)
    least, most = int(codes.min()), int(codes.max())
    if least < low or most > high:
        raise _damaged(f"the state '{value.name}' lies in {low}..{high}, and it holds {least}..{most}")
    return codes


def limits(graph: Graph, state: Value) -> tuple[int, int]:
    """Return the smallest and the largest code that a state may have; a type may hold more."""
    neuron = next((op for op in graph.ops if isinstance(op, Spiking) and state in op.state_inputs), None)
    if isinstance(neuron, Automaton):
        return neuron.low, neuron.low + neuron.states - 1
    if isinstance(neuron, Neuron):
        return neuron.low, neuron.high
    return state.type.range


def _batched(type_: Type, samples: int) -> Type:
    return replace(type_, shape=(samples, *type_.shape))


def _damaged(reason: str) -> InputError:
    return InputError(f"the saved state is damaged: {reason}", hint="take another copy, or begin anew with reset()")
