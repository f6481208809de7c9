"""Input arrays as codes: rounding, ranges, repetition, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spqc.errors import InputError, UsageError
from spqc.ir.inputs import InputFormat

SHAPE = (1, 2, 2)


def codes(values: Any, encoding: Any = "pixels", steps: int = 1) -> Any:
    filled = np.full((1, *SHAPE), values)
    return InputFormat(encoding).to_codes(filled, SHAPE, steps).flatten()[0]


@pytest.mark.parametrize(
    ("encoding", "value", "code"),
    [
        ("pixels", 0.0, 0),
        ("pixels", 1.0, 255),
        ("pixels", 0.5 / 256, 0),
        ("pixels", 1.5 / 256, 2),
        ("pixels", np.float32(200.4 / 256), 200),
        ("digits", 1.0, 16),
        ("digits", 2.5 / 16, 2),
        ("spikes", 1.0, 1),
        ("pixels", np.uint8(200), 200),
        ("spikes", True, 1),
    ],
)
def test_codes(encoding: str, value: Any, code: int) -> None:
    assert codes(value, encoding) == code


@pytest.mark.parametrize(
    ("encoding", "value"),
    [
        ("pixels", 1.01),
        ("pixels", -0.01),
        ("pixels", float("nan")),
        ("pixels", float("inf")),
        ("pixels", 256),
        ("pixels", -1),
        ("digits", 17),
        ("spikes", 0.5),
        ("spikes", 2),
        ("pixels", 1j),
        ("pixels", "a"),
        ("pixels", None),
    ],
)
def test_refused_values(encoding: str, value: Any) -> None:
    with pytest.raises(InputError) as caught:
        codes(value, encoding)
    assert caught.value.hint


def test_a_single_frame_is_repeated_and_frames_pass() -> None:
    x = np.random.default_rng(0).integers(0, 256, (3, 4, *SHAPE))
    found = InputFormat().to_codes(x, SHAPE, 4)
    np.testing.assert_array_equal(found, x)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(InputFormat().to_codes(x[:, 0], SHAPE, 4), np.repeat(x[:, :1], 4, axis=1))


def test_direct_coding_takes_equal_frames_only() -> None:
    x = np.random.default_rng(0).integers(0, 256, (3, 1, *SHAPE)).repeat(4, axis=1)
    direct = InputFormat(coding="direct")
    np.testing.assert_array_equal(direct.to_codes(x, SHAPE, 4), x)
    x[2, 3, 0, 1, 1] ^= 1
    with pytest.raises(InputError, match="direct"):
        direct.to_codes(x, SHAPE, 4)


@pytest.mark.parametrize("shape", [(), (3,), (3, 2, 2), (3, 5, 1, 2, 2), (3, 4, 2, 2, 2), (0, 1, 2, 2)])
def test_shape_errors_name_what_is_read(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError) as caught:
        InputFormat().to_codes(np.zeros(shape), SHAPE, 4)
    assert shape[:1] == (0,) or "[N, 4, 1, 2, 2]" in caught.value.message


def test_ragged_lists_are_refused() -> None:
    with pytest.raises(InputError, match="rectangular"):
        InputFormat().to_codes([[1, 2], [3]], (2,), 1)


def test_unknown_encodings_are_refused() -> None:
    with pytest.raises(UsageError, match="pixels, spikes, digits"):
        InputFormat("sound")  # type: ignore[arg-type]
