"""The graph of pixels: its minimum cut, with a replay over lambda, and going on from the cut before.

One node per pixel and an edge to each of its neighbours, on the grid that ``maxflow.py`` solves.
``superpixels.py`` is the smaller graph.

Reference: Boykov & Jolly, Interactive graph cuts, ICCV 2001.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from ..method import Run
from ..segmentation import ENERGY
from .energy import BACKGROUND, OBJECT, SCALE, STEPS, cut_pairs, evaluate, pair_slices
from .maxflow import GridMaxflow, grid_maxflow

MOST_KEPT = 2_000_000
"""Pixels up to which a graph is kept for the next stroke: at about 90 bytes each, larger ones would fill the photo cache."""
REPLAY = (0, 1 / 27, 1 / 9, 1 / 3, 1)
"""The parts of lambda at which the replay shows the cut."""


def cut_pixels(data: np.ndarray, weights: list[np.ndarray], edges: tuple, run: Run) -> tuple[np.ndarray, int]:
    """The labels (h, w) uint8 of least energy and the value of the flow, with a frame for each lambda of the replay.

    All frames are measured by the energy at the chosen lambda, of which the last one is the minimum.
    """
    graph = replay(data, weights, run) if run.keep_frames else None
    flow, labels = next_cut(data, weights, edges, run, stepper(run, 0.8, "maximum flow"), graph)
    cut_frame(1, labels, data, weights, run)
    return labels, flow


def replay(data: np.ndarray, weights: list[np.ndarray], run: Run) -> GridMaxflow:
    """Frames of the minimum cuts at the parts of lambda in ``REPLAY``; the graph, its flow that of ``weights``' whole.

    Each cut goes on from the flow before: what fits through weak edges fits through stronger ones.
    """
    graph, before = None, [np.zeros_like(weight) for weight in weights]
    for i, part in enumerate(REPLAY):
        now = [np.rint(part * weight).astype(np.int64) for weight in weights]
        more = [weight - weaker for weight, weaker in zip(now, before)]
        if graph is None:
            graph = GridMaxflow(data[BACKGROUND], data[OBJECT], *more)
        else:
            graph.strengthen(*more)
        if part == 1:
            return graph
        text = f"maximum flow at {100 * part:.0f} % of λ"
        labels = graph.solve(stepper(run, 0.2 + 0.8 * i / len(REPLAY), text))[1].astype(np.uint8)
        cut_frame(part, labels, data, weights, run)
        before = now


def cut_frame(
    part: float, labels: np.ndarray, data: np.ndarray, weights: list[np.ndarray], run: Run,
    node: str = "pixel", image: np.ndarray | None = None,
) -> None:  # fmt: skip
    """A frame of the labels (h, w) cut at a part of lambda, with their energy at all of it; ``image`` as in ``Frame``."""
    if run.keep_frames:
        energy = sum(evaluate(labels, data, weights)[:2]) / SCALE
        lonely = f"each {node} for itself (λ = 0)"
        caption = (
            f"cut made with {100 * part:.0f} % of λ" if part else lonely
        ) + f": energy {ENERGY}, at the full λ" * (part < 1)
        run.frame(caption, labels=labels.copy(), image=image, energy=energy)


def draw_cut(picture: np.ndarray, labels: np.ndarray) -> None:
    """Draw the border between (h, w) labels in red, both pixels of each pair of neighbours; (h, w, 3) uint8, in place."""
    for step in STEPS[:2]:
        first, second = pair_slices(step)
        cut = cut_pairs(labels, step)
        picture[cut] = picture[second][cut[first]] = (255, 60, 60)


def minimum_cut(data: np.ndarray, weights: list[np.ndarray], on_pass: Callable[[int], None]) -> tuple[int, np.ndarray]:
    """Flow and (h, w) uint8 labels of the minimum cut; the source side is the object."""
    flow, inside = grid_maxflow(data[BACKGROUND], data[OBJECT], *weights, on_pass=on_pass)
    return flow, inside.astype(np.uint8)


def next_cut(
    data: np.ndarray,
    weights: list[np.ndarray],
    edges: tuple,
    run: Run,
    on_pass: Callable[[int], None],
    begun: GridMaxflow | None = None,
) -> tuple[int, np.ndarray]:
    """``minimum_cut``, going on from the last one on this photo with the weights that ``edges`` names, or from ``begun``.

    The cut is the same as without: of several minimum cuts the solver gives the one with the smallest object.
    """
    build = lambda: begun or GridMaxflow(data[BACKGROUND], data[OBJECT], *weights)  # noqa: E731
    graph = build() if data[OBJECT].size > MOST_KEPT else run.cached(("graphcut graph", *edges), build)
    graph.update(data[BACKGROUND], data[OBJECT])
    flow, inside = graph.solve(on_pass)
    return flow, inside.astype(np.uint8)


def stepper(run: Run, fraction: float, text: str) -> Callable[[int], None]:
    """A callback for the max-flow that reports to ``run``, and so can be cancelled, ten times a second."""
    due = 0.0

    def on_pass(flow: int) -> None:
        nonlocal due
        if time.perf_counter() >= due:
            run.step(fraction, text)
            due = time.perf_counter() + 0.1

    return on_pass
