"""Doctor: running and compiling apart, and every text as it was written."""

from __future__ import annotations

import ctypes
import json
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import pytest

from spqc.commands.doctor import Check, Diagnosis
from spqc.report.terminal import show_diagnosis, show_table

Run = Callable[..., Any]


def checks(spqc: Run) -> dict[str, Any]:
    return {check["name"]: check for check in json.loads(spqc("doctor", "--json").out)["checks"]}


def test_brackets_are_literal(capsys: pytest.CaptureFixture[str]) -> None:
    show_table(("[bold]", "b[/]"), [("spqc[torch]", "[red]x[/]"), ("[/]", "int8[2]")], ("b[/]",))
    shown = capsys.readouterr().out
    for text in ("[bold]", "b[/]", "spqc[torch]", "[red]x[/]", "int8[2]"):
        assert text in shown
    show_diagnosis(Diagnosis([Check("torch", "missing", "no [torch]", "pip install 'spqc[torch]'")]))
    assert "missing  torch  no [torch]" in (shown := capsys.readouterr().out) and "pip install 'spqc[torch]'" in shown


def test_a_missing_package_is_named_whole(spqc: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def installed(name: str) -> str:
        if name == "torch":
            raise PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr("spqc.commands.doctor.version", installed)
    assert "hint: pip install 'spqc[torch]'" in spqc("doctor").out


def test_without_a_compiler_artifacts_still_run(spqc: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    found = checks(spqc)
    assert found["target llvm"]["state"] == "ok"
    assert found["compiling for llvm"]["state"] == "missing"
    assert "no-such-compiler" in found["compiling for llvm"]["detail"] and found["compiling for llvm"]["hint"]
    assert found["target reference"]["state"] == found["compiling for reference"]["state"] == "ok"
    assert spqc("doctor").code == 0


def test_libraries_that_cannot_be_loaded(spqc: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("failed to map segment from shared object")

    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setattr(ctypes, "CDLL", refuse)
    found = checks(spqc)["target llvm"]
    assert found["state"] == "missing" and "failed to map" in found["detail"] and "TMPDIR" in found["hint"]


def test_a_wrong_result_is_a_failure(spqc: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from spqc.targets.reference.executor import ReferenceExecutor

    right = ReferenceExecutor.run
    monkeypatch.setattr(ReferenceExecutor, "run", lambda self, x: right(self, x) + 1)
    found = checks(spqc)
    assert found["target reference"]["state"] == "failed" and "wrong" in found["target reference"]["detail"]
    assert found["compiling for reference"]["state"] == "ok" and spqc("doctor").code == 1
