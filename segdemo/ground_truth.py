"""What people drew: label maps to measure a segmentation against, from a label PNG or a file of BSDS500.

Source of the latter: P. Arbeláez, M. Maire, C. Fowlkes, J. Malik, Contour detection and hierarchical image
segmentation, IEEE Trans. PAMI 33 (2011).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
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


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """What people drew of one photo.

    Attributes:
        people: label maps (H, W) int32, one per person; ``IGNORE`` (255) where a pixel does not count.
        is_numbered: whether the labels are numbers that the file holds. Else they only tell regions apart.
    """

    people: list[np.ndarray]
    is_numbered: bool

    def classes(self) -> np.ndarray:
        """The one label map as classes of VOC-21, (H, W) uint8 with ``IGNORE``; ``GroundTruthError`` if it is none."""
        if len(self.people) > 1 or not self.is_numbered:
            raise GroundTruthError(
                "This ground truth says where regions end, not what they are: take a label PNG with VOC's numbers or "
                "colours, or a network's labels."
            )
        labels = self.people[0]
        beyond = labels[(labels >= len(VOC21)) & (labels != IGNORE)]
        if beyond.size:
            raise GroundTruthError(
                f"The ground truth holds the number {beyond[0]}, and VOC's classes are 0 to {len(VOC21) - 1} (255: does not "
                "count): load a label PNG with VOC's numbers or colours."
            )
        return labels.astype(np.uint8)


def load_ground_truth(path: str | PathLike, size: tuple[int, int] | None = None) -> GroundTruth:
    """The ground truth in a file.

    Args:
        path: a PNG whose grey values, palette indices or colours are the labels, or a ``.mat`` file of BSDS500.
        size: (H, W) of the photo, which every map must have.

    Of grey values and palette indices 255 is void, as in PASCAL VOC; in a mask of 0 and 255 it is the object, and in
    one of 0, 128 and 255 the void is 128, as in GrabCut's. Colours tell regions apart, unless they are those of VOC's
    masks: then its classes. Raises ``GroundTruthError`` with what is wrong and what to do.
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
    if path.suffix.lower() == ".mat":
        truth = GroundTruth(read_humans(path), is_numbered=False)
    else:
        labels, is_numbered = read_label_png(data, path.name, size)
        truth = GroundTruth([labels], is_numbered)
    for labels in truth.people:
        _check_size(path.name, labels.shape, size)
    return truth


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


def read_label_png(data: bytes, name: str, size: tuple[int, int] | None = None) -> tuple[np.ndarray, bool]:
    """The labels (H, W) int32 of a PNG in memory, and whether they are numbers that it holds; see ``load_ground_truth``.

    A picture of another ``size`` is refused before it is decoded: a small file may hold a huge one.
    """
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            _check_size(name, (image.height, image.width), size)
            colours = packed_colours(image) if image.mode in ("P", "RGB", "RGBA") else None
            image = image.convert("L") if image.mode in ("1", "LA") else image
            values = stored_values(image).astype(np.int64) if image.mode in ("P", "L", "I", "I;16") else colours
    except GroundTruthError:
        raise
    except Exception:  # not a PNG, damaged, or too large for Pillow
        raise GroundTruthError(
            f"{name} cannot be read as a label map: save it as PNG, whose pixels are exact (JPEG blurs labels), or "
            "choose a .mat file of BSDS500."
        ) from None
    classes = None if colours is None else voc_classes(colours)
    if classes is not None:
        return classes, True
    is_coloured = values is colours and not np.array_equal(values, (values >> 16) * 0x10101)
    if values is colours and not is_coloured:
        values = values >> 16
    present, ranks = np.unique(values, return_inverse=True)
    ranks = ranks.reshape(values.shape).astype(np.int32)
    if len(present) > MAX_REGIONS or present[0] < 0:
        raise GroundTruthError(
            f"{name} holds {len(present)} different colours, so it is a picture and no label map: each region needs one "
            "colour of its own, without soft edges."
        )
    may_be_classes = np.all((present < len(VOC21)) | (present == IGNORE))
    if is_coloured or (image.mode.startswith("I") and not may_be_classes):  # of 16 bits
        return ranks + (ranks >= IGNORE), False  # the 255th region is one like others
    masks = {(0, 128, 255): np.array([0, IGNORE, 1]), (0, 255): np.array([0, 1])}
    mask = masks.get(tuple(present))
    return (present if mask is None else mask)[ranks].astype(np.int32), mask is None


def packed_colours(image: Image.Image) -> np.ndarray:
    """The colours of a picture as numbers 0xRRGGBB, (H, W) int64."""
    return np.asarray(image.convert("RGB")).astype(np.int64) @ np.array([65536, 256, 1])


def voc_classes(colours: np.ndarray) -> np.ndarray | None:
    """Colours (H, W), 0xRRGGBB, as the classes (H, W) int32 that they stand for in VOC's masks; None where one does not.

    Nor for black alone, which any mask may be.
    """
    present, ranks = np.unique(colours, return_inverse=True)
    if not set(present.tolist()) <= VOC_COLOURS.keys() or present[-1] == 0:
        return None
    return np.array([VOC_COLOURS[colour] for colour in present.tolist()], np.int32)[ranks.reshape(colours.shape)]
