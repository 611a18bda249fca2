"""The clustering tab: superpixels, graph-based merging, k-means and normalized cuts side by side, each with its own controls."""

from __future__ import annotations

import gradio as gr
from gradio.components import Component

from ..method import methods
from .cards import RUN, Shared, card, in_status, places, run_buttons, run_cards
from .controls import controls_for, named, of_method
from .gathering import gather, values_of
from .lessons.clustering import clustering_lessons
from .photo import PhotoPanel
from .truth import truth_column, truth_panel
from .workshop import Workshop

INTRO = (
    "**Segmentation as clustering.** Pixels that look alike and lie together form a group; nobody tells the method "
    "what the groups mean. Segment, then play the iterations."
)


def clustering_tab(workshop: Workshop, panel: PhotoPanel, shared: Shared) -> dict[str, Component]:
    """Build the tab; returns its controls by their names in the page's address."""
    family = [m for m in methods().values() if m.family == "clustering"]
    gr.Markdown(INTRO)
    with gr.Row(elem_classes="toolbar"):
        with gr.Column(scale=3, min_width=300):
            chosen = gr.CheckboxGroup(
                [(m.title, m.name) for m in family],
                value=[m.name for m in family],
                label="Methods",
                elem_id="clustering-methods",
            )
        with gr.Column(scale=2, min_width=260):
            run, status = run_buttons(workshop, "Segment")
    cards, controls = [], {}
    with gr.Row(elem_classes="card-grid pairs even"):
        for m in family:
            cards.append(
                card(m.name, m.name, m.title, "clustering", shared, f"{m.title}: press Segment.", min_width=330)
            )
            with cards[-1].column, gr.Accordion(f"{m.title}: parameters", open=False):
                gr.Markdown(m.summary)
                controls[m.name] = controls_for(m.params)
        column, screen = truth_column()
    truth_panel(panel, shared, column, screen)
    clustering_lessons(workshop, panel)

    def segment(request: gr.Request, path, working_size, seed, results, selected, gathered, progress=gr.Progress()):
        values, common = values_of(gathered), {"working_size": working_size, "seed": seed}
        jobs = [(c, of_method(c.method, values) | common) for c in cards if c.method in selected]
        yield from in_status(status, run_cards(workshop, jobs, path, results, shared, status, progress, request))

    pressed, gathered = gather(run.click, named(controls))
    pressed.then(
        segment, [*panel.shared, shared.results, chosen, gathered], [*places(cards), shared.results, status],
        show_progress_on=status, **RUN,
    )  # fmt: skip
    chosen.change(
        lambda selected: [gr.update(visible=c.method in selected) for c in cards], chosen, [c.column for c in cards],
        api_visibility="private", show_progress="hidden",
    )  # fmt: skip
    return {"clustering": chosen} | named(controls)
