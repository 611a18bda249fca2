"""The energy of a labelling and its conversion to integers.

    E(L) = sum_p D_p(L_p) + sum_(p,q) V_pq [L_p != L_q]

The data term D_p(l) is what it costs to give pixel p the label l: -ln P(l | pixel). The
smoothness term charges each pair of neighbours with different labels

    V_pq = lambda exp(-|I_p - I_q|^2 / (2 sigma^2)) / dist(p, q),

much inside an area of one colour, little across an edge of the photo. Seeds are hard
constraints: a seed's own label costs nothing, the others more than all of its neighbours
together, so that no minimum violates a seed.

Energies are nats (natural logarithm). Cuts are computed in integers, ``SCALE`` to the nat:
there the value of the maximum flow equals the energy of the minimum cut exactly.

References:
    Boykov & Jolly, Interactive graph cuts, ICCV 2001 (the energy, the seeds' constant K).
    Rother, Kolmogorov & Blake, GrabCut, SIGGRAPH 2004 (sigma from the photo's mean contrast).
"""

from __future__ import annotations

import numpy as np
from numba import njit

SCALE = 1000
"""Integer units per nat."""

STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Steps (dy, dx) to half of the 8 neighbours; the first two are half of the 4 neighbours."""


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
        squared[first] = ((colours[first] - colours[second]) ** 2).sum(axis=2)
        contrasts.append(squared)
    return contrasts


def estimate_sigma(contrasts: list[np.ndarray]) -> float:
    """The root mean square contrast between neighbours, in colour units; at least 1e-3, for constant photos."""
    total = sum(float(np.nansum(c, dtype=np.float64)) for c in contrasts)
    pairs = sum(int(np.isfinite(c).sum()) for c in contrasts)
    return max(float(np.sqrt(total / max(pairs, 1))), 1e-3)


def pairwise_weights(contrasts: list[np.ndarray], smoothness: float, sigma: float) -> list[np.ndarray]:
    """V_pq in integers: per step an (h, w) int64 array, at p; 0 where q is outside."""
    weights = []
    for step, squared in zip(STEPS, contrasts):
        nats = smoothness * np.exp(-squared / (2 * sigma**2)) / np.hypot(*step)
        weights.append(np.nan_to_num(np.round(SCALE * nats), nan=0.0).astype(np.int64))
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
    return round(SCALE * seed_cost) or 1 + int(neighbour_sums(weights).max())


def seeded(costs: np.ndarray, scribbles: np.ndarray, price: int) -> np.ndarray:
    """``costs`` in integers, (labels, h, w) int64, and at seeds 0 for their own label and ``price`` for the others."""
    data = np.empty(costs.shape, np.int64)
    _to_integers(np.ascontiguousarray(costs).reshape(-1), data.reshape(-1))
    seeds = scribbles > 0
    data[:, seeds] = price
    y, x = np.nonzero(seeds)
    data[scribbles[y, x].astype(np.intp) - 1, y, x] = 0
    return data


@njit(cache=True, nogil=True)
def _to_integers(nats, integers):
    for i in range(len(nats)):
        integers[i] = np.int64(np.rint(SCALE * np.float64(nats[i])))


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
    chosen = np.take_along_axis(data, labels[None].astype(np.intp), axis=0)
    smooth = edges = 0
    for step, weight in zip(STEPS, weights):
        cut = cut_pairs(labels, step)
        costs = weight[cut]
        if penalties is not None:
            first, second = pair_slices(step)
            costs = costs * penalties[labels[first], labels[second]][cut[first]]
        smooth += int(costs.sum())
        edges += int(cut.sum())
    return int(chosen.sum()), smooth, edges
