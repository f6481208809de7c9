"""Which frontend reads a source: each says how sure it is, the surest reads it, and nobody runs anything of a file."""

from __future__ import annotations

import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

import spqc as package
from spqc.commands.doctor import tiny_graph
from spqc.commands.matching import frontend_for
from spqc.commands.sources import read_model
from spqc.contracts import Eager, Frontend, Match, Observation, Source
from spqc.foundation.errors import ModelError, Notice, UsageError
from spqc.frontends.graph_text import GraphText
from spqc.frontends.spquant import SpQuant
from spqc.ir import Array, Graph
from spqc.plugins import registry
from spqc.runtime.observe import observe_graph

Run = Callable[..., Any]
Golden = Callable[[str, str], None]
Install = Callable[..., None]


class Fake(Frontend):
    """A frontend that answers with `answer` and reads the tiny network from whatever it is given."""

    name: ClassVar[str] = "fake"
    answer: ClassVar[Any] = Match.no("it is a fake")

    @classmethod
    def matches(cls, source: Source) -> Match:
        if isinstance(cls.answer, BaseException):
            raise cls.answer
        answer: Match = cls.answer
        return answer

    def load(self, source: Source) -> Graph:
        return tiny_graph()

    def observe(self, source: Source, x: Array) -> Observation:
        return observe_graph(tiny_graph(), x)


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Make frontends that answer so the only ones that are installed, by their names."""

    def only(**answers: Any) -> None:
        module = types.ModuleType("fake_frontends")
        for name, answer in answers.items():
            setattr(module, name, type(name, (Fake,), {"name": name, "answer": answer}))
        monkeypatch.setitem(sys.modules, module.__name__, module)
        places = {name: f"{module.__name__}:{name}" for name in answers}
        monkeypatch.setattr(registry, "available", lambda kind: places)

    return only


SOURCE = Source("net.x", Path("net.x"))


# How sure


def test_matches_are_ordered() -> None:
    matches = Match.no("a"), Match.unsure("b"), Match.likely("c"), Match.sure("d")
    confidences = [match.confidence for match in matches]
    assert confidences == sorted(set(confidences)) and confidences[0] == 0.0 and confidences[-1] == 1.0
    assert "".join(match.reason for match in matches) == "abcd"


@pytest.mark.parametrize(
    ("confidence", "reason"), [(-0.1, "a"), (1.1, "a"), (float("nan"), "a"), (0.5, ""), (0.0, " ")]
)
def test_a_match_is_checked(confidence: float, reason: str) -> None:
    with pytest.raises(ValueError, match=r"lies in 0\.\.1|needs a reason"):
        Match(confidence, reason)


def test_the_surest_reads_whatever_its_name(install: Install) -> None:
    install(a=Match.likely("one"), b=Match.no("two"), c=Match.sure("three"), d=Match.unsure("four"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert frontend_for(SOURCE).name == "c"


def test_little_confidence_is_enough_alone(install: Install) -> None:
    install(a=Match.no("one"), b=Match(1e-9, "two"))
    assert frontend_for(SOURCE).name == "b"


def test_of_equally_sure_ones_the_first_by_name_reads_with_a_notice(install: Install) -> None:
    install(c=Match.sure("one"), b=Match.sure("two"), a=Match.likely("three"))
    with pytest.warns(Notice) as told:
        assert frontend_for(SOURCE).name == "b"
    assert [str(notice.message) for notice in told] == [
        "the frontends 'b' and 'c' are equally sure that they read net.x; 'b' does (--frontend NAME chooses)"
    ]


def test_the_notice_is_printed(install: Install, spqc: Run, tiny: Path) -> None:
    install(a=Match.likely("one"), b=Match.likely("two"))
    outcome = spqc("inspect", tiny)
    assert outcome.code == 0
    assert outcome.err.startswith("notice: the frontends 'a' and 'b' are equally sure that they read tiny.tg; 'a' does")


# Nobody


def test_all_decline(install: Install) -> None:
    install(
        b=Match.no("a zip,\nnot a text"),
        a=ValueError("no\tidea\x1b[31m"),
        c=True,
        d=Match.no("x" * 300),
        e=KeyError(),
    )
    with pytest.raises(ModelError) as caught:
        frontend_for(SOURCE)
    assert str(caught.value).splitlines() == [
        "error: no frontend reads this; 5 were asked:",
        "  - a declined: raised ValueError: no idea [31m",
        "  - b declined: a zip, not a text",
        "  - c declined: answered with a bool instead of a Match",
        f"  - d declined: {'x' * 200}...",
        "  - e declined: raised KeyError:",
        "  --> net.x",
        "hint: --frontend NAME reads it with that one all the same; `spqc list frontends` says what each is for",
    ]


def test_nobody_is_installed(install: Install) -> None:
    install()
    with pytest.raises(ModelError, match="no frontend reads this; 0 were asked"):
        frontend_for(SOURCE)


def test_a_crash_keeps_nobody_else_from_reading(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install(a=RuntimeError("broken"), b=Match.unsure("mine"))
    assert frontend_for(SOURCE).name == "b"
    monkeypatch.setattr(registry, "available", lambda kind: {"absent": "no_such_package:PLUGIN"})
    with pytest.raises(
        ModelError, match="absent declined: raised ModuleNotFoundError: No module named 'no_such_package'"
    ):
        frontend_for(SOURCE)


def test_an_interrupt_is_no_answer(install: Install) -> None:
    install(a=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        frontend_for(SOURCE)


def test_the_error_as_users_meet_it(spqc: Run, tiny: Path, golden: Golden) -> None:
    Path("letter.docx").write_bytes(b"Dear reader,\n")
    outcome = spqc("compile", "letter.docx")
    golden("cli/no_frontend.txt", f"exit {outcome.code}\n---- stdout\n{outcome.out}---- stderr\n{outcome.err}")


# One by name


def test_a_named_one_is_not_asked(install: Install) -> None:
    install(a=Match.sure("mine"), b=RuntimeError("never asked"))
    assert frontend_for(SOURCE, "b").name == "b"
    with pytest.raises(UsageError) as caught:
        frontend_for(SOURCE, "bb")
    assert str(caught.value) == "error: there is no frontend 'bb'\nhint: did you mean 'b'?"


DOORS: dict[str, list[str]] = {
    "compile": ["compile", "MODEL", "--target", "reference", "-o", "out.spqc"],
    "verify": ["verify", "MODEL", "--target", "reference", "--samples", "2"],
    "verify_artifact": ["verify", "MODEL", "net.spqc", "--samples", "2"],
    "bench": ["bench", "net.spqc", "--model", "MODEL", "--repeats", "1", "--batch", "1"],
    "analyze": ["analyze", "MODEL", "--samples", "1", "--no-program"],
    "inspect": ["inspect", "MODEL"],
    "opt": ["opt", "MODEL", "--passes", "remove-dead"],
    "tune": ["tune", "MODEL", "--dry-run"],
}


@pytest.fixture
def unclear(tiny: Path, spqc: Run) -> Path:
    """A graph that no frontend recognises, as its name and its beginning tell nothing; net.spqc is compiled from it."""
    assert spqc("compile", tiny, "--target", "reference", "-o", "net.spqc").code == 0
    path = tiny.with_suffix(".old")
    path.write_text("// a long comment\n" * 5000 + tiny.read_text())
    return path


@pytest.mark.parametrize("door", DOORS)
def test_every_door_takes_a_frontend(spqc: Run, unclear: Path, door: str) -> None:
    command = [str(unclear) if word == "MODEL" else word for word in DOORS[door]]
    refused = spqc(*command)
    assert refused.code == 2 and "no frontend reads this" in refused.err
    forced = spqc(*command, "--frontend", "graph-text")
    assert forced.code == 0, forced.err
    other = spqc(*command, "--frontend", "spquant")
    assert other.code == 2 and "tiny.old" in other.err and "no frontend" not in other.err
    unknown = spqc(*command, "--frontend", "graf-text")
    assert (unknown.code, unknown.out) == (2, "")
    assert unknown.err == "error: there is no frontend 'graf-text'\nhint: did you mean 'graph-text'?\n"


CALLS: dict[str, Callable[..., object]] = {
    "compile": lambda path, **by: package.compile(path, "reference", **by),
    "verify": lambda path, **by: package.verify(path, "reference", samples=2, **by),
    "bench": lambda path, **by: package.bench(None, path, target="reference", repeats=1, batches=(1,), **by),
    "analyze": lambda path, **by: package.api.analyze(path, program=False, **by),
    "inspect": lambda path, **by: package.inspect(path, **by),
    "opt_file": lambda path, **by: package.api.opt_file(path, "remove-dead", **by),
    "tune": lambda path, **by: package.tune(path, dry_run=True, **by),
}


@pytest.mark.parametrize("call", CALLS)
def test_every_function_takes_a_frontend(unclear: Path, call: str) -> None:
    CALLS[call](unclear, frontend="graph-text")
    with pytest.raises(ModelError, match="no frontend reads this"):
        CALLS[call](unclear)
    with pytest.raises(UsageError, match="there is no frontend 'graf-text'"):
        CALLS[call](unclear, frontend="graf-text")


def test_live_objects_are_read_by_name_too() -> None:
    assert package.compile(tiny_graph(), "reference", frontend="graph-text").graph
    with pytest.raises(ModelError, match="a graph is read from a"):
        read_model(object(), "graph-text")


def test_a_frontend_needs_a_model_to_read(spqc: Run, unclear: Path) -> None:
    for command in (["bench", "net.spqc"], ["analyze", "net.spqc"], ["analyze", "vgg9"]):
        outcome = spqc(*command, "--frontend", "graph-text")
        assert outcome.code == 2 and outcome.err.startswith("error: a frontend reads a model"), outcome.err
    outcome = spqc("inspect", "net.spqc", "--frontend", "graph-text")  # read as the model that it is not
    assert outcome.code == 2 and "cannot be read as text" in outcome.err


# What is optional


def test_only_frontends_with_a_framework_to_time_are_eager(tiny: Path) -> None:
    assert isinstance(SpQuant(), Eager) and not isinstance(GraphText(), Eager)
    report = package.bench(None, tiny, target="reference", repeats=1, batches=(2,))
    assert report.rows[0].eager is None and report.rows[0].compiled.median_ms > 0


def test_a_frontend_that_can_is_timed(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[int, ...]] = []
    monkeypatch.setattr(GraphText, "eager", lambda self, source: lambda x: calls.append(x.shape), raising=False)
    report = package.bench(None, tiny, target="reference", repeats=1, batches=(2,))
    assert report.rows[0].eager is not None and set(calls) == {(2, 2, 4)}
