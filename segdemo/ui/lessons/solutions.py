"""The lesson "All solutions over lambda": the exact minimum cut for one lambda after another, as a filmstrip.

A ``gr.HTML``. Its value is ``{"turn"}`` when it asks (event ``input``), or what it shows (``strip_value``).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import cv2
import gradio as gr
import numpy as np
from gradio.components import Component

from ...image import fit
from ...lessons.solutions import Solution, solutions
from ...segmentation import resize_nearest
from ..assets import beside
from ..gathering import gather, values_of
from ..photo import PhotoPanel
from ..viewer.payload import photo_url
from ..workshop import Workshop
from .graph_patch import draw_outline
from .teaching import QUESTION, WIRING, answered, empty_with, taught

WORKING_SIDE = 256
"""Long side, in pixels, at which the cuts are made."""
PICTURE_SIDE = 448
"""Long side, in pixels, of the pictures."""


_source = beside(__file__)


def solutions_lesson(workshop: Workshop, panel: PhotoPanel, pad: gr.HTML, fields: dict[str, Component]) -> gr.HTML:
    """Place the lesson and wire it; ``fields`` are the controls of the method ``graphcut``."""
    lesson = gr.HTML(
        {"state": "empty"},
        html_template=_source("solutions.html"),
        css_template=_source("solutions.css"),
        js_on_load="segdemoSolutions.mount(element.querySelector('.so'), props, watch, trigger);",
        head=f"<script>(() => {{\n{_source('solutions.js')}\n}})();</script>",
        apply_default_css=False,
        elem_id="solutions",
    )

    def show(request: gr.Request, _, path, working_size, seed, strokes, gathered):
        values = values_of(gathered)
        value = values.pop(QUESTION)
        params = values | {"seed": seed, "working_size": min(WORKING_SIDE, working_size)}
        shown = partial(strip_value, chosen=params["smoothness"])

        def compute() -> dict[str, Any]:
            return taught(workshop, solutions, lambda photo: params, shown, path, request, strokes or {})

        return answered(lesson, request, value, compute)

    asks, gathered = gather(lesson.input, fields | {QUESTION: lesson})
    asks.then(show, [lesson, *panel.shared, pad, gathered], lesson, **WIRING)
    empty_with(panel, lesson)
    return lesson


def strip_value(photo: np.ndarray, found: Sequence[Solution], chosen: float) -> dict[str, Any]:
    """Everything the page shows of the family, as JSON-serialisable values; ``chosen`` is the tab's own lambda."""
    picture = fit(photo, PICTURE_SIDE)
    return {
        "state": "result",
        "chosen": float(chosen),
        "solutions": [
            {
                "lambda": s.smoothness,
                "data": s.data_energy,
                "smoothness": s.smoothness_energy,
                "edges": s.cut_edges,
                "length": s.length,
                "share": float(s.labels.mean()),
                "picture": photo_url(outlined := outline_picture(picture, s.labels), outlined.shape[:2], 85),
            }
            for s in found
        ],
        "working": [found[0].labels.shape[1], found[0].labels.shape[0]],
    }


def outline_picture(photo: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8: the object in its colours, the background pale grey, the outline between them."""
    labels = resize_nearest(labels, photo.shape[:2])
    grey = cv2.cvtColor(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    picture = np.where(labels[..., None] > 0, photo, 110 + grey // 3)
    draw_outline(picture, labels)
    return picture
