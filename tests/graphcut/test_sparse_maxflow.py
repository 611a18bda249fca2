"""Maximum flow of sparse graphs: against all cuts of tiny graphs, and against the solver for grids."""

import itertools

import numpy as np
import pytest
from grids import random_grid

from segdemo.errors import Cancelled
from segdemo.graphcut.energy import STEPS, pair_slices
from segdemo.graphcut.maxflow import grid_maxflow
from segdemo.graphcut.sparse_maxflow import sparse_graph, sparse_maxflow


def cut_value(inside, source, sink, first, second, capacity):
    terminals = sum(int(sink[p]) if inside[p] else int(source[p]) for p in range(len(source)))
    return terminals + sum(int(c) for p, q, c in zip(first, second, capacity) if inside[p] != inside[q])


def random_graph(seed):
    """A few nodes, pairs drawn at random (some twice, some of no capacity), and terminals."""
    rng = np.random.default_rng(seed)
    n, high = int(rng.integers(1, 9)), (2, 5, 1000)[seed % 3]
    pairs = np.array(list(itertools.combinations(range(n), 2)), int).reshape(-1, 2)
    pairs = pairs[rng.integers(0, len(pairs), 2 * n)] if len(pairs) else pairs
    flipped = np.where(rng.random((len(pairs), 1)) < 0.5, pairs, pairs[:, ::-1])
    return rng.integers(0, 2 * high, n), rng.integers(0, 2 * high, n), *flipped.T, rng.integers(0, high, len(pairs))


@pytest.mark.parametrize("seed", range(60))
def test_no_cut_of_a_tiny_graph_costs_less(seed):
    source, sink, first, second, capacity = random_graph(seed)
    flow, inside = sparse_maxflow(source, sink, sparse_graph(first, second, capacity, len(source)))
    cuts = [np.array(cut) for cut in itertools.product([False, True], repeat=len(source))]
    values = [cut_value(cut, source, sink, first, second, capacity) for cut in cuts]
    assert flow == min(values) == cut_value(inside, source, sink, first, second, capacity)
    assert inside.sum() == min(cut.sum() for cut, value in zip(cuts, values) if value == flow)


@pytest.mark.parametrize("seed", range(24))
def test_a_grid_comes_out_as_from_the_solver_for_grids(seed):
    source, sink, *edges = random_grid(seed)
    nodes = np.arange(source.size).reshape(source.shape)
    pairs = []
    for step, edge in zip(STEPS, edges):
        first, second = pair_slices(step)
        pairs.append([nodes[first].ravel(), nodes[second].ravel(), edge[first].ravel()])
    graph = sparse_graph(*map(np.concatenate, zip(*pairs)), source.size)
    flow, inside = sparse_maxflow(source.ravel(), sink.ravel(), graph)
    best, expected = grid_maxflow(source, sink, *edges)
    assert flow == best
    np.testing.assert_array_equal(inside.reshape(source.shape), expected)


def test_the_graph_keeps_every_pair_once_with_its_sum():
    graph = sparse_graph(np.array([0, 1, 2, 2]), np.array([1, 0, 0, 1]), np.array([3, 4, 5, 0]), 4)
    arcs = {(int(p), int(q)): int(c) for p, q, c in zip(graph.tails, graph.heads, graph.capacity)}
    assert arcs == {(0, 1): 7, (1, 0): 7, (0, 2): 5, (2, 0): 5, (1, 2): 0, (2, 1): 0}
    np.testing.assert_array_equal(graph.heads[graph.twins], graph.tails)
    np.testing.assert_array_equal(graph.tails[graph.twins], graph.heads)
    np.testing.assert_array_equal(graph.node_sums(), [12, 7, 5, 0])


def test_capacities_beyond_32_bits_are_counted_exactly():
    large = 2**40 + 1
    graph = sparse_graph(np.array([0, 1]), np.array([1, 2]), np.array([large, large - 7]), 3)
    flow, inside = sparse_maxflow(np.array([2**41, 0, 0]), np.array([0, 0, 2**41]), graph)
    assert flow == large - 7 and inside.tolist() == [True, True, False]


def test_it_can_be_stopped_and_leaves_the_graph_alone():
    graph = sparse_graph(np.array([0]), np.array([1]), np.array([5]), 2)

    def stop(flow):
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        sparse_maxflow(np.array([9, 0]), np.array([0, 9]), graph, stop)
    for _ in range(2):
        assert sparse_maxflow(np.array([9, 0]), np.array([0, 9]), graph)[0] == 5
