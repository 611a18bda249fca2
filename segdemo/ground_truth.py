"""What people drew: label maps to measure a segmentation against, from a label PNG or a file of BSDS500.

Source of the latter: P. Arbeláez, M. Maire, C. Fowlkes, J. Malik, Contour detection and hierarchical image
segmentation, IEEE Trans. PAMI 33 (2011).
"""

from __future__ import annotations

import io
from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import loadmat

from .errors import GroundTruthError
from .image import MAX_PIXELS, stored_values
from .labels import IGNORE, VOC21

MAX_BYTES = 30_000_000
MAX_REGIONS = 5000
"""Of one label map: a photo saved as PNG has more colours than a person draws regions."""

VOC_VOID = 0xE0E0C0


def voc_colour(label: int) -> int:
    """The colour 0xRRGGBB of a class in PASCAL VOC's own masks: bit 3 i + c of the number is bit 7 - i of channel c."""
    channels = [sum((label >> (3 * i + c) & 1) << (7 - i) for i in range(3)) for c in range(3)]
    return channels[0] << 16 | channels[1] << 8 | channels[2]


VOC_COLOURS = {voc_colour(label): label for label in range(len(VOC21))} | {VOC_VOID: IGNORE}


def load_ground_truth(path: str | PathLike, size: tuple[int, int] | None = None) -> list[np.ndarray]:
    """The label maps (H, W) int32 in a file, one per person; ``IGNORE`` (255) where a pixel does not count.

    Args:
        path: a PNG whose grey values, palette indices or colours are the labels, or a ``.mat`` file of BSDS500.
        size: (H, W) of the photo, which every map must have.

    In a grey or palette PNG of 8 bits 255 is void, as in PASCAL VOC; in a mask of 0 and 255 it is the object, and in
    one of 0, 128 and 255 the void is 128, as in GrabCut's. Colours are numbered, those of VOC's masks as its classes. Raises ``GroundTruthError`` with what is wrong and what to do.
    """
    if not isinstance(path, (str, PathLike)):
        raise GroundTruthError(f"{path!r} is no file: choose a label PNG or a .mat file of BSDS500.")
    path = Path(path)
    if not path.is_file():
        raise GroundTruthError(
            f"{path.name or repr(str(path))} is no file: choose a label PNG or a .mat file of BSDS500."
        )
    if path.stat().st_size > MAX_BYTES:
        raise GroundTruthError(
            f"{path.name} is larger than {MAX_BYTES / 1e6:g} MB: no ground truth is. Choose another file."
        )
    data = path.read_bytes()
    maps = read_humans(path) if path.suffix.lower() == ".mat" else [read_label_png(data, path.name, size)]
    for labels in maps:
        _check_size(path.name, labels.shape, size)
    return maps


def _check_size(name: str, found: tuple[int, int], size: tuple[int, int] | None) -> None:
    """``GroundTruthError`` unless a map of (H, W) = ``found`` is of the photo's ``size``, or, without one, of a size a photo may have."""
    if size is None and found[0] * found[1] > MAX_PIXELS:
        raise GroundTruthError(f"{name} has more than {MAX_PIXELS / 1e6:g} megapixels: no photo here does.")
    if size is not None and found != tuple(size):
        (height, width), (rows, columns) = size, found
        raise GroundTruthError(
            f"{name} is {columns} x {rows} pixels and the photo {width} x {height}: both must be alike, pixel "
            "by pixel. Choose the ground truth of this photo, or the photo in the ground truth's size."
        )


def read_humans(path: str | PathLike) -> list[np.ndarray]:
    """The label maps (H, W) int32 of several people in one of BSDS's ``.mat`` files; none of them says ``IGNORE``."""
    try:
        people = loadmat(path, variable_names=["groundTruth"])["groundTruth"].ravel()
        truths = [np.asarray(person["Segmentation"][0, 0]).astype(np.int32) for person in people]
        if not truths or any(labels.ndim != 2 or labels.size == 0 or labels.min() < 0 for labels in truths):
            raise ValueError("no label maps")
    except Exception:  # the reader raises whatever a damaged or foreign file makes it trip over
        raise GroundTruthError(
            f"{Path(path).name} is no ground truth of BSDS500 (a .mat file with groundTruth{{i}}.Segmentation): "
            "choose one of its groundTruth folder, or a label PNG."
        ) from None
    return [labels + (labels >= IGNORE) for labels in truths]  # a person's 255th region is a region


def read_label_png(data: bytes, name: str, size: tuple[int, int] | None = None) -> np.ndarray:
    """The labels (H, W) int32 of a PNG in memory: grey values or palette indices as they are, colours and 16 bits numbered.

    A picture of another ``size`` is refused before it is decoded: a small file may hold a huge one.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            _check_size(name, (image.height, image.width), size)
            if image.mode == "1":
                image = image.convert("L")
            wide = image if image.mode in ("L", "P", "I", "I;16") else image.convert("RGB")
            values = stored_values(wide).astype(np.int64)
    except GroundTruthError:
        raise
    except Exception:  # not a PNG, damaged, or too large for Pillow
        raise GroundTruthError(
            f"{name} cannot be read as a label map: save it as PNG, whose pixels are exact (JPEG blurs labels), or "
            "choose a .mat file of BSDS500."
        ) from None
    is_coloured = values.ndim == 3
    if is_coloured:
        values = values @ np.array([65536, 256, 1])
    present, ranks = np.unique(values, return_inverse=True)
    ranks = ranks.reshape(values.shape).astype(np.int32)
    if is_coloured and set(present.tolist()) <= VOC_COLOURS.keys():
        return np.array([VOC_COLOURS[colour] for colour in present.tolist()], np.int32)[ranks]
    if len(present) > MAX_REGIONS or present[0] < 0:
        raise GroundTruthError(
            f"{name} holds {len(present)} different colours, so it is a picture and no label map: each region needs one "
            "colour of its own, without soft edges."
        )
    if is_coloured or wide.mode.startswith("I"):  # of 16 bits
        return ranks + (ranks >= IGNORE)  # numbers like others
    masks = {(0, 128, 255): np.array([0, IGNORE, 1]), (0, 255): np.array([0, 1])}
    return masks.get(tuple(present), present)[ranks].astype(np.int32)


def class_numbers(labels: np.ndarray) -> np.ndarray:
    """The label map (H, W) as classes of VOC-21, (H, W) uint8 with ``IGNORE``; ``GroundTruthError`` where it holds others."""
    beyond = labels[(labels >= len(VOC21)) & (labels != IGNORE)]
    if beyond.size:
        raise GroundTruthError(
            f"The ground truth holds the number {beyond[0]}, and VOC's classes are 0 to {len(VOC21) - 1} (255: does not "
            "count): load a label PNG with VOC's numbers or colours."
        )
    return labels.astype(np.uint8)
