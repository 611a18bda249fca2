"""GrabCut: graph cut that goes on learning the colours from its own result.

Reference: Rother, Kolmogorov & Blake, "GrabCut": interactive foreground extraction using iterated
graph cuts, SIGGRAPH 2004. Each round (1) gives every pixel to the likeliest Gaussian of its label,
(2) fits the Gaussians to their pixels, (3) cuts anew. Each step lowers one energy, up to the slight
widening that keeps small Gaussians sound; a round that would not lower it ends the search.
"""

from __future__ import annotations

import numpy as np
from pydantic import Field

from ..errors import ScribbleError
from ..labels import BINARY
from ..method import Run, method, require_scribbles
from ..segmentation import Segmentation
from .binary import (
    BACKGROUND,
    OBJECT,
    EdgeParams,
    cost_pictures,
    cut_picture,
    energy_facts,
    islands,
    minimum_cut,
    photo_contrasts,
    stepper,
)
from .energy import SCALE, data_costs, pairwise_weights
from .likelihood import (
    GAMUT,
    OUTLIERS,
    Mixture,
    colour_log_likelihoods,
    fit_mixture,
    lab_colours,
    nearness_log_prior,
    posterior_costs,
    refit_mixture,
)
from .scribbles import check_scribbles


class GrabCutParams(EdgeParams):
    iterations: int = Field(8, ge=1, le=25, description="rounds of learning and cutting, at most")
    connected: bool = Field(
        True, description="keep only parts of the object that an object stroke touches, if there is one"
    )


@method("grabcut", family="graphcut", title="GrabCut", params=GrabCutParams, needs_scribbles=True)
def grabcut(image: np.ndarray, params: GrabCutParams, run: Run) -> Segmentation:
    """Iterated graph cuts: each cut relearns the colours of object and background, until the energy stops falling.

    Rother, Kolmogorov & Blake, SIGGRAPH 2004. ``run.scribbles`` is (h, w): 1 = object, 2 = background.
    Without object strokes, all that is not background counts as object at first: paint the outside
    of a box as background for the box of the paper.
    """
    seeds = grabcut_seeds(run, image.shape[:2])
    run.step(0.0, "first colours")
    with run.time("first colours"):
        colours = run.cached("graphcut Lab", lambda: lab_colours(image))
        nearness = nearness_costs(seeds, params.nearness_weight)
        contrasts, sigma = photo_contrasts(image, params.neighbours, run)
        weights = pairwise_weights(contrasts, params.smoothness, params.sigma or sigma)
        labels = first_labels(colours, seeds, nearness, weights, params, run)
        mixtures = fit_labels(colours, labels, params.components, run)
    labels, costs, data, flow, rounds = iterate(colours, seeds, labels, mixtures, nearness, weights, params, run)
    removed = np.zeros(labels.shape, bool)
    if params.connected and (seeds == OBJECT + 1).any():
        removed = islands(labels, seeds == OBJECT + 1, params.neighbours)
        labels[removed] = BACKGROUND
    facts = (
        {"rounds": rounds}
        | energy_facts(labels, data, weights)
        | {
            "maximum flow": flow / SCALE,
            "pixels in parts removed": int(removed.sum()),
            "lambda": params.smoothness,
            "sigma (Lab units)": round(params.sigma or sigma, 3),
        }
    )
    vanished = "Nothing of the object is left: draw a stroke on it, or lower the smoothness."
    return Segmentation(
        labels=labels, names=list(BINARY.names), palette=BINARY.palette, energy_name="energy (nats)",
        pictures=[*cost_pictures(posterior_costs(-costs)), cut_picture(labels, weights)],
        facts=facts, notices=[] if (labels == OBJECT).any() else [vanished],
    )  # fmt: skip


def iterate(colours, seeds, labels, mixtures, nearness, weights, params: GrabCutParams, run: Run) -> tuple:
    """Rounds of learning and cutting while the energy falls.

    Returns the labels (h, w) of the last round that lowered it, its costs (2, h, w) in nats, its
    data term (2, h, w) in integers, its flow and the number of rounds.
    """
    best = None
    for i in range(params.iterations):
        with run.time("learning"):
            mixtures = [refit_mixture(m, colours[labels == label]) for label, m in enumerate(mixtures)]
            costs = mixture_costs(mixtures, colours) + nearness
            data = data_costs(costs, seeds, weights, params.seed_cost)
        with run.time("maximum flow"):
            flow, cut = minimum_cut(data, weights, stepper(run, (i + 1) / (params.iterations + 1), f"round {i + 1}"))
        if best is not None and flow >= best[3]:
            break
        changed, labels, best = int((cut != labels).sum()), cut, (cut, costs, data, flow, i + 1)
        run.frame(
            f"round {i + 1}: energy {flow / SCALE:.1f}, {changed} pixels changed",
            labels=labels.copy(),
            energy=flow / SCALE,
        )
        if not (labels == OBJECT).any():  # a box may turn out to be empty
            break
    return best


def grabcut_seeds(run: Run, size: tuple[int, int]) -> np.ndarray:
    """The scribbles as (h, w) uint8 seeds, 0 = none, else 1 + the label; object strokes may be missing."""
    scribbles = check_scribbles(require_scribbles(run, labels=0), size, labels=2)
    if not (scribbles == 2).any():
        raise ScribbleError(
            "GrabCut needs the background: draw a stroke on it, or paint all that lies outside a box around the object."
        )
    if (scribbles == 2).all():
        raise ScribbleError("Everything is painted as background: leave the object free.")
    return np.array([0, OBJECT + 1, BACKGROUND + 1], np.uint8)[scribbles]


def nearness_costs(seeds: np.ndarray, weight: float) -> np.ndarray:
    """-ln of the prior for the nearer stroke, (2, h, w); nothing where only the background is drawn."""
    if not (seeds == OBJECT + 1).any():
        return np.zeros((2, *seeds.shape), np.float32)
    return posterior_costs(nearness_log_prior(seeds, 2, weight))


def first_labels(colours, seeds, nearness, weights, params: GrabCutParams, run: Run) -> np.ndarray:
    """(h, w) labels to learn from first: a cut by the strokes' colours, or all that is not background."""
    if not (seeds == OBJECT + 1).any():
        return np.where(seeds == BACKGROUND + 1, BACKGROUND, OBJECT).astype(np.uint8)
    logs = colour_log_likelihoods(colours, seeds, 2, "mixture", params.components, run.rng)
    data = data_costs(posterior_costs(logs - nearness), seeds, weights, params.seed_cost)
    return minimum_cut(data, weights, stepper(run, 0.0, "first cut"))[1]


def fit_labels(colours: np.ndarray, labels: np.ndarray, components: int, run: Run) -> list[Mixture]:
    """A mixture for each of background and object."""
    return [fit_mixture(colours[labels == label], components, run.rng) for label in (BACKGROUND, OBJECT)]


def mixture_costs(mixtures: list[Mixture], colours: np.ndarray) -> np.ndarray:
    """-ln(weight x density) of the likeliest Gaussian, (2, h, w) nats, at most that of a colour nobody expects."""
    flat = colours.reshape(-1, 3)
    costs = [-m.log_components(flat).max(axis=1).reshape(colours.shape[:2]) for m in mixtures]
    return np.clip(np.stack(costs), 0, -np.log(OUTLIERS / GAMUT))
