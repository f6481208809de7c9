"""No batch is too small for batch norm or for the processes that share it; what happens is said before training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spqc.foundation.errors import UsageError

torch = pytest.importorskip("torch")
pytest.importorskip("sklearn")

from spqc.nn import models  # noqa: E402  (torch must be there)
from spqc.train import train  # noqa: E402
from spqc.train.batches import Cuts  # noqa: E402
from spqc.train.processes import Processes  # noqa: E402
from spqc.train.smallest_batch import smallest_batch  # noqa: E402

DENSE = [{"op": "flatten"}, {"op": "linear", "out": 8}, {"op": "linear", "out": 10}]
CONV = [{"op": "conv2d", "out": 2, "kernel": 3}, {"op": "flatten"}, {"op": "linear", "out": 10}]
TRAINED = 1437  # samples of the digits


def run(layers: list[dict[str, Any]], out: Path | None = None, **words: Any) -> Any:
    options = {"layers": layers, "steps": words.pop("steps", 1), **words.pop("options", {})}
    return train("sequential", data="digits", out=out, options=options, epochs=1, **words)


@pytest.mark.parametrize("batch", [718, 1436, 359])
def test_one_sample_that_is_left_over_joins_the_batch_before(
    batch: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert TRAINED % batch == 1
    report = run(DENSE, tmp_path / "net.pt", batch=batch)
    (note,) = report.notes
    assert "the last batch of an epoch would have 1 sample, and joins the one before" in note and "features.1" in note
    said = capsys.readouterr().err.splitlines()
    assert said[0] == f"note: {note}" and said[1].startswith("training: epoch 1")


def test_a_last_batch_that_is_large_enough_stays(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(DENSE, batch=717).notes == ()  # 3 samples are left
    assert run(CONV, batch=718).notes == ()  # 36 positions of one sample
    assert run(DENSE, batch=718, options={"batch_norm": "none"}).notes == ()
    assert "note" not in capsys.readouterr().err


def test_a_batch_of_one_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a batch of 1 is too small: the batch norm of ") as caught:
        run(DENSE, tmp_path / "net.pt", batch=1)
    assert caught.value.hint == "--batch 2 or more" and not list(tmp_path.iterdir())


def test_steps_that_repeat_a_frame_are_one_value_until_a_neuron_has_fired() -> None:
    with pytest.raises(UsageError, match=r"features\.1 needs 2 samples"):
        run(DENSE, batch=1, steps=4)
    deep = models.create("sequential", in_shape=(1, 8, 8), layers=[CONV[0], *DENSE], steps=4, input="digits")
    assert smallest_batch(deep, False, Processes()).samples == 1  # the dense layer reads spikes of 4 steps
    flat = models.create("sequential", in_shape=(1, 8, 8), layers=DENSE, steps=4, input="digits")
    assert smallest_batch(flat, True, Processes()).samples == 1  # four frames
    assert smallest_batch(flat, False, Processes()).samples == 2


@pytest.mark.parametrize("seed", [-1, 2**63, 10**30, 1.5, True])
def test_a_seed_that_no_generator_takes_is_refused(seed: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the seed must be an integer in 0\.\.2\^63-1"):
        run(DENSE, tmp_path / "net.pt", batch=200, seed=seed)
    with pytest.raises(UsageError, match="seed must be"):
        models.create("sequential", in_shape=(1, 8, 8), layers=DENSE, seed=seed)
    assert not list(tmp_path.iterdir())


def test_the_greatest_seed_trains() -> None:
    assert run(DENSE, batch=800, seed=2**63 - 1).seed == 2**63 - 1


@pytest.mark.parametrize("layers", [DENSE, CONV])
@pytest.mark.parametrize("count", [2, 3])
def test_every_process_gets_a_share_that_batch_norm_can_use(layers: list[dict[str, Any]], count: int) -> None:
    network = models.create("sequential", in_shape=(1, 8, 8), layers=layers, steps=1, input="digits")
    smallest = smallest_batch(network, False, Processes(0, count))
    each = 2 if layers is DENSE else 1
    for samples in range(smallest.samples, 40):
        for part in Cuts(smallest.samples, smallest.samples).of(samples):
            shares = [Processes(rank, count).share(np.arange(samples)[part]) for rank in range(count)]
            assert all(len(set(share.tolist())) == len(share) >= each for share in shares)
    with pytest.raises(UsageError, match=f"{count} processes"):
        smallest.check(100, smallest.samples - 1)
    with pytest.raises(UsageError, match=f"{smallest.samples - 1} samples? to train on cannot make"):
        smallest.check(smallest.samples - 1, 100)


@given(st.integers(1, 60), st.integers(1, 20), st.integers(1, 20))
def test_batches_hold_every_sample_once_and_are_not_too_small(samples: int, size: int, least: int) -> None:
    parts = [np.arange(samples)[part] for part in Cuts(size, least).of(samples)]
    assert np.concatenate(parts).tolist() == list(range(samples))
    if least <= size:
        assert len(parts) == 1 or min(map(len, parts)) >= least
        assert all(len(part) == size for part in parts[:-1])
