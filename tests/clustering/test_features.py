import numpy as np
import pytest
import skimage.data
from skimage.color import rgb2lab

from segdemo.clustering.features import draw_boundaries, mean_colours, paint
from segdemo.lab import lab_colours


def test_lab_is_that_of_scikit_image():
    rng = np.random.default_rng(0)
    image = np.concatenate([rng.integers(0, 256, (200, 300, 3)), rng.integers(0, 20, (200, 300, 3))]).astype(np.uint8)
    assert np.abs(lab_colours(image) - rgb2lab(image)).max() < 0.01


def test_lab_of_greys_is_without_colour_and_white_is_100():
    greys = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    lab = lab_colours(greys)[0]
    assert np.all(np.diff(lab[:, 0]) > 0) and lab[-1, 0] == pytest.approx(100, abs=1e-3)
    assert np.abs(lab[:, 1:]).max() < 0.01
    np.testing.assert_array_equal(lab_colours(greys[:, ::-1])[0], lab[::-1])  # not contiguous


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (150, 203)])
def test_means_paint_and_boundaries_are_those_of_numpy(shape):
    image = skimage.data.coffee()[: shape[0], : shape[1]]
    labels = np.random.default_rng(0).integers(0, 5, shape)
    palette = mean_colours(image, labels, 6)
    for k in np.unique(labels):
        assert np.array_equal(palette[k], image[labels == k].mean(0).round())
    assert np.array_equal(palette[5], [0, 0, 0])  # no pixels
    assert np.array_equal(paint(palette, labels), palette[labels])
    edge = np.zeros(shape, bool)
    edge[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    edge[:-1] |= labels[:-1] != labels[1:]
    assert np.array_equal(draw_boundaries(image, labels, (1, 2, 3)), np.where(edge[..., None], (1, 2, 3), image))
