"""The inner loops of SLIC, compiled: one round of assignment, tile by tile, with what the new means need.

The photo is cut into tiles of 8 x 8 pixels, each of which lies together in memory. What is known of a tile in advance,
its mean colour and how far its colours are from it, rules out most centres for all its pixels at once: those that stay
farther from every pixel of the tile than some other centre does. The rest is compared pixel by pixel, in vector
registers. Where one centre alone is left, the tile's stored moments stand for its pixels. Labels, sums and objective
are those of comparing every pixel with every centre whose window holds it.

The idea is the one of ``blocks.py``, there with its source, for searches of the neighbourhood only.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from ..lab import to_lab

SIDE = 8
PIXELS = SIDE * SIDE
MIDDLE = np.float32((SIDE - 1) / 2)  # from a tile's first row or column to its middle
SCATTER = np.float32(PIXELS * (SIDE * SIDE - 1) / 6)  # the squared distances of a tile's pixels to its middle, summed
OUTSIDE = np.int32(-1)  # label of the pixels with which the last tiles reach over the photo's edge

_compiled = numba.njit(cache=True, nogil=True)
# Sums in any order: the compiler may then use vector registers.
_fast = numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})
# A call would pass sixty numbers: as much work as the loop that it runs.
_inlined = numba.njit(cache=True, nogil=True, inline="always", fastmath={"reassoc", "contract", "nsz"})


class Tiles(NamedTuple):
    """An (h, w) photo as T tiles in reading order, ``columns`` of them side by side.

    ``colours`` (T, 3, 64) float32 Lab, ``labels`` (T, 64) int32; ``means`` (T, 3) float32, ``radii`` (T,) float32: the
    largest colour distance of a pixel to the mean, ``spreads`` (T,) float32: their squares' sum.
    """

    colours: np.ndarray
    labels: np.ndarray
    means: np.ndarray
    radii: np.ndarray
    spreads: np.ndarray
    columns: int

    @property
    def rows(self) -> int:
        """How many rows of tiles there are."""
        return len(self.labels) // self.columns


def empty_tiles(height: int, width: int) -> Tiles:
    """Room for the tiles of a photo of this size."""
    rows, columns = -(-height // SIDE), -(-width // SIDE)
    count = rows * columns
    colours, labels = np.empty((count, 3, PIXELS), np.float32), np.empty((count, PIXELS), np.int32)
    return Tiles(colours, labels, *(np.empty(shape, np.float32) for shape in ((count, 3), count, count)), columns)


@_inlined
def summarize(colours, t, means, radii, spreads):
    """Fill in mean, radius and spread of tile t."""
    for channel in range(3):
        total = np.float32(0)
        for i in range(PIXELS):
            total += colours[t, channel, i]
        means[t, channel] = total / np.float32(PIXELS)
    farthest, spread = np.float32(0), np.float32(0)
    m0, m1, m2 = means[t, 0], means[t, 1], means[t, 2]
    for i in range(PIXELS):
        squared = (colours[t, 0, i] - m0) ** 2 + (colours[t, 1, i] - m1) ** 2 + (colours[t, 2, i] - m2) ** 2
        farthest = max(farthest, squared)
        spread += squared
    radii[t], spreads[t] = np.sqrt(farthest) * np.float32(1 + 1e-5), spread


@_inlined
def copy_tile(lab, colours, t, left):
    """Copy the colours of a tile that lies in the photo; ``lab`` (8, w, 3) are its rows."""
    for y in range(SIDE):
        for x in range(SIDE):
            for channel in range(3):
                colours[t, channel, y * SIDE + x] = lab[y, left + x, channel]


@_inlined
def copy_tile_at_edge(lab, colours, labels, t, left):
    """The same for a tile that reaches over the photo's edge: it repeats the last row and column; ``lab`` (<= 8, w, 3)."""
    height, width = lab.shape[:2]
    for i in range(PIXELS):
        y, x = min(i // SIDE, height - 1), min(left + i % SIDE, width - 1)
        for channel in range(3):
            colours[t, channel, i] = lab[y, x, channel]
        labels[t, i] = labels[t, i] if i // SIDE < height and left + i % SIDE < width else OUTSIDE


@_fast
def cut_row(lab, cells, tiles, row):
    """Fill in a row of tiles from its (<= 8, w, 3) float32 Lab and the seeds' cells, see ``cut_tiles``."""
    colours, labels, means, radii, spreads, columns = tiles
    for t in range(row * columns, (row + 1) * columns):
        left = t % columns * SIDE
        for i in range(PIXELS):
            y, x = min(row * SIDE + i // SIDE, len(cells[0]) - 1), min(left + i % SIDE, len(cells[1]) - 1)
            labels[t, i] = cells[0][y] + cells[1][x]
        if len(lab) == SIDE and left + SIDE <= lab.shape[1]:
            copy_tile(lab, colours, t, left)
        else:
            copy_tile_at_edge(lab, colours, labels, t, left)
        summarize(colours, t, means, radii, spreads)


@_compiled
def cut_tiles(photo, cells, tiles, first, last):
    """Fill in the rows ``first`` to ``last`` of tiles from (h, w, 3) float32 Lab.

    The labels are those of the seeds' grid: the sum of ``cells``, (h,) and (w,) int32, at a pixel's row and column.
    """
    for row in range(first, last):
        cut_row(photo[row * SIDE : (row + 1) * SIDE], cells, tiles, row)


@_compiled
def cut_tiles_of_rgb(photo, tables, cells, tiles, first, last):
    """The same from (h, w, 3) uint8 RGB, row by row: its Lab never leaves the processor's cache."""
    width = photo.shape[1]
    lab = np.empty((SIDE, width, 3), np.float32)
    for row in range(first, last):
        rgb = photo[row * SIDE : (row + 1) * SIDE]
        to_lab(rgb.reshape(-1, 3), tables, lab.reshape(-1, 3), 0, len(rgb) * width)
        cut_row(lab[: len(rgb)], cells, tiles, row)


@_compiled
def join_tiles(tiles, labels, first, last):
    """Write the tiles' labels of these rows of tiles to the photo's, (h, w) int32."""
    height, width = labels.shape
    whole = width // SIDE
    for y in range(first * SIDE, min(last * SIDE, height)):
        row, inside = (y // SIDE) * tiles.columns, y % SIDE * SIDE
        for column in range(whole):
            for x in range(SIDE):
                labels[y, column * SIDE + x] = tiles.labels[row + column, inside + x]
        for x in range(whole * SIDE, width):
            labels[y, x] = tiles.labels[row + whole, inside + x % SIDE]


@_compiled
def tiles_of_window(place, spacing, first, last):
    """The tiles' rows (or columns) between ``first`` and ``last`` that a centre's window meets, as a range."""
    return max(int(np.ceil(place - spacing)) // SIDE, first), min(int(place + spacing) // SIDE + 1, last)


@_compiled
def windows_by_tile(centres, spacing, first, last, columns):
    """Which centres' windows meet each tile of these rows, rising: ``members[starts[t]:starts[t + 1]]``."""
    starts = np.zeros((last - first) * columns + 1, np.int32)
    for k in range(len(centres)):
        left, right = tiles_of_window(centres[k, 4], spacing, 0, columns)
        for row in range(*tiles_of_window(centres[k, 3], spacing, first, last)):
            starts[(row - first) * columns + left + 1 : (row - first) * columns + right + 1] += 1
    for t in range(1, len(starts)):
        starts[t] += starts[t - 1]
    members, place = np.empty(starts[-1], np.int32), starts[:-1].copy()
    for k in range(len(centres)):
        left, right = tiles_of_window(centres[k, 4], spacing, 0, columns)
        for row in range(*tiles_of_window(centres[k, 3], spacing, first, last)):
            for t in range((row - first) * columns + left, (row - first) * columns + right):
                members[place[t]] = k
                place[t] += 1
    return starts, members


@_inlined
def rule_out(means, radii, t, centres, scales, weight, spacing, y, x, members, start, stop, squared, near):
    """Write those of ``members[start:stop]`` that can be nearest to a pixel of tile t, around (y, x), to ``near``.

    Returns how many. Let j be the nearest to the tile's mean m of the centres whose window holds all of the tile. In
    colour a pixel is m + u with ‖u‖ ≤ r. With g = s_k (m − c_k) − s_j (m − c_j) its D_k² − D_j² is that of the mean, plus
    2 u·g + (s_k − s_j) ‖u‖² ≥ −2 r ‖g‖ − r² max(s_j − s_k, 0). In position the difference is linear: it departs from
    that of the middle by 2 w 3.5 (|Δrow| + |Δcolumn|) of the two centres at most.
    """
    j, count = -1, np.int64(0)
    for n in range(stop - start):
        k = members[start + n]
        down, right = abs(centres[k, 3] - y), abs(centres[k, 4] - x)
        colour = np.float32(0)
        for channel in range(3):
            colour += (means[t, channel] - centres[k, channel]) ** 2
        squared[n] = scales[k] * colour + weight * (down * down + right * right)
        near[n] = k
        if max(down, right) <= spacing - MIDDLE and (j < 0 or squared[n] < squared[j]):
            j = n
    if j < 0:
        return stop - start
    best, least = near[j], squared[j]
    for n in range(stop - start):
        k, slope = near[n], np.float32(0)
        for channel in range(3):
            mean = means[t, channel]
            slope += (scales[k] * (mean - centres[k, channel]) - scales[best] * (mean - centres[best, channel])) ** 2
        apart = abs(centres[k, 3] - centres[best, 3]) + abs(centres[k, 4] - centres[best, 4])
        slack = radii[t] * (np.float32(2) * np.sqrt(slope) + radii[t] * max(scales[best] - scales[k], np.float32(0)))
        slack += np.float32(2) * MIDDLE * weight * apart + np.float32(1e-5) * (
            squared[n] + least
        )  # the last for rounding
        near[count] = k
        count += squared[n] - least <= slack
    return count


@_inlined
def count_owned(labels, t, k):
    """How many pixels of tile t have label k."""
    found = np.int32(0)
    for i in range(PIXELS):
        found += np.int32(labels[t, i] == k)
    return found


@_inlined
def add_owners(labels, t, near, count):
    """Add the centres that pixels of tile t have already to the first ``count`` of ``near``; returns how many there are."""
    for i in range(PIXELS):
        new = labels[t, i] != OUTSIDE
        for n in range(count):
            new = new and labels[t, i] != near[n]
        if new:
            near[count] = labels[t, i]
            count += 1
    return count


@_inlined
def compare(colours, labels, t, top, left, centres, k, scale, weight, spacing, had, least):
    """Give the pixels of tile t the centre k where its window reaches and it is nearer than ``least``, both (64,).

    A pixel that ``had`` this centre before need not be in its window, and keeps it against others as near.
    """
    c0, c1, c2 = centres[k, 0], centres[k, 1], centres[k, 2]
    row, column = centres[k, 3] - np.float32(top), centres[k, 4] - np.float32(left)
    for i in range(PIXELS):
        down, right, own = abs(np.float32(i >> 3) - row), abs(np.float32(i & 7) - column), had[i] == k
        colour = (colours[t, 0, i] - c0) ** 2 + (colours[t, 1, i] - c1) ** 2 + (colours[t, 2, i] - c2) ** 2
        distance = scale * colour + weight * (down * down + right * right)
        reached = distance if (max(down, right) <= spacing) | own else np.float32(np.inf)
        closer = (reached < least[i]) | (own & (reached <= least[i]))
        least[i] = min(least[i], reached)
        labels[t, i] = k if closer else labels[t, i]


@_inlined
def add_pixels(colours, labels, t, top, left, k, sums):
    """Add the pixels of tile t with label k to its sums of L, a, b, row, column and 1."""
    none = np.float32(0)
    s0 = s1 = s2 = s3 = s4 = pixels = none
    for i in range(PIXELS):
        mine = labels[t, i] == k
        s0 += colours[t, 0, i] if mine else none
        s1 += colours[t, 1, i] if mine else none
        s2 += colours[t, 2, i] if mine else none
        s3 += np.float32(i >> 3) if mine else none
        s4 += np.float32(i & 7) if mine else none
        pixels += np.float32(1) if mine else none
    sums[k, 0] += s0
    sums[k, 1] += s1
    sums[k, 2] += s2
    sums[k, 3] += s3 + top * pixels
    sums[k, 4] += s4 + left * pixels
    sums[k, 5] += pixels


@_inlined
def add_tile(means, spreads, t, top, left, centres, k, scale, weight, sums):
    """Add all of tile t to the sums of centre k; returns the sum of D²."""
    row, column, colour = top + MIDDLE, left + MIDDLE, np.float32(0)
    for channel in range(3):
        sums[k, channel] += PIXELS * means[t, channel]
        colour += (means[t, channel] - centres[k, channel]) ** 2
    sums[k, 3] += PIXELS * row
    sums[k, 4] += PIXELS * column
    sums[k, 5] += PIXELS
    aside = (row - centres[k, 3]) ** 2 + (column - centres[k, 4]) ** 2
    return scale * (spreads[t] + PIXELS * colour) + weight * (SCATTER + PIXELS * aside)


@_fast
def sum_of(values):
    """The sum of a float32 array, in vector registers."""
    total = np.float32(0)
    for i in range(len(values)):
        total += values[i]
    return total


@_fast
def raise_farthest(colours, labels, t, centres, farthest):
    """Raise ``farthest`` (K,) to the largest squared colour distance of the pixels of tile t to their centres."""
    for i in range(PIXELS):
        k, colour = labels[t, i], np.float32(0)
        if k != OUTSIDE:
            for channel in range(3):
                colour += (colours[t, channel, i] - centres[k, channel]) ** 2
            farthest[k] = max(farthest[k], colour)


@_fast
def search_tiles(tiles, centres, scales, weight, spacing, first, last, sums, farthest):
    """One round of the rows ``first`` to ``last`` of tiles: assigns pixels and adds up what the new means need.

    Args:
        tiles: see ``Tiles``; the labels are changed. Every pixel starts with the centre it has, so that it keeps one
            when no window reaches it, and so that the sum of D² never rises.
        centres: (K, 5) float32; ``scales`` (K,) float32 multiply the squared colour distances to them.
        weight: float32, multiplies the squared distance of the positions.
        spacing: float32, how far the windows reach to every side.
        sums: (K, 6) float64 of L, a, b, row, column and 1 per centre, added to.
        farthest: (K,) float32, see ``raise_farthest``; of length 0 when not wanted.

    Returns the sum of D².
    """
    colours, labels, means, radii, spreads, columns = tiles
    starts, members = windows_by_tile(centres, spacing, first, last, columns)
    had, least, total = np.empty(PIXELS, np.int32), np.empty(PIXELS, np.float32), 0.0
    near, squared = np.empty(len(centres) + PIXELS, np.int32), np.empty(len(centres), np.float32)
    for t in range(first * columns, last * columns):
        top, left, place = t // columns * SIDE, t % columns * SIDE, t - first * columns
        y, x, at_edge = np.float32(top) + MIDDLE, np.float32(left) + MIDDLE, labels[t, PIXELS - 1] == OUTSIDE
        start, stop = starts[place], starts[place + 1]
        count = rule_out(
            means, radii, t, centres, scales, weight, spacing, y, x, members, start, stop, squared, near
        )  # fmt: skip
        found = count_owned(labels, t, OUTSIDE) if at_edge else np.int32(0)
        for n in range(count):
            found += count_owned(labels, t, near[n])
        if found < PIXELS:
            count = add_owners(labels, t, near, count)
        if count == 1 and not at_edge:
            k = near[0]
            total += add_tile(means, spreads, t, top, left, centres, k, scales[k], weight, sums)
        else:
            for i in range(PIXELS):
                had[i], least[i] = labels[t, i], np.inf
            for n in range(count):
                compare(colours, labels, t, top, left, centres, near[n], scales[near[n]], weight, spacing, had, least)
            for i in range(PIXELS if at_edge else 0):
                if had[i] == OUTSIDE:
                    labels[t, i], least[i] = OUTSIDE, 0
            total += sum_of(least)
            for n in range(count):
                add_pixels(colours, labels, t, top, left, near[n], sums)
        if len(farthest) > 0:
            raise_farthest(colours, labels, t, centres, farthest)
    return total


@_compiled
def add_up(lab, labels, first, last, sums):
    """Add to ``sums`` (K, 8), for each label in rows ``first`` to ``last``: pixels, L, a, b, row, column, and the
    squared lengths of colour and place. Takes (h, w, 3) float32 Lab and (h, w) int32 labels."""
    for y in range(first, last):
        for x in range(labels.shape[1]):
            own = sums[labels[y, x]]
            length = 0.0
            own[0] += 1
            for channel in range(3):
                value = np.float64(lab[y, x, channel])
                own[1 + channel] += value
                length += value * value
            own[4] += y
            own[5] += x
            own[6] += length
            own[7] += y * y + x * x
