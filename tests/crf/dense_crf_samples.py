"""Photos, probabilities and slow references that the dense CRF's tests share."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist
from skimage import data, transform


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


def with_negligible_labels(size, alive, count, rest):
    p = np.full((count, *size), rest, np.float32)
    p[:alive] = blobs(size, alive) * (1 - rest * (count - alive))
    return p
