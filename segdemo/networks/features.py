"""What a network sees in a photo, for methods that learn from a few strokes what is what.

The deeper a map of features, the more its numbers say what is there and the less exactly where; a
pyramid of maps holds both (Hariharan, Arbelaez, Girshick & Malik, "Hypercolumns for Object
Segmentation and Fine-grained Localization", CVPR 2015). Nothing in it names a class: features of
middle depth tell apart things that the network was never taught to label.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from .inference import network_input

NETWORK = "deeplab-v3plus"
"""Whose features: the best of the project's networks, and its decoder's map is as fine as every fourth pixel."""
LONG_SIDE = 512
"""At which the network sees the photo: finer than the 384 pixels that suit its labels, for the sake of borders."""


@torch.inference_mode()
def photo_features(network: nn.Module, image: np.ndarray, device: torch.device, dtype: torch.dtype) -> list[np.ndarray]:
    """The trunk's maps and the decoder's: (C, h', w') float32 each, from 1/4 to 1/16 of the size seen.

    ``image`` is (h, w, 3) uint8, ``network`` a DeepLabv3+.
    """
    maps = network.encode(network_input(network, image, LONG_SIDE, device, dtype))
    return [each[0].float().cpu().numpy() for each in (*maps, network.decode(maps))]
