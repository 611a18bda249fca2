"""The max-flow against brute force, SciPy's general solver and PyMaxflow; on drawn grids and on photos."""

import contextlib
import itertools

import cv2
import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_flow
from skimage import data as photos

from segdemo.errors import Cancelled
from segdemo.graphcut.energy import (
    data_costs,
    estimate_sigma,
    evaluate,
    pair_slices,
    pairwise_weights,
    squared_contrasts,
)
from segdemo.graphcut.maxflow import GridMaxflow, grid_maxflow

STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))


def cut_value(inside, source, sink, *edges):
    """Energy of a labelling, pixel by pixel in Python: slow, and plain to see."""
    height, width = inside.shape
    total = 0
    for y, x in itertools.product(range(height), range(width)):
        total += int(sink[y, x]) if inside[y, x] else int(source[y, x])
        for (dy, dx), edge in zip(STEPS, edges):
            if y + dy < height and 0 <= x + dx < width and inside[y, x] != inside[y + dy, x + dx]:
                total += int(edge[y, x])
    return total


def scipy_flow(source, sink, *edges):
    """The value of the flow by SciPy, which knows nothing of grids (int32 capacities)."""
    height, width = source.shape
    node = np.arange(source.size).reshape(source.shape)
    s, t = source.size, source.size + 1
    rows, columns, capacities = (
        [np.full(source.size, s), node.ravel()],
        [node.ravel(), np.full(source.size, t)],
        [source.ravel(), sink.ravel()],
    )
    for (dy, dx), edge in zip(STEPS, edges):
        y, x = np.mgrid[:height, :width]
        inside = (y + dy < height) & (x + dx >= 0) & (x + dx < width)
        p, q = node[inside], node[y[inside] + dy, x[inside] + dx]
        rows += [p, q]
        columns += [q, p]
        capacities += [edge[inside]] * 2
    graph = csr_matrix((np.concatenate(capacities).astype(np.int32), (np.concatenate(rows), np.concatenate(columns))))
    graph.resize(t + 1, t + 1)
    return int(maximum_flow(graph, s, t).flow_value)


def pymaxflow_flow(source, sink, *edges):
    maxflow = pytest.importorskip("maxflow")
    graph = maxflow.GraphInt()
    nodes = graph.add_grid_nodes(source.shape)
    for (dy, dx), edge in zip(STEPS, edges):
        structure = np.zeros((3, 3), int)
        structure[1 + dy, 1 + dx] = 1
        graph.add_grid_edges(nodes, edge, structure=structure, symmetric=True)
    graph.add_grid_tedges(nodes, source, sink)
    return graph.maxflow()


def ortools_flow(source, sink, *edges):
    """The value of the flow by OR-Tools' push-relabel (int64 capacities)."""
    solver = pytest.importorskip("ortools.graph.python.max_flow").SimpleMaxFlow()
    node, terminal = np.arange(source.size).reshape(source.shape), np.full(source.size, source.size)
    tails, heads, capacities = [terminal, node.ravel()], [node.ravel(), terminal + 1], [source.ravel(), sink.ravel()]
    for step, edge in zip(STEPS, edges):
        first, second = pair_slices(step)
        tails += [node[first].ravel(), node[second].ravel()]
        heads += [node[second].ravel(), node[first].ravel()]
        capacities += [edge[first].ravel()] * 2
    solver.add_arcs_with_capacity(*(np.concatenate(ends) for ends in (tails, heads, capacities)))
    assert solver.solve(source.size, source.size + 1) == solver.OPTIMAL
    return solver.optimal_flow()


def snake(size, rng):
    """A grid whose only path winds through every row: the longest there is; narrow somewhere in the middle."""
    height, width = size
    source, sink, right, down = np.zeros((4, *size), int)
    source[0, 0] = sink[-1, -1 if height % 2 else 0] = 1000
    right[:] = rng.integers(20, 90, size)
    for y in range(height - 1):
        down[y, -1 if y % 2 == 0 else 0] = rng.integers(20, 90)
    right[height // 2, width // 2] = 7
    return [source, sink, right, down]


def random_grid(seed):
    """Capacities of one of six kinds of grid: sizes 1 x 1 to 12 x 12, 4 or 8 neighbours."""
    rng = np.random.default_rng(seed)
    size = tuple(rng.integers(1, 13, 2))
    planes = 4 if seed % 2 else 6
    kind = seed // 2 % 6
    high = (2, 4, 100, 50_000, 10, 10)[kind]
    grid = [rng.integers(0, high, size) for _ in range(planes)]
    if kind == 4:  # chessboard of sources and sinks, all of one strength: ties everywhere
        board = np.indices(size).sum(axis=0) % 2
        grid[0], grid[1] = 7 * board, 7 * (1 - board)
    if kind == 5:  # few terminals, far apart: long paths
        for terminal in grid[:2]:
            terminal *= 50 * (rng.random(size) < 0.1)
    return grid


@pytest.mark.parametrize("seed", range(96))
def test_random_grids(seed):
    grid = random_grid(seed)
    flow, inside = grid_maxflow(*grid)
    assert inside.shape == grid[0].shape and inside.dtype == bool
    assert flow == cut_value(inside, *grid) == scipy_flow(*grid)


def test_thousands_of_grids_against_pymaxflow_and_ortools():
    pytest.importorskip("maxflow")
    for seed in range(1000, 3000):
        grid = random_grid(seed)
        flow, inside = grid_maxflow(*grid)
        energy = sum(evaluate(inside.astype(np.uint8), np.stack(grid[:2]), grid[2:])[:2])
        assert flow == energy == pymaxflow_flow(*grid) == ortools_flow(*grid), seed


@pytest.mark.parametrize("size", [(2, 9), (7, 8), (8, 7), (40, 50)])
def test_snakes(size):
    grid, (row, column) = snake(size, np.random.default_rng(0)), (size[0] // 2, size[1] // 2)
    flow, inside = grid_maxflow(*grid)
    assert flow == 7 == ortools_flow(*grid)
    assert inside[:row].all() and not inside[row + 1 :].any()
    np.testing.assert_array_equal(inside[row], (np.arange(size[1]) <= column) == (row % 2 == 0))


@pytest.mark.parametrize("planes", [4, 6])
def test_chessboard_with_ties_everywhere(planes):
    board = np.indices((30, 31)).sum(axis=0) % 2
    for edge in (0, 1, 2, 10**6, 10**9):
        grid = [5 * board, 5 * (1 - board), *[np.full(board.shape, edge)] * (planes - 2)]
        flow, inside = grid_maxflow(*grid)
        assert flow == ortools_flow(*grid) == cut_value(inside, *grid)
        assert edge or (inside == board).all()


@pytest.mark.parametrize("planes", [4, 6])
def test_brute_force_over_all_labelings_of_3_by_3(planes):
    labelings = [np.array(bits, bool).reshape(3, 3) for bits in itertools.product([False, True], repeat=9)]
    for seed in range(4):
        rng = np.random.default_rng(seed)
        grid = [rng.integers(0, 6, (3, 3)) for _ in range(planes)]
        values = [cut_value(labels, *grid) for labels in labelings]
        flow, inside = grid_maxflow(*grid)
        minima = [labels for labels, value in zip(labelings, values) if value == min(values)]
        assert flow == min(values)
        # Of all minima ours has the smallest source side, which is their intersection.
        np.testing.assert_array_equal(inside, np.logical_and.reduce(minima))


def test_huge_capacities_need_64_bits():
    rng = np.random.default_rng(5)
    small = [rng.integers(0, 1000, (9, 7)) for _ in range(6)]
    flow, inside = grid_maxflow(*small)
    factor = 2**45
    huge_flow, huge_inside = grid_maxflow(*(plane * factor for plane in small))
    assert huge_flow == flow * factor
    np.testing.assert_array_equal(huge_inside, inside)
    near = [plane * (2**30 // 1000) for plane in small]  # an edge's residual may double, to just under 2^31
    assert grid_maxflow(*near)[0] == flow * (2**30 // 1000)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.uint64])
def test_any_integer_type_and_memory_order(dtype):
    grid = [plane.astype(dtype) for plane in random_grid(4)]
    flow, inside = grid_maxflow(*grid)
    flow_f, inside_f = grid_maxflow(*(np.asfortranarray(plane) for plane in grid))
    assert flow == flow_f == scipy_flow(*(plane.astype(int) for plane in grid))
    np.testing.assert_array_equal(inside, inside_f)


def test_capacities_are_left_as_they_were():
    grid = random_grid(8)
    before = [plane.copy() for plane in grid]
    grid_maxflow(*grid)
    for plane, copy in zip(grid, before):
        np.testing.assert_array_equal(plane, copy)


def test_unused_edges_are_ignored():
    grid = [np.ones((4, 5), int) for _ in range(6)]
    expected = grid_maxflow(*grid)
    grid[2][:, -1] = grid[3][-1] = grid[4][-1] = grid[4][:, -1] = grid[5][-1] = grid[5][:, 0] = -9
    assert grid_maxflow(*grid)[0] == expected[0]


def test_long_thin_grid():
    source, sink = np.zeros((2, 1, 5000), int)
    source[0, 0], sink[0, -1] = 100, 100
    right = np.full((1, 5000), 50)
    right[0, 3210] = 7
    flow, inside = grid_maxflow(source, sink, right, np.zeros_like(right))
    assert flow == 7 and inside.sum() == 3211


@pytest.mark.parametrize(
    "name, index", [("source", 0), ("sink", 1), ("right", 2), ("down", 3), ("down_right", 4), ("down_left", 5)]
)
def test_wrong_capacities_are_named(name, index):
    def with_plane(plane):
        grid = [np.ones((3, 4), int) for _ in range(6)]
        grid[index] = plane
        return grid

    negative = np.ones((3, 4), int)
    negative[1, 1] = -2
    with pytest.raises(ValueError, match=f"{name}: capacities are never negative.*-2"):
        grid_maxflow(*with_plane(negative))
    with pytest.raises(ValueError, match=f"{name}: capacities are integers.*float64"):
        grid_maxflow(*with_plane(np.ones((3, 4))))
    with pytest.raises(ValueError, match=f"{name}.*overflow"):
        grid_maxflow(*with_plane(np.full((3, 4), 2**61)))
    with pytest.raises(ValueError, match="shape"):
        grid_maxflow(*with_plane(np.ones((4, 3), int)))


def test_diagonals_come_in_pairs():
    plane = np.ones((3, 3), int)
    with pytest.raises(ValueError, match="both diagonals"):
        grid_maxflow(plane, plane, plane, plane, plane)
    with pytest.raises(ValueError, match="non-empty"):
        grid_maxflow(plane[:0], plane[:0], plane[:0], plane[:0])


def test_can_be_stopped_between_passes():
    def stop(flow):
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        grid_maxflow(*random_grid(4), on_pass=stop)
    seen = []
    flow, _ = grid_maxflow(*random_grid(2), on_pass=seen.append)
    assert seen == sorted(seen) and seen[-1] <= flow


PHOTO_CASES = [
    ("astronaut", (30, 60), (5, 5), 4),
    ("astronaut", (60, 55), (10, 90), 8),
    ("chelsea", (40, 50), (5, 90), 8),
    ("coffee", (50, 50), (5, 10), 4),
    ("rocket", (60, 48), (10, 20), 8),
]


@pytest.mark.parametrize("name, object_at, background_at, neighbours", PHOTO_CASES)
def test_photos_with_strokes(name, object_at, background_at, neighbours):
    photo = cv2.resize(getattr(photos, name)(), (96, 96), interpolation=cv2.INTER_AREA).astype(np.float32)
    strokes = np.zeros((96, 96), np.uint8)
    for label, (y, x) in enumerate((background_at, object_at), start=1):
        cv2.line(strokes, (x - 4, y), (x + 4, y + 8), label, 2)
    means = [photo[strokes == label].mean(axis=0) for label in (1, 2)]
    costs = np.stack([((photo - mean) ** 2).sum(axis=2) / 2000 for mean in means])
    contrasts = squared_contrasts(photo, neighbours)
    weights = pairwise_weights(contrasts, 20.0, estimate_sigma(contrasts))
    data = data_costs(costs, strokes, weights)
    flow, inside = grid_maxflow(data[0], data[1], *weights)
    grid = [*data, *weights]
    assert flow == cut_value(inside, *grid) == scipy_flow(*grid) == ortools_flow(*grid)
    assert inside[strokes == 2].all() and not inside[strokes == 1].any()


# --- one more stroke: the graph is kept ------------------------------------------------------


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
