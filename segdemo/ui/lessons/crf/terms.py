"""The lesson "term by term": four results of ``segdemo.lessons.crf_terms`` in four viewers, and their energies."""

from __future__ import annotations

import time
from typing import Any

import gradio as gr
import numpy as np
from gradio.components import Component
from skimage.measure import label as connected_regions

from ....labels import VOC21
from ....lessons.crf_terms import VARIANTS, TermsResult, crf_terms
from ....method import Method
from ....segmentation import Segmentation, enlarge_labels
from ...photo import PhotoPanel
from ...viewer import empty_value, viewer, viewer_value
from ...workshop import Workshop
from .parts import LARGEST, board, chosen_network, source, wire

SMALL = 0.002
"""Of the photo: a smaller region is counted as a speck."""
PREFERRED = ("fcn-8s", "deeplab-v2")


def terms_lesson(
    workshop: Workshop, panel: PhotoPanel, networks: list[Method], controls: dict[str, Component]
) -> gr.HTML:
    """Place the lesson and wire it; ``controls`` are the CRF's, by the names of ``RefinementParams``."""
    screen = board("terms", networks, PREFERRED)
    fields = {name: control for name, control in controls.items() if name.startswith("crf_")}
    with gr.Row(elem_classes="card-grid fours", visible=False) as row:
        viewers = []
        for number, (title, *_) in enumerate(VARIANTS):
            with gr.Column(elem_classes="card", min_width=300):
                viewers.append(
                    viewer(group="crf-terms", label=title, value=empty_value(), elem_id=f"viewer-term-{number}")
                )
    table = gr.HTML("", css_template=source("energies.css"), elem_id="crf-energies", apply_default_css=False)

    def compute(photo, ask, is_cancelled, working_size, *values) -> dict[str, Any]:
        options = {"working_size": min(working_size, LARGEST), "is_cancelled": is_cancelled}
        start = time.perf_counter()
        params = dict(zip(fields, values, strict=True))
        found = workshop.engine.teach(crf_terms, photo, network=chosen_network(ask, networks), **options, **params)
        seconds = time.perf_counter() - start
        shown = [viewer_value(photo, segmentation_of(r, photo.shape[:2]), r.title, subtitle(r)) for r in found]
        further = {row: gr.update(visible=True), table: energies(found), **dict(zip(viewers, shown, strict=True))}
        return {"state": "result", "seconds": seconds, "further": further}

    wire(screen, workshop, panel, compute, [panel.working_size, *fields.values()], [row, table, *viewers])
    return screen


def segmentation_of(result: TermsResult, size: tuple[int, int]) -> Segmentation:
    """One result at the size of the photo, for the viewer."""
    labels = result.labels
    if labels.shape != size:
        labels = enlarge_labels(result.beliefs, size, len(VOC21.names))
    return Segmentation(labels.astype(np.int32), list(VOC21.names), VOC21.palette, result.beliefs)


def subtitle(result: TermsResult) -> str:
    changed = f"{100 * result.changed:.1f} % of labels changed" if result.changed else "the network's own labels"
    small = small_regions(result.labels)
    return f"{changed}; {small} region{'s' * (small != 1)} smaller than {100 * SMALL:g} % of the photo"


def small_regions(labels: np.ndarray) -> int:
    """How many connected regions of one label (h, w) are smaller than ``SMALL`` of all pixels."""
    _, counts = np.unique(connected_regions(labels.astype(np.int32), connectivity=1, background=-1), return_counts=True)
    return int((counts < SMALL * labels.size).sum())


def energies(results: list[TermsResult]) -> str:
    """The energies as a table, each a bar of its three parts."""
    top = max(r.energy.total for r in results) or 1.0
    free = [r.free_energy for r in results]
    rows = ""
    for r in results:
        parts = (("u", r.energy.unary), ("s", r.energy.spatial), ("b", r.energy.bilateral))
        bar = "".join(f"<i class='ce-{kind}' style='width:{100 * value / top:.2f}%'></i>" for kind, value in parts)
        cells = "".join(f"<td class='ce-{kind}'>{value:.4f}</td>" for kind, value in parts)
        least = " class='ce-least'" if r.free_energy == min(free) else ""
        rows += (
            f"<tr><th scope='row'>{r.title}</th><td class='ce-bar'><span>{bar}</span></td>{cells}"
            f"<td><b>{r.energy.total:.4f}</b></td><td{least}>{r.free_energy:.4f}</td></tr>"
        )
    return (
        "<div class='ce'><div class='ce-scroll'><table><thead><tr><th>found with</th><th>the energy of its labels</th>"
        "<th><i class='ce-u'></i>unary</th><th><i class='ce-s'></i>spatial</th><th><i class='ce-b'></i>bilateral</th><th>E(y)</th>"
        f"<th>free energy of its beliefs</th></tr></thead><tbody>{rows}</tbody></table></div>"
        "<p>In nats per pixel, every row with all three terms. What a kernel gains in its own term it pays for in the unary term. Mean field "
        "lowers the free energy of its beliefs, iteration by iteration, towards a local minimum, not E(y) of the labels: neither need be lowest in the last row.</p></div>"
    )
