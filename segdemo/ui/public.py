"""Public checkpoints on the page: what there is, its licence, a download on request, a run."""

from __future__ import annotations

import time
from dataclasses import replace

import gradio as gr
from gradio.components import Component

from ..errors import Cancelled, SegdemoError
from ..networks import official
from .assets import LIVE, problem
from .cards import RUN, Shared, card, in_status, places, run_cards, stop_on
from .gathering import gather, values_of
from .photo import PhotoPanel
from .waiting import STATUS
from .workshop import Workshop

INTRO = (
    "Networks of others, larger and trained on more photos. Nothing is fetched before you press Download; after that they run "
    "without internet. ADE20K's and Cityscapes' classes can be shown as VOC's, to compare, or as they are."
)


def describe(name: str) -> str:
    """A checkpoint's terms and whether it is here, as Markdown."""
    entry = official.official()[name]
    state = "Downloaded." if entry.file else f"Not downloaded yet: about {entry.megabytes} MB."
    return f"**{entry.title}**: {entry.about} {state}  \n**Licence:** {entry.licence}."


def public_checkpoints(
    workshop: Workshop, panel: PhotoPanel, shared: Shared, controls: dict[str, Component], refinement: gr.Radio
) -> None:
    """Place the section. ``controls`` and ``refinement`` are those of the project's networks."""
    entries = official.official()
    first = next(iter(entries))
    gr.Markdown(INTRO)
    with gr.Row(elem_classes="toolbar"):
        with gr.Column(scale=3, min_width=300):
            choice = gr.Dropdown(
                [(e.title, e.name) for e in entries.values()], value=first, label="Checkpoint", elem_id="public-choice"
            )
            about = gr.Markdown(describe(first), elem_id="public-about")
        with gr.Column(scale=2, min_width=260):
            labels = gr.Radio([("as VOC's 21", "voc"), ("its own", "own")], value="voc", label="Classes")
        with gr.Column(scale=2, min_width=260):
            with gr.Row(elem_classes="run-row"):
                fetch = gr.Button("Download", elem_id="public-download", min_width=110)
                run = gr.Button("Run it", variant="primary", min_width=90, elem_id="public-run")
                stop = gr.Button("Stop", min_width=104)
            status = gr.HTML("", elem_classes=STATUS, elem_id="public-status", js_on_load=LIVE)
    cards = []
    with gr.Row(elem_classes="card-grid pairs"):
        for crf in (False, True):
            hint = "A public checkpoint" + (" with CRF" if crf else "") + ": choose, download, run."
            key = "public" + "+crf" * crf
            cards.append(
                card(key, first, "Public checkpoint", "networks", shared, hint, min_width=330, fixed={"crf": crf})
            )

    def download(request: gr.Request, name, progress=gr.Progress()):
        is_cancelled, shown = workshop.visits.begin(request), 0.0

        def on_progress(done: int, total: int | None) -> None:
            nonlocal shown
            if time.monotonic() - shown > 0.2:
                shown = time.monotonic()
                progress(done / total if total else 0, desc=f"{done / 1e6:.1f} MB")

        try:
            official.download(name, on_progress, is_cancelled)
        except Cancelled:
            return describe(name), "Stopped. What has arrived is kept for the next time."
        except SegdemoError as error:
            return describe(name), problem(error)
        return describe(name), "Downloaded. Press Run it."

    def segment(
        request: gr.Request, path, working_size, seed, results, name, crf, label_set, gathered, progress=gr.Progress()
    ):
        if official.unavailable(name):  # said once, not in both cards
            yield {status: problem("This checkpoint is not here yet: press Download first.")}
            return
        params = values_of(gathered) | {"working_size": working_size, "seed": seed, "labels": label_set}
        params = {key: value for key, value in params.items() if key in official.OfficialParams.model_fields}
        admitted = {"without": (False,), "with": (True,), "both": (False, True)}[crf]
        title = official.official()[name].title
        jobs = [(replace(c, method=name, title=title), params) for c in cards if c.fixed["crf"] in admitted]
        yield from in_status(status, run_cards(workshop, jobs, path, results, shared, status, progress, request))

    quiet = dict(api_visibility="private", show_progress="hidden")
    choice.change(describe, choice, about, **quiet)
    stop_on(stop, workshop)
    fetch.click(
        download,
        choice,
        [about, status],
        concurrency_limit=2,
        show_progress="full",
        show_progress_on=status,
        api_visibility="private",
    )
    pressed, gathered = gather(run.click, controls)
    pressed.then(
        segment, [*panel.shared, shared.results, choice, refinement, labels, gathered],
        [*places(cards), shared.results, status],
        show_progress_on=status, **RUN,
    )  # fmt: skip
