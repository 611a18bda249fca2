"""What the lessons on CRFs begin with: a network's probabilities, and the dense CRF that refines them.

Both are kept under the keys under which the methods keep them, so that a lesson after a run finds its work done.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch

from ..crf.dense import CLIP, DenseCRF
from ..crf.refine import RefinementParams
from ..method import Run
from ..networks.checkpoints import read_card
from ..networks.inference import predict


def network_probabilities(image: np.ndarray, run: Run, network: str) -> np.ndarray:
    """(21, h, w) float32 class probabilities of an (h, w, 3) uint8 photo by a trained network."""
    long_side = read_card(network)["input_size"]
    look = lambda: predict(run.network(network), image, long_side, run.device, run.dtype)  # noqa: E731
    return run.cached(("scores", network, long_side), look)


def photo_crf(image: np.ndarray, run: Run, params: RefinementParams) -> DenseCRF:
    """The photo's dense CRF with the widths of ``params``."""
    sigmas = params.crf_spatial_sigma, params.crf_bilateral_sigma_xy, params.crf_bilateral_sigma_rgb
    device = run.device if run.device.type == "cuda" else torch.device("cpu")  # as the method's own refinement
    return run.cached(("crf", sigmas, str(device)), lambda: DenseCRF(image, *sigmas, device))


def clipped(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities (K, h, w) as the CRF reads them: none below ``CLIP``, summing to 1."""
    p = np.maximum(probabilities, CLIP)
    return p / p.sum(0)


def reduced(planes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(K, h, w) float32 planes at ``size``, not larger than they are: each pixel the mean over its area."""
    return np.stack([cv2.resize(plane, size[::-1], interpolation=cv2.INTER_AREA) for plane in planes])
