"""What the clustering methods share: texture, and regions as colours."""

from __future__ import annotations

import cv2
import numba
import numpy as np

from ..lab import lab_colours
from ..strips import in_strips


def texture_features(image: np.ndarray, sigma: float = 3.0) -> np.ndarray:
    """Local texture of an (h, w, 3) uint8 image from the structure tensor of its lightness, (h, w, 3) float32.

    The tensor J = G_σ * ∇L ∇Lᵀ (Bigün & Granlund 1987) has the eigenvalues λ₁ ≥ λ₂; with the strength s = √(λ₁ + λ₂),
    the coherence c = (λ₁ − λ₂) / (λ₁ + λ₂) and the direction θ of the strongest change the features are
    (s, s c cos 2θ, s c sin 2θ): how much, how directed, and which way, without a break where θ meets θ + 180°. They
    are in units of L per pixel times 4, about 0..100 like the colours; σ is in pixels.
    """
    light = cv2.GaussianBlur(lab_colours(image)[..., 0], (0, 0), 0.7)
    across, down = cv2.Sobel(light, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(light, cv2.CV_32F, 0, 1, scale=1 / 8)
    moments = [across * across + down * down, across * across - down * down, 2 * across * down]
    trace, cosine, sine = (cv2.GaussianBlur(moment, (0, 0), sigma) for moment in moments)
    strength = np.sqrt(np.maximum(trace, 0))
    factor = 4 / np.maximum(strength, 1e-6)
    return np.stack([4 * strength, factor * cosine, factor * sine], axis=-1)


@numba.njit(cache=True, nogil=True)
def _region_sums(values: np.ndarray, labels: np.ndarray, sums: np.ndarray) -> None:
    for i in range(len(labels)):
        region = labels[i]
        for channel in range(values.shape[1]):
            sums[region, channel] += values[i, channel]
        sums[region, -1] += 1


def region_means(values: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Mean of (..., C) values over each of the regions 0..count-1, (count, C) float64; 0 for an empty region."""
    flat = np.ascontiguousarray(values).reshape(labels.size, -1)
    sums = np.zeros((count, flat.shape[1] + 1))  # the last column counts the pixels
    _region_sums(flat, np.ascontiguousarray(labels).ravel(), sums)
    return sums[:, :-1] / np.maximum(sums[:, -1:], 1)


@numba.njit(cache=True, nogil=True)
def _colour_sums(pixels: np.ndarray, labels: np.ndarray, sums: np.ndarray, first: int, last: int) -> None:
    """Add the pixels ``first`` to ``last`` to ``sums`` (count, 4) of red, green, blue and 1, stretch by stretch."""
    red = green = blue = count = 0
    for i in range(first, last):
        red, green, blue, count = red + pixels[i, 0], green + pixels[i, 1], blue + pixels[i, 2], count + 1
        if i + 1 == last or labels[i + 1] != labels[i]:
            for channel, total in enumerate((red, green, blue, count)):
                sums[labels[i], channel] += total
            red = green = blue = count = 0


def mean_colours(image: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Mean colour of each region, (count, 3) uint8: a palette that paints the regions like the photo."""
    pixels, flat = np.ascontiguousarray(image).reshape(-1, 3), np.ascontiguousarray(labels).ravel()

    def strip_sums(_, first, last):
        sums = np.zeros((count, 4), np.int64)
        _colour_sums(pixels, flat, sums, first, last)
        return sums

    sums = sum(in_strips(strip_sums, len(flat)))  # of integers: the same in any number of strips
    return (sums[:, :3] / np.maximum(sums[:, 3:], 1)).round().astype(np.uint8)


def rank_by_area(labels: np.ndarray, count: int, weights: np.ndarray | None = None) -> np.ndarray:
    """(count,) integers: 0 for the region with the most pixels, 1 for the next, and so on.

    ``rank[labels]`` renumbers a label map so that the numbers do not depend on the order of the seeds. ``weights``
    says how many pixels each label stands for, by default one.
    """
    order = np.argsort(-np.bincount(labels.ravel(), weights, count), kind="stable")
    rank = np.empty(count, np.int32)
    rank[order] = np.arange(count)
    return rank


@numba.njit(cache=True, nogil=True)
def _paint(palette: np.ndarray, labels: np.ndarray, painted: np.ndarray, first: int, last: int) -> None:
    for i in range(first, last):
        for channel in range(3):
            painted[i, channel] = palette[labels[i], channel]


def paint(palette: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """``palette[labels]`` for a (K, 3) uint8 palette and (h, w) labels, many times faster: (h, w, 3) uint8."""
    painted, flat = np.empty((labels.size, 3), np.uint8), np.ascontiguousarray(labels).ravel()
    in_strips(lambda _, first, last: _paint(palette, flat, painted, first, last), labels.size)
    return painted.reshape(*labels.shape, 3)


@numba.njit(cache=True, nogil=True)
def _draw_edges(drawn, labels, colour, first, last):
    height, width = labels.shape
    for y in range(first // width, last // width):
        for x in range(width):
            right, down = min(x + 1, width - 1), min(y + 1, height - 1)
            if labels[y, x] != labels[y, right] or labels[y, x] != labels[down, x]:
                for channel in range(3):
                    drawn[y, x, channel] = colour[channel]


def draw_boundaries(image: np.ndarray, labels: np.ndarray, colour: tuple[int, int, int] = (255, 220, 0)) -> np.ndarray:
    """A copy of the (h, w, 3) uint8 image with a line, one pixel wide, where the label changes."""
    drawn = np.array(image, order="C")
    in_strips(lambda _, first, last: _draw_edges(drawn, labels, colour, first, last), labels.size)
    return drawn
