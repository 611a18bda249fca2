"""SLIC: k-means in colour and position, searched only nearby, gives superpixels in linear time.

A superpixel is a small connected group of similar pixels that respects the edges of the
photo. Its centre is c = (L, a, b, row, column); a pixel's distance to it is

    D² = ‖Lab − Lab_c‖² + (m / S)² ‖position − position_c‖²

with the seeds' spacing S and the compactness m.

Reference:
    R. Achanta, A. Shaji, K. Smith, A. Lucchi, P. Fua, S. Süsstrunk, SLIC superpixels compared
    to state-of-the-art superpixel methods, IEEE Trans. PAMI 34 (2012), algorithm 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numba
import numpy as np
from pydantic import Field
from scipy.sparse import coo_matrix, csr_matrix

from ..method import Params, Run, method
from ..segmentation import Picture, Segmentation
from .features import draw_boundaries, lab_colours, mean_colours, region_means

SMALLEST = 1 / 4  # components below this part of S² are merged into a neighbour


class SlicParams(Params):
    superpixels: int = Field(300, ge=4, le=4000, description="number of superpixels aimed at")
    compactness: float = Field(10.0, ge=0.5, le=80, description="weight m of the position: higher is squarer")
    iterations: int = Field(10, ge=1, le=30, description="rounds of assignment and update")


class SlicStep(NamedTuple):
    """One iteration: ``labels`` (h, w) int32 nearest centres and their mean squared distance D² per pixel.

    ``movement`` is the mean way, in pixels, that the centres then went to their clusters' means.
    """

    labels: np.ndarray
    objective: float
    movement: float


def seed_grid(lab: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, float]:
    """About ``count`` seeds on a grid, each moved to the lowest gradient of its 3 x 3 neighbours.

    Takes (h, w, 3) float32 Lab. Returns centres (K, 5) as L, a, b, row, column; the labels
    (h, w) int32 of the grid's cells; the spacing S in pixels.
    """
    height, width = lab.shape[:2]
    spacing = np.sqrt(height * width / min(count, height * width))
    rows = int(np.clip(round(height / spacing), 1, height))
    columns = int(np.clip(round(min(count, height * width) / rows), 1, width))
    cell_row = np.arange(height) * rows // height
    cell_column = np.arange(width) * columns // width
    row, column = np.divmod(np.arange(rows * columns), columns)
    row = (row * 2 + 1) * height // (2 * rows)
    column = (column * 2 + 1) * width // (2 * columns)
    if spacing >= 4:  # closer seeds could meet in one pixel
        row, column = lowest_gradient(lab, row, column)
    centres = np.column_stack([lab[row, column], row, column]).astype(np.float64)
    return centres, (cell_row[:, None] * columns + cell_column).astype(np.int32), max(height / rows, width / columns)


def lowest_gradient(lab: np.ndarray, row: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move each (row, column) to where the Lab gradient is lowest among the 3 x 3 pixels around it."""
    height, width = lab.shape[:2]
    padded = np.pad(lab, ((1, 1), (1, 1), (0, 0)), mode="edge")
    down, right = padded[2:, 1:-1] - padded[:-2, 1:-1], padded[1:-1, 2:] - padded[1:-1, :-2]
    gradient = (down**2).sum(2) + (right**2).sum(2)
    near = [(0, 0), (-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]
    rows = np.stack([np.clip(row + dy, 0, height - 1) for dy, _ in near])
    columns = np.stack([np.clip(column + dx, 0, width - 1) for _, dx in near])
    best = gradient[rows, columns].argmin(0), np.arange(len(row))
    return rows[best], columns[best]


@numba.njit(cache=True, nogil=True)
def assign_nearby(lab: np.ndarray, centres: np.ndarray, labels: np.ndarray, spacing: float, weight: float) -> float:
    """Give each pixel the nearest centre whose 2S x 2S window it lies in; changes ``labels`` in place.

    ``weight`` is (m / S)². Every pixel starts with the centre it has, so that it keeps one
    when no window reaches it, and so that the returned sum of D² never rises.
    """
    height, width = labels.shape
    nearest = np.empty((height, width), np.float32)
    for y in range(height):
        for x in range(width):
            c = centres[labels[y, x]]
            colour = (lab[y, x, 0] - c[0]) ** 2 + (lab[y, x, 1] - c[1]) ** 2 + (lab[y, x, 2] - c[2]) ** 2
            nearest[y, x] = colour + weight * ((y - c[3]) ** 2 + (x - c[4]) ** 2)
    for k in range(len(centres)):
        light, a, b, row, column = centres[k]
        for y in range(max(int(np.ceil(row - spacing)), 0), min(int(row + spacing) + 1, height)):
            for x in range(max(int(np.ceil(column - spacing)), 0), min(int(column + spacing) + 1, width)):
                colour = (lab[y, x, 0] - light) ** 2 + (lab[y, x, 1] - a) ** 2 + (lab[y, x, 2] - b) ** 2
                distance = np.float32(colour + weight * ((y - row) ** 2 + (x - column) ** 2))
                if distance < nearest[y, x]:
                    nearest[y, x] = distance
                    labels[y, x] = k
    total = 0.0
    for y in range(height):
        for x in range(width):
            total += nearest[y, x]
    return total


def slic_iterations(lab: np.ndarray, count: int, compactness: float, iterations: int) -> Iterator[SlicStep]:
    """The clustering part of SLIC on (h, w, 3) float32 Lab: yields every iteration.

    The labels are those of the seeds; a cluster may still fall into several pieces.
    """
    centres, labels, spacing = seed_grid(lab, count)
    positions = np.indices(labels.shape, np.float32).transpose(1, 2, 0)
    values = np.concatenate([lab, positions], axis=2)  # (h, w, 5)
    for _ in range(iterations):
        total = assign_nearby(lab, centres, labels, spacing, (compactness / spacing) ** 2)
        means = region_means(values, labels, len(centres))
        filled = np.bincount(labels.ravel(), minlength=len(centres)) > 0
        means[~filled] = centres[~filled]
        movement = float(np.hypot(*(means - centres)[:, 3:].T).mean())
        centres = means
        yield SlicStep(labels.copy(), total / labels.size, movement)


@numba.njit(cache=True, nogil=True)
def connected_components(labels: np.ndarray) -> tuple[np.ndarray, int]:
    """Number the 4-connected regions of equal label in reading order: (h, w) int32 and how many there are."""
    height, width = labels.shape
    components = np.full((height, width), -1, np.int32)
    stack = np.empty((height * width, 2), np.int64)
    count = 0
    for row in range(height):
        for column in range(width):
            if components[row, column] >= 0:
                continue
            components[row, column] = count
            stack[0, 0], stack[0, 1], top = row, column, 1
            while top > 0:
                top -= 1
                y, x = stack[top]
                for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                    if 0 <= v < height and 0 <= u < width and components[v, u] < 0 and labels[v, u] == labels[y, x]:
                        components[v, u] = count
                        stack[top, 0], stack[top, 1] = v, u
                        top += 1
            count += 1
    return components, count


def border_lengths(labels: np.ndarray, count: int) -> csr_matrix:
    """Length of the common border of each two regions, in pixel edges: symmetric (count, count) sparse int32."""
    pairs = [(labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:])]
    first, second = (np.concatenate([pair[side].ravel() for pair in pairs]) for side in (0, 1))
    differ = first != second
    ones = np.ones(np.count_nonzero(differ), np.int32)
    borders = coo_matrix((ones, (first[differ], second[differ])), shape=(count, count)).tocsr()
    return (borders + borders.T).tocsr()


@numba.njit(cache=True, nogil=True)
def merge_small(
    sizes: np.ndarray, starts: np.ndarray, neighbours: np.ndarray, lengths: np.ndarray, smallest: float
) -> np.ndarray:
    """Join each region below ``smallest`` pixels to the neighbour with the longest common border.

    The graph is in compressed rows: region i has ``neighbours[starts[i]:starts[i + 1]]``.
    Returns the joined region of each region, (n,) int32; ``sizes`` is changed.
    """
    root = np.arange(len(sizes), dtype=np.int32)
    joined = True
    while joined:  # a joined region that is still too small looks for a neighbour again
        joined = False
        for i in range(len(sizes)):
            mine = i
            while root[mine] != mine:
                mine = root[mine]
            root[i] = mine
            longest, target = 0, mine
            for edge in range(starts[i], starts[i + 1] if sizes[mine] < smallest else starts[i]):
                other = neighbours[edge]
                while root[other] != other:
                    other = root[other]
                if other != mine and lengths[edge] > longest:
                    longest, target = lengths[edge], other
            if target != mine:
                root[mine] = target
                sizes[target] += sizes[mine]
                joined = True
    return root


def enforce_connectivity(labels: np.ndarray, smallest: float) -> np.ndarray:
    """Make every label one 4-connected region of at least ``smallest`` pixels, (h, w) int32, numbered 0..n-1.

    Pieces of a label that are large enough become labels of their own; smaller ones join a neighbour.
    """
    components, count = connected_components(labels)
    borders = border_lengths(components, count)
    sizes = np.bincount(components.ravel(), minlength=count)
    root = merge_small(sizes, borders.indptr, borders.indices, borders.data, smallest)
    _, number = np.unique(root, return_inverse=True)
    return number.astype(np.int32)[components]


def slic_superpixels(lab: np.ndarray, count: int = 300, compactness: float = 10.0, iterations: int = 10) -> np.ndarray:
    """About ``count`` superpixels of an (h, w, 3) float32 Lab image: (h, w) int32, 0..n-1, each 4-connected."""
    for step in slic_iterations(lab, count, compactness, iterations):
        labels = step.labels
    return enforce_connectivity(labels, SMALLEST * labels.size / min(count, labels.size))


def final_labels(clusters: np.ndarray, superpixels: np.ndarray, count: int) -> np.ndarray:
    """(count,) for each cluster the superpixel that it shares most pixels with: paints the frames like the result."""
    shape = count, int(superpixels.max()) + 1
    pairs = clusters.ravel(), superpixels.ravel()
    overlap = coo_matrix((np.ones(clusters.size, np.int32), pairs), shape=shape).tocsr()
    return np.asarray(overlap.argmax(axis=1)).ravel().astype(np.int32)


@method("slic", family="clustering", title="SLIC superpixels", params=SlicParams, order=10)
def slic(image: np.ndarray, params: SlicParams, run: Run) -> Segmentation:
    """SLIC groups the pixels into small connected regions of similar colour, the superpixels.

    It is k-means in Lab colour and position, started from a grid; each centre looks only at a
    window of twice the seeds' spacing, so that the time does not depend on their number.
    """
    with run.time("features"):
        lab = lab_colours(image)
    steps = []
    with run.time("clustering"):
        for step in slic_iterations(lab, params.superpixels, params.compactness, params.iterations):
            steps.append(step)
            run.step(len(steps) / params.iterations, f"iteration {len(steps)}")
    with run.time("connectivity"):
        pixels = lab.shape[0] * lab.shape[1]
        labels = enforce_connectivity(steps[-1].labels, SMALLEST * pixels / min(params.superpixels, pixels))
    count = int(labels.max()) + 1
    palette = mean_colours(image, labels, count)
    if run.keep_frames:
        painted_as = final_labels(steps[-1].labels, labels, max(int(step.labels.max()) for step in steps) + 1)
        for number, step in enumerate(steps, start=1):
            caption = f"iteration {number}: mean D² {step.objective:.4g}, centres moved {step.movement:.2f} px"
            run.frame(caption, painted_as[step.labels], energy=step.objective)
        run.frame("connectivity enforced: stray pieces join a neighbour", labels, energy=steps[-1].objective)
    return Segmentation(
        labels,
        [f"superpixel {k + 1}" for k in range(count)],
        palette,
        energy_name="mean squared distance D² per pixel",
        pictures=[
            Picture("boundaries", draw_boundaries(image, labels), "The superpixels' boundaries on the photo."),
            Picture("mean colours", palette[labels], "Each superpixel in its mean colour: what is lost is little."),
        ],
        facts={
            "superpixels": count,
            "seed spacing S in pixels": round(float(np.sqrt(pixels / min(params.superpixels, pixels))), 1),
            "movement of the centres in the last iteration, in pixels": round(steps[-1].movement, 3),
            "pixels per superpixel": round(pixels / count, 1),
        },
    )
