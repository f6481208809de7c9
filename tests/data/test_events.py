"""Events become frames as a plain loop over them would make them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.event_files import Event, naive_frames

from spqc.foundation.errors import InputError, UsageError
from spqc.train.data.events import Events, FrameOptions, frame_numbers, frames, in_order

SENSOR = (12, 9)

event = st.tuples(st.integers(0, 300), st.integers(0, SENSOR[1] - 1), st.integers(0, SENSOR[0] - 1), st.integers(0, 1))
recording = st.lists(event, min_size=1, max_size=60).map(lambda events: sorted(events, key=lambda one: one[0]))


def arrays(events: list[Event]) -> Events:
    return in_order(*np.array(events, np.int64).reshape(-1, 4).T)


def naive_numbers(events: list[Event], options: FrameOptions) -> list[int]:
    """Return the frame of each event by the words of FrameOptions."""
    start, end = events[0][0], events[-1][0]
    numbers = []
    for position, (t, *_) in enumerate(events):
        if options.frame_by == "count":
            each = options.window or len(events) / options.steps
            numbers.append(next(n for n in range(10_000) if position + 1e-9 < (n + 1) * each))
        else:
            each = options.window or (end - start + 1) / options.steps
            numbers.append(next(n for n in range(10_000) if t - start + 1e-9 < (n + 1) * each))
    return numbers


@settings(max_examples=150, deadline=None)
@given(
    recording,
    st.integers(1, 7),
    st.sampled_from(["count", "time"]),
    st.integers(0, 90),
    st.sampled_from([1, 2, 16, 255]),
    st.integers(1, SENSOR[0]),
    st.integers(1, SENSOR[1]),
)
def test_frames_are_those_of_a_loop(
    events: list[Event], steps: int, rule: str, window: int, clip: int, height: int, width: int
) -> None:
    options = FrameOptions(steps, rule, window, clip, height, width)  # type: ignore[arg-type]
    numbers = naive_numbers(events, options)
    assert frame_numbers(arrays(events), options).tolist() == numbers
    expected = naive_frames(events, numbers, steps, SENSOR, (height, width), clip)
    np.testing.assert_array_equal(frames(arrays(events), options, SENSOR), expected)


def test_every_event_is_in_some_frame_when_the_recording_is_divided() -> None:
    rng = np.random.default_rng(0)
    columns = [np.sort(rng.integers(0, 5000, 700)), *(rng.integers(0, 9, (2, 700))), rng.integers(0, 2, 700)]
    for rule in ("count", "time"):
        counts = frames(Events(*columns), FrameOptions(6, rule, clip=255), SENSOR)  # type: ignore[arg-type]
        assert counts.sum() == 700
    per_frame = frames(Events(*columns), FrameOptions(6, clip=255), SENSOR).sum(axis=(1, 2, 3))
    assert max(per_frame) - min(per_frame) <= 1


def test_short_recordings_end_with_empty_frames_and_long_ones_are_cut() -> None:
    events = arrays([(10 * index, index, 0, 1) for index in range(8)])
    by_count = frames(events, FrameOptions(5, "count", 2), SENSOR)
    assert by_count.sum(axis=(1, 2, 3)).tolist() == [2, 2, 2, 2, 0]
    by_time = frames(events, FrameOptions(3, "time", 20), SENSOR)
    assert by_time.sum(axis=(1, 2, 3)).tolist() == [2, 2, 2]
    assert by_time[2, 1, 0, 4] == 1 and by_time[2, 1, 0, 5] == 1


def test_late_events_are_sorted_where_told_and_ties_keep_their_order() -> None:
    columns = np.array([(5, 1, 0, 0), (3, 2, 0, 0), (5, 3, 0, 1), (3, 4, 0, 1)], np.int64).T
    events = in_order(*columns, late=2)
    assert events.late == 2
    assert events.t.tolist() == [3, 3, 5, 5]
    assert events.x.tolist() == [2, 4, 1, 3]
    assert events.between(3, 5).x.tolist() == [2, 4]
    assert len(events.between(6, 9)) == 0


@pytest.mark.parametrize("bad", [(0, 9, 0, 0), (0, 0, 12, 0), (0, -1, 0, 0), (0, 0, 0, 2)])
def test_an_event_outside_is_named(bad: Event) -> None:
    with pytest.raises(InputError, match=f"event 1 has x {bad[1]}, y {bad[2]}, polarity {bad[3]}"):
        frames(arrays([(0, 0, 0, 0), bad]), FrameOptions(1), SENSOR)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"steps": 0}, "steps"),
        ({"window": -1}, "window"),
        ({"clip": 0}, "clip"),
        ({"clip": 256}, "clip"),
        ({"frame_by": "number"}, "frame_by"),
    ],
)
def test_wrong_options(options: dict[str, object], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        FrameOptions(**options)  # type: ignore[arg-type]


def test_frames_are_not_larger_than_the_sensor() -> None:
    with pytest.raises(UsageError, match="larger than the sensor"):
        FrameOptions(height=13).size(SENSOR)


@pytest.mark.parametrize(("clip", "encoding"), [(1, "spikes"), (2, "digits"), (16, "digits"), (17, "pixels")])
def test_the_encoding_holds_the_counts(clip: int, encoding: str) -> None:
    assert FrameOptions(clip=clip).encoding == encoding
