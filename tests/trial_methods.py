"""What methods that a test registers need."""

import numpy as np

from segdemo.segmentation import Segmentation

PHOTO = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)


def blank(image, params, run):
    """A result without content."""
    return Segmentation(np.zeros(image.shape[:2], np.int32), ["all"], np.zeros((1, 3), np.uint8))
