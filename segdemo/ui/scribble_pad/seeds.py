"""From the pad's strokes to seeds, and label maps as strokes of the pad."""

from __future__ import annotations

import json
from typing import Any

import cv2
import numpy as np

from ...errors import ScribbleError
from ...graphcut.scribbles import fit_scribbles
from ...image import MAX_PIXELS
from ...segmentation import resize_nearest

MAX_LABEL = 8
MAX_POINTS = 200_000
MAX_RUNS = 100_000


def rasterize(value: Any, size: tuple[int, int], labels: int = MAX_LABEL) -> np.ndarray:
    """The pad's strokes as an (H, W) uint8 seed map, 0 = none.

    Where strokes cross, the later one counts: a pixel has one seed, never two that contradict each other.
    All that lies outside a box is a stroke of its label.
    Strokes of labels above ``labels`` are left out, as if they had never been drawn.

    Raises ``ScribbleError`` if ``value`` is not what the pad sends.
    """
    seeds = np.zeros(size, np.uint8)
    try:
        strokes = strokes_of(value)
        if sum(len(stroke.get("points", ())) for stroke in strokes) > MAX_POINTS:
            raise ScribbleError("These are more strokes than the pad can hold; press Clear and draw fewer.")
        for stroke in strokes:
            if "runs" in stroke:
                loaded = unpack_map(stroke, size)
                seeds[:] = np.where(loaded <= labels, loaded, 0)
            elif _label_of(stroke) <= labels:
                (_draw_outside if "box" in stroke else _draw)(seeds, stroke)
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError) as error:
        raise ScribbleError(f"The scribbles could not be read ({error}); press Clear and draw them again.") from None
    return seeds


def seeds_on(photo_key: str, value: Any, size: tuple[int, int], labels: int = MAX_LABEL) -> np.ndarray:
    """``rasterize`` for the photo of that content key: between a new photo and its pad lie some moments.

    Raises ``ScribbleError`` also when the strokes were drawn on another photo.
    """
    seeds = rasterize(value, size, labels)
    drawn_on = _read(value).get("key") if seeds.any() else ""
    if drawn_on and drawn_on != photo_key:
        raise ScribbleError("These scribbles were drawn on another photo: wait until the pad shows this one.")
    return seeds


def _read(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value else value


def strokes_of(value: Any) -> list[dict[str, Any]]:
    """The strokes in the pad's value, JSON or read already; whatever ``value`` lacks of its form is an error."""
    value = _read(value)
    return value["strokes"] if value else []


def labels_drawn(value: Any, labels: int) -> set[int]:
    """The labels 1..labels that the pad's strokes have, some of which may since have been erased."""
    drawn: set[int] = set()
    for stroke in strokes_of(value):
        drawn.update(stroke["runs"][::2] if "runs" in stroke else [stroke["label"]])
    return drawn & set(range(1, labels + 1))


def _label_of(stroke: dict[str, Any]) -> int:
    label = int(stroke["label"])
    if not 0 <= label <= MAX_LABEL:
        raise ValueError(f"there is no label {label}")
    return label


def _draw(seeds: np.ndarray, stroke: dict[str, Any]) -> None:
    """Draw one line with round ends onto the seeds; a dot is a line too."""
    height, width = seeds.shape
    points = np.asarray(stroke["points"], float).reshape(-1, 2) * (width, height) - 0.5
    points = np.clip(points, -(2**15), 2**15).round().astype(np.int32)
    thickness = int(np.clip(round(float(stroke["size"]) * max(seeds.shape)), 1, 2000))
    cv2.polylines(seeds, [np.vstack([points, points[-1:]])], False, _label_of(stroke), thickness)


def _draw_outside(seeds: np.ndarray, stroke: dict[str, Any]) -> None:
    """Give the label to all pixels whose middle lies outside a box; what is inside stays."""
    height, width = seeds.shape
    left, top, right, bottom = (float(part) for part in stroke["box"])
    y, x = (np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width
    inside = ((y > top) & (y < bottom))[:, None] & ((x > left) & (x < right))
    seeds[~inside] = _label_of(stroke)


def pack_map(labels: np.ndarray) -> dict[str, Any]:
    """(h, w) labels as ``{"width", "height", "runs": [label, count, label, count, ...]}``, row by row."""
    flat = labels.ravel()
    starts = np.append(0, np.flatnonzero(np.diff(flat)) + 1)
    counts = np.diff(np.append(starts, flat.size))
    if len(starts) > MAX_RUNS:
        raise ScribbleError("These scribbles are too scattered for the pad: load a map of fewer, larger strokes.")
    runs = np.stack([flat[starts], counts], axis=1).ravel().tolist()
    return {"width": labels.shape[1], "height": labels.shape[0], "runs": runs}


def unpack_map(stroke: dict[str, Any], size: tuple[int, int]) -> np.ndarray:
    """The map of ``pack_map`` brought to ``size`` = (H, W), uint8; ``ValueError`` if it is not one."""
    width, height = int(stroke["width"]), int(stroke["height"])
    runs = np.asarray(stroke["runs"], np.int64).reshape(-1, 2)
    labels, counts = runs.T
    if not 0 < width * height <= MAX_PIXELS or (counts < 0).any() or counts.sum() != width * height:
        raise ValueError("the runs of a map do not fill it")
    if labels.min() < 0 or labels.max() > MAX_LABEL:
        raise ValueError(f"a map's labels are 0 to {MAX_LABEL}")
    loaded = np.repeat(labels.astype(np.uint8), counts).reshape(height, width)
    if loaded.shape == tuple(size):
        return loaded
    if height >= size[0] and width >= size[1]:
        return fit_scribbles(loaded, loaded.shape, size)
    return resize_nearest(loaded, size)
