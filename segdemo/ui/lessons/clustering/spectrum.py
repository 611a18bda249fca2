"""The lesson "spectral clustering": from ``segdemo.lessons.spectrum`` to what its page part reads."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np

from ....clustering.bisection import Part
from ....lessons.spectrum import Spectrum, spectrum
from ...photo import PhotoPanel
from ...viewer.payload import pack
from ...workshop import Workshop
from ..teaching import integer, number
from .parts import HUES, photo_lesson, picture, rounded

WORKING_SIZE = 384


def spectrum_lesson(workshop: Workshop, panel: PhotoPanel) -> gr.HTML:
    """Place the lesson and wire it."""
    return photo_lesson("spectrum", workshop, panel, spectrum, read_ask, spectrum_value, WORKING_SIZE)


def read_ask(ask: dict[str, Any]) -> dict[str, Any]:
    """The page's question as parameters of ``spectrum``."""
    return {
        "superpixels": integer(ask, "superpixels", 300),
        "sigma_colour": number(ask, "sigma_colour", 15.0),
        "sigma_position": number(ask, "sigma_position", 0.3),
        "radius": number(ask, "radius", 0.6),
        "contour": number(ask, "contour", 1.0),
    }


def spectrum_value(photo: np.ndarray, lesson: Spectrum) -> dict[str, Any]:
    """Everything the page shows of the lesson, as JSON-serialisable values.

    Affinities come as whole numbers of 1/255, for pictures; all else is computed from the exact ones.
    """
    return {
        "state": "result",
        "photo": picture(photo, lesson.image.shape[:2]),
        "nodes": pack(lesson.superpixels),
        "weights": pack((lesson.affinity.toarray() * 255).round().astype(np.uint8)),
        "hues": HUES,
        "eigenvalues": rounded(lesson.eigenvalues, 6),
        "eigenvectors": rounded(lesson.eigenvectors.T, 6),
        "suggested": lesson.suggested,
        "segmented": {
            str(k): {"labels": s.labels.tolist(), "ncut": s.ncut, "outside": s.outside}
            for k, s in lesson.segmented.items()
        },
        "sweep": {
            "order": lesson.sweep.order.tolist(),
            "below": lesson.sweep.below.tolist(),
            "thresholds": rounded(lesson.sweep.thresholds, 6),
            "ncuts": rounded(lesson.sweep.ncuts, 6),
        },
        "tree": part_value(lesson.tree, np.bincount(lesson.superpixels.ravel())),
    }


def part_value(part: Part, sizes: np.ndarray) -> dict[str, Any]:
    """A part of the tree and, within it, its parts; the nodes, of (N,) ``sizes`` in pixels, stand at the leaves only."""
    return {
        "pixels": int(sizes[part.nodes].sum()),
        "ncut": part.ncut,
        "parts": [part_value(half, sizes) for half in part.parts],
        "nodes": [] if part.parts else part.nodes.tolist(),
    }
