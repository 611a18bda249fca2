"""The lesson "from a grid to superpixels": from ``segdemo.lessons.slic_steps`` to what its page part reads."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np

from ....lessons.slic_steps import SlicSteps, slic_steps
from ...photo import PhotoPanel
from ...viewer.payload import pack
from ...workshop import Workshop
from ..teaching import integer, number
from .parts import photo_lesson, picture, rounded

WORKING_SIZE = 320


def slic_lesson(workshop: Workshop, panel: PhotoPanel) -> gr.HTML:
    """Place the lesson and wire it."""
    return photo_lesson("slic", workshop, panel, slic_steps, read_ask, slic_value, WORKING_SIZE)


def read_ask(ask: dict[str, Any]) -> dict[str, Any]:
    """The page's question as parameters of ``slic_steps``."""
    return {
        "superpixels": integer(ask, "superpixels", 100),
        "compactness": number(ask, "compactness", 10.0),
        "adaptive": ask.get("adaptive") is True,
    }


def slic_value(photo: np.ndarray, steps: SlicSteps) -> dict[str, Any]:
    """Everything the page shows of the lesson, as JSON-serialisable values.

    Frames: the seeds, each round, and the connected superpixels, which have no centres. Places are (row, column). The
    seeds are shown with the m_c that the first round starts with.
    """
    rounds = [frame(r.labels, r.searched, r.centres, r.compactness) for r in steps.rounds]
    first = steps.rounds[0].compactness
    none = np.empty((0, 2))
    return {
        "state": "result",
        "photo": picture(photo, steps.image.shape[:2]),
        "shape": list(steps.cells.shape),
        "spacing": float(steps.spacing),
        "superpixels": int(steps.superpixels.max()) + 1,
        "frames": [frame(steps.cells, steps.seeds, steps.seeds, first), *rounds, frame(steps.superpixels, none, none)],
        "objectives": [r.objective for r in steps.rounds],
        "movements": [r.movement for r in steps.rounds],
    }


def frame(
    labels: np.ndarray, searched: np.ndarray, centres: np.ndarray, compactness: np.ndarray | None = None
) -> dict[str, Any]:
    return {
        "labels": pack(labels),
        "searched": searched.round(2).tolist(),
        "centres": centres.round(2).tolist(),
        "compactness": None if compactness is None else rounded(compactness, 4),
    }
