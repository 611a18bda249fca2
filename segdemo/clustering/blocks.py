"""The inner loops of k-means, compiled: the nearest centre of each point, block by block.

The points come in an order in which neighbours are near each other; 64 of them are a block, that lies in a ball around
its mean. A centre for which the whole ball is on the far side of the bisector with the ball's nearest centre can be
nearest to none of its points: only the others are compared, point by point, in vector registers. Where one alone is
left, the block's stored moments stand for its points. Labels, sums and objective are those of comparing everything.

The idea is the filtering algorithm of T. Kanungo, D. Mount, N. Netanyahu, C. Piatko, R. Silverman, A. Wu, An efficient
k-means clustering algorithm, IEEE Trans. PAMI 24 (2002), with one level of blocks instead of a tree.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

BLOCK = 64

_compiled = numba.njit(cache=True, nogil=True)
# Sums in any order: the compiler may then use vector registers.
_fast = numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "nsz"})


class Blocks(NamedTuple):
    """What is known of blocks of points in advance.

    ``means`` (B, C) float64 weighted, ``radii`` (B,) of the balls around them, ``masses`` (B,) and ``spreads`` (B,):
    the weights and the weighted squared distances to the mean, summed.
    """

    means: np.ndarray
    radii: np.ndarray
    masses: np.ndarray
    spreads: np.ndarray


@_compiled
def summarize(planes: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The fields of ``Blocks`` for points as (C, N) planes with (N,) weights."""
    channels, points = planes.shape
    count = (points + BLOCK - 1) // BLOCK
    means, radii, masses, spreads = np.zeros((count, channels)), np.zeros(count), np.zeros(count), np.zeros(count)
    for b in range(count):
        start, stop = b * BLOCK, min((b + 1) * BLOCK, points)
        for i in range(start, stop):
            masses[b] += weights[i]
        for c in range(channels):
            for i in range(start, stop):
                means[b, c] += weights[i] * planes[c, i]
            means[b, c] /= masses[b]
        for i in range(start, stop):
            squared = 0.0
            for c in range(channels):
                squared += (planes[c, i] - means[b, c]) ** 2
            radii[b] = max(radii[b], squared)
            spreads[b] += weights[i] * squared
        radii[b] = np.sqrt(radii[b]) * (1 + 1e-6)
    return means, radii, masses, spreads


@_compiled
def candidates(
    mean: np.ndarray, radius: float, centres: np.ndarray, apart: np.ndarray, squared: np.ndarray, chosen: np.ndarray
) -> int:
    """Write the centres that can be nearest to a point of the ball to ``chosen``, rising; returns how many.

    ``apart`` (K, K) holds the centres' distances; ``squared`` (K,) is room to compute in. With j the centre nearest to the
    mean, at distance d_j, the whole ball lies on j's side of the bisector between j and l, and l can be left out, if
    (d_l² − d_j²) / (2 ‖c_l − c_j‖) > radius.
    """
    nearest, count = 0, 0
    for j in range(len(centres)):
        squared[j] = 0
        for c in range(len(mean)):
            squared[j] += (mean[c] - centres[j, c]) ** 2
        if squared[j] < squared[nearest]:
            nearest = j
    for j in range(len(centres)):
        if j == nearest or squared[j] - squared[nearest] <= 2 * radius * apart[nearest, j]:
            chosen[count] = j
            count += 1
    return count


@_fast
def compare(planes, start, stop, centre, j, first, labels, least, distance):
    """Give the points ``start`` to ``stop`` the centre j where it is nearer than ``least``, or if it is the ``first``.

    ``least`` and ``distance`` are (BLOCK,): the squared distances so far, and room to compute in.
    """
    label = labels[start:stop]
    distance[:] = 0
    for c in range(len(planes)):
        values, place = planes[c, start:stop], centre[c]
        for i in range(stop - start):
            distance[i] += (values[i] - place) ** 2
    for i in range(stop - start):
        closer = first or distance[i] < least[i]
        least[i] = distance[i] if closer else least[i]
        label[i] = j if closer else label[i]


@_fast
def add_points(planes, weights, start, stop, labels, least, sums):
    """Add weight and weighted features of the points to ``sums`` (K, C + 1) of their labels; returns their cost."""
    channels, cost = len(planes), 0.0
    for i in range(start, stop):
        weight, label = weights[i], labels[i]
        cost += weight * least[i - start]
        for c in range(channels):
            sums[label, c] += weight * planes[c, i]
        sums[label, channels] += weight
    return cost


@_compiled
def assign_blocks(planes, weights, blocks, centres, apart, first, last, labels, sums):
    """The nearest of the (K, C) float64 centres for the points of the blocks ``first`` to ``last``.

    Writes ``labels`` (N,) uint8, adds weights and weighted features to ``sums`` (K, C + 1) float64; returns the sum of
    the weighted squared distances.
    """
    means, radii, masses, spreads = blocks
    channels, total = len(planes), 0.0
    rounded, chosen, squared = centres.astype(planes.dtype), np.empty(len(centres), np.int64), np.empty(len(centres))
    least, room = np.empty(BLOCK, planes.dtype), np.empty(BLOCK, planes.dtype)
    for b in range(first, last):
        start, stop = b * BLOCK, min((b + 1) * BLOCK, planes.shape[1])
        count = candidates(means[b], radii[b], centres, apart, squared, chosen)
        if count > 1:
            for number in range(count):
                j = chosen[number]
                compare(planes, start, stop, rounded[j], np.uint8(j), number == 0, labels, least, room)
            total += add_points(planes, weights, start, stop, labels, least, sums)
            continue
        j, distance = chosen[0], 0.0
        labels[start:stop] = j
        for c in range(channels):
            distance += (means[b, c] - centres[j, c]) ** 2
            sums[j, c] += masses[b] * means[b, c]
        sums[j, channels] += masses[b]
        total += spreads[b] + masses[b] * distance
    return total


@_fast
def lower_costs(planes, weights, centre, costs, first, last, lowered, totals):
    """Write min(cost, weight times squared distance to the centre) of the points of the blocks ``first`` to ``last``
    to ``lowered`` (N,), and the blocks' sums to ``totals`` (B,)."""
    for b in range(first, last):
        start, stop, total = b * BLOCK, min((b + 1) * BLOCK, planes.shape[1]), np.float32(0)
        cost, low, weight = costs[start:stop], lowered[start:stop], weights[start:stop]
        low[:] = 0
        for c in range(len(planes)):
            values, place = planes[c, start:stop], centre[c]
            for i in range(stop - start):
                low[i] += (values[i] - place) ** 2
        for i in range(stop - start):
            low[i] = min(cost[i], weight[i] * low[i])
            total += low[i]
        totals[b] = total


@_compiled
def draw(costs: np.ndarray, totals: np.ndarray, part: float) -> int:
    """The point at which the running sum of costs passes ``part`` of all, 0 <= part < 1; ``totals`` are the blocks'."""
    target, b = part * totals.sum(), 0
    while b < len(totals) - 1 and target >= totals[b]:
        target -= totals[b]
        b += 1
    chosen = b * BLOCK
    for i in range(b * BLOCK, min((b + 1) * BLOCK, len(costs))):
        if costs[i] > 0:
            target, chosen = target - costs[i], i
            if target < 0:
                break
    return chosen
