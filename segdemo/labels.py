"""Label sets: the names and colours that a label map's integers stand for."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

IGNORE = 255
"""The value in a ground-truth mask that counts neither for nor against."""


@dataclass(frozen=True)
class LabelSet:
    """Names and colours, one row per label.

    Attributes:
        name: what the set is called, e.g. ``"VOC-21"``.
        names: K label names.
        palette: (K, 3) uint8 RGB.
    """

    name: str
    names: tuple[str, ...]
    palette: np.ndarray

    def __len__(self) -> int:
        return len(self.names)


def voc_colormap(count: int) -> np.ndarray:
    """The PASCAL VOC palette: the label's bits, dealt out to R, G, B from the top bit down.

    Returns (count, 3) uint8. Source: the VOC development kit's ``VOClabelcolormap``.
    """
    labels = np.arange(count)
    colours = np.zeros((count, 3), np.uint8)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= (((labels >> (3 * bit + channel)) & 1) << (7 - bit)).astype(np.uint8)
    return colours


def distinct_colours(count: int) -> np.ndarray:
    """Colours for labels without a meaning of their own, (count, 3) uint8.

    Hues step by the golden angle, so that any prefix of the list is spread out;
    lightness alternates so that neighbours differ for colour-blind readers too.
    """
    rows = []
    for i in range(count):
        hue = (0.58 + i * 0.61803398875) % 1.0
        lightness = (0.52, 0.66, 0.40)[i % 3]
        rows.append(colorsys.hls_to_rgb(hue, lightness, 0.72))
    return (np.array(rows).reshape(count, 3) * 255).round().astype(np.uint8)


VOC_NAMES = (
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow", "dining table", "dog", "horse", "motorbike", "person", "potted plant", "sheep", "sofa",
    "train", "tv/monitor",
)  # fmt: skip
VOC21 = LabelSet("VOC-21", VOC_NAMES, voc_colormap(21))

BINARY = LabelSet("binary", ("background", "foreground"), np.array([[38, 70, 128], [244, 162, 45]], np.uint8))
