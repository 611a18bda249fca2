"""A method's scores over a folder of photos with masks, through the same engine as everything else."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .engine import Engine
from .errors import ParameterError
from .labels import VOC21
from .method import get_method
from .metrics import boundary_f, confusion, iou, mean_iou, mean_iou_seven, pixel_accuracy, support
from .train.dataset import list_names, read_photo


def evaluate(
    engine: Engine, method: str, folder: Path, split: str = "val", limit: int = 0, on_photo=None, **params: Any
) -> dict:
    """Score a network on a VOC-like folder; one confusion matrix is summed over all its photos.

    Args:
        limit: use only so many photos, 0 = all.
        on_photo: called with (number done, number of all).

    Returns a dict with ``iou`` and ``support`` (21 values each, in the order of VOC's classes; IoU None
    for a class that neither occurs nor is predicted), ``miou7``, ``miou``, ``pixel_accuracy``,
    ``boundary_f``, ``photos`` and ``seconds_per_photo`` (the first includes loading the network). Raises ``ParameterError`` for a method
    without VOC labels, or a folder without the split or one of its photos and masks.
    """
    if get_method(method).family != "networks":
        raise ParameterError(f"{method} gives no VOC classes; evaluate takes a network")
    names = _read(list_names, folder, split)[: max(limit, 0) or None]
    if not names:
        raise ParameterError(f"the split {split!r} of {folder} lists no photos")
    total = np.zeros((len(VOC21), len(VOC21)), np.int64)
    outlines, seconds = [], 0.0
    for number, name in enumerate(names):
        photo = _read(read_photo, folder, name)
        start = time.perf_counter()
        result = engine.run(method, photo.image, keep_frames=False, **params)
        seconds += time.perf_counter() - start
        if tuple(result.names) != VOC21.names:
            raise ParameterError(f"{method} was asked for other labels than VOC's; leave --labels at voc to score it")
        total += confusion(result.labels, photo.mask, len(VOC21))
        outlines.append(boundary_f(result.labels, photo.mask))
        if on_photo is not None:
            on_photo(number + 1, len(names))
    return {
        "iou": [None if np.isnan(value) else round(float(value), 4) for value in iou(total)],
        "support": support(total).tolist(),
        "miou7": round(float(mean_iou_seven(total)), 4),
        "miou": round(float(mean_iou(total)), 4),
        "pixel_accuracy": round(float(pixel_accuracy(total)), 4),
        "boundary_f": round(float(np.nanmean(outlines)), 4),
        "photos": len(names),
        "seconds_per_photo": round(seconds / len(names), 3),
    }


def _read(reader: Callable, folder: Path, name: str) -> Any:
    """What ``reader(folder, name)`` returns; ``ParameterError`` when a file is missing, damaged or of the wrong size."""
    try:
        return reader(folder, name)
    except (OSError, ValueError) as error:
        raise ParameterError(str(error)) from None


def table(scores: dict) -> str:
    """The scores as text: one line per class, then the summary."""
    lines = [f"{'class':<14}{'IoU':>8}{'pixels':>12}"]
    for name, value, pixels in zip(VOC21.names, scores["iou"], scores["support"], strict=True):
        lines.append(f"{name:<14}{'-' if value is None else f'{value:.4f}':>8}{pixels:>12}")
    lines.append(
        f"mIoU-7 {scores['miou7']:.4f}   mIoU {scores['miou']:.4f}   pixel accuracy {scores['pixel_accuracy']:.4f}   "
        f"boundary F {scores['boundary_f']:.4f}   {scores['photos']} photos, {scores['seconds_per_photo']} s each"
    )
    return "\n".join(lines)
