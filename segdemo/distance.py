"""Distances on the pixel grid, the same in every run."""

from __future__ import annotations

import cv2
import numpy as np


def distance_map(outside: np.ndarray) -> np.ndarray:
    """Euclidean distance of each pixel to the nearest one where the (h, w) bool map is False, (h, w) float64 pixels.

    Squares of distances are whole numbers, to which OpenCV's are rounded here: their last digit depends on where in
    memory the map lies, and the same run would not give the same result twice. Exact up to 2048 pixels; beyond, OpenCV's
    single precision leaves the square a few units off.
    """
    distance = cv2.distanceTransform(outside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.sqrt(np.rint(distance.astype(np.float64) ** 2))
