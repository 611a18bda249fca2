"""The prior for connected objects, beside Dijkstra's shortest ways, and the cut with it."""

import numpy as np
import pytest
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import dijkstra

from segdemo.graphcut.binary import GraphCutParams, graphcut
from segdemo.graphcut.connection import HIGHEST, RATE, connection_log_prior
from segdemo.graphcut.energy import STEPS, pair_slices
from segdemo.method import Run


def scores_of(odds):
    """(2, h, w) log scores whose difference, object minus background, is ``odds``."""
    return np.stack([-odds / 2, odds / 2]).astype(np.float32)


def cheapest_ways(costs, strokes):
    """From each pixel to the nearest stroke, along the graph of all steps; by Dijkstra's algorithm."""
    places, rows, columns, lengths = np.arange(costs.size).reshape(costs.shape), [], [], []
    for step in STEPS:
        first, second = pair_slices(step)
        rows.append(places[first].ravel())
        columns.append(places[second].ravel())
        lengths.append((np.hypot(*step) * (costs[first] + costs[second]) / 2).ravel() + 1e-9)  # 0 would be no edge
    edges = np.concatenate(lengths), (np.concatenate(rows), np.concatenate(columns))
    graph = coo_matrix(edges, (costs.size, costs.size)).tocsr()
    return dijkstra(graph, directed=False, indices=places[strokes], min_only=True).reshape(costs.shape)


def test_ways_are_the_shortest_ones():
    y, x = np.mgrid[:40, :50]
    odds = (3 * np.sin(x / 5) + 3 * np.cos(y / 7)).astype(np.float32)
    seeds = np.zeros((40, 50), np.uint8)
    seeds[5, 5:12], seeds[30, 20:40] = 2, 1
    costs = np.clip(-odds, 0, HIGHEST)
    costs[seeds == 1] = HIGHEST
    prior = connection_log_prior(scores_of(odds), seeds, 1e6)
    exact = -RATE * cheapest_ways(costs, seeds == 2)
    assert (
        prior <= exact + 1e-4
    ).all()  # never shorter; a way that winds more often than there are sweeps, a little longer
    assert (np.abs(prior - exact) < 1e-3).mean() > 0.98 and np.abs(prior - exact).max() < 0.02
    capped = connection_log_prior(scores_of(odds), seeds, 2.0)
    np.testing.assert_allclose(capped, np.maximum(prior, -2), atol=1e-6)
    assert prior.dtype == np.float32 and prior.shape == (40, 50) and prior.max() <= 0


@pytest.mark.parametrize("size", [(1, 7), (7, 1), (2, 2)])
def test_smallest_and_thinnest_photos(size):
    seeds = np.zeros(size, np.uint8)
    seeds[0, 0], seeds[-1, -1] = 2, 1
    prior = connection_log_prior(scores_of(np.full(size, -1.0)), seeds, 8.0)
    assert prior[0, 0] == 0 and prior[-1, -1] < 0 and np.isfinite(prior).all()


def test_a_like_thing_is_the_object_only_where_an_object_like_way_leads():
    """Three squares of one colour: with the stroke, joined to it by a bridge, and alone; the cut is exact all the same."""
    image = np.full((60, 150, 3), 60, np.uint8)
    for left in (10, 60, 110):
        image[15:45, left : left + 30] = (220, 150, 30)
    image[25:35, 40:60] = (220, 150, 30)
    scribbles = np.zeros((60, 150), np.uint8)
    scribbles[30, 20:30], scribbles[5, 10:140] = 1, 2
    options = dict(texture_weight=0.0, nearness_weight=0.2, relearn=0.0, smoothness=5.0)
    loose, joined = (
        graphcut(image, GraphCutParams(connection=most, **options), Run(scribbles=scribbles)) for most in (0.0, 8.0)
    )
    alone = (slice(17, 43), slice(112, 138))
    assert loose.labels[alone].all() and not joined.labels[alone].any()
    np.testing.assert_array_equal(loose.labels[:, :95], joined.labels[:, :95])
    assert joined.labels[17:43, 62:88].all()
    assert joined.facts["energy"] == joined.facts["maximum flow"]
