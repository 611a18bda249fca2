"""The table over the networks' results: which classes it lists, and in which order."""

import re

import numpy as np

from segdemo.labels import VOC21
from segdemo.segmentation import Segmentation
from segdemo.ui.networks import summary_table
from segdemo.ui.workshop import Result

PHOTO = np.zeros((40, 60, 3), np.uint8)


def result(*classes):
    """A network's result in which each of the named classes covers one column more than the one before."""
    labels = np.zeros((40, 60), np.int32)
    left = 0
    for width, name in enumerate(classes, start=1):
        labels[:, left : left + width] = VOC21.names.index(name)
        left += width
    segmentation = Segmentation(labels, list(VOC21.names), VOC21.palette, facts={"parameters": 3_400_000})
    return Result.of("a network", "", 0.5, PHOTO, segmentation)


def test_the_table_lists_background_and_then_the_largest_class():
    table = summary_table([result("dog", "cat"), result("bird", "dog", "person")])
    assert re.findall(r"</span>([^<]+)</th>", table) == ["background", "person", "cat", "dog", "bird"]
    assert "summary many" not in table


def test_many_classes_stand_in_narrow_columns():
    assert "class='summary many'" in summary_table([result(*VOC21.names[1:9])])
    assert summary_table([]) == ""
