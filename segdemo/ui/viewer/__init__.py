"""The mask viewer that every tab uses: a ``gr.HTML`` that shows one result and its replay.

Python sends one JSON value (``viewer_value``); the browser does all the rest, with no
further call to the server: opacity, outlines, legend, zoom, reading of pixels, replay.
Nothing is loaded from elsewhere, and ``launch()`` needs no css, js or head for it.

    with gr.Blocks() as page:
        left = viewer(group="compare", label="k-means")
        right = viewer(group="compare", label="graph cut")
        button.click(run, photo, [left, right])      # run returns two values of ``viewer_value``
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import gradio as gr

from ..assets import beside
from .payload import as_text, empty_value, error_value, viewer_value

__all__ = ["as_text", "empty_value", "error_value", "viewer", "viewer_value"]

_SCRIPTS = ("pixels.js", "text.js", "mask.js", "stage.js", "legend.js", "replay.js", "viewer.js")


_source = beside(__file__)


@cache
def _head() -> str:
    """One script element; gr.HTML puts it on the page once, however many viewers there are."""
    code = "\n".join(_source(name) for name in _SCRIPTS)
    return f"<script>(() => {{\n{code}\n}})();</script>"


def viewer(
    group: str = "", label: str = "Segmentation", value: dict[str, Any] | None = None, **options: Any
) -> gr.HTML:
    """A mask viewer, placed where it is called like any Gradio component.

    Args:
        group: viewers of the same group pan, zoom, hover and pin together.
        label: what a screen reader calls this viewer.
        value: of ``viewer_value``, ``error_value`` or ``empty_value``; event handlers return the same.
        options: passed on to ``gr.HTML`` (``elem_id``, ``visible``, ...).
    """
    # A function and not a subclass of gr.HTML: for a subclass Gradio writes a .pyi file beside this one.
    return gr.HTML(
        empty_value() if value is None else value,
        html_template=_source("viewer.html"),
        css_template=_source("viewer.css"),
        # In the script and not as props, which are lost when a viewer in a tab not yet opened is updated.
        js_on_load=f"segdemoViewer.mount(element, props, watch, {json.dumps(group)}, {json.dumps(label)});",
        head=_head(),
        apply_default_css=False,
        label=label,
        **options,
    )
