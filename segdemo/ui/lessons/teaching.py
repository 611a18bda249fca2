"""What all lessons on the page share: questions read with care, the call through the engine, answers or errors in words."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from typing import Any

import gradio as gr
import numpy as np

from ...errors import Cancelled, ScribbleError, SegdemoError
from ..cards import ENGINE
from ..photo import PhotoPanel
from ..scribble_pad import MAX_LABEL, labels_drawn, seeds_on, strokes_of
from ..waiting import is_overtaken
from ..workshop import Workshop, key_of, photo_of

log = logging.getLogger("segdemo")
OTHER_BRUSHES = "This lesson cuts between two labels, those of the first two brushes, and neither of them has a stroke on the photo: draw one with each."
TWO_BRUSHES = "Two labels only: the first brush is the object, the second the background; strokes of other brushes are left out here."
FAILED = "This lesson failed unexpectedly; the details are in the server's log. The methods still run."
QUESTION = "question"
"""The name under which a lesson's question is gathered with controls: an answer that comes meanwhile cannot take its place."""
WIRING = dict(concurrency_id=ENGINE, api_visibility="private", show_progress="hidden", trigger_mode="multiple")
"""Every question is sent: of "always_last" the last would carry what the answer before it left in the lesson's value."""


def answered(screen: gr.HTML, request: gr.Request, value: Any, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The answer to the question in a lesson's ``value``; nothing is computed where a later one waits already.

    The question's number travels with it: the page shows only the answer to its last one.
    """
    overtaken = is_overtaken(screen, request.session_hash)
    return ({"state": "overtaken"} if overtaken else in_words(compute)) | {"turn": asked(value).get("turn")}


def in_words(compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What ``compute`` returns, or the value that says what went wrong and leaves the lesson as it is."""
    try:
        return compute()
    except Cancelled:
        message = "Stopped."
    except SegdemoError as error:
        message = str(error)
    except Exception:
        log.exception("a lesson failed")
        message = FAILED
    return {"state": "error", "message": message}


def taught(
    workshop: Workshop, lesson: Callable, params: Callable[[np.ndarray], dict], show: Callable[[np.ndarray, Any], dict],
    path: str | None, request: gr.Request, strokes: dict | None = None,
) -> dict[str, Any]:  # fmt: skip
    """What ``show(photo, result)`` makes of the result of a lesson on the visitor's photo.

    Args:
        lesson: run by ``Engine.teach``.
        params: of the photo (H, W, 3), what to give ``Engine.teach`` and the lesson.
        path: the visitor's photo, or None.
        strokes: for lessons on seeds, the value of the scribble pad, with the two kinds that the binary methods know.
    """
    is_cancelled = workshop.visits.begin(request)  # first: a Stop while a large photo is decoded counts
    photo = photo_of(path)
    given = params(photo)

    def teach(**seeds: np.ndarray) -> dict:
        return show(photo, workshop.engine.teach(lesson, photo, is_cancelled=is_cancelled, **seeds, **given))

    if strokes is None:
        settings = json.dumps({name: value for name, value in given.items() if name != "on_step"}, sort_keys=True)
        return workshop.remembered((lesson.__module__, lesson.__name__, key_of(path), settings), teach)
    seeds = seeds_on(key_of(path), strokes, photo.shape[:2], labels=2)
    if not seeds.any() and strokes_of(strokes):
        raise ScribbleError(OTHER_BRUSHES)
    shown = teach(scribbles=seeds)
    if len(labels_drawn(strokes, MAX_LABEL)) > len(labels_drawn(strokes, 2)):
        shown["message"] = TWO_BRUSHES
    return shown


def asked(value: Any) -> dict[str, Any]:
    """The question in a lesson's value, or an empty one."""
    ask = value.get("ask") if isinstance(value, dict) else None
    return ask if isinstance(ask, dict) else {}


def number(ask: dict[str, Any], name: str, default: float | None) -> float | None:
    """A finite number of the question, or the default."""
    given = ask.get(name)
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not math.isfinite(given):
        return default
    return given


def integer(ask: dict[str, Any], name: str, default: int) -> int:
    return int(number(ask, name, default))


def pairs(ask: dict[str, Any], name: str, most: int) -> list[tuple[float, float]]:
    """At most ``most`` pairs of finite numbers under ``name``; what is no such pair is left out."""
    given = ask.get(name)
    rows = [row for row in given if isinstance(row, (list, tuple)) and len(row) == 2] if isinstance(given, list) else []
    found = [(number({"x": x}, "x", math.nan), number({"y": y}, "y", math.nan)) for x, y in rows[: most + 1]]
    return [pair for pair in found if all(map(math.isfinite, pair))]


def empty_with(panel: PhotoPanel, lesson: gr.HTML) -> None:
    """Empty the lesson when another photo is chosen: what it shows belongs to the old one.

    In the browser: the server's word could come after the first answer about the new photo, and take that away.
    """
    script = "() => ({ state: 'empty' })"
    panel.file.change(None, None, lesson, js=script, api_visibility="private", show_progress="hidden")
