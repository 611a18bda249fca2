"""Lessons of pictures alone, in a browser: asked, answered, refused in words, emptied with the photo."""

from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from lesson_page import Page
from PIL import Image

from segdemo.ui.lessons.figures import figure, figures_lesson, row
from segdemo.ui.workshop import Workshop


class FiguresPage(Page):
    first = "#looks-run"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    file = tmp_path_factory.mktemp("photo") / "photo.png"
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(file)

    def teach(lesson, photo, **given):
        return given["word"], photo.shape

    workshop = Workshop(SimpleNamespace(teach=teach))
    show = lambda told: row(f"{told[0]} {told[1]}", [figure("a picture", np.zeros((2, 3, 3), np.uint8))])  # noqa: E731
    with gr.Blocks() as demo:
        path = gr.Textbox("", elem_id="path")
        gr.Button("photo", elem_id="photo").click(lambda: str(file), None, path)
        figures_lesson(
            workshop, SimpleNamespace(path=path, file=path), lambda: gr.Radio(["one", "two"], value="two"),
            "Look", "looks", teach, lambda choice: {"word": choice}, show,
        )  # fmt: skip
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, inbrowser=False)
    yield url
    demo.close()


def test_asked_answered_and_emptied_with_the_photo(browser, address):
    page = FiguresPage(browser, address)
    one = lambda selector: browser.find_element("css selector", selector)  # noqa: E731
    one("#looks-run").click()
    page.wait(lambda: "Choose a photo first" in one(".status").text)
    one("#photo").click()
    page.wait(lambda: one(".status").text == "")
    one("#looks-run").click()
    page.wait(lambda: "two (20, 30, 3)" in one("#looks").text and "a picture" in one("#looks").text)
    assert one("#looks img").get_property("naturalWidth") == 3
