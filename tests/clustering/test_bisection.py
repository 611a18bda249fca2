"""Two-way cuts against all thresholds and all bipartitions; recursion against its definition."""

from itertools import product

import numpy as np
import pytest
from affinity_graphs import chained_groups, ncut_by_definition, planted_graph, random_graph
from scipy.sparse import block_diag, csr_matrix, identity

from segdemo.clustering.bisection import Part, recursive_cuts, sweep, two_way_cut
from segdemo.clustering.spectral import eigengap, leading_eigenvectors, ncut_value


@pytest.mark.parametrize("seed", range(3))
def test_sweep_finds_the_cut_of_every_threshold(seed):
    affinity = random_graph(25, seed, power=4)
    values = np.random.default_rng(seed).integers(0, 12, 25) / 3  # with ties
    found = sweep(affinity, values)
    np.testing.assert_allclose(found.thresholds, (np.unique(values)[1:] + np.unique(values)[:-1]) / 2)
    for index, threshold in enumerate(found.thresholds):
        above = values > threshold
        np.testing.assert_array_equal(found.split(index), above)
        assert found.below[index] == (~above).sum()
        assert found.ncuts[index] == pytest.approx(ncut_value(affinity, above.astype(int)))
    assert found.ncuts[found.best] == found.ncuts.min()


def test_sweep_of_equal_values_still_splits():
    found = sweep(random_graph(6), np.zeros(6))
    assert found.split(0).sum() == 3 and len(found.ncuts) == 1


@pytest.mark.parametrize("sizes", [(4, 7), (2, 9), (5, 6)])
@pytest.mark.parametrize("seed", range(4))
def test_two_way_cut_is_the_best_of_all_bipartitions(sizes, seed):
    graph, _ = planted_graph(sizes, seed)
    ncut, above = two_way_cut(graph)
    splits = [np.array((0, *rest)) for rest in product((0, 1), repeat=10) if any(rest)]
    assert ncut == pytest.approx(min(ncut_by_definition(graph.toarray(), split) for split in splits))
    assert ncut == pytest.approx(ncut_by_definition(graph.toarray(), above.astype(int)))


@pytest.mark.parametrize("seed", range(8))
def test_without_groups_the_cut_is_near_the_best(seed):
    """On any graph: λ₂ ≤ the best Ncut ≤ what the thresholds find, here at most a few per cent more."""
    graph = random_graph(10, seed, power=3)
    splits = [np.array((0, *rest)) for rest in product((0, 1), repeat=9) if any(rest)]
    best = min(ncut_by_definition(graph.toarray(), split) for split in splits)
    ncut, _ = two_way_cut(graph)
    assert leading_eigenvectors(graph, 2, np.random.default_rng(0))[0][1] <= best + 1e-12
    assert best - 1e-12 <= ncut <= 1.1 * best


@pytest.mark.parametrize("sizes", [(6, 7), (5, 6, 7), (6, 6, 7, 8, 9)])
def test_recursion_and_eigengap_count_groups(sizes):
    affinity = chained_groups(sizes)
    values, _ = leading_eigenvectors(affinity, 10, np.random.default_rng(0))
    assert eigengap(values) == len(sizes)
    ends = np.cumsum(sizes)
    expected = [list(range(end - size, end)) for size, end in zip(sizes, ends)]
    for tree in (recursive_cuts(affinity, 0.1), recursive_cuts(affinity, np.inf, most=len(sizes))):
        assert sorted(sorted(leaf.nodes.tolist()) for leaf in tree.leaves()) == expected
        assert len(np.unique(tree.labels())) == len(sizes)


def test_the_cheapest_part_is_cut_first():
    affinity, _ = planted_graph((5, 6, 7), 1)
    tree = recursive_cuts(affinity, np.inf, most=6)
    assert len(tree.leaves()) == 6
    for cuts in range(5):
        leaves = tree.leaves(cuts=cuts)
        assert len(leaves) == cuts + 1 == len(np.unique(tree.labels(cuts)))
        (next_one,) = [leaf for leaf in leaves if leaf.number == cuts + 1]
        assert next_one.ncut == min(leaf.ncut for leaf in leaves if leaf.ncut is not None)
    assert [len(recursive_cuts(affinity, np.inf, most=1).leaves()), len(recursive_cuts(affinity, 0.0).leaves())] == [
        1,
        1,
    ]


def test_groups_apart_cost_nothing():
    affinity = csr_matrix(block_diag([np.ones((n, n)) for n in (3, 5, 4)]))
    tree = recursive_cuts(affinity, 1e-9)
    assert sorted(len(leaf.nodes) for leaf in tree.leaves()) == [3, 4, 5]
    assert len(recursive_cuts(identity(4, format="csr"), 1e-9).leaves()) == 4


def test_small_parts_stay_whole():
    tree = recursive_cuts(random_graph(12), np.inf, smallest=3)
    assert all((leaf.ncut is None) == (len(leaf.nodes) < 6) for leaf in tree.leaves())
    assert len(recursive_cuts(random_graph(5), np.inf).leaves()) == 5
    assert len(recursive_cuts(csr_matrix(np.ones((1, 1))), np.inf).leaves()) == 1


def test_a_limit_prunes_the_tree():
    quarter = Part(np.arange(2))
    low, high = Part(np.arange(3), 0.4), Part(np.arange(3, 9), 0.05, number=2, parts=(quarter,) * 2)
    tree = Part(np.arange(9), 0.1, number=1, parts=(low, high))
    assert tree.leaves(0.09) == tree.leaves(cuts=0) == [tree]
    assert tree.leaves(cuts=1) == [low, high]
    assert tree.leaves(0.1) == tree.leaves(cuts=2) == tree.leaves() == [low, quarter, quarter]
