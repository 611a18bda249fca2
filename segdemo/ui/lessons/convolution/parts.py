"""What the lessons on convolutions share on the server's side: placing them on the page."""

from __future__ import annotations

import gradio as gr

from ...assets import beside
from ..clustering.parts import lesson_html, script

SCRIPTS = (
    "../../viewer/pixels.js",
    "../clustering/common.js",
    "atrous.js",
    "upsampling.js",
    "patches.js",
    "pixel_lesson.js",
    "branches.js",
    "loss.js",
    "mount.js",
)

source = beside(__file__)


def board(name: str, **texts: str) -> gr.HTML:
    """The lesson ``name`` (of ``name.html``) with nothing computed yet; ``texts`` replace places like ``<!-- networks -->``."""
    template = source(f"{name}.html")
    for place, text in texts.items():
        template = template.replace(f"<!-- {place} -->", text)
    return lesson_html(name, template, "segdemoConvolution", script(source, SCRIPTS), source("convolution.css"))
