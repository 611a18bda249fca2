"""GrabCut: graph cut that goes on learning the colours from its own result.

Reference: Rother, Kolmogorov & Blake, "GrabCut": interactive foreground extraction using iterated
graph cuts, SIGGRAPH 2004. Each round (1) gives every pixel to the likeliest Gaussian of its label,
(2) fits the Gaussians to their pixels, (3) cuts anew. Each step lowers one energy, up to the slight
widening that keeps small Gaussians sound; a round that would not lower it ends the search.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from ..errors import ScribbleError
from ..lab import lab_colours
from ..labels import BINARY
from ..method import Run, method, require_scribbles
from ..segmentation import ENERGY, Segmentation
from ..strips import in_strips
from .binary import (
    BACKGROUND,
    NOT_USED,
    OBJECT,
    EdgeParams,
    cost_pictures,
    cut_picture,
    energy_facts,
    remove_islands,
    smoothness_term,
)
from .energy import SCALE, STEPS, compiled, data_costs, evaluate, is_hard, seed_price, seeded
from .gaussians import component_moments, likeliest_components
from .likelihood import (
    GAMUT,
    OUTLIERS,
    Mixture,
    colour_log_likelihoods,
    fit_mixture,
    nearness_log_prior,
    posterior_costs,
)
from .maxflow import GridMaxflow
from .pixels import minimum_cut, stepper
from .scribbles import check_scribbles

BLOCKS = 256  # along the longer side, at least, that the first rounds cut
STRIPS = 8  # a fixed number, so that sums are rounded alike on any number of cores


class GrabCutParams(EdgeParams):
    iterations: int = Field(8, ge=1, le=25, description="rounds of learning and cutting, at most")
    components: int = Field(8, ge=1, le=16, description="Gaussians per label")
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
        weights, edges = smoothness_term(image, params, run)
        labels = first_labels(colours, seeds, nearness, weights, params, run)
        mixtures = fit_labels(colours, labels, params.components, run)
    best = iterate(colours, seeds, labels, mixtures, nearness, weights, params, run)
    labels, data = best.labels, best.data
    facts = {"rounds": best.number, **energy_facts(labels, data, weights), "maximum flow": best.energy / SCALE}
    facts |= remove_islands(labels, seeds, data, weights, params, run)
    facts |= {"λ": params.smoothness, "σ (Lab units)": round(edges.sigma, 3), "deep features": NOT_USED}
    return Segmentation(
        labels=labels, names=list(BINARY.names), palette=BINARY.palette, energy_name="energy (nats)",
        step_names=("round", "rounds"),
        pictures=[*cost_pictures(posterior_costs(-best.costs)), cut_picture(labels, weights)] if run.keep_frames else [],
        facts=facts, notices=[] if has_both(labels) else [vanished(int(labels[0, 0]), seeds)],
    )  # fmt: skip


def vanished(left: int, seeds: np.ndarray) -> str:
    """What to do when ``left`` is the only label in the result; its (h, w) seeds are as in ``grabcut_seeds``."""
    gone, name = (OBJECT, "object") if left == BACKGROUND else (BACKGROUND, "background")
    overruled = (seeds == gone + 1).any()
    advice = "raise the seed cost, or set it to 0 to obey every stroke" if overruled else "draw a stroke on it"
    return f"Nothing of the {name} is left: {advice}, or lower the smoothness."


@dataclass
class Round:
    """The outcome of one round.

    Attributes:
        labels: (h, w) uint8.
        costs, data: (2, h, w) what the round's Gaussians make of the photo, in nats, and with the seeds in integers.
        energy: in integers; the value of the maximum flow, if the pixels were cut.
        number: counting from 1.
        exact: whether pixels were cut, so that no labels have less energy.
    """

    labels: np.ndarray
    costs: np.ndarray
    data: np.ndarray
    energy: int
    number: int
    exact: bool


def iterate(colours, seeds, labels, mixtures, nearness, weights, params: GrabCutParams, run: Run) -> Round:
    """Rounds of learning and cutting while the energy falls; returns the last that lowered it.

    The first half of the rounds cuts blocks of pixels: those cuts only serve to learn from, and a graph of pixels
    whose colours are learned already is cut in half the time. Their energy is that of the blocks' labels on the pixels.
    """
    learner, cuts, best = Learner(colours, mixtures), Cuts(seeds, weights, params.seed_cost), None
    price, blocks = seed_price(weights, params.seed_cost), params.iterations // 2 if cuts.size > 1 else 0
    for number in range(1, params.iterations + 1):
        on_pass = stepper(run, number / (params.iterations + 1), f"round {number}")
        run.step(number / (params.iterations + 1), f"round {number}")
        with run.time("learning"):
            costs = learner.learn(labels)
            costs += nearness
            data = seeded(costs, seeds, price)
        with run.time("maximum flow"):
            energy, cut = (cuts.of_blocks if number <= blocks else cuts.of_pixels)(data, on_pass)
        falls = best is None or energy < best.energy
        if number <= blocks and not (falls and has_both(cut)):
            blocks = 0  # pixels from now on
            continue
        if not falls:
            if best.exact:
                break
            with run.time("maximum flow"):  # of the energy that was reached, which blocks did not minimize
                costs, data = best.costs, best.data
                energy, cut = cuts.of_pixels(data, on_pass)
        changed = int((cut != labels).sum())
        if best is None or energy < best.energy or (cut != best.labels).any():
            blocky = f", on blocks of {cuts.size} × {cuts.size} pixels" if number <= blocks else ""
            caption = f"round {number}{blocky}: energy {ENERGY}, {changed:,} pixel{'s' * (changed != 1)} changed"
            run.frame(caption, labels=cut.copy(), energy=energy / SCALE, step=number)
        labels, best = cut, Round(cut, costs, data, energy, number, number > blocks)
        if not has_both(labels):  # a box may be empty, soft seeds overruled: there is nothing to learn from
            break
    return best


def has_both(labels: np.ndarray) -> bool:
    """Whether both labels occur."""
    return int(labels.min()) != int(labels.max())


class Cuts:
    """The cuts of all rounds on one photo: of blocks of pixels, and of pixels, where each goes on from the one before.

    With hard seeds both are made in the window of ``free_window``, outside of which nothing is to be decided.
    """

    def __init__(self, seeds: np.ndarray, weights: list[np.ndarray], seed_cost: float = 0.0):
        """(h, w) seeds and the pairwise weights, which stay; ``seed_cost`` as in ``seed_price``."""
        self.window, self.graphs = free_window(seeds) if is_hard(seed_cost) else (slice(None), slice(None)), {}
        self.weights = [np.ascontiguousarray(weight[self.window]) for weight in weights]
        self.size = max(1, max(seeds.shape) // BLOCKS)  # of a block, in pixels

    def of_pixels(self, data: np.ndarray, on_pass: Callable[[int], None]) -> tuple[int, np.ndarray]:
        """The least energy of the data term (2, h, w) in integers, and its labels, (h, w) uint8."""
        inner = data[(slice(None), *self.window)]
        energy, inside = self._solve("pixels", inner, lambda: self.weights, on_pass)
        return energy, self._framed(inside, data.shape[1:])

    def of_blocks(self, data: np.ndarray, on_pass: Callable[[int], None]) -> tuple[int, np.ndarray]:
        """The labels of the least energy among those that are alike within every block, and that energy."""
        inner = np.ascontiguousarray(data[(slice(None), *self.window)])
        sums = block_sums(inner, self.size)
        _, inside = self._solve("blocks", sums, lambda: block_edges(np.stack(self.weights), self.size), on_pass)
        height, width = inner.shape[1:]
        labels = inside.repeat(self.size, 0).repeat(self.size, 1)[:height, :width].astype(np.uint8)
        return sum(evaluate(labels, inner, self.weights)[:2]), self._framed(labels, data.shape[1:])

    def _solve(self, kind: str, data: np.ndarray, edges: Callable, on_pass: Callable) -> tuple[int, np.ndarray]:
        """Flow and (h, w) bool labels of the graph of that kind, which is made at first and updated from then on."""
        if kind in self.graphs:
            self.graphs[kind].update(data[BACKGROUND], data[OBJECT])
        else:
            self.graphs[kind] = GridMaxflow(data[BACKGROUND], data[OBJECT], *edges())
        return self.graphs[kind].solve(on_pass)

    def _framed(self, inner: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Labels of the window as (h, w) uint8 labels of the photo, background around."""
        labels = np.full(size, BACKGROUND, np.uint8)
        labels[self.window] = inner
        return labels


def block_sums(data: np.ndarray, size: int) -> np.ndarray:
    """(labels, h, w) int64 summed over blocks of ``size`` by ``size`` pixels, smaller ones at the end."""
    labels, height, width = data.shape
    sums = np.zeros((labels, -(-height // size), -(-width // size)), np.int64)
    _add_to_blocks(data, np.arange(height) // size, np.arange(width) // size, sums)
    return sums


@compiled
def _add_to_blocks(data, rows, columns, sums):
    labels, height, width = data.shape
    for label in range(labels):
        for y in range(height):
            for x in range(width):
                sums[label, rows[y], columns[x]] += data[label, y, x]


def block_edges(weights: np.ndarray, size: int) -> np.ndarray:
    """Between neighbouring blocks the sums of all edges that lead from one to the other; both in the order of ``STEPS``."""
    steps, height, width = weights.shape
    edges = np.zeros((steps, -(-height // size), -(-width // size)), np.int64)
    _add_to_edges(weights, np.array(STEPS[:steps]), np.arange(height) // size, np.arange(width) // size, edges)
    return edges


@compiled
def _add_to_edges(weights, steps, rows, columns, edges):
    _, height, width = weights.shape
    for k in range(len(steps)):
        dy, dx = steps[k]
        for y in range(height - dy):
            down = rows[y + dy] - rows[y]
            for x in range(max(-dx, 0), width - max(dx, 0)):
                right = columns[x + dx] - columns[x]
                if down == 0 and right < 0:  # a step down left that stays in its row of blocks
                    edges[0, rows[y], columns[x] - 1] += weights[k, y, x]
                elif down > 0 or right > 0:
                    step = 0 if down == 0 else 1 if right == 0 else 2 if right > 0 else 3
                    edges[step, rows[y], columns[x]] += weights[k, y, x]


def free_window(seeds: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns that hold all pixels but background seeds, and one more on each side.

    If those seeds are hard, all outside of it is background and stays so: no edge is cut there, and the flow is the same without.
    """
    free = seeds != BACKGROUND + 1
    rows, columns = np.flatnonzero(free.any(axis=1)), np.flatnonzero(free.any(axis=0))
    return tuple(slice(max(0, each[0] - 1), each[-1] + 2) for each in (rows, columns))


class Learner:
    """The colours of a photo and the Gaussians of both labels, relearned from one labeling after another."""

    def __init__(self, colours: np.ndarray, mixtures: list[Mixture]):
        """(h, w, 3) float32 Lab colours, and a mixture per label to begin with."""
        self.size, self.colours = colours.shape[:2], np.ascontiguousarray(colours.reshape(-1, 3))
        self.costs = np.empty((len(mixtures), len(self.colours)), np.float32)
        self.likeliest = np.empty(self.costs.shape, np.uint8)
        self.components = max(len(mixture.weights) for mixture in mixtures)
        self._evaluate(mixtures)

    def learn(self, labels: np.ndarray) -> np.ndarray:
        """Fit the Gaussians to (h, w) labels, each pixel being its likeliest one's; (2, h, w) costs in nats."""
        moments = np.zeros((STRIPS, len(self.costs), self.components, 10))
        flat = labels.reshape(-1)
        in_strips(
            lambda strip, a, b: component_moments(self.colours[a:b], flat[a:b], self.likeliest[:, a:b], moments[strip]),
            len(flat), STRIPS,
        )  # fmt: skip
        self._evaluate([Mixture.from_moments(each) for each in moments.sum(axis=0)])
        return self.costs.reshape(-1, *self.size).copy()

    def _evaluate(self, mixtures: list[Mixture]) -> None:
        coefficients = np.zeros((len(mixtures), self.components, 10), np.float32)
        coefficients[:, :, 0] = -np.inf  # for a mixture with fewer components
        for label, mixture in enumerate(mixtures):
            coefficients[label, : len(mixture.weights)] = mixture.coefficients()
        most = np.float32(-np.log(OUTLIERS / GAMUT))
        in_strips(
            lambda _, a, b: likeliest_components(
                self.colours[a:b], coefficients, most, self.costs[:, a:b], self.likeliest[:, a:b]
            ),
            len(self.colours),
        )


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


def nearness_costs(seeds: np.ndarray, weight: float) -> np.ndarray | float:
    """-ln of the prior for the nearer stroke, (2, h, w); nothing where only the background is drawn."""
    if not (seeds == OBJECT + 1).any():
        return 0.0
    return posterior_costs(nearness_log_prior(seeds, 2, weight))


def first_labels(colours, seeds, nearness, weights, params: GrabCutParams, run: Run) -> np.ndarray:
    """(h, w) labels to learn from first: a cut by the strokes' colours, or all that is not background.

    The strokes themselves have their labels even where soft seeds are overruled, so that both labels occur.
    """
    if not (seeds == OBJECT + 1).any():
        return np.where(seeds == BACKGROUND + 1, BACKGROUND, OBJECT).astype(np.uint8)
    logs = colour_log_likelihoods(colours, seeds, 2, "mixture", params.components, run.rng)
    data = data_costs(posterior_costs(logs - nearness), seeds, weights, params.seed_cost)
    labels = minimum_cut(data, weights, stepper(run, 0.0, "first cut"))[1]
    return np.where(seeds > 0, seeds - 1, labels).astype(np.uint8)


def fit_labels(colours: np.ndarray, labels: np.ndarray, components: int, run: Run) -> list[Mixture]:
    """A mixture for each of background and object."""
    flat, chance = colours.reshape(-1, 3), run.rng.random(labels.size)
    own = [np.flatnonzero(labels == label) for label in (BACKGROUND, OBJECT)]
    return in_strips(lambda label, *_: fit_mixture(flat, own[label], components, chance), len(own), len(own))
