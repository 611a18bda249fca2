"""What every method returns: a label map, and all that a class wants to see of how it came about."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np

ENERGY = "{energy}"
"""Stands in a caption for the energy after the step, which is written as its neighbours in the curve ask for."""


@dataclass
class Frame:
    """One step of a method's replay, at working size (h, w).

    Attributes:
        caption: one line, e.g. ``f"iteration 3: objective {ENERGY}"``.
        labels: (h, w) integer labels after this step, in the palette of the segmentation.
        image: (h, w, 3) uint8 to show instead of the photo (for example mean colours).
        maps: named (h, w) float maps in [0, 1] that belong to this step (for example beliefs).
        step: the number of this step among all that the method took, of which a replay may leave out some, 0 for what
            they start from; None where none is left out.
        is_after: whether this follows upon the steps that are counted, as SLIC's connectivity upon its iterations.
    """

    caption: str
    labels: np.ndarray | None = None
    image: np.ndarray | None = None
    maps: dict[str, np.ndarray] = field(default_factory=dict)
    step: int | None = None
    is_after: bool = False


@dataclass
class Picture:
    """A picture beside the result: an eigenvector, a unary map, the edge map.

    ``image`` is (h, w, 3) uint8; ``note`` says in one sentence how to read it.
    """

    title: str
    image: np.ndarray
    note: str = ""


@dataclass
class Segmentation:
    """The outcome of one method on one photo of H x W pixels.

    Attributes:
        labels: (H, W) integer, 0..K-1, at the size of the photo.
        names: K label names.
        palette: (K, 3) uint8 RGB.
        working_scores: (K, h, w) float32 probabilities at working size, or None. They and the palette may be read-only.
        frames: the replay, may be empty.
        energy: the objective after each frame, same length as ``frames``, or empty.
        energy_name: what ``energy`` measures, with its unit.
        step_names: what the method calls one and many of its steps.
        pictures: further pictures, in the order to show them.
        facts: single values worth showing (``{"cut edges": 812}``).
        notices: sentences the visitor should read (``"ran on the CPU because ..."``).
        timings: seconds per stage, in order.
        opacity: how opaque the mask is best shown at first, 1 where the palette is the photo's own colours.
        title: what the result is called; the method's title where the method says nothing else.
        method, params, seed, device: filled in by the engine.
        spared: seconds that the run did not take as some of it was kept from earlier runs; by the engine, too.
    """

    labels: np.ndarray
    names: list[str]
    palette: np.ndarray
    working_scores: np.ndarray | None = None
    frames: list[Frame] = field(default_factory=list)
    energy: list[float] = field(default_factory=list)
    energy_name: str = "energy"
    step_names: tuple[str, str] = ("step", "steps")
    pictures: list[Picture] = field(default_factory=list)
    facts: dict[str, float | int | str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)
    opacity: float = 0.6
    title: str = ""
    method: str = ""
    params: dict = field(default_factory=dict)
    seed: int = 0
    device: str = "cpu"
    spared: float = 0.0

    @cached_property
    def scores(self) -> np.ndarray | None:
        """(K, H, W) float32 probabilities at the size of the photo, or None; made on first use."""
        if self.working_scores is None:
            return None
        return resize_scores(self.working_scores, self.labels.shape)

    @cached_property
    def shares(self) -> np.ndarray:
        """(K,) float64: the part of the photo's area that each label covers, summing to 1."""
        counts = np.bincount(self.labels.ravel(), minlength=len(self.names))
        return counts / self.labels.size


def resize_scores(scores: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Bilinear resize of (K, h, w) probabilities to (K, H, W) float32; they still sum to 1."""
    height, width = size
    if scores.shape[1:] == (height, width):
        return np.asarray(scores, np.float32)
    return np.stack([
        cv2.resize(np.asarray(plane, np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        for plane in scores
    ])  # fmt: skip


def resize_nearest(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Nearest-neighbour resize of (h, w) integers to (H, W), same dtype."""
    height, width = size
    rows = (np.arange(height) + 0.5) * labels.shape[0] / height
    columns = (np.arange(width) + 0.5) * labels.shape[1] / width
    return labels[rows.astype(np.intp)[:, None], columns.astype(np.intp)[None, :]]


def enlarge_labels(planes: np.ndarray, size: tuple[int, int], count: int) -> np.ndarray:
    """Bring labels to (H, W) with smooth borders, int32.

    ``planes`` is either (K, h, w) probabilities or (h, w) integer labels in 0..count-1; each
    label's plane is enlarged bilinearly and the largest wins. For integers beyond 64 labels
    (superpixels) nearest neighbour is used. One plane at a time keeps memory independent of K.
    """
    hard = planes.ndim == 2
    if hard and count > 64:
        return resize_nearest(planes, size).astype(np.int32)
    height, width = size
    labels = np.zeros(size, np.int32)
    best = np.full(size, -1.0, np.float32)
    for label in range(count):
        plane = (planes == label).astype(np.float32) if hard else np.asarray(planes[label], np.float32)
        plane = cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR)
        wins = plane > best
        labels[wins] = label
        best[wins] = plane[wins]
    return labels


def heatmap(values: np.ndarray, low: float | None = None, high: float | None = None) -> np.ndarray:
    """Colour an (h, w) float map with viridis, (h, w, 3) uint8 RGB.

    ``low`` and ``high`` are the values at the two ends of the scale (default: the
    map's own); a constant map comes out as the lower end. NaN and minus infinity count as low, infinity as high.
    """
    values = np.asarray(values, np.float64)
    finite = values[np.isfinite(values)]
    low = (float(finite.min()) if finite.size else 0.0) if low is None else low
    high = (float(finite.max()) if finite.size else 1.0) if high is None else high
    span = high - low if high > low else 1.0
    scaled = np.clip(np.nan_to_num((values - low) / span, nan=0.0, posinf=1.0, neginf=0.0), 0, 1)
    return cv2.applyColorMap((scaled * 255).round().astype(np.uint8), cv2.COLORMAP_VIRIDIS)[..., ::-1].copy()
