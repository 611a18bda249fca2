"""Connected regions of a label map, and the merging of those that are too small.

Everything works on runs, the stretches of equal labels within a row: there are far fewer of them than pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from ..strips import in_strips


class Runs(NamedTuple):
    """The runs of an (h, w) label map in reading order.

    ``starts`` (R + 1,) int32: the flat index of each run's first pixel, and the number of pixels;
    ``rows`` (h + 1,) int32: row y has the runs ``rows[y]`` to ``rows[y + 1] - 1``.
    """

    starts: np.ndarray
    rows: np.ndarray


@numba.njit(cache=True, nogil=True)
def find_runs(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The fields of ``Runs`` for (h, w) integer labels."""
    height, width = labels.shape
    starts, rows, count = np.empty(height * width + 1, np.int32), np.empty(height + 1, np.int32), 0
    for y in range(height):
        label = labels[y]
        rows[y] = count
        for x in range(width):
            if x == 0 or label[x] != label[x - 1]:
                starts[count] = y * width + x
                count += 1
    rows[height], starts[count] = count, height * width
    return starts[: count + 1].copy(), rows


@numba.njit(cache=True, nogil=True)
def find_root(parent: np.ndarray, i: int) -> int:
    """The representative of i's set in a union-find forest; halves the path on its way."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@numba.njit(cache=True, nogil=True)
def touching_runs(starts: np.ndarray, rows: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of runs that share a border: the two runs and its length in pixel edges, (P,) int32 each."""
    most = 3 * len(starts)
    first, second, length = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.int32)
    count = 0
    for y in range(len(rows) - 1):
        for run in range(rows[y], rows[y + 1] - 1):
            first[count], second[count], length[count] = run, run + 1, 1
            count += 1
        above, below = rows[y], rows[y + 1]
        while y + 2 < len(rows) and above < rows[y + 1] and below < rows[y + 2]:
            end, end_below = starts[above + 1], starts[below + 1] - width
            first[count], second[count] = above, below
            length[count] = min(end, end_below) - max(starts[above], starts[below] - width)
            count += 1
            above += end <= end_below
            below += end_below <= end
    return first[:count], second[:count], length[:count]


@numba.njit(cache=True, nogil=True)
def number_components(labels: np.ndarray, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, int]:
    """Number the connected regions of equal label in the order of their first run, from the pairs of touching runs.

    Takes and returns one value per run, (R,); the second result is the number of regions.
    """
    parent = np.arange(len(labels)).astype(np.int32)
    for pair in range(len(first)):
        if labels[first[pair]] == labels[second[pair]]:
            i, j = find_root(parent, first[pair]), find_root(parent, second[pair])
            parent[max(i, j)] = min(i, j)
    region, count = np.empty(len(labels), np.int32), 0
    for run in range(len(parent)):  # a parent stands before its children and has its number already
        if parent[run] == run:
            region[run] = count
            count += 1
        else:
            region[run] = region[parent[run]]
    return region, count


@numba.njit(cache=True, nogil=True)
def small_borders(
    small: np.ndarray, regions: np.ndarray, first: np.ndarray, second: np.ndarray, length: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The common borders of the ``small`` (n,) regions with all others, from the pairs of touching runs.

    In compressed rows: region i has the neighbours ``neighbours[starts[i]:starts[i + 1]]``, and with each a border of
    as many pixel edges as ``lengths`` says. A neighbour may stand there several times. ``regions`` (R,) are the runs'.
    """
    starts, kept, count = np.zeros(len(small) + 1, np.int32), np.empty(len(first), np.int32), 0
    for pair in range(len(first)):
        i, j = regions[first[pair]], regions[second[pair]]
        if i != j:
            starts[i + 1] += small[i]
            starts[j + 1] += small[j]
            kept[count] = pair
            count += small[i] or small[j]
    for i in range(len(small)):
        starts[i + 1] += starts[i]
    neighbours, lengths, place = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.int32), starts[:-1].copy()
    for pair in kept[:count]:
        i, j = regions[first[pair]], regions[second[pair]]
        for mine, other in ((i, j), (j, i)):
            if small[mine]:
                neighbours[place[mine]], lengths[place[mine]] = other, length[pair]
                place[mine] += 1
    return starts, neighbours, lengths


@numba.njit(cache=True, nogil=True)
def merge_small(
    sizes: np.ndarray, starts: np.ndarray, neighbours: np.ndarray, lengths: np.ndarray, smallest: float
) -> np.ndarray:
    """Join each region below ``smallest`` pixels to the neighbour with the longest common border.

    Borders are those of the regions as they were found, also where some have been joined since. The graph is that of
    ``small_borders``. Returns the joined region of each region, (n,) int32; ``sizes`` is changed.
    """
    root, border = np.arange(len(sizes)).astype(np.int32), np.zeros(len(sizes), np.int64)
    joined = True
    while joined:  # a joined region that is still too small looks for a neighbour again
        joined = False
        for i in range(len(sizes)):
            mine = find_root(root, i)
            if starts[i] == starts[i + 1] or sizes[mine] >= smallest:
                continue
            longest, nearest = 0, i
            for edge in range(starts[i], starts[i + 1]):
                other = neighbours[edge]
                border[other] += lengths[edge]
                longer = border[other] > longest or (border[other] == longest and other < nearest)
                if longer and find_root(root, other) != mine:
                    longest, nearest = border[other], other
            for edge in range(starts[i], starts[i + 1]):
                border[neighbours[edge]] = 0
            target = find_root(root, nearest)
            if target != mine:
                root[mine] = target
                sizes[target] += sizes[mine]
                joined = True
    for i in range(len(sizes)):
        root[i] = find_root(root, i)
    return root


@numba.njit(cache=True, nogil=True)
def paint_runs(starts: np.ndarray, values: np.ndarray, flat: np.ndarray, first: int, last: int) -> None:
    """Write the value of each of the runs ``first`` to ``last`` to its pixels."""
    for run in range(first, last):
        for i in range(starts[run], starts[run + 1]):
            flat[i] = values[run]


def enforce_connectivity(labels: np.ndarray, smallest: float) -> np.ndarray:
    """Make every label one 4-connected region of at least ``smallest`` pixels, (h, w) int32, numbered 0..n-1.

    Pieces of a label that are large enough become labels of their own; smaller ones join a neighbour.
    """
    runs = Runs(*find_runs(labels))
    first, second, length = touching_runs(*runs, labels.shape[1])
    region, count = number_components(labels.ravel()[runs.starts[:-1]], first, second)
    sizes = np.bincount(region, weights=np.diff(runs.starts), minlength=count)
    root = merge_small(sizes, *small_borders(sizes < smallest, region, first, second, length), smallest)
    number = np.cumsum(root == np.arange(count)) - 1
    joined = np.empty(labels.shape, np.int32)
    values, flat = number[root][region].astype(np.int32), joined.ravel()
    in_strips(lambda _, start, stop: paint_runs(runs.starts, values, flat, start, stop), len(values))
    return joined
