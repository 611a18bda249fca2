"""The lessons on dense CRFs: kernels and energies against brute force over all pairs, the film against the method."""

import numpy as np
import pytest
import torch
from skimage import data

from segdemo import Engine, methods
from segdemo.crf.dense import CLIP, DenseCRF
from segdemo.crf.refine import RefinementParams, photo_crf
from segdemo.errors import ParameterError
from segdemo.image import fit
from segdemo.lessons.beliefs import clipped, network_probabilities
from segdemo.lessons.crf_terms import VARIANTS, crf_terms, gibbs_energy
from segdemo.lessons.mean_field import MOST_CLASSES, leading_classes, mean_field_film
from segdemo.lessons.pairwise import GRID, exact_kernels, pairwise, telling_pixel

NETWORK = "fcn-8s"
needs_network = pytest.mark.skipif(bool(methods()[NETWORK].unavailable()), reason="no trained network here")
PHOTO = fit(data.chelsea(), 40)
SIGMAS = 2.0, 9.0, 14.0


@pytest.fixture(scope="module")
def engine():
    return Engine("cpu")


def all_kernels(image, sigmas=SIGMAS):
    """The two kernels (N, N) as the CRF normalizes them, from ``exact_kernels`` of every pixel."""
    normalized = []
    for kernel in zip(*(exact_kernels(image, at, *sigmas) for at in np.ndindex(image.shape[:2]))):
        full = np.stack([row.ravel() for row in kernel])
        np.testing.assert_allclose(full, full.T)
        scale = full.sum(1) ** -0.5
        normalized.append(scale[:, None] * full * scale)
    return normalized


def test_exact_kernels_by_the_formula():
    image = np.array([[[0, 0, 0], [10, 0, 0], [10, 0, 20]]], np.uint8)
    spatial, bilateral = exact_kernels(image, (0, 0), 2.0, 5.0, 10.0)
    np.testing.assert_allclose(spatial, np.exp([[0, -1 / 8, -4 / 8]]))
    np.testing.assert_allclose(bilateral, np.exp([[0, -1 / 50 - 100 / 200, -4 / 50 - 500 / 200]]))


def test_the_lattice_filters_nearly_with_the_exact_kernels():
    """Measured relative error (L2) of the normalized kernels on the photo's colours: 1.0 % spatial, 3.5 % bilateral."""
    crf = DenseCRF(PHOTO, *SIGMAS)
    maps = torch.from_numpy(PHOTO.reshape(-1, 3) / 255.0).float()
    for lattice, exact, limit in zip((crf.spatial, crf.bilateral), all_kernels(PHOTO), (0.02, 0.08)):
        approximate, true = lattice.filter(maps).numpy(), exact @ maps.numpy()
        assert np.linalg.norm(approximate - true) < limit * np.linalg.norm(true)


def test_gibbs_energy_against_all_pairs():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(3), PHOTO.shape[:2]).transpose(2, 0, 1).astype(np.float32)
    labels = (np.indices(PHOTO.shape[:2])[1] > 17).astype(int) + (PHOTO[..., 0] > 150)
    crf, weights = DenseCRF(PHOTO, *SIGMAS), (3.0, 5.0)
    found = gibbs_energy(crf, labels, p, weights)
    flat = labels.ravel()
    assert found.unary == pytest.approx(-np.log(np.take_along_axis(p, labels[None], 0)).mean(), rel=1e-4)
    unequal = flat[:, None] != flat
    for value, weight, kernel in zip((found.spatial, found.bilateral), weights, all_kernels(PHOTO)):
        assert value == pytest.approx(weight * (kernel * unequal).sum() / 2 / len(flat), rel=0.1)
    assert found.total == pytest.approx(found.unary + found.spatial + found.bilateral)
    same = gibbs_energy(crf, np.zeros_like(labels), p, weights)
    assert same.spatial == pytest.approx(0, abs=1e-4) and same.bilateral == pytest.approx(0, abs=1e-4)


def test_telling_pixel_is_one_that_turns():
    """A dark square of which the network misses a strip: the CRF gives it back, and the lesson begins there."""
    image = np.full((40, 60, 3), 200, np.uint8)
    image[10:30, 20:40] = 40
    belief = np.zeros((40, 60))
    belief[10:30, 20:36] = 1
    p = np.stack([0.9 - 0.8 * belief, 0.1 + 0.8 * belief]).astype(np.float32)
    p[:, 10:30, 36:40] = np.array([0.55, 0.45])[:, None, None]
    row, column = telling_pixel(image, p, 1.0)
    assert 10 <= row < 30 and 36 <= column < 40
    certain = np.stack([np.full((40, 60), 0.98), np.full((40, 60), 0.02)]).astype(np.float32)
    certain[:, 21, 33] = 0.7, 0.3
    assert telling_pixel(np.full((40, 60, 3), 9, np.uint8), certain, 1.0) == (21, 33)
    assert telling_pixel(np.zeros((1, 1, 3), np.uint8), np.ones((1, 1, 1), np.float32), 1.0) == (0, 0)


def test_leading_classes_and_clipping():
    first, second = np.zeros((50, 50), int), np.zeros((50, 50), int)
    first[:2], second[10:] = 7, 9
    beliefs = np.full((12, 50, 50), 0.01, np.float32)
    beliefs[3, 0, 0], beliefs[4, 0, :2] = 0.3, 0.3
    assert leading_classes([first, second], beliefs) == [0, 9, 7, 4, 3]
    assert len(leading_classes([np.arange(12)], beliefs)) == MOST_CLASSES
    p = clipped(np.array([[[1.0]], [[0.0]]]))
    np.testing.assert_allclose(p[:, 0, 0], [1 - CLIP, CLIP], rtol=1e-4)


@needs_network
def test_pairwise_on_a_photo(engine):
    lesson = engine.teach(pairwise, data.chelsea(), working_size=300, network=NETWORK)
    assert lesson.image.shape == (107, GRID, 3) and lesson.scale == pytest.approx(GRID / 300)
    assert lesson.beliefs.shape == (21, 107, GRID)
    np.testing.assert_allclose(lesson.beliefs.sum(0), 1, atol=1e-5)
    np.testing.assert_array_equal(lesson.labels, lesson.beliefs.argmax(0))


@needs_network
def test_four_results_each_with_its_terms(engine):
    weights = dict(crf_iterations=4, crf_spatial_weight=3.0, crf_spatial_sigma=3.0, crf_bilateral_sigma_rgb=10.0)
    found = engine.teach(crf_terms, data.chelsea(), working_size=160, network=NETWORK, **weights)
    assert [r.title for r in found] == [title for title, *_ in VARIANTS]
    unary, spatial, bilateral, both = found
    assert unary.changed == 0 and min(r.energy.unary for r in found) == unary.energy.unary
    assert spatial.energy.spatial < unary.energy.spatial and bilateral.energy.bilateral < unary.energy.bilateral
    assert both.free_energy == min(r.free_energy for r in found)
    refined = engine.run(NETWORK, data.chelsea(), working_size=160, crf=True, **weights)
    np.testing.assert_allclose(both.beliefs, refined.working_scores, atol=1e-4)
    with pytest.raises(ParameterError, match="crf_iterations"):
        engine.teach(crf_terms, data.chelsea(), network=NETWORK, crf_iterations=0)


@needs_network
def test_film_is_the_methods_own_mean_field(engine):
    film = engine.teach(mean_field_film, data.chelsea(), working_size=160, network=NETWORK, crf_iterations=3)
    refined = engine.run(NETWORK, data.chelsea(), working_size=160, crf=True, crf_iterations=3)
    assert "cat" in film.names and 1 < len(film.classes) <= MOST_CLASSES
    assert film.beliefs.shape == (4, len(film.classes), *film.image.shape[:2])
    np.testing.assert_allclose(film.beliefs[-1], refined.working_scores[film.classes], atol=1e-4)
    np.testing.assert_allclose(film.free_energy, refined.energy, rtol=1e-4)
    assert (np.diff(film.free_energy) < 0).all() and film.change[0] == film.turned[0] == 0
    assert film.change[1] > film.change[2] > film.change[3] > 0


@needs_network
@pytest.mark.parametrize("name", [NETWORK, "unet"])
def test_what_a_run_has_computed_is_not_computed_again(engine, monkeypatch, name):
    if methods()[name].unavailable():
        pytest.skip("no trained network here")
    engine.run(name, data.coffee(), working_size=96, crf=True)
    monkeypatch.setattr("segdemo.networks.inference.predict", None)
    monkeypatch.setattr("segdemo.crf.refine.DenseCRF", None)
    assert engine.teach(network_probabilities, data.coffee(), working_size=96, network=name).shape[0] == 21
    assert isinstance(engine.teach(photo_crf, data.coffee(), working_size=96, params=RefinementParams()), DenseCRF)
