"""What the lessons on CRFs share on the server's side: placing, asking, sending planes."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from copy import copy
from typing import Any

import gradio as gr
import numpy as np

from ....errors import SegdemoError
from ....method import Method
from ...assets import beside
from ...photo import PhotoPanel
from ...viewer.payload import pack
from ...workshop import Workshop, key_of, photo_of
from ..clustering.parts import lesson_html, script
from ..teaching import WIRING, answered, asked

SCRIPTS = (
    "../../viewer/pixels.js",
    "../clustering/common.js",
    "pairwise.js",
    "film.js",
    "terms.js",
    "scanline.js",
    "mount.js",
)

LARGEST = 1024
"""Long side, in pixels, up to which lessons follow the working size: they keep several beliefs of the whole photo at once."""

source = beside(__file__)


def board(name: str, networks: list[Method], preferred: tuple[str, ...], **texts: str) -> gr.HTML:
    """The lesson ``name`` (of ``name.html``) with nothing computed yet.

    ``<!-- networks -->`` in the file becomes the options of a choice of networks, the first there is of ``preferred``
    selected; ``texts`` stand for further places of that kind.
    """
    names = [m.name for m in networks]
    chosen = next((name for name in preferred if name in names), names[0] if names else "")
    template = source(f"{name}.html")
    for place, text in ({"networks": options(networks, chosen)} | texts).items():
        template = template.replace(f"<!-- {place} -->", text)
    return lesson_html(name, template, "segdemoCrf", script(source, SCRIPTS), source("crf.css"))


def options(networks: list[Method], chosen: str) -> str:
    return "".join(
        f'<option value="{html.escape(m.name)}"{" selected" * (m.name == chosen)}>{html.escape(m.title)}</option>'
        for m in networks
    )


def wire(
    screen: gr.HTML, workshop: Workshop, panel: PhotoPanel, compute: Callable[..., dict[str, Any]], inputs: list = (),
    further: list = (), own: list = (), is_about_own: Callable[[dict], bool] = lambda ask: False,
) -> None:  # fmt: skip
    """Answer the lesson's questions with ``compute(photo, ask, is_cancelled, *values of inputs, *values of own)``.

    What it returns is the lesson's value. Its entry ``"further"``, if there is one, holds updates of the components ``further``.
    It is remembered for whoever asks the same of the same photo with the same ``inputs``, but not where the question
    ``is_about_own``: strokes or a truth, which hardly two visitors have alike.
    """

    def answer(request: gr.Request, value, path, *values):
        def found() -> dict[str, Any]:
            is_cancelled = workshop.visits.begin(request)  # first: a Stop while a large photo is decoded counts
            photo, ask = photo_of(path), asked(value)
            teach = lambda: compute(photo, ask, is_cancelled, *values)  # noqa: E731
            if is_about_own(ask):
                return teach()
            question = json.dumps([ask | {"turn": 0}, *values[: len(inputs)]], sort_keys=True)
            return workshop.remembered((screen.elem_id, key_of(path), question), teach)

        shown = answered(screen, request, value, found)
        updates = {place: copy(update) for place, update in shown.pop("further", {}).items()}  # Gradio takes them apart
        return {screen: shown, **updates}

    screen.input(answer, [screen, panel.path, *inputs, *own], [screen, *further], **WIRING)


def chosen_network(ask: dict[str, Any], networks: list[Method]) -> str:
    """The network asked for; ``SegdemoError`` when there is none of that name."""
    name = ask.get("network")
    if name not in [m.name for m in networks]:
        raise SegdemoError("Choose a network first.")
    return name


def planes(values: np.ndarray, levels: int = 255) -> dict[str, Any]:
    """(K, h, w) values in [0, 1] as whole numbers of 1 / ``levels``, the planes one below the other."""
    whole = (np.clip(values, 0, 1) * levels).round().astype(np.uint8 if levels < 256 else np.uint16)
    return pack(whole.reshape(-1, values.shape[-1]))
