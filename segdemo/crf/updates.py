"""The inner loops of mean field, compiled for the CPU with numba, for the pixels ``start`` to ``stop`` (see ``kernels.py``).

Probabilities p stay as they came, (K, N). A block of pixels at a time, those of the labels that are heard become rows
in the cache, one per pixel; nobody stores them. Inside, tables and rows are flat: a slice per pixel would be an object
with a reference count, which costs more than the arithmetic.

What most functions take:
    unary: p (K, N) float32; ``own``, (W,) int64, the label of each column of a row, -1 for an empty one; ``others``,
        the labels without a column; ``floor``: p below it counts as this.
    lattices: vertices (N, d+1) uint32 and weights (N, d+1) float32 of each kernel, all four flat.
    sums, tables: a pair of vertex tables (M+1, W), one per kernel.
    shares: (N,) what a label without a column is believed per clipped p of it.
"""

from __future__ import annotations

import math

import numpy as np

from .kernels import BLOCK, NOTHING, compiled, fast, inline
from .simd import LANES, add, highest, load, maximum, minimum, multiply, multiply_add, spread, store, total, transpose

_SPATIAL, _BILATERAL = np.uint64(3), np.uint64(6)
"""Corners of a simplex in 2 and in 5 dimensions: constants, so that loops unroll, and unsigned, so that no index may
count from the end."""
_LONG = 1024  # pixels that ``survey`` reads of one label before the next: long enough for the memory to read ahead


@compiled
def survey(p, start, stop):
    """Each label's largest of p (K, N), and how many pixels' are negative or do not sum to 1 (NaN does not)."""
    sums, least, flat = np.empty(_LONG, np.float32), np.empty(_LONG, np.float32), p.reshape(-1)
    tops, lanes, bad = np.zeros(len(p), np.float32), np.empty(LANES, np.float32), 0
    for first in range(start, stop, _LONG):
        count = min(_LONG, stop - first)
        whole = count // LANES * LANES
        sums[:], least[:] = 0, 0
        for label in range(len(p)):
            place, top = label * p.shape[1] + first, spread(NOTHING)
            for j in range(0, whole, LANES):
                value = load(flat, place + j)
                store(sums, j, add(load(sums, j), value))
                store(least, j, minimum(load(least, j), value))
                top = maximum(top, value)
            store(lanes, 0, top)
            tops[label] = max(tops[label], lanes.max())
            for j in range(whole, count):
                value = flat[place + j]
                sums[j] += value
                least[j] = min(least[j], value)
                tops[label] = max(tops[label], value)
        for j in range(count):
            bad += not (least[j] >= 0 and abs(sums[j] - 1) < 0.01)
    return tops, bad


@fast
def _scratch(width):
    """Room for a block: rows (BLOCK * W,), the same by columns, and four numbers per pixel."""
    rows, room = np.zeros((2, BLOCK * width), np.float32)
    return rows, room, np.zeros((4, BLOCK), np.float32)


@fast
def _fold(unary, first, rows, room, scale, rest, largest):
    """Probabilities of a block of pixels, clipped and normalized, as rows.

    Fills rows (BLOCK * W,); scale (BLOCK,): one over the pixel's sum of clipped ones; rest and largest (BLOCK,): the
    sum of the others', and the largest of theirs times 1/scale. ``room`` is zero in the empty columns.
    """
    p, own, others, floor = unary
    pixels, width, least, flat = p.shape[1], len(own), spread(floor), p.reshape(-1)
    if first + BLOCK > pixels:  # the last block: continue with copies of the last pixel
        edge = np.empty((len(p), BLOCK), np.float32)
        for label in range(len(p)):
            for j in range(BLOCK):
                edge[label, j] = p[label, min(first + j, pixels - 1)]
        pixels, first, flat = BLOCK, 0, edge.reshape(-1)
    for j in range(0, BLOCK, 2 * LANES):  # a cache line
        mass1, mass2, peak1, peak2 = spread(NOTHING), spread(NOTHING), spread(NOTHING), spread(NOTHING)
        for label in others:
            place = label * pixels + first + j
            value1, value2 = maximum(load(flat, place), least), maximum(load(flat, place + LANES), least)
            mass1, mass2 = add(mass1, value1), add(mass2, value2)
            peak1, peak2 = maximum(peak1, value1), maximum(peak2, value2)
        store(rest, j, mass1)
        store(rest, j + LANES, mass2)
        store(largest, j, peak1)
        store(largest, j + LANES, peak2)
    scale[:] = rest
    for column in range(width):
        if own[column] >= 0:
            for j in range(0, BLOCK, LANES):
                value = maximum(load(flat, own[column] * pixels + first + j), least)
                store(room, column * BLOCK + j, value)
                store(scale, j, add(load(scale, j), value))
    for j in range(BLOCK):
        scale[j] = np.float32(1) / scale[j]
    for j in range(0, BLOCK, LANES):
        factor = load(scale, j)
        store(rest, j, multiply(load(rest, j), factor))
        for column in range(width):
            store(room, column * BLOCK + j, multiply(load(room, column * BLOCK + j), factor))
        for column in range(0, width, LANES):
            transpose(room, column * BLOCK + j, BLOCK, rows, j * width + column, width)


@fast
def first_rows(unary, start, stop, q, shares):
    """The first beliefs, which are the clipped and normalized probabilities: rows q (N, W) and shares."""
    width = q.shape[1]
    rows, room, (scale, rest, largest, _) = _scratch(width)
    for first in range(start, stop, BLOCK):
        count = min(BLOCK, stop - first)
        _fold(unary, first, rows, room, scale, rest, largest)
        _keep(rows, width, scale, first, count, q, shares)


@fast
def splat_first(unary, lattices, start, stop, sums):
    """Splat the first beliefs into ``sums``."""
    rows, room, (scale, rest, largest, _) = _scratch(sums[0].shape[1])
    flat = sums[0].reshape(-1), sums[1].reshape(-1)
    for first in range(start, stop, BLOCK):
        _fold(unary, first, rows, room, scale, rest, largest)
        _splat(rows, sums[0].shape[1], lattices, first, min(BLOCK, stop - first), flat)


@fast
def unfold(q, shares, unary, start, stop, beliefs):
    """beliefs (K, N) of all labels, of rows q (N, W) and shares."""
    for first in range(start, stop, BLOCK):
        count = min(BLOCK, stop - first)
        rows = q[first : first + count].reshape(-1)
        _store(rows, shares[first : first + count], unary, first, count, beliefs)


@fast
def _keep(rows, width, shares, first, count, q, kept_shares):
    """Copy a block's rows and shares to those of all pixels."""
    flat = q.reshape(-1)
    for j in range(count):
        kept_shares[first + j] = shares[j]
        for k in range(0, width, LANES):
            store(flat, (first + j) * width + k, load(rows, j * width + k))


@fast
def _store(rows, shares, unary, first, count, beliefs):
    """``unfold`` for one block."""
    p, own, others, floor = unary
    pixels, width, least, flat, out = p.shape[1], len(own), spread(floor), p.reshape(-1), beliefs.reshape(-1)
    whole = count // LANES * LANES
    for label in others:
        start = label * pixels + first
        for j in range(0, whole, LANES):
            store(out, start + j, multiply(maximum(load(flat, start + j), least), load(shares, j)))
        for j in range(whole, count):
            out[start + j] = max(flat[start + j], floor) * shares[j]
    for column in range(width):
        if own[column] >= 0:
            start = own[column] * pixels + first
            for j in range(count):
                out[start + j] = rows[j * width + column]


@inline
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


@fast
def _hear(lattices, tables, width, first, count, messages, silence):
    """Messages (BLOCK * width,) of a block of pixels, read off the tables, minus the largest; and zero minus it."""
    vertices1, weights1, vertices2, weights2 = lattices
    table1, table2 = tables
    for j in range(count):
        pixel, top = np.uint64(first + j), spread(NOTHING)
        for k in range(0, width, LANES):
            heard = spread(NOTHING)
            for corner in range(_SPATIAL):
                place = np.int64(vertices1[pixel * _SPATIAL + corner]) * width + k
                heard = multiply_add(weights1[pixel * _SPATIAL + corner], load(table1, place), heard)
            for corner in range(_BILATERAL):
                place = np.int64(vertices2[pixel * _BILATERAL + corner]) * width + k
                heard = multiply_add(weights2[pixel * _BILATERAL + corner], load(table2, place), heard)
            store(messages, j * width + k, heard)
            top = maximum(top, heard)
        silence[j] = -highest(top)
        for k in range(j * width, (j + 1) * width, LANES):
            store(messages, k, add(load(messages, k), spread(silence[j])))


@fast
def _splat(rows, width, lattices, first, count, sums):
    """Add the rows of a block of pixels, weighted, to the rows of their vertices in the tables ``sums``."""
    vertices1, weights1, vertices2, weights2 = lattices
    sums1, sums2 = sums
    for j in range(count):
        pixel = np.uint64(first + j)
        for k in range(0, width, LANES):
            row = load(rows, j * width + k)
            for corner in range(_SPATIAL):
                place = np.int64(vertices1[pixel * _SPATIAL + corner]) * width + k
                store(sums1, place, multiply_add(weights1[pixel * _SPATIAL + corner], row, load(sums1, place)))
            for corner in range(_BILATERAL):
                place = np.int64(vertices2[pixel * _BILATERAL + corner]) * width + k
                store(sums2, place, multiply_add(weights2[pixel * _BILATERAL + corner], row, load(sums2, place)))


@fast
def _believe(rows, width, raised, spoken, silent, rest, scale, count, damping, shares):
    """Probabilities in ``rows`` become beliefs, times 1 - damping; the others' go to ``shares``, and Z to ``scale``.

    ``raised``: exp(messages), and ``silent``, (BLOCK,), exp(0), both times the same factor in each pixel.
    """
    for j in range(count):
        mass = spread(NOTHING)
        for k in range(0, spoken, LANES):
            row = multiply(load(rows, j * width + k), load(raised, j * spoken + k))
            store(rows, j * width + k, row)
            mass = add(mass, row)
        for k in range(spoken, width, LANES):
            row = multiply(load(rows, j * width + k), spread(silent[j]))
            store(rows, j * width + k, row)
            mass = add(mass, row)
        shares[j] = total(mass)
    for j in range(count):
        z = shares[j] + rest[j] * silent[j]
        fresh = (np.float32(1) - damping) / z
        shares[j], rest[j], scale[j] = scale[j] * silent[j] * fresh, fresh, z
    for j in range(count):
        for k in range(j * width, (j + 1) * width, LANES):
            store(rows, k, multiply(load(rows, k), spread(rest[j])))


@fast
def _damp(rows, width, previous, shares, shares_before, first, count, damping):
    for j in range(count):
        shares[j] += damping * shares_before[first + j]
        for k in range(width):
            rows[j * width + k] += damping * previous[first + j, k]


@fast
def _divergence(rows, width, messages, spoken, silence, z, count):
    """sum_l q(l) log(q(l) / p(l)) of a block of pixels; beliefs in no column of ``messages`` heard nothing."""
    energy = 0.0
    for j in range(count):
        heard, believed = spread(NOTHING), spread(NOTHING)
        for k in range(0, spoken, LANES):
            row = load(rows, j * width + k)
            heard, believed = add(heard, multiply(row, load(messages, j * spoken + k))), add(believed, row)
        energy += total(heard) + (np.float32(1) - total(believed)) * silence[j] - math.log(z[j])
    return energy


@fast
def _raise_peaks(rows, width, largest, shares, count, peaks):
    for k in range(0, width, LANES):
        peak = load(peaks, k)
        for j in range(count):
            peak = maximum(peak, load(rows, j * width + k))
        store(peaks, k, peak)
    for j in range(count):
        peaks[width] = max(peaks[width], largest[j] * shares[j])


@fast
def update(unary, lattices, tables, start, stop, sums, peaks, damping, before, after, beliefs, entropic):
    """One mean-field update of the pixels start..stop, without storing anybody's messages.

    Reads the messages off the blurred ``tables``, forms q = p exp(messages) / Z, and splats it into ``sums``, keeps it
    as rows in ``after``, and as maps in ``beliefs`` (K, N), unless those are empty.

    Args:
        tables: may have fewer columns than ``sums``; labels beyond get no messages, and nor do those without a column.
        before, after: rows q (N, W), and shares. ``before`` is read for its part ``damping`` only; it may be the same
            memory as ``after``.
        peaks: (W+1,) raised to the largest q of each column, and of all labels without one.
        entropic: whether to return sum_i sum_l q_i(l) log(q_i(l) / p_i(l)), for damping 0 (else 0 is returned).
    """
    width, spoken, entropy = len(unary[1]), tables[0].shape[1], 0.0
    flat, flat_sums = (tables[0].reshape(-1), tables[1].reshape(-1)), (sums[0].reshape(-1), sums[1].reshape(-1))
    rows, room, (scale, rest, largest, shares) = _scratch(width)
    messages, bits = np.zeros(BLOCK * spoken, np.float32), np.empty(BLOCK * spoken, np.int32)
    silence, silent = np.zeros(BLOCK, np.float32), np.empty(BLOCK, np.int32)
    raised = bits.view(np.float32), silent.view(np.float32)
    for first in range(start, stop, BLOCK):
        count = min(BLOCK, stop - first)
        _hear(lattices, flat, spoken, first, count, messages, silence)
        _exp(messages, bits)
        _exp(silence, silent)
        _fold(unary, first, rows, room, scale, rest, largest)
        _believe(rows, width, raised[0], spoken, raised[1], rest, scale, count, damping, shares)
        if entropic:
            entropy += _divergence(rows, width, messages, spoken, silence, scale, count)
        if damping > 0:
            _damp(rows, width, before[0], shares, before[1], first, count, damping)
        _raise_peaks(rows, width, largest, shares, count, peaks)
        if len(flat_sums[0]):
            _splat(rows, width, lattices, first, count, flat_sums)
        if len(after[0]):
            _keep(rows, width, shares, first, count, after[0], after[1])
        if len(beliefs):
            _store(rows, shares, unary, first, count, beliefs)
    return entropy


@fast
def collect(parts, columns, table):
    """table (M+1, W) = the sum of parts (strips, M+1, V), of their ``columns`` (W,) only; -1 gives zeros."""
    for vertex in range(len(table)):
        for k in range(len(columns)):
            value, column = NOTHING, columns[k]
            if column >= 0:
                for strip in range(len(parts)):
                    value += parts[strip, vertex, column]
            table[vertex, k] = value
