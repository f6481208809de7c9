"""A training that is killed, at any moment and often, ends with the weights of one that was not."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.places import ROOT

from spqc.foundation.errors import ModelError, UsageError

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

import spqc.train.run as finishing  # noqa: E402  (torch must be there)
from spqc.train import loop, state, tasks, train  # noqa: E402

SMALL = {"width": 3, "batch": 200, "augment": "shift"}
EVERYTHING = "spquant+adaptive+gated+sparse"


class Killed(Exception):
    """Stands for the end of a process, inside of one."""


def run(out: Path, resume: bool = False, **words: Any) -> Any:
    options = {**SMALL, **words.pop("options", {})}
    settings = {"preset": EVERYTHING, "epochs": 2, "seed": 5, "save_seconds": 0.0, **words}
    return train("digits", out=out, resume=resume, options=options, **settings)


def weights(path: Path) -> dict[str, Any]:
    state_dict: dict[str, Any] = torch.load(path, weights_only=True)["state_dict"]
    return state_dict


def same(first: Path, second: Path) -> bool:
    one, other = weights(first), weights(second)
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def interrupted(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, calls: int) -> Callable[[], None]:
    """Make a function raise at its n-th call; return what undoes it."""
    real, seen = getattr(owner, name), [0]

    def dying(*arguments: Any, **keywords: Any) -> Any:
        seen[0] += 1
        if seen[0] == calls:
            raise Killed
        return real(*arguments, **keywords)

    monkeypatch.setattr(owner, name, dying)
    return lambda: monkeypatch.setattr(owner, name, real)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a training that nothing interrupts."""
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("whole") / "net.pt"
    run(path)
    return path


@pytest.mark.parametrize(
    ("owner", "name", "calls"),
    [
        (loop._Loop, "_update", 4),  # inside the first epoch
        (tasks, "accuracy", 1),  # after an epoch, before it is judged
        (loop.checkpoint, "save", 1),  # before the best checkpoint is written
        (state, "write_atomic", 9),  # while the state is saved
        (loop._Loop, "_update", 13),  # inside the second epoch
        (finishing, "layer_reports", 1),  # when the weights are written, and the network is measured
    ],
)
def test_an_interruption_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, whole: Path, owner: Any, name: str, calls: int
) -> None:
    restore = interrupted(monkeypatch, owner, name, calls)
    with pytest.raises(Killed):
        run(tmp_path / "net.pt")
    restore()
    report = run(tmp_path / "net.pt", resume=True)
    assert same(tmp_path / "net.pt", whole)
    assert same(tmp_path / "net.best.pt", whole.with_name("net.best.pt"))
    assert report.epochs == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.best.pt", "net.pt"]


def test_an_interruption_of_the_last_write_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, whole: Path
) -> None:
    from spqc.train import run as runner

    real = runner.checkpoint.save

    def dying(network: Any, path: Path) -> None:
        if path == tmp_path / "net.pt":
            raise Killed
        real(network, path)

    monkeypatch.setattr(runner.checkpoint, "save", dying)
    with pytest.raises(Killed):
        run(tmp_path / "net.pt")
    monkeypatch.setattr(runner.checkpoint, "save", real)
    run(tmp_path / "net.pt", resume=True)
    assert same(tmp_path / "net.pt", whole)


def test_other_settings_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    restore = interrupted(monkeypatch, loop._Loop, "_update", 3)
    with pytest.raises(Killed):
        run(tmp_path / "net.pt")
    restore()
    with pytest.raises(UsageError, match="batch was 200 and is 100") as refused:
        run(tmp_path / "net.pt", resume=True, options={"batch": 100})
    assert "seed" not in refused.value.message
    with pytest.raises(UsageError, match="seed was 5 and is 6"):
        run(tmp_path / "net.pt", resume=True, seed=6)
    with pytest.raises(UsageError, match="weight_bits"):
        run(tmp_path / "net.pt", resume=True, options={"weight_bits": 2})


def test_a_damaged_or_foreign_state_is_told(tmp_path: Path) -> None:
    saved = tmp_path / "net.state.pt"
    saved.write_bytes(b"PK nothing")
    with pytest.raises(ModelError, match="damaged"):
        run(tmp_path / "net.pt", resume=True)
    torch.save({"format": "something else"}, saved)
    with pytest.raises(ModelError, match="not the state"):
        run(tmp_path / "net.pt", resume=True)
    torch.save({"format": state.FORMAT, "version": 99}, saved)
    with pytest.raises(ModelError, match="99"):
        run(tmp_path / "net.pt", resume=True)


def broken(content: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    return {**content, key: {**content[key], **value} if isinstance(value, dict) else value}


def test_a_state_whose_parts_do_not_fit_is_damaged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    restore = interrupted(monkeypatch, loop._Loop, "_update", 3)
    with pytest.raises(Killed):
        run(tmp_path / "net.pt")
    restore()
    saved = tmp_path / "net.state.pt"
    content = torch.load(saved, weights_only=True)
    weight = next(iter(content["network"]))
    without = {key: value for key, value in content["order"].items() if key != "now"}
    for key, value in (
        ("settings", "{"),
        ("settings", "[1]"),
        ("order", {"now": "x"}),
        ("network", {weight: torch.zeros(1)}),
        ("network", {"foreign": torch.zeros(1)}),
        ("optimiser", {"param_groups": [1]}),
    ):
        torch.save(broken(content, key, value), saved)
        with pytest.raises(ModelError, match="damaged") as told:
            run(tmp_path / "net.pt", resume=True)
        assert told.value.where == str(saved)
    torch.save({**content, "order": without}, saved)
    with pytest.raises(ModelError, match="damaged"):
        run(tmp_path / "net.pt", resume=True)
    assert not (tmp_path / "net.pt").exists()


def test_a_training_goes_on_with_as_many_samples(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    words: dict[str, Any] = {"data": "arrays", "root": tmp_path, "epochs": 2, "batch": 4, "save_seconds": 0.0}
    words["options"] = {"layers": [{"op": "flatten"}, {"op": "linear"}]}

    def write(samples: int) -> None:
        for split in ("train", "test"):
            x = rng.integers(0, 256, (samples, 1, 2, 2), dtype=np.uint8)
            np.savez(tmp_path / f"{split}.npz", x=x, y=np.arange(samples) % 2)

    write(8)
    with pytest.MonkeyPatch.context() as patch:
        interrupted(patch, loop._Loop, "_update", 2)
        with pytest.raises(Killed):
            train("sequential", out=tmp_path / "net.pt", **words)
    write(6)
    with pytest.raises(UsageError, match="started with 8 samples and would go on with 6"):
        train("sequential", out=tmp_path / "net.pt", resume=True, **words)
    write(8)
    assert train("sequential", out=tmp_path / "net.pt", resume=True, **words).epochs == 2


def test_the_state_never_runs_code(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "trapped"),)

    torch.save({"format": state.FORMAT, "network": Trap()}, tmp_path / "net.state.pt")
    with pytest.raises(ModelError):
        run(tmp_path / "net.pt", resume=True)
    assert not (tmp_path / "trapped").exists()


def test_a_finished_training_has_nothing_to_resume(tmp_path: Path) -> None:
    run(tmp_path / "net.pt", epochs=0)
    with pytest.raises(UsageError, match="finished"):
        run(tmp_path / "net.pt", resume=True, epochs=0)


def command(out: Path, epochs: int) -> list[str]:
    words = ["train", "digits", "--preset", EVERYTHING, "--epochs", str(epochs), "--save-seconds", "0.02"]
    words += ["--set", "width=3", "--set", "batch=100", "-o", str(out)]
    return [sys.executable, "-m", "spqc", *words]


def killed_until_done(out: Path, epochs: int, rng: random.Random, kills: int) -> int:
    """Start and kill -9 the training `kills` times at random moments of its work, then let it end; return the kills."""
    done = 0
    for attempt in range(kills):
        process = subprocess.Popen(
            [*command(out, epochs), *(["--resume"] if attempt else [])], cwd=ROOT, stderr=subprocess.DEVNULL
        )
        started, marker = time.monotonic(), out.with_name("net.state.pt")
        before = marker.stat().st_mtime_ns if marker.exists() else 0
        while process.poll() is None and time.monotonic() - started < 60:
            if marker.exists() and marker.stat().st_mtime_ns != before:
                break  # it works again
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.7))
        done += process.poll() is None
        process.kill()
        process.wait()
        for path in out.parent.glob("net*.pt"):
            torch.load(path, weights_only=True)  # whatever is there is whole
        if out.exists():
            return done
    subprocess.run([*command(out, epochs), "--resume"], cwd=ROOT, check=True, capture_output=True)
    return done


@pytest.mark.slow
def test_kill_9_at_random_moments_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    subprocess.run(command(tmp_path / "whole" / "net.pt", 8), cwd=ROOT, check=True, capture_output=True)
    kills = killed_until_done(tmp_path / "killed" / "net.pt", 8, random.Random(7), kills=6)
    assert kills >= 3
    assert same(tmp_path / "killed" / "net.pt", tmp_path / "whole" / "net.pt")
    assert same(tmp_path / "killed" / "net.best.pt", tmp_path / "whole" / "net.best.pt")
