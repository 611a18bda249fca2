"""Eigenvectors against SciPy's solvers, cuts against brute force, rounding against what is known."""

from itertools import product

import numpy as np
import pytest
import scipy.linalg
from affinity_graphs import ncut_by_definition, planted_graph, random_graph
from scipy.sparse import block_diag, csr_matrix, diags
from scipy.sparse.linalg import eigsh
from skimage.metrics import adapted_rand_error

from segdemo.clustering import spectral as module
from segdemo.clustering.affinity import Affinity, affinity_matrix
from segdemo.clustering.spectral import (
    discretize,
    eigengap,
    largest_residual,
    leading_eigenvectors,
    ncut_value,
    normalized_cut,
)
from segdemo.errors import ParameterError


def same_partition(first, second):
    return adapted_rand_error(first + 1, second + 1)[0] == 0


@pytest.mark.parametrize("dense_nodes", [1000, 0])
def test_eigenvectors_solve_the_generalized_problem(monkeypatch, dense_nodes):
    monkeypatch.setattr(module, "DENSE_NODES", dense_nodes)
    rng = np.random.default_rng(1)
    graph = affinity_matrix(rng.random((200, 3)) * 40, rng.random((200, 2)) * 14, Affinity(25.0, 3.0, 4.0))
    values, vectors = leading_eigenvectors(graph, 5, rng)
    weights = graph.toarray()
    degrees = np.diag(weights.sum(1))
    expected, reference = scipy.linalg.eigh(degrees - weights, degrees, subset_by_index=[0, 4])
    assert np.allclose(values, expected, atol=1e-8)
    assert np.allclose(vectors.T @ degrees @ vectors, np.eye(5), atol=1e-8)
    assert np.allclose(np.abs(np.diag(vectors.T @ degrees @ reference)), 1, atol=1e-6)
    residual = np.linalg.norm((degrees - weights) @ vectors - degrees @ vectors * values, axis=0)
    relative = residual / np.linalg.norm(degrees @ vectors, axis=0)
    assert largest_residual(graph, values, vectors) == pytest.approx(relative.max(), abs=1e-14)
    assert relative.max() < 1e-5


def test_residual_sees_a_wrong_eigenvalue():
    graph = random_graph(20)
    values, vectors = leading_eigenvectors(graph, 3, np.random.default_rng(0))
    assert largest_residual(graph, values, vectors) < 1e-12
    assert largest_residual(graph, values + 0.1, vectors) == pytest.approx(0.1)


def test_ncut_value_follows_the_definition():
    graph = random_graph(15)
    labels = np.random.default_rng(2).integers(0, 3, 15)
    assert ncut_value(graph, labels) == pytest.approx(ncut_by_definition(graph.toarray(), labels))
    assert ncut_value(graph, np.zeros(15, int)) == 0


@pytest.mark.parametrize("seed", range(6))
def test_two_way_cut_is_the_best_of_all(seed):
    graph, groups = planted_graph([4, 7], seed)
    cut = normalized_cut(graph, 2, np.random.default_rng(seed))
    labellings = [np.array((0, *rest)) for rest in product((0, 1), repeat=10) if any(rest)]
    best = min(labellings, key=lambda labels: ncut_by_definition(graph.toarray(), labels))
    assert same_partition(cut.labels, best) and same_partition(best, groups)
    # the relaxation bounds the cut from below: λ₂ ≤ min Ncut (Shi & Malik 2000, section 2.1)
    assert cut.eigenvalues[1] <= ncut_value(graph, cut.labels) + 1e-12


def test_groups_that_are_apart_are_found_with_ncut_zero():
    blocks = [random_graph(size, size).toarray() for size in (5, 9, 14, 6)]
    graph = csr_matrix(block_diag(blocks))
    cut = normalized_cut(graph, 4, np.random.default_rng(0))
    assert same_partition(cut.labels, np.repeat(np.arange(4), [5, 9, 14, 6]))
    assert np.allclose(cut.eigenvalues, 0, atol=1e-12)
    assert ncut_value(graph, cut.labels) == pytest.approx(0, abs=1e-12)
    assert cut.rounding[-1].error == pytest.approx(0, abs=1e-12)


def test_rounding_undoes_a_rotation_and_its_error_never_rises():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 80)
    rotation = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    noisy = (np.eye(5)[labels] + rng.normal(0, 0.12, (80, 5))) @ rotation * rng.uniform(0.5, 2, (80, 1))
    steps = discretize(noisy, 0)
    assert same_partition(steps[-1].labels, labels)
    for start in range(10):
        errors = [step.error for step in discretize(rng.normal(size=(80, 5)), start)]
        assert np.all(np.diff(errors) <= 1e-9)


def test_more_segments_than_nodes_are_refused():
    with pytest.raises(ParameterError, match="lower segments to 3"):
        normalized_cut(random_graph(3), 4, np.random.default_rng(0))


def test_rounding_noise_splits_no_group():
    """Three unconnected groups and K = 2: what no eigenvector speaks of is noise, and must not be blown up to a label."""
    noise = 1e-20 * np.array([[1.0, -1.0], [-1.0, 1.0]])
    eigenvectors = np.vstack([[[1.0, 0.0]] * 2, [[0.0, 1.0]] * 2, noise])
    labels = discretize(eigenvectors, 0)[-1].labels
    assert labels[0] == labels[1] != labels[2] == labels[3] and labels[4] == labels[5]


@pytest.mark.parametrize("dense_nodes", [1000, 0])
def test_eigenvectors_agree_with_eigsh_of_the_generalized_problem(monkeypatch, dense_nodes):
    """``eigsh`` given L and D themselves, in shift-invert mode: another formulation, another factorization."""
    monkeypatch.setattr(module, "DENSE_NODES", dense_nodes)
    rng = np.random.default_rng(5)
    graph = affinity_matrix(rng.random((300, 3)) * 40, rng.random((300, 2)), Affinity(25.0, 0.3, 0.3, least=3e-4))
    degrees = diags(np.asarray(graph.sum(1)).ravel()).tocsc()
    expected, reference = eigsh((degrees - graph).tocsc(), 6, degrees, sigma=-1e-3, which="LM")
    values, vectors = leading_eigenvectors(graph, 6, rng)
    assert np.allclose(values, np.sort(expected), atol=1e-8)
    overlap = vectors.T @ degrees @ reference[:, np.argsort(expected)]
    assert np.allclose(np.abs(np.diag(overlap)), 1, atol=1e-5)


@pytest.mark.parametrize("dense_nodes", [1000, 0])
def test_graphs_that_fell_apart_are_solved_too(monkeypatch, dense_nodes):
    monkeypatch.setattr(module, "DENSE_NODES", dense_nodes)
    graph = csr_matrix(block_diag([np.ones((n, n)) for n in (1, 2, 40, 30, 27)]))
    values, vectors = leading_eigenvectors(graph, 7, np.random.default_rng(0))
    assert (
        np.isfinite(vectors).all() and np.allclose(values[:5], 0, atol=1e-9) and np.allclose(values[5:], 1, atol=1e-6)
    )
    assert largest_residual(graph, values, vectors) < 1e-5
    cut = normalized_cut(graph, 5, np.random.default_rng(0))
    assert ncut_value(graph, cut.labels) == pytest.approx(0, abs=1e-9) and len(np.unique(cut.labels)) == 5


def test_eigengap_is_the_largest_leap_in_proportion():
    assert eigengap(np.array([0, 0.05, 0.06, 0.3, 0.7])) == 3  # 0.7 − 0.3 is the larger difference
    assert eigengap(np.array([0, 1e-9, 1e-5, 0.2, 0.3])) == 3
    assert eigengap(np.array([0, 0.5, 0.9])) == 2


def test_a_graph_that_almost_fell_apart_is_solved_as_far_as_it_can_be(monkeypatch):
    """A ring of very many weakly linked groups has eigenvalues too alike for Lanczos: a block method goes on from there."""
    monkeypatch.setattr(module, "DENSE_NODES", 0)
    groups, size = 300, 5
    inside = block_diag([np.ones((size, size))] * groups).tolil()
    for k in range(groups):
        one, two = k * size, (k + 1) % groups * size
        inside[one, two] = inside[two, one] = 1e-7
    graph, products = csr_matrix(inside), []
    values, vectors = leading_eigenvectors(graph, 21, np.random.default_rng(0), lambda: products.append(1))
    assert len(products) < 6000 and (np.abs(values) < 0.01).all() and largest_residual(graph, values, vectors) < 0.01
    cut = normalized_cut(graph, 8, np.random.default_rng(0), solved=(values, vectors))
    assert cut.eigenvectors.shape == (groups * size, 8) and ncut_value(graph, cut.labels) < 0.5
