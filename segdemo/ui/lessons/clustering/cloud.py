"""The lesson "k-means step by step": from ``segdemo.lessons.colour_cloud`` to what its page part reads."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np

from ....lessons.colour_cloud import MOST_CLUSTERS, ColourCloud, colour_cloud
from ...photo import PhotoPanel
from ...viewer.payload import pack
from ...workshop import Workshop
from ..teaching import integer, pairs
from .parts import HUES, hexes, photo_lesson, picture, rounded

WORKING_SIZE = 256


def cloud_lesson(workshop: Workshop, panel: PhotoPanel) -> gr.HTML:
    """Place the lesson and wire it."""
    return photo_lesson("cloud", workshop, panel, colour_cloud, read_ask, cloud_value, WORKING_SIZE)


def read_ask(ask: dict[str, Any]) -> dict[str, Any]:
    """The page's question as parameters of ``colour_cloud``."""
    return {
        "clusters": integer(ask, "clusters", 5),
        "colour_space": str(ask.get("space", "Lab")),
        "seed": abs(integer(ask, "seed", 0)),
        "places": pairs(ask, "places", MOST_CLUSTERS),
    }


def cloud_value(photo: np.ndarray, cloud: ColourCloud) -> dict[str, Any]:
    """Everything the page shows of the lesson, as JSON-serialisable values."""
    return {
        "state": "result",
        "photo": picture(photo, cloud.image.shape[:2]),
        "space": cloud.colour_space,
        "hues": HUES,
        "settled": cloud.has_settled,
        "pixels": cloud.pixels.tolist(),
        "positions": rounded(cloud.positions, 4),
        "steps": [
            {
                "number": step.number,
                "labels": pack(step.labels),
                "centres": rounded(step.centres),
                "objective": step.objective,
                "palette": hexes(step.palette),
            }
            for step in cloud.steps
        ],
    }
