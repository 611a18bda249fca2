"""Strokes: checked, shrunk without losing any, decoded from painted layers."""

import numpy as np
import pytest

from segdemo.errors import ScribbleError
from segdemo.graphcut.scribbles import check_scribbles, fit_scribbles


def test_a_thin_stroke_survives_shrinking():
    scribbles = np.zeros((300, 200), np.int64)
    scribbles[:, 77] = 1
    scribbles[201, :] = 2
    small = fit_scribbles(scribbles, (300, 200), (30, 20))
    assert small.dtype == np.uint8 and small.shape == (30, 20)
    column, row = np.zeros((30, 20), bool), np.zeros((30, 20), bool)
    column[:, 7] = row[20] = True
    np.testing.assert_array_equal(small > 0, column | row)
    assert (small[20, [0, 19]] == 2).all() and (small[[0, 29], 7] == 1).all()


def test_a_cell_goes_to_the_label_with_more_pixels_and_ties_to_the_higher():
    scribbles = np.array([[1, 1, 1, 2], [1, 2, 0, 0], [0, 3, 0, 0], [2, 0, 0, 1]])
    np.testing.assert_array_equal(fit_scribbles(scribbles, (4, 4), (2, 2)), [[1, 2], [3, 1]])


@pytest.mark.parametrize("size", [(1, 1), (7, 3), (50, 49), (99, 64), (100, 64)])
def test_every_scribbled_cell_has_a_scribbled_pixel(size):
    rng = np.random.default_rng(3)
    scribbles = (rng.random((100, 64)) < 0.01) * rng.integers(1, 4, (100, 64))
    small = fit_scribbles(scribbles, (100, 64), size)
    rows, columns = np.arange(100) * size[0] // 100, np.arange(64) * size[1] // 64
    expected = np.zeros(size, bool)
    y, x = np.nonzero(scribbles)
    expected[rows[y], columns[x]] = True
    np.testing.assert_array_equal(small > 0, expected)


def test_same_size_and_enlarging_keep_labels():
    scribbles = np.array([[0, 1], [2, 0]])
    np.testing.assert_array_equal(fit_scribbles(scribbles, (2, 2), (2, 2)), scribbles)
    np.testing.assert_array_equal(fit_scribbles(scribbles, (2, 2), (4, 4)), scribbles.repeat(2, 0).repeat(2, 1))


def test_booleans_count_as_object():
    np.testing.assert_array_equal(check_scribbles(np.array([[True, False]]), (1, 2)), [[1, 0]])


@pytest.mark.parametrize(
    "scribbles, message",
    [
        (np.zeros((3, 4), int), "3 x 4.*20 x 30"),
        (np.zeros((20, 30, 3), int), "20 x 30 x 3.*one integer per pixel"),
        (np.zeros((20, 30)), "float64.*integers"),
        (np.full((20, 30), -1), "contain -1"),
        (np.full((20, 30), 3), "contain 3.*1 to 2"),
    ],
)
def test_wrong_scribbles_say_what_is_wrong(scribbles, message):
    with pytest.raises(ScribbleError, match=message):
        check_scribbles(scribbles, (20, 30), labels=2)


def test_a_stroke_between_thick_ones_survives_shrinking():
    scribbles = np.full((300, 400), 2, np.uint8)
    scribbles[150, 100:300] = 1
    assert np.count_nonzero(fit_scribbles(scribbles, (300, 400), (30, 40), keep_all=True) == 1) == 1


def test_a_label_that_keeps_a_cell_takes_no_other_labels_last():
    scribbles = np.zeros((40, 40), np.uint8)
    scribbles[10, 10:13], scribbles[11, 10:12] = 1, 2  # both within one of the cells of 10 x 10 pixels
    kept = fit_scribbles(scribbles, (40, 40), (4, 4), keep_all=True)
    assert kept[1, 1] == 1 and np.count_nonzero(kept) == 2
    (row,), (column,) = np.nonzero(kept == 2)
    assert abs(row - 1) + abs(column - 1) == 1  # beside its own, which is all that the other has
    scribbles[30, 5:7], scribbles[31, 5] = 2, 3
    kept = fit_scribbles(scribbles, (40, 40), (4, 4), keep_all=True)
    assert set(np.unique(kept)) == {0, 1, 2, 3} and kept[1, 1] == 1
