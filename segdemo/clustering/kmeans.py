"""k-means: group the pixels by colour, and by position if wanted.

The algorithm is in ``lloyd.py``, the choice of K in ``elbow.py``; what pixels are as points is in ``points.py``.

Reference:
    P. S. Bradley, U. M. Fayyad, Refining initial points for k-means clustering, ICML 1998: trials on fewer points.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import Field

from ..method import Params, Run, method
from ..segmentation import ENERGY, Picture, Segmentation
from .elbow import MOST_CLUSTERS, bend, best_of_each, draw_curve
from .features import mean_colours, paint, rank_by_area
from .lloyd import ROUGH_TOLERANCE, TOLERANCE, Assignment, LloydStep, count_distinct, lloyd_steps, seed_plus_plus
from .points import Points, draw_points, pixel_points

PLANES = {
    "Lab": ((1, 2), "a, b"),
    "RGB": ((0, 1), "red, green"),
    "HSV": ((0, 1), "V·S·cos H, V·S·sin H"),
}  # what the picture of the clusters shows: two features and their names
BLOCKS_PER_CLUSTER = 50  # from so many on, seeds and numbers of clusters are tried on blocks of points


class KMeansParams(Params):
    clusters: int = Field(6, ge=2, le=32, description="number of clusters K")
    automatic: bool = Field(False, description=f"choose K: at the elbow of the objective over K = 1 to {MOST_CLUSTERS}")
    colour_space: Literal["Lab", "RGB", "HSV"] = Field("Lab", description="space in which colours are compared")
    position_weight: float = Field(0.0, ge=0, le=5, description="weight of the position, 0: colour only")
    texture_weight: float = Field(0.0, ge=0, le=5, description="weight of the local texture, 0: none")
    max_iterations: int = Field(60, ge=1, le=300, description="most iterations of Lloyd's algorithm")
    restarts: int = Field(20, ge=1, le=50, description="seedings that are tried, the best of which is kept")


def is_shown(number: int) -> bool:
    """Whether the replay keeps this iteration: all of the first, where much happens, then ever fewer."""
    return number <= 12 or (number <= 60 and number % 5 == 0) or number % 30 == 0


def on_blocks(assign: Assignment, clusters: int) -> Assignment:
    """The means of the blocks, each with the weight of its points: sixty times fewer, hardly different as a whole.

    The points themselves where there are few blocks, or fewer different ones than ``clusters``.
    """
    means = np.asfortranarray(assign.blocks.means, np.float32)
    if len(means) >= BLOCKS_PER_CLUSTER * clusters and count_distinct(means, clusters) == clusters:
        return Assignment(means, assign.blocks.masses)
    return assign


def objectives_by_k(assign: Assignment, params: KMeansParams, run: Run) -> list[float]:
    """The objective for K = 1, 2, ... ``MOST_CLUSTERS``, with centres found on blocks of points where there are many.

    The generator is its own, so that the chosen K gives what it gives when it is asked for.
    """
    trial, rng = on_blocks(assign, MOST_CLUSTERS), np.random.default_rng(params.seed)
    steps = best_of_each(trial, MOST_CLUSTERS, rng, params.max_iterations, lambda part, text: run.step(part / 3, text))
    return [step.objective if trial is assign else assign(step.centres)[1] for step in steps]


def best_seeds(
    assign: Assignment, params: KMeansParams, clusters: int, run: Run
) -> tuple[np.ndarray, np.ndarray | None]:
    """Of ``params.restarts`` k-means++ seedings (K, C) the one from which Lloyd's algorithm ends lowest, and these ends.

    Several seedings are drawn from and tried on blocks of points where there are many; a single one is not tried.
    """
    if params.restarts == 1:
        return seed_plus_plus(assign.planes.T, assign.weights, clusters, run.rng), None
    trial, best = on_blocks(assign, clusters), float("inf")
    for restart in range(params.restarts):
        run.step(1 / 3 + restart / params.restarts / 3, f"seeding {restart + 1}")
        seeds = seed_plus_plus(trial.planes.T, trial.weights, clusters, run.rng)
        *_, last = lloyd_steps(trial, seeds, params.max_iterations, ROUGH_TOLERANCE)
        if last.objective < best:
            best, chosen = last.objective, (seeds, last.centres)
    return chosen


def steps_to_show(assign: Assignment, centres: np.ndarray, params: KMeansParams, run: Run) -> dict[int, LloydStep]:
    """Lloyd's iterations from these centres: those that are shown by number, and the last."""
    steps: dict[int, LloydStep] = {}
    for number, step in enumerate(lloyd_steps(assign, centres, params.max_iterations, TOLERANCE), start=1):
        steps[number] = step
        if not (run.keep_frames and is_shown(number - 1)):
            steps.pop(number - 1, None)
        run.step(2 / 3 + number / params.max_iterations / 3, f"iteration {number}")
    return steps


def shown_steps(assign: Assignment, params: KMeansParams, clusters: int, run: Run) -> dict[int, LloydStep]:
    """Lloyd's iterations from the best seeds.

    Where all points lead them to a worse end than the blocks did, they start from the blocks' ends instead: the refined
    initial points of Bradley & Fayyad, from which there is less to see.
    """
    seeds, ends = best_seeds(assign, params, clusters, run)
    steps = steps_to_show(assign, seeds, params, run)
    if ends is not None and steps[max(steps)].objective > assign(ends)[1]:
        steps = steps_to_show(assign, ends, params, run)
    return steps


def plane_picture(points: Points, labels: np.ndarray, palette: np.ndarray, space: str) -> Picture:
    """The points in a plane of the colour space, painted by their ``labels`` (N,)."""
    axes, plane = PLANES[space]
    return Picture(
        f"clusters in the ({plane}) plane",
        draw_points(points, labels, palette, axes),
        f"Each dot is a colour of the photo, at its {plane} coordinates (right, up), painted as its cluster.",
    )


def elbow_picture(objectives: Sequence[float], clusters: int) -> Picture:
    """The curve behind an automatic K, for eyes and in words."""
    parts = ", ".join(f"{100 * value / (objectives[0] or 1):.3g}" for value in objectives)
    note = f"At the elbow a further cluster begins to gain little. In % of one cluster's objective, K = 1, 2, ...: {parts}."
    return Picture("objective over K, and its elbow", draw_curve(objectives, clusters), note)


@method("kmeans", family="clustering", title="k-means", params=KMeansParams, order=20)
def kmeans(image: np.ndarray, params: KMeansParams, run: Run) -> Segmentation:
    """k-means groups the pixels around K centres in colour space: Lloyd's algorithm with k-means++ seeds.

    Pixels know nothing of their neighbours unless ``position_weight`` says so; with it the
    clusters become compact in the image as well. The frames show the assignment after each
    iteration; the objective never rises.
    """
    with run.time("features"):
        settings = params.colour_space, params.position_weight, params.texture_weight
        points = run.cached(("points", *settings), lambda: pixel_points(image, *settings))
    assign, curve = Assignment(points.features, points.weights), []
    clusters = count_distinct(points.features, params.clusters)
    if params.automatic:
        with run.time("elbow"):
            curve = objectives_by_k(assign, params, run)
            clusters = bend(curve, MOST_CLUSTERS)
    with run.time("Lloyd's algorithm"):
        steps = shown_steps(assign, params, clusters, run)
    iterations = max(steps)
    last = steps[iterations]
    with run.time("label maps"):
        shape = image.shape[:2]
        rank = rank_by_area(last.labels, clusters, points.weights).astype(np.uint8)
        for number, step in steps.items() if run.keep_frames else ():
            caption = f"iteration {number}: objective {ENERGY}"
            run.frame(caption, points.on_pixels(rank[step.labels], shape), energy=step.objective, step=number)
        point_labels = rank[last.labels]
        labels = points.on_pixels(point_labels, shape)
        palette = mean_colours(image, labels, clusters)
    result = Segmentation(
        labels,
        ["cluster 1 (largest)", *(f"cluster {k + 1}" for k in range(1, clusters))],
        palette,
        energy_name="objective Σ δᵢⱼ ‖xᵢ − cⱼ‖²",
        step_names=("iteration", "iterations"),
        opacity=1.0,
        pictures=[
            Picture("mean colours", paint(palette, labels), "Each pixel in the mean colour of its cluster."),
            plane_picture(points, point_labels, palette, params.colour_space),
        ],
        facts={
            "iterations": iterations,
            "objective": last.objective,
            "root mean square distance": float(np.sqrt(last.objective / labels.size)),
            "pixels" if params.position_weight or params.texture_weight else "distinct colours": len(points.features),
        },
    )
    if params.automatic:
        result.facts["K at the elbow"] = clusters
        if len(curve) > 1:
            result.pictures.append(elbow_picture(curve, clusters))
        else:
            result.notices.append("All pixels are alike, so there is one cluster.")
    elif clusters < params.clusters:
        result.notices.append(
            f"The photo has no more than {clusters} different pixel{'s' * (clusters > 1)}, so K was lowered from {params.clusters} to {clusters}."
        )
    return result
