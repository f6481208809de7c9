"""The command line by its standard output, standard error and exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.places import ROOT

from spqc.foundation.errors import Unavailable
from spqc.plugins.frontend import Observation

Run = Callable[..., object]
Golden = Callable[[str, str], None]


def shown(outcome: object) -> str:
    """Return an outcome as golden text: sizes of files and times vary, so they are left out."""
    text = f"exit {outcome.code}\n---- stdout\n{outcome.out}---- stderr\n{outcome.err}"  # type: ignore[attr-defined]
    text = re.sub(r"(file |\.spqc, )[\d,]+ bytes", r"\1N bytes", text)
    text = re.sub(r'("(?:file_)?bytes": )\d+', r"\1N", text)
    return re.sub(r"[0-9a-f]{64}", "SHA256", text)


@pytest.fixture
def inputs(tiny: Path) -> Path:
    np.save("x.npy", np.random.default_rng(0).integers(0, 2, (3, 2, 4)).astype(np.uint8))
    return Path("x.npy")


COMMANDS: dict[str, list[str]] = {
    "help": ["--help"],
    "version": ["--version"],
    "help_compile": ["compile", "--help"],
    "help_verify": ["verify", "--help"],
    "compile": ["compile", "tiny.tg", "--target", "reference"],
    "compile_json": ["compile", "tiny.tg", "--target", "reference{optimise=true}", "-o", "net.spqc", "--json"],
    "compile_passes": ["compile", "tiny.tg", "--target", "reference", "--passes", "default,fix-point{fraction=9}"],
    "verify": ["verify", "tiny.tg", "--target", "reference"],
    "verify_input": ["verify", "tiny.tg", "--target", "reference", "--input", "x.npy"],
    "verify_json": ["verify", "tiny.tg", "--target", "reference", "--json", "--samples", "3", "--seed", "7"],
    "inspect_model": ["inspect", "tiny.tg"],
    "inspect_json": ["inspect", "tiny.tg", "--json"],
    "list_frontends": ["list", "targets", "reference"],
    "list_operator": ["list", "operators", "conv2d"],
    "list_json": ["list", "passes", "remove-dead", "--json"],
    "analyze": ["analyze", "tiny.tg", "--samples", "2"],
    "analyze_json": ["analyze", "tiny.tg", "--input", "x.npy", "--json"],
    "analyze_lean": ["analyze", "tiny.tg", "--no-program", "--weight-bits", "2", "--spatial-sparsity", "0.35"],
    "help_analyze": ["analyze", "--help"],
    "wrong_name": ["analyze", "vgg99"],
    "wrong_set": ["analyze", "vgg9", "--set", "stepps=2"],
    "wrong_set_text": ["analyze", "vgg9", "--set", "steps"],
    "wrong_set_file": ["analyze", "tiny.tg", "--set", "steps=2"],
    "wrong_bound": ["analyze", "tiny.tg", "--clip-bound", "0.5"],
    "wrong_sparsity": ["analyze", "tiny.tg", "--channel-sparsity", "1"],
    "opt": ["opt", "tiny.tg", "--passes", "fold-neurons,remove-dead"],
    "opt_nothing": ["opt", "tiny.tg"],
    "wrong_command": ["verfy", "tiny.tg"],
    "wrong_option": ["verify", "tiny.tg", "--smaples", "3"],
    "wrong_value": ["verify", "tiny.tg", "--samples", "many"],
    "wrong_count": ["verify", "tiny.tg", "--samples", "0"],
    "no_argument": ["compile"],
    "no_command": [],
    "wrong_target": ["compile", "tiny.tg", "--target", "refrence"],
    "wrong_target_option": ["compile", "tiny.tg", "--target", "reference{optimize=true}"],
    "wrong_target_text": ["compile", "tiny.tg", "--target", "reference{"],
    "wrong_pass": ["compile", "tiny.tg", "--passes", "fold-neuron"],
    "wrong_pass_option": ["opt", "tiny.tg", "--passes", "fold-neurons{limt=3}"],
    "wrong_kind": ["list", "pass"],
    "wrong_entry": ["list", "passes", "remove-ded"],
    "run_without_input": ["run", "net.spqc"],
    "wrong_data": ["run", "tiny.spqc", "--data", "digit"],
    "wrong_model": ["train", "digit", "--out", "x.pt"],
}  # fmt: skip


@pytest.mark.parametrize("name", COMMANDS)
def test_golden(name: str, spqc: Run, golden: Golden, inputs: Path) -> None:
    if name == "wrong_data":
        spqc("compile", "tiny.tg", "--target", "reference")
    golden(f"cli/{name}.txt", shown(spqc(*COMMANDS[name])))


@pytest.mark.parametrize("target", ["reference", "llvm"])
def test_compile_run_verify(spqc: Run, target: str, inputs: Path) -> None:
    assert spqc("compile", "tiny.tg", "--target", target, "-o", "net.spqc").code == 0
    first = spqc("run", "net.spqc", "--input", "x.npy")
    assert first.code == 0 and first.err == ""
    assert [int(line) for line in first.out.split()] == json.loads(
        spqc("run", "net.spqc", "--input", "x.npy", "--json").out
    )["predictions"]
    assert spqc("run", "net.spqc", "--input", "x.npy", "--output", "y.npy").out == "wrote y.npy: logits [3, 2, 2]\n"
    assert np.load("y.npy").shape == (3, 2, 2)
    report = json.loads(spqc("verify", "tiny.tg", "net.spqc", "--json").out)
    assert report["schema"] == "spqc.verify/1"
    assert report["equal"] is True and report["mismatched_spikes"] == 0 and report["first_mismatch"] is None
    assert report["compared_spikes"] == report["samples"] * report["steps"] * 3


def test_bench_measures(spqc: Run, inputs: Path) -> None:
    spqc("compile", "tiny.tg", "--target", "reference", "-o", "net.spqc")
    outcome = spqc("bench", "net.spqc", "--repeats", 3, "--batch", 2, "--json")
    found = json.loads(outcome.out)
    assert found["schema"] == "spqc.bench/1"
    (row,) = found["rows"]
    assert row["batch"] == 2 and row["eager"] is None and row["compiled"]["kind"] == "measured"
    assert 0 < row["compiled"]["min_ms"] <= row["compiled"]["median_ms"]
    assert spqc("bench", "net.spqc", "--repeats", 3).out.startswith("measured on ")


def test_doctor(spqc: Run) -> None:
    found = json.loads(spqc("doctor", "--json").out)
    assert found["schema"] == "spqc.doctor/1" and found["healthy"] is True
    assert {"python", "apache-tvm", "target reference"} <= {check["name"] for check in found["checks"]}


def test_a_mismatch_exits_with_1_and_names_the_first(
    spqc: Run, golden: Golden, inputs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spqc.targets.reference.executor import ReferenceExecutor

    honest = ReferenceExecutor.trace

    def lying(self: ReferenceExecutor, x: np.ndarray) -> Observation:
        seen = honest(self, x)
        spikes = {name: array.copy() for name, array in seen.spikes.items()}
        if len(x) == 3:  # all samples at once: not the second time, when they come in another order
            spikes["features.0"][2, 1, 1] ^= 1
        return Observation(seen.logits, spikes, seen.states, seen.gates)

    monkeypatch.setattr(ReferenceExecutor, "trace", lying)
    outcome = spqc("verify", "tiny.tg", "--target", "reference", "--input", "x.npy", "--json")
    report = json.loads(outcome.out)
    assert outcome.code == 1 and report["equal"] is False and report["mismatched_spikes"] == 1
    assert report["first_mismatch"]["layer"] == "features.0" and report["first_mismatch"]["step"] == 1
    golden("cli/mismatch.txt", shown(spqc("verify", "tiny.tg", "--target", "reference", "--input", "x.npy")))


def test_unavailable_exits_with_3(spqc: Run, inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from spqc.targets.reference import Reference

    def refuse(package: object) -> None:
        raise Unavailable("this machine has no abacus", hint="buy one")

    monkeypatch.setattr(Reference, "open", refuse)
    outcome = spqc("verify", "tiny.tg", "--target", "reference")
    assert (outcome.code, outcome.err) == (3, "error: this machine has no abacus\nhint: buy one\n")


def test_a_bug_exits_with_70_and_says_how_to_see_more(spqc: Run, inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise ZeroDivisionError("of the universe")

    monkeypatch.setattr("spqc.api.list_", crash)
    outcome = spqc("list", "passes")
    assert outcome.code == 70 and "Traceback" not in outcome.err and "SPQC_TRACEBACK=1" in outcome.err


def test_the_trace_is_there_for_who_asks(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "spqc", "list", "nothing"]
    environment = {**os.environ, "SPQC_TRACEBACK": "1"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 2 and "Traceback" in done.stderr


def test_a_crashing_pass_leaves_a_reproducer(spqc: Run, inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from spqc.passes.remove_dead import RemoveDead

    def crash(self: RemoveDead, module: object) -> None:
        raise IndexError("list index out of range")

    sound = RemoveDead.run
    monkeypatch.setattr(RemoveDead, "run", crash)
    outcome = spqc("opt", "tiny.tg", "--passes", "fold-neurons,remove-dead", "--dump", "dump")
    assert outcome.code == 70 and "pass 'remove-dead' crashed: IndexError" in outcome.err
    assert "dump/reproducer.tg" in outcome.err
    text = Path("dump/reproducer.tg").read_text()
    assert text.startswith("// pipeline: remove-dead\n") and "automaton" in text
    graphs = ["00-input", "01-fold-neurons", "reproducer"]
    files = [f"{name}.{kind}" for name in graphs for kind in ("npz", "tg")]
    assert sorted(p.name for p in Path("dump").iterdir()) == files
    again = spqc("opt", "dump/reproducer.tg")
    assert again.code == 70 and "pass 'remove-dead' crashed: IndexError" in again.err
    monkeypatch.setattr(RemoveDead, "run", sound)
    assert "automaton" in spqc("opt", "dump/reproducer.tg").out


def test_interrupt_is_quiet(spqc: Run, inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("spqc.api.list_", interrupt)
    outcome = spqc("list", "passes")
    assert (outcome.code, outcome.out, outcome.err) == (130, "", "")


def test_a_broken_pipe_is_quiet() -> None:
    command = f"{sys.executable} -m spqc list operators | head -c 1 >/dev/null; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT)
    assert done.stderr == "" and done.returncode in (0, 141)


def test_colour_only_on_a_terminal() -> None:
    done = subprocess.run([sys.executable, "-m", "spqc", "doctor"], capture_output=True, text=True, cwd=ROOT)
    assert "\033" not in done.stdout + done.stderr


@pytest.mark.slow
def test_a_real_interrupt_is_quiet(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "spqc", "train", "digits", "--out", str(tmp_path / "d.pt")]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a test run in the background ignores it
    )
    time.sleep(8)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and "Traceback" not in errors
    assert "--resume" in errors or not (tmp_path / "d.state.pt").exists()
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= {"d.state.pt", "d.best.pt"}, "an interrupt leaves what --resume needs, and nothing else"
