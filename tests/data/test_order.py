"""Events that are not in order of time: a clock that starts again goes on, all else is refused with its number."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.event_files import AEDAT_HEADER, Event, aedat, boxes_file, dat, naive_frames, random_events, saccades

from spqc.foundation.errors import InputError
from spqc.train import data
from spqc.train.data.events import Events
from spqc.train.data.formats import aedat as aedat_format
from spqc.train.data.formats import npz, prophesee
from spqc.train.data.formats import saccades as saccades_format
from spqc.train.data.order import Clock, Watch
from spqc.train.data.sets.dvs_cifar10 import CLASSES

TURN = 1 << 32
RNG = np.random.default_rng(3)


def wrapped(events: list[Event]) -> list[Event]:
    """Return events as a counter of 32 bits shows them."""
    return [(t % TURN, x, y, p) for t, x, y, p in events]


def npz_events(events: list[Event], path: Path) -> Path:
    t, x, y, p = np.array(events, np.int64).T
    np.savez(path.with_suffix(".npz"), t=t, x=x, y=y, p=p)
    return path.with_suffix(".npz")


def written(content: Callable[[list[Event]], bytes]) -> Callable[[list[Event], Path], Path]:
    def write(events: list[Event], path: Path) -> Path:
        path.write_bytes(content(events))
        return path

    return write


def every_event(path: Path, hint: str = "", late: int = 0) -> Events:
    return prophesee.read(path, hint).all(late)


FORMATS: dict[str, tuple[Callable[[list[Event], Path], Path], Callable[..., Events]]] = {
    "aedat": (written(aedat), aedat_format.read),
    "dat": (written(dat), every_event),
    "saccades": (written(saccades), saccades_format.read),
    "npz": (npz_events, npz.read_events),
}


def spaced(count: int, start: int = 1000) -> list[Event]:
    return [(start + 100 * index, index % 100, index // 100, index % 2) for index in range(count)]


@pytest.mark.parametrize("name", FORMATS)
def test_a_reset_and_swapped_packets_are_refused_with_the_number_of_the_event(name: str, tmp_path: Path) -> None:
    write, read = FORMATS[name]
    events = spaced(60)
    reset = events[:40] + [(t - 4990, x, y, p) for t, x, y, p in events[40:]]
    swapped = events[:20] + events[30:40] + events[20:30] + events[40:]
    for wrong, number, behind in ((reset, 40, 4890), (swapped, 30, 1900)):
        path = write(wrong, tmp_path / "events")
        with pytest.raises(InputError, match=f"event {number} is of {wrong[number][0]} us, after one of") as found:
            read(path)
        assert found.value.where == str(path) and f"late={behind}" in found.value.hint


@pytest.mark.parametrize("name", FORMATS)
def test_a_tolerance_puts_late_events_in_order_and_counts_them(name: str, tmp_path: Path) -> None:
    write, read = FORMATS[name]
    events = spaced(50)
    jumbled = events[:9] + [events[10], events[9]] + events[11:30] + [events[32], events[30], events[31]] + events[33:]
    path = write(jumbled, tmp_path / "events")
    found = read(path, late=200)
    assert list(zip(found.t, found.x, found.y, found.p, strict=True)) == events
    assert found.late == 3
    with pytest.raises(InputError, match="event 31 is of 4000 us, after one of 4200 us"):
        read(path, late=199)
    assert read(write(events, tmp_path / "right"), late=200).late == 0


@pytest.mark.parametrize("name", ["aedat", "dat"])
@pytest.mark.parametrize("start", [TURN - 2500, TURN // 2 - 2500, TURN - 1, 0])
def test_a_counter_of_32_bits_that_starts_again_goes_on(name: str, start: int, tmp_path: Path) -> None:
    write, read = FORMATS[name]
    events = spaced(50, start)
    found = read(write(wrapped(events), tmp_path / "events"))
    assert list(zip(found.t, found.x, found.y, found.p, strict=True)) == events and found.late == 0


@pytest.mark.parametrize("name", ["aedat", "dat"])
@pytest.mark.parametrize("before", [3_000_000_000, TURN - 70_000_000, TURN // 2 - 1])
def test_a_reset_late_in_a_turn_is_no_new_turn(name: str, before: int, tmp_path: Path) -> None:
    write, read = FORMATS[name]
    path = write([(before, 1, 1, 1), (5, 2, 2, 0)], tmp_path / "events")
    with pytest.raises(InputError, match=f"event 1 is of 5 us, after one of {before} us"):
        read(path)


@pytest.mark.parametrize("name", ["aedat", "dat"])
def test_a_late_event_from_before_the_turn_is_a_late_event(name: str, tmp_path: Path) -> None:
    write, read = FORMATS[name]
    times = [TURN - 20, TURN + 3, TURN - 5, TURN + 9]
    path = write([(t % TURN, index, 0, 1) for index, t in enumerate(times)], tmp_path / "events")
    with pytest.raises(InputError, match="event 2 is of"):
        read(path)
    found = read(path, late=8)
    assert found.t.tolist() == sorted(times) and found.x.tolist() == [0, 2, 1, 3] and found.late == 1


def test_formats_that_define_no_new_turn_refuse_it(tmp_path: Path) -> None:
    for name, times in (("npz", (TURN - 5, 3)), ("saccades", ((1 << 23) - 5, 3))):
        write, read = FORMATS[name]
        with pytest.raises(InputError, match="event 1 is of 3 us"):
            read(write([(t, 1, 1, 1) for t in times], tmp_path / name))


def test_a_wrapped_recording_gives_the_frames_of_one_that_is_not(tmp_path: Path) -> None:
    events = random_events(RNG, 300, 128, 128, 50_000)
    late = [(t + TURN - 20_000, x, y, p) for t, x, y, p in events]
    for name in CLASSES:
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}_0.aedat").write_bytes(aedat(wrapped(late)))
    frames, _ = data.load("dvs-cifar10", tmp_path, steps=5, frame_by="time", height=0, width=0)[0]
    start, end = events[0][0], events[-1][0]
    numbers = [(t - start) * 5 // (end - start + 1) for t, *_ in events]
    np.testing.assert_array_equal(frames, naive_frames(events, numbers, 5, (128, 128), (128, 128), 1))


def test_the_number_counts_events_that_are_no_pixels(tmp_path: Path) -> None:
    special = struct.pack(">II", 1 << 31, 7)
    camera = aedat([(50, 1, 2, 1), (40, 1, 2, 1)], b"")
    (tmp_path / "a.aedat").write_bytes(AEDAT_HEADER + special + camera[:8] + special + camera[8:])
    with pytest.raises(InputError, match="event 3 is of 40 us"):
        aedat_format.read(tmp_path / "a.aedat")
    (tmp_path / "a.bin").write_bytes(saccades([(0, 0, 240, 0), (50, 1, 2, 1), (40, 1, 2, 1)]))
    with pytest.raises(InputError, match="event 2 is of 8232 us"):
        saccades_format.read(tmp_path / "a.bin")


def test_times_below_0_are_refused(tmp_path: Path) -> None:
    ones = np.ones(3, np.int64)
    for times in (np.array([1, -5, 7]), np.array([1, 2**64 - 5, 2**64 - 1], np.uint64)):
        np.savez(tmp_path / "a.npz", t=times, x=ones, y=ones, p=ones)
        with pytest.raises(InputError, match=f"event 1 has the time {times[1]}"):
            npz.read_events(tmp_path / "a.npz")


def test_pieces_of_a_file_are_followed_as_the_whole() -> None:
    times = np.array([5, 4, 9, 8, 9, 12], np.int64) + TURN - 8
    clock, watch = Clock(), Watch(allowed=1)
    pieces = [clock.continued(part % TURN) for part in np.split(times, [1, 3, 4])]
    for piece in pieces:
        watch.follow(piece)
    assert np.concatenate(pieces).tolist() == times.tolist()
    assert (watch.late, watch.seen, watch.latest) == (2, 6, int(times.max()))
    with pytest.raises(InputError, match="event 6 "):
        watch.follow(times[:1])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.integers(0, 300), min_size=1, max_size=40),
    st.integers(0, 30),
    st.sampled_from([0, TURN - 150]),
    st.integers(-20, 320),
    st.integers(0, 200),
    st.integers(1, 7),
)
def test_any_part_of_a_recording_is_that_of_a_loop(
    times: list[int], late: int, start: int, first: int, length: int, block: int
) -> None:
    ordered = sorted([0, *times])
    shifts = np.random.default_rng(sum(times)).integers(0, late + 1, len(ordered)).tolist()
    jumbled = [t for _, t in sorted((t + shift, t) for t, shift in zip(ordered, shifts, strict=True))]
    records = np.zeros(len(ordered), [("t", "<u4"), ("xyp", "<u4")])
    records["t"] = [(t + start) % TURN for t in jumbled]
    recording = prophesee.Recording(Path("a"), records, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prophesee, "_BLOCK", block)
        index = recording.index(late)
        found = recording.between(start + first, start + first + length, index)
    assert found.t.tolist() == [t + start for t in ordered if first <= t < first + length]
    assert index.plain == (jumbled == ordered and start + max(times) < TURN)
    if index.plain:
        assert recording.between(start + first, start + first + length).t.tolist() == found.t.tolist()


NAME = "17-03-30_12-53-58_122500000_182500000"
BOXES = [(600_000, 10.0, 20.0, 60.0, 50.0, 0), (900_000, 10.0, 20.0, 60.0, 50.0, 0)]


def gen1(root: Path, events: list[Event]) -> Path:
    (root / "train").mkdir(parents=True, exist_ok=True)
    path = root / "train" / f"{NAME}_td.dat"
    path.write_bytes(dat(events))
    boxes_file(root / "train" / f"{NAME}_bbox.npy", BOXES)
    return path


@pytest.mark.parametrize("place", [100, 500, 800, 1500])
def test_swapped_packets_of_gen1_are_refused_wherever_they_lie(place: int, tmp_path: Path) -> None:
    events = random_events(RNG, 2000, 304, 240, 1_000_000)
    right = gen1(tmp_path, events)
    swapped = events[:place] + events[place + 200 : place + 400] + events[place : place + 200] + events[place + 400 :]
    expected = data.load("gen1", tmp_path)[0][0]
    right.write_bytes(dat(swapped))
    train = data.load("gen1", tmp_path)
    for _ in range(2):
        with pytest.raises(InputError, match=f"event {place + 200} is of") as found:
            train[0]
        assert found.value.where == str(right)
    tolerant = data.load("gen1", tmp_path, late=500_000)
    np.testing.assert_array_equal(tolerant[0][0], expected)


def test_the_order_of_a_file_is_read_once_for_all_its_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gen1(tmp_path, random_events(RNG, 2000, 304, 240, 1_000_000))
    train, calls = data.load("gen1", tmp_path), []
    real = prophesee.Recording.index

    def counted(self: Any, late: int = 0) -> Any:
        calls.append(late)
        return real(self, late)

    monkeypatch.setattr(prophesee.Recording, "index", counted)
    first = train.arrays()[0]
    np.testing.assert_array_equal(train.arrays()[0], first)
    assert calls == [0]


def test_what_was_put_in_order_is_counted_by_sample(tmp_path: Path) -> None:
    for index in range(3):
        for name in CLASSES:
            (tmp_path / name).mkdir(exist_ok=True)
            events = random_events(RNG, 40, 128, 128)
            if index == 1 and name == "cat":
                events = [(7, 1, 1, 1), (4, 1, 1, 1), (5, 1, 1, 1), (9, 1, 1, 1)]
            (tmp_path / name / f"{name}_{index}.aedat").write_bytes(aedat(events))
    test = data.load("dvs-cifar10", tmp_path, split="test", numbered=True, late=10)
    assert test.repairs == ""  # nothing was read yet
    for _ in range(2):
        test.arrays()
        assert test.repairs == "2 events in 1 sample of 'dvs-cifar10' (test) came too late: put in order"
    assert test.subset([0, 5]).repairs == test.repairs
