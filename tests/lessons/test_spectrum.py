"""Spectral clustering from the inside: every number against a direct computation."""

import numpy as np
import pytest
import scipy.linalg
from skimage import data

from segdemo import Engine
from segdemo.clustering.spectral import eigengap, ncut_value
from segdemo.errors import Cancelled, ParameterError
from segdemo.image import fit
from segdemo.lessons.spectrum import MOST_PARTS, SMALLEST_PART, spectrum
from segdemo.method import Run

PHOTO = fit(data.coffee(), 120)


@pytest.fixture(scope="module")
def lesson():
    return spectrum(PHOTO, Run(), superpixels=80)


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


def test_the_suggested_number_is_one_that_the_lesson_shows():
    """Sixteen colours, sixteen groups; the lesson cuts into twelve at most."""
    levels = np.array([0, 80, 160, 240])
    colours = np.stack(np.meshgrid(levels, levels), axis=-1).reshape(16, 2)
    places = np.add.outer(4 * (np.arange(100) // 25), np.arange(100) // 25)
    image = np.concatenate([colours, 255 - colours[:, :1]], axis=1)[places].astype(np.uint8)
    found = spectrum(image, Run(), superpixels=100, sigma_colour=5.0)
    assert eigengap(found.eigenvalues) > max(found.segmented) == 12 and found.suggested in found.segmented


def walk(part):
    yield part
    for half in part.parts:
        yield from walk(half)


def test_the_tree_cuts_each_part_within_itself(lesson):
    seen, leaves = 0, lesson.tree.leaves()
    assert len(leaves) <= MOST_PARTS and sorted(np.concatenate([leaf.nodes for leaf in leaves])) == list(
        range(len(lesson.tree.nodes))
    )
    for part in walk(lesson.tree):
        if not part.parts:
            assert part.ncut is None or part.ncut > 0.5 or len(leaves) == MOST_PARTS
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
