"""Labels and pictures of a result at other sizes."""

import numpy as np
import pytest
from trial_methods import blank

from segdemo import Engine
from segdemo.segmentation import enlarge_labels, heatmap, resize_nearest


def test_enlarged_labels_keep_areas_and_range():
    labels = np.zeros((20, 30), np.int32)
    labels[5:15, 10:20] = 2
    large = enlarge_labels(labels, (200, 300), 3)
    assert set(np.unique(large)) == {0, 2}
    assert (large == 2).mean() == pytest.approx((labels == 2).mean(), rel=0.03)
    np.testing.assert_array_equal(large[5::10, 5::10], labels)
    many = np.arange(600, dtype=np.int32).reshape(20, 30)
    np.testing.assert_array_equal(resize_nearest(enlarge_labels(many, (40, 60), 600), (20, 30)), many)


def test_labels_grow_with_their_probabilities_where_there_are_some(registered):
    """At working size the right half is the second label's, but so narrowly that on the photo the border lies left of it."""

    def function(image, params, run):
        """Two labels side by side, the first almost undecided."""
        result = blank(image, params, run)
        second = np.where(np.arange(image.shape[1]) < image.shape[1] // 2, 0.49, 1.0)
        scores = np.broadcast_to([1 - second, second], (image.shape[0], 2, image.shape[1])).transpose(1, 0, 2)
        result.labels, result.working_scores = scores.argmax(0), scores.astype(np.float32)
        result.names, result.palette = ["a", "b"], np.zeros((2, 3), np.uint8)
        return result

    result = Engine("cpu").run(registered(function), np.zeros((640, 640, 3), np.uint8), working_size=64)
    found = result.labels[320]
    assert (np.diff(found) >= 0).all() and 310 <= np.count_nonzero(found == 0) < 320
    np.testing.assert_array_equal(result.labels, result.scores.argmax(0))


def test_a_heatmap_runs_from_dark_violet_to_yellow():
    violet, green, yellow = (68, 1, 84), (33, 145, 140), (253, 231, 37)  # viridis, as Matplotlib has it
    shown = heatmap(np.array([[2.0, 3.0, 4.0]]))[0].astype(int)
    np.testing.assert_allclose(shown, [violet, green, yellow], atol=3)
    beyond = heatmap(np.array([[-9.0, 0.5, 9.0, np.nan, -np.inf, np.inf]]), 0, 1)[0].astype(int)
    np.testing.assert_allclose(beyond, [violet, green, yellow, violet, violet, yellow], atol=3)
    for constant in (np.full((2, 3), 7.0), np.full((2, 3), np.nan)):
        np.testing.assert_allclose(heatmap(constant).reshape(-1, 3), np.tile(violet, (6, 1)), atol=3)
