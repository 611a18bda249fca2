"""Pooling and the ways back up: where values go, and what the convolution makes of them."""

import numpy as np
import pytest
from skimage import data

from segdemo import Engine
from segdemo.errors import ParameterError
from segdemo.lessons.upsampling import upsampling
from segdemo.networks.segnet import UPSAMPLINGS

ENGINE = Engine("cpu")
PHOTO = data.chelsea()[60:124, 100:196]


def blocks(image):
    """(h, w) -> (h / 2, w / 2, 4): upper left, upper right, lower left, lower right."""
    h, w = image.shape
    return image.reshape(h // 2, 2, w // 2, 2).transpose(0, 2, 1, 3).reshape(h // 2, w // 2, 4)


def test_one_pooling_and_its_undoings():
    lesson = ENGINE.teach(upsampling, PHOTO, poolings=1)
    fours = blocks(lesson.image)
    np.testing.assert_array_equal(lesson.pooled[0], fours.max(-1))
    np.testing.assert_array_equal(
        np.take_along_axis(fours, lesson.places[0][..., None].astype(int), -1)[..., 0], fours.max(-1)
    )
    fixed, unpooled = blocks(lesson.raised["fixed"]), blocks(lesson.raised["max"])
    np.testing.assert_array_equal(fixed[..., 0], lesson.pooled[0])
    assert not fixed[..., 1:].any()
    kept = unpooled > 0
    np.testing.assert_array_equal(kept.argmax(-1), lesson.places[0])
    assert (kept.sum(-1) == 1).all() and (unpooled[kept] == fours[kept]).all()  # where the maximum was it is again


def test_filled_fixed_unpooling_is_linear_interpolation():
    lesson = ENGINE.teach(upsampling, PHOTO, poolings=1)
    small = lesson.pooled[0].astype(float)
    across = np.stack([np.interp(np.arange(2 * small.shape[1]) / 2, np.arange(small.shape[1]), row) for row in small])
    both = np.stack([np.interp(np.arange(2 * small.shape[0]) / 2, np.arange(small.shape[0]), c) for c in across.T], 1)
    np.testing.assert_allclose(lesson.filled["fixed"], both, atol=0.51)


@pytest.mark.parametrize("poolings", [1, 2, 3])
def test_the_places_of_the_maxima_are_worth_keeping(poolings):
    lesson = ENGINE.teach(upsampling, PHOTO, poolings=poolings)
    off = {how: np.abs(lesson.filled[how].astype(float) - lesson.image).mean() for how in UPSAMPLINGS}
    assert off["max"] < min(off["fixed"], off["bilinear"])
    assert len(lesson.pooled) == len(lesson.places) == poolings


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (17, 33)])
def test_photos_of_any_size_and_none_darkens(shape):
    lesson = ENGINE.teach(upsampling, np.full((*shape, 3), 90, np.uint8), poolings=4)
    assert all(side % 16 == 0 for side in lesson.image.shape)
    assert all((picture == 90).all() for picture in lesson.filled.values())


@pytest.mark.parametrize("poolings", [0, 5])
def test_other_counts_are_refused(poolings):
    with pytest.raises(ParameterError, match="1 to 4"):
        ENGINE.teach(upsampling, PHOTO, poolings=poolings)
