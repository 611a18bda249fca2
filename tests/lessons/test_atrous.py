"""Atrous convolution: against its sum written out, and the identity between sparse and dense features."""

import numpy as np
import pytest
import torch
from skimage import data
from torch.nn import functional as F

from segdemo import Engine
from segdemo.errors import ParameterError
from segdemo.lessons.atrous import KERNELS, RATES, atrous, convolve

ENGINE = Engine("cpu")


@pytest.mark.parametrize("rate", [1, 2, 3])
def test_convolution_is_its_sum(rate):
    rng = np.random.default_rng(rate)
    image, weights = rng.random((7, 9)).astype(np.float32), rng.standard_normal((3, 3))
    wide = np.pad(image, rate, mode="edge")
    found = convolve(image, weights, rate)
    for i in range(7):
        for j in range(9):
            taps = wide[i : i + 2 * rate + 1 : rate, j : j + 2 * rate + 1 : rate]
            assert found[i, j] == pytest.approx((taps * weights).sum(), abs=1e-5)


@pytest.mark.parametrize("rate", RATES)
def test_convolution_is_that_of_networks(rate):
    image = data.chelsea()[:60, :80, 0].astype(np.float32) / 255
    for _, weights in KERNELS.values():
        x = F.pad(torch.from_numpy(image)[None, None], (rate,) * 4, mode="replicate")
        expected = F.conv2d(x, torch.tensor(weights, dtype=torch.float32)[None, None], dilation=rate)[0, 0]
        np.testing.assert_allclose(convolve(image, weights, rate), expected, atol=1e-5)


def test_taps_stand_apart():
    """A single light pixel is seen from the nine places whose taps fall on it: a field of 2 r + 1."""
    image = np.zeros((21, 21), np.float32)
    image[10, 10] = 1
    rows, columns = np.nonzero(convolve(image, np.ones((3, 3)), 4))
    assert set(rows) == set(columns) == {6, 10, 14} and len(rows) == 9


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("kernel", KERNELS)
def test_where_both_have_an_answer_it_is_the_same(kernel, rate):
    lesson = ENGINE.teach(atrous, data.chelsea()[:90, :121], kernel=kernel, rate=rate)
    assert lesson.dense.shape == lesson.plain.shape == lesson.image.shape
    np.testing.assert_array_equal(lesson.sparse, lesson.dense[::rate, ::rate])
    assert np.abs(lesson.dense).max() > np.abs(lesson.plain).max()  # a wide field sees more change in a smooth photo


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (3, 3)])
def test_small_and_constant_photos(shape):
    lesson = ENGINE.teach(atrous, np.full((*shape, 3), 200, np.uint8), rate=8)
    assert all(np.isfinite(a).all() and np.abs(a).max() < 1e-5 for a in (lesson.plain, lesson.sparse, lesson.dense))


@pytest.mark.parametrize("wrong", [{"kernel": "gabor"}, {"rate": 3}])
def test_other_kernels_and_rates_are_refused(wrong):
    with pytest.raises(ParameterError, match="one of"):
        ENGINE.teach(atrous, data.chelsea()[:20, :20], **wrong)
