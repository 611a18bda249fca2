"""Deep features as a data term: a small classifier, learned from the strokes, of what a network sees.

Colours tell a red skirt from a face, and a face from a wooden wall as little as the skirt; the
features of a trained network tell what both have in common. The strokes say which of its features
matter in this photo, by logistic regression on the few cells of the network's grid that they touch:

    min_(w, b)  sum_i s_i ln(1 + exp(-y_i (w . x_i + b))) + rho/2 |w|^2,

y_i = 1 on the object's strokes and -1 on the background's. The weights s_i sum to 1/2 on either side,
as if both labels were as frequent, so that w . x + b is the logarithm of a likelihood ratio, to
be multiplied with those of colour and texture. Features that no class of the network's names serve
as well as any, so the object may be something that it was never taught to label.

References:
    Hariharan, Arbelaez, Girshick & Malik, Hypercolumns for object segmentation and fine-grained
        localization, CVPR 2015 (a pixel's features from several depths, all brought to one grid).
    Hinton, Training products of experts by minimizing contrastive divergence, Neural Computation
        2002 (densities multiplied, each to a power of its own).
    Hastie, Tibshirani & Friedman, The elements of statistical learning, 2009, 4.4.1 (the regression by
        Newton's method, that is iteratively reweighted least squares) and 14.5 (principal components).
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy.linalg import eigh

from .scribbles import fit_scribbles

COMPONENTS = 64  # principal components that are kept of about 600 features
RIDGE = 1 / 300  # rho: a fit to features of unit length, which a few dozen cells support
MOST_CELLS = 2000  # of each label that the classifier is learned from
ITERATIONS = 30  # of Newton's method, at most


def principal_components(maps: list[np.ndarray], most: int = COMPONENTS) -> np.ndarray:
    """The maps of a network, (C, h', w') float32 each, as one of their principal components.

    Every channel is standardized over the photo and every map's vectors are brought to unit length, so that no
    map outweighs another. Returns (h, w, D) float32 on the grid of the finest map, D at most ``most``.
    """
    height, width = np.max([each.shape[1:] for each in maps], axis=0)
    coarse = np.min([each.shape[1:] for each in maps], axis=0)
    maps = [_unit_vectors(each) for each in maps]  # (h', w', C)
    samples = np.concatenate([_every_nth(each, coarse) for each in maps], axis=1)  # (n, sum of C)
    means = samples.mean(axis=0)
    samples -= means
    last = len(means) - 1  # eigenvalues ascend
    _, axes = eigh(samples.T @ samples, subset_by_index=(max(0, last + 1 - most), last))  # (sum of C, D)
    total, start = np.zeros((height, width, axes.shape[1]), np.float32), 0
    for each in maps:  # projecting commutes with enlarging, and of D channels it costs less
        stop = start + each.shape[2]
        total += _resize(each @ axes[start:stop], height, width)
        start = stop
    return (total - means @ axes) / np.float32(np.sqrt(len(maps)))


def _unit_vectors(features: np.ndarray) -> np.ndarray:
    """(C, h, w) to (h, w, C): channels standardized over the photo, then every pixel's vector of length 1 (or 0)."""
    channels = features.reshape(len(features), -1).astype(np.float32)
    channels = (channels - channels.mean(axis=1, keepdims=True)) / (channels.std(axis=1, keepdims=True) + 1e-3)
    channels /= np.maximum(np.linalg.norm(channels, axis=0), 1e-6)
    return np.ascontiguousarray(channels.T).reshape(*features.shape[1:], -1)


def _every_nth(features: np.ndarray, size: np.ndarray) -> np.ndarray:
    """(h, w, C) at the places of a coarser grid of ``size``, (n, C)."""
    rows, columns = ((np.arange(n) * 2 + 1) * extent // (2 * n) for n, extent in zip(size, features.shape))
    return features[rows[:, None], columns].reshape(-1, features.shape[2])


def _resize(features: np.ndarray, height: int, width: int) -> np.ndarray:
    """(h, w, C) float32, bilinearly to (height, width, C)."""
    if features.shape[:2] == (height, width):
        return features
    planes = np.ascontiguousarray(features.transpose(2, 0, 1))  # OpenCV resizes one channel at a time fastest
    return np.stack([cv2.resize(plane, (int(width), int(height))) for plane in planes], axis=2)


def feature_log_odds(features: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """ln p(features | object) - ln p(features | background) as the seeds have it, (h, w) float32.

    Args:
        features: (h', w', D) float32, of ``principal_components``.
        seeds: (h, w) uint8, 0 = none, 1 = background, 2 = object.

    Where strokes are so short that a label has no cell of its own, 0 everywhere: undecided.
    """
    size, grid = seeds.shape, features.shape[:2]
    labels = fit_scribbles(seeds, size, np.minimum(grid, size))
    if labels.shape != grid:
        labels = cv2.resize(labels, grid[::-1], interpolation=cv2.INTER_NEAREST)
    cells = [_spread(np.flatnonzero(labels == label)) for label in (1, 2)]
    if not all(map(len, cells)):
        return np.zeros(size, np.float32)
    flat = features.reshape(-1, features.shape[2])
    chosen = flat[np.concatenate(cells)].astype(np.float64)
    weights, bias = fit_logistic(chosen, np.repeat([False, True], [len(each) for each in cells]))
    odds = flat @ weights.astype(np.float32) + np.float32(bias)
    return cv2.resize(odds.reshape(grid), size[::-1])


def _spread(cells: np.ndarray) -> np.ndarray:
    """At most ``MOST_CELLS`` of the (n,) cells, evenly spread over them."""
    return cells[np.linspace(0, len(cells) - 1, min(len(cells), MOST_CELLS)).astype(int)]


def fit_logistic(features: np.ndarray, positive: np.ndarray, ridge: float = RIDGE) -> tuple[np.ndarray, float]:
    """Weights (D,) and bias of the logistic regression above, by Newton's method; unique, for it is strictly convex.

    ``features`` is (n, D) float64, ``positive`` (n,) bool with at least one of either kind.
    """
    x = np.column_stack([features, np.ones(len(features))])
    share = np.where(positive, 0.5 / positive.sum(), 0.5 / (~positive).sum())
    penalty = np.append(np.full(features.shape[1], ridge), 1e-9)  # the bias is free, up to rounding
    sign, w = np.where(positive, 1.0, -1.0), np.zeros(x.shape[1])
    loss = lambda w: share @ np.logaddexp(0, -sign * (x @ w)) + penalty @ (w * w) / 2  # noqa: E731
    for _ in range(ITERATIONS):
        p = 1 / (1 + np.exp(-np.clip(x @ w, -500, 500)))
        gradient = x.T @ (share * (p - positive)) + penalty * w
        if np.abs(gradient).max() < 1e-6:
            break
        step = np.linalg.solve((x.T * (share * p * (1 - p))) @ x + np.diag(penalty), gradient)
        length, before = 1.0, loss(w)
        while loss(w - length * step) > before and length > 1e-4:  # far from the minimum a full step may overshoot
            length /= 2
        w = w - length * step
    return w[:-1], float(w[-1])
