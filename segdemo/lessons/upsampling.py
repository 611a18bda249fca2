"""Down and up again: max pooling, and the ways to undo it that SegNet and its variants use.

Badrinarayanan, Kendall & Cipolla, "SegNet", PAMI 2017; Noh, Hong & Han, "Learning Deconvolution Network for Semantic
Segmentation" (DeconvNet), ICCV 2015. Pooling keeps the largest of each 2 x 2 pixels. Back up again lead (``networks.segnet.upsample``)

    bilinear interpolation   f_xy = sum_ij f_ij max(0, 1 - |x - i|) max(0, 1 - |y - j|)
    fixed unpooling          the value goes to the upper left of its four pixels, zeros to the other three
    max unpooling            the value goes back to where the maximum was, zeros to the other three

What is unpooled is full of holes; a decoder's convolution fills them. Here it is the kernel (1/2, 1, 1/2) x (1/2, 1, 1/2), divided
by as much of it as fell on values (normalized convolution, Knutsson & Westin, CVPR 1993): after fixed unpooling that is linear
interpolation between the values. A trained decoder learns its kernels.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import ParameterError
from ..method import Run
from ..networks.segnet import UPSAMPLINGS, upsample

MOST_POOLINGS = 4
TENT = (0.5, 1.0, 0.5)
"""What spreads a value over its neighbours, along either axis."""


@dataclass
class UpsamplingLesson:
    """The way down and the ways up.

    Attributes:
        image: (h, w) uint8, the photo in grey, both sides multiples of 2 to the number of poolings.
        pooled: the maps after 1, 2, ... poolings, (h / 2, w / 2) uint8 first.
        places: for each of them where each maximum was, 0..3: upper left, upper right, lower left, lower right.
        raised: by name of the upsampling, from the last pooled map back to (h, w) uint8.
        filled: the same where a convolution with ``TENT`` follows each unpooling; interpolation leaves no holes to fill.
    """

    image: np.ndarray
    pooled: list[np.ndarray]
    places: list[np.ndarray]
    raised: dict[str, np.ndarray]
    filled: dict[str, np.ndarray]


def cropped(grey: np.ndarray, multiple: int) -> np.ndarray:
    """The image without what is too much for sides that are multiples; one too small is continued at its border."""
    height, width = (max(multiple, side // multiple * multiple) for side in grey.shape)
    grey = grey[:height, :width]
    pad = [(0, height - grey.shape[0]), (0, width - grey.shape[1])]
    return np.pad(grey, pad, mode="edge")


def spread(x: Tensor) -> Tensor:
    """(1, 1, h, w) convolved with ``TENT`` along both axes; outside are zeros, as in a network."""
    tent = torch.tensor(TENT, dtype=x.dtype)
    return F.conv2d(x, torch.outer(tent, tent)[None, None], padding=1)


def ascend(x: Tensor, indices: list[Tensor], how: str, is_filled: bool) -> np.ndarray:
    """From the last pooled map (1, 1, h, w) back up through all poolings, as (H, W) uint8."""
    for where in reversed(indices):
        up = upsample(x, where, how)
        if is_filled and how != "bilinear":
            known = upsample(
                torch.ones_like(x), where, how
            )  # one in every 2 x 2: no pixel is out of the kernel's reach
            up = spread(up) / spread(known)
        x = up
    return x[0, 0].round().numpy().astype(np.uint8)


def upsampling(image: np.ndarray, run: Run, poolings: int = 2) -> UpsamplingLesson:
    """The lesson on an (h, w, 3) uint8 photo; ``ParameterError`` unless there are 1 to ``MOST_POOLINGS`` poolings."""
    if not 1 <= poolings <= MOST_POOLINGS:
        raise ParameterError(f"poolings: 1 to {MOST_POOLINGS} (given: {poolings})")
    run.step(0.1, "pooling")
    grey = cropped(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), 2**poolings)
    x, pooled, indices, places = torch.from_numpy(grey.astype(np.float32))[None, None], [], [], []
    for _ in range(poolings):
        width = x.shape[3]
        x, where = F.max_pool2d(x, 2, return_indices=True)
        pooled.append(x[0, 0].numpy().astype(np.uint8))
        indices.append(where)
        places.append((where // width % 2 * 2 + where % 2)[0, 0].numpy().astype(np.uint8))
    run.step(0.5, "up again")
    raised, filled = ({how: ascend(x, indices, how, is_filled) for how in UPSAMPLINGS} for is_filled in (False, True))
    return UpsamplingLesson(grey, pooled, places, raised, filled)
