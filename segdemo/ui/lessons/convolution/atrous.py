"""The lesson on atrous convolution: from ``segdemo.lessons.atrous`` to what its page part reads."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np

from ....lessons.atrous import KERNELS, RATES, AtrousLesson, atrous
from ...photo import PhotoPanel
from ...viewer.payload import pack
from ...workshop import Workshop
from ..clustering.parts import ask_photo
from ..teaching import integer
from .parts import board

WORKING_SIZE = 160
"""Coarse, so that taps two pixels apart are seen apart."""

LEAST = 1e-3
"""Responses below it are rounding, of greys from 0 to 1."""

LEVELS = 65535
"""Responses are sent in so many steps from minus to plus the largest."""


def atrous_lesson(workshop: Workshop, panel: PhotoPanel) -> gr.HTML:
    """Place the lesson and wire it."""
    screen = board("atrous", kernels=choices({name: title for name, (title, _) in KERNELS.items()}), rates=rates())
    ask_photo(screen, workshop, panel, atrous, read_ask, atrous_value, WORKING_SIZE)
    return screen


def choices(titles: dict[str, str]) -> str:
    return "".join(f'<option value="{name}">{title}</option>' for name, title in titles.items())


def rates() -> str:
    return "".join(f"<option{' selected' * (rate == 4)}>{rate}</option>" for rate in RATES)


def read_ask(ask: dict[str, Any]) -> dict[str, Any]:
    """The page's question as parameters of ``atrous``."""
    return {"kernel": str(ask.get("kernel", "down")), "rate": integer(ask, "rate", 4)}


def atrous_value(photo: np.ndarray, lesson: AtrousLesson) -> dict[str, Any]:
    """Everything the page shows of the lesson, as JSON-serialisable values."""
    top = max(float(np.abs(lesson.plain).max()), float(np.abs(lesson.dense).max()), LEAST)
    signed = lambda response: pack(((0.5 + 0.5 * response / top) * LEVELS).round().astype(np.uint16))  # noqa: E731
    return {
        "state": "result",
        "rate": lesson.rate,
        "weights": [list(row) for row in KERNELS[lesson.kernel][1]],
        "top": top,
        "levels": LEVELS,
        "image": pack((lesson.image * LEVELS).round().astype(np.uint16)),
        "plain": signed(lesson.plain),
        "sparse": signed(lesson.sparse),
        "dense": signed(lesson.dense),
    }
