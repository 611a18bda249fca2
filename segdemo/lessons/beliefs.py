"""What the lessons on CRFs begin with: a network's probabilities, the same that its method keeps, as the CRF reads them."""

from __future__ import annotations

import cv2
import numpy as np

from ..crf.dense import CLIP
from ..method import Run
from ..networks.checkpoints import read_card
from ..networks.inference import probabilities


def network_probabilities(image: np.ndarray, run: Run, network: str) -> np.ndarray:
    """(21, h, w) float32 class probabilities of an (h, w, 3) uint8 photo by a trained network; after a run it is found done."""
    return probabilities(network, image, run, read_card(network)["input_size"])


def clipped(probabilities: np.ndarray) -> np.ndarray:
    """Probabilities (K, h, w) as the CRF reads them: none below ``CLIP``, summing to 1."""
    p = np.maximum(probabilities, CLIP)
    return p / p.sum(0)


def reduced(planes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(K, h, w) float32 planes at ``size``, not larger than they are: each pixel the mean over its area."""
    return np.stack([cv2.resize(plane, size[::-1], interpolation=cv2.INTER_AREA) for plane in planes])
