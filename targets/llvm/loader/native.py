"""Calls a compiled library through ctypes: no compiler, no framework, no TVM."""

from __future__ import annotations

import _ctypes
import ctypes
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import ArtifactError, InternalError
from spqc.targets._plan.signature import REGIONS, VIEWS

from .loading import load

Bytes = npt.NDArray[np.uint8]

_INT, _TENSOR = 1, 7  # type indices of TVM's calling convention
_CODES = {"i": 0, "u": 1}


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


class _Any(ctypes.Structure):
    _fields_ = (("type_index", ctypes.c_int32), ("padding", ctypes.c_uint32), ("value", ctypes.c_int64))


class _Record(ctypes.Structure):
    """A call, as `pool.c` takes it."""

    _fields_ = (
        ("function", ctypes.c_void_p),
        ("arguments", ctypes.c_void_p),
        ("count", ctypes.c_int32),
        ("result", ctypes.c_void_p),
    )


class Call:
    """The arguments of one call of a function on so many samples, bound to memory that the caller keeps."""

    def __init__(self, samples: int, traced: bool, memory: Mapping[str, Bytes]) -> None:
        self.samples = samples
        self.memory = dict(memory)
        self.tensors = [_tensor(memory[region], dtype) for region in REGIONS for dtype in VIEWS[region]]
        self.arguments = (_Any * (2 + len(self.tensors)))()
        for i, value in enumerate((samples, int(traced))):
            self.arguments[i] = _Any(_INT, 0, value)
        for i, (tensor, _) in enumerate(self.tensors):
            self.arguments[2 + i] = _Any(_TENSOR, 0, ctypes.addressof(tensor))
        self.result = _Any()


class Calls:
    """Calls of one function that need nothing of each other; running them costs a few microseconds."""

    def __init__(self, library: Library, function: Any, pool: Any, calls: Sequence[Call]) -> None:
        self.each = list(calls)
        self._library = library  # is not unloaded before its calls are gone
        self._function = function if pool is None else pool
        self._arguments: tuple[Any, ...]
        if pool is None:
            (call,) = calls
            self._arguments = (None, call.arguments, len(call.arguments), ctypes.byref(call.result))
        else:
            place = ctypes.cast(function, ctypes.c_void_p).value
            records = (_Record * len(calls))()
            for i, c in enumerate(calls):
                arguments, result = ctypes.addressof(c.arguments), ctypes.addressof(c.result)
                records[i] = _Record(place, arguments, len(c.arguments), result)
            self._arguments = (records, len(records))

    def __call__(self) -> None:
        if self._function(*self._arguments) != 0:
            raise InternalError("the compiled function refused its arguments", hint="please report this")


def _tensor(memory: Bytes, dtype: str) -> tuple[_Tensor, Any]:
    kind = np.dtype(dtype)
    shape = (ctypes.c_int64 * 1)(memory.size // kind.itemsize)
    pointer = ctypes.cast(shape, ctypes.POINTER(ctypes.c_int64))
    tensor = _Tensor(memory.ctypes.data, 1, 0, 1, _CODES[kind.kind], kind.itemsize * 8, 1, pointer, None, 0)
    return tensor, shape


def _unload(handle: int, stop: Any) -> None:
    """End a library's threads, if it has some, and remove it from memory."""
    if stop is not None:
        stop()
    _ctypes.dlclose(handle)


class Library:
    """A loaded library; `calls` binds a function of it to what it is called with.

    It is unloaded by `close`, or when nobody has it any more: its threads end first.
    """

    def __init__(self, code: bytes, threads: int) -> None:
        self._library = load(code)
        stop = getattr(self._library, "spqc_stop", None) if threads > 1 else None
        self._unload: Any = None
        if threads == 1 or stop is not None:  # threads that cannot be ended need their code
            self._unload = weakref.finalize(self, _unload, self._library._handle, stop)
            self._unload.atexit = False  # threads of the program may still be in a call
        self._pool = self._threads() if threads > 1 else None

    def close(self) -> None:
        """Unload the library; no call of it may be under way, or come afterwards."""
        if self._unload is not None:
            self._unload()

    def calls(self, name: str, calls: Sequence[Call]) -> Calls:
        """Return calls of a function: one where there is one thread, else as many as should run at a time."""
        function = getattr(self._library, f"__tvm_ffi_{name}")
        function.restype = ctypes.c_int32
        function.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32, ctypes.c_void_p)
        return Calls(self, function, self._pool, calls)

    def _threads(self) -> Any:
        """Return the function that runs calls on the library's own threads."""
        if not hasattr(self._library, "spqc_run"):
            raise ArtifactError("its code for several threads is of an earlier spqc", hint="compile it again")
        pool = self._library.spqc_run
        pool.restype = ctypes.c_int32
        pool.argtypes = (ctypes.c_void_p, ctypes.c_int32)
        return pool
