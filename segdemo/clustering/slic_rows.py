"""The inner loops of SLIC, compiled: one round of assignment over some rows of the photo, with what the new means need.

Rows are worked through one by one, so that a row's colours, distances and labels stay in the fastest cache while every
window that crosses it is searched; and labels come in runs, so that sums are added up run by run.
"""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def windows_by_row(rows: np.ndarray, spacing: float, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of the K centres' windows each row of pixels crosses: row y's are ``members[starts[y]:starts[y + 1]]``."""
    starts = np.zeros(height + 1, np.int64)
    for row in rows:
        for y in range(max(int(np.ceil(row - spacing)), 0), min(int(row + spacing) + 1, height)):
            starts[y + 1] += 1
    starts = np.cumsum(starts)
    members, place = np.empty(starts[-1], np.int32), starts[:-1].copy()
    for k in range(len(rows)):
        for y in range(max(int(np.ceil(rows[k] - spacing)), 0), min(int(rows[k] + spacing) + 1, height)):
            members[place[y]] = k
            place[y] += 1
    return starts, members


_fast = numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
"""Sums in any order: the compiler may then use vector registers."""


@numba.njit(cache=True, nogil=True)
def run_end(label: np.ndarray, start: int) -> int:
    """Where the run of equal labels that begins at ``start`` ends."""
    rest = label[start:]
    for x in range(1, len(rest)):
        if rest[x] != rest[0]:
            return start + x
    return len(label)


@_fast
def compare(planes, y, start, stop, centre, scale, weight, k, label, nearest, always):
    """Give the pixels ``start`` to ``stop`` of row y the centre k where it is nearer than ``nearest`` (or ``always``)."""
    light, green, blue = planes[0, y, start:stop], planes[1, y, start:stop], planes[2, y, start:stop]
    label, nearest = label[start:stop], nearest[start:stop]
    c0, c1, c2, column = centre[0], centre[1], centre[2], centre[4] - np.float32(start)
    aside = weight * (np.float32(y) - centre[3]) ** 2
    for x in range(stop - start):
        colour = (light[x] - c0) ** 2 + (green[x] - c1) ** 2 + (blue[x] - c2) ** 2
        distance = scale * colour + (aside + weight * (np.float32(x) - column) ** 2)
        closer = always or distance < nearest[x]
        nearest[x] = distance if closer else nearest[x]
        label[x] = k if closer else label[x]


@numba.njit(cache=True, nogil=True)
def add_run(sums, k, y, start, stop, s0, s1, s2):
    """Add a run of pixels, whose colours sum to (s0, s1, s2), to the sums of L, a, b, row, column and 1 of centre k."""
    pixels = stop - start
    sums[k, 0] += s0
    sums[k, 1] += s1
    sums[k, 2] += s2
    sums[k, 3] += y * pixels
    sums[k, 4] += (start + stop - 1) * pixels / 2
    sums[k, 5] += pixels


@numba.njit(cache=True, nogil=True)
def add_up(planes, y, label, sums):
    """Add the pixels of row y to ``sums`` (K, 6) of their labels, run by run."""
    light, green, blue = planes[0, y], planes[1, y], planes[2, y]
    k, start, s0, s1, s2 = label[0], 0, np.float32(0), np.float32(0), np.float32(0)
    for x in range(len(label)):
        if label[x] != k:
            add_run(sums, k, y, start, x, s0, s1, s2)
            k, start, s0, s1, s2 = label[x], x, np.float32(0), np.float32(0), np.float32(0)
        s0 += light[x]
        s1 += green[x]
        s2 += blue[x]
    add_run(sums, k, y, start, len(label), s0, s1, s2)


@_fast
def raise_farthest(planes, y, label, centres, farthest):
    """Raise ``farthest`` (K,) to the largest squared colour distance of a row's pixels to their centres."""
    for x in range(len(label)):
        k, colour = label[x], np.float32(0)
        for channel in range(3):
            colour += (planes[channel, y, x] - centres[k, channel]) ** 2
        farthest[k] = max(farthest[k], colour)


@_fast
def search_rows(planes, centres, scales, weight, spacing, windows, labels, first, last, sums, farthest):
    """One round of the rows ``first`` to ``last``: assigns their pixels and adds up what the new means need.

    Args:
        planes: (3, h, w) float32 Lab.
        centres: (K, 5) float32; ``scales`` (K,) float32 multiply the squared colour distances to them.
        weight: float32, multiplies the squared distance of the positions.
        windows: see ``windows_by_row``.
        labels: (h, w) int32, changed in place. Every pixel starts with the centre it has, so that it keeps
            one when no window reaches it, and so that the sum of D² never rises.
        sums: (K, 6) float64, see ``add_run``.
        farthest: (K,) float32, see ``raise_farthest``; of length 0 when not wanted.

    Returns the sum of D².
    """
    starts, members = windows
    width, total = labels.shape[1], 0.0
    nearest = np.empty(width, np.float32)
    for y in range(first, last):
        label, start = labels[y], 0
        while start < width:
            k, stop = label[start], run_end(label, start)
            compare(planes, y, start, stop, centres[k], scales[k], weight, k, label, nearest, True)
            start = stop
        for k in members[starts[y] : starts[y + 1]]:
            low = max(int(np.ceil(centres[k, 4] - spacing)), 0)
            high = min(int(centres[k, 4] + spacing) + 1, width)
            compare(planes, y, low, high, centres[k], scales[k], weight, k, label, nearest, False)
        row_total = np.float32(0)
        for distance in nearest:
            row_total += distance
        total += row_total
        add_up(planes, y, label, sums)
        if len(farthest) > 0:
            raise_farthest(planes, y, label, centres, farthest)
    return total
