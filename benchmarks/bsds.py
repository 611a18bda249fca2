"""BSDS500's photos with their human segmentations, for the benchmarks that measure quality.

Source: P. Arbeláez, M. Maire, C. Fowlkes, J. Malik, Contour detection and hierarchical image segmentation,
IEEE Trans. PAMI 33 (2011). A folder holds ``images/SPLIT/NAME.jpg`` and ``groundTruth/SPLIT/NAME.mat``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from segdemo import load_image
from segdemo.ground_truth import read_humans


class HumanPhoto(NamedTuple):
    """A photo (H, W, 3) uint8 and the (H, W) int32 label maps that several people drew on it."""

    name: str
    image: np.ndarray
    truths: list[np.ndarray]


def bsds_photos(folder: Path, split: str = "val", limit: int = 0) -> Iterator[HumanPhoto]:
    """The photos of a split in the order of their names, ``limit`` of them at most (0: all)."""
    for path in sorted((folder / "groundTruth" / split).glob("*.mat"))[: limit or None]:
        yield HumanPhoto(path.stem, load_image(folder / "images" / split / f"{path.stem}.jpg"), read_humans(path))
