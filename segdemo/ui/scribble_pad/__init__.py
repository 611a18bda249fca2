"""The scribble pad: a ``gr.HTML`` on which a visitor draws seeds on the photo.

Its value is ``{"key": ..., "strokes": [{"label", "size", "points"}]}``: lines in photo
coordinates (0..1), label 0 erasing. ``rasterize`` turns them into a seed map. A stroke
travels as some hundred bytes, whatever the size of the photo.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np

from ...errors import ScribbleError
from ...image import content_key, fit
from ..viewer.payload import photo_url

BRUSHES = [
    {"label": 1, "name": "Object", "colour": "#ffb000"},
    {"label": 2, "name": "Background", "colour": "#2f7bff"},
]
MAX_POINTS = 200_000


@cache
def _source(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def scribble_pad(**options: Any) -> gr.HTML:
    """A pad, placed where it is called; give it a photo by returning ``photo_update`` from a handler."""
    return gr.HTML(
        {"key": "", "strokes": []},
        html_template=_source("pad.html"),
        css_template=_source("pad.css"),
        # The brushes travel in the script: props set here are lost when a tab not yet opened is updated.
        js_on_load=f"segdemoScribblePad.mount(element, props, watch, trigger, {json.dumps(BRUSHES)});",
        head=f"<script>(() => {{\n{_source('pad.js')}\n}})();</script>",
        apply_default_css=False,
        photo={},
        **options,
    )


def photo_update(photo: np.ndarray | None, display_size: int = 1024) -> Any:
    """The update that lays ``photo`` (H, W, 3) uint8 on the pad, or empties it."""
    if photo is None:
        return gr.update(photo={})
    size = fit(photo, display_size).shape[:2]
    return gr.update(photo={"url": photo_url(photo, size), "key": content_key(photo)})


def rasterize(value: Any, size: tuple[int, int]) -> np.ndarray:
    """The pad's strokes as an (H, W) uint8 seed map, 0 = none; later strokes lie over earlier ones.

    Raises ``ScribbleError`` if ``value`` is not what the pad sends.
    """
    height, width = size
    seeds = np.zeros(size, np.uint8)
    try:
        strokes = value["strokes"] if value else []
        if sum(len(stroke["points"]) for stroke in strokes) > MAX_POINTS:
            raise ScribbleError("These are more strokes than the pad can hold; press Clear and draw fewer.")
        for stroke in strokes:
            points = np.asarray(stroke["points"], float).reshape(-1, 2) * (width, height) - 0.5
            points = np.clip(points, -(2**15), 2**15).round().astype(np.int32)
            thickness = int(np.clip(round(float(stroke["size"]) * max(size)), 1, 2000))
            label = int(stroke["label"])
            if not 0 <= label <= len(BRUSHES):
                raise ValueError(label)
            cv2.polylines(seeds, [np.vstack([points, points[-1:]])], False, label, thickness)  # a dot is a line too
    except (KeyError, TypeError, ValueError) as error:
        raise ScribbleError(f"The scribbles could not be read ({error}); press Clear and draw them again.") from None
    return seeds
