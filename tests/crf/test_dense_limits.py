"""The dense CRF at its limits: extreme photos and probabilities, wrong arguments, devices, memory."""

import tracemalloc

import numpy as np
import pytest
import torch
from dense_crf_samples import blobs, photo
from scipy.ndimage import gaussian_filter

from segdemo.crf import DenseCRF, dense_crf
from segdemo.errors import ParameterError


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


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_sums_that_are_off_by_a_tenth_are_no_probabilities(compiled, factor):
    crf = DenseCRF(np.zeros((8, 8, 3), np.uint8), compiled=compiled)
    with pytest.raises(ParameterError, match="sum to 1"):
        crf.infer(factor * blobs((8, 8), 3))


def test_free_energy_stays_finite_where_the_network_is_certain():
    crf = DenseCRF(np.zeros((8, 8, 3), np.uint8))
    p = np.zeros((2, 8, 8), np.float32)
    p[0, :, :4] = p[1, :, 4:] = 1
    for beliefs, energy in crf.descend(p, 2):
        assert crf.free_energy(beliefs(), p) == pytest.approx(energy(), abs=2e-4)


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
                                 {"spatial_weight": 1001}, {"iterations": 2.5},
                                 {"damping": 1.0}, {"damping": float("nan")}])  # fmt: skip
def test_weights_and_iterations_must_be_in_range(bad):
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
