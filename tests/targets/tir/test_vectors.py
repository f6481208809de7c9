"""Vectors of any width: the same emission gives scalars for a thread of a GPU, and 16 lanes for the CPU."""

from __future__ import annotations

import numpy as np
import pytest

tvm = pytest.importorskip("tvm")

from tvm import tirx  # noqa: E402
from tvm.tirx.script import builder as T  # noqa: E402

from spqc.targets._tir.vector import (  # noqa: E402
    cast,
    constant,
    function,
    i32,
    lanes,
    materialise,
    select,
    store,
    vectors_of,
    width,
)

SIZE = 32


def clipped(count: int) -> tvm.tirx.PrimFunc:
    """Return `y = 3 x where x > 7, else -1`, over SIZE bytes in vectors of so many elements."""

    def body() -> None:
        size = tirx.Var("n", "int32")
        source, target = T.arg("x", T.buffer((size,), "uint8")), T.arg("y", T.buffer((size,), "int32"))
        with T.serial(0, SIZE // count) as turn:
            x = materialise(cast(source[lanes(turn * count)], "int32"))
            store(
                target, turn * count, select(x > constant(7, "int32"), x * constant(3, "int32"), constant(-1, "int32"))
            )

    with vectors_of(count):
        return function("clipped", body)


@pytest.mark.parametrize("count", [1, 4, 16, 32])
def test_every_width_computes_the_same(count: int) -> None:
    module = tvm.IRModule.from_expr(clipped(count))
    run = tvm.compile(module, target="llvm")["clipped"]
    x = np.arange(SIZE, dtype=np.uint8)[::-1].copy()
    source, target = tvm.runtime.tensor(x), tvm.runtime.tensor(np.zeros(SIZE, np.int32))
    run(source, target)
    np.testing.assert_array_equal(target.numpy(), np.where(x > 7, 3 * x.astype(np.int32), -1))


@pytest.mark.parametrize(("count", "dtype"), [(1, "int32"), (8, "int32x8")])
def test_a_vector_of_one_is_a_scalar(count: int, dtype: str) -> None:
    outside = width()
    with vectors_of(count):
        assert width() == count
        assert str(constant(3, "int32").ty) == dtype
        assert str(cast(constant(3, "uint8"), "int32").ty) == dtype
        assert str(lanes(i32(4)).ty) == dtype
    assert width() == outside == 16
