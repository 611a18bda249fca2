"""What the clustering lessons share on the server's side: placing, reading questions, sending arrays."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from functools import cache
from typing import Any

import cv2
import gradio as gr
import numpy as np

from ....errors import Cancelled, SegdemoError
from ....image import fit, load_image
from ...assets import beside
from ...cards import ENGINE
from ...photo import PhotoPanel
from ...viewer.payload import photo_url
from ...waiting import is_overtaken
from ...workshop import Workshop
from ..teaching import FAILED

log = logging.getLogger("segdemo")
SCRIPTS = (
    "../../viewer/pixels.js", "common.js", "cloud_view.js", "cloud.js", "spectrum.js", "tree.js", "toy.js", "slic.js",
    "elbow.js", "mount.js",
)  # fmt: skip
NO_PHOTO = "Choose a photo first: upload one, paste one, take one, or click an example."
PICTURE_SIDE = 720
"""Long side, in pixels, of the photo behind a lesson."""
HUES = (
    "#2f7bff", "#e8590c", "#0a9d6c", "#b02fc4", "#c99700", "#12a5c9", "#e0245e", "#7a5c3e", "#5b53d6", "#6c8f1a",
    "#7c8596", "#ef6fa0",
)  # fmt: skip
"""Colours of clusters, each to be told from the others and seen on a light and on a dark page."""


_source = beside(__file__)


@cache
def script(source: Callable[[str], str], names: tuple[str, ...]) -> str:
    """One script element of the files ``names``; the same text is put on the page once, however often it is asked for."""
    code = "\n".join(source(name) for name in names)
    return f"<script>(() => {{\n{code}\n}})();</script>"


def board(name: str) -> gr.HTML:
    """The lesson ``name`` (of ``name.html``) with nothing computed yet."""
    return lesson_html(name, _source(f"{name}.html"), "segdemoClustering", script(_source, SCRIPTS))


def lesson_html(name: str, template: str, owner: str, head: str, further_css: str = "") -> gr.HTML:
    """A lesson with nothing computed yet; ``owner`` is the global of the script ``head`` that mounts it by its name."""
    return gr.HTML(
        {"state": "empty"},
        html_template=template,
        css_template=_source("lessons.css") + further_css,
        js_on_load=f"{owner}.mount('{name}', element.querySelector('.cl'), props, watch, trigger);",
        head=head,
        apply_default_css=False,
        elem_id=f"lesson-{name}",
    )


def photo_lesson(
    name: str, workshop: Workshop, panel: PhotoPanel, lesson: Callable, read: Callable[[dict], dict[str, Any]],
    show: Callable[[np.ndarray, Any], dict], working_size: int,
) -> gr.HTML:  # fmt: skip
    """Place a lesson on the visitor's photo: a question is ``read`` into parameters, its result made a value by ``show``."""
    screen = board(name)

    def answer(request: gr.Request, value, path):
        def compute() -> dict[str, Any]:
            if not path:
                raise SegdemoError(NO_PHOTO)
            photo, is_cancelled = load_image(path), workshop.visits.begin(request)
            options = {"working_size": working_size, "is_cancelled": is_cancelled, **read(asked(value))}
            return show(photo, workshop.engine.teach(lesson, photo, **options))

        return answered(screen, request, value, compute)

    screen.input(answer, [screen, panel.path], screen, **WIRING)
    return screen


def answered(screen: gr.HTML, request: gr.Request, value: Any, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The answer to the question in a lesson's ``value``; nothing is computed where a later one waits already."""
    overtaken = is_overtaken(screen, request.session_hash)
    return ({"state": "overtaken"} if overtaken else in_words(compute)) | turn_of(value)


def in_words(compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What ``compute`` returns, or the value that says what went wrong and leaves the lesson as it is."""
    try:
        return compute()
    except Cancelled:
        return {"state": "error", "message": "Stopped."}
    except SegdemoError as error:
        return {"state": "error", "message": str(error)}
    except Exception:
        log.exception("a lesson failed")
        return {"state": "error", "message": FAILED}


def turn_of(value: Any) -> dict[str, Any]:
    """The number of the question, which travels with the answer: the page shows only the answer to its last one."""
    return {"turn": asked(value).get("turn")}


WIRING = dict(concurrency_id=ENGINE, api_visibility="private", show_progress="hidden", trigger_mode="multiple")
"""Every question is sent: of "always_last" the last would carry what the answer before it left in the lesson's value."""


def asked(value: Any) -> dict[str, Any]:
    """The question in a lesson's value, or an empty one."""
    ask = value.get("ask") if isinstance(value, dict) else None
    return ask if isinstance(ask, dict) else {}


def number(ask: dict[str, Any], name: str, default: float) -> float:
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


def picture(photo: np.ndarray, shape: tuple[int, int]) -> str:
    """The photo as a data address, its sides in the proportion of ``shape`` = (h, w) at working size."""
    image = fit(photo, PICTURE_SIDE)
    if max(image.shape[:2]) < max(shape):
        return photo_url(cv2.resize(photo, shape[::-1], interpolation=cv2.INTER_LINEAR), shape)
    return photo_url(image, image.shape[:2])


def hexes(palette: np.ndarray) -> list[str]:
    return ["#{:02x}{:02x}{:02x}".format(*map(int, colour)) for colour in palette]


def rounded(values: np.ndarray, digits: int = 5) -> list:
    """The array as nested lists of numbers with so many significant digits."""
    return np.vectorize(lambda value: float(f"{value:.{digits}g}"), otypes=[float])(values).tolist()
