"""The lesson on the graph: one patch of the photo as nodes and edges, and every augmenting path on it.

A ``gr.HTML``. Its value is what it asks for, ``{"turn", "ask": {"x", "y", "size", "side"}}`` (x and y
null for a place of the lesson's own choice, side 0 for the working size), or what it shows
(``patch_value``); it asks with the event ``input``. All steps travel at once, the browser plays them.
"""

from __future__ import annotations

from typing import Any

import cv2
import gradio as gr
import numpy as np
from gradio.components import Component

from ...graphcut.energy import SCALE
from ...image import fit
from ...lessons.graph_patch import LARGEST, SMALLEST, PatchLesson, graph_patch
from ...segmentation import resize_nearest
from ..assets import beside
from ..gathering import gather, values_of
from ..photo import PhotoPanel
from ..scribble_pad import BINARY_BRUSHES
from ..viewer.payload import photo_url
from ..workshop import Workshop
from .teaching import QUESTION, WIRING, answered, asked, empty_with, number, taught

PICTURE_SIDE = 512
"""About how long the longer side of the picture to pick from is, in pixels."""


_source = beside(__file__)


def graph_lesson(workshop: Workshop, panel: PhotoPanel, pad: gr.HTML, fields: dict[str, Component]) -> gr.HTML:
    """Place the lesson and wire it; ``fields`` are the controls of the method ``graphcut``."""
    lesson = gr.HTML(
        {"state": "empty"},
        html_template=_source("graph_patch.html"),
        css_template=_source("graph_patch.css"),
        js_on_load="segdemoGraphPatch.mount(element.querySelector('.gp'), props, watch, trigger);",
        head=f"<script>(() => {{\n{_source('graph_drawing.js')}\n{_source('graph_patch.js')}\n}})();</script>",
        apply_default_css=False,
        elem_id="graph-patch",
    )

    def show(request: gr.Request, _, path, working_size, seed, strokes, gathered):
        values = values_of(gathered)
        value = values.pop(QUESTION)

        def params(photo: np.ndarray) -> dict[str, Any]:
            return values | {"seed": seed} | read_ask(value, photo.shape[:2], working_size)

        def compute() -> dict[str, Any]:
            return taught(workshop, graph_patch, params, patch_value, path, request, strokes or {})

        return answered(lesson, request, value, compute)

    asks, gathered = gather(lesson.input, fields | {QUESTION: lesson})
    asks.then(show, [lesson, *panel.shared, pad, gathered], lesson, **WIRING)
    empty_with(panel, lesson)
    return lesson


def read_ask(value: Any, photo_size: tuple[int, int], working_size: int) -> dict[str, Any]:
    """The page's question as parameters of the lesson; x and y come in pixels of the photo of ``photo_size`` = (H, W)."""

    def within(name: str, low: float, high: float) -> float | None:
        given = number(asked(value), name, None)
        return None if given is None else min(max(given, low), high)

    x, y = (within(name, 0, extent - 1) for name, extent in zip("xy", photo_size[::-1]))
    centre = None if x is None or y is None else ((x + 0.5) / photo_size[1], (y + 0.5) / photo_size[0])
    size, side = within("size", SMALLEST, LARGEST), within("side", 0, 4096)
    return {"centre": centre, "size": int(size or 8), "working_size": int(side or working_size)}


def patch_value(photo: np.ndarray, lesson: PatchLesson) -> dict[str, Any]:
    """Everything the page shows of the lesson, as JSON-serialisable values.

    Edges are numbered as in ``PatchGraph``. A step is ``[bottleneck, ...]`` followed by its edges, counted
    from 1 and negative where walked from v to u. Capacities are integers, ``unit`` of them to the nat.
    """
    flow, graph = lesson.flow, lesson.flow.graph
    picture, colours = pick_picture(lesson), lesson.patch(lesson.image).reshape(-1, 3)
    steps = [[s.bottleneck, *(edge + 1 if forward else -edge - 1 for edge, forward in s.edges)] for s in flow.steps]
    return {
        "state": "result",
        "photo": [photo.shape[1], photo.shape[0]],
        "working": [lesson.image.shape[1], lesson.image.shape[0]],
        "picture": photo_url(picture, picture.shape[:2]),
        "corner": list(lesson.corner),
        "shape": list(graph.shape),
        "colours": ["#{:02x}{:02x}{:02x}".format(*map(int, colour)) for colour in colours],
        "seeds": lesson.patch(lesson.seeds).ravel().tolist(),
        "whole": lesson.patch(lesson.labels).ravel().tolist(),
        "ends": graph.ends.tolist(),
        "capacities": graph.forth.tolist(),
        "steps": steps,
        "inside": flow.inside.ravel().astype(int).tolist(),
        "cut": np.flatnonzero(flow.cut).tolist(),
        "leaving": list(lesson.leaving),
        "unit": SCALE,
    }


def pick_picture(lesson: PatchLesson) -> np.ndarray:
    """The photo at working size, enlarged so that its pixels show, with the scribbles and the outline of the cut."""
    image = fit(lesson.image, PICTURE_SIDE)
    factor = max(1, PICTURE_SIDE // max(image.shape))
    size = image.shape[0] * factor, image.shape[1] * factor
    picture = cv2.resize(image, size[::-1], interpolation=cv2.INTER_NEAREST)
    labels, seeds = resize_nearest(lesson.labels, size), resize_nearest(lesson.seeds, size)
    for seed, (_, colour) in zip((2, 1), BINARY_BRUSHES):  # seeds are 1 + label, and the object's label is 1
        rgb = np.array(list(bytes.fromhex(colour.lstrip("#"))))
        picture[seeds == seed] = (0.35 * picture[seeds == seed] + 0.65 * rgb).astype(np.uint8)
    draw_outline(picture, labels)
    return picture


def draw_outline(picture: np.ndarray, labels: np.ndarray) -> None:
    """Draw the border of (h, w) labels onto an (h, w, 3) picture: white with a dark rim, seen on any ground."""
    edge = cv2.morphologyEx(labels, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    rim = cv2.dilate(edge.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    picture[rim] = picture[rim] // 3
    picture[edge] = (255, 255, 255)
