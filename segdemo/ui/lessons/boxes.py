"""The boxes that lessons lie in: closed until a reader opens them, listed under a heading."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr


@contextmanager
def lesson_group(heading: str) -> Iterator[None]:
    """Lists the boxes made inside it under ``heading``."""
    with gr.Column(elem_classes="lesson-group"):
        gr.Markdown(f"### {heading}")
        yield


def lesson_box(title: str, elem_id: str) -> gr.Accordion:
    """A closed box; a link or the lecture opens it by its id."""
    return gr.Accordion(title, open=False, elem_id=elem_id)
