"""The lesson with points in the plane: from ``segdemo.lessons.toy_points`` to what its page part reads."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np

from ....lessons.toy_points import MOST_POINTS, ToyClusters, make_points, toy_clusters
from ..teaching import WIRING, answered, asked, integer, number, pairs
from .parts import HUES, board, rounded


def toy_lesson() -> gr.HTML:
    """Place the lesson and wire it; it needs no photo."""
    screen = board("toy")

    def reply(request: gr.Request, value):
        return answered(screen, request, value, lambda: answer(asked(value)))

    screen.input(reply, screen, screen, **WIRING)
    return screen


def answer(ask: dict[str, Any]) -> dict[str, Any]:
    """The value for a question: points drawn by hand, or a shape; K = 0 takes as many clusters as one sees in it."""
    clusters, width, seed = integer(ask, "clusters", 0), number(ask, "width", 0.06), abs(integer(ask, "seed", 0))
    if isinstance(ask.get("points"), list):
        points = np.array(pairs(ask, "points", MOST_POINTS), float).reshape(-1, 2)
    else:
        points, seen = make_points(str(ask.get("shape", "rings")), seed)
        clusters = clusters or seen
    return toy_value(toy_clusters(points, clusters, width, seed), clusters, width)


def toy_value(lesson: ToyClusters, clusters: int, width: float) -> dict[str, Any]:
    """Everything the page shows of the lesson, as JSON-serialisable values."""
    return {
        "state": "result",
        "clusters": clusters,
        "width": width,
        "points": rounded(lesson.points),
        "hues": HUES,
        "kmeans": lesson.kmeans.labels.tolist(),
        "centres": rounded(lesson.kmeans.centres),
        "objective": lesson.kmeans.objective,
        "spectral": lesson.spectral.labels.tolist(),
        "ncut": lesson.ncut,
        "outside": lesson.outside,
        "seen": rounded(lesson.eigenvectors[:, 1:].T),
        "eigenvalues": rounded(lesson.eigenvalues),
    }
