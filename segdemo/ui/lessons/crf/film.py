"""The lesson "mean field, iteration by iteration": from ``segdemo.lessons.mean_field`` to what its page part reads."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np
from gradio.components import Component

from ....labels import VOC21
from ....lessons.mean_field import MeanFieldFilm, mean_field_film
from ....method import Method
from ...photo import PhotoPanel
from ...workshop import Workshop
from ..clustering.parts import hexes, picture
from ..teaching import integer
from .parts import LARGEST, board, chosen_network, planes, wire

PREFERRED = ("deeplab-v2", "fcn-8s")
SCORE_RANGE = 8.0
"""Scores are sent from minus to plus this; beyond it the belief is 0.9997 or more."""

LEVELS = 4095


def film_lesson(
    workshop: Workshop, panel: PhotoPanel, networks: list[Method], controls: dict[str, Component]
) -> gr.HTML:
    """Place the lesson and wire it; ``controls`` are the CRF's, by the names of ``RefinementParams``."""
    screen = board("film", networks, PREFERRED)
    fields = {name: control for name, control in controls.items() if name.startswith("crf_")}

    def compute(photo, ask, is_cancelled, working_size, *values) -> dict[str, Any]:
        params = dict(zip(fields, values, strict=True)) | {"crf_iterations": integer(ask, "iterations", 10)}
        options = {"working_size": min(working_size, LARGEST), "is_cancelled": is_cancelled}
        film = workshop.engine.teach(mean_field_film, photo, network=chosen_network(ask, networks), **options, **params)
        return film_value(photo, film)

    wire(screen, workshop, panel, compute, [panel.working_size, *fields.values()])
    return screen


def film_value(photo: np.ndarray, film: MeanFieldFilm) -> dict[str, Any]:
    """Everything the page shows of the film, as JSON-serialisable values.

    The maps are scores ln q / (1 - q), from -range to range in ``LEVELS`` steps: one plane per iteration and class.
    """
    q = np.clip(film.beliefs.astype(np.float64), 1e-9, 1 - 1e-9)
    scores = np.log(q / (1 - q))
    return {
        "state": "result",
        "photo": picture(photo, film.image.shape[:2]),
        "names": film.names,
        "palette": hexes(VOC21.palette[film.classes]),
        "scores": planes((0.5 + 0.5 * scores / SCORE_RANGE).reshape(-1, *scores.shape[2:]), LEVELS),
        "levels": LEVELS,
        "range": SCORE_RANGE,
        "energy": film.free_energy,
        "change": film.change,
        "turned": film.turned,
    }
