from itertools import product

import numpy as np
import pytest
import scipy.linalg
import skimage.data
from scipy.sparse import block_diag, csr_matrix
from skimage.metrics import adapted_rand_error

from segdemo.clustering import ncut as module
from segdemo.clustering.ncut import (
    NcutParams,
    affinity_matrix,
    discretize,
    largest_residual,
    leading_eigenvectors,
    ncut,
    ncut_value,
    normalized_cut,
)
from segdemo.errors import Cancelled, ParameterError
from segdemo.method import Run


def random_graph(nodes, seed=0):
    weights = np.random.default_rng(seed).random((nodes, nodes))
    return csr_matrix(weights + weights.T)


def planted_graph(sizes, seed, between=0.15):
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    same = groups[:, None] == groups
    weights = np.triu(np.where(same, 0.6, 0.0) + rng.random(same.shape) * np.where(same, 0.4, between), 1)
    return csr_matrix(weights + weights.T), groups


def same_partition(first, second):
    return adapted_rand_error(first + 1, second + 1)[0] == 0


def ncut_by_definition(weights, labels):
    terms = []
    for k in np.unique(labels):
        inside = labels == k
        terms.append(weights[inside][:, ~inside].sum() / weights[inside].sum())
    return sum(terms)


def two_tone(height, width, split):
    image = np.full((height, width, 3), (40, 60, 160), np.uint8)
    image[:, split:] = (200, 170, 60)
    return image


def test_affinity_follows_the_formula():
    rng = np.random.default_rng(0)
    colours, positions = rng.random((30, 3)) * 20, rng.random((30, 2)) * 6
    found = affinity_matrix(colours, positions, 9.0, 2.0, 3.0).toarray()
    for i, j in product(range(30), repeat=2):
        distance = np.linalg.norm(positions[i] - positions[j])
        expected = np.exp(-(np.linalg.norm(colours[i] - colours[j]) ** 2) / 81 - distance**2 / 4)
        assert found[i, j] == pytest.approx(expected if distance <= 3 else 0)


@pytest.mark.parametrize("dense_nodes", [1000, 0])
def test_eigenvectors_solve_the_generalized_problem(monkeypatch, dense_nodes):
    monkeypatch.setattr(module, "DENSE_NODES", dense_nodes)
    rng = np.random.default_rng(1)
    graph = affinity_matrix(rng.random((200, 3)) * 40, rng.random((200, 2)) * 14, 25.0, 3.0, 4.0)
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


@pytest.mark.parametrize("graph", ["superpixels", "pixels"])
@pytest.mark.parametrize("size", [(40, 60), (150, 200)])
def test_two_tones_are_cut_at_their_edge(graph, size):
    split = size[1] // 3 + 1
    result = ncut(two_tone(*size, split), NcutParams(segments=2, graph=graph), Run())
    expected = (np.arange(size[1]) < split).astype(int)[None].repeat(size[0], 0)
    assert np.array_equal(result.labels, expected)  # the right part is the larger one: label 0
    assert result.facts["Ncut"] < 1e-6


@pytest.mark.parametrize("graph", ["superpixels", "pixels"])
def test_photo(graph):
    image = skimage.data.astronaut()[::3, ::3].copy()
    run = Run()
    result = ncut(image, NcutParams(graph=graph, superpixels=150), run)
    assert result.labels.shape == image.shape[:2]
    assert np.all(np.diff(result.shares) <= 0) and result.shares[-1] > 0
    assert len(run.frames) == len(run.energy) <= 30
    assert np.all(np.diff(run.energy) <= 1e-9)
    assert np.array_equal(run.frames[-1].labels, result.labels)
    assert result.facts["largest residual ‖L f − λ D f‖ / ‖D f‖"] < 1e-5
    again = ncut(image, NcutParams(graph=graph, superpixels=150), Run())
    assert np.array_equal(again.labels, result.labels)


@pytest.mark.parametrize("shape", [(2, 2), (2, 120), (120, 2), (3, 5), (50, 50)])
@pytest.mark.parametrize("kind", ["constant", "noise"])
@pytest.mark.parametrize("graph", ["superpixels", "pixels"])
def test_any_size(shape, kind, graph):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    image = noise if kind == "noise" else np.full_like(noise, 128)
    result = ncut(image, NcutParams(graph=graph), Run())
    assert result.labels.shape == shape
    assert 0 <= result.labels.min() and result.labels.max() < len(result.names) == len(result.palette)
    if shape == (2, 2):
        assert "from 6 to 4" in result.notices[0]
        assert sorted(result.labels.ravel()) == [0, 1, 2, 3]


def test_superpixels_are_computed_once_per_photo():
    kept = {}

    def cache(key, build):
        if key not in kept:
            kept[key] = build()
        return kept[key]

    image = skimage.data.coffee()[::4, ::4].copy()
    first = ncut(image, NcutParams(segments=3), Run(cache_get=cache))
    assert list(kept) == [("superpixels", 400)]
    second = ncut(image, NcutParams(segments=5), Run(cache_get=cache))
    assert first.facts["nodes"] == second.facts["nodes"] == kept["superpixels", 400].max() + 1


def test_can_be_cancelled():
    with pytest.raises(Cancelled):
        ncut(two_tone(20, 20, 9), NcutParams(), Run(is_cancelled=lambda: True))


def test_rounding_noise_splits_no_group():
    """Three unconnected groups and K = 2: what no eigenvector speaks of is noise, and must not be blown up to a label."""
    noise = 1e-20 * np.array([[1.0, -1.0], [-1.0, 1.0]])
    eigenvectors = np.vstack([[[1.0, 0.0]] * 2, [[0.0, 1.0]] * 2, noise])
    labels = discretize(eigenvectors, 0)[-1].labels
    assert labels[0] == labels[1] != labels[2] == labels[3] and labels[4] == labels[5]
