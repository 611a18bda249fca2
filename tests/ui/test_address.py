"""The page's address: what it may say, without a browser; test_page.py drives the rest."""

import gradio as gr
import pytest

from segdemo import Engine
from segdemo.method import methods
from segdemo.networks.inference import is_public
from segdemo.ui.address import admitted
from segdemo.ui.page import build_page


@pytest.mark.parametrize(
    "component, text, value",
    [
        (gr.Slider(1, 9), "3", 3),
        (gr.Number(), "-2.5", -2.5),
        (gr.Slider(0.0, 9.0, step=1.0), "2.5", 2.5),
        (gr.Slider(1, 9, step=1), "3.0", 3),
        (gr.Checkbox(), "true", True),
        (gr.Radio([("four", 4), ("eight", 8)]), "8", 8),
        (gr.CheckboxGroup(["a", "b"]), '["b"]', ["b"]),
        (gr.CheckboxGroup(["a", "b"]), "[]", []),
    ],
)
def test_what_a_control_can_take_is_admitted(component, text, value):
    assert admitted(component, text) == value


@pytest.mark.parametrize(
    "component, text",
    [
        (gr.Slider(1, 9), "10"),
        (gr.Slider(1, 9), "NaN"),
        (gr.Slider(1, 9, step=1), "3.5"),
        (gr.Number(precision=0), "3.5"),
        (gr.Number(), "[" * 20_000),
        (gr.Slider(1, 9), "true"),
        (gr.Slider(1, 9), '"<script>"'),
        (gr.Checkbox(), "1"),
        (gr.Radio(["a"]), '"b"'),
        (gr.CheckboxGroup(["a"]), '["a", "b"]'),
        (gr.CheckboxGroup(["a"]), '"a"'),
        (gr.Radio(["a"]), "not json"),
        (gr.Radio(["a"]), "[[]]"),
    ],
)
def test_anything_else_is_refused(component, text):
    with pytest.raises(ValueError, match="that is"):
        admitted(component, text)


def test_every_parameter_of_every_method_has_a_name_in_the_address():
    page = build_page(Engine("cpu"))
    (restore,) = [f for f in page.fns.values() if f.fn is not None and f.fn.__name__ == "restore"]
    labels = {getattr(component, "label", None) for component in restore.outputs}
    for m in methods().values():
        if not is_public(m.name):
            for field in m.params.model_fields:
                assert field.removeprefix("crf_").replace("_", " ").capitalize() in labels or field == "crf", field
