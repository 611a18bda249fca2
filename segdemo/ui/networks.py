"""The networks tab: every trained network on one photo, each with and without CRF refinement."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr
import numpy as np
from gradio.components import Component

from ..labels import VOC21
from ..method import Method, get_method, methods
from ..networks.inference import NetworkParams, is_public
from .cards import RUN, Card, Shared, card, in_status, places, run_buttons, run_cards
from .controls import controls_for, named
from .gathering import gather, values_of
from .lessons.boxes import lesson_box, lesson_group
from .lessons.convolution import atrous_lesson, branches_lesson, loss_board, patches_lesson, upsampling_lesson
from .lessons.crf import film_lesson, pairwise_lesson, scanline_lesson, terms_lesson
from .lessons.receptive_field import receptive_field_lesson
from .lessons.stage_maps import stage_maps_lesson
from .photo import PhotoPanel
from .public import public_checkpoints
from .workshop import Result, Workshop
from .zoo import zoo

INTRO = (
    "**Learned pixel by pixel.** Each network gives every pixel a probability for each of VOC's 21 classes. The dense CRF "
    "takes these as its unary term and lets the photo's edges decide where a class ends; play its iterations below the picture."
)
AT_FIRST = ("fcn-32s", "fcn-8s", "deeplab-v3plus")
"""Networks chosen when the page opens: coarse, finer, finest."""

MANY = 7
"""Classes from which on the table's columns are narrow."""

CRF_CHOICES = [("without CRF", "without"), ("with CRF", "with"), ("both", "both")]


def networks_tab(workshop: Workshop, panel: PhotoPanel, shared: Shared) -> dict[str, Component]:
    """Build the tab; returns its controls by their names in the page's address."""
    family = [m for m in methods().values() if m.family == "networks" and not is_public(m.name)]
    reasons = {m.name: m.unavailable() for m in family}
    ready = [m for m in family if not reasons[m.name]]
    gr.Markdown(INTRO)
    with gr.Row(elem_classes="toolbar"):
        with gr.Column(scale=3, min_width=300):
            chosen = gr.CheckboxGroup(
                [(m.title, m.name) for m in ready], value=[m.name for m in ready if m.name in AT_FIRST],
                label="Networks", elem_id="network-methods",
            )  # fmt: skip
            missing = [f"- ~~{name}~~ {reason}" for name, reason in reasons.items() if reason]
            if missing:
                gr.Markdown("\n".join(missing), elem_classes="unavailable")
        with gr.Column(scale=2, min_width=260):
            refinement = gr.Radio(CRF_CHOICES, value="both", label="Dense CRF", elem_id="crf-choice")
        with gr.Column(scale=2, min_width=260):
            run, status = run_buttons(workshop, "Run networks")
    controls, switches = network_controls(ready)
    with gr.Accordion("The zoo: accuracy against cost, and every network's card", open=False, elem_id="zoo-box"):
        gallery = zoo(ready, elem_id="zoo")
    table = gr.HTML("", elem_id="network-table")
    cards = network_cards(ready, shared)
    with gr.Accordion("Public checkpoints: larger networks, fetched on request", open=False, elem_id="public-box"):
        public_checkpoints(workshop, panel, shared, controls, refinement)

    with lesson_group("Look inside the CRF"):
        with lesson_box("The pairwise term, seen from one pixel", "pairwise-lesson"):
            pairwise_lesson(workshop, panel, ready)
        with lesson_box("The energy, term by term", "terms-lesson"):
            terms_lesson(workshop, panel, ready, controls)
        with lesson_box("The mean field, iteration by iteration", "film-lesson"):
            film_lesson(workshop, panel, ready, controls)
        with lesson_box("Hidden Markov model against CRF, line by line", "scanline-lesson"):
            scanline_lesson(workshop, panel, ready, shared)
    with lesson_group("Look inside what networks are made of"):
        with lesson_box("Patch by patch against all at once, and what convolutions cost", "patches-lesson"):
            patches_lesson(workshop, panel, ready)
        with lesson_box("Softmax and cross-entropy: what a network learns from", "loss-lesson"):
            loss_board(workshop, panel, ready, shared)
        with lesson_box("Pooling and the ways back up", "upsampling-lesson"):
            upsampling_lesson(workshop, panel)
        with lesson_box("Atrous convolution", "atrous-lesson"):
            atrous_lesson(workshop, panel)
    with lesson_group("Look inside a trained network"):
        with lesson_box("Its maps, down and up again", "maps-lesson"):
            stage_maps_lesson(workshop, panel, ready)
        with lesson_box("What each branch adds, from FCN's skips to SegFormer's stages", "branches-lesson"):
            branches_lesson(workshop, panel, ready)
        with lesson_box("How far each network looks", "field-box"):
            receptive_field_lesson(workshop, panel, ready)

    def wanted_cards(selected, crf) -> list[Card]:
        admitted = {"without": (False,), "with": (True,), "both": (False, True)}[crf]
        return [c for c in cards if c.method in selected and c.fixed["crf"] in admitted]

    def segment(
        request: gr.Request, path, working_size, seed, results, selected, crf, gathered, progress=gr.Progress()
    ):
        params = values_of(gathered) | {"working_size": working_size, "seed": seed}
        jobs = [(c, takes(c.method, params)) for c in wanted_cards(selected, crf)]
        done: list[str] = []
        for update in in_status(status, run_cards(workshop, jobs, path, results, shared, status, progress, request)):
            fresh = update.get(shared.results, results)
            done += [c.key for c, _ in jobs if c.viewer in update and fresh.get(c.key) is not results.get(c.key)]
            if shared.results in update:
                update[table] = summary_table([update[shared.results][key] for key in done])
            yield update
        if done:
            yield update | {gallery: {"picked": "", "shown": done[-1].removesuffix("+crf")}}

    def show(selected, crf):
        wanted = wanted_cards(selected, crf)
        return [gr.update(visible=c in wanted) for c in cards] + [
            gr.update(visible=name in selected) for name in switches
        ]

    pressed, gathered = gather(run.click, controls)
    pressed.then(
        segment, [*panel.shared, shared.results, chosen, refinement, gathered],
        [*places(cards), shared.results, status, table, gallery],
        show_progress_on=status, **RUN,
    )  # fmt: skip
    for changed in (chosen, refinement):
        changed.change(
            show, [chosen, refinement], [*(c.column for c in cards), *switches.values()],
            api_visibility="private", show_progress="hidden",
        )  # fmt: skip
    gallery.select(
        lambda value, selected: [m.name for m in ready if m.name in {*selected, value["picked"]}], [gallery, chosen], chosen,
        api_visibility="private", show_progress="hidden",
    )  # fmt: skip
    return {"networks": chosen, "crf": refinement} | named({"network": controls})


def network_controls(ready: list[Method]) -> tuple[dict[str, Component], dict[str, gr.Accordion]]:
    """Controls of all networks by parameter, and for networks with parameters of their own the box that holds those."""
    with gr.Accordion("CRF and network parameters", open=False), gr.Row(elem_classes="parameters"):
        controls = controls_for(NetworkParams, only=lambda name: name != "crf", strip="crf_")
    boxes = {}
    for m in ready:
        own = [name for name in m.params.model_fields if name not in NetworkParams.model_fields]
        if own:
            with (
                gr.Accordion(f"{m.title}: its own switches", visible=m.name in AT_FIRST) as boxes[m.name],
                gr.Row(elem_classes="parameters"),
            ):
                controls |= controls_for(m.params, only=own.__contains__)
    return controls, boxes


def takes(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Those of ``params`` that the method has."""
    known = get_method(method).params.model_fields
    return {name: value for name, value in params.items() if name in known}


def network_cards(ready: list[Method], shared: Shared) -> list[Card]:
    """For every network a card without and one with the CRF."""
    cards: list[Card] = []
    with gr.Row(elem_classes="card-grid pairs even level"):
        for m in ready:
            for crf in (False, True):
                key, title = m.name + "+crf" * crf, m.title + " + CRF" * crf
                cards.append(
                    card(key, m.name, title, "networks", shared, f"{title}: press Run networks.", visible=m.name in AT_FIRST,
                         min_width=330, fixed={"crf": crf})
                )  # fmt: skip
    return cards


def share_text(part: float) -> str:
    """A part of the photo in percent, as many digits as on the cards; a dot where there is next to nothing."""
    if part < 0.0005:
        return "·"
    return f"{100 * part:.1f} %" if part < 0.0995 else f"{100 * part:.0f} %"


def summary_table(results: list[Result]) -> str:
    """One row per result, one column per class that occurs in any of them: the common legend, with area shares.

    Background stands first, then the class that covers most in any result.
    """
    if not results:
        return ""
    most = np.max([r.about.shares for r in results], axis=0)
    # Background, then the classes that cover most: of many columns the last may lie beyond the table's edge.
    classes = [0, *(k for k in np.argsort(-most[1:], kind="stable") + 1 if most[k] >= 0.001)]
    head = "".join(
        f'<th><span class="swatch" style="background:rgb{tuple(int(v) for v in VOC21.palette[k])}"></span>{html.escape(VOC21.names[k])}</th>'
        for k in classes
    )
    rows = []
    for r in results:
        facts = r.about.facts
        score = facts.get("mIoU-7 with the CRF's defaults", facts.get("mIoU-7 on VOC val"))
        accuracy = "–" if score is None else f"{score:.3f}"
        cells = "".join(f"<td>{share_text(r.about.shares[k])}</td>" for k in classes)
        rows.append(
            f"<tr><th scope='row'>{html.escape(r.title)}</th><td>{r.seconds + r.about.spared:.2f} s</td>"
            f"<td>{facts['parameters'] / 1e6:.1f} M</td><td>{accuracy}</td>{cells}</tr>"
        )
    return (
        f"<div class='table-scroll'><table class='summary{' many' * (len(classes) > MANY)}'><thead><tr><th>network</th>"
        "<th title='of this run, with what was kept from earlier runs counted in'>time</th><th>parameters</th>"
        f"<th title='mean IoU of seven classes on the validation photos, as its card says; none for a network in parts or at another input size'>mIoU-7</th>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
