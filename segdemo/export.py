"""A segmentation in the forms that other programs read: PNG, COCO, JSON, NumPy."""

from __future__ import annotations

import io
import math
import platform
from os import PathLike
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

from . import __version__
from .errors import ParameterError
from .labels import IGNORE, VOC21, voc_colormap
from .metrics import boundaries
from .segmentation import Segmentation


def label_png(segmentation: Segmentation) -> bytes:
    """The label map as a PNG file whose pixel values are the labels.

    Up to 255 labels: 8-bit indices with the segmentation's palette; VOC's classes with VOC's own, by which programs
    know its masks. More, since many programs take the 256th for void: 16-bit grey. Up to 65536 labels, else ``ParameterError``.
    """
    count = len(segmentation.names)
    if count > 65536:
        raise ParameterError(f"a PNG holds at most 65536 labels, not {count}: use fewer, or save as NPZ")
    if count > IGNORE:
        return _png(Image.fromarray(segmentation.labels.astype(np.uint16)))
    image = Image.fromarray(segmentation.labels.astype(np.uint8))
    is_voc = tuple(segmentation.names) == VOC21.names
    palette = voc_colormap(count) if is_voc else np.asarray(segmentation.palette, np.uint8)
    image.putpalette(palette.tobytes())
    return _png(image)


def overlay(photo: np.ndarray, segmentation: Segmentation, opacity: float = 0.5, outline: bool = True) -> np.ndarray:
    """The photo with the label colours laid over it, (H, W, 3) uint8 RGB.

    Args:
        photo: (H, W, 3) uint8 RGB, the size of the label map.
        opacity: 0 shows the photo, 1 the colours.
        outline: draw the boundaries between regions in white.

    Raises:
        ParameterError: the sizes differ, or the opacity is outside [0, 1].
    """
    labels = segmentation.labels
    if photo.shape != (*labels.shape, 3):
        raise ParameterError(
            f"the photo is {photo.shape}, the label map {labels.shape}: give the photo that was segmented"
        )
    if not 0 <= opacity <= 1:
        raise ParameterError(f"opacity: must lie in 0 to 1 (given: {opacity})")
    colours = np.asarray(segmentation.palette, np.uint8)[labels]
    mixed = cv2.addWeighted(photo, 1 - opacity, colours, opacity, 0)
    if outline:
        mixed[boundaries(labels)] = 255
    return mixed


def overlay_png(photo: np.ndarray, segmentation: Segmentation, opacity: float = 0.5, outline: bool = True) -> bytes:
    """``overlay`` as a PNG file."""
    return _png(Image.fromarray(overlay(photo, segmentation, opacity, outline)))


def report(segmentation: Segmentation) -> dict[str, Any]:
    """All about a run but its pixels, ready for ``json.dumps(..., allow_nan=False)``.

    Numbers that JSON does not know (NaN, infinity) become null. ``classes`` lists the
    labels that occur, largest share of the area first.
    """
    height, width = segmentation.labels.shape
    return _plain({
        "method": segmentation.method,
        "parameters": segmentation.params,
        "seed": segmentation.seed,
        "versions": {
            "segdemo": __version__,
            "torch": str(torch.__version__),
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "device": segmentation.device,
        "timings": segmentation.timings,
        "energy": {"name": segmentation.energy_name, "values": segmentation.energy},
        "facts": segmentation.facts,
        "notices": segmentation.notices,
        "size": {"height": height, "width": width},
        "classes": _classes(segmentation),
    })  # fmt: skip


def coco_rle(mask: np.ndarray) -> dict[str, list[int]]:
    """Uncompressed COCO run lengths of an (H, W) bool mask: ``{"size": [h, w], "counts": [...]}``.

    The mask is read column by column; counts alternate between runs of 0 and of 1,
    beginning with 0 (so a mask that begins with 1 has a first count of 0).
    Source: the COCO API's mask format, ``pycocotools.mask``.
    """
    height, width = mask.shape
    flat = np.asarray(mask, bool).ravel(order="F")
    turns = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    start = [0] if flat.size and flat[0] else []
    counts = np.diff(np.concatenate([[0], turns, [flat.size]]).astype(np.int64))
    return {"size": [height, width], "counts": start + counts.tolist()}


def coco_annotations(segmentation: Segmentation) -> list[dict[str, Any]]:
    """One COCO annotation per label that occurs: category, run lengths, area, box (x, y, w, h).

    ``category_id`` is the label; ``category`` repeats its name, since there is no
    category table beside the list.
    """
    annotations = []
    for label in np.unique(segmentation.labels).tolist():
        mask = segmentation.labels == label
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        box = [columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1]
        annotations.append({
            "id": len(annotations) + 1,
            "image_id": 1,
            "category_id": label,
            "category": segmentation.names[label],
            "segmentation": coco_rle(mask),
            "area": int(mask.sum()),
            "bbox": [int(value) for value in box],
            "iscrowd": 0,
        })  # fmt: skip
    return annotations


def save_npz(segmentation: Segmentation, path: str | PathLike) -> None:
    """Save labels (H, W), names (K,), palette (K, 3) and, if there are any, working_scores (K, h, w) as NPZ."""
    arrays = {"labels": segmentation.labels, "names": np.array(segmentation.names), "palette": segmentation.palette}
    if segmentation.working_scores is not None:
        arrays["working_scores"] = segmentation.working_scores
    with open(path, "wb") as file:  # an open file, for NumPy would add a suffix to a name
        np.savez_compressed(file, **arrays)


def _classes(segmentation: Segmentation) -> list[dict[str, Any]]:
    shares = segmentation.shares
    order = [k for k in np.argsort(-shares, kind="stable").tolist() if shares[k] > 0]
    return [
        {
            "label": k,
            "name": segmentation.names[k],
            "share": shares[k],
            "colour": "#" + bytes(np.asarray(segmentation.palette[k], np.uint8)).hex(),
        }
        for k in order
    ]  # fmt: skip


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", bits=8 if image.mode == "P" else None)
    return buffer.getvalue()


def _plain(value: Any) -> Any:
    """The value in JSON's own types: dictionaries, lists, strings, finite numbers, null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic, torch.Tensor)):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, (bool, int, str)) else str(value)
