"""Controls gathered in the browser reach the handler by name, as they are at the moment."""

import json

import gradio as gr
import pytest
from steady import load, wait_for

from segdemo.engine import Engine
from segdemo.ui.gathering import gather, values_of
from segdemo.ui.page import build_page


@pytest.fixture(scope="module")
def address():
    with gr.Blocks() as demo:
        controls = {
            "a.check": gr.Checkbox(True),
            "a.radio": gr.Radio([("four", 4), ("eight", 8)], value=8),
            "b.slider": gr.Slider(0, 1, 0.25, step=0.05),
            "b.number": gr.Number(7, precision=0, elem_id="number"),
            "b.names": gr.CheckboxGroup(["x", "y"], value=["y"]),
        }
        press, beside, said = gr.Button("press", elem_id="press"), gr.Textbox("beside"), gr.HTML("", elem_id="said")
        pressed, gathered = gather(press.click, controls)
        pressed.then(
            lambda text, other: json.dumps([values_of(text), other]), [gathered, beside], said, show_progress="hidden"
        )
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, inbrowser=False)
    yield url
    demo.close()


def test_values_arrive_by_name_and_as_they_are_now(browser, address):
    load(browser, address)
    one = lambda selector: browser.find_element("css selector", selector)  # noqa: E731
    wait = lambda ready: wait_for(ready, 20, lambda: browser.get_log("browser"))  # noqa: E731
    wait(lambda: one("#press")).click()
    wait(lambda: one("#said").text)
    values = {"a.check": True, "a.radio": 8, "b.slider": 0.25, "b.number": 7, "b.names": ["y"]}
    assert json.loads(one("#said").text) == [values, "beside"]
    one("#number input").send_keys("1")  # and at once, without leaving the field
    one("#press").click()
    wait(lambda: json.loads(one("#said").text)[0] == values | {"b.number": 71})


@pytest.mark.parametrize("text", [None, "", "[1]", "{", "null"])
def test_what_is_no_set_of_values_is_refused(text):
    with pytest.raises(gr.Error, match="Reload"):
        values_of(text)


def test_no_event_of_the_page_has_all_parameters_among_its_inputs():
    """At every message Gradio's script looks through the page for each input there ever was, see ``gathering.py``."""
    events = [f for f in build_page(Engine("cpu")).fns.values() if f.fn and f.api_visibility == "private"]
    assert len(events) > 50 and max(len(event.inputs) for event in events) < 10
