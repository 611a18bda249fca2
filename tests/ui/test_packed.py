"""Label maps as the server keeps them: exact, and small."""

import numpy as np
import pytest
import skimage.data

from segdemo import Engine
from segdemo.ui.packed import PackedLabels
from segdemo.ui.workshop import Result, Workshop


@pytest.mark.parametrize("top, dtype", [(0, np.uint8), (255, np.uint8), (256, np.uint16), (65536, np.uint32)])
@pytest.mark.parametrize("shape", [(1, 1), (7, 1), (1, 9), (33, 52)])
def test_what_is_packed_comes_back(top, dtype, shape):
    labels = np.random.default_rng(top).integers(0, top + 1, shape, dtype=np.int64)
    labels[0, 0] = top
    unpacked = PackedLabels.of(labels.astype(np.int32)).unpack()
    assert unpacked.dtype == dtype
    np.testing.assert_array_equal(unpacked, labels)
    unpacked[:] = 0  # it is the caller's own
    np.testing.assert_array_equal(PackedLabels.of(np.asfortranarray(labels)).unpack(), labels)  # as from MATLAB's files


def test_results_keep_a_small_part_of_their_labels():
    """And all that is asked of a segmentation later."""
    photo = skimage.data.astronaut().repeat(3, axis=0).repeat(3, axis=1)
    engine = Engine("cpu")
    for method in ("slic", "ncut"):
        segmentation = engine.run(method, photo, keep_frames=False)
        result = Result.of(method, "", 0.1, photo, segmentation)
        assert 25 * result.packed.nbytes < result.packed.unpack().nbytes
        again = result.segmentation
        np.testing.assert_array_equal(again.labels, segmentation.labels)
        np.testing.assert_array_equal(again.shares, segmentation.shares)
        np.testing.assert_array_equal(result.about.shares, segmentation.shares)
        assert again.facts == segmentation.facts and again.names == segmentation.names


def test_the_page_shows_and_compares_from_what_is_packed():
    photo = skimage.data.astronaut()[::4, ::4]
    value, result = Workshop(Engine("cpu")).run("kmeans", photo, None, None, clusters=3)
    small, shown = result.shown(64)
    assert shown.labels.shape == small.shape[:2] == (64, 64)
    assert value["shares"] == [round(float(share), 6) for share in result.about.shares]
