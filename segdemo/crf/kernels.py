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
NOTHING = np.float32(0)
_HALF = np.float32(0.5)
compiled = njit(cache=True, nogil=True, error_model="numpy")
fast = njit(cache=True, nogil=True, error_model="numpy", fastmath=True)
inline = njit(inline="always")


# -- building the lattice ---------------------------------------------------------------


@compiled
def bounds(features, start, stop):
    """The smallest and largest feature along each axis, (2, d); NaN if one is not finite."""
    d = features.shape[1]
    found, sound = np.empty((2, d), np.float32), np.zeros(d, np.float32)
    found[:] = features[start]
    for i in range(start, stop):
        for a in range(d):
            found[0, a] = min(found[0, a], features[i, a])
            found[1, a] = max(found[1, a], features[i, a])
            sound[a] += features[i, a] * NOTHING
    return found + sound


@inline
def _slot(table, shift, key):
    """The place of ``key`` in a hash table of 2^(64 - shift), or the free place where it belongs (linear probing).

    With ``shift`` 0 all keys are smaller than the table, and are their places: neighbours stay near each other.
    """
    place = np.int64((np.uint64(key) * _GOLDEN) >> np.uint64(shift)) if shift else key
    while table[place] != key and table[place] != _EMPTY:
        place = (place + 1) & (len(table) - 1)
    return place


@compiled
def number_keys(keys, bits, shift):
    """A hash table of 2^bits keys, with the distinct ones of ``keys`` numbered in order of appearance.

    ``shift``: see ``_slot``.

    Returns (table, number, numbers): ``number[place]`` is that of ``table[place]``, ``numbers[i]`` that of ``keys[i]``.
    """
    table, number = np.full(1 << bits, _EMPTY), np.empty(1 << bits, np.int32)
    numbers, count = np.empty(len(keys), np.int32), 0
    for i in range(len(keys)):
        place = _slot(table, shift, keys[i])
        if table[place] == _EMPTY:
            table[place], number[place] = keys[i], count
            count += 1
        numbers[i] = number[place]
    return table, number, numbers


@compiled
def embed(features, low, radix, bits, shift, start, stop, vertices, weights):
    """Find the simplex around each feature: its corners and the feature's barycentric weights, both (N, d+1).

    The corners are numbered in the order in which this strip meets them. ``low`` and ``radix``: (d,) int64;
    ``bits`` and ``shift``: of the hash table to begin with.
    Returns the keys of the numbered vertices, (m,) int64.
    """
    known, count = np.empty(1 << bits, np.int64), 0
    table, number, _ = number_keys(known[:0], bits, shift)
    while start < stop:
        start, count = _embed_some(
            features, low, radix, start, stop, vertices, weights, table, shift, number, known, count
        )
        if start < stop:  # double the table, so that probing stays short
            bits, shift = bits + 1, 63 - bits
            known = np.concatenate((known, known))
            table, number, _ = number_keys(known[:count], bits, shift)
    return known[:count].copy()


@compiled
def _embed_some(features, low, radix, start, stop, vertices, weights, table, shift, number, known, count):
    """The pixels from ``start`` on until the hash table is half full; returns where it stopped and the new count."""
    d = len(radix)
    scale, fraction, step = np.empty(d, np.float32), np.empty(d, np.float32), np.empty(d, np.int64)
    for a in range(d):
        scale[a] = math.sqrt(2 / 3 / ((a + 1) * (a + 2)))
    ordered = np.zeros(d + 2, np.float32)
    ordered[0] = 1  # ordered[1..d]: the fractions from the largest on, ordered[d+1] = 0
    last_key, last_number = np.full(d + 1, _EMPTY), np.zeros(d + 1, np.int32)
    for i in range(start, stop):
        if 2 * (count + d + 1) > len(table):
            return i, count
        key, running = np.int64(0), np.float32(0)
        for a in range(d):
            length = features[i, a] * scale[a]
            running += length
            y = running + np.float32(a + 1) * length
            floor = np.floor(y)
            key += (np.int64(floor) - low[a]) * radix[a]
            fraction[a] = y - floor
        for a in range(d):
            rank = 0  # counting who comes before needs no branches, which a sort would guess wrong
            for b in range(a):
                rank += fraction[b] >= fraction[a]
            for b in range(a + 1, d):
                rank += fraction[b] > fraction[a]
            ordered[rank + 1], step[rank] = fraction[a], radix[a]
        for corner in range(d + 1):
            if corner > 0:
                key += step[corner - 1]
            weights[i, corner] = ordered[corner] - ordered[corner + 1]
            if key != last_key[corner]:  # often it is the same corner as the pixel's before
                place = _slot(table, shift, key)
                if table[place] == _EMPTY:
                    table[place], number[place], known[count] = key, count, key
                    count += 1
                last_key[corner], last_number[corner] = key, number[place]
            vertices[i, corner] = last_number[corner]
    return stop, count


@compiled
def renumber(vertices, numbers, start, stop):
    """Replace each number v of the rows start..stop by numbers[v]."""
    for i in range(start, stop):
        for corner in range(vertices.shape[1]):
            vertices[i, corner] = numbers[vertices[i, corner]]


@compiled
def connect(known, steps, table, shift, number, start, stop, neighbours):
    """Enter into neighbours (d+1, M, 2) who is one step ahead of the vertices start..stop, and they behind it."""
    for axis in range(len(steps)):
        for v in range(start, stop):
            place = _slot(table, shift, known[v] + steps[axis])
            if table[place] != _EMPTY:
                ahead = number[place]
                neighbours[axis, v, 0], neighbours[axis, ahead, 1] = ahead, v


@fast
def splat_ones(vertices, weights, start, stop, sums):
    """Add the pixels' weights to their vertices' sums (M+1,)."""
    for i in range(start, stop):
        for corner in range(vertices.shape[1]):
            sums[vertices[i, corner]] += weights[i, corner]


@fast
def normalize(table, vertices, weights, start, stop):
    """Divide the pixels' weights by the square roots of what the table (M+1,) holds for them."""
    for i in range(start, stop):
        mass = np.float32(1e-20)
        for corner in range(vertices.shape[1]):
            mass += weights[i, corner] * table[vertices[i, corner]]
        factor = np.float32(1) / np.sqrt(mass)
        for corner in range(vertices.shape[1]):
            weights[i, corner] *= factor


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
    whole = table.shape[1] // LANES * LANES
    for v in range(start, stop):
        here, ahead, behind = table[v], table[neighbours[v, 0]], table[neighbours[v, 1]]
        out = blurred[v]
        for k in range(0, whole, LANES):
            both = add(load(ahead, k), load(behind, k))
            store(out, k, multiply(spread(scale), multiply_add(_HALF, both, load(here, k))))
        for k in range(whole, len(out)):
            out[k] = scale * (here[k] + _HALF * (ahead[k] + behind[k]))
