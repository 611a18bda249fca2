"""The likeliest label, as argmax has it."""

import numpy as np
import pytest

from segdemo.likeliest import BLOCK, likeliest


@pytest.mark.parametrize("shape", [(1, 3, 4), (21, 61, 97), (3, 2, 2 * BLOCK + 5), (150, 8, 8), (4, 200, 200)])
def test_labels_and_scores_are_those_of_argmax(shape):
    scores = np.random.default_rng(0).random(shape, np.float32)
    scores[:, :2, :2] = 0.5  # of equals the first
    scores.setflags(write=False)
    labels, top = likeliest(scores)
    assert labels.dtype == np.int32 and top.dtype == np.float32
    np.testing.assert_array_equal(labels, scores.argmax(0))
    np.testing.assert_array_equal(top, scores.max(0))


def test_negative_scores_and_planes_that_lie_otherwise():
    scores = -np.random.default_rng(1).random((40, 30, 5), np.float32).transpose(2, 0, 1)
    np.testing.assert_array_equal(likeliest(scores)[0], scores.argmax(0))
    np.testing.assert_array_equal(likeliest(scores.astype(np.float64))[1], scores.max(0))
