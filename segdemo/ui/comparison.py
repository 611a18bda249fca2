"""The comparison tab: pinned results of one photo side by side, and two of them under one divider."""

from __future__ import annotations

import gradio as gr
import numpy as np

from ..metrics import probabilistic_rand_index
from .cards import Shared
from .photo import PhotoPanel
from .viewer import empty_value, viewer, viewer_value
from .workshop import Result, Workshop

PLACES = 8
INTRO = (
    "**Compare.** Pin any result of any tab; the pins of one photo stand here side by side, zooming and panning together. "
    "Below, two of them share one picture: drag the divider."
)
HINT = "Nothing is pinned yet: press Pin to compare under a result."


def comparison_tab(workshop: Workshop, panel: PhotoPanel, shared: Shared) -> dict:
    """Build the tab; it has nothing that belongs into the page's address."""
    gr.Markdown(INTRO)
    with gr.Row():
        clear = gr.Button("Remove all pins", size="sm", scale=0, min_width=150)
        note = gr.Markdown(HINT, elem_id="pin-note")
    places, columns, removers = [], [], []
    with gr.Row(elem_classes="card-grid"):
        for number in range(PLACES):
            with gr.Column(min_width=330, visible=False, elem_classes="card") as column:
                places.append(
                    viewer(group="comparison", label=f"Pinned result {number + 1}", elem_id=f"pinned-{number}")
                )
                with gr.Row(elem_classes="card-buttons"):
                    removers.append(gr.Button("Remove", size="sm", elem_classes="unpin"))
                columns.append(column)
    with gr.Column(visible=False, elem_classes="duel") as both:
        gr.Markdown("### Two results under one divider")
        with gr.Row():
            left = gr.Dropdown([], label="Left of the divider", interactive=True, elem_id="divider-left")
            right = gr.Dropdown([], label="Right of the divider", interactive=True, elem_id="divider-right")
        duel = viewer(
            group="", label="Two results under one divider", value=empty_value(HINT), elem_id="divider-viewer"
        )

    def show(pins: list[Result]):
        pins, others = of_last_photo(pins), len(pins) - len(of_last_photo(pins))
        values = [viewer_value(*pin.shown(), pin.title, pin.subtitle) for pin in pins]
        values += [gr.skip()] * (PLACES - len(pins))
        visible = [gr.update(visible=number < len(pins)) for number in range(PLACES)]
        choices = list(zip(titles(pins), range(len(pins)), strict=True))
        chosen = [min(0, len(pins) - 1), len(pins) - 1] if pins else [None, None]
        return [
            *values, *visible, pinned(len(pins), others), gr.update(visible=len(pins) > 1),
            *(gr.update(choices=choices, value=value) for value in chosen), face_off(pins, *chosen),
        ]  # fmt: skip

    quiet = dict(api_visibility="private", show_progress="hidden")
    shared.pins.change(show, shared.pins, [*places, *columns, note, both, left, right, duel], **quiet)
    for choice in (left, right):
        choice.input(lambda pins, a, b: face_off(of_last_photo(pins), a, b), [shared.pins, left, right], duel, **quiet)
    clear.click(lambda: [], None, shared.pins, **quiet)
    for number, remove in enumerate(removers):
        remove.click(lambda pins, number=number: without(number, pins), shared.pins, shared.pins, **quiet)
    return {}


def of_last_photo(pins: list[Result]) -> list[Result]:
    """The pins that belong to the photo pinned last."""
    return [pin for pin in pins if pin.key == pins[-1].key]


def pinned(shown: int, others: int) -> str:
    """What stands beside the pins."""
    if not shown:
        return HINT
    rest = (
        f"; {others} more of other photos come back when these are removed or one of theirs is pinned" if others else ""
    )
    return f"{shown} pinned{rest}"


def without(number: int, pins: list[Result]) -> list[Result]:
    """The pins without the one that is shown at place ``number``."""
    shown = [place for place, pin in enumerate(pins) if pin.key == pins[-1].key]
    return [pin for place, pin in enumerate(pins) if number >= len(shown) or place != shown[number]]


def titles(pins: list[Result]) -> list[str]:
    return [f"{number + 1}. {pin.title}" for number, pin in enumerate(pins)]


def face_off(pins: list[Result], left: int | None, right: int | None) -> dict:
    """The viewer's value that shows result ``right`` with ``left`` on the other side of the divider."""
    if left is None or right is None or max(left, right) >= len(pins):
        return empty_value(HINT)
    photo, segmentation = pins[right].shown()
    other = pins[left].shown()[1]
    names = titles(pins)
    alike = f"{agreement(other.labels, segmentation.labels):.1%} of pixel pairs grouped alike (Rand index)"
    return viewer_value(photo, segmentation, names[right], alike, before=(names[left], other))


def agreement(first: np.ndarray, second: np.ndarray) -> float:
    """The Rand index of two label maps: the share of pixel pairs on which both agree, together or apart."""
    return probabilistic_rand_index(first, [second])
