"""The energy of a labelling and its conversion to integers.

    E(L) = sum_p D_p(L_p) + sum_(p,q) V_pq [L_p != L_q]

The data term D_p(l) is what it costs to give pixel p the label l: -ln P(l | pixel). The
smoothness term charges each pair of neighbours with different labels

    V_pq = lambda exp(-|I_p - I_q|^2 / (2 sigma^2)) / dist(p, q),

much inside an area of one colour, little across an edge of the photo. Seeds are hard
constraints: a seed's own label costs nothing, the others more than all of its neighbours
together, so that no minimum violates a seed, unless ``seed_cost`` names another price for
overruling one (soft seeds).

Energies are nats (natural logarithm). Cuts are computed in integers, ``SCALE`` to the nat:
there the value of the maximum flow equals the energy of the minimum cut exactly.

References:
    Boykov & Jolly, Interactive graph cuts, ICCV 2001 (the energy, the seeds' constant K).
    Rother, Kolmogorov & Blake, GrabCut, SIGGRAPH 2004 (sigma from the photo's mean contrast).
"""

from __future__ import annotations

import numpy as np
from numba import njit

BACKGROUND, OBJECT = 0, 1
"""The labels where there are two; the source side of a cut is the object."""

SCALE = 1000
"""Integer units per nat."""

LEAST_SIGMA = 1e-3
"""In colour units; a σ below it, which would make weights that no number holds, counts as it."""

STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Steps (dy, dx) to half of the 8 neighbours; the first two are half of the 4 neighbours."""


compiled = njit(cache=True, nogil=True)


def pair_slices(step: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where in an (H, W) array lie the first and the second pixels of all pairs (p, p + step)."""
    dy, dx = step
    first = (slice(None, -dy or None), slice(max(-dx, 0), -dx if dx > 0 else None))
    second = (slice(dy, None), slice(max(dx, 0), dx if dx < 0 else None))
    return first, second


def squared_contrasts(colours: np.ndarray, neighbours: int) -> list[np.ndarray]:
    """|I_p - I_q|^2 for each pair of neighbours: per step an (h, w) float32 array, at p; NaN where q is outside."""
    contrasts = []
    for step in STEPS[: neighbours // 2]:
        first, second = pair_slices(step)
        squared = np.full(colours.shape[:2], np.nan, np.float32)
        _square_differences(colours[first], colours[second], squared[first])
        contrasts.append(squared)
    return contrasts


@compiled
def _square_differences(first, second, squared):
    height, width = squared.shape
    for y in range(height):
        for x in range(width):
            total = np.float32(0)
            for channel in range(first.shape[2]):
                total += (first[y, x, channel] - second[y, x, channel]) ** 2
            squared[y, x] = total


def estimate_sigma(contrasts: list[np.ndarray]) -> float:
    """The root mean square contrast between neighbours, in colour units; at least 1e-3, for constant photos."""
    pairs = [contrast[pair_slices(step)[0]] for step, contrast in zip(STEPS, contrasts)]
    total = sum(float(squared.sum(dtype=np.float64)) for squared in pairs)
    return max(float(np.sqrt(total / max(sum(squared.size for squared in pairs), 1))), LEAST_SIGMA)


def pairwise_weights(contrasts: list[np.ndarray], smoothness: float, sigma: float) -> list[np.ndarray]:
    """V_pq in integers: per step an (h, w) int64 array, at p; 0 where q is outside. A ``sigma`` under 1e-3 is 1e-3."""
    weights, sigma = [], max(sigma, LEAST_SIGMA)
    for step, squared in zip(STEPS, contrasts):
        first, _ = pair_slices(step)
        weight = np.zeros(squared.shape, np.int64)
        similarity = np.exp(squared[first] * np.float32(-1 / (2 * sigma**2)))
        weight[first] = np.rint(np.float32(SCALE * smoothness / np.hypot(*step)) * similarity)
        weights.append(weight)
    return weights


def neighbour_sums(weights: list[np.ndarray]) -> np.ndarray:
    """(h, w) int64: the sum of V_pq over all neighbours q of each pixel p."""
    sums = np.zeros_like(weights[0])
    for step, weight in zip(STEPS, weights):
        first, second = pair_slices(step)
        sums[first] += weight[first]
        sums[second] += weight[first]
    return sums


def data_costs(
    costs: np.ndarray, scribbles: np.ndarray, weights: list[np.ndarray], seed_cost: float = 0.0
) -> np.ndarray:
    """D_p in integers, the seeds included, (labels, h, w) int64.

    Args:
        costs: (labels, h, w) floats >= 0, nats.
        scribbles: (h, w) integers, 0 = none, k + 1 = a seed of label k.
        weights: the pairwise weights, which a hard seed has to outweigh.
        seed_cost: nats that it costs to overrule one pixel of a seed; 0 = more than any cut, so that none is.
    """
    return seeded(costs, scribbles, seed_price(weights, seed_cost))


def seed_price(weights: list[np.ndarray], seed_cost: float = 0.0) -> int:
    """What overruling a seed's pixel costs, in integers; by default more than all edges of any pixel together."""
    return 1 + int(neighbour_sums(weights).max()) if is_hard(seed_cost) else round(SCALE * seed_cost)


def is_hard(seed_cost: float) -> bool:
    """Whether seeds are never overruled."""
    return round(SCALE * seed_cost) == 0


def seeded(costs: np.ndarray, scribbles: np.ndarray, price: int) -> np.ndarray:
    """``costs`` in integers, (labels, h, w) int64, and at seeds 0 for their own label and ``price`` for the others."""
    data = np.empty(costs.shape, np.int64)
    flat = len(costs), scribbles.size
    _to_integers(np.ascontiguousarray(costs).reshape(flat), scribbles.reshape(-1), price, data.reshape(flat))
    return data


@compiled
def _to_integers(nats, seeds, price, integers):
    for label in range(len(nats)):
        for p in range(len(seeds)):
            paid = 0 if seeds[p] == label + 1 else price
            integers[label, p] = paid if seeds[p] > 0 else np.int64(np.rint(SCALE * np.float64(nats[label, p])))


def cut_pairs(labels: np.ndarray, step: tuple[int, int]) -> np.ndarray:
    """(h, w) bool, at p: True where p and its neighbour p + step have different labels."""
    first, second = pair_slices(step)
    cut = np.zeros(labels.shape, bool)
    cut[first] = labels[first] != labels[second]
    return cut


def evaluate(
    labels: np.ndarray, data: np.ndarray, weights: list[np.ndarray], penalties: np.ndarray | None = None
) -> tuple[int, int, int]:
    """Data energy and smoothness energy of (h, w) labels 0..K-1, in integer units, and the number of cut edges.

    ``penalties`` is (K, K) int64, what a border between two labels costs, times V_pq; without it 1 for all (Potts).
    """
    if penalties is None:
        penalties = np.ones((len(data), len(data)), np.int64)
    labels, smooth, edges = labels.astype(np.uint8, copy=False), 0, 0
    for step, weight in zip(STEPS, weights):
        first, second = pair_slices(step)
        cost, count = _borders(labels[first], labels[second], weight[first], penalties)
        smooth, edges = smooth + cost, edges + count
    return _chosen(data, labels), smooth, edges


@compiled
def _chosen(data, labels):
    """The sum of the data term over (h, w) labels."""
    total = 0
    height, width = labels.shape
    for y in range(height):
        for x in range(width):
            total += data[labels[y, x], y, x]
    return total


@compiled
def _borders(first, second, weight, penalties):
    """What it costs that the labels of the pairs (first, second) differ, and of how many they do; all (h, w)."""
    total = count = 0
    height, width = weight.shape
    for y in range(height):
        for x in range(width):
            if first[y, x] != second[y, x]:
                total += weight[y, x] * penalties[first[y, x], second[y, x]]
                count += 1
    return total, count
