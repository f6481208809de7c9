"""Arrays of other libraries as numpy arrays: tensors that require gradients, in half precision, on other devices."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from spqc.foundation.errors import InputError

_HINT = "give a numpy array, or a dense tensor on the cpu"


def as_array(array: Any) -> npt.NDArray[np.generic]:
    """Return an array, a tensor of torch or nested lists as a numpy array. Raises InputError for what is none."""
    if type(array) is np.ndarray:  # nearly always, and often in short calls
        return array
    try:
        return np.asarray(_readable(array))
    except InputError:
        raise
    except ValueError as error:
        raise InputError("the input is not a rectangular array", hint="every sample needs the same shape") from error
    except Exception as error:  # whatever the other library raises, it is the input that cannot be read
        raise InputError(f"the input cannot be read as an array: {error}", hint=_HINT) from error


def _readable(array: Any) -> Any:
    """Return a tensor of torch, alone or in lists, as numpy reads it; anything else as it is."""
    if isinstance(array, list | tuple):
        return [_readable(part) for part in array] if _holds_tensors(array) else array
    if not _is_tensor(array):
        return array
    if array.device.type == "meta":
        raise InputError("the input is on the meta device and has no numbers", hint=_HINT)
    dense = array.detach().cpu().resolve_conj().resolve_neg()
    if str(dense.layout) != "torch.strided":
        raise InputError(f"the input is a tensor of layout {dense.layout}", hint="give x.to_dense()")
    if str(dense.dtype) == "torch.bfloat16" or str(dense.dtype).startswith("torch.float8"):
        dense = dense.float()  # numpy has no such numbers; every one is a float32
    return dense.numpy()


def _holds_tensors(parts: list[Any] | tuple[Any, ...]) -> bool:
    first = parts[0] if parts else None
    return _holds_tensors(first) if isinstance(first, list | tuple) else _is_tensor(first)


def _is_tensor(value: Any) -> bool:
    return any(base.__module__ == "torch" and base.__name__ == "Tensor" for base in type(value).__mro__)
