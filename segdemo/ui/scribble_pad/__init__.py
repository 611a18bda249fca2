"""The scribble pad: a ``gr.HTML`` on which a visitor draws seeds on the photo.

Its value is ``{"key": ..., "strokes": [...]}`` as JSON. A stroke is ``{"label", "size", "points"}``: a line
in photo coordinates (0..1), label 0 erasing; it travels as some hundred bytes, whatever the size of
the photo. A box, ``{"label", "box": [left, top, right, bottom]}``, is a stroke over all that lies outside of it;
a label map that was loaded from a file is one stroke too: ``{"width", "height", "runs"}``.
``rasterize`` turns them into a seed map.

The brushes come from the method: a method's file may offer ``BRUSHES``, (name, colour) pairs or a ``LabelSet``
for the labels 1, 2, ...; without it a method has two, object and background. The strokes stay when the
method changes; labels that it does not know are drawn faintly and left out of the seeds, and the pad says so.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import gradio as gr
import numpy as np

from ...errors import SegdemoError
from ...image import content_key, fit
from ...labels import LabelSet
from ...method import Method
from ..assets import beside
from ..viewer.payload import photo_url
from .files import read_map, seed_png
from .seeds import MAX_LABEL, labels_drawn, rasterize, seeds_on, strokes_of

__all__ = [
    "BINARY_BRUSHES",
    "MAX_LABEL",
    "brushes_of",
    "labels_drawn",
    "method_update",
    "photo_update",
    "rasterize",
    "read_map",
    "scribble_pad",
    "seed_png",
    "seeds_on",
    "strokes_of",
]

BINARY_BRUSHES = (("Object", "#ffb000"), ("Background", "#2f7bff"))
_SCRIPTS = ("history.js", "store.js", "files.js", "view.js", "paint.js", "keys.js", "pad.js")


_source = beside(__file__)


@cache
def _head() -> str:
    code = "\n".join(_source(name) for name in _SCRIPTS)
    return f"<script>(() => {{\n{code}\n}})();</script>"


def brushes_of(method: Method) -> list[dict[str, Any]]:
    """The brushes of a method, ``{"label", "name", "colour"}`` each, colour ``"#rrggbb"``; labels count from 1."""
    offered = getattr(sys.modules[method.function.__module__], "BRUSHES", BINARY_BRUSHES)
    pairs = zip(offered.names, offered.palette) if isinstance(offered, LabelSet) else offered
    return [{"label": k, "name": name, "colour": _hex(colour)} for k, (name, colour) in enumerate(pairs, 1)]


def _hex(colour: str | Sequence[int]) -> str:
    return colour if isinstance(colour, str) else "#{:02x}{:02x}{:02x}".format(*map(int, colour))


def scribble_pad(family: list[Method], **options: Any) -> gr.HTML:
    """A pad for the methods of ``family``, placed where it is called; it begins with the brushes of the first.

    Return ``photo_update`` or ``method_update`` from a handler to give it a photo or another method's brushes.
    """
    brushes = {m.name: {"title": m.title, "brushes": brushes_of(m)} for m in family}
    return gr.HTML(
        json.dumps({"key": "", "strokes": []}),
        html_template=_source("pad.html"),
        css_template=_source("pad.css"),
        # The brushes travel in the script: props set here are lost when a tab not yet opened is updated.
        js_on_load=f"segdemoScribblePad.mount(element, props, watch, trigger, server, {json.dumps(brushes)});",
        head=_head(),
        apply_default_css=False,
        server_functions=[save_map, load_map],
        photo={},
        method=family[0].name,
        **options,
    )


def photo_update(photo: np.ndarray | None, display_size: int = 1024) -> Any:
    """The update that lays ``photo`` (H, W, 3) uint8 on the pad, or empties it."""
    if photo is None:
        return gr.update(photo={})
    size = fit(photo, display_size).shape[:2]
    height, width = photo.shape[:2]
    key = content_key(photo)
    return gr.update(photo={"url": photo_url(photo, size), "key": key, "width": width, "height": height})


def method_update(name: str) -> Any:
    """The update that gives the pad the brushes of the method ``name``."""
    return gr.update(method=name)


def save_map(request: dict[str, Any]) -> dict[str, str]:
    """For the page: ``{"value", "width", "height", "colours"}`` to ``{"png": base64}`` or ``{"error": text}``.

    Made here and not in the browser, so that the file holds exactly the seeds that a method is given.
    """
    try:
        size = int(request["height"]), int(request["width"])
        return {"png": seed_png(request["value"], size, request["colours"])}
    except SegdemoError as error:
        return {"error": str(error)}


def load_map(request: dict[str, Any]) -> dict[str, Any]:
    """For the page: ``{"file": base64, "width", "height"}`` to a stroke of runs or ``{"error": text}``."""
    try:
        return read_map(request["file"], (int(request["height"]), int(request["width"])))
    except SegdemoError as error:
        return {"error": str(error)}
