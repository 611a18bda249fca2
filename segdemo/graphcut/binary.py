"""Interactive graph cut: object and background from scribbles, by one exact minimum cut.

Reference: Boykov & Jolly, Interactive graph cuts for optimal boundary and region segmentation
of objects in N-D images, ICCV 2001. The data term multiplies likelihoods of colour, texture and the
features of a trained network (``likelihood.py``, ``deep.py``), each to the power of its weight, with
priors for the nearer stroke and for what is joined to a stroke (``connection.py``). The larger the smoothness, the shorter the outline; the
replay shows this from lambda = 0, where each pixel decides for itself, up to the chosen lambda. The nodes are pixels
(``pixels.py``) or, for large photos, superpixels (``superpixels.py``).
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import cv2
import numpy as np
from pydantic import Field

from ..errors import UnavailableError
from ..lab import lab_colours
from ..labels import BINARY
from ..method import Params, Run, method, require_scribbles
from ..segmentation import Picture, Segmentation, heatmap
from ..strips import in_strips
from .connection import connection_log_prior
from .deep import feature_log_odds, principal_components
from .energy import (
    BACKGROUND,
    OBJECT,
    SCALE,
    STEPS,
    data_costs,
    estimate_sigma,
    evaluate,
    neighbour_sums,
    pairwise_weights,
    squared_contrasts,
)
from .likelihood import colour_log_likelihoods, nearness_log_prior, posterior_costs, step_lengths, textures
from .pixels import cut_pixels, draw_cut
from .scribbles import check_scribbles
from .superpixels import COMPACTNESS, SuperpixelGraph, superpixel_graph

NOT_USED = "not used"
"""What methods say of deep features that take none."""


class EdgeParams(Params):
    """What all cuts have: the smoothness term, and how hard the seeds are."""

    smoothness: float = Field(
        40.0, ge=0, le=1000, description="λ: cost of cutting between two pixels of one colour, in nats"
    )
    sigma: float = Field(
        0.0, ge=0, le=200, description="colour difference that counts as an edge, in Lab units; 0 = the photo's own"
    )
    neighbours: Literal[4, 8] = Field(8, description="neighbours of a pixel: 4, or 8 with the diagonals")
    components: int = Field(5, ge=1, le=16, description="Gaussians per mixture")
    nearness_weight: float = Field(
        2.5, ge=0, le=10, description="how much the nearer stroke is favoured; 0 = colour alone"
    )
    seed_cost: float = Field(
        0.0, ge=0, le=1000, description="what it costs to overrule a scribbled pixel, in nats; 0 = never overruled"
    )


class CutParams(EdgeParams):
    """What cuts by the strokes' own colours have besides: the likelihoods."""

    likelihood: Literal["mixture", "histogram"] = Field("mixture", description="model of the scribbled colours")
    colour_weight: float = Field(1.0, ge=0, le=10, description="how much the colour likelihoods count")
    texture_weight: float = Field(0.4, ge=0, le=10, description="how much the likelihoods of texture count")
    detour: float = Field(
        1.0,
        ge=0,
        le=20,
        description="pixels that a colour change of one Lab unit puts between a stroke and what lies behind",
    )


class GraphCutParams(CutParams):
    colour_weight: float = Field(0.4, ge=0, le=10, description="how much the colour likelihoods count")
    texture_weight: float = Field(0.1, ge=0, le=10, description="how much the likelihoods of texture count")
    nearness_weight: float = Field(
        1.35, ge=0, le=10, description="how much the nearer stroke is favoured; 0 = the likelihoods alone"
    )
    deep_weight: float = Field(
        2.0, ge=0, le=10, description="how much the features of a trained network count; 0 = colour and texture alone"
    )
    connection: float = Field(
        8.0,
        ge=0,
        le=100,
        description="nats that lacking an object-like way to an object stroke costs at most; 0 = nothing",
    )
    relearn: float = Field(
        0.3,
        ge=0,
        le=0.9,
        description="share of the colours that the pixels' likelier labels add to those of the strokes; 0 = strokes alone",
    )
    graph: Literal["pixels", "superpixels"] = Field(
        "pixels", description="a node per pixel, or per superpixel: faster on large photos, borders less exact"
    )
    superpixels: int = Field(
        4000, ge=50, le=50_000, description="number of superpixels aimed at, where they are the nodes"
    )
    connected: bool = Field(
        False, description="keep only parts of the object that an object stroke touches; not part of the energy"
    )


@method("graphcut", family="graphcut", title="Graph cut", params=GraphCutParams, needs_scribbles=True)
def graphcut(image: np.ndarray, params: GraphCutParams, run: Run) -> Segmentation:
    """Minimum cut between strokes: likelihoods of colour and of a network's features, contrast-sensitive smoothness; exact.

    Boykov & Jolly, ICCV 2001. ``run.scribbles`` is (h, w): 1 = object, 2 = background.
    """
    seeds = binary_seeds(run, image.shape[:2])
    run.step(0.0, "learning the colours of the strokes")
    with run.time("likelihood"):
        scores = log_scores(image, seeds, params, run)
        costs = posterior_costs(scores)  # (2, h, w) nats
    with run.time("edges"):
        weights, edges = smoothness_term(image, params, run)
        data = data_costs(costs, seeds, weights, params.seed_cost)
    regions = superpixels_to_cut(data, seeds, weights, params, run)
    with run.time("maximum flow"):
        labels, flow = regions.cut(image, data, weights, run) if regions else cut_pixels(data, weights, edges, run)
    facts = energy_facts(labels, data, weights) | {"maximum flow": flow / SCALE}  # of the minimum cut: they are equal
    if regions:
        facts |= regions.facts(labels, facts)
    facts |= remove_islands(labels, seeds, data, weights, params, run)
    facts |= {
        "λ": params.smoothness,
        "σ (Lab units)": round(edges.sigma, 3),
        "deep features": deep_features(params, run)[1],
    }
    pictures = []
    if run.keep_frames:
        pictures = [*cost_pictures(costs), *feature_pictures(seeds, params, run), cut_picture(labels, weights)]
        pictures += [regions.picture(image, labels)] if regions else []
    return Segmentation(
        labels=labels, names=list(BINARY.names), palette=BINARY.palette, energy_name="energy (nats)",
        step_names=("cut", "cuts"),
        pictures=pictures, facts=facts,
    )  # fmt: skip


def superpixels_to_cut(
    data: np.ndarray, seeds: np.ndarray, weights: list[np.ndarray], params: GraphCutParams, run: Run
) -> SuperpixelGraph | None:
    """The graph of superpixels, if that is what ``params`` ask for."""
    if params.graph == "pixels":
        return None
    run.step(0.2, "superpixels")
    with run.time("superpixels"):
        superpixels = run.superpixels(params.superpixels, COMPACTNESS)
        return superpixel_graph(superpixels, data, seeds, weights, params.seed_cost)


def binary_seeds(run: Run, size: tuple[int, int]) -> np.ndarray:
    """The scribbles as (h, w) uint8 seeds: 0 = none, else 1 + the label (background 1, object 2)."""
    scribbles = check_scribbles(require_scribbles(run), size, labels=2)
    return np.array([0, OBJECT + 1, BACKGROUND + 1], np.uint8)[scribbles]


def log_scores(image: np.ndarray, seeds: np.ndarray, params: CutParams, run: Run, labels: int = 2) -> np.ndarray:
    """ln(likelihood x prior) of each label, (labels, h, w) float32, up to a constant per pixel.

    ``seeds`` is (h, w) uint8, 0 = none, else 1 + the label.
    """
    lengths = None
    if params.detour > 0:
        colours = run.cached("graphcut Lab", lambda: lab_colours(image))
        lengths = run.cached(("graphcut lengths", params.detour), lambda: step_lengths(colours, params.detour))
    prior = nearness_log_prior(seeds, labels, params.nearness_weight, lengths)
    features, _ = deep_features(params, run)
    if features is not None:
        odds = params.deep_weight * feature_log_odds(features, seeds)
        prior[BACKGROUND] -= odds / 2
        prior[OBJECT] += odds / 2
    logs = stroke_log_likelihoods(image, seeds, params, run, labels)
    share = getattr(params, "relearn", 0.0)
    if share > 0 and params.colour_weight + params.texture_weight > 0:
        first = likelier_labels(connected_scores(prior + logs, seeds, params), seeds)
        learned = stroke_log_likelihoods(image, np.where(seeds > 0, seeds, first + 1), params, run, labels)
        mix_in(logs, learned, share)
    return connected_scores(prior + logs, seeds, params)


def mix_in(logs: np.ndarray, others: np.ndarray, share: float) -> None:
    """ln of (1 - share) exp(logs) + share exp(others), arrays of one shape, written to ``logs``."""
    logs, others = logs.reshape(-1), others.reshape(-1)

    def mix(_: int, start: int, stop: int) -> None:
        own, other = logs[start:stop], others[start:stop]
        top = np.maximum(own, other)
        own[:] = top + np.log((1 - share) * np.exp(own - top) + share * np.exp(other - top))

    in_strips(mix, len(logs))


def connected_scores(scores: np.ndarray, seeds: np.ndarray, params: CutParams) -> np.ndarray:
    """``scores``, (labels, h, w), with the prior of ``connection.py``, which they determine; in place."""
    most = getattr(params, "connection", 0.0)
    if most > 0:
        scores[OBJECT] += connection_log_prior(scores, seeds, most)
    return scores


def stroke_log_likelihoods(
    image: np.ndarray, seeds: np.ndarray, params: CutParams, run: Run, labels: int
) -> np.ndarray:
    """ln p(colour, texture | label) as the seeds have them, (labels, h, w) float32; each to the power of its weight."""
    colours = run.cached("graphcut Lab", lambda: lab_colours(image))
    features = [(params.colour_weight, colours)]
    if params.texture_weight > 0:
        features.append((params.texture_weight, run.cached("graphcut textures", lambda: textures(colours))))
    total = np.zeros((labels, *seeds.shape), np.float32)
    for weight, feature in features:
        if weight > 0:
            total += weight * colour_log_likelihoods(
                feature, seeds, labels, params.likelihood, params.components, run.rng
            )
    return total


def deep_features(params: CutParams, run: Run) -> tuple[np.ndarray | None, str]:
    """Features of the photo by a trained network, (h', w', D) float32, or None; and what there is to say about them.

    They depend on the photo only, so that every further stroke finds them ready.
    """
    if getattr(params, "deep_weight", 0.0) == 0:
        return None, NOT_USED
    try:
        with run.time("features"):
            features = run.cached("graphcut features", lambda: principal_components(run.features()))
    except UnavailableError as reason:
        return None, f"colour and texture alone: {reason}"
    return features, f"{features.shape[2]} principal components"


def likelier_labels(scores: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """(h, w) uint8: each pixel's likelier label, islands of the object removed: what there is more to learn from.

    No cut, so that the data term, which these labels lead to, is the same for every lambda.
    """
    labels = (scores[OBJECT] > scores[BACKGROUND]).astype(np.uint8)
    labels[seeds > 0] = seeds[seeds > 0] - 1
    labels[islands(labels, seeds == OBJECT + 1, 8)] = BACKGROUND
    return labels


class Edges(NamedTuple):
    """What, besides the photo, the smoothness term depends on."""

    neighbours: int
    smoothness: float
    sigma: float


def smoothness_term(image: np.ndarray, params: EdgeParams, run: Run) -> tuple[list[np.ndarray], Edges]:
    """The pairwise weights, as ``pairwise_weights`` has them, with the sigma of ``params`` or else the photo's own; kept."""
    contrasts, sigma = photo_contrasts(image, params.neighbours, run)
    edges = Edges(params.neighbours, params.smoothness, params.sigma or sigma)
    build = lambda: pairwise_weights(contrasts, edges.smoothness, edges.sigma)  # noqa: E731
    return run.cached(("graphcut weights", *edges), build), edges


def photo_contrasts(image: np.ndarray, neighbours: int, run: Run) -> tuple[list[np.ndarray], float]:
    """Squared contrasts between neighbours and their root mean square; kept for the next run on this photo."""

    def measure() -> tuple[list[np.ndarray], float]:
        contrasts = squared_contrasts(run.cached("graphcut Lab", lambda: lab_colours(image)), neighbours)
        return contrasts, estimate_sigma(contrasts)

    return run.cached(("graphcut contrasts", neighbours), measure)


def remove_islands(labels, seeds, data, weights, params: EdgeParams, run: Run) -> dict:
    """Give the object's parts without a stroke to the background, in place, if ``params`` ask for it; the facts of it.

    All other facts stay those of the minimum cut. Without any object stroke, as GrabCut allows, all parts stay.
    """
    strokes = seeds == OBJECT + 1
    if not params.connected or not strokes.any():
        return {"pixels in parts removed": 0}
    removed = islands(labels, strokes, params.neighbours)
    labels[removed] = BACKGROUND
    if not removed.any():
        return {"pixels in parts removed": 0}
    energy = sum(evaluate(labels, data, weights)[:2]) / SCALE
    run.frame("parts without an object stroke removed", labels=labels.copy(), energy=energy, is_after=True)
    return {"energy after parts were removed": energy, "pixels in parts removed": int(removed.sum())}


def islands(labels: np.ndarray, strokes: np.ndarray, neighbours: int) -> np.ndarray:
    """(h, w) bool: the object's connected parts that contain no stroke."""
    _, parts = cv2.connectedComponents(labels, connectivity=neighbours)
    return (labels == OBJECT) & ~np.isin(parts, np.unique(parts[strokes]))


def energy_facts(
    labels: np.ndarray, data: np.ndarray, weights: list[np.ndarray], penalties: np.ndarray | None = None
) -> dict:
    """The numbers of one labeling of the graph."""
    data_energy, smooth_energy, cut_edges = evaluate(labels, data, weights, penalties)
    height, width = labels.shape
    edges = sum((height - dy) * (width - abs(dx)) for dy, dx in STEPS[: len(weights)])
    return {
        "energy": (data_energy + smooth_energy) / SCALE,
        "data energy": data_energy / SCALE,
        "smoothness energy": smooth_energy / SCALE,
        "cut edges": cut_edges,
        "nodes": labels.size,
        "edges": edges,
    }


def cost_pictures(costs: np.ndarray) -> list[Picture]:
    """The data term: the probability of the object, and the cost of either label."""
    high = float(np.percentile(costs, 99.5))
    probability = heatmap(np.exp(-costs[OBJECT]), 0, 1)
    of_object, of_background = (heatmap(costs[label], 0, high) for label in (OBJECT, BACKGROUND))
    return [
        Picture(
            "Probability of the object", probability, "By all parts of the data term, pixel by pixel; yellow = object."
        ),
        Picture(
            "Cost of the label object",
            of_object,
            "D_p(object), the capacity of the link to the sink, which is cut where the pixel is object; yellow = expensive.",
        ),
        Picture(
            "Cost of the label background",
            of_background,
            "D_p(background), the capacity of the link to the source, which is cut where the pixel is background; yellow = expensive.",
        ),
    ]


def feature_pictures(seeds: np.ndarray, params: CutParams, run: Run) -> list[Picture]:
    """The network's part of the data term, if it has one."""
    features, _ = deep_features(params, run)
    if features is None:
        return []
    odds = params.deep_weight * feature_log_odds(features, seeds)
    note = "What a classifier learned from the strokes makes of a trained network's features; yellow = object."
    return [Picture("Probability of the object by deep features alone", heatmap(1 / (1 + np.exp(-odds)), 0, 1), note)]


def cut_picture(labels: np.ndarray, weights: list[np.ndarray]) -> Picture:
    """The smoothness term: how strongly each pixel is tied to its neighbours, with the cut drawn in."""
    sums = neighbour_sums(weights)
    picture = heatmap(sums, 0, max(float(sums.max()), 1.0))
    draw_cut(picture, labels)
    return Picture(
        "Edges and the cut", picture, "Dark = weak ties between neighbours, cheap to cut; red = the minimum cut."
    )
