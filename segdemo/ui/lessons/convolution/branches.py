"""The lesson on branches: from ``segdemo.lessons.branches`` to what its page part reads."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np

from ....labels import VOC21
from ....lessons.branches import HAVE_BRANCHES, BranchesLesson, branches
from ....method import Method
from ...photo import PhotoPanel
from ...viewer.payload import pack
from ...workshop import Workshop
from ..clustering.parts import ask_photo, hexes, picture
from ..crf.parts import chosen_network, options, planes
from .parts import board

PREFERRED = "fcn-8s"
LEVELS = 8190
"""Scores are sent in so many steps from minus to plus the largest: even, so that 0 is one of them."""


def branches_lesson(workshop: Workshop, panel: PhotoPanel, networks: list[Method]) -> gr.HTML:
    """Place the lesson and wire it; of ``networks`` it offers those that have branches."""
    able = [m for m in networks if m.name in HAVE_BRANCHES]
    screen = board("branches", networks=options(able, PREFERRED))
    read_ask = lambda ask: {"network": chosen_network(ask, able)}  # noqa: E731
    ask_photo(screen, workshop, panel, branches, read_ask, branches_value, 512)
    return screen


def branches_value(photo: np.ndarray, lesson: BranchesLesson) -> dict[str, Any]:
    """Everything the page shows of the lesson, as JSON-serialisable values: B branches, then the whole network."""
    scores = np.concatenate([lesson.parts, lesson.whole[None]])  # (B + 1, C, h, w)
    top = max(float(np.abs(scores).max()), 1e-6)
    ways = {"running": lesson.running, "alone": lesson.alone, "without": lesson.without}
    return {
        "state": "result",
        "photo": picture(photo, lesson.labels.shape),
        "network": lesson.network,
        "isSum": lesson.is_sum,
        "titles": lesson.titles,
        "classes": lesson.classes,
        "names": list(VOC21.names),
        "palette": hexes(VOC21.palette),
        "scores": planes((0.5 + 0.5 * scores / top).reshape(-1, *scores.shape[2:]), LEVELS),
        "levels": LEVELS,
        "top": top,
        "labels": pack(lesson.labels),
        "ways": {name: pack(np.concatenate(maps)) for name, maps in ways.items() if maps is not None},
    }
