"""The comparison tab: pinned results of one photo side by side, and two of them under one divider."""

from __future__ import annotations

from dataclasses import replace

import gradio as gr
import numpy as np

from ..metrics import probabilistic_rand_index
from .cards import MOST_PINS, Shared
from .photo import PhotoPanel
from .viewer import empty_value, viewer, viewer_value
from .workshop import Result, Workshop

INTRO = (
    "**Compare.** Pin any result of any tab; the pins of one photo stand here side by side, zooming and panning together. "
    "Below, two of them share one picture: drag the divider."
)
HINT = "Nothing is pinned yet: press Pin to compare under a result."


def comparison_tab(workshop: Workshop, panel: PhotoPanel, shared: Shared) -> dict:
    """Build the tab; it has nothing that belongs into the page's address."""
    gr.Markdown(INTRO)
    with gr.Row():
        clear = gr.Button("Remove all pins", size="sm", scale=0, min_width=150, interactive=False)
        note = gr.Markdown(HINT, elem_id="pin-note")
    places, columns, removers = [], [], []
    with gr.Row(elem_classes="card-grid pins"):
        for number in range(MOST_PINS):
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
            left = gr.Dropdown([], label="Left of the divider", interactive=True, elem_id="divider-left", min_width=260)
            right = gr.Dropdown(
                [], label="Right of the divider", interactive=True, elem_id="divider-right", min_width=260
            )
        duel = viewer(
            group="", label="Two results under one divider", value=empty_value(HINT), elem_id="divider-viewer"
        )

    def show(pins: list[Result], left: int | None, right: int | None):
        pins, others = of_last_photo(pins), len(pins) - len(of_last_photo(pins))
        values = [
            viewer_value(*pin.shown(), title, pin.subtitle) for pin, title in zip(pins, titles(pins), strict=True)
        ]
        values += [gr.skip()] * (MOST_PINS - len(pins))
        visible = [gr.update(visible=number < len(pins)) for number in range(MOST_PINS)]
        numbers = [pin.number for pin in pins]
        choices = list(zip(titles(pins), numbers, strict=True))
        chosen = pair(numbers, left, right)
        return [
            *values, *visible, pinned(len(pins), others), gr.update(visible=len(pins) > 1),
            *(gr.update(choices=choices, value=value) for value in chosen), face_off(pins, *chosen), gr.update(interactive=bool(pins)),
        ]  # fmt: skip

    quiet = dict(api_visibility="private", show_progress="hidden")
    shared.pins.change(
        show, [shared.pins, left, right], [*places, *columns, note, both, left, right, duel, clear], **quiet
    )
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


def pair(numbers: list[int], left: int | None, right: int | None) -> list[int | None]:
    """Which two results the divider parts: those it parted, if both are still there, else the first and the last."""
    if left != right and {left, right} <= set(numbers):
        return [left, right]
    return [numbers[0], numbers[-1]] if numbers else [None, None]


def told_apart(pins: list[Result]) -> list[str]:
    """The pins' titles; where several share one, with the parameters in which they differ."""
    named = []
    for pin in pins:
        namesakes = [other.about for other in pins if other.title == pin.title]
        apart = [name for name in pin.about.params if len({repr(a.params.get(name)) for a in namesakes}) > 1]
        given = ", ".join(f"{name.replace('_', ' ')} {pin.about.params[name]}" for name in apart)
        named.append(f"{pin.title} ({given})" if given else pin.title)
    return named


def titles(pins: list[Result]) -> list[str]:
    return [f"{place}. {title}" for place, title in enumerate(told_apart(pins), start=1)]


def face_off(pins: list[Result], left: int | None, right: int | None) -> dict:
    """The viewer's value that shows result number ``right`` with ``left`` on the other side of the divider."""
    by_number = {pin.number: (pin, title) for pin, title in zip(pins, titles(pins), strict=True)}
    if left not in by_number or right not in by_number:
        return empty_value(HINT)
    (one, one_title), (two, two_title) = by_number[left], by_number[right]
    (photo, segmentation), (_, other) = two.shown(), one.shown()
    alike = f"{100 * agreement(other.labels, segmentation.labels):.1f} % of pixel pairs grouped alike (Rand index)"
    both = replace(segmentation, facts={}, timings={})  # what is told of one of the two alone stays with its own card
    return viewer_value(photo, both, two_title, alike, before=(one_title, other))


def agreement(first: np.ndarray, second: np.ndarray) -> float:
    """The Rand index of two label maps: the share of pixel pairs on which both agree, together or apart."""
    return probabilistic_rand_index(first, [second])
