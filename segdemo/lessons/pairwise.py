"""The pairwise term of a dense CRF seen from one pixel: whom it listens to, and what it hears.

P. Krahenbuhl & V. Koltun, NIPS 2011 (``segdemo.crf.dense``): pixel i hears from pixel j with the weight

    k(i, j) = n_i n_j exp(-|p_i - p_j|^2 / 2 s_xy^2 - |c_i - c_j|^2 / 2 s_rgb^2),     n_i = (sum_j exp(...))^-1/2

("bilateral"), and likewise of the places p alone ("spatial"). The page evaluates both exactly, for the one pixel that
is pointed at; to be able to, it looks at the photo on a grid of at most ``GRID`` pixels. Widths shrink with the
photo, which leaves what a pixel hears about as it is, because the rows of k sum to about 1 at any size.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..crf.dense import dense_crf
from ..crf.refine import RefinementParams
from ..image import fit
from ..method import Run
from .beliefs import clipped, network_probabilities, reduced

GRID = 160
"""Long side, in pixels, of the grid on which the kernels are evaluated."""


SMOOTH = 20.0
"""A pixel is the more telling the less the colours around it vary, compared with this, in grey levels."""


@dataclass
class PairwiseLesson:
    """What the page needs to work out any pixel's kernels and messages.

    Attributes:
        image: (h, w, 3) uint8, the photo on the grid.
        scale: pixels of the grid per pixel at working size: widths are to be multiplied by it.
        beliefs: (21, h, w) float32, the network's probabilities on the grid, summing to 1.
        labels: (h, w) the network's labels.
        pixel: (row, column) of the pixel whose mind the first mean-field iteration changes most.
    """

    image: np.ndarray
    scale: float
    beliefs: np.ndarray
    labels: np.ndarray
    pixel: tuple[int, int]


def pairwise(image: np.ndarray, run: Run, network: str) -> PairwiseLesson:
    """The lesson on an (h, w, 3) uint8 photo at working size, with a trained network's beliefs."""
    run.step(0.1, "the network's beliefs")
    small = fit(image, GRID)
    p = reduced(network_probabilities(image, run, network), small.shape[:2])
    p /= p.sum(0)
    scale = max(small.shape[:2]) / max(image.shape[:2])
    run.step(0.7, "a telling pixel")
    return PairwiseLesson(small, scale, p, p.argmax(0), telling_pixel(small, p, scale))


def telling_pixel(image: np.ndarray, beliefs: np.ndarray, scale: float) -> tuple[int, int]:
    """(row, column) of the pixel that one mean-field iteration convinces most of another label; else of the least certain."""
    params = RefinementParams()
    widths = (params.crf_spatial_sigma, params.crf_bilateral_sigma_xy)
    after = dense_crf(
        image, beliefs, 1, params.crf_spatial_weight, max(widths[0] * scale, 0.5), params.crf_bilateral_weight,
        max(widths[1] * scale, 0.5), params.crf_bilateral_sigma_rgb,
    )  # fmt: skip
    before = beliefs.argmax(0)
    loss = np.take_along_axis(clipped(beliefs) - after, before[None], 0)[0]
    turned = loss * (after.argmax(0) != before)
    # Of a neighbourhood that turns as one and looks alike, so that many listen: the mean over 5 x 5 pixels.
    score = cv2.blur(turned.astype(np.float32), (5, 5)) * (turned > 0) * np.exp(-variance(image) / SMOOTH**2)
    rows, columns = (max(1, side // 12) for side in before.shape)
    inner = np.zeros_like(score)
    inner[rows:-rows, columns:-columns] = 1  # at the photo's rim half of the neighbours are missing
    score = score * inner if (score * inner).any() else (1 - beliefs.max(0)) * (inner if inner.any() else 1)
    return tuple(int(k) for k in np.unravel_index(score.argmax(), score.shape))


def variance(image: np.ndarray) -> np.ndarray:
    """(h, w) float32: how much the colours of the 5 x 5 pixels around each differ, summed over the channels."""
    values = image.astype(np.float32)
    return np.maximum(cv2.blur(values**2, (5, 5)) - cv2.blur(values, (5, 5)) ** 2, 0).sum(-1)


def exact_kernels(
    image: np.ndarray, at: tuple[int, int], spatial_sigma: float, bilateral_sigma_xy: float, bilateral_sigma_rgb: float
) -> tuple[np.ndarray, np.ndarray]:
    """The spatial and the bilateral Gaussian of one pixel to all others, not normalized: (h, w) float64 in [0, 1].

    Args:
        image: (h, w, 3) uint8. ``at``: (row, column). Widths in pixels and in grey levels.
    """
    rows, columns = np.indices(image.shape[:2])
    distance = (rows - at[0]) ** 2.0 + (columns - at[1]) ** 2.0
    colour = ((image.astype(np.float64) - image[at]) ** 2).sum(-1)
    spatial = np.exp(-distance / (2 * spatial_sigma**2))
    return spatial, np.exp(-distance / (2 * bilateral_sigma_xy**2) - colour / (2 * bilateral_sigma_rgb**2))
