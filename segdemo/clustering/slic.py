"""SLIC: k-means in colour and position, searched only nearby, gives superpixels in linear time.

A superpixel is a small connected group of similar pixels that respects the edges of the
photo. Its centre is c = (L, a, b, row, column); a pixel's distance to it is

    D² = ‖Lab − Lab_c‖² + (m / S)² ‖position − position_c‖²

with the seeds' spacing S and the compactness m. The adaptive version (SLICO) asks for no m:

    D² = ‖Lab − Lab_c‖² / m_c² + ‖position − position_c‖² / S²

where m_c is the largest colour distance seen in the cluster so far, so that superpixels are as
regular in texture as in smooth parts.

Reference:
    R. Achanta, A. Shaji, K. Smith, A. Lucchi, P. Fua, S. Süsstrunk, SLIC superpixels compared
    to state-of-the-art superpixel methods, IEEE Trans. PAMI 34 (2012), algorithm 1 and section 4.5;
    the adaptive version is that of the authors' program SLICO.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from pydantic import Field
from scipy.sparse import coo_matrix

from ..lab import LAB_TABLES, lab_colours
from ..method import Params, Run, method
from ..segmentation import ENERGY, Picture, Segmentation
from ..strips import in_strips
from .connectivity import enforce_connectivity
from .features import draw_boundaries, mean_colours, paint
from .slic_tiles import Tiles, add_up, cut_tiles, cut_tiles_of_rgb, empty_tiles, join_tiles, search_tiles

SMALLEST = 1 / 4  # components below this part of a superpixel's mean size N / K are merged into a neighbour
STRIPS = 8  # as many partial sums on every machine, so that the results are alike


class SlicParams(Params):
    superpixels: int = Field(300, ge=4, le=4000, description="number of superpixels aimed at")
    compactness: float = Field(10.0, ge=0.5, le=80, description="weight m of the position: higher is squarer")
    adaptive: bool = Field(False, description="SLICO: every superpixel finds its own compactness")
    iterations: int = Field(10, ge=1, le=30, description="rounds of assignment and update")


class SlicStep(NamedTuple):
    """One iteration: ``labels`` (h, w) int32 nearest centres and their mean squared distance D² per pixel.

    ``movement`` is the mean way, in pixels, that the centres then went to their clusters' means. ``compactness`` (K,)
    float32 are the m_c that the adaptive version measured with; None without it, where all have the same m.
    """

    labels: np.ndarray | None
    objective: float
    movement: float
    compactness: np.ndarray | None = None


def seed_cells(height: int, width: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]:
    """A grid of about ``count`` seeds: rows and columns (K,) of the seeds, the cells, and S, their longer side, in pixels.

    A pixel's cell is the sum of those at its row, (h,) int32, and at its column, (w,) int32.
    """
    count = min(count, height * width)
    spacing = np.sqrt(height * width / count)
    rows = int(np.clip(round(height / spacing), 1, min(height, count)))  # a narrow photo has room for one column
    columns = int(np.clip(round(count / rows), 1, width))
    cell_row = np.arange(height, dtype=np.int32) * rows // height * np.int32(columns)
    cell_column = np.arange(width, dtype=np.int32) * columns // width
    row, column = np.divmod(np.arange(rows * columns), columns)
    row = (row * 2 + 1) * height // (2 * rows)
    column = (column * 2 + 1) * width // (2 * columns)
    return row, column, cell_row, cell_column, max(height / rows, width / columns)


def lab_at(photo: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(..., 3) float32 Lab of some pixels of a photo, (h, w, 3) uint8 RGB or float32 Lab."""
    colours = photo[rows, columns]
    return lab_colours(colours) if colours.dtype == np.uint8 else colours


def seed_centres(photo: np.ndarray, row: np.ndarray, column: np.ndarray, count: int) -> np.ndarray:
    """The seeds' centres (K, 5) as L, a, b, row, column, each moved to the lowest gradient of its 3 x 3 neighbours."""
    if photo.shape[0] * photo.shape[1] >= 16 * count:  # closer seeds could meet in one pixel
        row, column = lowest_gradient(photo, row, column)
    return np.column_stack([lab_at(photo, row, column), row, column]).astype(np.float64)


def seed_grid(lab: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, float]:
    """About ``count`` seeds on a grid, each moved to the lowest gradient of its 3 x 3 neighbours.

    Takes (h, w, 3) float32 Lab. Returns centres (K, 5) as L, a, b, row, column; the labels
    (h, w) int32 of the grid's cells; the spacing S in pixels.
    """
    row, column, cell_row, cell_column, spacing = seed_cells(*lab.shape[:2], count)
    return seed_centres(lab, row, column, count), cell_row[:, None] + cell_column, spacing


def lowest_gradient(photo: np.ndarray, row: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Move each (row, column) to where the Lab gradient is lowest among the 3 x 3 pixels around it."""
    height, width = photo.shape[:2]
    near = [(0, 0), (-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]
    rows = np.stack([np.clip(row + dy, 0, height - 1) for dy, _ in near])
    columns = np.stack([np.clip(column + dx, 0, width - 1) for _, dx in near])
    above, below = np.maximum(rows - 1, 0), np.minimum(rows + 1, height - 1)
    left, right = np.maximum(columns - 1, 0), np.minimum(columns + 1, width - 1)
    down = lab_at(photo, below, columns) - lab_at(photo, above, columns)
    aside = lab_at(photo, rows, right) - lab_at(photo, rows, left)
    best = ((down**2).sum(2) + (aside**2).sum(2)).argmin(0), np.arange(len(row))
    return rows[best], columns[best]


def cut_photo(photo: np.ndarray, cells: tuple[np.ndarray, np.ndarray]) -> Tiles:
    """The tiles of a photo, (h, w, 3) uint8 RGB or float32 Lab, with the seeds' cells as labels, both cores."""
    tiles = empty_tiles(*photo.shape[:2])
    photo = np.ascontiguousarray(photo)
    if photo.dtype == np.uint8:
        in_strips(lambda _, *rows: cut_tiles_of_rgb(photo, LAB_TABLES, cells, tiles, *rows), tiles.rows, STRIPS)
    else:
        in_strips(lambda _, *rows: cut_tiles(photo, cells, tiles, *rows), tiles.rows, STRIPS)
    return tiles


def slic_iterations(
    photo: np.ndarray, count: int, compactness: float, iterations: int, adaptive: bool = False, last_only: bool = False
) -> Iterator[SlicStep]:
    """The clustering part of SLIC on (h, w, 3) uint8 RGB or float32 Lab: yields every iteration.

    The labels are those of the seeds; a cluster may still fall into several pieces. With ``last_only`` all steps but
    the last come without labels.
    """
    row, column, *cells, spacing = seed_cells(*photo.shape[:2], count)
    centres, tiles = seed_centres(photo, row, column, count), cut_photo(photo, tuple(cells))
    weight = np.float32((1 if adaptive else compactness**2) / spacing**2)
    widest = np.full(len(centres), compactness**2 if adaptive else 1, np.float32)  # m_c²
    for number in range(iterations):
        used = np.sqrt(widest) if adaptive else None
        total, sums, farthest = assign_nearby(tiles, centres, 1 / widest, weight, spacing, adaptive)
        if adaptive:
            widest = farthest if number == 0 else np.maximum(widest, farthest)
        filled = sums[:, 5] > 0
        means = np.where(filled[:, None], sums[:, :5] / np.maximum(sums[:, 5:], 1), centres)
        movement = float(np.hypot(*(means - centres)[:, 3:].T).mean())
        centres, labels = means, None
        if number == iterations - 1 or not last_only:
            labels = np.empty(photo.shape[:2], np.int32)
            in_strips(lambda _, *rows, out=labels: join_tiles(tiles, out, *rows), tiles.rows, STRIPS)
        yield SlicStep(labels, total / (photo.shape[0] * photo.shape[1]), movement, used)


def assign_nearby(
    tiles: Tiles, centres: np.ndarray, scales: np.ndarray, weight: float, spacing: float, adaptive: bool
) -> tuple[float, np.ndarray, np.ndarray]:
    """``search_tiles`` over the whole photo, both cores: the sum of D², the sums (K, 6) and, if ``adaptive``, m_c² (K,)."""
    sums = np.zeros((STRIPS, len(centres), 6))
    farthest = np.ones((STRIPS, len(centres) if adaptive else 0), np.float32)
    exact = centres.astype(np.float32), scales.astype(np.float32), weight, np.float32(spacing)
    totals = in_strips(
        lambda strip, first, last: search_tiles(tiles, *exact, first, last, sums[strip], farthest[strip]),
        tiles.rows, STRIPS,
    )  # fmt: skip
    return sum(totals), sums.sum(0), farthest.max(0)


def slic_superpixels(
    photo: np.ndarray, count: int = 300, compactness: float = 10.0, iterations: int = 10, adaptive: bool = False
) -> np.ndarray:
    """About ``count`` superpixels, each 4-connected: (h, w) int32, 0..n-1, of (h, w, 3) uint8 RGB or float32 Lab."""
    for step in slic_iterations(photo, count, compactness, iterations, adaptive, last_only=True):
        labels = step.labels
    return enforce_connectivity(labels, SMALLEST * labels.size / min(count, labels.size))


def partners(clusters: np.ndarray, superpixels: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """With which superpixel each of ``count`` clusters shares most pixels, and with which cluster each superpixel."""
    shape = count, int(superpixels.max()) + 1
    pairs = clusters.ravel(), superpixels.ravel()
    overlap = coo_matrix((np.ones(clusters.size, np.int32), pairs), shape=shape).tocsr()
    return tuple(np.asarray(overlap.argmax(axis=axis)).ravel().astype(np.int32) for axis in (1, 0))


def in_two_bytes(labels: np.ndarray | None) -> np.ndarray | None:
    """Numbers of superpixels in two bytes: a replay holds many maps of the whole photo."""
    return None if labels is None else labels.astype(np.uint16)


def mean_squared_distance(
    image: np.ndarray, labels: np.ndarray, scales: np.ndarray | float, spacing: float, compactness: float
) -> float:
    """Mean D² of the pixels to the means of their superpixels, (h, w) int32 labels of (h, w, 3) uint8 RGB.

    ``scales`` are the m_c², (K,) or one for all, of the adaptive version, whose ``compactness`` is 1; else 1.
    """
    strips = np.zeros((STRIPS, int(labels.max()) + 1, 8))
    lab = lab_colours(image)
    in_strips(lambda strip, *rows: add_up(lab, labels, *rows, strips[strip]), len(labels), STRIPS)
    pixels, *means, colour, place = strips.sum(0).T
    means = np.array(means) / pixels
    colour -= pixels * (means[:3] ** 2).sum(0)  # Σ ‖x‖² − n ‖mean‖² = Σ ‖x − mean‖²
    place -= pixels * (means[3:] ** 2).sum(0)
    return float((colour / scales + (compactness / spacing) ** 2 * place).sum() / labels.size)


@method("slic", family="clustering", title="SLIC superpixels", params=SlicParams, order=10)
def slic(image: np.ndarray, params: SlicParams, run: Run) -> Segmentation:
    """SLIC groups the pixels into small connected regions of similar colour, the superpixels.

    It is k-means in Lab colour and position, started from a grid; each centre looks only at a
    window of twice the seeds' spacing, so that the time does not depend on their number.
    """
    settings = image, params.superpixels, params.compactness, params.iterations, params.adaptive
    steps = []
    with run.time("clustering"):
        for step in slic_iterations(*settings, last_only=not run.keep_frames):
            steps.append(step._replace(labels=in_two_bytes(step.labels)))
            run.step(len(steps) / params.iterations, f"iteration {len(steps)}")
    with run.time("connectivity"):
        pixels = image.shape[0] * image.shape[1]
        labels = enforce_connectivity(step.labels, SMALLEST * pixels / min(params.superpixels, pixels))
    count = int(labels.max()) + 1
    palette = mean_colours(image, labels, count)
    *_, spacing = seed_cells(*image.shape[:2], params.superpixels)
    if run.keep_frames:
        clusters = max(int(each.labels.max()) for each in steps) + 1
        painted_as, made_of = partners(step.labels, labels, clusters)
        for number, each in enumerate(steps):
            caption = f"iteration {number + 1}: mean D² {ENERGY}, centres moved {each.movement:.2f} px"
            run.frame(caption, in_two_bytes(painted_as)[each.labels], energy=each.objective)
            steps[number] = each._replace(labels=None)  # its map has served
        own = (
            (steps[-1].compactness[made_of] ** 2, spacing, 1.0)
            if params.adaptive
            else (1.0, spacing, params.compactness)
        )
        objective = mean_squared_distance(image, labels, *own)
        goes = "rises" if objective > steps[-1].objective else "falls"
        caption = f"connectivity enforced: stray pieces leave their nearest centre for a neighbour, mean D² {goes} to {ENERGY}"
        run.frame(caption, labels, energy=objective, is_after=True)
    return Segmentation(
        labels,
        [f"superpixel {k + 1}" for k in range(count)],
        palette,
        title="SLICO superpixels" if params.adaptive else "",
        opacity=1.0,
        energy_name="mean squared distance D² per pixel",
        step_names=("iteration", "iterations"),
        pictures=[
            Picture("boundaries", draw_boundaries(image, labels), "The superpixels' boundaries on the photo."),
            Picture(
                "mean colours", paint(palette, labels), "Each superpixel in its mean colour: what is lost is little."
            ),
        ],
        facts={
            "superpixels": count,
            "seed spacing S in pixels": round(float(spacing), 1),
            "movement of the centres in the last iteration, in pixels": round(steps[-1].movement, 3),
            "pixels per superpixel": round(pixels / count, 1),
        },
    )
