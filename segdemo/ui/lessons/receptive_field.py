"""The page's side of ``segdemo.lessons.receptive_field``: two networks, stage by stage."""

from __future__ import annotations

import html
import logging

import gradio as gr
import numpy as np

from ...errors import Cancelled, SegdemoError
from ...lessons.receptive_field import CROP, Field, receptive_fields
from ...method import Method
from ...segmentation import heatmap
from ..cards import ENGINE
from ..photo import PhotoPanel
from ..viewer.payload import photo_url
from ..workshop import Workshop, read_photo
from .teaching import FAILED

log = logging.getLogger("segdemo")
INTRO = (
    "**How far does a network look?** The gradient of the unit in the middle of each map tells which pixels it heeds (Luo et al. 2016). L layers of "
    "3 x 3 see 1 + 2L pixels across, but those near the middle count most. Attention looks across the whole picture from the first stage on "
    "(Xie et al. 2021, fig. 3); convolutions widen step by step, and atrous ones in strides."
)


def receptive_field_lesson(workshop: Workshop, panel: PhotoPanel, networks: list[Method]) -> None:
    """Place the lesson; it computes nothing until asked."""
    titles = {m.name: m.title for m in networks}
    preferred = [name for name in ("segformer-b0", "deeplab-v3plus") if name in titles] or list(titles)[:2]
    gr.Markdown(INTRO)
    with gr.Row(elem_classes="toolbar"):
        chosen = gr.CheckboxGroup([(m.title, m.name) for m in networks], value=preferred, label="Networks", scale=4)
        run = gr.Button("Look back", variant="primary", elem_id="field-run", scale=1, min_width=160)
    board = gr.HTML("", elem_id="field")

    def show(request: gr.Request, path, names, progress=gr.Progress()):
        photo, is_cancelled = read_photo(path), workshop.visits.begin(request)
        try:
            fields = workshop.engine.teach(
                receptive_fields, photo, working_size=640, networks=names, is_cancelled=is_cancelled,
                on_step=lambda fraction, text: progress(fraction, desc=text),
            )  # fmt: skip
        except Cancelled:
            return "<p class='problem'>Stopped.</p>"
        except SegdemoError as error:
            return f"<p class='problem'>{html.escape(str(error))}</p>"
        except Exception:
            log.exception("a lesson failed")
            return f"<p class='problem'>{FAILED}</p>"
        return (
            "".join(board_row(titles[name], found) for name, found in fields.items())
            or "<p>Choose a network first.</p>"
        )

    run.click(
        show, [panel.path, chosen], board, show_progress="full", concurrency_id=ENGINE, show_progress_on=board,
        api_visibility="private",
    )  # fmt: skip
    panel.path.change(lambda: "", None, board, api_visibility="private", show_progress="hidden")


def board_row(title: str, fields: list[Field]) -> str:
    """One network: a heat map per stage."""
    figures = "".join(
        figure(f"{f.title}: half of the weight within {f.half} px, 90 % within {f.most} px of {CROP}", picture(f))
        for f in fields
    )
    return f"<div class='fields'><h4>{html.escape(title)}</h4><div class='pictures'>{figures}</div></div>"


def picture(field: Field) -> np.ndarray:
    """The field as a heat map; the fourth root brings out what is faint."""
    return heatmap((field.weights / max(field.weights.max(), 1e-30)) ** 0.25, 0, 1)


def figure(title: str, picture: np.ndarray) -> str:
    return f"<figure><img alt='' src='{photo_url(picture, picture.shape[:2])}'><figcaption>{html.escape(title)}</figcaption></figure>"
