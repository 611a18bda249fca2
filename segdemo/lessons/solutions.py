"""The whole family of solutions: the exact minimum cut for one lambda after another.

    E(L) = D(L) + lambda B(L)

Data term D and border B pull against each other. As lambda grows, the minimum's border cost B never
rises and its data term D never falls (compare the two minima's energies at both lambdas and add). So
the family runs from "each pixel for itself" at lambda = 0 to the shortest border that the scribbles
allow. The least energy itself, as a function of lambda, is concave: a minimum of straight lines.

Because capacities are rounded to integers, both statements hold up to rounding.

References:
    Boykov & Jolly, Interactive graph cuts, ICCV 2001 (the energy and the trade-off).
    Kolmogorov, Boykov & Rother, Applications of parametric maxflow in computer vision, ICCV 2007 (the family).
    Boykov & Kolmogorov, Computing geodesics and minimal surfaces via graph cuts, ICCV 2003 (the length of a cut).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ParameterError
from ..graphcut.binary import GraphCutParams, binary_seeds, log_scores, photo_contrasts
from ..graphcut.energy import SCALE, STEPS, cut_pairs, data_costs, evaluate, pairwise_weights
from ..graphcut.likelihood import posterior_costs
from ..graphcut.pixels import minimum_cut, stepper
from ..method import Run

LAMBDAS = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
"""Zero, then evenly spaced by their logarithm, rounded."""


@dataclass(frozen=True)
class Solution:
    """The minimum cut at one lambda.

    Attributes:
        smoothness: lambda, in nats.
        labels: (h, w) uint8, 1 = object.
        data_energy: D, in nats.
        smoothness_energy: lambda B, in nats.
        cut_edges: pairs of neighbours with different labels.
        length: about how long the outline is, in pixels of the working size.
    """

    smoothness: float
    labels: np.ndarray
    data_energy: float
    smoothness_energy: float
    cut_edges: int
    length: float

    @property
    def energy(self) -> float:
        return self.data_energy + self.smoothness_energy


def solutions(image: np.ndarray, run: Run, lambdas: tuple[float, ...] = LAMBDAS, **values) -> list[Solution]:
    """The exact minimum cut for each of ``lambdas``, in their order.

    Args:
        image: (h, w, 3) uint8 at working size.
        run: with ``run.scribbles`` (h, w), 1 = object, 2 = background.
        lambdas: the values of the parameter ``smoothness``, in nats, each 0 to 1000.
        values: the other parameters of the method ``graphcut``; its own ``smoothness`` is not used, and the
            nodes are pixels whatever its ``graph``.

    Raises ``ScribbleError`` when a kind of scribble is missing, ``ParameterError`` for a wrong parameter.
    """
    if not lambdas:
        raise ParameterError("lambdas: give at least one value of the smoothness")
    family = [GraphCutParams.parse(values | {"smoothness": smoothness}) for smoothness in lambdas]
    seeds = binary_seeds(run, image.shape[:2])
    run.step(0.0, "learning the colours of the strokes")
    run.rng = np.random.default_rng(family[0].seed)  # the random choices of the method's own run
    costs = posterior_costs(log_scores(image, seeds, family[0], run))
    contrasts, sigma = photo_contrasts(image, family[0].neighbours, run)
    found = []
    for i, params in enumerate(family):
        weights = pairwise_weights(contrasts, params.smoothness, params.sigma or sigma)
        data = data_costs(costs, seeds, weights, params.seed_cost)
        on_pass = stepper(run, (i + 0.5) / len(family), f"λ = {params.smoothness:g}")
        _, labels = minimum_cut(data, weights, on_pass)
        found.append(measured(params.smoothness, labels, data, weights))
    return found


def measured(smoothness: float, labels: np.ndarray, data: np.ndarray, weights: list[np.ndarray]) -> Solution:
    """The numbers of one cut."""
    data_energy, smoothness_energy, cut_edges = evaluate(labels, data, weights)
    length = outline_length(labels, 2 * len(weights))
    return Solution(smoothness, labels, data_energy / SCALE, smoothness_energy / SCALE, cut_edges, length)


def outline_length(labels: np.ndarray, neighbours: int) -> float:
    """The Euclidean length of the border between labels, in pixels, from the number of edges it severs.

    The Cauchy-Crofton formula on a grid (Boykov & Kolmogorov 2003, equation 4): each severed edge e
    counts (angle between neighbouring directions) / (2 |e|), that is pi / 4 of 4 neighbours,
    pi / 8 and pi / (8 sqrt 2) of 8. Right on average over all directions of the border.
    """
    steps = STEPS[: neighbours // 2]
    angle = np.pi / len(steps)
    return float(sum(cut_pairs(labels, step).sum() * angle / (2 * np.hypot(*step)) for step in steps))
