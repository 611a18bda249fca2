"""The page's side of ``segdemo.lessons.receptive_field``: two networks, stage by stage."""

from __future__ import annotations

import html
from functools import partial

import gradio as gr
import numpy as np

from ...lessons.receptive_field import CROP, Field, receptive_fields
from ...method import Method
from ...segmentation import heatmap
from ..assets import LIVE, problem
from ..cards import RUN
from ..photo import PhotoPanel
from ..viewer.payload import photo_url
from ..waiting import STATUS
from ..workshop import Workshop
from .pyramids import PHOTO, pyramids
from .teaching import in_words, taught

INTRO = (
    f"**How far does a network look?** The gradient of the unit in the middle of each map tells which pixels it heeds (Luo et al. 2016): each square below shows {CROP} × {CROP} pixels, the unit in its middle or half a cell beside, bright where it looks: the colour is the fourth root of the weight, each square by its own largest, so that what is faint is seen. L layers of "
    "3 × 3 see 1 + 2L pixels across, but those near the middle count most. Attention may look across the whole picture from the first stage on "
    "(Xie et al. 2021, fig. 3), but learns there to heed what is near; convolutions widen step by step, and atrous ones in strides. DeepLabv3+'s scores here heed more of a photo than SegFormer's, other than in the paper: its pyramid holds the mean of the whole photo. What lies "
    f"beyond the square is not counted: a unit that heeds all of it alike has half in {CROP * 0.5**0.5:.0f} × {CROP * 0.5**0.5:.0f} and 90 % in {CROP * 0.9**0.5:.0f} × {CROP * 0.9**0.5:.0f}."
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
    with gr.Row(elem_classes="toolbar"):
        chosen = gr.CheckboxGroup(
            [(m.title, m.name) for m in networks], value=preferred, label="Networks", scale=4, min_width=300
        )
        with gr.Column(scale=1, min_width=160):
            run = gr.Button("Look back", variant="primary", elem_id="field-run")
            status = gr.HTML("", elem_classes=STATUS, js_on_load=LIVE)
    board, asked_of = gr.HTML("", elem_id="field"), gr.State(None)

    def show(request: gr.Request, path, names, progress=gr.Progress()):
        on_step = lambda fraction, text: progress(fraction, desc=text)  # noqa: E731
        params = {"working_size": 640, "networks": names, "on_step": on_step}
        told = in_words(
            lambda: taught(
                workshop, receptive_fields, lambda photo: params, partial(board_value, titles), path, request
            )
        )
        message = problem(told["message"]) if "message" in told else ""
        return told.get("board", gr.skip()), message, path

    quiet = dict(api_visibility="private", show_progress="hidden")
    shown = run.click(
        show, [panel.path, chosen], [board, status, asked_of], show_progress_on=status, **RUN,
    )  # fmt: skip
    gr.Markdown(WHY_PYRAMIDS)
    gr.HTML(pyramids())
    panel.file.change(lambda: "", None, board, **quiet)
    # Another photo was chosen meanwhile: what has come is of the one before.
    shown.then(lambda asked, now: gr.skip() if asked == now else "", [asked_of, panel.path], board, **quiet)


def board_value(titles: dict[str, str], photo: np.ndarray, fields: dict[str, list[Field]]) -> dict[str, str]:
    """The lesson's board: a row for each network."""
    rows = [board_row(titles[name], found) for name, found in fields.items()]
    return {"board": "".join(rows) or "<p>Choose a network first.</p>"}


def board_row(title: str, fields: list[Field]) -> str:
    """One network: a heat map per stage."""
    figures = "".join(
        figure(
            f"{f.title}: of the weight, half lies within {f.half} × {f.half} px, 90 % in {f.most} × {f.most}",
            picture(f),
        )
        for f in fields
    )
    return f"<div class='fields'><h4>{html.escape(title)}</h4><div class='pictures'>{figures}</div></div>"


def picture(field: Field) -> np.ndarray:
    """The field as a heat map; the fourth root brings out what is faint."""
    return heatmap((field.weights / max(field.weights.max(), 1e-30)) ** 0.25, 0, 1)


def figure(title: str, picture: np.ndarray) -> str:
    return f"<figure><img alt='' src='{photo_url(picture, picture.shape[:2])}'><figcaption>{html.escape(title)}</figcaption></figure>"
