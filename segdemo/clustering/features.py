"""What the clustering methods share: colours as points, and regions as colours."""

from __future__ import annotations

import cv2
import numba
import numpy as np


def lab_colours(image: np.ndarray) -> np.ndarray:
    """CIELAB (D65) of an (h, w, 3) uint8 RGB image, (h, w, 3) float32: L in 0..100, a and b about -100..100.

    Euclidean distances in this space come close to the differences that people see.
    """
    return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)


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


def mean_colours(image: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Mean colour of each region, (count, 3) uint8: a palette that paints the regions like the photo."""
    return region_means(image, labels, count).round().astype(np.uint8)


def rank_by_area(labels: np.ndarray, count: int) -> np.ndarray:
    """(count,) integers: 0 for the region with the most pixels, 1 for the next, and so on.

    ``rank[labels]`` renumbers a label map so that the numbers do not depend on the order of the seeds.
    """
    order = np.argsort(-np.bincount(labels.ravel(), minlength=count), kind="stable")
    rank = np.empty(count, np.int32)
    rank[order] = np.arange(count)
    return rank


@numba.njit(cache=True, nogil=True)
def paint(palette: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """``palette[labels]`` for a (K, 3) uint8 palette and (h, w) labels, several times faster: (h, w, 3) uint8."""
    height, width = labels.shape
    painted = np.empty((height, width, 3), np.uint8)
    for y in range(height):
        for x in range(width):
            for channel in range(3):
                painted[y, x, channel] = palette[labels[y, x], channel]
    return painted


@numba.njit(cache=True, nogil=True)
def _draw_edges(drawn: np.ndarray, labels: np.ndarray, colour: tuple[int, int, int]) -> None:
    height, width = labels.shape
    for y in range(height):
        for x in range(width):
            right, down = min(x + 1, width - 1), min(y + 1, height - 1)
            if labels[y, x] != labels[y, right] or labels[y, x] != labels[down, x]:
                for channel in range(3):
                    drawn[y, x, channel] = colour[channel]


def draw_boundaries(image: np.ndarray, labels: np.ndarray, colour: tuple[int, int, int] = (255, 220, 0)) -> np.ndarray:
    """A copy of the (h, w, 3) uint8 image with a line, one pixel wide, where the label changes."""
    drawn = np.array(image, order="C")
    _draw_edges(drawn, labels, colour)
    return drawn
