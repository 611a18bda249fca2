"""A graph that is kept: new terminals and stronger edges give what a new graph gives, from the flow before."""

import contextlib

import cv2
import numpy as np
import pytest
from grids import cut_value, random_grid
from skimage import data as photos

from segdemo.errors import Cancelled
from segdemo.graphcut.energy import data_costs, estimate_sigma, pairwise_weights, squared_contrasts
from segdemo.graphcut.maxflow import GridMaxflow, grid_maxflow


def changed(rng, source, sink):
    """Terminals after one of five kinds of change: a few anew, all a little, sides swapped, all anew, none left."""
    source, sink, kind = source.copy(), sink.copy(), rng.integers(5)
    high, few = max(int(source.max()), int(sink.max()), 2) + 1, rng.random(source.shape) < 0.12
    if kind == 0:
        source[few], sink[few] = rng.integers(0, high, (2, few.sum()))
    elif kind == 1:
        source, sink = (np.maximum(plane + rng.integers(-2, 3, plane.shape), 0) for plane in (source, sink))
    elif kind == 2:
        source[few], sink[few] = sink[few], source[few]
    elif kind == 3:
        source, sink = rng.integers(0, high, (2, *source.shape))
    else:
        source[few] = sink[few] = 0
    return source, sink


@pytest.mark.parametrize("start", range(0, 300, 100))
def test_updates_give_what_a_new_graph_gives(start):
    for seed in range(start, start + 100):
        rng, (source, sink, *edges) = np.random.default_rng(seed), random_grid(seed)
        graph = GridMaxflow(source, sink, *edges)
        for _ in range(8):
            flow, inside = graph.solve()
            expected_flow, expected = grid_maxflow(source, sink, *edges)
            assert flow == expected_flow
            np.testing.assert_array_equal(inside, expected)  # the same cut of several minimum ones
            source, sink = changed(rng, source, sink)
            graph.update(source, sink)


def test_updates_may_take_back_flow_that_was_sent():
    line, nothing = np.full((1, 9), 50), np.zeros((1, 9), int)
    source, sink = nothing.copy(), nothing.copy()
    source[0, 0], sink[0, -1] = 30, 20
    graph = GridMaxflow(source, sink, line, nothing)
    assert graph.solve()[0] == 20
    source[0, 0] = 5  # 20 have been sent
    graph.update(source, sink)
    flow, inside = graph.solve()
    assert flow == 5 and not inside.any()
    graph.update(sink, source)  # and now the other way round
    flow, inside = graph.solve()
    assert flow == 5 and inside.all()


def test_updates_may_come_unsolved_and_after_a_stop():
    def stop(flow):
        if flow % 3 == 0:
            raise Cancelled("stopped")

    for seed in range(40):
        rng, (source, sink, *edges) = np.random.default_rng(seed), random_grid(seed)
        graph = GridMaxflow(source, sink, *edges)
        for _ in range(6):
            source, sink = changed(rng, source, sink)
            graph.update(source, sink)
            with contextlib.suppress(Cancelled):
                graph.solve(on_pass=stop)
        flow, inside = graph.solve()
        assert flow == cut_value(inside, source, sink, *edges) == grid_maxflow(source, sink, *edges)[0]


def test_a_thousand_updates():
    rng = np.random.default_rng(1)
    *_, right, down = random_grid(7)
    source, sink = rng.integers(0, 5, (2, *right.shape))
    graph = GridMaxflow(source, sink, right, down)
    for _ in range(1000):
        y, x = rng.integers(right.shape[0]), rng.integers(right.shape[1])
        source[y, x], sink[y, x] = rng.integers(0, 9, 2)
        graph.update(source, sink)
        flow, inside = graph.solve()
    assert flow == grid_maxflow(source, sink, right, down)[0] == cut_value(inside, source, sink, right, down)


def test_stronger_edges_give_what_a_new_graph_gives():
    for seed in range(200):
        rng, (source, sink, *edges) = np.random.default_rng(seed), random_grid(seed)
        graph = GridMaxflow(source, sink, *edges)
        for step in range(5):
            flow, inside = graph.solve()
            expected_flow, expected = grid_maxflow(source, sink, *edges)
            assert flow == expected_flow
            np.testing.assert_array_equal(inside, expected)
            more = [
                rng.integers(0, 7, edge.shape) * 2 ** (30 * (step == 3)) for edge in edges
            ]  # beyond 32 bits at last
            graph.strengthen(*more)
            edges = [edge + plane for edge, plane in zip(edges, more)]
            if step == 2:
                source, sink = changed(rng, source, sink)
                graph.update(source, sink)
    with pytest.raises(ValueError, match="neighbours"):
        graph.strengthen(*(edges[:2] if len(edges) == 4 else edges * 2))


def test_updates_may_outgrow_32_bits():
    source, sink, *edges = random_grid(4)
    graph = GridMaxflow(source, sink, *edges)
    graph.solve()
    for factor in (2**40, 1, 2**45):
        graph.update(source * factor, sink * factor)
        flow, inside = graph.solve()
        assert flow == grid_maxflow(source * factor, sink * factor, *edges)[0]
        assert flow == cut_value(inside, source * factor, sink * factor, *edges)


def test_refused_updates_change_nothing():
    source, sink, *edges = random_grid(2)
    graph = GridMaxflow(source, sink, *edges)
    flow, inside = graph.solve()
    for wrong in (-1 - source, source * 1.0, np.vstack([source, source])):
        with pytest.raises(ValueError, match="^sink"):
            graph.update(sink, wrong)
        assert graph.solve()[0] == flow


@pytest.mark.parametrize("label, kept", [(2, True), (1, True), (1, False)])
def test_one_more_stroke_on_a_photo(label, kept):
    """The seeds alone are new, or the colours are learned anew and all capacities change."""
    photo = cv2.resize(photos.astronaut(), (96, 96), interpolation=cv2.INTER_AREA).astype(np.float32)
    contrasts = squared_contrasts(photo, 8)
    weights = pairwise_weights(contrasts, 20.0, estimate_sigma(contrasts))
    strokes = np.zeros((96, 96), np.uint8)
    cv2.line(strokes, (30, 30), (50, 60), 2, 3)
    cv2.line(strokes, (3, 3), (3, 70), 1, 3)

    def energy(learned):
        means = [photo[learned == label].mean(axis=0) for label in (1, 2)]
        return data_costs(np.stack([((photo - mean) ** 2).sum(axis=2) / 2000 for mean in means]), strokes, weights)

    before, first = strokes.copy(), energy(strokes)
    graph = GridMaxflow(*first, *weights)
    graph.solve()
    cv2.line(strokes, *((5, 90), (30, 92)) if label == 1 else ((60, 60), (80, 70)), label, 3)
    data = energy(before if kept else strokes)
    graph.update(*data)
    flow, inside = graph.solve()
    expected_flow, expected = grid_maxflow(*data, *weights)
    assert flow == expected_flow == cut_value(inside, *data, *weights)
    np.testing.assert_array_equal(inside, expected)
