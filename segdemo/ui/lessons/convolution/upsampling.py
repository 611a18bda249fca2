"""The lesson on the ways back up: from ``segdemo.lessons.upsampling`` to what its page part reads."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np

from ....lessons.upsampling import UpsamplingLesson, upsampling
from ...photo import PhotoPanel
from ...viewer.payload import pack
from ...workshop import Workshop
from ..clustering.parts import ask_photo
from ..teaching import integer
from .parts import board

WORKING_SIZE = 256
"""Small enough to be drawn with every pixel alike, as many of the screen's to each."""


def upsampling_lesson(workshop: Workshop, panel: PhotoPanel) -> gr.HTML:
    """Place the lesson and wire it."""
    screen = board("upsampling")
    ask_photo(screen, workshop, panel, upsampling, read_ask, upsampling_value, WORKING_SIZE)
    return screen


def read_ask(ask: dict[str, Any]) -> dict[str, Any]:
    """The page's question as parameters of ``upsampling``."""
    return {"poolings": integer(ask, "poolings", 2)}


def upsampling_value(photo: np.ndarray, lesson: UpsamplingLesson) -> dict[str, Any]:
    """Everything the page shows of the lesson, as JSON-serialisable values."""
    return {
        "state": "result",
        "poolings": len(lesson.pooled),
        "image": pack(lesson.image),
        "pooled": pack(lesson.pooled[0]),
        "places": pack(lesson.places[0]),
        "raised": {how: pack(picture) for how, picture in lesson.raised.items()},
        "filled": {how: pack(picture) for how, picture in lesson.filled.items()},
    }
