"""The inner loops of the lattice and of mean field, compiled for the CPU with numba.

Each function does what a few PyTorch lines in ``lattice.py`` and ``dense.py`` do, for the
pixels (or vertices) ``start`` to ``stop`` only, and releases the interpreter's lock, so
that ``in_strips`` can run several side by side.

A table of vertex values has one row per vertex and a last row of zeros, which stands for
every vertex that the photo does not touch.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 divided by the golden ratio (Knuth, multiplicative hashing)
_EMPTY = np.iinfo(np.int64).min
BLOCK = 64
"""So many pixels pass through mean field together, to keep vector units busy with few labels too."""

_compiled = njit(cache=True, nogil=True)
_fast = njit(cache=True, nogil=True, fastmath=True)
_inline = njit(inline="always")


# -- building the lattice ---------------------------------------------------------------


@_compiled
def enclosing_simplices(features, low, radix, keys, weights, start, stop):
    """Keys (N, d+1) int64 and barycentric weights (N, d+1) float32 of the simplex around each feature."""
    d = features.shape[1]
    scale = np.empty(d, np.float32)
    for a in range(d):
        scale[a] = math.sqrt(2 / 3 / ((a + 1) * (a + 2)))
    fraction, order = np.empty(d, np.float32), np.empty(d, np.int64)
    for i in range(start, stop):
        key, running = np.int64(0), np.float32(0)
        for a in range(d):
            step = features[i, a] * scale[a]
            running += step
            y = running + np.float32(a + 1) * step
            floor = np.floor(y)
            key += (np.int64(floor) - low[a]) * radix[a]
            place = a  # insertion sort, largest fraction first
            while place > 0 and fraction[place - 1] < y - floor:
                fraction[place], order[place] = fraction[place - 1], order[place - 1]
                place -= 1
            fraction[place], order[place] = y - floor, a
        keys[i, 0], weights[i, 0] = key, np.float32(1) - fraction[0]
        for a in range(d):
            key += radix[order[a]]
            following = fraction[a + 1] if a + 1 < d else np.float32(0)
            keys[i, a + 1], weights[i, a + 1] = key, fraction[a] - following


@_inline
def _slot(table, bits, key):
    """The place of ``key`` in a hash table of 2^bits, or the free place where it belongs (linear probing)."""
    place = np.int64((np.uint64(key) * _GOLDEN) >> np.uint64(64 - bits))
    while table[place] != key and table[place] != _EMPTY:
        place = (place + 1) & (len(table) - 1)
    return place


@_compiled
def _hash_table(known, count, bits):
    """A table of 2^bits keys and their numbers, holding the first ``count`` of ``known``."""
    table, number = np.full(1 << bits, _EMPTY), np.empty(1 << bits, np.int32)
    for v in range(count):
        place = _slot(table, bits, known[v])
        table[place], number[place] = known[v], v
    return table, number


@_compiled
def number_vertices(keys, steps):
    """Number the distinct keys in order of appearance.

    Returns (vertices, neighbours): the number of each key, int32, and for each of the d+1
    steps (d+1, M, 2) int32 the numbers of key + step and key - step, M where there is none.
    """
    bits, count = 12, 0
    known = np.empty(1 << bits, np.int64)
    table, number = _hash_table(known, 0, bits)
    vertices = np.empty(len(keys), np.int32)
    for i in range(len(keys)):
        if i >= len(steps) and keys[i] == keys[i - len(steps)]:  # same corner as the pixel before, as so often
            vertices[i] = vertices[i - len(steps)]
            continue
        place = _slot(table, bits, keys[i])
        if table[place] == _EMPTY:
            table[place], number[place], known[count] = keys[i], count, keys[i]
            count += 1
        vertices[i] = number[place]
        if 2 * count > len(table):  # double the table, so that probing stays short
            bits += 1
            known = np.concatenate((known, np.empty(len(known), np.int64)))
            table, number = _hash_table(known, count, bits)
    neighbours = np.empty((len(steps), count, 2), np.int32)
    for axis in range(len(steps)):
        for v in range(count):
            for side in range(2):
                key = known[v] + (steps[axis] if side == 0 else -steps[axis])
                place = _slot(table, bits, key)
                neighbours[axis, v, side] = number[place] if table[place] == key else count
    return vertices, neighbours


# -- splat, blur, slice -----------------------------------------------------------------


@_inline
def _splat_row(row, table, vertices, weights):
    """Add a pixel's row (K,), weighted, to the rows of its d+1 vertices."""
    for v in range(len(vertices)):
        weight, vertex_row = weights[v], table[vertices[v]]
        for k in range(len(row)):
            vertex_row[k] += weight * row[k]


@_inline
def _slice_row(row, table, vertices, weights):
    """Add the weighted rows of a pixel's d+1 vertices to its row (K,)."""
    for v in range(len(vertices)):
        weight, vertex_row = weights[v], table[vertices[v]]
        for k in range(len(row)):
            row[k] += weight * vertex_row[k]


@_fast
def splat(values, vertices, weights, start, stop, table):
    """Add the pixels' values (N, K) to the table (M+1, K)."""
    for i in range(start, stop):
        _splat_row(values[i], table, vertices[i], weights[i])


@_fast
def slice_(table, vertices, weights, start, stop, values):
    """Add the table (M+1, K), read at the pixels, to their values (N, K)."""
    for i in range(start, stop):
        _slice_row(values[i], table, vertices[i], weights[i])


@_fast
def blur(table, neighbours, scale, blurred, start, stop):
    """blurred[v] = scale * (table[v] + half of both its neighbours along one axis)."""
    for v in range(start, stop):
        here, ahead, behind = table[v], table[neighbours[v, 0]], table[neighbours[v, 1]]
        out = blurred[v]
        for k in range(len(out)):
            out[k] = scale * (here[k] + np.float32(0.5) * (ahead[k] + behind[k]))


# -- mean field -------------------------------------------------------------------------


@_fast
def fold(p, columns, start, stop, merged):
    """Add the rows of p (K, N) to the columns of merged (N, W) given for them, a few pixels at a time."""
    for first in range(start, stop, 128):
        for label in range(len(columns)):
            for i in range(first, min(first + 128, stop)):
                merged[i, columns[label]] += p[label, i]


@_fast
def unfold(q, merged, p, columns, start, stop, beliefs):
    """beliefs (K, N): each label's part of its column of q (N, W), in proportion to p (K, N)."""
    for first in range(start, stop, 128):
        for label in range(len(columns)):
            for i in range(first, min(first + 128, stop)):
                beliefs[label, i] = p[label, i] * (q[i, columns[label]] / merged[i, columns[label]])


@_inline
def _exp(x, bits):
    """Put exp(x), for x <= 0, into ``bits`` seen as float32; written out so that it runs on vectors.

    exp(x) = 2^whole e^part: ``whole`` goes into the exponent field of the float, and e^part,
    with |part| <= ln(2)/2, is its Taylor series to the sixth order (relative error below 1e-6).
    """
    value = bits.view(np.float32)
    for k in range(len(x)):
        scaled = max(x[k] * np.float32(1.4426950408889634), np.float32(-126))
        whole = np.floor(scaled + np.float32(0.5))
        part = (scaled - whole) * np.float32(0.6931471805599453)
        series = np.float32(1 / 720)
        series = series * part + np.float32(1 / 120)
        series = series * part + np.float32(1 / 24)
        series = series * part + np.float32(1 / 6)
        series = series * part + np.float32(0.5)
        series = series * part + np.float32(1)
        value[k] = series * part + np.float32(1)
        bits[k] += np.int32(whole) << 23


@_fast
def mean_field_strip(p, heard, lattice1, lattice2, tables, start, stop, sums, q):
    """One mean-field update of the pixels start..stop, without storing anybody's messages.

    Reads the messages off the blurred ``tables`` (a pair), forms q = p exp(messages) / Z, keeps it
    in ``q`` (N, K) unless that is empty, and splats it into ``sums`` (a pair) unless those are.

    Args:
        p: (N, K) float32. Labels from ``heard`` on get no messages.
        lattice1, lattice2: (vertices, weights) of each kernel.
    """
    (vertices1, weights1), (vertices2, weights2) = lattice1, lattice2
    (table1, table2), (sums1, sums2) = tables, sums
    messages, bits = np.empty((BLOCK, p.shape[1]), np.float32), np.empty((BLOCK, p.shape[1]), np.int32)
    rows = bits.view(np.float32)
    for first in range(start, stop, BLOCK):
        count = min(BLOCK, stop - first)
        messages[:] = 0
        for j in range(count):
            message = messages[j]
            _slice_row(message, table1, vertices1[first + j], weights1[first + j])
            _slice_row(message, table2, vertices2[first + j], weights2[first + j])
            message[heard:] = 0
            largest = np.float32(0)
            for k in range(len(message)):
                largest = max(largest, message[k])
            for k in range(len(message)):
                message[k] -= largest
        _exp(messages.reshape(-1), bits.reshape(-1))
        for j in range(count):
            i, row, total = first + j, rows[j], np.float32(0)
            for k in range(len(row)):
                row[k] *= p[i, k]
                total += row[k]
            for k in range(len(row)):
                row[k] /= total
            if len(sums1):
                _splat_row(row, sums1, vertices1[i], weights1[i])
                _splat_row(row, sums2, vertices2[i], weights2[i])
            if len(q):
                q[i] = row
