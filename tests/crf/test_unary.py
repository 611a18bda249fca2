"""Unary terms from labels instead of probabilities."""

import numpy as np
import pytest

from segdemo.crf import dense_crf, probabilities_from_labels
from segdemo.errors import ParameterError


@pytest.mark.parametrize("unsure", [None, 255])
def test_labels_as_unary_terms_agree_with_the_authors_code(unsure):
    utils = pytest.importorskip("pydensecrf.utils")
    labels = np.random.default_rng(0).integers(0, 5, (20, 30)).astype(np.uint8)
    if unsure is not None:
        labels[:7] = unsure
    p = probabilities_from_labels(labels, 5, 0.6, unsure)
    numbers = np.where(labels == 255, 0, labels.astype(np.int64) + 1) if unsure else labels
    expected = utils.unary_from_labels(numbers, 5, 0.6, zero_unsure=unsure is not None)
    np.testing.assert_allclose(-np.log(p.reshape(5, -1)), expected, rtol=1e-5)
    assert p.dtype == np.float32 and np.allclose(p.sum(0), 1)


def test_labels_spread_into_what_is_unsure():
    """Two strokes label a disc and its surroundings."""
    y, x = np.mgrid[:60, :60]
    disc = (y - 30) ** 2 + (x - 30) ** 2 < 300
    image = np.where(disc[..., None], 200, 60).repeat(3, 2).astype(np.uint8)
    labels = np.full((60, 60), -1)
    labels[28:32, 25:35], labels[2:6] = 1, 0
    q = dense_crf(image, probabilities_from_labels(labels, 2, 0.9, unsure=-1), 10)
    assert np.array_equal(q.argmax(0), disc)


@pytest.mark.parametrize("labels, options", [
    (np.full((4, 4), 3), {}), (np.full((4, 4), -1), {}), (np.zeros((4, 4)), {}), (np.zeros(4, int), {}),
    (np.zeros((4, 4), int), {"confidence": 1.0}), (np.full((4, 4), 7), {"unsure": 255}),
])  # fmt: skip
def test_labels_must_be_in_range(labels, options):
    with pytest.raises(ParameterError):
        probabilities_from_labels(labels, 3, **options)
