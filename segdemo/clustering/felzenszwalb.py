"""Efficient graph-based segmentation: two regions grow together unless the border between them is plainly visible.

The pixels are the nodes of a graph, joined with their eight neighbours by edges whose weight w is the distance of
their colours. A region C has the internal difference Int(C), the largest weight of its minimum spanning tree; two
regions have the difference Dif, the smallest weight of an edge between them. A border is evident where

    Dif(C₁, C₂) > min(Int(C₁) + k / |C₁|, Int(C₂) + k / |C₂|).

Going through the edges from the lightest to the heaviest, and merging wherever there is no evident border, gives a
segmentation that is neither too fine nor too coarse by this measure (theorems 1 and 2), in almost linear time.

Reference:
    P. F. Felzenszwalb, D. P. Huttenlocher, Efficient graph-based image segmentation, IJCV 59 (2004).
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numba
import numpy as np
from pydantic import Field

from ..method import Params, Run, method
from ..segmentation import Picture, Segmentation
from ..strips import in_strips
from .connectivity import find_root
from .features import draw_boundaries, mean_colours, paint, rank_by_area

UNIT = 8192  # weights are whole numbers of 1/8192 of a grey level: sorted exactly, and alike on every machine
DIGIT = 11  # bits by which a pass sorts; two passes hold the largest weight, √3 · 255 · 8192 < 2²²

_compiled = numba.njit(cache=True, nogil=True)


class FelzenszwalbParams(Params):
    scale: float = Field(300.0, ge=0, le=3000, description="scale k: the higher, the larger the regions")
    sigma: float = Field(0.8, ge=0, le=5, description="blur before, in pixels, against noise")
    smallest_region: int = Field(60, ge=1, le=5000, description="in pixels; smaller regions join a neighbour")


class Edges(NamedTuple):
    """The edges of a pixel graph, from the lightest to the heaviest: ``numbers`` and ``weights`` (E,) int32.

    Edge number ``4 · pixel + d`` goes from the pixel (flat index) to the right, below, below right or below left.
    ``offsets`` (4,) int64 is what these four add to the flat index.
    """

    numbers: np.ndarray
    weights: np.ndarray
    offsets: np.ndarray


class Forest(NamedTuple):
    """Regions of pixels as a union-find forest, changed in place.

    ``parent`` (N,) int32; of a root, ``sizes`` (N,) int32 in pixels and ``limits`` (N,) float64, Int(C) + k / |C|.
    """

    parent: np.ndarray
    sizes: np.ndarray
    limits: np.ndarray


@_compiled
def weigh_rows(image: np.ndarray, first: int, last: int, weights: np.ndarray) -> None:
    """Write the weights of the edges from the rows ``first`` to ``last`` to (h, w, 4) int32; −1 where there is none."""
    height, width, channels = image.shape
    for y in range(first, last):
        for x in range(width):
            for d, (v, u) in enumerate(((y, x + 1), (y + 1, x), (y + 1, x + 1), (y + 1, x - 1))):
                if v < height and 0 <= u < width:
                    squared = np.float32(0)
                    for channel in range(channels):
                        squared += (image[y, x, channel] - image[v, u, channel]) ** 2
                    weights[y, x, d] = int(np.sqrt(squared) * np.float32(UNIT) + np.float32(0.5))
                else:
                    weights[y, x, d] = -1


@_compiled
def sort_pass(
    numbers: np.ndarray, weights: np.ndarray, shift: int, sorted_numbers: np.ndarray, sorted_weights: np.ndarray
):
    """One stable pass of radix sort, by ``DIGIT`` bits of the weights from bit ``shift`` on."""
    mask, place = (1 << DIGIT) - 1, np.zeros((1 << DIGIT) + 1, np.int64)
    for weight in weights:
        place[((weight >> shift) & mask) + 1] += 1
    place = np.cumsum(place)
    for i in range(len(weights)):
        digit = (weights[i] >> shift) & mask
        sorted_numbers[place[digit]], sorted_weights[place[digit]] = numbers[i], weights[i]
        place[digit] += 1


def sorted_edges(image: np.ndarray) -> Edges:
    """The edges of an (h, w, C) float32 image with values in 0..255, by rising weight, equal ones in reading order."""
    height, width = image.shape[:2]
    weights = np.empty((height, width, 4), np.int32)
    in_strips(lambda _, first, last: weigh_rows(image, first, last, weights), height, min(height, 8))
    weights = weights.ravel()
    numbers = np.flatnonzero(weights >= 0).astype(np.int32)
    weights = weights[numbers]
    other_numbers, other_weights = np.empty_like(numbers), np.empty_like(weights)
    sort_pass(numbers, weights, 0, other_numbers, other_weights)
    sort_pass(other_numbers, other_weights, DIGIT, numbers, weights)
    return Edges(numbers, weights, np.array([1, width, width + 1, width - 1]))


@_compiled
def join(parent: np.ndarray, sizes: np.ndarray, i: int, j: int) -> int:
    """Make one region of the roots i and j; returns its root, which is that of the larger one."""
    if sizes[i] < sizes[j]:
        i, j = j, i
    parent[j] = i
    sizes[i] += sizes[j]
    return i


@_compiled
def merge_alike(edges, first: int, last: int, forest, scale: float) -> int:
    """Merge along the edges ``first`` to ``last`` wherever no border is evident; returns the number of merges.

    ``scale`` is k in units of the weights.
    """
    (numbers, weights, offsets), (parent, sizes, limits) = edges, forest
    merges = 0
    for e in range(first, last):
        pixel = numbers[e] >> 2
        i, j = find_root(parent, pixel), find_root(parent, pixel + offsets[numbers[e] & 3])
        if i != j and weights[e] <= min(limits[i], limits[j]):
            root = join(parent, sizes, i, j)
            limits[root] = weights[e] + scale / sizes[root]  # the heaviest edge so far is Int of the merged region
            merges += 1
    return merges


@_compiled
def merge_small(edges, forest, smallest: int) -> None:
    """Merge along every edge of which one region has fewer than ``smallest`` pixels."""
    (numbers, _, offsets), (parent, sizes, _) = edges, forest
    for number in numbers:
        i, j = find_root(parent, number >> 2), find_root(parent, (number >> 2) + offsets[number & 3])
        if i != j and (sizes[i] < smallest or sizes[j] < smallest):
            join(parent, sizes, i, j)


@_compiled
def number_regions(parent: np.ndarray) -> tuple[np.ndarray, int]:
    """The region of each pixel, (N,) int32 numbered in reading order, and how many there are."""
    numbers, labels, count = np.full(len(parent), -1, np.int32), np.empty(len(parent), np.int32), 0
    for pixel in range(len(parent)):
        root = find_root(parent, pixel)
        if numbers[root] < 0:
            numbers[root] = count
            count += 1
        labels[pixel] = numbers[root]
    return labels, count


def single_pixels(count: int, scale: float) -> Forest:
    """Every pixel a region of its own: Int = 0, |C| = 1."""
    return Forest(np.arange(count, dtype=np.int32), np.ones(count, np.int32), np.full(count, float(scale)))


def stages(edges: Edges) -> list[tuple[float, int]]:
    """Weights, in grey levels, at which the replay looks, each twice the one before, and how many edges are no heavier."""
    weights = edges.weights
    if len(weights) == 0:
        return [(0.0, 0)]
    low, high = max(weights[len(weights) // 2] / 4, UNIT / 8), weights[-1]
    bounds = low * 2.0 ** np.arange(max(int(np.ceil(np.log2(max(high / low, 1)))), 0) + 1)
    return [(bound / UNIT, int(np.searchsorted(weights, bound, "right"))) for bound in bounds]


def smoothed(image: np.ndarray, sigma: float) -> np.ndarray:
    """The (h, w, 3) uint8 image as float32 0..255, blurred."""
    values = image.astype(np.float32)
    return cv2.GaussianBlur(values, (0, 0), sigma) if sigma > 0 else values


@method("felzenszwalb", family="clustering", title="Felzenszwalb–Huttenlocher", params=FelzenszwalbParams, order=15)
def felzenszwalb(image: np.ndarray, params: FelzenszwalbParams, run: Run) -> Segmentation:
    """Felzenszwalb and Huttenlocher's graph-based segmentation merges regions between which no border is evident.

    A border is evident when even its weakest edge is stronger than what varies inside the regions, plus a tolerance
    k / size for small ones. The number of regions follows from the photo. The frames show the regions, in their mean
    colours, as heavier and heavier edges are looked at.
    """
    shape = image.shape[:2]
    with run.time("graph"):
        edges = sorted_edges(smoothed(image, params.sigma))
    forest, done = single_pixels(shape[0] * shape[1], params.scale * UNIT), 0
    looks = stages(edges)
    for number, (level, last) in enumerate(looks, start=1):
        run.step(0.3 + 0.6 * number / len(looks), f"edges up to {level:.3g} grey levels")
        with run.time("merging"):
            merge_alike(tuple(edges), done, last, tuple(forest), params.scale * UNIT)
        done = last
        if run.keep_frames:
            labels, count = number_regions(forest.parent)
            colours = paint(mean_colours(image, labels, count), labels.reshape(shape))
            run.frame(f"edges up to {level:.3g} grey levels: {count} regions", image=colours, energy=count)
    with run.time("merging"):
        merge_small(tuple(edges), tuple(forest), params.smallest_region)
        labels, count = number_regions(forest.parent)
        labels = rank_by_area(labels, count)[labels].reshape(shape)
    palette = mean_colours(image, labels, count)
    colours = paint(palette, labels)
    run.frame(f"regions below {params.smallest_region} pixels joined: {count} regions", labels, colours, energy=count)
    return Segmentation(
        labels,
        ["region 1 (largest)", *(f"region {k + 1}" for k in range(1, count))],
        palette,
        energy_name="regions",
        opacity=1.0,
        pictures=[
            Picture("boundaries", draw_boundaries(image, labels), "The regions' boundaries on the photo."),
            Picture("mean colours", colours, "Each region in its mean colour."),
        ],
        facts={
            "regions": count,
            "edges": len(edges.weights),
            "largest region, part of the photo": round(float((labels == 0).mean()), 3),
            "median size of a region in pixels": float(np.median(np.bincount(labels.ravel(), minlength=count))),
        },
    )
