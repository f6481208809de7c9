"""Options: the dataclass, its text and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spqc.foundation.errors import UsageError
from spqc.foundation.options import build, format_call, nearest, split_call


@dataclass(frozen=True)
class Everything:
    """One field of every kind."""

    block: int = 8
    ratio: float = 0.5
    fast: bool = False
    mode: Literal["fused", "stepped"] = "fused"
    sizes: tuple[int, ...] = (1, 2)
    limit: int | None = None
    cpu_name: str = "native"


words = st.from_regex(r"[a-z][a-z0-9_.-]{0,9}", fullmatch=True).filter(lambda word: word != "none")
instances = st.builds(
    Everything,
    block=st.integers(-(2**40), 2**40),
    ratio=st.floats(allow_nan=False, allow_infinity=False),
    fast=st.booleans(),
    mode=st.sampled_from(["fused", "stepped"]),
    sizes=st.lists(st.integers(-9, 9), min_size=1, max_size=4).map(tuple),
    limit=st.none() | st.integers(0, 99),
    cpu_name=words,
)


@given(instances)
def test_text_and_back(instance: Everything) -> None:
    name, values = split_call(format_call("everything", instance))
    assert name == "everything"
    assert build(Everything, name, values) == instance


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("e{blok=3}", "'e' has no option 'blok'"),
        ("e{block=x}", "'block=x' is not a value of 'e'"),
        ("e{mode=fast}", "'mode=fast' is not a value of 'e'"),
        ("e{block}", "option 'block' of 'e' has no value"),
        ("e{block=3", "cannot read 'e{block=3'"),
        ("", "cannot read ''"),
    ],
)
def test_errors(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        build(Everything, *split_call(text))
    assert caught.value.message == message
    assert caught.value.hint


def test_nearest_names_the_word_or_all_words() -> None:
    assert nearest("blck", ["block", "mode"]) == "did you mean 'block'?"
    assert nearest("zzz", ["mode", "block"]) == "known: block, mode"
