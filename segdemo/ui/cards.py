"""A card: one viewer with its method, and the buttons to pin and export what it shows."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.context import Context

from ..errors import Cancelled, ParameterError, SegdemoError
from .assets import LIVE, problem
from .viewer import as_text, empty_value, viewer
from .waiting import STATUS, drop_waiting
from .workshop import Result, Workshop, export_files, photo_of

ENGINE = "engine"
"""All events that compute share this concurrency group, one at a time."""

RUN = dict(concurrency_id=ENGINE, trigger_mode="multiple", api_visibility="private", show_progress="full")
"""How a button starts a run. Pressed while its run goes on, that one ends (``nobody_wants``) and one with what is set now begins."""


MOST_PINS = 8
"""Pins of one photo, as many as Compare shows."""

MOST_KEPT = 4 * MOST_PINS
"""Pins of all photos; beyond it the oldest go."""

PROMPT = 0.15
"""Seconds within which most runs that are to stop have done so."""


@dataclass
class Card:
    """``key`` names the card's result; ``files`` offers its export; ``fixed`` are parameters the card sets itself (``{"crf": True}``)."""

    key: str
    method: str
    title: str
    column: gr.Column
    viewer: gr.HTML
    files: gr.File
    fixed: dict[str, Any] = field(default_factory=dict)


@dataclass
class Shared:
    """State of one visitor that all tabs share: results by card, the pinned ones, the scribbles with their method, the ground truth."""

    results: gr.State
    pins: gr.State
    pad: gr.HTML | None = None
    pad_method: gr.Radio | None = None
    truth: gr.State | None = None


def card(key: str, method: str, title: str, group: str, shared: Shared, hint: str, **options: Any) -> Card:
    """Place a card; ``options`` go to its column (``visible``, ``min_width``)."""
    fixed = options.pop("fixed", {})
    with gr.Column(elem_classes="card", **options) as column:
        screen = viewer(group=group, label=title, value=empty_value(hint), elem_id=f"viewer-{key.replace('+', '-')}")
        with gr.Row(elem_classes="card-buttons"):
            pin = gr.Button("Pin to compare", size="sm", elem_classes="pin")
            export = gr.Button("Export", size="sm", elem_classes="export")
        files = gr.File(
            label="Label PNG, overlay PNG, JSON report", file_count="multiple", visible=False, interactive=False
        )
    pin.click(lambda results, pins: pin_result(key, results, pins), [shared.results, shared.pins], shared.pins,
              api_visibility="private", show_progress="hidden")  # fmt: skip
    export.click(lambda results: gr.update(value=export_result(key, results), visible=True), shared.results, files,
                 api_visibility="private")  # fmt: skip
    return Card(key, method, title, column, screen, files, fixed)


def wanted(key: str, results: dict[str, Result]) -> Result:
    if key not in results:
        raise gr.Error(
            "There is no result here yet: run the method first.", title="Nothing to use yet", print_exception=False
        )
    return results[key]


def export_result(key: str, results: dict[str, Result]) -> list[str]:
    """The files of a card's result; a ``gr.Error`` in words when there is none or its labels are too many for a file."""
    try:
        return export_files(wanted(key, results))
    except SegdemoError as error:
        raise gr.Error(str(error), title="This result cannot be exported", print_exception=False) from None


def pin_result(key: str, results: dict[str, Result], pins: list[Result]) -> list[Result]:
    """The pins with the card's result; those of one photo are limited by what Compare shows, the others stand in its way not."""
    result = wanted(key, results)
    if any(pin.number == result.number for pin in pins):
        gr.Info(f"{result.title} is pinned already: see the Compare tab.", duration=3)
        return pins
    if sum(pin.key == result.key for pin in pins) >= MOST_PINS:
        raise gr.Error(
            f"{MOST_PINS} results of this photo are pinned already: remove one in the Compare tab, then pin this one.",
            title="No place for another pin", print_exception=False,
        )  # fmt: skip
    gr.Info(f"{result.title} is pinned: see the Compare tab.", duration=3)
    return [*pins, result][-MOST_KEPT:]


def places(cards: list[Card]) -> list[Component]:
    """What a run of ``cards`` changes of them."""
    return [place for c in cards for place in (c.viewer, c.files)]


def run_cards(
    workshop: Workshop, cards: list[tuple[Card, dict[str, Any]]], path: str | None, results: dict[str, Result],
    shared: Shared, status: gr.HTML, progress: Any, request: gr.Request,
) -> Iterator[dict]:  # fmt: skip
    """Run the methods of ``cards`` one after the other; each viewer is updated as soon as its result is there.

    Yields updates by component, for an event whose outputs are ``places`` of the cards, ``shared.results`` and ``status``.
    Raises ``SegdemoError`` for what keeps all of them from running, see ``in_status``.
    """
    if not cards:
        raise ParameterError("Choose at least one method to run.")
    is_cancelled = workshop.visits.begin(request)  # first: a Stop while a large photo is decoded counts
    # In every yield: of what a yield leaves out, the page may not yet have drawn what came before.
    hidden = {c.files: gr.update(value=None, visible=False) for c, _ in cards}  # they were of the result before
    if progress is not None:
        yield hidden | {status: ""}  # what the run before said of itself
    photo = photo_of(path)
    results, succeeded = dict(results), 0
    for number, (target, params) in enumerate(cards):
        span = number / len(cards), (number + 1) / len(cards)
        try:
            value, result = workshop.run(target.method, photo, progress, is_cancelled, span, **params, **target.fixed)
        except Cancelled:
            yield hidden | {status: "Stopped. Results that were ready are kept."}
            return
        if result is not None:
            results[target.key] = result
            succeeded += 1
        yield hidden | {
            target.viewer: as_text(value),
            shared.results: results,
            status: f"{number + 1} of {len(cards)} done: {target.title}",
        }
    failed = len(cards) - succeeded
    done = "Done." if len(cards) == 1 else f"Done: {succeeded} results."
    yield hidden | {status: f"{failed} of {len(cards)} could not run: see what its card says." if failed else done}


def in_status(status: gr.HTML, updates: Iterator[dict]) -> Iterator[dict]:
    """The updates of a run; what keeps it from running stands in ``status``, where it stays to be read."""
    try:
        yield from updates
    except SegdemoError as error:
        yield {status: problem(error)}


def run_buttons(workshop: Workshop, label: str) -> tuple[gr.Button, gr.HTML]:
    """The run button, the stop button (wired) and the status line beneath them."""
    with gr.Row(elem_classes="run-row"):
        run = gr.Button(label, variant="primary", scale=3, min_width=140)
        stop = gr.Button("Stop", variant="secondary", scale=1, min_width=104)
    status = gr.HTML("", elem_classes=STATUS, js_on_load=LIVE)
    stop_on(stop, workshop)
    return run, status


def stop_on(button: gr.Button, workshop: Workshop) -> None:
    """Let ``button`` stop all that runs for its visitor, and drop what waits in line; it says so until all has ended."""
    page = Context.root_block

    async def stop(request: gr.Request) -> Any:
        drop_waiting(page, request.session_hash)
        workshop.visits.stop(request)
        await asyncio.sleep(PROMPT)  # most runs end at once: no flicker
        return gr.update(value="Stopping…", interactive=False) if workshop.visits.stopping(request) else gr.skip()

    async def until_ended(request: gr.Request) -> Any:
        while workshop.visits.stopping(request):
            await asyncio.sleep(PROMPT)
        return gr.update(value="Stop", interactive=True)

    quiet = dict(queue=False, show_progress="hidden", api_visibility="private")
    button.click(stop, None, button, **quiet).then(until_ended, None, button, **quiet)
