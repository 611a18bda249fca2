"""The max-flow against brute force, SciPy's general solver and PyMaxflow; on drawn grids and on photos."""

import itertools

import cv2
import numpy as np
import pytest
from grids import STEPS, cut_value, random_grid
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
from segdemo.graphcut.maxflow import grid_maxflow


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
