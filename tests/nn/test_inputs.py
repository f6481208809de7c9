"""How arrays become codes: one rule for the framework and the runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from spqc.foundation.errors import InputError, UsageError
from spqc.ir.inputs import InputFormat

SHAPE, STEPS = (2, 3), 4


def codes(array: Any, encoding: Any = "pixels", coding: Any = "frames") -> Any:
    return InputFormat(encoding, coding).to_codes(array, SHAPE, STEPS)


@pytest.mark.parametrize(
    ("encoding", "top", "bits", "scale"),
    [("pixels", 255, 8, 1 / 256), ("digits", 16, 5, 1 / 16), ("spikes", 1, 1, 1.0)],
)
def test_every_encoding_has_a_top_and_a_scale(encoding: Any, top: int, bits: int, scale: float) -> None:
    form = InputFormat(encoding)
    assert (form.max, form.bits, form.scale) == (top, bits, scale)


def test_one_frame_is_repeated_and_integers_are_codes() -> None:
    frames = np.arange(12, dtype=np.int64).reshape(2, *SHAPE)
    found = codes(frames)
    assert found.dtype == np.uint8
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, np.stack([frames] * STEPS, axis=1))


def test_frames_of_each_step_stay_as_they_are() -> None:
    frames = np.arange(48).reshape(2, STEPS, *SHAPE)
    np.testing.assert_array_equal(codes(frames), frames)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_round_half_to_even_and_stop_at_the_top(dtype: Any) -> None:
    values = np.array([[0, 0.5, 1.5], [2.5, 15.75, 16]], dtype) / 16
    assert codes(values[np.newaxis], "digits")[0, 0].tolist() == [[0, 0, 2], [2, 16, 16]]
    assert codes(np.full((1, *SHAPE), 1.0, dtype))[0, 0].max() == 255, "1.0 would be 256"


def test_booleans_and_lists_are_read() -> None:
    frame = [[True, False, True], [False, False, True]]
    assert codes([frame], "spikes")[0, 3].tolist() == np.array(frame).astype(int).tolist()


@pytest.mark.parametrize(
    ("array", "encoding", "words"),
    [
        (np.full((1, *SHAPE), 17), "digits", "0..16 for 'digits', found 17..17"),
        (np.full((1, *SHAPE), -1), "pixels", "found -1..-1"),
        (np.full((1, *SHAPE), 2**63, np.uint64), "pixels", "found 9223372036854775808"),
        (np.full((1, *SHAPE), 2), "spikes", "0..1 for 'spikes'"),
        (np.full((1, *SHAPE), 1.01), "pixels", "must lie in"),
        (np.full((1, *SHAPE), -0.01), "pixels", "must lie in"),
        (np.full((1, *SHAPE), 0.5), "spikes", "must be 0 or 1"),
        (np.full((1, *SHAPE), np.nan), "pixels", "NaN or infinity"),
        (np.full((1, *SHAPE), np.inf), "pixels", "NaN or infinity"),
        (np.zeros((1, *SHAPE), complex), "pixels", "dtype complex128"),
        (np.full((1, *SHAPE), "a"), "pixels", "dtype <U1"),
        ([[1, 2], [3]], "pixels", "rectangular"),
        (np.zeros((0, *SHAPE)), "pixels", "no samples"),
        (np.zeros(SHAPE), "pixels", "shape [2, 3]"),
        (np.zeros((1, 3, 2)), "pixels", "reads [N, 4, 2, 3] or [N, 2, 3]"),
        (np.zeros((1, STEPS + 1, *SHAPE)), "pixels", "shape [1, 5, 2, 3]"),
        (1.0, "pixels", "shape []"),
    ],
)
def test_what_cannot_be_read(array: Any, encoding: str, words: str) -> None:
    with pytest.raises(InputError) as caught:
        codes(array, encoding)
    assert words in caught.value.message
    assert caught.value.hint


def test_a_static_input_must_not_change_over_the_steps() -> None:
    frames = np.ones((2, STEPS, *SHAPE), dtype=np.uint8)
    np.testing.assert_array_equal(codes(frames, coding="direct"), frames)
    frames[1, 2, 0, 0] = 0
    assert codes(frames, coding="frames")[1, 2, 0, 0] == 0
    with pytest.raises(InputError, match="differ over the steps"):
        codes(frames, coding="direct")


@pytest.mark.parametrize("choice", [{"encoding": "pixel"}, {"coding": "static"}])
def test_unknown_formats(choice: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="must be one of"):
        InputFormat(**choice)
