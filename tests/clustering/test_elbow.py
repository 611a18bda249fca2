"""The elbow: its place on known curves, and k-means with K chosen there."""

import numpy as np
import pytest
import skimage.data

from segdemo.clustering.elbow import MOST_CLUSTERS, bend, best_of_each, draw_curve
from segdemo.clustering.kmeans import KMeansParams, kmeans, objectives_by_k, on_blocks
from segdemo.clustering.lloyd import Assignment
from segdemo.clustering.points import pixel_points
from segdemo.errors import Cancelled
from segdemo.method import Run


def stripes(count, noise=4, height=60):
    """(height, 24 · count, 3) uint8: ``count`` noisy stripes of colours far from each other."""
    corners = np.array([[40, 40, 40], [220, 40, 40], [40, 220, 40], [40, 40, 220]])
    rng = np.random.default_rng(0)
    colours = np.repeat(corners[:count], 24, axis=0)[None] + rng.normal(0, noise, (height, 24 * count, 3))
    return colours.clip(0, 255).astype(np.uint8)


def run_kmeans(image, run=None, **params):
    params = KMeansParams(**params)
    return kmeans(image, params, run or Run(seed=params.seed))


def test_bend():
    assert bend([10, 4, 1, 0.9, 0.8, 0.7]) == 3
    assert bend([10, 1, 0.5, 0.2, 0]) == 2
    assert bend([5.0]) == 1 and bend([5.0, 5.0]) == 1 and bend([5.0, 1.0]) == 2
    assert bend([17, 11, 8, 7.9, 7.8, 7.7]) == 3  # the first curve, and a constant


def test_a_curve_that_ends_with_the_colours_goes_on_flat():
    assert bend([10, 6, 3, 0.0], MOST_CLUSTERS) == 4 and bend([10, 0.5, 0.4, 0], MOST_CLUSTERS) == 2
    assert bend([9, 6, 3, 0]) == 4  # a straight line, up to which every cluster gains as much


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("space, position_weight", [("Lab", 0.0), ("RGB", 0.0), ("RGB", 0.05)])
def test_as_many_clusters_as_stripes(count, space, position_weight):
    result = run_kmeans(stripes(count), automatic=True, colour_space=space, position_weight=position_weight)
    assert result.facts["K at the elbow"] == count == len(result.names) == len(np.unique(result.labels))
    assert not result.notices


def test_the_chosen_k_gives_what_it_gives_when_asked_for():
    image = skimage.data.coffee()[::4, ::4].copy()
    chosen = run_kmeans(image, automatic=True, seed=3)
    asked = run_kmeans(image, clusters=chosen.facts["K at the elbow"], seed=3)
    np.testing.assert_array_equal(chosen.labels, asked.labels)
    assert chosen.facts["objective"] == asked.facts["objective"]
    assert len(chosen.pictures) == len(asked.pictures) + 1 and "elbow" in chosen.pictures[-1].title


@pytest.mark.parametrize("position_weight", [0.0, 0.5])
def test_blocks_of_points_bend_where_the_points_do(position_weight):
    image = skimage.data.coffee()
    points = pixel_points(image, "Lab", position_weight)
    assign, params = Assignment(points.features, points.weights), KMeansParams(position_weight=position_weight)
    assert on_blocks(assign, MOST_CLUSTERS) is not assign
    quick = objectives_by_k(assign, params, Run())
    exact = [step.objective for step in best_of_each(assign, MOST_CLUSTERS, np.random.default_rng(1), 60)]
    assert bend(quick, MOST_CLUSTERS) == bend(exact, MOST_CLUSTERS)
    assert np.all(np.diff(quick) <= 0) and np.allclose(quick, exact, rtol=0.06)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (3, 50)])
@pytest.mark.parametrize("kind", ["constant", "black", "two", "noise"])
@pytest.mark.parametrize("colour_space", ["Lab", "RGB", "HSV"])
@pytest.mark.parametrize("weights", [{}, {"position_weight": 0.5}, {"texture_weight": 1.0}])
def test_any_photo(shape, kind, colour_space, weights):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    if kind != "noise":
        image[:] = 128 * (kind == "constant")
        image.reshape(-1, 3)[0] += 90 * (kind == "two")
    result = run_kmeans(image, automatic=True, colour_space=colour_space, **weights)
    chosen = result.facts["K at the elbow"]
    assert chosen == len(np.unique(result.labels)) == len(result.names) <= min(MOST_CLUSTERS, image.size // 3)
    if kind in ("constant", "black") and "position_weight" not in weights:
        assert chosen == 1 and "alike" in result.notices[0]
    if kind == "two" and not weights and image.size > 3:
        assert chosen == 2


def test_the_curve_is_drawn_with_its_elbow():
    drawn = draw_curve([10, 4, 1, 0.9], 3)
    other = draw_curve([10, 4, 1, 0.9], 2)
    assert drawn.shape == (320, 320, 3) and drawn.dtype == np.uint8
    column = 24 + round(2 / 3 * 272)  # K = 3 of 4
    assert (drawn[:, column] != other[:, column]).any() and (drawn[:, column].max(1) > 200).sum() > 100
    assert draw_curve([0.0], 1).shape == (320, 320, 3)


def test_can_be_cancelled_while_it_counts():
    def cancelled_at(fraction, text):
        if text == "K = 4":
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        run_kmeans(stripes(3), Run(on_step=cancelled_at), automatic=True)
