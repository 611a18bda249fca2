"""The graph-cut tab: scribble on the photo, cut, see the energy, look inside the graph."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr
from gradio.components import Component

from ..engine import Engine
from ..method import methods
from ..segmentation import Segmentation
from .cards import RUN, Shared, card, in_status, places, run_buttons, run_cards
from .controls import controls_for, named, of_method
from .gathering import gather, values_of
from .lessons.boxes import lesson_box, lesson_group
from .lessons.graph_patch import graph_lesson
from .lessons.solutions import solutions_lesson
from .photo import PhotoPanel, shown_key
from .scribble_pad import brushes_of, labels_drawn, method_update, photo_update, scribble_pad, seeds_on
from .viewer import empty_value, error_value
from .workshop import Workshop, key_of, photo_of

BACKGROUND = 2
"""Its label on the pad, which a box has as well: all that lies outside of it."""

INTRO = (
    "**Segmentation as energy minimization.** A few strokes say what is object and what is background. The data term learns their "
    "colours (Graph cut also what a trained network sees there), the smoothness term makes borders expensive except along edges of the "
    "photo, and for two labels the minimum cut is the best of all labelings, exactly. Energies of two methods, whose data terms differ, do not compare."
)


HINT = "Draw a stroke on each thing that is to be told apart, then press Cut."
ONE_SO_FAR = "One label has a stroke: draw another, and it is cut."
FEWER = "This is the cut of earlier strokes. Those that are left do not suffice for another: each label needs one."
CUT_IF_LIVE = "(live) => { if (live) document.querySelector('#live-cut').click(); return []; }"
ASKED = "() => { const { graphcut = 0 } = window.segdemoChanges || {}; window.segdemoAsked = { graphcut }; }"
"""Notes at the press of Cut how many changes there were: a result is outdated if there are more when it comes."""
CHANGED = """(live) => {
  const changes = window.segdemoChanges = { graphcut: 0, lessons: 0, ...window.segdemoChanges }, isOfLessons = %s;
  changes.graphcut += 1;
  if (isOfLessons) changes.lessons += 1;
  window.dispatchEvent(new CustomEvent('segdemo-changed', { detail: { group: 'graphcut', live, isOfLessons } }));
  if (live) document.querySelector('#live-cut').click();
  return [];
}"""
"""After a change of what is to be cut: what was made before says that it is outdated, or with ``live`` is made anew."""


class LiveEngine:
    """The engine for live cuts: without the pictures beside a result, whose encoding takes as long as the cut."""

    def __init__(self, engine: Engine):
        self.engine = engine

    def has_run(self, method: str) -> bool:
        return self.engine.has_run(method)

    def run(self, *args: Any, **options: Any) -> Segmentation:
        return replace(self.engine.run(*args, **options), pictures=[])


def graphcut_tab(workshop: Workshop, panel: PhotoPanel, shared: Shared) -> dict[str, Component]:
    """Build the tab; returns its controls by their names in the page's address."""
    family = [m for m in methods().values() if m.family == "graphcut"]
    labels = {m.name: len(brushes_of(m)) for m in family}
    live_workshop = Workshop(LiveEngine(workshop.engine))
    live_workshop.visits = workshop.visits  # one Stop button for both
    gr.Markdown(INTRO)
    with gr.Row():
        with gr.Column(scale=1, min_width=330):
            method = gr.Radio(
                [(m.title, m.name) for m in family], value=family[0].name, label="Method", visible=len(family) > 1
            )
            pad = scribble_pad(family, elem_id="pad")
            shared.pad, shared.pad_method = pad, method
        with gr.Column(scale=1, min_width=330):
            live = gr.Checkbox(
                label="live", value=False, elem_id="live",
                info="cut again after every stroke and every change of a parameter: the same cut, without its replay and pictures",
            )  # fmt: skip
            run, status = run_buttons(workshop, "Cut")
            target = card("graphcut", family[0].name, family[0].title, "graphcut", shared, HINT)
    controls = {}
    for m in family:
        with (
            gr.Accordion(f"{m.title}: parameters", open=False, visible=m is family[0]) as box,
            gr.Row(elem_classes="parameters"),
        ):
            controls[m.name] = (box, controls_for(m.params))
    parameters = named({name: fields for name, (_, fields) in controls.items()})

    def cut(is_live, path, working_size, seed, results, name, strokes, gathered, *, progress, request):
        params = of_method(name, values_of(gathered))
        seeds = seeds_on(key_of(path), strokes, photo_of(path).shape[:2], labels[name])
        params |= {"working_size": working_size, "seed": seed, "scribbles": seeds, "keep_frames": not is_live}
        job = (replace(target, method=name), params)
        yield from run_cards(
            live_workshop if is_live else workshop, [job], path, results, shared, status, progress, request
        )

    def segment(request: gr.Request, *values, progress=gr.Progress()):
        yield from in_status(status, cut(False, *values, progress=progress, request=request))

    def live_segment(request: gr.Request, *values):
        """After a stroke or another change, where live is on: once the seeds suffice, and without replay and progress."""
        results, name, strokes = values[len(panel.shared) :][:3]
        drawn = labels_drawn(strokes, labels[name])
        if not drawn:
            others = {key: result for key, result in results.items() if key != target.key}
            gone = gr.update(value=None, visible=False)
            return {target.viewer: empty_value(HINT), target.files: gone, shared.results: others, status: ""}
        if not suffices(name, drawn):
            last = results.get(target.key)
            is_of_photo = last is not None and last.key == shown_key(values[0])
            return {target.viewer: error_value(FEWER), status: ""} if is_of_photo else {status: ONE_SO_FAR}
        updates: dict = {}  # all at once: each update costs the page's script a tenth of a second
        for update in in_status(status, cut(True, *values, progress=None, request=request)):
            updates |= update
        return updates

    again = gr.Button("Cut again", elem_id="live-cut", visible="hidden")
    inputs = [*panel.shared, shared.results, method, pad]
    common = dict(show_progress_on=status, **RUN)
    outputs = [*places([target]), shared.results, status]
    for asking in (run.click, again.click):
        asking(None, None, None, js=ASKED, api_visibility="private", show_progress="hidden")
    pressed, gathered = gather(run.click, parameters)
    pressed.then(segment, [*inputs, gathered], outputs, **common)
    # Strokes and parameters call the server only where live is on: what Stop finds in line are cuts that were asked for.
    fields = controls["graphcut"][1]
    of_lessons = [pad.input, *(field.change for field in fields.values())]
    others = [method.change, *(field.change for field in parameters.values() if field not in fields.values())]
    for changes, is_of_lessons in ((of_lessons, "true"), (others, "false")):
        for changed in changes:
            changed(None, live, None, js=CHANGED % is_of_lessons, api_visibility="private", show_progress="hidden")
    live.change(None, live, None, js=CUT_IF_LIVE, api_visibility="private", show_progress="hidden")
    asked, gathered = gather(again.click, parameters)
    asked.then(
        live_segment, [*inputs, gathered], outputs, **common | dict(show_progress="hidden", trigger_mode="always_last")
    )
    method.change(
        lambda name: [method_update(name), *(gr.update(visible=m == name) for m in controls)],
        method, [pad, *(box for box, _ in controls.values())], api_visibility="private", show_progress="hidden",
    )  # fmt: skip
    panel.file.change(
        lambda path: photo_update(photo_of(path) if shown_key(path) else None),
        panel.path,
        pad,
        api_visibility="private",
        show_progress="hidden",
    )
    with lesson_group("Look inside"):
        with lesson_box("The graph of a patch, and its maximum flow", "graph-lesson"):
            graph_lesson(workshop, panel, pad, fields)
        with lesson_box("All solutions over λ", "solutions-lesson"):
            solutions_lesson(workshop, panel, pad, fields)
    return {"graphcut": method, "live": live} | parameters


def suffices(method: str, drawn: set[int]) -> bool:
    """Whether the labels drawn are enough to cut: GrabCut wants a box or background, the others two kinds of seed."""
    return BACKGROUND in drawn if method == "grabcut" else len(drawn) > 1
