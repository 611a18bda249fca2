"""The lesson on softmax and cross-entropy: from ``segdemo.lessons.loss`` to what its page part reads."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np

from ....errors import GroundTruthError
from ....image import content_key
from ....labels import VOC21
from ....lessons.loss import LossLesson, loss_lesson
from ....method import Method
from ...cards import Shared
from ...photo import PhotoPanel
from ...truth import Truth
from ...viewer.payload import pack
from ...workshop import Workshop
from ..clustering.parts import hexes, picture
from ..crf.parts import chosen_network, options, planes, wire
from .parts import board

PREFERRED = "fcn-32s"
TEACHER = "deeplab-v3plus"
OWN = "own"
"""What the page asks for instead of a network's name, to weigh against the ground truth that the visitor loaded."""

TRUTH_CHANGED = "() => { window.dispatchEvent(new Event('segdemo-truth')); }"

LEVELS = 65535
"""Scores are sent in so many steps from the lowest to the highest."""


def loss_board(workshop: Workshop, panel: PhotoPanel, networks: list[Method], shared: Shared) -> gr.HTML:
    """Place the lesson and wire it."""
    own = f'<option value="{OWN}">my ground truth (tab Clustering)</option>' if shared.truth else ""
    screen = board("loss", networks=options(networks, PREFERRED), truths=options(networks, TEACHER) + own)

    def compute(photo, ask, is_cancelled, truth=None) -> dict[str, Any]:
        network, is_own = chosen_network(ask, networks), is_about_own(ask)
        wanted = classes_of(truth, photo) if is_own else chosen_network({"network": ask.get("truth")}, networks)
        weighing = {"network": network, "truth": wanted}
        lesson = workshop.engine.teach(loss_lesson, photo, is_cancelled=is_cancelled, **weighing)
        return loss_value(photo, lesson, is_person=is_own)

    wire(screen, workshop, panel, compute, own=[shared.truth] if shared.truth else [], is_about_own=is_about_own)
    if shared.truth:
        shared.truth.change(None, None, None, js=TRUTH_CHANGED, api_visibility="private", show_progress="hidden")
    return screen


def is_about_own(ask: dict[str, Any]) -> bool:
    """Whether the scores are to be weighed against the ground truth that the visitor loaded."""
    return ask.get("truth") == OWN


def classes_of(truth: Truth | None, photo: np.ndarray) -> np.ndarray:
    """The loaded ground truth of this photo as classes of VOC-21, (H, W) uint8; ``GroundTruthError`` if it is none."""
    if truth is None or truth.key != content_key(photo):
        raise GroundTruthError(
            "There is no ground truth of this photo: load a label PNG with VOC's classes in the box Ground truth of the tab "
            "Clustering, or take a network's labels in its place."
        )
    return truth.unpack().classes()


def loss_value(photo: np.ndarray, lesson: LossLesson, is_person: bool) -> dict[str, Any]:
    """Everything the page shows of the lesson, as JSON-serialisable values. ``is_person``: the truth is no network's."""
    known = np.isfinite(lesson.scores)
    finite = np.where(known, lesson.scores, lesson.scores[known].min() - 12)  # no other class: as good as impossible
    low, high = float(finite.min()), float(finite.max())
    span = max(high - low, 1e-6)
    return {
        "state": "result",
        "photo": picture(photo, lesson.labels.shape),
        "classes": lesson.classes,
        "names": list(VOC21.names),
        "palette": hexes(VOC21.palette),
        "scores": planes((finite - low) / span, LEVELS),
        "levels": LEVELS,
        "range": [low, low + span],
        "labels": pack(lesson.labels),
        "truth": pack(lesson.truth),
        "isPerson": is_person,
        "mean": lesson.mean,
        "near": [lesson.near_area, lesson.near_loss],
        "wrong": [lesson.wrong_area, lesson.wrong_loss],
    }
