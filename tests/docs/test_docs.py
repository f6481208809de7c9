"""The pages tell the truth: their commands and snippets run and print what is shown, their links lead somewhere.

A `console` block holds commands (`$ ...`) and their output, compared word by word. `console measured` says that numbers
differ from machine to machine, so that only the words and the layout are compared. A Python block with a file name is
a file for the commands after it. A `sh` block holds what a page asks for but no test may do: see BY_HAND.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.places import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
TOURS = [ROOT / "README.md", ROOT / "docs" / "walkthrough.md", ROOT / "docs" / "running.md"]
SLOW = ("spqc verify examples/digits.pt", "spqc bench")
_VGG9 = "spqc train vgg9 --data cifar10 --root data/cifar10 --device cuda --amp --log-dir out/logs -o out/vgg9.pt"
_ACE = (
    "spqc train cnn-32h --data 'synthetic-cube{patch=3 bands=60 contrast=0.4}' --set kernels=16 --set hidden=64 "
    "--set cnn_epochs=30 --epochs 8 --batch 32 -o out/ace.pt"
)
BY_HAND = {
    "make demo": "runs the commands of the tour",
    "make test": "runs this test",
    "make test-slow": "runs this test",
    "make stress": "takes an hour",
    "make fuzz": "takes ten minutes, and is a step of its own for one",
    "make lint": "is a step of its own before every merge",
    "make format": "changes files of the repository",
    "make coverage": "runs this test",
    "make ablations": "trains for half an hour",
    "make bench-cpu": "takes an hour",
    "make bench-scaling": "takes minutes",
    "make bench-quick": "installs the peers of the benchmark",
    "spqc train digits -o out/digits.pt": "trains for a minute",
    "spqc train digits --preset spquant+adaptive --set weight_bits=2 --seed 1 -o out/small.pt": "trains for minutes",
    _VGG9: "needs the files of the data set and a GPU",
    f"{_VGG9} --resume": "needs the files of the data set and a GPU",
    "spqc train sequential --data 'synthetic-events{steps=4}' "
    '--set \'layers=[{"op": "linear", "out": 10}]\' -o out/line.pt': "tests/train does",
    "spqc train digits --set weight_bits=2 --set features.0.weight_bits=8 "
    "--set classifier.weight_bits=4 -o out/mixed.pt": "trains for a minute",
    _ACE: "trains for a minute and a half",
    "torchrun --nproc-per-node 2 -m spqc train digits -o out/digits.pt": "trains for a minute",
    "spqc train digits --preset quant --out examples/digits.pt": "trains for a minute",
    "spqc train digits --preset spquant+adaptive --epochs 80 --out examples/digits-spquant.pt": "trains for a minute",
    "spqc train digits --preset full --out examples/digits-float.pt": "trains for a minute",
    "pytest tests/passes/test_golden_passes.py --update-golden": "changes files of the repository",
}
_BLOCK = re.compile(r"^```(\w+)(?: ([\w. -]+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_ABSOLUTE = re.compile(r"(?<![\w.:/*)\]`'\"<>-])/(?:[a-z][\w.-]*/)+[\w.-]+")


@dataclass(frozen=True)
class Command:
    """A command of a page with the output that the page shows."""

    text: str
    output: str
    measured: bool


def blocks(page: Path) -> Iterator[tuple[str, str, str]]:
    """Yield language, the words after it, and content of every fenced block."""
    yield from _BLOCK.findall(page.read_text())


def commands(content: str, measured: bool) -> Iterator[Command]:
    """Yield the commands of a console block."""
    head, *parts = re.split(r"^\$ ", content, flags=re.MULTILINE)
    assert not head, f"a console block starts with a command, not with {head!r}"
    for part in parts:
        text, _, output = part.partition("\n")
        yield Command(text, output, measured)


def run(command: str, folder: Path) -> str:
    """Return what a command prints, in the words of a terminal: output and errors together."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, shell=True, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.stdout


def layout(text: str) -> str:
    """Return a text without its numbers, the spaces that align them, and the kernels, which each CPU chooses anew."""
    text = re.sub(r"^  k(ernel|\d+) .*\n", "", text, flags=re.MULTILINE)
    return re.sub(r"[ \t]+", " ", re.sub(r"[\d.,]+", "#", text))


def follow(page: Path, folder: Path, leave_out: tuple[str, ...] = ()) -> list[str]:
    """Do what a page says in an empty folder beside `examples`; return the commands that ran."""
    (folder / "examples").symlink_to(ROOT / "examples")
    ran = []
    for language, words, content in blocks(page):
        if language == "python" and words:
            (folder / words).write_text(content)
        if language != "console":
            continue
        for command in commands(content, words == "measured"):
            if leave_out and command.text.startswith(leave_out):
                continue
            found, shown = run(command.text, folder), command.output
            if command.measured:
                found, shown = layout(found), layout(shown)
            assert found == shown, f"{page.name}: `{command.text}` prints something else"
            ran.append(command.text)
    return ran


@pytest.fixture
def trained() -> None:
    missing = "examples/digits.pt is missing: spqc train digits -o examples/digits.pt"
    assert (ROOT / "examples" / "digits.pt").exists(), missing


@pytest.mark.usefixtures("trained")
@pytest.mark.parametrize("page", TOURS, ids=lambda page: page.name)
def test_quick_commands_print_what_is_shown(page: Path, tmp_path: Path) -> None:
    assert follow(page, tmp_path, SLOW)


@pytest.mark.slow
@pytest.mark.usefixtures("trained")
def test_all_commands_print_what_is_shown(tmp_path: Path) -> None:
    ran = follow(ROOT / "README.md", tmp_path)
    assert all(any(text.startswith(slow) for text in ran) for slow in SLOW)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_is_run_or_explained(page: Path) -> None:
    for language, words, content in blocks(page):
        if language == "console":
            assert page in TOURS and words in ("", "measured"), f"{page.name}: nobody runs {content!r}"
        elif language == "sh":
            unknown = [line for line in content.splitlines() if line.partition("  #")[0].strip() not in BY_HAND]
            assert not unknown, f"{page.name}: run {unknown} in a console block, or say in BY_HAND why not"
        elif language == "python":
            compile(content, f"{page.name}: {words}", "exec")
        else:
            assert language in ("text", "toml"), f"{page.name}: a block of {language}"


def test_make_goals_exist() -> None:
    goals = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {goal for page in PAGES for goal in re.findall(r"\bmake ([a-z]+(?:-[a-z]+)*)`", page.read_text())}
    named |= {line.split()[1] for line in BY_HAND if line.startswith("make ")}
    assert named <= goals


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_resolve(page: Path) -> None:
    prose = _BLOCK.sub("", page.read_text())
    for link in _LINK.findall(prose):
        if link.startswith(("https://", "#")):
            continue
        target = (page.parent / link.partition("#")[0]).resolve()
        assert target.is_relative_to(ROOT) and target.exists(), f"{page.name} links to {link}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_a_place_of_one_machine(page: Path) -> None:
    text = page.read_text()
    assert not _ABSOLUTE.findall(text)
    for place in (ROOT, Path.home()):
        assert f"{place}/" not in text
