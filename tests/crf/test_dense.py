"""The dense CRF against Krahenbuhl's code, against brute force, and at its limits."""

import tracemalloc

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist
from skimage import data, transform

from segdemo.crf import DenseCRF, dense_crf, meanfield, probabilities_from_labels
from segdemo.errors import ParameterError


def photo(name, scale=1.0):
    image = getattr(data, name)()[..., :3]
    if scale != 1:
        size = round(image.shape[0] * scale), round(image.shape[1] * scale)
        image = (transform.resize(image, size, anti_aliasing=True) * 255).round().astype(np.uint8)
    return np.ascontiguousarray(image)


def softmax(scores):
    e = np.exp(scores - scores.max(0))
    return (e / e.sum(0)).astype(np.float32)


def blobs(size, labels, seed=0, width=10, contrast=2.0):
    """Smooth random probabilities, as a network's output at low resolution would be."""
    rng = np.random.default_rng(seed)
    scores = np.stack([gaussian_filter(rng.standard_normal(size), width, mode="wrap") for _ in range(labels)])
    return softmax(contrast * scores / scores.std())


def colours(image, labels, seed=0):
    """Probabilities from the distance to the colours of a few random pixels."""
    rng = np.random.default_rng(seed)
    smooth = gaussian_filter(image.astype(np.float64), (2, 2, 0))
    centres = smooth.reshape(-1, 3)[rng.integers(0, image.shape[0] * image.shape[1], labels)]
    return softmax(-((smooth - centres[:, None, None]) ** 2).sum(-1) / (2 * 40.0**2))


def exact_kernels(image, sigmas):
    """The two normalized kernels as full N x N matrices."""
    height, width, _ = image.shape
    y, x = np.mgrid[:height, :width]
    positions = np.stack([x.ravel(), y.ravel()], 1).astype(np.float64)
    bilateral = np.concatenate([positions / sigmas[1], image.reshape(-1, 3) / sigmas[2]], 1)
    for features in (positions / sigmas[0], bilateral):
        kernel = np.exp(-0.5 * cdist(features, features, "sqeuclidean"))
        scale = kernel.sum(1) ** -0.5
        yield scale[:, None] * kernel * scale


def brute_force(kernels, p, iterations, weights, compatibility=None, damping=0.0):
    """Mean field with the kernels as full N x N matrices, by the paper's formula."""
    total = sum(weight * kernel for weight, kernel in zip(weights, kernels, strict=True))
    size, p = p.shape, p.reshape(len(p), -1).astype(np.float64).clip(1e-5)
    mu = 1 - np.eye(len(p)) if compatibility is None else compatibility
    q = p / p.sum(0)
    for _ in range(iterations):
        scores = np.log(p) - mu @ (q @ total.T)
        e = np.exp(scores - scores.max(0))
        q = (1 - damping) * e / e.sum(0) + damping * q
    return q.reshape(size)


def prices(labels, seed=0):
    """A random symmetric compatibility with a zero diagonal."""
    mu = np.random.default_rng(seed).uniform(0.2, 1, (labels, labels))
    return (mu + mu.T) / 2 * (1 - np.eye(labels))


def peer(image, p, iterations=5, compatibilities=(3, 10), sigmas=(3, 80, 13)):
    densecrf = pytest.importorskip("pydensecrf.densecrf")
    crf = densecrf.DenseCRF2D(image.shape[1], image.shape[0], len(p))
    crf.setUnaryEnergy(np.ascontiguousarray(-np.log(p.clip(1e-5, 1)).reshape(len(p), -1)))
    crf.addPairwiseGaussian(sxy=sigmas[0], compat=compatibilities[0])
    crf.addPairwiseBilateral(sxy=sigmas[1], srgb=sigmas[2], rgbim=image, compat=compatibilities[1])
    return np.array(crf.inference(iterations)).reshape(p.shape)


def crop(number):
    """One of 20 photos: four from scikit-image, and crops of them, 100 to 220 pixels wide."""
    image = photo(("astronaut", "chelsea", "coffee", "rocket")[number % 4], 0.5)
    if number < 4:
        return image
    rng = np.random.default_rng(number)
    height, width = rng.integers(100, 140), rng.integers(100, 220)
    top, left = rng.integers(0, image.shape[0] - height + 1), rng.integers(0, image.shape[1] - width + 1)
    return np.ascontiguousarray(image[top : top + height, left : left + width])


@pytest.mark.parametrize("number", range(20))
def test_agrees_with_the_authors_code(number):
    image, labels = crop(number), (2, 5, 21, 13, 8)[number // 4]
    kinds = blobs(image.shape[:2], labels, seed=number), colours(image, labels, seed=number)
    p = kinds[number % 3 > 0]
    expected, result = peer(image, p), dense_crf(image, p)
    assert np.mean(result.argmax(0) == expected.argmax(0)) >= 0.998
    assert np.abs(result - expected).mean() < 1e-3
    assert np.mean(result.argmax(0) != p.argmax(0)) > 0.005  # there was something to do


@pytest.mark.parametrize("form", ["matrix", "diagonal", "potts"])
def test_compatibilities_agree_with_the_authors_code(form):
    image = photo("coffee", 0.4)
    p = blobs(image.shape[:2], 6)
    rewards = np.random.default_rng(0).uniform(0.5, 1.5, 6)
    ours = {"matrix": prices(6), "diagonal": -np.diag(rewards), "potts": 1 - np.eye(6)}[form]
    theirs = -rewards if form == "diagonal" else ours
    scaled = [np.ascontiguousarray(w * theirs, np.float32) for w in (3, 10)]
    expected, result = peer(image, p, compatibilities=scaled), dense_crf(image, p, compatibility=ours)
    assert np.mean(result.argmax(0) == expected.argmax(0)) >= 0.998
    assert np.abs(result - expected).mean() < 1e-3
    if form == "potts":
        assert np.abs(result - dense_crf(image, p)).mean() < 1e-5
    else:
        assert np.mean(result.argmax(0) != dense_crf(image, p).argmax(0)) > 0.005


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("options", [{}, {"damping": 0.4}, {"compatibility": prices(4)},
                                     {"compatibility": prices(4), "damping": 0.6}])  # fmt: skip
def test_is_mean_field_with_the_lattices_weights(options, compiled):
    """To rounding: the only error is the lattice's."""
    image = photo("astronaut", 0.08)
    p = blobs(image.shape[:2], 4, width=3)
    crf = DenseCRF(image, compiled=compiled)
    kernels = [kernel.filter(torch.eye(image.shape[0] * image.shape[1])).double().numpy() for kernel in crf._kernels]
    exact = brute_force(kernels, p, 5, (3, 10), **options)
    assert np.abs(crf.infer(p, **options).numpy() - exact).max() < 1e-3


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("options", [{}, {"damping": 0.4}, {"compatibility": 2 * prices(12) - 0.5}])
def test_energies_on_the_way_are_those_of_the_definition(options, compiled):
    image = photo("coffee", 0.2)
    p = with_negligible_labels(image.shape[:2], 4, 12, 1e-4)
    crf = DenseCRF(image, compiled=compiled)
    compatibility = {key: value for key, value in options.items() if key == "compatibility"}
    for beliefs, energy in crf.descend(p, 4, **options):
        assert energy() == pytest.approx(crf.free_energy(beliefs(), p, **compatibility), abs=2e-4)


def test_damping_calms_beliefs_that_swing_to_and_fro():
    """Two labels that avoid each other's company: undamped, all pixels change their minds at every update."""
    image, avoid = np.full((20, 20, 3), 90, np.uint8), np.eye(2)
    p = np.stack([np.full((20, 20), 0.6), np.full((20, 20), 0.4)]).astype(np.float32)
    energies = {}
    for damping in (0.0, 0.7):
        steps = DenseCRF(image).descend(p, 12, compatibility=avoid, damping=damping)
        energies[damping] = [energy() for _, energy in steps]
    assert energies[0.7][-1] < energies[0.0][-1] - 1
    assert abs(energies[0.7][-1] - energies[0.7][-2]) < 0.05


@pytest.mark.parametrize("unsure", [None, 255])
def test_labels_as_unary_terms_agree_with_the_authors_code(unsure):
    utils = pytest.importorskip("pydensecrf.utils")
    labels = np.random.default_rng(0).integers(0, 5, (20, 30)).astype(np.uint8)
    if unsure is not None:
        labels[:7] = unsure
    p = probabilities_from_labels(labels, 5, 0.6, unsure)
    numbers = np.where(labels == 255, 0, labels.astype(np.int64) + 1) if unsure else labels
    expected = utils.unary_from_labels(numbers, 5, 0.6, zero_unsure=unsure is not None)
    np.testing.assert_allclose(-np.log(p.reshape(5, -1)), expected, rtol=1e-5)
    assert p.dtype == np.float32 and np.allclose(p.sum(0), 1)


def test_labels_spread_into_what_is_unsure():
    """Two strokes label a disc and its surroundings."""
    y, x = np.mgrid[:60, :60]
    disc = (y - 30) ** 2 + (x - 30) ** 2 < 300
    image = np.where(disc[..., None], 200, 60).repeat(3, 2).astype(np.uint8)
    labels = np.full((60, 60), -1)
    labels[28:32, 25:35], labels[2:6] = 1, 0
    q = dense_crf(image, probabilities_from_labels(labels, 2, 0.9, unsure=-1), 10)
    assert np.array_equal(q.argmax(0), disc)


@pytest.mark.parametrize("labels, options", [
    (np.full((4, 4), 3), {}), (np.full((4, 4), -1), {}), (np.zeros((4, 4)), {}), (np.zeros(4, int), {}),
    (np.zeros((4, 4), int), {"confidence": 1.0}), (np.full((4, 4), 7), {"unsure": 255}),
])  # fmt: skip
def test_labels_must_be_in_range(labels, options):
    with pytest.raises(ParameterError):
        probabilities_from_labels(labels, 3, **options)


@pytest.mark.parametrize("name", ["astronaut", "coffee"])
@pytest.mark.parametrize("sigmas, weights", [((3, 80, 13), (3, 10)), ((2, 20, 30), (2, 5)), ((5, 40, 60), (4, 6))])
def test_close_to_brute_force(name, sigmas, weights):
    """The lattice's filtering error moves beliefs by 0.002 to 0.012 on average, and at most 2.2 % of these labels."""
    image = photo(name, 0.08)
    p = blobs(image.shape[:2], 4, width=3)
    exact = brute_force(exact_kernels(image, sigmas), p, 5, weights)
    result = DenseCRF(image, *sigmas).infer(p, 5, *weights).numpy()
    assert np.abs(result - exact).mean() < 0.02
    assert np.mean(result.argmax(0) == exact.argmax(0)) > 0.96


@pytest.mark.parametrize("labels", [2, 7, 21])
def test_compiled_and_plain_paths_agree(labels):
    image = photo("coffee", 0.3)
    p = blobs(image.shape[:2], labels)
    compiled = DenseCRF(image, compiled=True)
    plain = DenseCRF(image, compiled=False)
    for a, b in zip(compiled.mean_field(p, 4), plain.mean_field(p, 4), strict=True):
        assert (a - b).abs().max() < 2e-3
        assert (a - b).abs().mean() < 1e-5
    assert compiled.free_energy(a, p) == pytest.approx(plain.free_energy(a, p), rel=1e-4)


def test_beliefs_are_distributions_and_free_energy_falls():
    image = photo("chelsea", 0.5)
    p = colours(image, 6)
    crf = DenseCRF(image)
    energies = []
    for q in crf.mean_field(p, 6):
        assert q.shape == p.shape
        assert torch.allclose(q.sum(0), torch.ones(p.shape[1:]), atol=1e-5)
        assert q.min() >= 0
        energies.append(crf.free_energy(q, p))
    assert len(energies) == 7
    assert np.all(np.diff(energies) < 1e-4)
    assert energies[0] - energies[-1] > 0.1


def test_free_energy_against_its_definition():
    image = photo("astronaut", 0.04)
    p = blobs(image.shape[:2], 3, width=2)
    crf = DenseCRF(image)
    q = crf.infer(p, 2)
    flat = q.reshape(3, -1).double()
    n = flat.shape[1]
    energy = (flat * (flat / torch.as_tensor(p).reshape(3, -1)).log()).sum()
    for weight, kernel in ((3.0, crf.spatial), (10.0, crf.bilateral)):
        matrix = kernel.filter(torch.eye(n)).double()
        energy = energy + 0.5 * weight * (matrix * (1 - flat.T @ flat)).sum()
    assert crf.free_energy(q, p) == pytest.approx(float(energy) / n, rel=1e-3)


def with_negligible_labels(size, alive, count, rest):
    p = np.full((count, *size), rest, np.float32)
    p[:alive] = blobs(size, alive) * (1 - rest * (count - alive))
    return p


def without_shortcuts(monkeypatch, crf, p, **options):
    """Q with all labels filtered, however small their beliefs."""
    with monkeypatch.context() as patch:
        patch.setattr(meanfield, "INAUDIBLE", 0.0)
        assert crf.start(p, **options).labels.heard == len(p)
        return crf.infer(p, **options)


@pytest.mark.parametrize("compiled", [True, False])
def test_labels_that_cannot_win_are_not_filtered_and_nothing_changes(monkeypatch, compiled):
    image = photo("rocket", 0.4)
    p = with_negligible_labels(image.shape[:2], 3, 21, 5e-4)
    crf = DenseCRF(image, compiled=compiled)
    assert crf.start(p).labels.heard == 3
    fast, full = crf.infer(p), without_shortcuts(monkeypatch, crf, p)
    assert (fast - full).abs().max() < 1e-2
    assert (fast - full).abs().mean() < 1e-4
    assert torch.equal(fast.argmax(0), full.argmax(0))
    assert torch.allclose(fast.sum(0), torch.ones(image.shape[:2]), atol=1e-5)
    for q in (fast, full):  # the stated bound holds, filtered or not
        assert q[3:].max() < np.exp(meanfield.INAUDIBLE) * p[3:].max()


def test_neglected_messages_stay_below_the_stated_bound(monkeypatch):
    """Labels just below the limit, with all messages computed: beliefs and messages keep the promise."""
    image = photo("coffee", 0.2)
    crf, eps = DenseCRF(image), meanfield.INAUDIBLE
    limit = np.exp(-eps) * eps / crf._gain((3.0, 10.0))
    p = with_negligible_labels(image.shape[:2], 2, 4, 0.98 * limit)
    assert crf.start(p).labels.heard == 2
    for weak in (2, 3):
        messages = sum(w * k.filter(torch.as_tensor(p[weak]).reshape(-1, 1)) for w, k in zip((3, 10), crf._kernels))
        assert messages.max() < eps
    monkeypatch.setattr(meanfield, "INAUDIBLE", 0.0)
    for q in crf.mean_field(p, 4):
        assert q[2:].max() <= limit * np.exp(eps)


def test_labels_that_have_lost_are_no_longer_filtered(monkeypatch):
    """12 of 20 labels are plausible somewhere but win nowhere: after one update 8 columns suffice."""
    image = photo("chelsea", 0.5)
    p = with_negligible_labels(image.shape[:2], 8, 20, 1e-5)
    p[8:, :4, :4] = 0.006
    p /= p.sum(0)
    crf = DenseCRF(image)
    state = crf.start(p)
    assert state.labels.heard == 20 and state._tables[0].shape[1] == 24
    for _ in range(2):
        state.update()
        assert state._tables[0].shape[1] == state._tables[1].shape[1] == 8
    fast, full = crf.infer(p), without_shortcuts(monkeypatch, crf, p)
    assert (fast - full).abs().mean() < 1e-5 and (fast - full).abs().max() < 1e-2


def test_a_label_that_comes_back_is_filtered_again():
    image = photo("coffee", 0.1)
    p = blobs(image.shape[:2], 20, width=3)
    state = DenseCRF(image).start(p)
    state.labels.quiet = 1.0  # pretend that everybody is inaudible, then that nobody is
    state.update()
    assert state._tables[0].shape[1] == 8
    state.labels.quiet = 0.0
    state.update()
    columns = state._own >= 0
    labels = state._own[columns]
    assert sorted(labels) == list(range(20))
    for kernel, table in zip(state.kernels, state._tables, strict=True):
        assert torch.allclose(table[:, columns], kernel.splat(state.beliefs()[labels].T), atol=1e-3)


def test_a_rare_but_possible_label_survives():
    """A small object that one label claims weakly is still filtered, and can win by its colour."""
    image = np.full((60, 60, 3), 40, np.uint8)
    image[20:40, 20:40] = 220
    p = np.zeros((12, 60, 60), np.float32)
    p[0], p[1] = 0.99, 0.01
    p[0, 20:40, 20:40], p[1, 20:40, 20:40] = 0.45, 0.55
    q = dense_crf(image, p)
    assert np.array_equal(q.argmax(0) == 1, image[..., 0] == 220)


def test_sharpens_a_blurred_mask_to_the_edge_of_the_photo():
    image = np.full((80, 100, 3), 60, np.uint8)
    truth = np.zeros((80, 100))
    truth[20:60, 30:70] = 1
    image[truth == 1] = 190
    noise = np.random.default_rng(0).normal(0, 0.05, truth.shape)
    belief = np.clip(gaussian_filter(np.roll(truth, (3, -4), (0, 1)), 5) + noise, 0.02, 0.98)
    p = np.stack([1 - belief, belief]).astype(np.float32)
    before, after = (p.argmax(0) == truth).mean(), (dense_crf(image, p).argmax(0) == truth).mean()
    assert before < 0.95
    assert after > 0.995


def test_zero_weights_give_the_unary_and_zero_iterations_too():
    image = photo("coffee", 0.1)
    p = blobs(image.shape[:2], 4)
    assert np.allclose(dense_crf(image, p, spatial_weight=0, bilateral_weight=0), p, atol=1e-4)
    assert np.allclose(dense_crf(image, p, iterations=0), p, atol=1e-4)


def test_one_label_is_certain():
    assert np.allclose(dense_crf(photo("coffee", 0.1), np.ones((1, 40, 60), np.float32)), 1)


@pytest.mark.parametrize("size", [(2, 2), (2, 300), (300, 2), (1, 1), (1, 50), (50, 1), (37, 53)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_constant_images_of_any_size(size, value):
    p = blobs(size, 3, width=2)
    q = dense_crf(np.full((*size, 3), value, np.uint8), p)
    assert q.shape == p.shape
    assert np.isfinite(q).all()
    assert np.allclose(q.sum(0), 1, atol=1e-5)


def test_one_pixel_hears_only_itself():
    """With both normalized kernels 1, Q = p exp(13 Q) / Z."""
    p = np.array([0.3, 0.5, 0.2])
    q = p
    for _ in range(5):
        q = p * np.exp(13 * q)
        q /= q.sum()
    result = dense_crf(np.zeros((1, 1, 3), np.uint8), p.reshape(3, 1, 1))
    np.testing.assert_allclose(result.ravel(), q, rtol=1e-3)


def test_constant_image_as_wide_as_the_kernels_becomes_uniform():
    """Everyone hears the mean of all: beliefs are pulled to the label that is likelier over all."""
    p = np.stack([np.full((8, 8), 0.2), np.full((8, 8), 0.8)]).astype(np.float32)
    p[:, 4, 4] = p[::-1, 4, 4]
    q = dense_crf(np.full((8, 8, 3), 7, np.uint8), p, spatial_sigma=100)
    assert (q.argmax(0) == 1).all()


def test_a_label_that_nobody_gives_any_probability_stays_out():
    image = photo("astronaut", 0.1)
    p = np.concatenate([blobs(image.shape[:2], 3), np.zeros((1, *image.shape[:2]), np.float32)])
    q = dense_crf(image, p)
    assert np.isfinite(q).all() and q[3].max() < 1e-4
    assert np.abs(q[:3] - dense_crf(image, p[:3])).max() < 1e-3


def test_certain_probabilities_and_huge_weights_stay_finite():
    image = photo("astronaut", 0.1)
    p = np.eye(5, dtype=np.float32)[np.random.default_rng(0).integers(0, 5, image.shape[:2])].transpose(2, 0, 1)
    for weights in ((3, 10), (1000, 1000)):
        q = dense_crf(image, p, 10, spatial_weight=weights[0], bilateral_weight=weights[1])
        assert np.isfinite(q).all()
        assert np.allclose(q.sum(0), 1, atol=1e-5)


def test_kind_in_kind_out():
    image = photo("astronaut", 0.08)
    p = blobs(image.shape[:2], 3)
    array = dense_crf(image, p)
    tensor = dense_crf(torch.as_tensor(image), torch.as_tensor(p))
    assert isinstance(array, np.ndarray) and array.dtype == np.float32
    assert isinstance(tensor, torch.Tensor) and np.array_equal(tensor.numpy(), array)
    assert dense_crf(image, p.astype(np.float64)).dtype == np.float64
    assert dense_crf(image, torch.as_tensor(p).half()).dtype == torch.float16
    certain = (p == p.max(0)).astype(np.uint8)
    assert dense_crf(image, certain).dtype == np.float32
    p.flags.writeable = image.flags.writeable = False
    assert np.array_equal(dense_crf(image[:, ::-1], p[..., ::-1]).shape, p.shape)
    assert np.array_equal(dense_crf(image, p), array)


def test_input_is_not_changed_and_runs_repeat():
    image = photo("chelsea", 0.3)
    p = blobs(image.shape[:2], 6)
    copies = image.copy(), p.copy()
    first = dense_crf(image, p)
    assert np.array_equal(image, copies[0]) and np.array_equal(p, copies[1])
    assert np.array_equal(first, dense_crf(image, p))
    crf = DenseCRF(image)
    crf.infer(blobs(image.shape[:2], 3, seed=1))  # another network on the same photo
    assert np.array_equal(crf.infer(p).numpy(), first)


@pytest.mark.parametrize("name", ["spatial_sigma", "bilateral_sigma_xy", "bilateral_sigma_rgb"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), 1e-9])
def test_widths_must_be_positive(name, value):
    with pytest.raises(ParameterError, match="width"):
        dense_crf(np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8), blobs((8, 8), 2), **{name: value})


@pytest.mark.parametrize("spoil", ["nan", "negative", "unnormalized", "infinite"])
def test_probabilities_must_be_probabilities(spoil):
    p = blobs((8, 8), 3)
    p = {"unnormalized": p * 3}.get(spoil, p)
    p[1, 2, 3] = {"nan": np.nan, "negative": -0.5, "infinite": np.inf}.get(spoil, p[1, 2, 3])
    with pytest.raises(ParameterError, match="sum to 1"):
        dense_crf(np.zeros((8, 8, 3), np.uint8), p)


@pytest.mark.parametrize("image, p", [
    (np.zeros((8, 9, 3), np.uint8), blobs((8, 8), 2)),
    (np.zeros((8, 8, 3), np.uint8), blobs((8, 8), 2)[0]),
    (np.zeros((8, 8, 3), np.uint8), np.zeros((0, 8, 8), np.float32)),
    (np.zeros((8, 8), np.uint8), blobs((8, 8), 2)),
    (np.zeros((8, 8, 4), np.uint8), blobs((8, 8), 2)),
    (np.zeros((8, 8, 3), np.float32), blobs((8, 8), 2)),
    (np.zeros((0, 8, 3), np.uint8), np.ones((1, 0, 8), np.float32)),
])  # fmt: skip
def test_shapes_must_fit(image, p):
    with pytest.raises(ParameterError, match="The CRF needs"):
        dense_crf(image, p)


@pytest.mark.parametrize("matrix", [np.eye(3), np.arange(4).reshape(2, 2), np.full((2, 2), np.nan), np.ones(2)])
def test_compatibility_must_fit(matrix):
    with pytest.raises(ParameterError, match="compatibility"):
        dense_crf(np.zeros((8, 8, 3), np.uint8), blobs((8, 8), 2), compatibility=matrix)


@pytest.mark.parametrize("bad", [{"spatial_weight": -1}, {"bilateral_weight": float("nan")}, {"iterations": -1},
                                 {"damping": 1.0}, {"damping": float("nan")}])  # fmt: skip
def test_weights_and_iterations_must_not_be_negative(bad):
    with pytest.raises(ParameterError):
        dense_crf(np.zeros((8, 8, 3), np.uint8), blobs((8, 8), 2), **bad)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_agrees_with_the_cpu_and_repeats():
    image = photo("coffee", 0.5)
    p = blobs(image.shape[:2], 21)
    crf = DenseCRF(image, device="cuda")
    first = crf.infer(p)
    assert first.device.type == "cuda"
    assert torch.equal(first, crf.infer(p))
    assert np.abs(first.cpu().numpy() - dense_crf(image, p)).mean() < 1e-4


def test_memory_is_linear_in_the_pixels_and_small():
    """At most 1 KB a pixel for 21 labels, the result included."""
    densities = []
    for scale in (0.5, 1.0):
        image = photo("coffee", scale)
        p = blobs(image.shape[:2], 21)
        dense_crf(image, p, iterations=1)
        tracemalloc.start()
        dense_crf(image, p)
        densities.append(tracemalloc.get_traced_memory()[1] / image[..., 0].size)
        tracemalloc.stop()
    assert max(densities) < 1024
    assert densities[1] < 1.1 * densities[0]
