"""The lesson "HMM against CRF, line by line": from ``segdemo.lessons.scanline`` to what its page part reads."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np

from ....image import content_key
from ....labels import LabelSet
from ....lessons.scanline import ChainOnPhoto, Scanline, scanline
from ....method import Method, get_method
from ...cards import Shared
from ...photo import PhotoPanel
from ...scribble_pad import brushes_of, seeds_on
from ...viewer.payload import pack
from ...workshop import Workshop
from ..clustering.parts import hexes, picture, rounded
from .parts import board, chosen_network, planes, wire

WORKING_SIZE = 320
PREFERRED = ("deeplab-v3plus", "fcn-8s")
SCRIBBLES = "scribbles"
"""What the page asks for instead of a network's name, to learn from the strokes on the pad."""


PALE = np.array([203, 213, 225], np.uint8)
"""In place of a black background, on which dark colours of other labels would not be seen."""


def scanline_lesson(workshop: Workshop, panel: PhotoPanel, networks: list[Method], shared: Shared) -> gr.HTML:
    """Place the lesson and wire it."""
    own = f'<option value="{SCRIBBLES}">my scribbles (tab Graph cut)</option>' if shared.pad else ""
    screen = board("scanline", networks, PREFERRED, scribbles=own)

    def is_about_strokes(ask) -> bool:
        return ask.get("network") == SCRIBBLES and shared.pad is not None

    def compute(photo, ask, is_cancelled, strokes=None, method="") -> dict[str, Any]:
        options: dict[str, Any] = {"working_size": WORKING_SIZE, "is_cancelled": is_cancelled}
        if is_about_strokes(ask):
            seeds = brush_labels(get_method(method))
            scribbles = seeds_on(content_key(photo), strokes, photo.shape[:2], labels=len(seeds))
            options |= {"seeds": seeds, "scribbles": scribbles}
        else:
            options["network"] = chosen_network(ask, networks)
        return scanline_value(photo, workshop.engine.teach(scanline, photo, **options))

    strokes = [shared.pad, shared.pad_method] if shared.pad else []
    wire(screen, workshop, panel, compute, own=strokes, is_about_own=is_about_strokes)
    return screen


def brush_labels(method: Method) -> LabelSet:
    """Names and colours of the seeds that the pad draws for a method."""
    brushes = brushes_of(method)
    palette = np.array([list(bytes.fromhex(brush["colour"].lstrip("#"))) for brush in brushes], np.uint8)
    return LabelSet("brushes", tuple(brush["name"].lower() for brush in brushes), palette)


def scanline_value(photo: np.ndarray, lesson: Scanline) -> dict[str, Any]:
    """Everything the page shows of the lesson, as JSON-serialisable values.

    Labels are shifted by one, 0 = none of them. Marginals are whole numbers of 1/255, one plane per label.
    """
    r, g, b = (lesson.image[..., c].astype(np.uint32) for c in range(3))
    return {
        "state": "result",
        "photo": picture(photo, lesson.image.shape[:2]),
        "colours": pack(r << 16 | g << 8 | b),
        "names": list(lesson.names),
        "palette": hexes(np.where(lesson.palette.any(1, keepdims=True), lesson.palette, PALE)),
        "looks": hexes(lesson.looks),
        "given": pack(lesson.given + 1),
        "grid": pack(lesson.grid + 1),
        "models": [model_value(model) for model in lesson.models],
    }


def model_value(model: ChainOnPhoto) -> dict[str, Any]:
    """One model: its transitions, and labels, marginals and log Z of every line."""
    return {
        "transition": rounded(model.transition, 3),
        "contrast": model.contrast,
        "labels": pack(model.labels + 1),
        "marginals": planes(model.marginals.transpose(2, 0, 1)),
        "likeliest": pack(model.marginals.argmax(-1).astype(np.uint8) + 1),
        "log_z": rounded(model.log_z, 7),
        "agreement": model.agreement,
    }
