"""The palettes: as defined where others define them, told apart where we do."""

import numpy as np
from skimage.color import deltaE_ciede2000, rgb2lab

from segdemo.labels import VOC21, distinct_colours, voc_colormap


def test_voc_colormap_is_the_development_kits():
    known = {"aeroplane": (128, 0, 0), "cat": (64, 0, 0), "person": (192, 128, 128), "tv/monitor": (0, 64, 128)}
    for name, colour in known.items():
        assert tuple(voc_colormap(21)[VOC21.names.index(name)]) == colour


def test_the_classes_are_seen_on_photos_and_told_apart():
    lab = rgb2lab(VOC21.palette[None, 1:] / 255)[0]
    apart = deltaE_ciede2000(lab[:, None], lab[None])[np.triu_indices(20, 1)]
    assert apart.min() > 15, "two of VOC's own colours are 4.5 apart"
    assert lab[:, 0].min() > 40, "the lightness of VOC's cat is 10"
    assert not VOC21.palette[0].any(), "the background is laid over nothing"


def test_colours_of_labels_without_a_meaning_are_told_apart_however_few_there_are():
    colours = distinct_colours(12)
    for count in (2, 5, 12):
        np.testing.assert_array_equal(distinct_colours(count), colours[:count])
    lab = rgb2lab(colours[None] / 255)[0]
    apart = deltaE_ciede2000(lab[:, None], lab[None])
    assert apart[np.triu_indices(12, 1)].min() > 12 and np.diag(apart, 1).min() > 40
    assert np.abs(np.diff(lab[:4, 0])).min() > 10, "the first are told apart without their hues"
