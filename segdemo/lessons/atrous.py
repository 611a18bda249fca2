"""Atrous convolution on the photo: sparse features against dense ones.

Chen, Papandreou, Kokkinos, Murphy & Yuille, "DeepLab", PAMI 2017, section 3.1: with rate r the taps of a kernel w stand
r pixels apart (à trous: with holes),

    y[i] = sum_k x[i + r k] w[k],

so that k x k weights see a field of (k - 1) r + 1 pixels. Fig. 3 there compares two ways to see that far with the same weights: shrink
the picture, convolve, enlarge (sparse features: one in r x r), or convolve the whole picture with holes (dense features:
one for every pixel). On every r-th pixel the two are the same number.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..errors import ParameterError
from ..method import Run

KERNELS = {
    "down": ("edges, light above dark", ((1, 2, 1), (0, 0, 0), (-1, -2, -1))),
    "across": ("edges, light left of dark", ((1, 0, -1), (2, 0, -2), (1, 0, -1))),
    "spots": ("light spots (Laplacian)", ((-1, -1, -1), (-1, 8, -1), (-1, -1, -1))),
}
"""Title and weights of the 3 x 3 kernels; a network learns its own."""

RATES = (2, 4, 8)


@dataclass
class AtrousLesson:
    """The photo and three responses of one kernel.

    Attributes:
        kernel, rate: what was asked for.
        image: (h, w) float32 in 0..1, the photo in grey, h - 1 and w - 1 multiples of ``rate``; smoothed, so that
            every ``rate``-th pixel suffices to tell it.
        plain: (h, w) float32, the kernel with its taps side by side.
        sparse: ((h - 1) / rate + 1, (w - 1) / rate + 1) float32, the same on the picture of every ``rate``-th pixel.
        dense: (h, w) float32, the kernel with rate ``rate`` on the whole picture.
    """

    kernel: str
    rate: int
    image: np.ndarray
    plain: np.ndarray
    sparse: np.ndarray
    dense: np.ndarray


def convolve(image: np.ndarray, weights: np.ndarray, rate: int = 1) -> np.ndarray:
    """y[i] = sum_k x[i + rate k] w[k]: an (h, w) float32 image with a 3 x 3 kernel, the border repeated outwards.

    One tap after the other, so that the same nine numbers have the same sum to the last digit, wherever they stand.
    """
    height, width = image.shape
    padded, total = np.pad(image, rate, mode="edge"), np.zeros(image.shape, np.float32)
    for (row, column), weight in np.ndenumerate(np.asarray(weights, np.float32)):
        total += weight * padded[row * rate :, column * rate :][:height, :width]
    return total


def atrous(image: np.ndarray, run: Run, kernel: str = "down", rate: int = 4) -> AtrousLesson:
    """The lesson on an (h, w, 3) uint8 photo; raises ``ParameterError`` for another kernel or rate than there are."""
    if kernel not in KERNELS:
        raise ParameterError(f"kernel: one of {', '.join(KERNELS)} (given: {kernel!r})")
    if rate not in RATES:
        raise ParameterError(f"rate: one of {', '.join(map(str, RATES))} (given: {rate!r})")
    run.step(0.1, "convolving")
    weights = np.array(KERNELS[kernel][1], np.float32)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    height, width = ((side - 1) // rate * rate + 1 for side in grey.shape)  # to end on a pixel that both ways have
    grey = cv2.GaussianBlur(grey[:height, :width], (0, 0), rate / 2)
    small = grey[::rate, ::rate]
    return AtrousLesson(
        kernel, rate, grey, convolve(grey, weights), convolve(small, weights), convolve(grey, weights, rate)
    )
