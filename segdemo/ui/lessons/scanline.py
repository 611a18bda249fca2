"""The page's side of ``segdemo.lessons.scanline``: choose a line, see what HMM and CRF make of it."""

from __future__ import annotations

import html

import gradio as gr
import numpy as np

from ...errors import Cancelled, SegdemoError
from ...lessons.scanline import ChainOnPhoto, Scanline, scanline
from ...method import Method
from ..cards import ENGINE
from ..photo import PhotoPanel
from ..viewer.payload import photo_url
from ..workshop import Workshop, read_photo

WORKING_SIZE = 320
INTRO = (
    "One line of the photo is a chain of pixels. **Generative:** the HMM p(Y, X) = Π p(yₙ | yₙ₋₁) p(xₙ | yₙ) counts how labels follow one another and "
    "models how each label's pixels look. **Discriminative:** the CRF p(Y | X) = exp(Σ λ f(yₙ, yₙ₋₁, X)) / Z(X) is trained to give the labels a high "
    "probability, and may use that neighbouring pixels are alike. Both learn from the labels of a network, on lines of this photo."
)
GREY = np.array([128, 128, 128], np.uint8)


def scanline_lesson(workshop: Workshop, panel: PhotoPanel, networks: list[Method]) -> None:
    """Place the lesson; it computes nothing until asked."""
    gr.Markdown(INTRO)
    names = [m.name for m in networks]
    with gr.Row(elem_classes="toolbar"):
        network = gr.Dropdown(
            [(m.title, m.name) for m in networks],
            value="deeplab-v3plus" if "deeplab-v3plus" in names else names[0],
            label="Labels from",
        )
        height = gr.Slider(0, 1, value=0.5, step=0.005, label="Line", info="from the top to the bottom of the photo")
        run = gr.Button("Label the line", variant="primary", elem_id="scanline-run")
    board = gr.HTML("", elem_id="scanline")

    def show(path, name, at, progress=gr.Progress(), request: gr.Request = None):
        photo, is_cancelled = read_photo(path), workshop.visits.begin(request)
        try:
            lesson = workshop.engine.teach(
                scanline, photo, working_size=WORKING_SIZE, network=name, height=at, is_cancelled=is_cancelled,
                on_step=lambda fraction, text: progress(fraction, desc=text),
            )  # fmt: skip
        except Cancelled:
            return gr.skip()
        except SegdemoError as error:
            return f"<p class='problem'>{html.escape(str(error))}</p>"
        return draw(lesson)

    def move(shown, *values, progress=gr.Progress(), request: gr.Request = None):
        return show(*values, progress=progress, request=request) if shown else gr.skip()

    common = dict(concurrency_id=ENGINE, api_visibility="private", show_progress_on=board)
    run.click(show, [panel.path, network, height], board, show_progress="full", **common)
    height.release(move, [board, panel.path, network, height], board, show_progress="hidden", **common)


# -- drawing ----------------------------------------------------------------------------


def draw(lesson: Scanline) -> str:
    """The whole board as HTML: the line in the photo, then a column per model."""
    swatches = "".join(
        f"<span><i style='background:{colour(lesson, k)}'></i>{html.escape(name)}</span>"
        for k, name in enumerate(lesson.names)
    )
    pictures = (
        figure("the photo and the line", marked(lesson.image, lesson.row))
        + figure("the network's labels (grey: none of these)", marked(painted(lesson, lesson.given), lesson.row))
        + "".join(
            figure(
                f"{m.title}, line by line: {m.agreement:.1%} as the network",
                marked(painted(lesson, m.labels), lesson.row),
            )
            for m in lesson.models
        )
        + figure("dense CRF: all lines are one photo", painted(lesson, lesson.grid))
    )
    columns = "".join(column(lesson, model) for model in lesson.models)
    return (
        f"<div class='scanline'><div class='keys'>{swatches}</div><div class='pictures'>{pictures}</div>"
        f"<div class='columns'>{columns}</div></div>"
    )


def colour(lesson: Scanline, label: int) -> str:
    return "rgb({},{},{})".format(*(int(v) for v in lesson.palette[label]))


def painted(lesson: Scanline, labels: np.ndarray) -> np.ndarray:
    """Labels (h, w), -1 = unknown, as a picture (h, w, 3)."""
    return np.vstack([lesson.palette, GREY])[labels]


def marked(picture: np.ndarray, row: int) -> np.ndarray:
    """The picture with its line ``row`` between two bright ones."""
    out = picture.copy()
    for beside in (row - 1, row + 1):
        if 0 <= beside < len(out):
            out[beside] = (255, 255, 0)
    return out


def figure(title: str, picture: np.ndarray) -> str:
    return f"<figure><img alt='' src='{photo_url(picture, picture.shape[:2])}'><figcaption>{html.escape(title)}</figcaption></figure>"


def column(lesson: Scanline, model: ChainOnPhoto) -> str:
    """One model on the chosen line: the line itself, the given labels, marginals, best path, transitions."""
    line = lesson.image[lesson.row]
    z = "log p(X)" if model.contrast is None else "log Z(X)"
    facts = f"{z} of this line = {model.log_z:.1f}; {int((np.diff(model.path) != 0).sum())} switches on the best path"
    if model.contrast is not None:
        facts += f"; switching between equal neighbours: {model.contrast:+.2f}"
    kind = "p(yₙ | yₙ₋₁)" if model.contrast is None else "scores a(yₙ₋₁, yₙ)"
    return (
        f"<section><h4>{model.title}</h4>"
        + strip("the line's pixels", [f"rgb({r},{g},{b})" for r, g, b in line.tolist()])
        + strip("the network's labels", [colour(lesson, k) if k >= 0 else "gray" for k in lesson.given[lesson.row]])
        + bands(lesson, model.marginals)
        + strip("best path (Viterbi)", [colour(lesson, k) for k in model.path])
        + f"<p>{facts}</p>{matrix(lesson, model.transition, kind)}</section>"
    )


def strip(title: str, colours: list[str]) -> str:
    """A row of pixels; equal neighbours are one rectangle."""
    starts = [i for i in range(len(colours)) if i == 0 or colours[i] != colours[i - 1]] + [len(colours)]
    bars = "".join(
        f"<rect x='{a}' width='{b - a + 0.05}' height='10' fill='{colours[a]}'/>" for a, b in zip(starts, starts[1:])
    )
    return (
        f"<div class='strip'><small>{title}</small><svg viewBox='0 0 {len(colours)} 10' preserveAspectRatio='none' role='img' "
        f"aria-label='{title}' style='height:22px'>{bars}</svg></div>"
    )


def bands(lesson: Scanline, marginals: np.ndarray) -> str:
    """Marginals (T, K) as bands stacked to 1."""
    top = np.concatenate([np.zeros((len(marginals), 1)), marginals.cumsum(1)], axis=1)
    shapes = []
    for k in range(marginals.shape[1]):
        upper = " ".join(f"{t + 0.5:.1f},{100 * top[t, k + 1]:.1f}" for t in range(len(top)))
        lower = " ".join(f"{t + 0.5:.1f},{100 * top[t, k]:.1f}" for t in reversed(range(len(top))))
        shapes.append(f"<polygon points='{upper} {lower}' fill='{colour(lesson, k)}'/>")
    title = "marginals p(yₙ | X) (forward-backward)"
    return (
        f"<div class='strip'><small>{title}</small><svg viewBox='0 0 {len(top)} 100' preserveAspectRatio='none' role='img' "
        f"aria-label='{title}' style='height:110px'>{''.join(shapes)}</svg></div>"
    )


def matrix(lesson: Scanline, values: np.ndarray, kind: str) -> str:
    """The transition matrix as a table, shaded by value."""
    low, high = values.min(), values.max()
    head = "".join(f"<th>{html.escape(name)}</th>" for name in lesson.names)
    rows = ""
    for name, row in zip(lesson.names, values, strict=True):
        cells = "".join(
            f"<td style='background:color-mix(in srgb, var(--color-accent) {60 * (v - low) / (high - low or 1):.0f}%, transparent)'>{v:.3g}</td>"
            for v in row
        )
        rows += f"<tr><th>{html.escape(name)}</th>{cells}</tr>"
    return f"<div class='table-scroll'><table><caption>{kind}, row = before, column = after</caption><tr><th></th>{head}</tr>{rows}</table></div>"
