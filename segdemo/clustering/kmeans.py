"""k-means: group the pixels by colour, and by position if wanted.

    min over centres c and assignments δ of  Σᵢ Σⱼ δᵢⱼ ‖xᵢ − cⱼ‖²,   δᵢⱼ ∈ {0, 1},  Σⱼ δᵢⱼ = 1

References:
    S. P. Lloyd, Least squares quantization in PCM (1957), IEEE Trans. Information Theory 28 (1982).
    D. Arthur, S. Vassilvitskii, k-means++: The advantages of careful seeding, SODA 2007.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numba
import numpy as np
from pydantic import Field

from ..errors import ParameterError
from ..method import Params, Run, method
from ..segmentation import Picture, Segmentation
from .features import lab_colours, mean_colours, rank_by_area

TOLERANCE = 1e-5  # stop when an iteration lowers the objective by less than this part


class KMeansParams(Params):
    clusters: int = Field(6, ge=2, le=32, description="number of clusters K")
    colour_space: Literal["Lab", "RGB"] = Field("Lab", description="space in which colours are compared")
    position_weight: float = Field(0.0, ge=0, le=5, description="weight of the position, 0: colour only")
    max_iterations: int = Field(60, ge=1, le=300, description="most iterations of Lloyd's algorithm")
    restarts: int = Field(3, ge=1, le=10, description="runs from different seeds, the best of which is kept")


class Points(NamedTuple):
    """Pixels as points of a Euclidean space; equal pixels are one point with a weight.

    ``features`` (N, C) float64, ``weights`` (N,) float64: how many pixels each point stands for,
    ``of_pixel`` (h·w,): the point of each pixel.
    """

    features: np.ndarray
    weights: np.ndarray
    of_pixel: np.ndarray


class LloydStep(NamedTuple):
    """One iteration: ``labels`` (N,) uint8 of the nearest ``centres`` (K, C), and the ``objective`` of the two."""

    labels: np.ndarray
    centres: np.ndarray
    objective: float


@numba.njit(cache=True, nogil=True)
def assign(
    features: np.ndarray, weights: np.ndarray, centres: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The nearest centre of each point, and what the next means need, in one pass over the (N, C) points.

    Returns labels (N,) uint8, squared distances (N,), weighted sums (K, C) and weights (K,) of the clusters.
    """
    points, channels = features.shape
    labels, squared = np.empty(points, np.uint8), np.empty(points)
    sums, masses = np.zeros(centres.shape), np.zeros(len(centres))
    for i in range(points):
        nearest, least = 0, np.inf
        for j in range(len(centres)):
            distance = 0.0
            for c in range(channels):
                distance += (features[i, c] - centres[j, c]) ** 2
            if distance < least:
                nearest, least = j, distance
        labels[i], squared[i] = nearest, least
        masses[nearest] += weights[i]
        for c in range(channels):
            sums[nearest, c] += weights[i] * features[i, c]
    return labels, squared, sums, masses


def restart_empty(
    centres: np.ndarray, masses: np.ndarray, features: np.ndarray, weights: np.ndarray, cost: np.ndarray
) -> None:
    """Put each centre without points, in place, on the point that costs most so far.

    The objective cannot rise by it: no point loses its centre, and some get a nearer one.
    """
    for empty in np.flatnonzero(masses == 0):
        centres[empty] = features[cost.argmax()]
        cost = np.minimum(cost, weights * ((features - centres[empty]) ** 2).sum(1))


def kmeans_lloyd(
    features: np.ndarray,
    centres: np.ndarray,
    weights: np.ndarray | None = None,
    max_iterations: int = 300,
    tolerance: float = 0.0,
) -> Iterator[LloydStep]:
    """Lloyd's algorithm on (N, C) float64 points from (K, C) centres, K <= 256; yields every iteration.

    Each step's labels are the nearest centres of the same step; the last step is the result.
    ``weights`` (N,) > 0 count a point several times. Ends after ``max_iterations``, or when the
    objective falls by no more than ``tolerance`` times its value; with 0: when it falls no more.
    """
    weights = np.ones(len(features)) if weights is None else weights
    previous = float("inf")
    for _ in range(max_iterations):
        labels, squared, sums, masses = assign(features, weights, centres)
        cost = weights * squared
        objective = float(cost.sum())
        yield LloydStep(labels, centres, objective)
        if previous - objective <= tolerance * objective:
            return
        previous = objective
        centres = sums / np.where(masses > 0, masses, 1)[:, None]
        restart_empty(centres, masses, features, weights, cost)


def seed_plus_plus(features: np.ndarray, weights: np.ndarray, clusters: int, rng: np.random.Generator) -> np.ndarray:
    """k-means++ seeds (K, C): each next centre is a point, drawn in proportion to its squared distance to those before.

    Raises ``ParameterError`` when there are fewer distinct points than clusters.
    """
    centres: list[np.ndarray] = []
    cost = weights
    for _ in range(clusters):
        mass = np.cumsum(cost)
        if mass[-1] == 0:
            raise ParameterError(f"there are only {len(centres)} distinct points: lower clusters to {len(centres)}")
        centres.append(features[np.searchsorted(mass, rng.random() * mass[-1], side="right")])
        to_new = weights * ((features - centres[-1]) ** 2).sum(1)
        cost = to_new if len(centres) == 1 else np.minimum(cost, to_new)
    return np.stack(centres)


def pixel_points(image: np.ndarray, colour_space: str, position_weight: float) -> Points:
    """The pixels of an (h, w, 3) uint8 image as points.

    Colours: Lab, or RGB scaled to 0..100 so that both spaces have the same extent. Positions:
    scaled so that the longer side spans 0..100, times ``position_weight``. Without positions
    pixels of equal colour are one weighted point, which changes nothing but the time.
    """
    colours = lab_colours(image) if colour_space == "Lab" else image * np.float32(100 / 255)
    colours = colours.reshape(-1, 3).astype(np.float64)
    if position_weight == 0:
        red, green, blue = image.reshape(-1, 3).astype(np.int32).T
        _, first, of_pixel, counts = np.unique(
            red << 16 | green << 8 | blue, return_index=True, return_inverse=True, return_counts=True
        )
        return Points(colours[first], counts.astype(np.float64), of_pixel.ravel())
    height, width = image.shape[:2]
    positions = np.indices((height, width)).reshape(2, -1).T * (100 * position_weight / max(height, width))
    pixels = height * width
    return Points(np.hstack([colours, positions]), np.ones(pixels), np.arange(pixels))


def draw_points(
    points: Points, labels: np.ndarray, palette: np.ndarray, axes: tuple[int, int], size: int = 320
) -> np.ndarray:
    """The points in the plane of two feature axes, each in its cluster's colour, (size, size, 3) uint8."""
    plane = points.features[:, axes]
    low, span = plane.min(0), max(float(np.ptp(plane, axis=0).max()), 1e-6)
    column, row = ((plane - low) / span * (size - 1)).round().astype(int).T
    drawn = np.full((size, size, 3), 24, np.uint8)
    drawn[size - 1 - row, column] = palette[labels]
    return drawn


def is_shown(number: int) -> bool:
    """Whether the replay keeps this iteration: all of the first, where much happens, then ever fewer."""
    return number <= 12 or (number <= 60 and number % 5 == 0) or number % 30 == 0


def best_of(points: Points, params: KMeansParams, clusters: int, run: Run) -> dict[int, LloydStep]:
    """The restart that ended with the lowest objective: its shown iterations by number, and the last."""
    best: dict[int, LloydStep] = {}
    for restart in range(params.restarts):
        run.step(restart / params.restarts, "seeding")
        centres = seed_plus_plus(points.features, points.weights, clusters, run.rng)
        steps: dict[int, LloydStep] = {}
        lloyd = kmeans_lloyd(points.features, centres, points.weights, params.max_iterations, TOLERANCE)
        for number, step in enumerate(lloyd, start=1):
            steps[number] = step
            if not (run.keep_frames and is_shown(number - 1)):
                steps.pop(number - 1, None)
            run.step((restart + number / params.max_iterations) / params.restarts, f"iteration {number}")
        if not best or step.objective < best[max(best)].objective:
            best = steps
    return best


@method("kmeans", family="clustering", title="k-means", params=KMeansParams, order=20)
def kmeans(image: np.ndarray, params: KMeansParams, run: Run) -> Segmentation:
    """k-means groups the pixels around K centres in colour space: Lloyd's algorithm with k-means++ seeds.

    Pixels know nothing of their neighbours unless ``position_weight`` says so; with it the
    clusters become compact in the image as well. The frames show the assignment after each
    iteration; the objective never rises.
    """
    with run.time("features"):
        points = pixel_points(image, params.colour_space, params.position_weight)
    clusters = min(params.clusters, len(points.features))
    with run.time("Lloyd's algorithm"):
        steps = best_of(points, params, clusters, run)
    iterations = max(steps)
    last = steps[iterations]
    with run.time("label maps"):
        shape = image.shape[:2]
        rank = rank_by_area(last.labels[points.of_pixel], clusters).astype(np.uint8)
        for number, step in steps.items():
            caption = f"iteration {number}: objective {step.objective:.4g}"
            run.frame(caption, rank[step.labels][points.of_pixel].reshape(shape), energy=step.objective)
        point_labels = rank[last.labels]
        labels = point_labels[points.of_pixel].reshape(shape)
        palette = mean_colours(image, labels, clusters)
    axes, plane = ((1, 2), "a, b") if params.colour_space == "Lab" else ((0, 1), "red, green")
    result = Segmentation(
        labels,
        ["cluster 1 (largest)", *(f"cluster {k + 1}" for k in range(1, clusters))],
        palette,
        energy_name="objective Σ δᵢⱼ ‖xᵢ − cⱼ‖²",
        opacity=1.0,
        pictures=[
            Picture("mean colours", palette[labels], "Each pixel in the mean colour of its cluster."),
            Picture(
                f"clusters in the ({plane}) plane",
                draw_points(points, point_labels, palette, axes),
                f"Each dot is a colour of the photo, at its {plane} coordinates (right, up), painted as its cluster.",
            ),
        ],
        facts={
            "iterations": iterations,
            "objective": last.objective,
            "root mean square distance": float(np.sqrt(last.objective / labels.size)),
            "distinct colours" if params.position_weight == 0 else "pixels": len(points.features),
        },
    )
    if clusters < params.clusters:
        result.notices.append(
            f"The photo has only {clusters} different pixels, so K was lowered from {params.clusters} to {clusters}."
        )
    return result
