"""What people read on terminals of 80 and 120 columns: no word is cut, and nothing that matters is lost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text
from support.places import ROOT
from support.pseudo_terminal import shown

from spqc import api
from spqc.report import tuning
from spqc.report.table import sentence, table, wrapped
from spqc.report.terminal import say, show_kernels, show_table
from spqc.tuning.driver import TunedKernel, TuneReport

WIDTHS = [80, 120]
UNLIMITED = 4000
DIGITS = str(ROOT / "examples" / "digits.pt")

word = st.text("abc[]é漢.,*", min_size=1, max_size=14)
cell = st.lists(word, max_size=5).map(" ".join)
grid = st.integers(1, 6).flatmap(
    lambda count: st.tuples(
        st.lists(cell, min_size=count, max_size=count, unique=True),
        st.lists(st.lists(cell, min_size=count, max_size=count), max_size=5),
        st.lists(st.booleans(), min_size=count, max_size=count),
    )
)


@settings(max_examples=300, deadline=None)
@given(grid, st.integers(1, 130), st.integers(1, 3))
def test_a_table_breaks_no_word_and_is_no_wider_than_it_must_be(
    drawn: tuple[list[str], list[list[str]], list[bool]], width: int, keys: int
) -> None:
    head, rows, numbers = drawn
    right = [title for title, is_number in zip(head, numbers, strict=True) if is_number]
    lines = [line.plain for line in table(head, rows, right, width, keys)]
    text = " ".join(lines).split()
    for cells in ([*head] if any(head) else [], *rows):
        for one in cells:
            assert all(text.count(part) for part in one.split())
    for row in rows:
        for title, one in zip(head, row, strict=True):
            assert title not in right or any(one in line for line in lines)  # numbers stay on one line
    whole = [part for one in (*head, *right) for part in one.split()]
    whole += [one for row in rows for title, one in zip(head, row, strict=True) if title in right]
    whole += [part for row in rows for one in row for part in one.split()]
    longest = max(map(cell_len, [*whole, ""]))
    if (longest + 2) * (keys + 1) <= width:  # whatever is asked for, keys and one more column have room
        assert all(cell_len(line) <= width for line in lines)


@given(cell, st.integers(1, 40), st.integers(0, 6))
def test_sentences_are_broken_at_spaces_alone(text: str, width: int, taken: int) -> None:
    lines = wrapped(text, width, "  ", taken)
    assert " ".join(line.removeprefix("  ") if place else line for place, line in enumerate(lines)) == text
    for place, line in enumerate(lines):
        used = cell_len(line) + (taken if place == 0 else 0)
        assert used <= width or len(line.split()) <= 1
    assert wrapped("  a b", 80) == ["  a b"] and sentence("a b", 2, " " * 30) == ["a", "  b"]


def test_a_table_that_fits_is_one_and_shows_brackets_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("name", "us"), [("pip install 'spqc[torch]'", "1.5"), (Text("ok", "green"), "22.25")], ("us",))
    say("see [bold]this[/]", start=Text("x: "))
    assert capsys.readouterr().out == (
        "  name                          us\n  pip install 'spqc[torch]'    1.5\n  ok                         22.25\n"
        "x: see [bold]this[/]\n"
    )


def words_of(text: str) -> set[str]:
    return set(text.split())


STILL = {
    "inspect": ("inspect", DIGITS),
    "analyze": ("analyze", DIGITS),
    "list data": ("list", "data"),
    "list one": ("list", "data", "gen1"),
    "list passes": ("list", "passes"),
    "list models": ("list", "models"),
    "list frontends": ("list", "frontends"),
    "verify": ("verify", DIGITS, "--target", "reference", "--samples", "2"),
    "doctor": ("doctor",),
    "tune": ("tune", DIGITS, "--dry-run"),
}
SLOW, LONG = pytest.mark.slow, ("doctor", "tune", "verify", "analyze", "list one", "list passes", "list frontends")
"""Commands that say the same every time."""


@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW) if name in LONG else name for name in STILL])
def test_no_word_is_cut(name: str) -> None:
    needs = {"analyze": "torch", "verify": "torch", "inspect": "torch", "tune": "tvm"}.get(name)
    if needs is not None:
        pytest.importorskip(needs)
    _, whole = shown(UNLIMITED, *STILL[name])
    for columns in WIDTHS:
        code, text = shown(columns, *STILL[name], variable=columns == 80)
        assert code == 0
        told = text.split("\r")[-1]  # what a bar leaves behind
        assert [line for line in told.split("\n") if cell_len(line) > columns] == []
        assert words_of(whole.split("\r")[-1]) == words_of(told)


@SLOW
def test_run_and_bench_are_readable(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    artifact = str(tmp_path / "net.spqc")
    api.compile(DIGITS, "reference", out=artifact)
    for columns in WIDTHS:
        code, text = shown(columns, "bench", artifact, "--model", DIGITS, "--repeats", "1")
        assert code == 0 and all(cell_len(line) <= columns for line in text.split("\n"))
        heads = ("batch", "target", "median", "min", "CPU", "ms", "samples/s", "speed-up", "PyTorch", "eager")
        assert words_of(text) >= set(heads)
        assert len(re.findall(r"^ +\d+  reference .* \d+\.\d\d\d  .*\dx$", text, re.MULTILINE)) == 2
        code, text = shown(columns, "run", artifact, "--data", "digits")
        assert code == 0 and text == "real test images of 'digits': 357 of 360 right, 99.17 %\n"


KERNEL = {
    "kernel": "k1", "layer": "features.1", "density": 0.15, "density_measured": False, "strategy": "slices",
    "settings": {"outputs": 512, "channels": 16, "inner": 4}, "predicted_us": 1234.5,
    "reason": "predicted fastest; events 5.4 us, dense 5.5 us, slices 5.6 us",
}  # fmt: skip


@pytest.mark.parametrize("columns", WIDTHS)
def test_kernels_and_tuned_kernels_keep_their_words(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("FORCE_COLOR", "1")
    chosen = {"outputs": 512, "channels": 16, "inner": 4}
    kernel = TunedKernel("key", "features.10", "slices", chosen, 12_345_678.0, "lookup", 9_876_543.0, 28, 3)
    report = TuneReport("llvm", "long-" * 30, "trials", 3, 0, 69, 1.0, [kernel, kernel])
    show_kernels([KERNEL, KERNEL])
    tuning.show_tuning(report)
    text = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)
    wanted = {"outputs=512", "channels=16", "inner=4", "assumed", "12,345.7", "9,876.5", "slices", "fastest;"}
    assert wanted <= words_of(text) and "long-" * 30 in text
    assert all(cell_len(line) <= columns or "long-" in line for line in text.split("\n"))


@SLOW
def test_the_bar_of_a_search_keeps_the_best_time(tmp_path: Path) -> None:
    pytest.importorskip("tvm")
    search = ("tune", DIGITS, "--trials", "1", "--records", str(tmp_path / "records.jsonl"))
    code, text = shown(80, *search)
    assert code == 0
    assert re.search(r"1/1 \d:\d\d:\d\d best [\d.,]+ us, \w+ [\d.,]+ us, ", text)


@pytest.mark.parametrize("columns", [40, *WIDTHS])
def test_the_bar_of_a_training_keeps_the_accuracy(columns: int, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    words = ("train", "digits", "--epochs", "2", "--batch", "400", "--set", "width=3", "--set", "validation=0.1")
    code, text = shown(columns, *words, "-o", str(tmp_path / "net.pt"), variable=columns != 120)
    assert code == 0
    bars = [line for line in re.split(r"[\r\n]", text) if "/8" in line or "epoch" in line]
    assert len([line for line in bars if re.search(r"epoch 2, validation accuracy 0\.\d{4}( |$)", line)]) >= 1
    assert all(cell_len(line) < columns for line in bars)
    assert ("8/8" in bars[-1]) == (columns >= 80)
    assert "spike rate" in text and "wrote" in text


def test_a_note_of_a_training_is_broken_at_spaces(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("sklearn")
    layers = 'layers=[{"op": "flatten"}, {"op": "linear", "out": 4}, {"op": "linear"}]'
    words = ("train", "sequential", "--data", "digits", "--set", layers, "--set", "steps=1", "--epochs", "0")
    code, text = shown(80, *words, "--batch", "718", "-o", str(tmp_path / "net.pt"))
    assert code == 0
    assert "note: the last batch of an epoch would have 1 sample, and joins the one before:\n  the batch norm" in text
