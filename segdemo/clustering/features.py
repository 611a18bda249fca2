"""What the clustering methods share: colours as points, and regions as colours."""

from __future__ import annotations

import cv2
import numpy as np


def lab_colours(image: np.ndarray) -> np.ndarray:
    """CIELAB (D65) of an (h, w, 3) uint8 RGB image, (h, w, 3) float32: L in 0..100, a and b about -100..100.

    Euclidean distances in this space come close to the differences that people see.
    """
    return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)


def region_means(values: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    """Mean of (..., C) values over each of the regions 0..count-1, (count, C) float64; 0 for an empty region."""
    flat, channels = labels.ravel(), values.reshape(labels.size, -1).T
    sums = np.stack([np.bincount(flat, weights=channel, minlength=count) for channel in channels], axis=1)
    return sums / np.maximum(np.bincount(flat, minlength=count), 1)[:, None]


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


def draw_boundaries(image: np.ndarray, labels: np.ndarray, colour: tuple[int, int, int] = (255, 220, 0)) -> np.ndarray:
    """A copy of the (h, w, 3) uint8 image with a line, one pixel wide, where the label changes."""
    edge = np.zeros(labels.shape, bool)
    edge[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    edge[:-1] |= labels[:-1] != labels[1:]
    drawn = image.copy()
    drawn[edge] = colour
    return drawn
