"""Tuning: records survive kills and corruption, merge by concatenation, and decide what `compile` takes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spqc as package
from spqc.foundation.errors import OutputError, UsageError
from spqc.plugins.target import Finding
from spqc.plugins.tuning import Candidate, Job, Tuner
from spqc.tuning.budget import seconds
from spqc.tuning.driver import Step, search
from spqc.tuning.fit import Measurement, fitted, nonnegative
from spqc.tuning.rates import read_rates, write_rates
from spqc.tuning.records import Journal, Record, findings, read_records

RECORD = Record("kernel a", "dense", {"tiles": 2}, 1500.0, "2026-01-02", "0.1.0")


class Fake(Tuner):
    """Two kernels with three candidates each; a candidate takes as many nanoseconds as its setting says."""

    cpu = "none"

    def __init__(self) -> None:
        self.measured: list[tuple[str, int]] = []

    def jobs(self) -> Sequence[Job]:
        candidates = tuple(Candidate("dense", {"n": n}, float(n)) for n in (30, 10, 20))
        return [
            Job("small", "one", candidates, candidates[0]),
            Job("large", "two", candidates, replace_first(candidates)),
        ]

    def measure(self, job: Job, candidates: Sequence[Candidate]) -> Iterator[tuple[Candidate, float]]:
        for candidate in candidates:
            self.measured.append((job.key, candidate.settings["n"]))
            yield candidate, float(candidate.settings["n"])


def replace_first(candidates: tuple[Candidate, ...]) -> Candidate:
    return replace(candidates[0], predicted_ns=99.0)


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_search_measures_everything_once(tmp_path: Path) -> None:
    path, first, second, steps = tmp_path / "r.jsonl", Fake(), Fake(), list[Step]()
    report = search(first, "t", path, progress=steps.append)
    assert (report.ended, report.measured, report.remaining) == ("complete", 6, 0)
    assert [kernel.settings for kernel in report.kernels] == [{"n": 10}, {"n": 10}]
    assert first.measured[0][0] == "large", "the kernel that takes longest comes first"
    assert [step.best_ns for step in steps if step.layer == "two"] == sorted(
        (step.best_ns for step in steps if step.layer == "two"), reverse=True
    )
    again = search(second, "t", path)
    assert (again.measured, again.reused, second.measured) == (0, 6, [])


@pytest.mark.parametrize(
    ("limits", "ended", "measured"), [({"trials": 4}, "trials", 4), ({"budget_s": 1e-9}, "budget", 1)]
)
def test_limits_end_a_search(tmp_path: Path, limits: dict[str, Any], ended: str, measured: int) -> None:
    path = tmp_path / "r.jsonl"
    report = search(Fake(), "t", path, **limits)
    assert (report.ended, report.measured, len(lines(path))) == (ended, measured, measured)
    rest = search(Fake(), "t", path)
    assert (rest.ended, rest.reused, rest.measured) == ("complete", measured, 6 - measured)


def test_a_dry_run_measures_and_writes_nothing(tmp_path: Path) -> None:
    tuner = Fake()
    report = search(tuner, "t", tmp_path / "r.jsonl", dry_run=True)
    assert (report.ended, report.measured, report.remaining, tuner.measured) == ("dry run", 0, 6, [])
    assert not (tmp_path / "r.jsonl").exists()


def test_an_interrupt_keeps_what_was_measured(tmp_path: Path) -> None:
    class Interrupted(Fake):
        def measure(self, job: Job, candidates: Sequence[Candidate]) -> Iterator[tuple[Candidate, float]]:
            yield candidates[0], 5.0
            raise KeyboardInterrupt

    report = search(Interrupted(), "t", tmp_path / "r.jsonl")
    assert (report.ended, report.measured, len(lines(tmp_path / "r.jsonl"))) == ("interrupted", 1, 1)


CORRUPT = [
    b'{"key": "kernel a", "strat',
    b"\xff\xfe\x00",
    b"[]",
    b"{}",
    b'"text"',
    b"[" * 100_000,
    json.dumps({**RECORD.__dict__, "time_ns": -1}).encode(),
    json.dumps({**RECORD.__dict__, "time_ns": "fast"}).encode(),
    json.dumps({**RECORD.__dict__, "settings": {"tiles": "two"}}).encode(),
    json.dumps({**RECORD.__dict__, "version": 99}).encode(),
]


@pytest.mark.parametrize("bad", CORRUPT, ids=range(len(CORRUPT)))
def test_a_line_that_is_no_record_is_skipped_aloud(
    tmp_path: Path, bad: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "r.jsonl"
    good = json.dumps(RECORD.__dict__).encode()
    path.write_bytes(good + b"\n" + bad + b"\n" + good + b"\n")
    assert read_records(path) == [RECORD, RECORD]
    assert "line 2 is no tuning record" in caplog.text


def test_a_torn_last_line_is_skipped_and_does_not_spoil_the_next(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "r.jsonl"
    with Journal(path) as journal:
        journal.append(RECORD)
    whole = path.read_bytes()
    for cut in range(1, len(whole) - 1):
        path.write_bytes(whole + whole[:cut])
        caplog.clear()
        assert read_records(path) == [RECORD]
        assert "was not written completely" in caplog.text
    with Journal(path) as journal:
        journal.append(RECORD)
    assert read_records(path) == [RECORD, RECORD]


def test_files_merge_by_concatenation(tmp_path: Path) -> None:
    faster = replace(RECORD, settings={"tiles": 4}, time_ns=900.0)
    for name, records in (("a", [RECORD, faster]), ("b", [replace(RECORD, time_ns=1200.0)])):
        with Journal(tmp_path / name) as journal:
            for record in records:
                journal.append(record)
    merged = [findings(read_records_of(tmp_path, order)) for order in ("ab", "ba")]
    assert (
        merged[0]
        == merged[1]
        == {
            "kernel a": (
                Finding("dense", {"tiles": 4}, 900.0, "2026-01-02"),
                Finding("dense", {"tiles": 2}, 1200.0, "2026-01-02"),
            )
        }
    )


def read_records_of(folder: Path, names: str) -> list[Record]:
    (folder / "both").write_bytes(b"".join((folder / name).read_bytes() for name in names))
    return read_records(folder / "both")


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        Journal(tmp_path)


@pytest.mark.parametrize(("text", "wanted"), [("90", 90), ("90s", 90), ("10m", 600), ("1.5h", 5400)])
def test_budgets(text: str, wanted: float) -> None:
    assert seconds(text) == wanted


@pytest.mark.parametrize("text", ["", "0", "-1s", "ten", "1d", "nan"])
def test_wrong_budgets(text: str) -> None:
    with pytest.raises(UsageError, match="no length of time"):
        seconds(text)


WRITER = """
import sys
from pathlib import Path
from spqc.tuning.records import Journal, Record
with Journal(Path(sys.argv[1])) as journal:
    print("ready", flush=True)
    for n in range(10**9):
        journal.append(Record(f"kernel {n}", "dense", {"n": n}, 1.0 + n, "2026-01-02", "0.1.0"))
"""


def test_a_killed_writer_loses_no_complete_record(tmp_path: Path) -> None:
    """Kill real processes at random moments, one after another, on one file: every record is there, in order."""
    path, draw = tmp_path / "r.jsonl", random.Random(0)
    for _ in range(6):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE)
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"
        time.sleep(draw.uniform(0.005, 0.08))
        process.send_signal(draw.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM]))
        process.wait()
        process.stdout.close()
    found = read_records(path)
    runs = [i for i, record in enumerate(found) if record.settings["n"] == 0]
    ends = [*runs[1:], len(found)]
    for begin, end in zip(runs, ends, strict=True):
        assert [record.settings["n"] for record in found[begin:end]] == list(range(end - begin))
    assert found


def test_records_decide_what_is_compiled(tiny: Path, spqc: Callable[..., Any]) -> None:
    """Tuned settings are taken, said, deterministic, and exact; another file of records is another choice."""
    assert spqc("tune", tiny, "--records", "r.jsonl", "--trials", 3).code == 0
    outcome = spqc("compile", tiny, "-o", "a.spqc", "--records", "r.jsonl")
    assert outcome.code == 0 and outcome.err.startswith("tuning records: ")
    assert spqc("compile", tiny, "-o", "b.spqc", "--records", "r.jsonl").code == 0
    assert Path("a.spqc").read_bytes() == Path("b.spqc").read_bytes()
    report = package.load("a.spqc").contents.report
    assert report["tuning"]["hits"] >= 1
    assert any(e["reason"].startswith("measured ") and e["tuned"] for e in report["kernels"]["run"])
    assert package.verify(tiny, artifact="a.spqc").equal
    assert spqc("compile", tiny, "-o", "c.spqc", "--records", "none").err == ""
    assert "tuning" not in package.load("c.spqc").contents.report


def test_a_record_of_settings_that_are_gone_is_not_taken(tiny: Path) -> None:
    package.tune(tiny, trials=2, records="r.jsonl")
    raw = [{**line, "settings": {"tiles": 1024}} for line in lines(Path("r.jsonl"))]
    raw += [{**line, "strategy": "no-such"} for line in raw]
    Path("r.jsonl").write_text("".join(json.dumps(line) + "\n" for line in raw))
    assert package.compile(tiny, records="r.jsonl").contents.report["tuning"]["hits"] == 0


def test_tuning_an_unknown_target(tiny: Path, spqc: Callable[..., Any]) -> None:
    outcome = spqc("tune", tiny, "--target", "llvmm")
    assert outcome.code == 2 and "did you mean 'llvm'?" in outcome.err
    outcome = spqc("tune", tiny, "--target", "reference")
    assert outcome.code == 2 and "target 'reference' has nothing to tune" in outcome.err
    outcome = spqc("tune", tiny, "--trials", 0)
    assert outcome.code == 2 and "trials must be 1 or more" in outcome.err
    assert spqc("tune").code == 2


def test_a_dry_run_on_the_command_line(tiny: Path, spqc: Callable[..., Any]) -> None:
    outcome = spqc("tune", tiny, "--dry-run", "--records", "r.jsonl", "--json")
    found = json.loads(outcome.out)
    assert outcome.code == 0 and not Path("r.jsonl").exists()
    assert found["ended"] == "dry run" and found["remaining"] > 0


@pytest.mark.slow
def test_a_killed_tuner_goes_on(tiny: Path) -> None:
    """Interrupt and kill real searches; the next one measures only what is missing."""
    command = [sys.executable, "-m", "spqc", "tune", str(tiny), "--records", "r.jsonl"]
    environment = {**os.environ, "NO_COLOR": "1"}
    for sign in (signal.SIGINT, signal.SIGKILL):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        before = len(read_records(Path("r.jsonl")))
        while len(read_records(Path("r.jsonl"))) <= before and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(sign)
        out, _ = process.communicate()
        assert process.returncode in (130, -signal.SIGKILL, 0)
        assert sign == signal.SIGKILL or process.returncode == 0 or b"interrupted: " in out
    known = len(read_records(Path("r.jsonl")))
    report = package.tune(tiny, records="r.jsonl")
    assert report.reused == known >= 2 and report.ended == "complete" and report.remaining == 0


def test_rates_are_found_again() -> None:
    """Times made of known rates give those rates back; none is negative."""
    rng = np.random.default_rng(0)
    rates = {"rows": 0.25, "runs": 6.0, "idle": 0.0}
    samples = []
    for _ in range(40):
        features = {"rows": float(rng.integers(1, 10**6)), "runs": float(rng.integers(1, 10**4)), "idle": 5.0}
        samples.append(Measurement("events", features, sum(rates[name] * n for name, n in features.items())))
    report = fitted(samples, "t", "cpu", "f")
    assert report.rates["events"] == pytest.approx(rates, rel=1e-3, abs=1e-6)
    assert report.worst_error < 1e-3
    assert (nonnegative(rng.normal(size=(30, 5)), rng.normal(size=30)) >= 0).all()


def test_rates_are_kept_by_cpu(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "spqc" / "rates.json"
    assert read_rates(path) == {}
    for cpu, ns in (("one", 1.0), ("two", 2.0), ("one", 3.0)):
        write_rates(path, cpu, {"rates": {"dense": {"dot": ns}}})
    assert read_rates(path) == {"one": {"dense": {"dot": 3.0}}, "two": {"dense": {"dot": 2.0}}}
    path.write_text('{"one": 3}')
    assert read_rates(path) == {} and "no file of fitted rates" in caplog.text
