"""Eight numbers at once: each operation against numpy's."""

import numpy as np
from numba import njit

from segdemo.crf.simd import (
    add,
    highest,
    load,
    maximum,
    minimum,
    multiply,
    multiply_add,
    spread,
    store,
    total,
    transpose,
)


@njit
def everything(a, b, out):
    x, y = load(a[1], 3), load(b, 1)
    store(out[0], 0, add(x, y))
    store(out[1], 0, multiply(x, y))
    store(out[2], 0, multiply_add(np.float32(2), x, y))
    store(out[3], 0, maximum(x, y))
    store(out[4], 1, spread(np.float32(7)))
    store(out[5], 0, minimum(x, y))
    return total(x), highest(x)


def test_operations():
    rng = np.random.default_rng(0)
    a, b, out = rng.normal(size=(2, 12)).astype(np.float32), rng.normal(size=10).astype(np.float32), np.zeros((6, 9))
    out = out.astype(np.float32)
    found = everything(a, b, out)
    x, y = a[1, 3:11], b[1:9]
    np.testing.assert_allclose(
        out[[0, 1, 2, 3, 5], :8], [x + y, x * y, 2 * x + y, np.maximum(x, y), np.minimum(x, y)], rtol=1e-6
    )
    np.testing.assert_array_equal(out[4], [0] + [7] * 8)
    np.testing.assert_allclose(found, [x.sum(), x.max()], rtol=1e-6)


@njit
def turn(source, target):
    transpose(source, 3, 20, target, 5, 11)


def test_transpose():
    """A square of 8 x 8 in rows of 20, from the third number on, into one in rows of 11, from the fifth on."""
    source, target = np.arange(200, dtype=np.float32), np.zeros(100, np.float32)
    turn(source, target)
    square = np.lib.stride_tricks.as_strided(target[5:], (8, 8), (44, 4))
    np.testing.assert_array_equal(square, source[3:163].reshape(8, 20)[:, :8].T)
    assert np.count_nonzero(target) == 64
