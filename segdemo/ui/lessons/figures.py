"""Lessons that need no script: a choice, a button, and pictures with a line beneath each."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import gradio as gr
import numpy as np
from gradio.components import Component

from ...labels import VOC21
from ..assets import LIVE, problem
from ..cards import RUN
from ..photo import PhotoPanel
from ..viewer.payload import photo_url
from ..waiting import STATUS
from ..workshop import Workshop
from .teaching import in_words, taught


def figures_lesson(
    workshop: Workshop, panel: PhotoPanel, choose: Callable[[], Component], label: str, name: str,
    lesson: Callable, params: Callable[[Any], dict], show: Callable[[Any], str],
) -> None:  # fmt: skip
    """Place a lesson; it computes nothing until asked.

    Args:
        choose: places the choice.
        label: of the button, whose id is ``NAME-run``; the pictures' is ``NAME``.
        lesson: run by ``Engine.teach`` with what ``params`` makes of the choice.
        show: the lesson's result as HTML.
    """
    with gr.Row(elem_classes="toolbar"):
        chosen = choose()
        with gr.Column(scale=1, min_width=160):
            button = gr.Button(label, variant="primary", elem_id=f"{name}-run")
            status = gr.HTML("", elem_classes=STATUS, js_on_load=LIVE)
    board, asked_of = gr.HTML("", elem_id=name), gr.State(None)

    def answer(request: gr.Request, path, choice, progress=gr.Progress()):
        given = params(choice) | {"on_step": lambda fraction, text: progress(fraction, desc=text)}
        value = partial(_value, show)
        told = in_words(lambda: taught(workshop, lesson, lambda photo: given, value, path, request))
        message = problem(told["message"]) if "message" in told else ""
        return told.get("board", gr.skip()), message, path

    quiet = dict(api_visibility="private", show_progress="hidden")
    shown = button.click(
        answer, [panel.path, chosen], [board, status, asked_of], show_progress_on=status, **RUN,
    )  # fmt: skip
    panel.file.change(None, None, [board, status], js="() => ['', '']", **quiet)  # it was about the photo before
    # Another photo was chosen meanwhile: what has come is of the one before.
    shown.then(lambda asked, now: gr.skip() if asked == now else "", [asked_of, panel.path], board, **quiet)


def _value(show: Callable[[Any], str], photo: np.ndarray, result: Any) -> dict[str, str]:
    return {"board": show(result)}


def row(title: str, figures: list[str]) -> str:
    """Pictures side by side under a title."""
    return f"<div class='fields'><h4>{html.escape(title)}</h4><div class='pictures'>{''.join(figures)}</div></div>"


def figure(text: str, picture: np.ndarray, classes: Iterable[int] = ()) -> str:
    """(h, w, 3) uint8 with a line beneath it, and the names of those classes of VOC-21 whose colours it shows."""
    keys = "".join(
        f"<span><i style='background:rgb{tuple(VOC21.palette[k].tolist())}'></i>{html.escape(VOC21.names[k])}</span>"
        for k in classes
    )
    keys = f"<span class='keys'>{keys}</span>" if keys else ""
    source = photo_url(picture, picture.shape[:2])
    return f"<figure><img alt='' src='{source}'><figcaption>{html.escape(text)}{keys}</figcaption></figure>"
