"""Measures candidates on other machines, which TVM's RPC tracker lends.

A small C function behind each candidate takes plain byte tensors, as RPC passes them, and makes of them the views that
the generated function wants; it runs the candidate on every input in turn, so that nothing is sent between two calls.
"""

from __future__ import annotations

import socket
import statistics
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import numpy as np

from spqc.foundation.errors import InternalError, Unavailable
from spqc.foundation.temporary import temporary_folder, write_temporary
from spqc.plugins.tuning import Candidate, Tracker
from spqc.targets._plan.signature import REGIONS, VIEWS

from .measure import ROTATION, Bench

_TIMEOUT_S = 120
_ANSWER_S = 5
_PATIENCE_S = 10
_ATTEMPTS = 4  # machines may come and go
_ROUNDS = 9
_CODES = {"i": 0, "u": 1}
_ROTATING = ("input", "arena")

T = TypeVar("T")

_C = """
#include <stdint.h>
#include <stddef.h>
typedef struct {{ void* data; int32_t device, id, ndim; uint8_t code, bits; uint16_t lanes;
                 int64_t* shape; int64_t* strides; uint64_t offset; }} Tensor;
typedef struct {{ int32_t type; uint32_t padding; union {{ int64_t i; void* p; }}; }} Any;
static const struct {{ int region; uint8_t code, bits; }} views[] = {{ {views} }};
enum {{ COUNT = sizeof views / sizeof *views }};
static char* base(const Any* a) {{ Tensor* t = (Tensor*)a->p; return (char*)t->data + t->offset; }}
static int run(int (*f)(void*, const Any*, int32_t, Any*), void* self, const Any* regions, int turn, int64_t samples) {{
  static const int64_t step[] = {{ {steps} }};
  Tensor tensors[COUNT]; int64_t sizes[COUNT]; Any args[2 + COUNT], ret = {{0}};
  args[0] = (Any){{1, 0, {{.i = samples}}}}; args[1] = (Any){{1, 0, {{.i = 0}}}};
  for (int v = 0; v < COUNT; ++v) {{
    int r = views[v].region; Tensor* whole = (Tensor*)regions[r].p;
    int64_t bytes = step[r] ? step[r] : whole->shape[0];
    sizes[v] = bytes * 8 / views[v].bits;
    char* at = base(&regions[r]) + turn * step[r];
    tensors[v] = (Tensor){{at, 1, 0, 1, views[v].code, views[v].bits, 1, &sizes[v], NULL, 0}};
    args[2 + v] = (Any){{7, 0, {{.p = &tensors[v]}}}};
  }}
  return f(self, args, 2 + COUNT, &ret);
}}
"""

_C_EACH = """
int __tvm_ffi_candidate{i}(void*, const Any*, int32_t, Any*);
int __tvm_ffi_rotate{i}(void* self, const Any* a, int32_t n, Any* ret) {{
  for (int64_t round = 0; round < a[0].i; ++round)
    for (int turn = 0; turn < {rotation}; ++turn)
      if (run(__tvm_ffi_candidate{i}, self, a + 2, turn, a[1].i)) return -1;
  ret->type = 1; ret->i = 0; return 0;
}}
int __tvm_ffi_digest{i}(void* self, const Any* a, int32_t n, Any* ret) {{
  uint64_t hash = 14695981039346656037ull;
  for (int turn = 0; turn < {rotation}; ++turn) {{
    if (run(__tvm_ffi_candidate{i}, self, a, turn, 1)) return -1;
    const unsigned char* at = (unsigned char*)base(a + {region}) + turn * {step}ll;
    for (int64_t k = {begin}; k < {end}; ++k) hash = (hash ^ at[k]) * 1099511628211ull;
  }}
  ret->type = 1; ret->i = (int64_t)(hash >> 1); return 0;
}}
"""


class Lender:
    """Machines of one key; a session that breaks is replaced by another machine's."""

    def __init__(self, tracker: Tracker) -> None:
        try:
            from tvm import rpc
        except ImportError as error:
            raise Unavailable(f"RPC needs {error.name}", hint="pip install 'spqc[rpc]'") from None
        self.tracker, self.session = tracker, None
        try:
            socket.create_connection((tracker.host, tracker.port), _ANSWER_S).close()  # rpc itself would try for long
            self.connection = rpc.connect_tracker(tracker.host, tracker.port)
        except Exception as error:
            raise Unavailable(
                f"no tracker answers at {tracker.host}:{tracker.port}: {_first_line(error)}",
                hint="start one: python -m tvm.exec.rpc_tracker --host 0.0.0.0 --port PORT",
            ) from None

    def use(self, work: Callable[[Any], T]) -> T:
        """Return what `work(session)` gives, asking other machines where one fails."""
        reason = ""
        for attempt in range(_ATTEMPTS):
            try:
                if self.session is None:
                    self._wait()
                    self.session = self.connection.request(
                        self.tracker.key, priority=0, session_timeout=_TIMEOUT_S, max_retry=2
                    )
                return work(self.session)
            except Exception as error:  # RPC reports a lost machine by many types
                self.session, reason = None, _first_line(error)
                time.sleep(0.5 * attempt)
        raise Unavailable(
            f"no machine of key '{self.tracker.key}' finished a measurement: {reason}",
            hint="see `python -m tvm.exec.query_rpc_tracker`; servers need the CPU that the target names",
        )

    def _wait(self) -> None:
        """Wait for a machine to be free: a request for one that never comes would not return."""
        for _ in range(_PATIENCE_S):
            queue = self.connection.summary()["queue_info"].get(self.tracker.key, {})
            if queue.get("free", 0) > 0:
                return
            time.sleep(1)
        raise TimeoutError(f"none was free for {_PATIENCE_S} s")


def measure_remotely(
    lender: Lender, bench: Bench, candidates: Sequence[Candidate]
) -> Iterator[tuple[Candidate, float]]:
    """Yield each candidate with the nanoseconds of one sample, as another machine's clock saw them."""
    digests, remotes = set(), _Remotes(bench)
    for index, candidate in enumerate(candidates):
        ns, digest = lender.use(partial(remotes.measure, index))
        digests.add(digest)
        if len(digests) > 1:
            raise InternalError(
                f"candidates of one kernel give different results: {candidates}", hint="please report this"
            )
        yield candidate, ns


class _Remotes:
    """The library on the machine that is lent just now: sent once to each."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.session: Any = None
        self.remote: _Remote | None = None

    def measure(self, index: int, session: Any) -> tuple[float, int]:
        if self.remote is None or self.session is not session:
            self.session, self.remote = session, _Remote(session, self.bench)
        return self.remote.measure(index)


class _Remote:
    """One library and its inputs on one machine."""

    def __init__(self, session: Any, bench: Bench) -> None:
        import tvm

        with temporary_folder() as folder:
            name = f"spqc-{zlib.crc32(bench.code):x}.so"
            session.upload(str(write_temporary(folder / name, bench.code)))
            self.module = session.load_module(name)
        self.device = session.cpu(0)
        regions = (
            np.concatenate([m[r] for m in bench.inputs]) if r in _ROTATING else bench.inputs[0][r] for r in REGIONS
        )
        self.regions = [tvm.runtime.tensor(region, self.device) for region in regions]

    def measure(self, index: int) -> tuple[float, int]:
        digest = int(self.module[f"digest{index}"](*self.regions))
        times = self.module.time_evaluator(f"rotate{index}", self.device, number=1, repeat=_ROUNDS)
        turns = max(1, int(2e5 / max(1.0, self._median(times, 1, 1))))
        busy, idle = self._median(times, turns, 1), self._median(times, turns, 0)
        return max((busy - idle) / turns / ROTATION, 1.0), digest

    def _median(self, times: Any, turns: int, samples: int) -> float:
        return float(statistics.median(times(turns, samples, *self.regions).results)) * 1e9


def wrapper(bench: Bench, count: int) -> str:
    """Return the C behind the candidates."""
    views = [(index, np.dtype(d)) for index, region in enumerate(REGIONS) for d in VIEWS[region]]
    shown = ", ".join(f"{{{r}, {_CODES[d.kind]}, {d.itemsize * 8}}}" for r, d in views)
    sizes = {region: bench.sizes[region] if region in _ROTATING else 0 for region in REGIONS}
    head = _C.format(views=shown, steps=", ".join(str(sizes[r]) for r in REGIONS))
    region, begin, end = bench.result_bytes
    each = [
        _C_EACH.format(i=i, rotation=ROTATION, region=REGIONS.index(region), step=sizes[region], begin=begin, end=end)
        for i in range(count)
    ]
    return head + "".join(each)


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
