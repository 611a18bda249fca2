"""Spectral clustering from the inside: every number against a direct computation."""

import numpy as np
import pytest
import scipy.linalg
from scipy.sparse import block_diag, csr_matrix
from skimage import data

from segdemo import Engine
from segdemo.clustering.ncut import leading_eigenvectors, ncut_value
from segdemo.errors import Cancelled, ParameterError
from segdemo.image import fit
from segdemo.lessons.spectrum import (
    SMALLEST_PART,
    Part,
    eigengap,
    recursive_cuts,
    spectrum,
    sweep,
)
from segdemo.method import Run

PHOTO = fit(data.coffee(), 120)


@pytest.fixture(scope="module")
def lesson():
    return spectrum(PHOTO, Run(), superpixels=80)


def random_affinity(count, seed=0):
    weights = np.random.default_rng(seed).random((count, count)) ** 4
    weights = (weights + weights.T) / 2
    np.fill_diagonal(weights, 1)
    return csr_matrix(weights)


def groups(sizes, link=0.001):
    """Groups of nodes, all alike within, faintly linked in a chain."""
    weights = block_diag([np.full((n, n), 0.8) for n in sizes]).toarray()
    np.fill_diagonal(weights, 1)
    for at in np.cumsum(sizes)[:-1]:
        weights[at - 1, at] = weights[at, at - 1] = link
    return csr_matrix(weights)


def test_spectrum_solves_the_generalized_problem(lesson):
    weights = lesson.affinity.toarray()
    degrees = np.diag(weights.sum(1))
    expected = scipy.linalg.eigh(degrees - weights, degrees, eigvals_only=True)[:20]
    np.testing.assert_allclose(lesson.eigenvalues, expected, atol=1e-9)
    residual = (degrees - weights) @ lesson.eigenvectors - degrees @ lesson.eigenvectors * lesson.eigenvalues
    assert np.abs(residual).max() < 1e-9
    assert lesson.superpixels.shape == PHOTO.shape[:2] and lesson.superpixels.max() + 1 == len(weights)


def test_segments_come_largest_first_with_their_cut(lesson):
    weights = lesson.affinity.toarray()
    assert list(lesson.segmented) == list(range(2, 13))
    for segments, found in lesson.segmented.items():
        sizes = np.bincount(found.labels)
        assert len(sizes) == segments and (np.diff(sizes) <= 0).all()
        apart = found.labels[:, None] != found.labels[None]
        assert found.outside == pytest.approx(weights[apart].sum() / weights.sum())
        assert found.ncut == pytest.approx(ncut_value(lesson.affinity, found.labels))


@pytest.mark.parametrize("seed", range(3))
def test_sweep_finds_the_cut_of_every_threshold(seed):
    affinity = random_affinity(25, seed)
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
    found = sweep(random_affinity(6), np.zeros(6))
    assert found.split(0).sum() == 3 and len(found.ncuts) == 1


@pytest.mark.parametrize("sizes", [(6, 7), (5, 6, 7), (6, 6, 7, 8, 9)])
def test_the_eigengap_counts_groups(sizes):
    affinity = groups(sizes)
    values, _ = leading_eigenvectors(affinity, 10, np.random.default_rng(0))
    assert eigengap(values) == len(sizes)
    tree = recursive_cuts(affinity, np.ones(sum(sizes), int), limit=0.1)
    leaves = sorted(map(sorted, (leaf.nodes.tolist() for leaf in tree.leaves())))
    ends = np.cumsum(sizes)
    assert leaves == [list(range(end - size, end)) for size, end in zip(sizes, ends)]


def walk(part):
    yield part
    for half in part.parts:
        yield from walk(half)


def test_the_tree_cuts_each_part_within_itself(lesson):
    sizes = np.bincount(lesson.superpixels.ravel())
    seen = 0
    for part in walk(lesson.tree):
        assert part.pixels == sizes[part.nodes].sum()
        if not part.parts:
            assert part.ncut is None or part.ncut > 0.5
            assert (part.ncut is None) == (len(part.nodes) < 2 * SMALLEST_PART)
            continue
        seen += 1
        first, second = (half.nodes for half in part.parts)
        assert sorted([*first, *second]) == sorted(part.nodes)
        within = lesson.affinity[part.nodes][:, part.nodes]
        assert part.ncut == pytest.approx(ncut_value(within, np.isin(part.nodes, second).astype(int)))
        # No threshold on the second eigenvector, found densely here, is better.
        weights = within.toarray()
        degrees = np.diag(weights.sum(1))
        vector = scipy.linalg.eigh(degrees - weights, degrees)[1][:, 1]
        cuts = [ncut_value(within, (vector > t).astype(int)) for t in np.sort(vector)[:-1]]
        assert part.ncut == pytest.approx(min(cuts), abs=1e-6)
    assert seen > 1


def test_a_limit_prunes_the_tree():
    low, high = (Part(np.arange(3), 3, 0.4), Part(np.arange(3, 9), 6, 0.05, (Part(np.arange(2), 2, None),) * 2))
    tree = Part(np.arange(9), 9, 0.1, (low, high))
    assert tree.leaves(0.09) == [tree]
    assert tree.leaves(0.1) == [low, *high.parts]
    assert tree.leaves(0.1) == tree.leaves()


def test_mistakes_and_odd_photos():
    engine = Engine("cpu")
    with pytest.raises(ParameterError, match="larger photo"):
        engine.teach(spectrum, np.zeros((1, 3, 3), np.uint8))
    with pytest.raises(ParameterError, match="sigma"):
        engine.teach(spectrum, PHOTO, sigma_colour=0)
    with pytest.raises(ParameterError, match="lower"):
        engine.teach(spectrum, fit(data.coffee(), 300), superpixels=1200)
    with pytest.raises(Cancelled):
        engine.teach(spectrum, PHOTO, is_cancelled=lambda: True)
    flat = engine.teach(spectrum, np.full((40, 50, 3), 90, np.uint8), superpixels=60)
    assert np.isfinite(flat.eigenvalues).all() and np.isfinite(flat.sweep.ncuts).all()
