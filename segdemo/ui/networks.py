"""The networks tab: every trained network on one photo, each with and without CRF refinement."""

from __future__ import annotations

import html

import gradio as gr

from ..labels import VOC21
from ..method import methods
from ..networks import checkpoints
from .cards import ENGINE, Card, Shared, card, run_buttons, run_cards
from .controls import controls_for
from .photo import PhotoPanel
from .workshop import Result, Workshop

INTRO = (
    "**Learned pixel by pixel.** Each network gives every pixel a probability for each of VOC's 21 classes. The dense CRF "
    "takes these as its unary term and lets the photo's edges decide where a class ends; play its iterations below the picture."
)
CRF_CHOICES = [("without CRF", "without"), ("with CRF", "with"), ("both", "both")]


def networks_tab(workshop: Workshop, panel: PhotoPanel, shared: Shared) -> dict[str, dict]:
    """Build the tab; returns the controls of each network, for the HTTP API."""
    family = [m for m in methods().values() if m.family == "networks"]
    reasons = {m.name: m.unavailable() for m in family}
    ready = [m for m in family if not reasons[m.name]]
    gr.Markdown(INTRO)
    with gr.Row(elem_classes="toolbar"):
        with gr.Column(scale=3, min_width=300):
            chosen = gr.CheckboxGroup(
                [(m.title, m.name) for m in ready], value=[m.name for m in ready if m.name in ("fcn-32s", "fcn-8s", "deeplab-v3plus")],
                label="Networks", elem_id="network-methods",
            )  # fmt: skip
            for name, reason in reasons.items():
                if reason:
                    gr.Markdown(f"~~{name}~~ {reason}", elem_classes="unavailable")
        with gr.Column(scale=2, min_width=260):
            refinement = gr.Radio(CRF_CHOICES, value="both", label="Dense CRF", elem_id="crf-choice")
        with gr.Column(scale=2, min_width=260):
            run, status = run_buttons(workshop, "Run networks")
    with gr.Accordion("CRF and network parameters", open=False), gr.Row():
        controls = controls_for(family[0].params, only=lambda name: name != "crf", strip="crf_")
    table = gr.HTML("", elem_id="network-table")
    cards: list[Card] = []
    with gr.Row(elem_classes="card-grid pairs"):
        for m in ready:
            for crf in (False, True):
                key, title = m.name + "+crf" * crf, m.title + " + CRF" * crf
                shown = m.name in ("fcn-32s", "fcn-8s", "deeplab-v3plus")
                cards.append(
                    card(key, m.name, title, "networks", shared, f"{title}: press Run networks.", visible=shown, min_width=330,
                         fixed={"crf": crf})
                )  # fmt: skip
    with gr.Accordion("Cards: what each network is, what it learned from, how it scores", open=False):
        for m in ready:
            gr.Markdown(card_text(m.name, m.title, m.summary))

    def wanted_cards(selected, crf) -> list[Card]:
        admitted = {"without": (False,), "with": (True,), "both": (False, True)}[crf]
        return [c for c in cards if c.method in selected and c.fixed["crf"] in admitted]

    def segment(
        path, working_size, seed, results, selected, crf, *values, progress=gr.Progress(), request: gr.Request = None
    ):
        params = dict(zip(controls, values, strict=True)) | {"working_size": working_size, "seed": seed}
        jobs = [(c, params) for c in wanted_cards(selected, crf)]
        done: list[str] = []
        for update in run_cards(workshop, jobs, path, results, shared, status, progress, request):
            done += [c.key for c, _ in jobs if c.viewer in update and update[c.viewer]["state"] == "result"]
            if shared.results in update:
                update[table] = summary_table([update[shared.results][key] for key in done])
            yield update

    run.click(
        segment, [*panel.shared, shared.results, chosen, refinement, *controls.values()],
        [c.viewer for c in cards] + [shared.results, status, table],
        concurrency_id=ENGINE, show_progress="full", show_progress_on=status, api_visibility="private",
    )  # fmt: skip
    for changed in (chosen, refinement):
        changed.change(
            lambda selected, crf: [gr.update(visible=c in wanted_cards(selected, crf)) for c in cards], [chosen, refinement],
            [c.column for c in cards], api_visibility="private", show_progress="hidden",
        )  # fmt: skip
    return {m.name: controls for m in ready}


def summary_table(results: list[Result]) -> str:
    """One row per result, one column per class that occurs in any of them: the common legend, with area shares."""
    if not results:
        return ""
    classes = [k for k in range(len(VOC21)) if any(r.segmentation.shares[k] >= 0.001 for r in results)]
    head = "".join(
        f'<th><span class="swatch" style="background:rgb{tuple(int(v) for v in VOC21.palette[k])}"></span>{html.escape(VOC21.names[k])}</th>'
        for k in classes
    )
    rows = []
    for r in results:
        facts, timings = r.segmentation.facts, r.segmentation.timings
        cells = "".join(f"<td>{r.segmentation.shares[k]:.1%}</td>" for k in classes)
        rows.append(
            f"<tr><th scope='row'>{html.escape(r.title)}</th><td>{sum(timings.values()):.2f} s</td>"
            f"<td>{facts['parameters'] / 1e6:.1f} M</td><td>{facts['mIoU-7 on VOC val']:.3f}</td>{cells}</tr>"
        )
    return (
        "<div class='table-scroll'><table class='summary'><thead><tr><th>network</th><th>time</th><th>parameters</th>"
        f"<th title='mean IoU of seven classes on the validation photos, without CRF'>mIoU-7</th>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def card_text(name: str, title: str, summary: str) -> str:
    """A network's card as Markdown."""
    card = checkpoints.read_card(name)
    plain, refined, training = card["scores"], card["scores_with_crf"], card["training"]
    return (
        f"**{title}**: {summary}\n\n"
        f"{card['parameters'] / 1e6:.2f} M parameters; sees photos at {card['input_size']} px; on {plain['photos']} validation photos "
        f"mIoU-7 {plain['miou7']:.3f} ({refined['miou7']:.3f} with CRF), pixel accuracy {plain['pixel_accuracy']:.3f}, "
        f"boundary F {plain['boundary_f']:.3f} ({refined['boundary_f']:.3f} with CRF). Trained {training['minutes']:.0f} minutes "
        f"on {training['device']}, seed {card['seed']}. Data: {card['data']}. Licence: {card['licence']}.\n"
    )
