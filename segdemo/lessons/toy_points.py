"""Points in the plane on which k-means fails and spectral clustering succeeds, or the other way round.

Both are the very functions that cut photos: ``kmeans_lloyd`` and ``normalized_cut``.

Reference:
    A. Y. Ng, M. I. Jordan, Y. Weiss, On spectral clustering: analysis and an algorithm, NIPS 2001 (the rings).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..clustering.affinity import Affinity, affinity_matrix
from ..clustering.lloyd import LloydStep, kmeans_lloyd, seed_plus_plus
from ..clustering.spectral import NormalizedCut, leading_eigenvectors, ncut_value, normalized_cut
from ..errors import ParameterError

MOST_POINTS = 600
MOST_CLUSTERS = 8
STARTS = 10
"""k-means++ seedings, the best of which is kept: what fails then is k-means, not its luck."""


@dataclass(frozen=True)
class ToyClusters:
    """Both clusterings of (N, 2) ``points``, their labels numbered by the first point of each cluster.

    Attributes:
        kmeans: the last step of the best start, ``labels`` (N,), ``centres`` (K, 2).
        spectral: the normalized cut, ``labels`` (N,), ``eigenvectors`` (N, K).
        ncut: its Ncut; ``outside`` is the part of all affinity that it cuts, in [0, 1].
        eigenvectors: (N, 3) of L f = λ D f, the three smallest (fewer with fewer points): what spectral
            clustering sees of the points.
        eigenvalues: (m,) rising, the m = 10 smallest at most.
    """

    points: np.ndarray
    kmeans: LloydStep
    spectral: NormalizedCut
    ncut: float
    outside: float
    eigenvectors: np.ndarray
    eigenvalues: np.ndarray


def blobs(rng: np.random.Generator) -> np.ndarray:
    """Three round heaps: what k-means is made for."""
    middles = [(0.25, 0.3), (0.72, 0.25), (0.5, 0.75)]
    return np.vstack([rng.normal(middle, 0.06, (80, 2)) for middle in middles])


def rings(rng: np.random.Generator) -> np.ndarray:
    """Two circles around the same middle."""
    angles = np.concatenate([np.linspace(0, 2 * np.pi, count, endpoint=False) for count in (60, 140)])
    radii = np.repeat([0.14, 0.38], [60, 140])[:, None]
    return 0.5 + radii * np.column_stack([np.cos(angles), np.sin(angles)]) + rng.normal(0, 0.012, (200, 2))


def moons(rng: np.random.Generator) -> np.ndarray:
    """Two half circles, each reaching into the other."""
    angles = np.linspace(0, np.pi, 100)
    upper = np.column_stack([0.37 + 0.26 * np.cos(angles), 0.42 - 0.26 * np.sin(angles)])
    lower = np.column_stack([0.63 - 0.26 * np.cos(angles), 0.58 - 0.09 + 0.26 * np.sin(angles)])
    return np.vstack([upper, lower]) + rng.normal(0, 0.018, (200, 2))


def bars(rng: np.random.Generator) -> np.ndarray:
    """Three long stripes: near in one direction, far in the other."""
    return np.vstack([rng.uniform((0.08, y - 0.025), (0.92, y + 0.025), (90, 2)) for y in (0.25, 0.5, 0.75)])


def uneven(rng: np.random.Generator) -> np.ndarray:
    """A large heap and a small one: k-means gives the small one a part of the large."""
    return np.vstack([rng.normal((0.36, 0.5), 0.14, (260, 2)), rng.normal((0.88, 0.5), 0.018, (30, 2))]).clip(0, 1)


SHAPES: dict[str, tuple[Callable[[np.random.Generator], np.ndarray], int]] = {
    "rings": (rings, 2),
    "moons": (moons, 2),
    "bars": (bars, 3),
    "uneven heaps": (uneven, 2),
    "blobs": (blobs, 3),
}
"""By name: the function that draws the points, and how many clusters a person sees."""


def make_points(shape: str, seed: int = 0) -> tuple[np.ndarray, int]:
    """(N, 2) float64 points in [0, 1]², y downwards, and how many clusters a person sees in them.

    Raises ``ParameterError`` for an unknown shape.
    """
    if shape not in SHAPES:
        raise ParameterError(f"there is no shape {shape!r}; there are {', '.join(SHAPES)}")
    draw, clusters = SHAPES[shape]
    return draw(np.random.default_rng(seed)).clip(0, 1), clusters


def toy_clusters(points: np.ndarray, clusters: int, width: float, seed: int = 0) -> ToyClusters:
    """k-means and normalized cut of the same (N, 2) float64 points in [0, 1]².

    Args:
        clusters: K, 2 to ``MOST_CLUSTERS``.
        width: σ of the affinity exp(−‖pᵢ − pⱼ‖² / σ²), in the units of the points, above 0.

    Raises ``ParameterError`` when a value is out of its range or there are too few or too many points.
    """
    points = np.asarray(points, np.float64)
    check(points, clusters, width)
    rng = np.random.default_rng(seed)
    affinity = affinity_matrix(np.zeros((len(points), 1)), points, Affinity(1.0, width, radius=2.0))  # all pairs
    cut = normalized_cut(affinity, clusters, rng)
    values, vectors = leading_eigenvectors(affinity, min(10, len(points)), rng)
    best = min((lloyd_from_seeds(points, clusters, rng) for _ in range(STARTS)), key=lambda step: step.objective)
    order = first_appearance(best.labels, clusters)
    best = LloydStep(order[best.labels], best.centres[np.argsort(order)], best.objective)
    cut = cut._replace(labels=first_appearance(cut.labels, clusters)[cut.labels])
    pairs = affinity.tocoo()
    outside = pairs.data[cut.labels[pairs.row] != cut.labels[pairs.col]].sum() / pairs.data.sum()
    return ToyClusters(points, best, cut, ncut_value(affinity, cut.labels), float(outside), vectors[:, :3], values)


def check(points: np.ndarray, clusters: int, width: float) -> None:
    """Raise ``ParameterError`` unless the values can be clustered."""
    if not 2 <= clusters <= MOST_CLUSTERS:
        raise ParameterError(f"K is 2 to {MOST_CLUSTERS} here (given: {clusters})")
    if not np.isfinite(width) or not 0.005 <= width <= 2:
        raise ParameterError(f"the affinity's width is 0.005 to 2 here (given: {width})")
    if len(points) > MOST_POINTS:
        raise ParameterError(f"these are {len(points)} points; draw at most {MOST_POINTS}")
    if len(points) == 0 or points.ndim != 2 or not np.isfinite(points).all() or points.min() < 0 or points.max() > 1:
        raise ParameterError("There are no points that can be used: draw some, inside the square, or choose a shape.")
    distinct = len(np.unique(points, axis=0))
    if distinct <= clusters:
        there = "There is only 1 point" if distinct == 1 else f"There are only {distinct} points"
        raise ParameterError(f"{there}: draw more than K = {clusters}.")


def lloyd_from_seeds(points: np.ndarray, clusters: int, rng: np.random.Generator) -> LloydStep:
    """The last step of Lloyd's algorithm from k-means++ seeds."""
    *_, last = kmeans_lloyd(points, seed_plus_plus(points, np.ones(len(points)), clusters, rng))
    return last


def first_appearance(labels: np.ndarray, count: int) -> np.ndarray:
    """(count,) new numbers, in the order in which the labels first appear; labels that do not appear come last."""
    present, first = np.unique(labels, return_index=True)
    known = present[np.argsort(first)]
    order = np.empty(count, np.intp)
    order[np.concatenate([known, np.setdiff1d(np.arange(count), known)]).astype(np.intp)] = np.arange(count)
    return order
