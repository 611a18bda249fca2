"""The page's side of ``segdemo.lessons.receptive_field``: two networks, stage by stage."""

from __future__ import annotations

from functools import partial

import gradio as gr
import numpy as np

from ...lessons.receptive_field import CROP, Field, receptive_fields
from ...method import Method
from ...segmentation import heatmap
from ..photo import PhotoPanel
from ..workshop import Workshop
from .figures import figure, figures_lesson, row
from .pyramids import PHOTO, pyramids

INTRO = (
    "**How far does a network look?** The gradient of the unit in the middle of each map tells which pixels it heeds (Luo et al. 2016). "
    "L layers of 3 × 3 see 1 + 2L pixels across, but those near the middle count most."
)
NOTES = (
    f"Each square shows {CROP} × {CROP} pixels, the unit in its middle or half a cell beside, bright where it looks: the colour is the fourth root of the weight, each square by its own largest, so that what is faint is seen. What lies "
    f"beyond the square is not counted: a unit that heeds all of it alike has half in {CROP * 0.5**0.5:.0f} × {CROP * 0.5**0.5:.0f} and 90 % in {CROP * 0.9**0.5:.0f} × {CROP * 0.9**0.5:.0f}. Convolutions widen step by step, atrous ones in strides. "
    "Attention may look across the whole picture from the first stage on, but learns there to heed what is near. In the paper (Xie et al. 2021, fig. 3) SegFormer's scores heed more of a photo than DeepLabv3+'s; here it is often the other way round, as this pyramid holds the mean of the whole photo."
)
WHY_PYRAMIDS = (
    f"**Why encoders shrink their maps.** To see {PHOTO} pixels across, layers of 3 × 3 at full resolution would have to be {PHOTO // 2}, each of 64 channels {PHOTO**2 * 9 * 64**2 / 1e9:.1f} · 10⁹ "
    f"multiply-adds on a photo of {PHOTO} × {PHOTO}. At stride 8 such a layer costs a 64th and widens the field by 16 pixels instead of 2. Attention has the same need: it compares pairs, "
    f"and on a grid of {PHOTO // 4} × {PHOTO // 4} all pairs would be {(PHOTO // 4) ** 4 / 1e6:.0f} million. Widths are to scale, for a photo of {PHOTO} × {PHOTO}."
)


def receptive_field_lesson(workshop: Workshop, panel: PhotoPanel, networks: list[Method]) -> None:
    """Place the lesson; it computes nothing until asked."""
    titles = {m.name: m.title for m in networks}
    preferred = [name for name in ("segformer-b0", "deeplab-v3plus") if name in titles] or list(titles)[:2]
    gr.Markdown(INTRO)
    figures_lesson(
        workshop, panel,
        lambda: gr.CheckboxGroup(
            [(m.title, m.name) for m in networks], value=preferred, label="Networks", scale=4, min_width=300
        ),
        "Look back", "field", receptive_fields, lambda names: {"working_size": 640, "networks": names}, partial(board, titles),
    )  # fmt: skip
    gr.Markdown(NOTES)
    gr.Markdown(WHY_PYRAMIDS)
    gr.HTML(pyramids())


def board(titles: dict[str, str], fields: dict[str, list[Field]]) -> str:
    """A row for each network, a heat map for each stage."""
    return (
        "".join(
            row(titles[name], [figure(said(field), picture(field)) for field in found])
            for name, found in fields.items()
        )
        or "<p>Choose a network first.</p>"
    )


def said(field: Field) -> str:
    return f"{field.title}: of the weight, half lies within {field.half} × {field.half} px, 90 % in {field.most} × {field.most}"


def picture(field: Field) -> np.ndarray:
    """The field as a heat map; the fourth root brings out what is faint."""
    return heatmap((field.weights / max(field.weights.max(), 1e-30)) ** 0.25, 0, 1)
