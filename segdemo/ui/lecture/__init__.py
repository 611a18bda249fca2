"""The lecture: its topics in order, each with its formula and with buttons that lead to where the page shows it.

A button in the page's head opens it as a dialog. Where a place is about certain networks, the ``gr.HTML`` tells which
(event ``select``, value ``{"networks": [...]}``). The page's address may name a place, too (``address.py``).
"""

from __future__ import annotations

import html
import json
from typing import Any

import gradio as gr

from ..assets import beside
from .outline import DEFINITION, OUTLINE, Part, Place, Topic, places

_source = beside(__file__)


def lecture(**options: Any) -> gr.HTML:
    """The button and the dialog, placed where it is called."""
    return gr.HTML(
        {"networks": []},
        html_template=_source("lecture.html").replace("<!-- parts -->", "".join(map(_part, OUTLINE))).replace("<!-- definition -->", DEFINITION),
        css_template=_source("lecture.css"),
        js_on_load="segdemoLecture.mount(element.querySelector('.lecture'), props, trigger);",
        head=f"<script>(() => {{\n{_source('lecture.js')}\n}})();</script>",
        apply_default_css=False,
        **options,
    )  # fmt: skip


def select_networks(dialog: gr.HTML, chosen: gr.CheckboxGroup) -> None:
    """Let the places that are about certain networks select those that there are."""

    def select(value: Any) -> Any:
        ready = [name for _, name in chosen.choices]
        wanted = [name for name in value["networks"] if name in ready]
        return wanted or gr.skip()

    dialog.select(select, dialog, chosen, api_visibility="private", show_progress="hidden")


def _part(part: Part) -> str:
    topics = "".join(map(_topic, part.topics))
    return f"<section><h3>{html.escape(part.title)}</h3><p>{html.escape(part.text)}</p><ul>{topics}</ul></section>"


def _topic(topic: Topic) -> str:
    pieces = " ".join(piece if piece == "<br>" else f"<span>{piece}</span>" for piece in topic.formula)
    formula = f"<p class='lecture-formula'>{pieces}</p>" if pieces else ""
    ways = "".join(map(_way, topic.places))
    return f"<li><h4>{html.escape(topic.title)}</h4>{formula}<p>{html.escape(topic.text)}</p><nav>{ways}</nav></li>"


def _way(place: Place) -> str:
    networks = html.escape(json.dumps(place.networks))
    return f'<button type="button" data-tab="{place.tab}" data-place="{place.element}" data-networks="{networks}">{html.escape(place.label)}</button>'


__all__ = ["OUTLINE", "lecture", "places", "select_networks"]
