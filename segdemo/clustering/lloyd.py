"""Lloyd's algorithm and k-means++: what k-means consists of, on points of any kind.

    min over centres c and assignments δ of  Σᵢ Σⱼ δᵢⱼ ‖xᵢ − cⱼ‖²,   δᵢⱼ ∈ {0, 1},  Σⱼ δᵢⱼ = 1

References:
    S. P. Lloyd, Least squares quantization in PCM (1957), IEEE Trans. Information Theory 28 (1982).
    D. Arthur, S. Vassilvitskii, k-means++: The advantages of careful seeding, SODA 2007.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ..errors import ParameterError
from ..strips import in_strips
from .blocks import BLOCK, Blocks, assign_blocks, draw, lower_costs, summarize

TOLERANCE = 1e-6  # stop when an iteration lowers the objective by less than this part
ROUGH_TOLERANCE = 1e-5  # the same where ends are only compared with each other


class LloydStep(NamedTuple):
    """One iteration: ``labels`` (N,) uint8 of the nearest ``centres`` (K, C), and the ``objective`` of the two."""

    labels: np.ndarray
    centres: np.ndarray
    objective: float


def restart_empty(
    centres: np.ndarray, masses: np.ndarray, features: np.ndarray, weights: np.ndarray, cost: np.ndarray
) -> None:
    """Put each centre without points, in place, on the point that costs most so far.

    The objective cannot rise by it: no point loses its centre, and some get a nearer one.
    """
    for empty in np.flatnonzero(masses == 0):
        centres[empty] = features[cost.argmax()]
        cost = np.minimum(cost, weights * ((features - centres[empty]) ** 2).sum(1))


class Assignment:
    """The points made ready for many questions: which of these centres is the nearest to each?

    Takes (N, C) features, float32 or float64, and weights (N,) > 0.
    """

    def __init__(self, features: np.ndarray, weights: np.ndarray):
        self.planes = np.ascontiguousarray(features.T)  # (C, N)
        self.weights = np.asarray(weights, self.planes.dtype)
        self.blocks = Blocks(*summarize(self.planes, self.weights))
        # Their number depends on the points alone: partial sums, and so the result, are the same on every machine.
        self.strips = int(np.clip(len(features) // 2**16, 1, 8))

    def __call__(self, centres: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
        """Labels (N,) uint8, the objective, and per cluster (K, C + 1) the weighted sums and the weight."""
        centres = np.ascontiguousarray(centres, np.float64)
        apart = np.sqrt(((centres[:, None] - centres) ** 2).sum(2)) * (1 + 1e-6)
        labels = np.empty(self.planes.shape[1], np.uint8)
        sums = np.zeros((self.strips, len(centres), len(self.planes) + 1))
        points = self.planes, self.weights, tuple(self.blocks)
        costs = in_strips(
            lambda strip, first, last: assign_blocks(*points, centres, apart, first, last, labels, sums[strip]),
            len(self.blocks.radii), self.strips,
        )  # fmt: skip
        return labels, sum(costs), sums.sum(0)

    def costs(self, centres: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """(N,) the weighted squared distance of each point to the centre of its label."""
        return self.weights * ((self.planes.T - centres[labels]) ** 2).sum(1)


def kmeans_lloyd(
    features: np.ndarray,
    centres: np.ndarray,
    weights: np.ndarray | None = None,
    max_iterations: int = 300,
    tolerance: float = 0.0,
) -> Iterator[LloydStep]:
    """Lloyd's algorithm on (N, C) points from (K, C) centres, K <= 256; yields every iteration.

    Each step's labels are the nearest centres of the same step; the last step is the result.
    ``weights`` (N,) > 0 count a point several times. Ends after ``max_iterations``, or when the
    objective falls by no more than ``tolerance`` times its value; with 0: when it falls no more.
    Fastest where points that follow each other are near each other, as ``pixel_points`` gives them.
    """
    weights = np.ones(len(features)) if weights is None else weights
    return lloyd_steps(Assignment(features, weights), centres, max_iterations, tolerance)


def lloyd_steps(assign: Assignment, centres: np.ndarray, max_iterations: int, tolerance: float) -> Iterator[LloydStep]:
    """``kmeans_lloyd`` of points made ready before."""
    previous = float("inf")
    for _ in range(max_iterations):
        labels, objective, sums = assign(centres)
        if objective > previous:
            return  # by rounding: the step before is the result
        yield LloydStep(labels, centres, objective)
        if previous - objective <= tolerance * objective:
            return
        masses, previous, old = sums[:, -1], objective, centres
        centres = sums[:, :-1] / np.where(masses > 0, masses, 1)[:, None]
        if masses.min() == 0:
            restart_empty(centres, masses, assign.planes.T, assign.weights, assign.costs(old, labels))


def seed_plus_plus(
    features: np.ndarray, weights: np.ndarray, clusters: int, rng: np.random.Generator, trials: int = 0
) -> np.ndarray:
    """k-means++ seeds (K, C): each next centre is a point, drawn in proportion to its squared distance to those before.

    Of ``trials`` draws, by default 2 + ⌊ln K⌋, the one that lowers the sum of these distances the most is taken (Arthur
    & Vassilvitskii, section 5). Raises ``ParameterError`` when there are fewer distinct points than clusters.
    """
    trials, planes = trials or 2 + int(np.log(clusters)), np.ascontiguousarray(features.T)
    weights = np.asarray(weights, planes.dtype)
    unlimited, blocks = np.full_like(weights, np.inf), -(-len(weights) // BLOCK)
    # The first seed is drawn by the weights alone: as if every point were at distance 1 of something.
    best = weights, np.add.reduceat(weights, np.arange(0, len(weights), BLOCK), dtype=np.float64)
    centres: list[np.ndarray] = []
    for _ in range(clusters):
        costs, totals = best
        if totals.sum() == 0:
            raise ParameterError(f"there are only {len(centres)} distinct points: lower clusters to {len(centres)}")
        tried = []
        for _ in range(trials if centres else 1):
            centre = features[draw(costs, totals, rng.random())]
            lowered, sums = np.empty_like(weights), np.empty(blocks)
            inputs, outputs = (planes, weights, centre, costs if centres else unlimited), (lowered, sums)
            in_strips(lambda _, first, last, i=inputs, o=outputs: lower_costs(*i, first, last, *o), blocks)
            tried.append((sums.sum(), centre, (lowered, sums)))
        _, centre, best = min(tried, key=lambda attempt: attempt[0])
        centres.append(centre)
    return np.stack(centres)


def count_distinct(features: np.ndarray, most: int) -> int:
    """How many of the (N, C) points are different, counted up to ``most``."""
    found = len(np.unique(features[:: len(features) // 4096 + 1], axis=0))
    if found >= most or len(features) <= 4096:
        return min(found, most)
    found, left = 0, np.ones(len(features), bool)
    while found < most and left.any():
        left &= (features != features[left.argmax()]).any(1)
        found += 1
    return found
