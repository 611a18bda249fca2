"""The lessons of the clustering tab: k-means and its K, SLIC, spectral clustering, and points in the plane.

Each is a ``gr.HTML``. Its value is what it asks for, ``{"ask": {...}}``, with the event ``input``, or what it shows,
``{"state": "result", ...}``. All steps travel at once; the browser plays and paints them. One script serves all.
"""

from __future__ import annotations

import gradio as gr

from ...photo import PhotoPanel
from ...workshop import Workshop
from .cloud import cloud_lesson
from .elbow import elbow_lesson
from .slic import slic_lesson
from .spectrum import spectrum_lesson
from .toy import toy_lesson

__all__ = ["clustering_lessons"]

PHOTO_CHANGED = "() => { window.dispatchEvent(new Event('segdemo-photo')); }"


def clustering_lessons(workshop: Workshop, panel: PhotoPanel) -> None:
    """Place the lessons, each in a closed box, and wire them; they compute nothing until asked."""
    with gr.Accordion("Look inside: SLIC superpixels", open=False, elem_id="slic-lesson"):
        slic_lesson(workshop, panel)
    with gr.Accordion("Look inside: k-means in colour space", open=False, elem_id="cloud-lesson"):
        cloud_lesson(workshop, panel)
    with gr.Accordion("How many clusters? The elbow", open=False, elem_id="elbow-lesson"):
        elbow_lesson(workshop, panel)
    with gr.Accordion("Look inside: spectral clustering", open=False, elem_id="spectrum-lesson"):
        spectrum_lesson(workshop, panel)
    with gr.Accordion("Play: k-means against spectral", open=False, elem_id="toy-lesson"):
        toy_lesson()
    panel.file.change(None, None, None, js=PHOTO_CHANGED, api_visibility="private", show_progress="hidden")
