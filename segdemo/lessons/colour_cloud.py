"""k-means from the inside: the photo's pixels as a cloud in colour space, its clusters after every iteration, and K.

The algorithm is the one of the method ``kmeans``; here the centres may also be placed by hand, and every iteration is
kept. ``elbow`` runs it for K = 1, 2, ... and looks where the objective stops falling steeply, as the method does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..clustering.elbow import MOST_CLUSTERS, bend, best_of_each
from ..clustering.features import mean_colours, rank_by_area
from ..clustering.kmeans import is_shown
from ..clustering.lloyd import TOLERANCE, Assignment, LloydStep, kmeans_lloyd, seed_plus_plus
from ..clustering.points import COLOUR_SPACES, Points, pixel_points
from ..errors import ParameterError
from ..method import Run

CLOUD_POINTS = 4000
MOST_ITERATIONS = 60


@dataclass(frozen=True)
class CloudStep:
    """One iteration of Lloyd's algorithm on the photo.

    Attributes:
        number: from 1.
        labels: (h, w) uint8, the nearest of ``centres``.
        centres: (K, 3) floating point, in the colour space.
        objective: of the two, Σ δᵢⱼ ‖xᵢ − cⱼ‖² over all pixels.
        palette: (K, 3) uint8, the mean colour of each cluster.
    """

    number: int
    labels: np.ndarray
    centres: np.ndarray
    objective: float
    palette: np.ndarray


@dataclass(frozen=True)
class ColourCloud:
    """What the lesson shows.

    Attributes:
        image: (h, w, 3) uint8, the photo at working size.
        colour_space: "Lab", "RGB" scaled to 0..100, or "HSV" as its cone; see ``colour_features``.
        pixels: (n,) int64, the flat indices of the sampled pixels, n at most ``CLOUD_POINTS``.
        positions: (n, 3) float32, the sampled pixels in the colour space.
        steps: the iterations, of which later ones are thinned; the last is the result.
    """

    image: np.ndarray
    colour_space: str
    pixels: np.ndarray
    positions: np.ndarray
    steps: list[CloudStep]

    @property
    def clusters(self) -> int:
        return len(self.steps[-1].centres)

    @property
    def has_settled(self) -> bool:
        """Whether the objective hardly fell any more (``TOLERANCE``), and not the limit of iterations ended it."""
        return self.steps[-1].number < MOST_ITERATIONS


@dataclass(frozen=True)
class Elbow:
    """k-means for K = 1, 2, ...: ``labels`` (h, w) uint8, ``palette`` (K, 3) uint8 and ``objective`` of each.

    ``suggested`` is the K at the bend of the curve: an offer, no truth.
    """

    colour_space: str
    labels: list[np.ndarray]
    palettes: list[np.ndarray]
    objectives: list[float]
    suggested: int


def colour_cloud(
    image: np.ndarray,
    run: Run,
    clusters: int = 5,
    colour_space: str = "Lab",
    seed: int = 0,
    places: Sequence[tuple[float, float]] = (),
) -> ColourCloud:
    """k-means on the pixels' colours, iteration by iteration.

    Args:
        image: (h, w, 3) uint8 at working size.
        clusters: K, 2 to ``MOST_CLUSTERS``; lowered where the photo has fewer different colours.
        seed: of the k-means++ seeding; the sample that the cloud shows does not depend on it.
        places: (x, y) as parts of width and height: the colours there are the first centres, as many as places.

    The clusters are numbered as their places, or by falling area. Raises ``ParameterError`` when there are not 2 to
    ``MOST_CLUSTERS`` clusters, or when a place is off the photo or the colour space is unknown.
    """
    clusters = len(places) or clusters
    if not 2 <= clusters <= MOST_CLUSTERS:
        raise ParameterError(f"k-means here takes 2 to {MOST_CLUSTERS} centres (given: {clusters})")
    points = photo_points(image, run, colour_space)
    if places:
        centres = colours_at(points, image.shape[:2], places)
    else:
        clusters = min(clusters, len(points.features))
        centres = seed_plus_plus(points.features, points.weights, clusters, np.random.default_rng(seed))
    found = iterations(points, centres, run)
    last = found[max(found)].labels[points.of_pixel].astype(np.intp)
    rank = np.arange(clusters) if places else rank_by_area(last, clusters)
    steps = [paint_step(number, step, rank, points, image) for number, step in found.items()]
    pixels = sample_pixels(points.of_pixel.size)
    positions = points.features[points.of_pixel[pixels]]
    return ColourCloud(image, colour_space, pixels, positions, steps)


def photo_points(image: np.ndarray, run: Run, colour_space: str) -> Points:
    """The pixels as weighted points of the colour space, kept for the next question about the photo."""
    if colour_space not in COLOUR_SPACES:
        raise ParameterError(f"colour space {colour_space!r} is unknown; use one of {', '.join(COLOUR_SPACES)}")
    return run.cached(("colour points", colour_space), lambda: pixel_points(image, colour_space, 0.0))


def colours_at(points: Points, shape: tuple[int, int], places: Sequence[tuple[float, float]]) -> np.ndarray:
    """(K, 3) the colours of the pixels at ``places``, (x, y) as parts of width and height."""
    if not all(0 <= part <= 1 for place in places for part in place):
        raise ParameterError("places: x and y are parts of the photo's width and height, 0 to 1")
    height, width = shape
    column, row = (np.array(places, float).T * [[width], [height]]).astype(int)
    pixel = np.minimum(row, height - 1) * width + np.minimum(column, width - 1)
    return points.features[points.of_pixel[pixel]]


def iterations(points: Points, centres: np.ndarray, run: Run) -> dict[int, LloydStep]:
    """Lloyd's iterations from the given centres by number: those that are shown, and the last."""
    steps: dict[int, LloydStep] = {}
    lloyd = kmeans_lloyd(points.features, centres, points.weights, MOST_ITERATIONS, TOLERANCE)
    for number, step in enumerate(lloyd, start=1):
        if not is_shown(number - 1):
            steps.pop(number - 1, None)
        steps[number] = step
        run.step(number / MOST_ITERATIONS, f"iteration {number}")
    return steps


def paint_step(number: int, step: LloydStep, rank: np.ndarray, points: Points, image: np.ndarray) -> CloudStep:
    """The step on the photo, cluster j numbered ``rank[j]``."""
    labels = rank.astype(np.uint8)[step.labels][points.of_pixel].reshape(image.shape[:2])
    palette = mean_colours(image, labels, len(rank))
    return CloudStep(number, labels, step.centres[np.argsort(rank)], step.objective, palette)


def sample_pixels(count: int) -> np.ndarray:
    """At most ``CLOUD_POINTS`` of ``count`` pixels, the same at every call, (n,) rising."""
    chosen = np.random.default_rng(0).choice(count, min(CLOUD_POINTS, count), replace=False)
    return np.sort(chosen)


def elbow(image: np.ndarray, run: Run, colour_space: str = "Lab", seed: int = 0, most: int = MOST_CLUSTERS) -> Elbow:
    """k-means for K = 1..``most`` (or as many as there are colours), and the K at the bend of the objective.

    Raises ``ParameterError`` for an unknown colour space.
    """
    points = photo_points(image, run, colour_space)
    assign, rng = Assignment(points.features, points.weights), np.random.default_rng(seed)
    best = best_of_each(assign, most, rng, MOST_ITERATIONS, run.step)
    labels = [step.labels[points.of_pixel].reshape(image.shape[:2]) for step in best]
    palettes = [mean_colours(image, each, k) for k, each in enumerate(labels, start=1)]
    objectives = [step.objective for step in best]
    return Elbow(colour_space, labels, palettes, objectives, bend(objectives, most))
