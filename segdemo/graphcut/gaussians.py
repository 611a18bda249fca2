"""The compiled loops over pixels and Gaussians behind ``likelihood.py`` and ``grabcut.py``.

The logarithm of a Gaussian is a polynomial of second degree in the colour's coordinates, whose ten
coefficients ``Mixture.coefficients`` gives. All loops work on blocks of pixels that stay in the fastest
cache, with the coordinates in rows, one Gaussian after the other: so the compiler computes sixteen pixels at once.
"""

from __future__ import annotations

import numpy as np
from numba import njit

MIDDLE_L = 50.0  # of Lab; powers of what lies around it stay small
BLOCK = 512  # pixels
LOG2_E = np.float32(1.4426950408889634)
# 2^f for f in [0, 1), interpolated at Chebyshev's nodes: right to 2e-7
EXP0, EXP1, EXP2, EXP3, EXP4, EXP5 = np.array(
    [0.9999999, 0.69315462, 0.24014077, 0.05586328, 0.00894621, 0.00189511], np.float32
)

# fastmath: sums may be reordered, so that the compiler can keep several going at once.
compiled = njit(cache=True, nogil=True, fastmath={"reassoc", "contract", "arcp", "nsz"})


@compiled
def _exp(x):
    """e^x of a float32 up to 88, without a branch or a call; what is below e^-87 becomes that.

    e^x = 2^n 2^f; 2^n is the number whose exponent bits are n.
    """
    power = max(x, np.float32(-87)) * LOG2_E
    n = np.floor(power)
    f = power - n
    part = EXP0 + f * (EXP1 + f * (EXP2 + f * (EXP3 + f * (EXP4 + f * EXP5))))
    return part * np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)


@compiled
def _load(colours, start, count, block):
    """Three rows of ``block``: the coordinates of ``count`` of the (n, 3) colours, L around its middle."""
    for i in range(count):
        block[0, i] = colours[start + i, 0] - np.float32(MIDDLE_L)
        block[1, i] = colours[start + i, 1]
        block[2, i] = colours[start + i, 2]


@compiled
def _log_gaussian(c, block, count, logs):
    """ln(weight x density) of the Gaussian with coefficients c, (10,), at a block of colours, into ``logs``."""
    x, y, z = block[0], block[1], block[2]
    c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 = c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8], c[9]
    for i in range(count):
        logs[i] = (
            c0
            + x[i] * (c1 + c4 * x[i] + c5 * y[i] + c6 * z[i])
            + y[i] * (c2 + c7 * y[i] + c8 * z[i])
            + z[i] * (c3 + c9 * z[i])
        )


@compiled
def densities(colours, coefficients, sums):
    """The sum of the components' weighted densities at each of (n, 3) float32 colours, into ``sums``, (n,) float32."""
    block, logs = np.empty((3, BLOCK), np.float32), np.empty(BLOCK, np.float32)
    for start in range(0, len(colours), BLOCK):
        count = min(BLOCK, len(colours) - start)
        total = sums[start : start + count]
        total[:] = 0
        _load(colours, start, count, block)
        for k in range(len(coefficients)):
            _log_gaussian(coefficients[k], block, count, logs)
            for i in range(count):
                total[i] += _exp(logs[i])


@compiled
def likeliest_components(colours, coefficients, most, costs, likeliest):
    """At each of (n, 3) float32 colours the cost -ln(weight x density) of each label's likeliest component, 0 to ``most``.

    ``coefficients`` is (labels, K, 10) float32; ``costs`` (labels, n) float32 and ``likeliest`` (labels, n) uint8 are written.
    """
    block, logs = np.empty((3, BLOCK), np.float32), np.empty(BLOCK, np.float32)
    top, best = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.int32)
    for start in range(0, len(colours), BLOCK):
        count = min(BLOCK, len(colours) - start)
        _load(colours, start, count, block)
        for label in range(len(coefficients)):
            top[:], best[:] = -np.inf, 0
            for k in range(coefficients.shape[1]):
                _log_gaussian(coefficients[label, k], block, count, logs)
                for i in range(count):
                    best[i] = np.int32(k) if logs[i] > top[i] else best[i]
                    top[i] = max(logs[i], top[i])
            for i in range(count):
                costs[label, start + i] = min(max(-top[i], np.float32(0)), most)
                likeliest[label, start + i] = best[i]


@compiled
def component_moments(colours, labels, likeliest, moments):
    """Add the ``monomials`` of (n, 3) float32 colours to ``moments``, (labels, K, 10) float64.

    Each goes to its label, (n,) uint8, and there to the component ``likeliest[label]`` of it, (labels, n) uint8.
    """
    for p in range(len(colours)):
        x, y, z = np.float64(colours[p, 0]) - MIDDLE_L, np.float64(colours[p, 1]), np.float64(colours[p, 2])
        sums = moments[labels[p], likeliest[labels[p], p]]
        sums[0] += 1
        sums[1] += x
        sums[2] += y
        sums[3] += z
        sums[4] += x * x
        sums[5] += x * y
        sums[6] += x * z
        sums[7] += y * y
        sums[8] += y * z
        sums[9] += z * z


@compiled
def shared_moments(colours, coefficients, moments):
    """Add the ``monomials`` of (n, 3) float32 colours to ``moments``, (K, 10) float64.

    Each goes to all components, in the shares that their weighted densities have there: the E step of
    expectation maximization, and the sums of its M step.
    """
    block, logs = np.empty((3, BLOCK), np.float32), np.empty((len(coefficients), BLOCK), np.float32)
    top, total = np.empty(BLOCK, np.float32), np.empty(BLOCK, np.float32)
    for start in range(0, len(colours), BLOCK):
        count = min(BLOCK, len(colours) - start)
        _load(colours, start, count, block)
        top[:], total[:] = -np.inf, 0
        for k in range(len(coefficients)):
            _log_gaussian(coefficients[k], block, count, logs[k])
            for i in range(count):
                top[i] = max(top[i], logs[k, i])
        for k in range(len(coefficients)):
            for i in range(count):
                logs[k, i] = _exp(logs[k, i] - top[i])
                total[i] += logs[k, i]
        for k in range(len(coefficients)):
            _add_shares(block, logs[k], total, count, moments[k])


@compiled
def _add_shares(block, shares, total, count, sums):
    """Add a block's ten monomials, each times shares / total, to ``sums``, (10,)."""
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = s9 = np.float32(0)
    for i in range(count):
        x, y, z, share = block[0, i], block[1, i], block[2, i], shares[i] / total[i]
        s0 += share
        s1 += share * x
        s2 += share * y
        s3 += share * z
        s4 += share * x * x
        s5 += share * x * y
        s6 += share * x * z
        s7 += share * y * y
        s8 += share * y * z
        s9 += share * z * z
    for column, value in enumerate((s0, s1, s2, s3, s4, s5, s6, s7, s8, s9)):
        sums[column] += value


@compiled
def next_centres(colours, centres, labels):
    """Give each of (n, 3) colours its nearest centre, into ``labels``; returns the means of what each centre has."""
    sums, counts = np.zeros(centres.shape), np.zeros(len(centres))
    least = np.full(len(colours), np.inf)
    for k in range(len(centres)):
        a, b, c = centres[k, 0], centres[k, 1], centres[k, 2]
        for p in range(len(colours)):
            distance = (colours[p, 0] - a) ** 2 + (colours[p, 1] - b) ** 2 + (colours[p, 2] - c) ** 2
            labels[p] = k if distance < least[p] else labels[p]
            least[p] = min(distance, least[p])
    for p in range(len(colours)):
        counts[labels[p]] += 1
        for channel in range(3):
            sums[labels[p], channel] += colours[p, channel]
    for k in range(len(centres)):
        for channel in range(3):
            sums[k, channel] = sums[k, channel] / counts[k] if counts[k] > 0 else centres[k, channel]
    return sums
