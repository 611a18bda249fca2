"""The lessons of the clustering tab: k-means and its K, SLIC, spectral clustering, and points in the plane.

Each is a ``gr.HTML``. Its value is what it asks for, ``{"ask": {...}}``, with the event ``input``, or what it shows,
``{"state": "result", ...}``. All steps travel at once; the browser plays and paints them. One script serves all.
"""

from __future__ import annotations

from ...photo import PhotoPanel
from ...workshop import Workshop
from ..boxes import lesson_box, lesson_group
from .cloud import cloud_lesson
from .elbow import elbow_lesson
from .slic import slic_lesson
from .spectrum import spectrum_lesson
from .toy import toy_lesson

__all__ = ["clustering_lessons"]

PHOTO_CHANGED = "() => { window.dispatchEvent(new Event('segdemo-photo')); }"


def clustering_lessons(workshop: Workshop, panel: PhotoPanel) -> None:
    """Place the lessons, each in a closed box, and wire them; they compute nothing until asked."""
    with lesson_group("Look inside"):
        with lesson_box("SLIC superpixels", "slic-lesson"):
            slic_lesson(workshop, panel)
        with lesson_box("k-means in colour space", "cloud-lesson"):
            cloud_lesson(workshop, panel)
        with lesson_box("How many clusters? The elbow", "elbow-lesson"):
            elbow_lesson(workshop, panel)
        with lesson_box("Spectral clustering", "spectrum-lesson"):
            spectrum_lesson(workshop, panel)
        with lesson_box("Points in the plane: k-means against spectral clustering", "toy-lesson"):
            toy_lesson()
    panel.file.change(None, None, None, js=PHOTO_CHANGED, api_visibility="private", show_progress="hidden")
