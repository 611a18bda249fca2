"""A human segmentation beside the methods: loading it, showing it in the same viewer, and scoring what is shown."""

from __future__ import annotations

import html
from dataclasses import dataclass, replace

import gradio as gr
import numpy as np

from .. import metrics
from ..errors import SegdemoError
from ..ground_truth import GroundTruth, load_ground_truth
from ..labels import IGNORE, distinct_colours
from ..segmentation import Frame, Segmentation
from .cards import Shared
from .packed import PackedLabels
from .photo import PhotoPanel, shown_key
from .viewer import empty_value, viewer, viewer_value
from .workshop import Result, key_of, photo_of

MEASURES = (
    ("covering", "each human region by its best match among ours, 1 is perfect", metrics.segmentation_covering, False),
    ("PRI", "probabilistic Rand index: pixel pairs judged alike, 1 is perfect", metrics.probabilistic_rand_index, False),
    ("VI", "variation of information in bits, 0 is perfect", metrics.variation_of_information, True),
    ("boundary recall", "human boundaries found within 2 pixels, 1 is perfect", metrics.boundary_recall, False),
    (
        "achievable accuracy", "if each of our regions took its best human label, 1 is perfect",
        metrics.achievable_accuracy, False,
    ),
)  # fmt: skip
"""Name, what it says, the measure, and whether less is better."""
HINT = (
    "A label PNG of this photo's size (each region one grey value, palette index or colour), or a `.mat` file of "
    "BSDS500 with several people's segmentations. The people stand in the viewer's replay, one after the other."
)
NOTHING_RUN = "Run methods on this photo: each result is measured here."
QUIET = dict(api_visibility="private", show_progress="hidden")
SCORE_IF_TRUTH = """() => {
  if (document.querySelector('#viewer-truth')) document.querySelector('#score-again').click();
  return [];
}"""


@dataclass(frozen=True, eq=False)  # Gradio hashes what a state holds: by identity, as arrays have no hash
class Truth:
    """The ground truth, packed, of the photo whose content has the name ``key``."""

    key: str
    packed: list[PackedLabels]
    is_numbered: bool

    @classmethod
    def of(cls, key: str, truth: GroundTruth) -> Truth:
        return cls(key, [PackedLabels.of(labels) for labels in truth.people], truth.is_numbered)

    def unpack(self) -> GroundTruth:
        return GroundTruth([labels.unpack().astype(np.int32) for labels in self.packed], self.is_numbered)


def truth_column() -> tuple[gr.Column, gr.HTML]:
    """The place among the cards where the human segmentation stands, hidden until there is one."""
    with gr.Column(elem_classes="card", min_width=330, visible=False) as column:
        screen = viewer(group="clustering", label="Human segmentation", value=empty_value(HINT), elem_id="viewer-truth")
    return column, screen


def truth_panel(panel: PhotoPanel, shared: Shared, column: gr.Column, screen: gr.HTML) -> None:
    """The box to load a ground truth for the current photo, and the table of scores of all results of that photo."""
    shared.truth = truth = gr.State(None, time_to_live=4 * 3600)
    with gr.Accordion("Ground truth: measure against people", open=False, elem_id="truth-box"):
        gr.Markdown(HINT)
        file = gr.File(
            label="Ground truth (label PNG or BSDS .mat)", file_count="single", height=110, elem_id="truth-file"
        )
        said = gr.Markdown("", elem_id="truth-said")
        table = gr.HTML("", elem_id="truth-table")

    file.change(load_truth, [file, panel.path], [truth, column, screen, said], **QUIET)
    panel.file.change(follow_photo, [truth, file, panel.path], [file, truth, column, screen, said], **QUIET)
    # Results call the server only where there is a truth: a question after every live cut would make the page slower.
    again = gr.Button("Score again", elem_id="score-again", visible="hidden")
    shared.results.change(None, None, None, js=SCORE_IF_TRUTH, **QUIET)
    gr.on(
        [truth.change, again.click], lambda found, results: score_table(found, list(results.values())),
        [truth, shared.results], table, trigger_mode="always_last", **QUIET,
    )  # fmt: skip


def load_truth(path: str | None, photo_path: str | None) -> tuple:
    """The truth in a file, whether its viewer is seen, the viewer's value, and what is said of the file."""
    if not path:
        return None, gr.update(visible=False), empty_value(HINT), ""
    try:
        if not photo_path:
            raise SegdemoError("Choose the photo first, then its ground truth.")
        photo = photo_of(photo_path)
        loaded = load_ground_truth(path, photo.shape[:2])
    except SegdemoError as error:
        return None, gr.update(visible=False), empty_value(HINT), f"**{error}**"
    humans = len(loaded.people)
    drawn = f"{humans} people" if humans > 1 else "one label map"
    shown = as_segmentation(loaded.people)
    frames = shown.frames or [Frame("", shown.labels)]
    # The replay ends with the last person, who is what the viewer shows.
    shown, last = replace(shown, frames=frames[:-1]), frames[-1].caption
    value = viewer_value(photo, shown, "Human segmentation", drawn, last=last)
    return Truth.of(key_of(photo_path), loaded), gr.update(visible=True), value, f"Loaded: {drawn}."


def follow_photo(truth: Truth | None, path: str | None, photo_path: str | None) -> tuple:
    """With another photo: the file of the old one's truth goes, a file that fitted no photo is tried on this one.

    What the file box is to hold, then what ``load_truth`` gives.
    """
    if truth is None and path:
        return gr.skip(), *load_truth(path, photo_path)
    is_own = truth is None or shown_key(photo_path) == truth.key
    if not is_own:
        gr.Info("The ground truth belonged to the photo before: its file is removed.", duration=4)
    return gr.skip() if is_own else None, *[gr.skip()] * 4


def as_segmentation(humans: list[np.ndarray]) -> Segmentation:
    """People's label maps as something the viewer shows: one frame each, void pixels as a label of their own."""
    maps = [numbered(labels) for labels in humans]
    count = max(int(labels.max()) for labels in maps) + 1
    names = ["does not count", *(f"region {k}" for k in range(1, count))]
    palette = np.vstack([[[90, 90, 90]], distinct_colours(count - 1)]).astype(np.uint8)
    frames = []
    for number, labels in enumerate(maps, start=1):
        regions = len(np.unique(labels[labels > 0]))
        frames.append(Frame(f"person {number} of {len(maps)}: {regions} regions", labels))
    return Segmentation(
        maps[-1], names, palette, frames=frames if len(frames) > 1 else [], step_names=("person", "people")
    )


def numbered(labels: np.ndarray) -> np.ndarray:
    """Regions as 1, 2, 3, ... by falling area, void as 0."""
    known = labels != IGNORE
    present, place, counts = np.unique(labels[known], return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    rank = np.empty(len(present), np.int32)
    rank[order] = np.arange(1, len(present) + 1)
    numbers = np.zeros(labels.shape, np.int32)
    numbers[known] = rank[place.ravel()]
    return numbers


def score_table(truth: Truth | None, results: list[Result]) -> str:
    """One row per result of the truth's photo, one column per measure, the best of each in bold; ``""`` without truth."""
    if truth is None:
        return ""
    humans = truth.unpack().people
    rows = [(r.title, scores(r.packed.unpack(), humans)) for r in results if r.key == truth.key]
    if not rows:
        return NOTHING_RUN
    if len(humans) > 1:
        rows.append(("people among themselves", among_themselves(humans)))
    head = "".join(f"<th title='{html.escape(note)}'>{name}</th>" for name, note, _, _ in MEASURES)
    machine = np.array([values for title, (_, values) in rows if title != "people among themselves"])
    best = [column.min() if less else column.max() for column, (*_, less) in zip(machine.T, MEASURES, strict=True)]
    body = "".join(
        f"<tr><th scope='row'>{html.escape(title)}</th><td>{count:g}</td>"
        + "".join(cell(value, value == top) for value, top in zip(values, best, strict=True))
        + "</tr>"
        for title, (count, values) in rows
    )
    return (
        f"<div class='table-scroll'><table class='summary'><thead><tr><th>method</th><th>regions</th>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def cell(value: float, is_best: bool) -> str:
    text = "–" if np.isnan(value) else f"{value:.3f}"
    return f"<td>{f'<b>{text}</b>' if is_best else text}</td>"


def scores(labels: np.ndarray, humans: list[np.ndarray]) -> tuple[float, list[float]]:
    """How many regions there are, and the measures, each the mean over the people."""
    return float(len(np.unique(labels))), [measure(labels, humans) for _, _, measure, _ in MEASURES]


def among_themselves(humans: list[np.ndarray]) -> tuple[float, list[float]]:
    """Each person against the others, on average: what can be asked of a method."""
    each = [scores(human, humans[:k] + humans[k + 1 :]) for k, human in enumerate(humans)]
    return round(float(np.mean([count for count, _ in each])), 1), np.mean([values for _, values in each], 0).tolist()
