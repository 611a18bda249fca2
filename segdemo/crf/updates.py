"""The inner loops of mean field, compiled for the CPU with numba, for the pixels ``start`` to ``stop`` (see ``kernels.py``)."""

from __future__ import annotations

import math

import numpy as np

from .kernels import NOTHING, compiled, fast, inline
from .simd import LANES, add, highest, load, maximum, multiply, multiply_add, spread, store, total

_SPATIAL, _BILATERAL = 3, 6  # corners of a simplex in 2 and in 5 dimensions, as constants so that loops unroll
BLOCK = 64
"""So many pixels take a step of mean field together, to keep vector units busy with few labels too."""


@compiled
def survey(p, start, stop):
    """Each label's largest of p (K, N), and how many pixels' are negative or do not sum to 1 (NaN does not)."""
    tops, sums, least = np.zeros((len(p), BLOCK), np.float32), np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    bad = 0
    for first in range(start, stop, BLOCK):
        count = min(BLOCK, stop - first)
        sums[:], least[:] = 0, 0
        for label in range(len(p)):
            values, top = p[label, first : first + count], tops[label]
            for j in range(count):
                sums[j] += values[j]
                top[j] = top[j] if top[j] > values[j] else values[j]
                least[j] = least[j] if least[j] < values[j] else values[j]
        for j in range(count):
            bad += not (least[j] >= 0 and abs(sums[j] - 1) < 0.01)
    largest = np.zeros(len(p), np.float32)
    for label in range(len(p)):
        largest[label] = tops[label].max()
    return largest, bad


@fast
def fold(p, columns, heard, floor, start, stop, merged):
    """Clip p (K, N) at ``floor``, normalize it, and put each label into its column of merged (N, W).

    All labels with the column ``heard`` share it; others have one of their own.
    """
    sums, rest = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    for first in range(start, stop, BLOCK):
        count = min(BLOCK, stop - first)
        sums[:], rest[:] = 0, 0
        for label in range(len(p)):
            values = p[label, first : first + count]
            for j in range(count):
                sums[j] += max(values[j], floor)
            if columns[label] == heard:
                for j in range(count):
                    rest[j] += max(values[j], floor)
        for j in range(count):
            sums[j] = np.float32(1) / sums[j]
        for label in range(len(p)):
            values, column = p[label, first : first + count], columns[label]
            if column < heard:
                for j in range(count):
                    merged[first + j, column] = max(values[j], floor) * sums[j]
        if heard < len(p):
            for j in range(count):
                merged[first + j, heard] = rest[j] * sums[j]


@fast
def unfold(q, p, columns, heard, floor, start, stop, beliefs):
    """beliefs (K, N): each label's column of q (N, W), or its part of the shared one, in proportion to p (K, N)."""
    part = np.empty(BLOCK, np.float32)
    for first in range(start, stop, BLOCK):
        count = min(BLOCK, stop - first)
        part[:] = 0
        for label in range(len(p)):
            if columns[label] == heard:
                values = p[label, first : first + count]
                for j in range(count):
                    part[j] += max(values[j], floor)
        if heard < len(p):
            for j in range(count):
                part[j] = q[first + j, heard] / part[j]
        for label in range(len(p)):
            values, out, column = p[label, first : first + count], beliefs[label, first : first + count], columns[label]
            for j in range(count):
                out[j] = q[first + j, column] if column < heard else max(values[j], floor) * part[j]


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


@inline
def _splat_row(row, table, vertices, weights, corners):
    """Add a pixel's row, weighted, to the rows of its vertices; as many columns as the table has."""
    for corner in range(corners):
        weight, out = weights[corner], table[vertices[corner]]
        for k in range(0, table.shape[1], LANES):
            store(out, k, multiply_add(weight, load(row, k), load(out, k)))


@fast
def update(p, lattice1, lattice2, tables, start, stop, damping, previous, sums, q, peaks, entropic):
    """One mean-field update of the pixels start..stop, without storing anybody's messages.

    Reads the messages off the blurred ``tables`` (a pair), forms q = p exp(messages) / Z, keeps it
    in ``q`` (N, W) unless that is empty, and splats it into ``sums`` (a pair) unless those are.

    Args:
        p: (N, W) float32. Columns that the tables lack get no messages.
        lattice1, lattice2: (vertices, weights) of each kernel.
        previous: (N, W) beliefs before, of which the part ``damping`` stays; ignored if that is 0.
        peaks: (W,) raised to the largest q of each column.
        entropic: whether to return sum_i sum_l q_i(l) log(q_i(l) / p_i(l)), for damping 0 (else 0 is returned).
    """
    (vertices1, weights1), (vertices2, weights2) = lattice1, lattice2
    (table1, table2), (sums1, sums2) = tables, sums
    spoken, width, fresh = table1.shape[1], p.shape[1], np.float32(1) - damping
    messages, bits = np.empty((BLOCK, spoken), np.float32), np.empty((BLOCK, spoken), np.int32)
    silence, silence_bits = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.int32)
    raised, silent = bits.view(np.float32), silence_bits.view(np.float32)
    row, entropy = np.empty(width, np.float32), 0.0
    for first in range(start, stop, BLOCK):
        count = min(BLOCK, stop - first)
        for j in range(count):
            i, message, top = first + j, messages[j], spread(NOTHING)
            for k in range(0, spoken, LANES):
                heard = spread(NOTHING)
                for corner in range(_SPATIAL):
                    heard = multiply_add(weights1[i, corner], load(table1[vertices1[i, corner]], k), heard)
                for corner in range(_BILATERAL):
                    heard = multiply_add(weights2[i, corner], load(table2[vertices2[i, corner]], k), heard)
                store(message, k, heard)
                top = maximum(top, heard)
            silence[j] = -highest(top)
            for k in range(0, spoken, LANES):
                store(message, k, add(load(message, k), spread(silence[j])))
        _exp(messages.reshape(-1), bits.reshape(-1))
        _exp(silence, silence_bits)
        for j in range(count):
            i, message, mass = first + j, messages[j], spread(NOTHING)
            for k in range(0, spoken, LANES):
                store(row, k, multiply(load(p[i], k), load(raised[j], k)))
                mass = add(mass, load(row, k))
            for k in range(spoken, width, LANES):
                store(row, k, multiply(load(p[i], k), spread(silent[j])))
                mass = add(mass, load(row, k))
            z, heard = total(mass), spread(NOTHING)
            for k in range(0, width, LANES):
                believed = multiply(load(row, k), spread(fresh / z))
                if damping > 0:
                    believed = multiply_add(damping, load(previous[i], k), believed)
                store(row, k, believed)
                store(peaks, k, maximum(load(peaks, k), believed))
            if entropic:
                for k in range(0, spoken, LANES):
                    heard = add(heard, multiply(load(row, k), load(message, k)))
                for k in range(spoken, width, LANES):
                    heard = add(heard, multiply(load(row, k), spread(silence[j])))
                entropy += total(heard) - math.log(z)
            if len(sums1):
                _splat_row(row, sums1, vertices1[i], weights1[i], _SPATIAL)
                _splat_row(row, sums2, vertices2[i], weights2[i], _BILATERAL)
            if len(q):
                for k in range(0, width, LANES):
                    store(q[i], k, load(row, k))
    return entropy
