"""The photo that all tabs share: upload, paste, webcam or example, with working size and seed."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.context import Context
from PIL import Image

from ..errors import SegdemoError
from ..examples import examples
from ..image import fit
from ..method import Params
from .assets import LIVE, problem
from .controls import control
from .viewer.payload import photo_url
from .workshop import key_of, photo_of


def photo_input(**options: Any) -> gr.Image:
    """An image input that hands over the file as it is: the project's own door opens it, and explains if it cannot.

    Gradio would open the file itself and fail with a bare traceback. Handlers may give the input a value but must
    not ``gr.update`` it: that makes a new ``gr.Image`` for the visitor. (A subclass would write a stub file beside this one.)
    """
    image = gr.Image(type="filepath", image_mode=None, **options)
    image.preprocess = lambda payload: payload.path if payload else None
    return image


SHOW_PREVIEW = """watch('value', () => {
  const image = document.querySelector('#photo img');
  if (image && props.value) image.src = props.value;
});"""
"""Shows a photo that browsers cannot decode."""

NAME_PHOTO = """() => setTimeout(() => {
  for (const image of document.querySelectorAll('#photo img')) image.alt = 'the chosen photo';
}, 300)"""
"""Gradio shows the photo without a name for screen readers."""

FILE_OF = """(photo) => new Promise((settled) => {
  window.segdemoFile = photo ? photo.path : '';
  setTimeout(() => settled(window.segdemoFile), 150);
})"""
"""Gradio's image says that it changed again and again once a photo is laid over another: with every answer of a handler.
An SVG laid over a photo makes it nothing and then the SVG within milliseconds, and so quick a change of the text would
be told without end."""

KEY_SCRIPT = """watch('value', () => {
  window.segdemoPhotoKey = props.value;
  window.dispatchEvent(new Event('segdemo-photo-key'));
  const place = %s.indexOf(props.value), buttons = document.querySelectorAll('#examples button.thumbnail-item');
  buttons.forEach((button, k) => button.classList.toggle('chosen', k === place));
  buttons.forEach((button, k) => button.setAttribute('aria-pressed', String(k === place)));
});"""
"""Tells the viewers which photo is chosen, and marks it among the examples, whose keys these are. (Gradio's own mark
stays where it was clicked.)"""

TAKE_ANYWHERE = """() => {
  const take = (event, files) => {
    if (event.defaultPrevented || !files.length) return;
    event.preventDefault();
    const input = document.querySelector('#photo input[type=file]'), carried = new DataTransfer();
    if (!input) return;  // while another one is on its way
    carried.items.add(files[0]);
    input.files = carried.files;
    input.dispatchEvent(new Event('change', { bubbles: true }));
  };
  document.addEventListener('dragover', (event) => event.dataTransfer.types.includes('Files') && event.preventDefault());
  document.addEventListener('drop', (event) => take(event, event.dataTransfer.files));
  document.addEventListener('paste', (event) => take(event, event.clipboardData.files));
}"""
"""A photo dropped or pasted anywhere is the photo: by itself the browser would leave the page for a file dropped beside
its place. Where something else takes files, Gradio has prevented the default."""

NAME_EXAMPLES = """() => {
  const names = %s;
  const name = (tries) => {
    const buttons = document.querySelectorAll('#examples button.thumbnail-item');
    buttons.forEach((button, k) => button.setAttribute('aria-label', `example photo: ${names[k]}`));
    if (!buttons.length && tries) setTimeout(name, 100, tries - 1);
  };
  name(100);
}"""


PREVIEW_SIZE = 800
"""Long side, in pixels."""


@dataclass
class PhotoPanel:
    """``path`` holds the file of the chosen photo; ``working_size`` and ``seed`` go to every run.

    ``examples`` are the example photos' files by name. What is to happen with another photo hangs on ``file``, which
    changes once for each, and never on ``path``.
    """

    path: gr.Image
    file: gr.Textbox
    gallery: gr.Gallery
    examples: dict[str, str]
    working_size: gr.Slider
    seed: gr.Slider

    @property
    def shared(self) -> list:
        return [self.path, self.working_size, self.seed]


@cache
def _folder() -> tempfile.TemporaryDirectory:
    """Where this process keeps the examples; it goes when the process ends."""
    return tempfile.TemporaryDirectory(prefix="segdemo-examples-")


@cache
def _example_files() -> list[tuple[str, str]]:
    """(path, title) of each example as a PNG of its own, so that choosing one is like uploading it."""
    folder = Path(_folder().name)
    files = []
    for example in examples():
        path = folder / f"{example.name}.png"
        Image.fromarray(example.load()).save(path)
        files.append((str(path), example.title))
    return files


def shown_key(path: str | None) -> str:
    """The chosen photo's content key, by which the page tells results of other photos; "" for none or an unusable one."""
    try:
        return key_of(path)
    except SegdemoError:
        return ""


def preview_of(path: str | None) -> str:
    """A usable photo as a data URL if its file is a TIFF, which few browsers show; "" for all others."""
    if not shown_key(path) or not is_tiff(path):
        return ""
    photo = photo_of(path)
    return photo_url(photo, fit(photo, PREVIEW_SIZE).shape[:2])


def is_tiff(path: str) -> bool:
    """Whether a file begins as a TIFF does, whatever it is called."""
    with open(path, "rb") as file:
        return file.read(4) in (b"II*\0", b"MM\0*")


def trouble_with(path: str | None) -> str:
    """What stands under the chosen photo: nothing, or why it cannot be used."""
    try:
        if path:
            key_of(path)
    except SegdemoError as error:
        return problem(error)
    return ""


def photo_panel() -> PhotoPanel:
    schemas = Params.model_json_schema()["properties"]
    files = _example_files()
    with gr.Row(elem_classes="photo-row", equal_height=True):
        with gr.Column(scale=5, min_width=300):
            path = photo_input(
                label="Photo", sources=["upload", "webcam"], height=250, elem_id="photo", buttons=["fullscreen"],
                placeholder="Drop a photo, paste one, or click to choose",
            )  # fmt: skip
            trouble = gr.HTML("", elem_id="photo-trouble", js_on_load=LIVE)
        with gr.Column(scale=4, min_width=300):
            gallery = gr.Gallery(
                [path for path, _ in files], label="Or choose an example", show_label=False, columns=3, rows=2, height=250,
                object_fit="cover", allow_preview=False, elem_id="examples", interactive=False, buttons=[],
            )  # fmt: skip
        with gr.Column(scale=3, min_width=260):
            working_size = control("working_size", schemas["working_size"] | {"minimum": 128, "maximum": 2048})
            seed = control("seed", schemas["seed"] | {"maximum": 99})
    file = gr.Textbox("", visible="hidden", elem_id="photo-file", show_label=False)
    panel = PhotoPanel(path, file, gallery, {Path(file).stem: file for file, _ in files}, working_size, seed)

    def choose(event: gr.SelectData) -> str:
        return files[event.index][0]

    quiet = dict(api_visibility="private", show_progress="hidden")
    path.change(None, path, file, js=FILE_OF, **quiet)
    file.change(None, None, None, js=NAME_PHOTO, **quiet)
    keys = [key_of(name) for name, _ in files]
    chosen = gr.HTML(
        "", elem_id="photo-key", js_on_load=KEY_SCRIPT % json.dumps(keys), html_template="", visible="hidden"
    )
    preview = gr.HTML("", elem_id="photo-preview", js_on_load=SHOW_PREVIEW, html_template="", visible="hidden")

    def follow(path: str | None) -> list:
        return [shown_key(path), trouble_with(path), preview_of(path)]

    file.change(follow, path, [chosen, trouble, preview], **quiet)
    Context.root_block.load(None, None, None, js=TAKE_ANYWHERE, **quiet)
    Context.root_block.load(None, None, None, js=NAME_EXAMPLES % json.dumps([title for _, title in files]), **quiet)
    gallery.select(choose, None, path, api_visibility="private", show_progress="hidden")
    return panel
