"""Calls a compiled library through ctypes: no compiler, no framework, and for one thread no TVM at all."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spqc.errors import ArtifactError, InternalError, Unavailable

from .._tir.signature import REGIONS, VIEWS
from .cores import Cores

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


class Call:
    """The arguments of one call, bound to memory that the caller keeps; calling costs a few microseconds."""

    def __init__(self, function: Any, samples: int, traced: bool, memory: Mapping[str, Bytes]) -> None:
        self.function = function
        self.memory = dict(memory)
        self.tensors = [_tensor(memory[region], dtype) for region in REGIONS for dtype in VIEWS[region]]
        count = 2 + len(self.tensors)
        self.arguments = (_Any * count)()
        for i, value in enumerate((samples, int(traced))):
            self.arguments[i] = _Any(_INT, 0, value)
        for i, (tensor, _) in enumerate(self.tensors):
            self.arguments[2 + i] = _Any(_TENSOR, 0, ctypes.addressof(tensor))
        self.count = count
        self.result = _Any()

    def __call__(self) -> None:
        code = self.function(None, self.arguments, self.count, ctypes.byref(self.result))
        if code != 0:
            raise InternalError("the compiled function refused its arguments", hint="please report this")


def _tensor(memory: Bytes, dtype: str) -> tuple[_Tensor, Any]:
    kind = np.dtype(dtype)
    shape = (ctypes.c_int64 * 1)(memory.size // kind.itemsize)
    pointer = ctypes.cast(shape, ctypes.POINTER(ctypes.c_int64))
    tensor = _Tensor(memory.ctypes.data, 1, 0, 1, _CODES[kind.kind], kind.itemsize * 8, 1, pointer, None, 0)
    return tensor, shape


class Library:
    """A loaded library; `function(name)` returns what `Call` takes."""

    def __init__(self, code: bytes, threads: int) -> None:
        with tempfile.NamedTemporaryFile(prefix="spqc-", suffix=".so") as file:
            Path(file.name).write_bytes(code)
            try:
                self._library = ctypes.CDLL(file.name)
            except OSError as error:
                raise ArtifactError(
                    f"the compiled library does not load: {error}", hint="compile it again on this machine"
                ) from None
        self._cores = self._connect(threads) if threads > 1 else None

    def function(self, name: str) -> Any:
        found = getattr(self._library, f"__tvm_ffi_{name}")
        found.restype = ctypes.c_int32
        found.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int32, ctypes.c_void_p)
        return found if self._cores is None else _apart(found, self._cores)

    def _connect(self, threads: int) -> Cores | None:
        """Connect the library to the thread pool of TVM's small runtime; its first use in a process fixes its size."""
        os.environ["TVM_NUM_THREADS"] = str(threads)
        os.environ["TVM_BIND_THREADS"] = "0"  # it would take the first cores, whichever this process may use
        ctypes.CDLL(str(_library_path("tvm_ffi", "libtvm_ffi.so")), mode=ctypes.RTLD_GLOBAL)
        runtime = ctypes.CDLL(str(_library_path("tvm", "libtvm_runtime.so")), mode=ctypes.RTLD_GLOBAL)
        slot = ctypes.c_void_p.in_dll(self._library, "__TVMBackendParallelLaunch")
        slot.value = ctypes.cast(runtime.TVMBackendParallelLaunch, ctypes.c_void_p).value
        return Cores(runtime.TVMBackendParallelLaunch) if hasattr(os, "sched_setaffinity") else None


def _apart(function: Any, cores: Cores) -> Any:
    """Return the function so that the threads it uses run on cores of their own."""

    def call(*arguments: Any) -> Any:
        with cores:
            return function(*arguments)

    return call


def _library_path(package: str, name: str) -> Path:
    """Return a shared library of an installed package without importing the package."""
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        path = Path(folder, "lib", name)
        if path.exists():
            return path
    hint = "pip install apache-tvm, or compile with {threads=1}"
    raise Unavailable("an artifact for several threads needs TVM's runtime library", hint=hint)
