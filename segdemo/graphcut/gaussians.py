"""The compiled loops over pixels and Gaussians behind ``likelihood.py`` and ``grabcut.py``.

The logarithm of a Gaussian is a polynomial of second degree in the colour's coordinates, with ten coefficients,
and what a fit needs to know of its pixels are sums of the same ten monomials, its moments. Loops over pixels work on
blocks that stay in the fastest cache, with the coordinates in rows, one Gaussian after the other: so the compiler
computes many pixels at once.
"""

from __future__ import annotations

import numpy as np
from numba import njit

MIDDLE_L = 50.0  # of Lab; powers of what lies around it stay small
NOISE = 2.0  # Lab units: the least spread of a colour, about that of camera noise and JPEG
PRIOR_SPREAD, PRIOR_PIXELS = 10.0, 3.0  # a component's spread before it has seen a pixel, and what that is worth
CLOCKS = 2**10  # makes further random numbers of one: the fractions of its large multiples
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
def fitted_gaussians(moments):
    """Gaussians fitted to the ``monomials``' sums of their pixels, (K, 10) float64.

    Returns weights (K,), which sum to 1, means (K, 3) around the middle of Lab, and covariances (K, 3, 3), each with
    a weak prior and never narrower than ``NOISE`` in any direction.
    """
    count, total = len(moments), moments[:, 0].sum()
    weights, means, covariances = np.empty(count), np.empty((count, 3)), np.empty((count, 3, 3))
    for k in range(count):
        owned, column = moments[k, 0], 4
        weights[k] = (owned + 1e-9) / (total + count * 1e-9)
        for i in range(3):
            centre = moments[:, 1 + i].sum() / total  # of all pixels: the place of a component that has none
            means[k, i] = (moments[k, 1 + i] + 1e-6 * centre) / (owned + 1e-6)
        for i in range(3):
            for j in range(i, 3):
                scatter = moments[k, column] - owned * means[k, i] * means[k, j]
                if i == j:
                    scatter += PRIOR_PIXELS * PRIOR_SPREAD**2
                covariance = scatter / (owned + PRIOR_PIXELS) + (NOISE**2 if i == j else 0.0)
                covariances[k, i, j] = covariances[k, j, i] = covariance
                column += 1
    return weights, means, covariances


@compiled
def gaussian_coefficients(weights, means, covariances):
    """(K, 10): the coefficients of each ln(weight x density) in the order of ``monomials``; arguments as above."""
    coefficients, precision = np.empty((len(weights), 10)), np.empty((3, 3))
    for k in range(len(weights)):
        c, mean = covariances[k], means[k]
        for i in range(3):  # the inverse by cofactors, whose indices go round
            for j in range(3):
                i1, i2, j1, j2 = (i + 1) % 3, (i + 2) % 3, (j + 1) % 3, (j + 2) % 3
                precision[i, j] = c[i1, j1] * c[i2, j2] - c[i1, j2] * c[i2, j1]
        determinant = c[0, 0] * precision[0, 0] + c[0, 1] * precision[0, 1] + c[0, 2] * precision[0, 2]
        constant, column = np.log(weights[k]) - 0.5 * np.log(determinant) - 1.5 * np.log(2 * np.pi), 4
        for i in range(3):
            pull = (precision[i, 0] * mean[0] + precision[i, 1] * mean[1] + precision[i, 2] * mean[2]) / determinant
            coefficients[k, 1 + i] = pull
            constant -= 0.5 * pull * mean[i]
            for j in range(i, 3):  # -1/2 on the diagonal, and off it both halves together: -1
                coefficients[k, column] = precision[i, j] / determinant * (-0.5 if i == j else -1.0)
                column += 1
        coefficients[k, 0] = constant
    return coefficients


@compiled
def maximize_expectation(colours, moments, iterations):
    """Expectation maximization on (n, 3) float32 colours, from the Gaussians fitted to ``moments``, which it updates."""
    for _ in range(iterations):
        weights, means, covariances = fitted_gaussians(moments)
        coefficients = gaussian_coefficients(weights, means, covariances).astype(np.float32)
        moments[:] = 0
        shared_moments(colours, coefficients, moments)


@compiled
def seed_centres(colours, components, chance):
    """k-means++ (Arthur & Vassilvitskii 2007): (K, 3) of the (n, 3) colours, fewer if fewer are different.

    Each colour draws by its own number of ``chance``, (n,) in [0, 1): of n exponential clocks whose rates are the
    colours' weights, each is the first to ring with the right probability. So a few colours more or less, as the
    next stroke brings them, seldom change what is drawn among the others.
    """
    centres, weight = np.empty((components, 3)), np.ones(len(colours))
    for drawn in range(components):
        first, soonest = -1, np.inf
        for p in range(len(colours)):
            if weight[p] > 0:
                multiple = chance[p] * (CLOCKS * (CLOCKS + drawn))  # its fraction is another number for each draw
                rings = -np.log(1 - (multiple - np.floor(multiple))) / weight[p]
                if rings < soonest:
                    first, soonest = p, rings
        if first < 0:
            return centres[:drawn]
        for channel in range(3):
            centres[drawn, channel] = colours[first, channel]
        a, b, c = centres[drawn, 0], centres[drawn, 1], centres[drawn, 2]
        for p in range(len(colours)):
            squared = (colours[p, 0] - a) ** 2 + (colours[p, 1] - b) ** 2 + (colours[p, 2] - c) ** 2
            weight[p] = min(weight[p], squared) if drawn else squared  # squared distance to the nearest centre
    return centres


@compiled
def nearest_centres(colours, components, chance, iterations):
    """k-means on (n, 3) float64 colours, seeded by k-means++: (n,) the index of each colour's centre."""
    centres, labels = seed_centres(colours, components, chance), np.zeros(len(colours), np.intp)
    for _ in range(iterations):
        centres = next_centres(colours, centres, labels)
    return labels


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
