"""CIE L*a*b* (D65), in which Euclidean distances come close to the differences that people see."""

from __future__ import annotations

import cv2
import numba
import numpy as np

from .strips import in_strips

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

    Within 0.01 of the formulas of CIE 15 (OpenCV's are within 0.5), by tables, both cores.
    """
    lab = np.empty(image.shape, np.float32)
    pixels, flat = np.ascontiguousarray(image).reshape(-1, 3), lab.reshape(-1, 3)
    in_strips(lambda _, first, last: to_lab(pixels, LAB_TABLES, flat, first, last), len(pixels))
    return lab


def rgb_colours(lab: np.ndarray) -> np.ndarray:
    """(K, 3) uint8 RGB of (K, 3) CIE L*a*b* colours, clipped to what a screen shows."""
    rgb = cv2.cvtColor(lab[None].astype(np.float32), cv2.COLOR_LAB2RGB)[0]
    return (rgb * 255).round().astype(np.uint8)
