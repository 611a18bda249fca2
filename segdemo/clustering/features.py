"""What the clustering methods share: colours as points, and regions as colours."""

from __future__ import annotations

import cv2
import numba
import numpy as np

from ..strips import in_strips

_LEVELS = np.arange(256) / 255
_LINEAR = np.where(_LEVELS <= 0.04045, _LEVELS / 12.92, ((_LEVELS + 0.055) / 1.055) ** 2.4).astype(np.float32)
_XYZ = np.array([[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]])
_XYZ = (_XYZ / _XYZ.sum(1, keepdims=True)).astype(np.float32)  # white is (1, 1, 1)
_STEPS = np.arange(4098) / 4096
_ROOT = np.where(_STEPS > (6 / 29) ** 3, np.cbrt(_STEPS), _STEPS / 3 / (6 / 29) ** 2 + 4 / 29).astype(np.float32)
LAB_TABLES = _LINEAR, _XYZ, _ROOT  # of the 256 levels, the light; from it to X, Y, Z; and their roots


@numba.njit(cache=True, nogil=True, inline="always")
def _root(table, value):
    """The cube root of ``value`` in 0..1, straight near 0, as CIELAB has it: by linear interpolation in its table."""
    place = value * np.float32(len(table) - 2)
    i = np.int32(place)
    return table[i] + (place - np.float32(i)) * (table[i + 1] - table[i])


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
def to_lab(pixels, tables, lab, first, last):
    """Write the colours (P, 3) float32 of the pixels ``first`` to ``last`` of (P, 3) uint8 to ``lab``; see ``LAB_TABLES``."""
    linear, xyz, root = tables
    for i in range(first, last):
        red, green, blue = linear[pixels[i, 0]], linear[pixels[i, 1]], linear[pixels[i, 2]]
        x = _root(root, xyz[0, 0] * red + xyz[0, 1] * green + xyz[0, 2] * blue)
        y = _root(root, xyz[1, 0] * red + xyz[1, 1] * green + xyz[1, 2] * blue)
        z = _root(root, xyz[2, 0] * red + xyz[2, 1] * green + xyz[2, 2] * blue)
        lab[i, 0] = np.float32(116) * y - np.float32(16)
        lab[i, 1] = np.float32(500) * (x - y)
        lab[i, 2] = np.float32(200) * (y - z)


def lab_colours(image: np.ndarray) -> np.ndarray:
    """CIELAB (D65) of an (h, w, 3) uint8 RGB image, (h, w, 3) float32: L in 0..100, a and b about -100..100.

    Euclidean distances in this space come close to the differences that people see. Within 0.01 of the formulas of
    CIE 15 (OpenCV's are within 0.5), by tables, both cores.
    """
    lab = np.empty(image.shape, np.float32)
    pixels, flat = np.ascontiguousarray(image).reshape(-1, 3), lab.reshape(-1, 3)
    in_strips(lambda _, first, last: to_lab(pixels, LAB_TABLES, flat, first, last), len(pixels))
    return lab


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
