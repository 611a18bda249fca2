"""What the clustering lessons share on the server's side: placing, sending arrays."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import cv2
import gradio as gr
import numpy as np

from ....image import fit
from ...assets import beside
from ...photo import PhotoPanel
from ...viewer.payload import photo_url
from ...workshop import Workshop
from ..teaching import WIRING, answered, asked, taught

SCRIPTS = (
    "../../viewer/pixels.js", "common.js", "cloud_view.js", "cloud.js", "spectrum.js", "tree.js", "toy.js", "slic.js",
    "elbow.js", "mount.js",
)  # fmt: skip
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
    """Place the clustering lesson ``name`` on the visitor's photo; the rest is as for ``ask_photo``."""
    screen = board(name)
    ask_photo(screen, workshop, panel, lesson, read, show, working_size)
    return screen


def ask_photo(
    screen: gr.HTML, workshop: Workshop, panel: PhotoPanel, lesson: Callable, read: Callable[[dict], dict[str, Any]],
    show: Callable[[np.ndarray, Any], dict], working_size: int,
) -> None:  # fmt: skip
    """Answer the questions of ``screen``: each is ``read`` into parameters of ``lesson``, its result made a value by ``show``."""

    def answer(request: gr.Request, value, path):
        def compute() -> dict[str, Any]:
            params = {"working_size": working_size} | read(asked(value))
            return taught(workshop, lesson, lambda photo: params, show, path, request)

        return answered(screen, request, value, compute)

    screen.input(answer, [screen, panel.path], screen, **WIRING)


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
