"""The one caller of TVM's compiler: TIR functions in, a shared library out."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import tvm

from spqc.foundation.errors import InternalError, Unavailable
from spqc.foundation.temporary import refused, temporary_folder, write_temporary

from .interrupt import interruptible

# TVM's argument checks report through this symbol; the executor passes what it declares, so the message is all we keep.
_STUB = """
#include <stdint.h>
__attribute__((visibility("hidden")))
void TVMFFIErrorSetRaisedFromCStrParts(const char* kind, const char** parts, int32_t n) {
  (void)kind; (void)parts; (void)n;
}
"""

# TVM's passes that find nothing here and take most of its time: buffers are allocated at their size, loops are emitted
# without conditions to hoist, and LLVM removes what does nothing. A test compares the libraries with and without them.
_SUPERFLUOUS = ["s_tir.CompactBufferAllocation", "s_tir.HoistIfThenElse", "tirx.RemoveNoOp"]

# What C code linked behind the functions provides, where there are several threads.
_PROVIDED = {b"__TVMBackendParallelLaunch"}

# What a compiler says where a disk refused it.
_DISK = ("No space left on device", "Disk quota exceeded", "Read-only file system", "File size limit exceeded")


def shared_library(functions: Mapping[str, tvm.tirx.PrimFunc], target: tvm.target.Target, behind: str = "") -> bytes:
    """Return the bytes of a library that exports each function as `__tvm_ffi_<name>`; one thread needs no TVM.

    behind: C code to compile into it.
    """
    with interruptible(), tvm.transform.PassContext(disabled_pass=_SUPERFLUOUS):
        module = tvm.compile(tvm.IRModule(dict(functions)), target=target).mod
    with temporary_folder() as folder:
        code = _object(module, folder)
        refuse_runtime(code)
        write_temporary(folder / "code.o", code)
        write_temporary(folder / "stub.c", (behind + _STUB).encode())
        return _linked(["code.o", "stub.c"], folder)


def refuse_runtime(code: bytes) -> None:
    """Raise InternalError where code calls TVM's runtime, which no artifact has: a call would jump to address 0.

    TVM moves a local array of 1 KiB or more to the heap, through such a call; kernels must keep theirs smaller.
    """
    calls = set(re.findall(rb"__TVM\w+", code)) - _PROVIDED
    if calls:
        names = ", ".join(sorted(name.decode() for name in calls))
        raise InternalError(f"a kernel needs TVM's runtime: {names}", hint="please report this")


def _object(module: tvm.runtime.Module, folder: Path) -> bytes:
    """Return the object file of a module, through memory: LLVM ends the process where a disk refuses its writes."""
    try:
        descriptor = os.memfd_create("spqc")
    except (OSError, AttributeError):  # no such system call
        module.write_to_file(str(folder / "code.o"))
        return (folder / "code.o").read_bytes()
    with os.fdopen(descriptor, "rb") as file:
        module.write_to_file(f"/proc/self/fd/{descriptor}", "o")
        return file.read()


def _linked(sources: list[str], folder: Path) -> bytes:
    """Return the library that the C compiler makes of files in a folder; what it writes beside goes there too."""
    compiler = os.environ.get("CC", "gcc")
    options = ["-shared", "-fPIC", "-O2", "-pthread", "-Wl,--build-id=none", "-s", "-o", "code.so"]
    environment = {**os.environ, "TMPDIR": str(folder), "LC_ALL": "C"}
    command = [compiler, *options, *sources]
    try:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    except OSError as error:
        raise Unavailable(
            f"cannot run the C compiler '{compiler}': {error.strerror}", hint="install gcc, or name another with CC=..."
        ) from None
    if done.returncode != 0:
        for reason in _DISK:
            if reason.lower() in done.stderr.lower():
                raise refused(reason)
        raise InternalError(f"linking failed: {done.stderr.strip()[-500:]}", hint="please report this")
    return (folder / "code.so").read_bytes()
