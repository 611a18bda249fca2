"""The graph-cut tab: scribble on the photo, cut, see the energy."""

from __future__ import annotations

from dataclasses import replace

import gradio as gr

from ..method import methods
from .cards import ENGINE, Shared, card, run_buttons, run_cards
from .controls import controls_for
from .photo import PhotoPanel
from .scribble_pad import photo_update, rasterize, scribble_pad
from .workshop import Workshop, read_photo

INTRO = (
    "**Segmentation as energy minimization.** A few strokes say what is object and what is background. The data term learns their "
    "colours, the smoothness term makes borders expensive except along edges of the photo, and the minimum cut is the best of all "
    "labelings, exactly."
)


def graphcut_tab(workshop: Workshop, panel: PhotoPanel, shared: Shared) -> dict[str, dict]:
    """Build the tab; returns the controls of each method, for the HTTP API."""
    family = [m for m in methods().values() if m.family == "graphcut"]
    gr.Markdown(INTRO)
    with gr.Row():
        with gr.Column(scale=1, min_width=330):
            pad = scribble_pad(elem_id="pad")
            with gr.Row(elem_classes="toolbar"):
                method = gr.Radio(
                    [(m.title, m.name) for m in family], value=family[0].name, label="Method", visible=len(family) > 1
                )
                live = gr.Checkbox(
                    label="live",
                    info="cut again after every stroke, without replay",
                    value=False,
                    elem_id="live",
                    min_width=120,
                )
            run, status = run_buttons(workshop, "Cut")
        with gr.Column(scale=1, min_width=330):
            target = card(
                "graphcut",
                family[0].name,
                family[0].title,
                "graphcut",
                shared,
                "Draw on the object and on the background, then press Cut.",
            )
    controls = {}
    for m in family:
        with gr.Accordion(f"{m.title}: parameters", open=False, visible=m is family[0]) as box, gr.Row():
            controls[m.name] = (box, controls_for(m.params))
    flat = [component for _, fields in controls.values() for component in fields.values()]

    def cut(keep_frames, path, working_size, seed, results, name, strokes, *values, progress, request):
        rest = iter(values)
        params = {m: {field: next(rest) for field in fields} for m, (_, fields) in controls.items()}[name]
        seeds = rasterize(strokes, read_photo(path).shape[:2])
        params |= {"working_size": working_size, "seed": seed, "scribbles": seeds, "keep_frames": keep_frames}
        job = (replace(target, method=name), params)
        yield from run_cards(workshop, [job], path, results, shared, status, progress, request)

    def segment(*values, progress=gr.Progress(), request: gr.Request = None):
        yield from cut(True, *values, progress=progress, request=request)

    def live_segment(is_live, *values, progress=gr.Progress(), request: gr.Request = None):
        """After a stroke: only when live, once both kinds of seed are there, and without the replay's further cuts."""
        strokes = values[len(panel.shared) + 2]  # after the results and the method, as in ``inputs``
        drawn = {stroke["label"] for stroke in (strokes or {}).get("strokes", [])}
        if is_live and {1, 2} <= drawn:
            yield from cut(False, *values, progress=progress, request=request)

    inputs = [*panel.shared, shared.results, method, pad, *flat]
    common = dict(concurrency_id=ENGINE, api_visibility="private", show_progress_on=status)
    outputs = [target.viewer, shared.results, status]
    run.click(segment, inputs, outputs, show_progress="full", **common)
    pad.input(live_segment, [live, *inputs], outputs, show_progress="hidden", trigger_mode="always_last", **common)
    method.change(
        lambda name: [gr.update(visible=m == name) for m in controls], method, [box for box, _ in controls.values()],
        api_visibility="private", show_progress="hidden",
    )  # fmt: skip
    panel.path.change(
        lambda path: photo_update(read_photo(path) if path else None),
        panel.path,
        pad,
        api_visibility="private",
        show_progress="hidden",
    )
    return {name: fields for name, (_, fields) in controls.items()}
