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
            if image.mode in ("1", "LA"):
                image = image.convert("L")
            is_plain = image.mode in ("L", "P", "I", "I;16")
            values = stored_values(image).astype(np.int64) if is_plain else packed(np.asarray(image.convert("RGB")))
            mode = image.mode if is_plain else "RGB"
            palette = packed(np.reshape(image.getpalette("RGB"), (-1, 3))) if mode == "P" else None
    except GroundTruthError:
        raise
    except Exception:  # not a PNG, damaged, or too large for Pillow
        raise GroundTruthError(
            f"{name} cannot be read as a label map: save it as PNG, whose pixels are exact (JPEG blurs labels), or "
            "choose a .mat file of BSDS500."
        ) from None
    present, ranks = np.unique(values, return_inverse=True)
    if len(present) > MAX_REGIONS:
        raise GroundTruthError(
            f"{name} holds {len(present)} different colours, so it is a picture and no label map: each region needs one "
            "colour of its own, without soft edges."
        )
    labels, is_numbered = labels_of(present, mode, palette)
    return labels.astype(np.int32)[ranks.reshape(values.shape)], is_numbered


def labels_of(present: np.ndarray, mode: str, palette: np.ndarray | None = None) -> tuple[np.ndarray, bool]:
    """The labels (n,) that the values (n,) of a picture, ascending, stand for, and whether they are its numbers.

    ``mode`` is Pillow's: "L", "P", "I", "I;16" or "RGB", whose values are 0xRRGGBB, as those of a ``palette`` are.
    """
    if mode in ("P", "RGB"):
        colours = (present if palette is None else palette[present]).tolist()
        if any(colours) and VOC_COLOURS.keys() >= set(colours):  # black alone may be of any mask
            return np.array([VOC_COLOURS[colour] for colour in colours]), True
    regions = np.arange(len(present))
    regions += regions >= IGNORE  # the 255th is one like others
    if mode == "RGB":
        greys = present >> 16
        if not np.array_equal(present, packed(np.stack([greys] * 3, -1))):
            return regions, False
        present = greys
    if mode.startswith("I") and np.any((present >= len(VOC21)) & (present != IGNORE)):
        return regions, False
    masks = {(0, 128, 255): np.array([0, IGNORE, 1]), (0, 255): np.array([0, 1])}
    mask = masks.get(tuple(present))
    return (present, True) if mask is None else (mask, False)


def packed(colours: np.ndarray) -> np.ndarray:
    """Colours (..., 3) as numbers 0xRRGGBB, int64."""
    return colours.astype(np.int64) @ np.array([65536, 256, 1])
