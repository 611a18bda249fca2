"""The lesson on patches and on what convolutions cost: from ``segdemo.lessons.patches`` to what its page part reads."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np

from ....labels import VOC21
from ....lessons.patches import SIDES, STEPS, PatchesLesson, patch_by_patch
from ....method import Method
from ...photo import PhotoPanel
from ...viewer.payload import pack
from ...workshop import Workshop
from ..clustering.parts import ask_photo, hexes, picture
from ..crf.parts import chosen_network, options
from ..teaching import integer
from .parts import board

PREFERRED = "fcn-8s"


def patches_lesson(workshop: Workshop, panel: PhotoPanel, networks: list[Method]) -> gr.HTML:
    """Place the lesson and wire it."""
    numbers = {"sides": (SIDES, 128), "steps": (STEPS, 32)}
    texts = {
        place: "".join(f"<option{' selected' * (n == chosen)}>{n}</option>" for n in known)
        for place, (known, chosen) in numbers.items()
    }
    screen = board("patches", networks=options(networks, PREFERRED), **texts)

    def read_ask(ask: dict[str, Any]) -> dict[str, Any]:
        whole = {name: integer(ask, name, default) for name, default in (("side", 128), ("step", 32))}
        return {"network": chosen_network(ask, networks)} | whole

    ask_photo(screen, workshop, panel, patch_by_patch, read_ask, patches_value, 512)
    return screen


def patches_value(photo: np.ndarray, lesson: PatchesLesson) -> dict[str, Any]:
    """Everything the page shows of the lesson, as JSON-serialisable values."""
    found = sorted({*np.unique(lesson.patched).tolist(), *np.unique(lesson.whole).tolist()})
    return {
        "state": "result",
        "photo": picture(photo, lesson.whole.shape),
        "side": lesson.side,
        "step": lesson.step,
        "patched": pack(lesson.patched),
        "whole": pack(lesson.whole),
        "palette": hexes(VOC21.palette),
        "names": list(VOC21.names),
        "found": found,
        "count": lesson.count,
        "seconds": [lesson.whole_seconds, lesson.patch_seconds],
        "work": [lesson.whole_work, lesson.patch_work],
    }
