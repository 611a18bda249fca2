"""The lesson "the elbow": from ``segdemo.lessons.colour_cloud.elbow`` to what its page part reads."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np

from ....lessons.colour_cloud import Elbow, elbow
from ...photo import PhotoPanel
from ...viewer.payload import pack
from ...workshop import Workshop
from .parts import hexes, photo_lesson

WORKING_SIZE = 160


def elbow_lesson(workshop: Workshop, panel: PhotoPanel) -> gr.HTML:
    """Place the lesson and wire it."""
    return photo_lesson("elbow", workshop, panel, elbow, read_ask, elbow_value, WORKING_SIZE)


def read_ask(ask: dict[str, Any]) -> dict[str, Any]:
    """The page's question as parameters of ``elbow``."""
    return {"colour_space": str(ask.get("space", "Lab"))}


def elbow_value(photo: np.ndarray, found: Elbow) -> dict[str, Any]:
    """Everything the page shows of the lesson, as JSON-serialisable values."""
    solutions = zip(found.labels, found.palettes, found.objectives)
    return {
        "state": "result",
        "space": found.colour_space,
        "suggested": found.suggested,
        "solutions": [
            {"labels": pack(labels), "palette": hexes(palette), "objective": objective}
            for labels, palette, objective in solutions
        ],
    }
