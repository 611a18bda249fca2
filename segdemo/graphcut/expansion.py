"""More than two labels: alpha-expansion and alpha-beta-swap, a minimum cut at every move.

    E(L) = sum_p D_p(L_p) + sum_(p,q) w_pq V(L_p, L_q)

For three or more labels the least energy is NP-hard to find, even where V only asks whether two labels
differ (Potts). But the best of exponentially many changes of a labeling is one minimum cut. An
expansion of alpha lets every pixel keep its label or take alpha; a swap of alpha and beta lets every
pixel of either take the other. Moves go on, label after label, until none lowers the energy.

Either move is a choice between two labels per pixel, x_p = 0 or 1. Of a pair with the costs
A = V(0,0), B = V(0,1), C = V(1,0), D = V(1,1) twice the energy is

    2A + (C - A - B + D) x_p + (B - A - C + D) x_q + (B + C - A - D) |x_p - x_q|,

as the four cases show: two terminal links and one edge, all integers. The edge's capacity is not
negative for every expansion if V is a metric, and for every swap if V is a semi-metric. No auxiliary nodes are needed.

An expansion's local minimum is at most 2 max V / min V times the least energy, and with two labels it
is the least energy (a set better than all its subsets and all its supersets minimizes a submodular function).

References:
    Boykov, Veksler & Zabih, Fast approximate energy minimization via graph cuts, PAMI 2001 (both moves,
        the conditions on V, theorem 6.1: the bound).
    Kolmogorov & Zabih, What energy functions can be minimized via graph cuts?, PAMI 2004 (the terms of a pair).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import Literal

import numpy as np
from numba import njit
from pydantic import Field

from ..errors import ParameterError, ScribbleError
from ..labels import LabelSet, from_hex
from ..method import Run, method, require_scribbles
from ..segmentation import ENERGY, Picture, Segmentation, heatmap
from .binary import CutParams, cut_picture, deep_features, energy_facts, log_scores, smoothness_term
from .energy import SCALE, STEPS, data_costs, evaluate
from .likelihood import posterior_costs
from .maxflow import grid_maxflow
from .pixels import stepper
from .scribbles import check_scribbles

BRUSHES = LabelSet(
    "brushes",
    ("Amber", "Blue", "Green", "Red", "Violet", "Cyan", "Pink", "Brown"),
    from_hex("ffb0002f7bff1f9d55e0413a8f4fd615b8c8ff74b88a5a2b"),
)
"""The labels 1 to 8 and their colours."""


TITLES = {"expansion": "α-expansion", "swap": "αβ-swap"}
"""What a result is called, by its moves."""


class ExpansionParams(CutParams):
    moves: Literal["expansion", "swap"] = Field("expansion", description="alpha-expansion or alpha-beta-swap")
    pairwise: Literal["potts", "truncated-linear", "truncated-quadratic"] = Field(
        "potts",
        description="cost of a border: alike for all labels, or growing with the difference of the brushes' numbers",
    )
    truncation: int = Field(
        2, ge=1, le=7, description="difference of brush numbers beyond which a border costs no more"
    )


@method(
    "expansion", family="graphcut", title="α-expansion", params=ExpansionParams, needs_scribbles=True, order=110
)  # fmt: skip
def expansion(image: np.ndarray, params: ExpansionParams, run: Run) -> Segmentation:
    """Many labels by minimum cuts: each move lets one label grow, or two swap, as far as that lowers the energy.

    Boykov, Veksler & Zabih, PAMI 2001. ``run.scribbles`` is (h, w): 1 to 8, at least two of them; what is not
    drawn takes no part. The truncated costs see the labels as steps of one scale (near to far, dark to bright), in the order
    of their brushes: a border between brushes 1 and 3 costs twice that between 1 and 2, up to the truncation.
    """
    drawn, seeds = label_seeds(run, image.shape[:2])
    penalties = label_penalties(drawn, params.pairwise, params.truncation)
    require_metric(penalties, params.moves)
    run.step(0.0, "learning the colours of the strokes")
    with run.time("likelihood"):
        costs = posterior_costs(log_scores(image, seeds, params, run, len(drawn)))  # (K, h, w) nats
    with run.time("edges"):
        weights, edges = smoothness_term(image, params, run)
        data = data_costs(costs, seeds, [weight * penalties.max() for weight in weights], params.seed_cost)
    names, palette = [BRUSHES.names[label - 1] for label in drawn], BRUSHES.palette[drawn - 1]
    with run.time("moves"):
        labels, tried, made = descend(data, weights, penalties, params.moves, names, run)
    facts = {
        "moves tried": tried,
        "moves that lowered the energy": made,
        **energy_facts(labels, data, weights, penalties),
        "λ": params.smoothness,
        "σ (Lab units)": round(edges.sigma, 3),
        "deep features": deep_features(params, run)[1],
    }
    if params.moves == "expansion":
        facts["times the least energy, at most"] = bound(penalties)
    pictures = [*probability_pictures(costs, names), cut_picture(labels, weights)] if run.keep_frames else []
    title = TITLES[params.moves] + (f", {params.pairwise.replace('-', ' ')}" if params.pairwise != "potts" else "")
    return Segmentation(
        labels=labels, names=names, palette=palette, energy_name="energy (nats)",
        step_names=("move", "moves"),
        pictures=pictures, facts=facts, title=title,
    )  # fmt: skip


def label_seeds(run: Run, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The brushes drawn with, (K,) int, K >= 2, in ascending order, and (h, w) uint8 seeds: 0 = none, else 1 + their place.

    Raises ``ScribbleError`` when fewer than two brushes were used.
    """
    scribbles = check_scribbles(require_scribbles(run, labels=0), size, labels=len(BRUSHES))
    drawn = np.unique(scribbles[scribbles > 0]).astype(np.intp)
    if len(drawn) < 2:
        raise ScribbleError(
            f"Only {BRUSHES.names[drawn[0] - 1]} is drawn: draw a stroke of at least one other colour, "
            "for example on the background."
        )
    places = np.zeros(len(BRUSHES) + 1, np.uint8)
    places[drawn] = np.arange(1, len(drawn) + 1)
    return drawn, places[scribbles]


def probability_pictures(costs: np.ndarray, names: list[str]) -> list[Picture]:
    """The data term (K, h, w), in nats, as the probability of each label."""
    note = "By the strokes, pixel by pixel; yellow = likely."
    return [Picture(f"Probability of {name}", heatmap(np.exp(-cost), 0, 1), note) for name, cost in zip(names, costs)]


def label_penalties(numbers: np.ndarray, pairwise: str, truncation: int) -> np.ndarray:
    """V, (K, K) int64, of labels with the given (K,) numbers: 1, min(|i - j|, T) or min(|i - j|, T)^2 where they differ."""
    steps = np.abs(numbers[:, None] - numbers).astype(np.int64)
    if pairwise == "potts":
        return np.minimum(steps, 1)
    return np.minimum(steps, truncation) ** (2 if pairwise == "truncated-quadratic" else 1)


def require_metric(penalties: np.ndarray, moves: str) -> None:
    """``ParameterError`` unless V is a semi-metric, and for expansions a metric, so that every move is a minimum cut."""
    differ = ~np.eye(len(penalties), dtype=bool)
    if (penalties != penalties.T).any() or np.diag(penalties).any() or (penalties[differ] <= 0).any():
        raise ParameterError("pairwise: a border's cost is positive, the same both ways, and nothing within a label")
    detours = (penalties[:, :, None] + penalties[None]).min(axis=1)  # over one label in between
    if moves == "expansion" and (penalties > detours).any():
        raise ParameterError(
            "An expansion needs a metric, and with this pairwise term the border of two labels costs more than those to a "
            "third one between them together: choose swap moves, potts or truncated-linear as the pairwise term, or a truncation of 1."
        )


def bound(penalties: np.ndarray) -> float:
    """How many times the least energy a local minimum of all expansions may have at most (theorem 6.1)."""
    differ = ~np.eye(len(penalties), dtype=bool)
    return 1.0 if len(penalties) == 2 else 2.0 * float(penalties.max() / penalties[differ].min())


def descend(
    data: np.ndarray, weights: list[np.ndarray], penalties: np.ndarray, kind: str, names: list[str], run: Run
) -> tuple[np.ndarray, int, int]:
    """Moves from "each pixel for itself" until none lowers the energy, with a frame for each that did.

    Args:
        data: (K, h, w) int64, the data term. weights, penalties: w_pq per step of ``STEPS``, and V (K, K), int64.
        kind: ``"expansion"`` or ``"swap"``.

    Returns (h, w) uint8 labels that are best among all that one move can reach from them, the number of
    moves tried, and of moves that lowered the energy.
    """
    labels = data.argmin(axis=0).astype(np.uint8)
    energy = sum(evaluate(labels, data, weights, penalties)[:2])
    run.frame(f"each pixel for itself: energy {ENERGY}", labels=labels, energy=energy / SCALE, step=0)
    moves = range(len(names)) if kind == "expansion" else list(combinations(range(len(names)), 2))
    tried = made = useless = 0  # useless: how many moves in a row are known to help no more
    while useless < len(moves):
        move = moves[tried % len(moves)]
        tried += 1
        text = f"{names[move]} expands" if kind == "expansion" else f"{names[move[0]]} and {names[move[1]]} swap"
        zero, one = choices(labels, move)
        on_pass = stepper(run, 1 - 0.9 * 0.7 ** (tried / len(moves)), text)
        found, least = best_choice(zero, one, data, weights, penalties, on_pass)
        useless += 1
        if least < energy:
            changed = int((found != labels).sum())
            labels, energy, made, useless = found, least, made + 1, 1  # the same move again would find nothing
            run.frame(f"{text}: energy {ENERGY}, {changed:,} pixels", labels=labels, energy=energy / SCALE)
    return labels, tried, made


def choices(labels: np.ndarray, move: int | tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The two labels that each pixel may choose from: (alpha) its own or alpha, (alpha, beta) either if it has one of them."""
    if isinstance(move, int):
        return labels, np.full_like(labels, move)
    free = (labels == move[0]) | (labels == move[1])
    return np.where(free, labels.dtype.type(move[0]), labels), np.where(free, labels.dtype.type(move[1]), labels)


def best_choice(
    zero: np.ndarray, one: np.ndarray, data: np.ndarray, weights: list[np.ndarray], penalties: np.ndarray,
    on_pass: Callable[[int], None] | None = None,
) -> tuple[np.ndarray, int]:  # fmt: skip
    """The labeling of least energy that takes each pixel from either of two labelings, and its energy; exact.

    Args:
        zero, one: (h, w) uint8 labelings. The capacity of every pair's edge must not be negative (see above).
        data, weights, penalties: as ``descend`` takes them.

    Returns (h, w) uint8 labels and the energy in integer units.
    """
    stay, change, edges, twice = move_graph(zero, one, data, weights, penalties)
    flow, inside = grid_maxflow(stay, change, *edges, on_pass=on_pass)
    return np.where(inside, one, zero), (flow + twice) // 2


def move_graph(zero, one, data, weights, penalties) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], int]:
    """Twice the energy of all choices as a graph: source and sink capacities, edges, and what every choice costs."""
    terminals = np.empty((2, *zero.shape), np.int64)  # twice the cost of 0, of 1
    edges = [np.zeros(zero.shape, np.int64) for _ in weights]
    _double_data(zero, one, data, terminals)
    twice = sum(
        _add_pairs(zero, one, w, penalties, *step, terminals, edge) for step, w, edge in zip(STEPS, weights, edges)
    )
    least = terminals.min(axis=0)
    terminals -= least
    return terminals[0], terminals[1], edges, twice + int(least.sum())


@njit(cache=True, nogil=True)
def _double_data(zero, one, data, terminals):
    for y in range(zero.shape[0]):
        for x in range(zero.shape[1]):
            terminals[0, y, x] = 2 * data[zero[y, x], y, x]
            terminals[1, y, x] = 2 * data[one[y, x], y, x]


@njit(cache=True, nogil=True)
def _add_pairs(zero, one, weight, penalties, dy, dx, terminals, edge):
    """Add twice the cost of all pairs (p, p + step) to terminals and edges; returns the constant part."""
    height, width = zero.shape
    constant = 0
    for y in range(height - dy):
        for x in range(max(-dx, 0), width - max(dx, 0)):
            w, p0, p1, q0, q1 = weight[y, x], zero[y, x], one[y, x], zero[y + dy, x + dx], one[y + dy, x + dx]
            a, b, c, d = penalties[p0, q0], penalties[p0, q1], penalties[p1, q0], penalties[p1, q1]
            terminals[1, y, x] += w * (c - a - b + d)
            terminals[1, y + dy, x + dx] += w * (b - a - c + d)
            edge[y, x] = w * (b + c - a - d)
            constant += 2 * w * a
    return constant
