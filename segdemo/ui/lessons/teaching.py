"""What lessons on the page share: the call through the engine, and errors in words."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import gradio as gr
import numpy as np

from ...errors import Cancelled, SegdemoError
from ...image import content_key, load_image
from ..photo import PhotoPanel
from ..scribble_pad import seeds_on
from ..workshop import Workshop

log = logging.getLogger("segdemo")
FAILED = "This lesson failed unexpectedly; the details are in the server's log. The methods still run."


def taught(
    workshop: Workshop, lesson: Callable, params: Callable[[np.ndarray], dict], show: Callable[[np.ndarray, Any], dict],
    path: str | None, strokes: dict | None, request: gr.Request,
) -> dict[str, Any]:  # fmt: skip
    """What ``show(photo, result)`` makes of a lesson's result, or ``{"state": "error", "message": ...}``.

    Args:
        lesson: run by ``Engine.teach`` with the two kinds of seed that the binary methods know.
        params: of the photo (H, W, 3), what to give ``Engine.teach`` and the lesson.
        path: the visitor's photo, or None.
        strokes: the value of the scribble pad.
    """
    if not path:
        return failed("Choose a photo first: upload one, paste one, take one, or click an example.")
    try:
        photo = load_image(path)
        seeds = seeds_on(content_key(photo), strokes, photo.shape[:2], labels=2)
        is_cancelled = workshop.visits.begin(request)
        found = workshop.engine.teach(lesson, photo, scribbles=seeds, is_cancelled=is_cancelled, **params(photo))
        return show(photo, found)
    except Cancelled:
        return failed("Stopped.")
    except SegdemoError as error:
        return failed(str(error))
    except Exception:
        log.exception("a lesson failed")
        return failed(FAILED)


def turn_of(value: Any) -> dict[str, Any]:
    """The number of the page's question, to travel with the answer: the page shows only the answer to its last one."""
    return {"turn": value.get("turn") if isinstance(value, dict) else None}


def failed(message: str) -> dict[str, Any]:
    """The value that shows ``message`` and leaves what is there as it is."""
    return {"state": "error", "message": message}


def empty_with(panel: PhotoPanel, lesson: gr.HTML) -> None:
    """Empty the lesson when another photo is chosen: what it shows belongs to the old one."""
    panel.path.change(lambda: {"state": "empty"}, None, lesson, api_visibility="private", show_progress="hidden")
