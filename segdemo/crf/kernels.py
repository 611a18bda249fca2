"""The inner loops of the lattice, compiled for the CPU with numba.

Each function does what a few PyTorch lines in ``lattice.py`` do, for the pixels (or vertices)
``start`` to ``stop`` only, and releases the interpreter's lock, so that ``in_strips`` can run
several side by side.

A table of vertex values has one row per vertex and a last row of zeros, which stands for
every vertex that the photo does not touch. Rows are handled eight columns at a time (``simd``).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from .simd import LANES, add, load, multiply, multiply_add, spread, store

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 divided by the golden ratio (Knuth, multiplicative hashing)
_EMPTY = np.iinfo(np.int64).min
_AXIS_BITS, _AXES = 6, 63  # of a sorted fraction: its last bits tell the axis
NOTHING = np.float32(0)
_HALF = np.float32(0.5)
BLOCK = 128
"""So many pixels take a step together: enough for the vector units, few enough for the cache."""
compiled = njit(cache=True, nogil=True, error_model="numpy")
fast = njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
inline = njit(inline="always")


# -- building the lattice ---------------------------------------------------------------


@compiled
def bounds(values, start, stop):
    """The smallest and largest of values (N, c) along each axis, (2, c) float32; NaN if one is not finite."""
    found = np.empty((2, values.shape[1]), np.float32)
    for a in range(values.shape[1]):
        low, high, unsound = values[start, a], values[start, a], 0
        for i in range(start, stop):
            value = values[i, a]
            low, high = min(low, value), max(high, value)
            unsound += not value - value == 0
        found[0, a], found[1, a] = (np.nan, np.nan) if unsound else (low, high)
    return found


@inline
def _slot(table, shift, key):
    """The row of ``key`` in a hash table of 2^(64 - shift), or the free row where it belongs (linear probing).

    With ``shift`` 0 all keys are smaller than the table, and are their places: neighbours stay near each other.
    """
    place = np.int64((np.uint64(key) * _GOLDEN) >> np.uint64(shift)) if shift else key
    while table[place, 0] != key and table[place, 0] != _EMPTY:
        place = (place + 1) & (len(table) - 1)
    return place


@compiled
def number_keys(keys, bits, shift):
    """A hash table of 2^bits rows (key, number), with the distinct ``keys`` numbered in order of appearance.

    ``shift``: see ``_slot``.

    Returns (table, numbers): ``numbers[i]`` is that of ``keys[i]``.
    """
    table, numbers, count = np.full((1 << bits, 2), _EMPTY), np.empty(len(keys), np.int32), 0
    for i in range(len(keys)):
        place = _slot(table, shift, keys[i])
        if table[place, 0] == _EMPTY:
            table[place, 0], table[place, 1] = keys[i], count
            count += 1
        numbers[i] = table[place, 1]
    return table, numbers


@compiled
def embed(features, low, radix, bits, shift, start, stop, vertices, weights):
    """Find the simplex around each feature: its corners and the feature's barycentric weights, both (N, d+1).

    The corners are numbered in the order in which this strip meets them. ``features``: see ``_read``. ``low`` and
    ``radix``: (d,) int64; ``bits`` and ``shift``: of the hash table to begin with.
    Returns the keys of the numbered vertices, (m,) int64, and the sums of the weights at each, (m,) float32.
    """
    d, count = len(radix), 0
    table, _ = number_keys(np.empty(0, np.int64), bits, shift)
    known, sums = np.empty(1 << bits, np.int64), np.zeros(1 << bits, np.float32)
    keys = np.empty((d + 1, BLOCK), np.int64)
    block, order = np.zeros((d, BLOCK), np.float32), np.zeros((d, BLOCK), np.int64)
    for first in range(start, stop, BLOCK):
        size = min(BLOCK, stop - first)
        while shift and 2 * (count + keys.size) > len(table):  # double the table, so that probing stays short
            bits, shift = bits + 1, shift - 1
            known, sums = np.concatenate((known, known)), np.concatenate((sums, np.zeros_like(sums)))
            table, _ = number_keys(known[:count], bits, shift)
        _read(features, first, size, block)
        _round(block, low, radix, keys[0], order)
        _sort(order)
        corners, shares = vertices[first : first + size], weights[first : first + size]
        _walk(order, radix, keys, shares)
        count = _number(keys, shares, table, shift, known, sums, count, corners)
    return known[:count].copy(), sums[:count].copy()


@inline
def _read(features, first, size, block):
    """The features of a block of pixels into (d, BLOCK): (x, y, values).

    ``features``: the coordinates x of the picture's columns and y of its rows, both empty if there is no picture;
    (N, c) values and what to divide them by.
    """
    x, y, values, unit = features
    if len(x):
        column, row = first % len(x), first // len(x)
        for j in range(size):
            block[0, j], block[1, j] = x[column], y[row]
            column += 1
            if column == len(x):
                column, row = 0, row + 1
    axes = len(block) - values.shape[1]
    for a in range(values.shape[1]):
        for j in range(size):
            block[axes + a, j] = np.float32(values[first + j, a]) / unit


@compiled
def _round(block, low, radix, keys, order):
    """Features (d, BLOCK) to the lattice: each one's key when rounded down, and its fractions by axis, to be sorted.

    ``order``, (d, BLOCK) int64: a fraction's bits, which as an integer compare like the number, before the axis,
    counted down so that of equal fractions the first axis is the largest.
    """
    running, fraction = np.zeros(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    bits = fraction.view(np.int32)
    keys[:] = 0
    for a in range(len(block)):
        scale, feature, ordered = np.float32(math.sqrt(2 / 3 / ((a + 1) * (a + 2)))), block[a], order[a]
        for j in range(BLOCK):
            length = feature[j] * scale
            running[j] += length
            y = running[j] + np.float32(a + 1) * length
            floor = np.floor(y)
            keys[j] += (np.int64(floor) - low[a]) * radix[a]
            fraction[j] = y - floor
        for j in range(BLOCK):
            ordered[j] = (np.int64(bits[j]) << _AXIS_BITS) | (_AXES - a)


@compiled
def _sort(order):
    """The largest of each column of (d, BLOCK) first: by exchanges that need no branches."""
    for end in range(len(order) - 1, 0, -1):
        for a in range(end):
            upper, lower = order[a], order[a + 1]
            for j in range(BLOCK):
                larger, smaller = max(upper[j], lower[j]), min(upper[j], lower[j])
                upper[j], lower[j] = larger, smaller


@compiled
def _walk(order, radix, keys, weights):
    """From the key of the first corner, (d+1, BLOCK), to the others; barycentric weights (size, d+1)."""
    d, before, fraction = len(order), np.ones(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    bits = fraction.view(np.int32)
    for corner in range(d):
        ordered, here, there = order[corner], keys[corner], keys[corner + 1]
        for j in range(BLOCK):
            bits[j] = ordered[j] >> _AXIS_BITS
            there[j] = here[j] + radix[_AXES - (ordered[j] & _AXES)]
        for j in range(len(weights)):
            weights[j, corner] = before[j] - fraction[j]
        before[:] = fraction
    for j in range(len(weights)):
        weights[j, d] = before[j]


@fast
def _number(keys, weights, table, shift, known, sums, count, vertices):
    """The numbers of the vertices (size, d+1) with these keys (d+1, BLOCK), whose ``sums`` the weights are added to.

    Returns the new count. It is ``_slot`` written out: unsigned places need no check for being negative.
    """
    flat, mask = table.reshape(-1), np.uint64(len(table) - 1)
    for j in range(len(vertices)):
        for corner in range(len(keys)):
            key = keys[corner, j]
            place = (np.uint64(key) * _GOLDEN) >> np.uint64(shift) if shift else np.uint64(key)
            while flat[place + place] != key:
                if flat[place + place] == _EMPTY:
                    flat[place + place], flat[place + place + np.uint64(1)], known[count] = key, count, key
                    count += 1
                    break
                place = (place + np.uint64(1)) & mask
            number = np.uint64(flat[place + place + np.uint64(1)])
            vertices[j, corner] = number
            sums[number] += weights[j, corner]
    return count


@compiled
def renumber(vertices, numbers, start, stop):
    """Replace each number v of the rows start..stop by numbers[v]."""
    for i in range(start, stop):
        for corner in range(vertices.shape[1]):
            vertices[i, corner] = numbers[vertices[i, corner]]


@compiled
def connect(known, steps, table, shift, start, stop, neighbours):
    """Enter into neighbours (d+1, M, 2) who is one step ahead of the vertices start..stop, and they behind it."""
    for axis in range(len(steps)):
        for v in range(start, stop):
            place = _slot(table, shift, known[v] + steps[axis])
            if table[place, 0] != _EMPTY:
                ahead = table[place, 1]
                neighbours[axis, v, 0], neighbours[axis, ahead, 1] = ahead, v


@fast
def normalize(table, vertices, weights, start, stop, sums):
    """Divide the pixels' weights by the square roots of what the table (M+1,) holds for them.

    Adds the new weights to their vertices' ``sums`` (M+1,).
    """
    for i in range(start, stop):
        mass = np.float32(1e-20)
        for corner in range(vertices.shape[1]):
            mass += weights[i, corner] * table[vertices[i, corner]]
        factor = np.float32(1) / np.sqrt(mass)
        for corner in range(vertices.shape[1]):
            weights[i, corner] *= factor
            sums[vertices[i, corner]] += weights[i, corner]


@fast
def row_sums(table, vertices, weights, start, stop):
    """The largest, and the sum, of what the table (M+1,) holds for the pixels."""
    largest, everything = np.float32(0), 0.0
    for i in range(start, stop):
        mass = np.float32(0)
        for corner in range(vertices.shape[1]):
            mass += weights[i, corner] * table[vertices[i, corner]]
        largest = max(largest, mass)
        everything += mass
    return largest, everything


# -- splat, blur, slice -----------------------------------------------------------------


@fast
def splat(values, vertices, weights, start, stop, table):
    """Add the pixels' values (N, K), weighted, to the rows of their vertices in the table (M+1, K)."""
    whole = table.shape[1] // LANES * LANES
    for i in range(start, stop):
        row = values[i]
        for corner in range(vertices.shape[1]):
            weight, out = weights[i, corner], table[vertices[i, corner]]
            for k in range(0, whole, LANES):
                store(out, k, multiply_add(weight, load(row, k), load(out, k)))
            for k in range(whole, len(out)):
                out[k] += weight * row[k]


@fast
def slice_(table, vertices, weights, start, stop, values):
    """Add the table (M+1, K), read at the pixels, to their values (N, K)."""
    whole = table.shape[1] // LANES * LANES
    for i in range(start, stop):
        out = values[i]
        for corner in range(vertices.shape[1]):
            weight, row = weights[i, corner], table[vertices[i, corner]]
            for k in range(0, whole, LANES):
                store(out, k, multiply_add(weight, load(row, k), load(out, k)))
            for k in range(whole, len(out)):
                out[k] += weight * row[k]


@fast
def blur(table, neighbours, scale, blurred, start, stop):
    """blurred[v] = scale * (table[v] + half of both its neighbours along one axis)."""
    width = table.shape[1]
    whole, half, flat, out = width // LANES * LANES, scale * _HALF, table.reshape(-1), blurred.reshape(-1)
    for v in range(start, stop):
        here, ahead, behind = v * width, neighbours[v, 0] * width, neighbours[v, 1] * width
        for k in range(0, whole, LANES):
            both = multiply(add(load(flat, ahead + k), load(flat, behind + k)), spread(half))
            store(out, here + k, multiply_add(scale, load(flat, here + k), both))
        for k in range(whole, width):
            out[here + k] = scale * flat[here + k] + half * (flat[ahead + k] + flat[behind + k])
