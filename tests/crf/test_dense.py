"""The dense CRF against Krahenbuhl's code, against brute force, and at its limits."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist
from skimage import data, transform

from segdemo.crf import DenseCRF, dense_crf
from segdemo.crf import dense as module
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


def brute_force(image, p, iterations, weights, sigmas):
    """Mean field with the two kernels as full N x N matrices."""
    height, width, _ = image.shape
    y, x = np.mgrid[:height, :width]
    positions = np.stack([x.ravel(), y.ravel()], 1).astype(np.float64)
    bilateral = np.concatenate([positions / sigmas[1], image.reshape(-1, 3) / sigmas[2]], 1)
    total = 0
    for features, weight in ((positions / sigmas[0], weights[0]), (bilateral, weights[1])):
        kernel = np.exp(-0.5 * cdist(features, features, "sqeuclidean"))
        scale = kernel.sum(1) ** -0.5
        total = total + weight * scale[:, None] * kernel * scale
    p = p.reshape(len(p), -1).astype(np.float64).clip(1e-5)
    q = p / p.sum(0)
    for _ in range(iterations):
        scores = np.log(p) + q @ total
        e = np.exp(scores - scores.max(0))
        q = e / e.sum(0)
    return q.reshape(-1, height, width)


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
@pytest.mark.parametrize("labels, kind", [(2, "blobs"), (5, "colours"), (21, "blobs"), (21, "colours")])
def test_agrees_with_the_authors_code(name, labels, kind):
    densecrf = pytest.importorskip("pydensecrf.densecrf")
    image = photo(name, 0.5)
    height, width, _ = image.shape
    p = blobs((height, width), labels) if kind == "blobs" else colours(image, labels)
    theirs = densecrf.DenseCRF2D(width, height, labels)
    theirs.setUnaryEnergy(np.ascontiguousarray(-np.log(p.clip(1e-5, 1)).reshape(labels, -1)))
    theirs.addPairwiseGaussian(sxy=3, compat=3)
    theirs.addPairwiseBilateral(sxy=80, srgb=13, rgbim=image, compat=10)
    expected = np.array(theirs.inference(5)).reshape(p.shape)
    result = dense_crf(image, p)
    assert np.mean(result.argmax(0) == expected.argmax(0)) >= 0.999
    assert np.abs(result - expected).mean() < 1e-3
    assert np.mean(result.argmax(0) != p.argmax(0)) > 0.01  # there was something to do


@pytest.mark.parametrize("name", ["astronaut", "coffee"])
@pytest.mark.parametrize("sigmas, weights", [((3, 80, 13), (3, 10)), ((2, 20, 30), (2, 5)), ((5, 40, 60), (4, 6))])
def test_close_to_brute_force(name, sigmas, weights):
    """The lattice's filtering error moves beliefs by 0.002 to 0.012 on average, and at most 2.2 % of these labels."""
    image = photo(name, 0.08)
    p = blobs(image.shape[:2], 4, width=3)
    exact = brute_force(image, p, 5, weights, sigmas)
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


@pytest.mark.parametrize("compiled", [True, False])
def test_labels_that_cannot_win_are_not_filtered_and_nothing_changes(monkeypatch, compiled):
    image = photo("rocket", 0.4)
    p = with_negligible_labels(image.shape[:2], 3, 21, 5e-4)
    crf = DenseCRF(image, compiled=compiled)
    sets = []
    split = module._Labels
    monkeypatch.setattr(module, "_Labels", lambda *args: sets.append(split(*args)) or sets[-1])
    fast = crf.infer(p)
    monkeypatch.setattr(module, "NEGLIGIBLE", 0.0)
    full = crf.infer(p)
    assert [labels.heard for labels in sets] == [3, 21]
    assert (fast - full).abs().max() < 1e-2
    assert (fast - full).abs().mean() < 1e-4
    assert torch.equal(fast.argmax(0), full.argmax(0))
    assert torch.allclose(fast.sum(0), torch.ones(image.shape[:2]), atol=1e-5)
    assert full[3:].max() < np.e * p[3:].max()  # the stated bound, on all labels filtered
    assert fast[3:].max() < np.e * p[3:].max()


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


@pytest.mark.parametrize("size", [(2, 2), (2, 300), (300, 2), (1, 1), (37, 53)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_constant_images_of_any_size(size, value):
    p = blobs(size, 3, width=2)
    q = dense_crf(np.full((*size, 3), value, np.uint8), p)
    assert q.shape == p.shape
    assert np.isfinite(q).all()
    assert np.allclose(q.sum(0), 1, atol=1e-5)


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


@pytest.mark.parametrize("bad", [{"spatial_weight": -1}, {"bilateral_weight": float("nan")}, {"iterations": -1}])
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
