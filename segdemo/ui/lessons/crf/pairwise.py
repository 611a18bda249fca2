"""The lesson "the pairwise term": from ``segdemo.lessons.pairwise`` to what its page part reads."""

from __future__ import annotations

from typing import Any

import gradio as gr
import numpy as np

from ....crf.dense import CLIP
from ....crf.refine import RefinementParams
from ....labels import VOC21
from ....lessons.pairwise import PairwiseLesson, pairwise
from ....method import Method
from ...photo import PhotoPanel
from ...viewer.payload import pack
from ...workshop import Workshop
from ..clustering.parts import hexes, picture
from .parts import LARGEST, board, chosen_network, planes, wire

PREFERRED = ("fcn-8s", "deeplab-v2")
"""Networks to begin with: coarse enough that the CRF has something to say."""

SLIDERS = (
    ("bilateral_weight", "w<sub>b</sub>", 20, 0.1), ("bilateral_sigma_xy", "σ<sub>xy</sub>", 200, 1),
    ("bilateral_sigma_rgb", "σ<sub>rgb</sub>", 80, 0.5), ("spatial_weight", "w<sub>s</sub>", 20, 0.1),
    ("spatial_sigma", "σ<sub>s</sub>", 40, 0.5),
)  # fmt: skip
"""Field of ``RefinementParams``, symbol, largest value and step of its slider."""


def pairwise_lesson(workshop: Workshop, panel: PhotoPanel, networks: list[Method]) -> gr.HTML:
    """Place the lesson and wire it."""
    screen = board("pairwise", networks, PREFERRED, sliders="".join(slider(*row) for row in SLIDERS))

    def compute(photo, ask, is_cancelled, working_size) -> dict[str, Any]:
        options = {"working_size": min(working_size, LARGEST), "is_cancelled": is_cancelled}
        lesson = workshop.engine.teach(pairwise, photo, network=chosen_network(ask, networks), **options)
        return pairwise_value(photo, lesson)

    wire(screen, workshop, panel, compute, [panel.working_size])
    return screen


def slider(name: str, symbol: str, most: float, step: float) -> str:
    """The slider of one of the CRF's weights or widths, at its default."""
    field = RefinementParams.model_fields[f"crf_{name}"]
    low = next(float(bound.ge) for bound in field.metadata if hasattr(bound, "ge"))
    return (
        f'<label title="{field.description}"><span>{symbol}</span><input type="range" data-testid="pairwise-{name}" min="{low:g}" max="{most}" '
        f'step="{step}" value="{field.default:g}" aria-label="{field.description}"><output data-testid="pairwise-{name}-value"></output></label>'
    )


def pairwise_value(photo: np.ndarray, lesson: PairwiseLesson) -> dict[str, Any]:
    """Everything the page shows of the lesson, as JSON-serialisable values; beliefs as whole numbers of 1/65535."""
    r, g, b = (lesson.image[..., c].astype(np.uint32) for c in range(3))
    return {
        "state": "result",
        "photo": picture(photo, lesson.image.shape[:2]),
        "colours": pack(r << 16 | g << 8 | b),
        "beliefs": planes(lesson.beliefs, 65535),
        "labels": pack(lesson.labels),
        "names": list(VOC21.names),
        "palette": hexes(VOC21.palette),
        "pixel": list(lesson.pixel),
        "scale": lesson.scale,
        "clip": CLIP,
    }
