"""From a method's ``Params`` to controls on the page: bounds, choices, defaults and help come from the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio.components import Component

from ..method import Params

SHARED = tuple(Params.model_fields)
"""Parameters every method has; they stand beside the photo, once for all tabs."""


def control(name: str, schema: dict[str, Any], strip: str = "") -> Component:
    """The control for one field of a pydantic JSON schema: check box, radio buttons, slider or number.

    ``strip`` is a prefix of ``name`` left out of the label.
    """
    label = name.removeprefix(strip).replace("_", " ").capitalize()
    common = dict(label=label, info=schema.get("description", ""), value=schema.get("default"), interactive=True)
    if schema.get("type") == "boolean":
        return gr.Checkbox(**common)
    if "enum" in schema:
        choices = [(str(choice), choice) for choice in schema["enum"]]
        return gr.Radio(choices, **common)
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None or high is None:
        return gr.Number(minimum=low, maximum=high, precision=0 if schema["type"] == "integer" else None, **common)
    return gr.Slider(low, high, step=_step(schema["type"], high - low), **common)


def _step(kind: str, span: float) -> float:
    """Whole numbers step by 1; others so that a slider has a few hundred places."""
    if kind == "integer":
        return 1
    return next(step for step in (0.001, 0.01, 0.05, 0.1, 0.5, 1.0) if span / step <= 1000 or step == 1.0)


def controls_for(params: type[Params], only=lambda name: True, strip: str = "") -> dict[str, Component]:
    """Controls for the fields of ``params`` that are not shared and that ``only`` admits, by name, in order.

    ``strip`` is a prefix left out of the labels.
    """
    schemas = params.model_json_schema()["properties"]
    return {name: control(name, schema, strip) for name, schema in schemas.items() if name not in SHARED and only(name)}


def named(controls: Mapping[str, Mapping[str, Component]]) -> dict[str, Component]:
    """The controls of several methods under ``method.parameter``."""
    return {f"{method}.{name}": field for method, fields in controls.items() for name, field in fields.items()}


def of_method(method: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Of values under ``method.parameter``, as ``named`` calls them, those of one method by parameter."""
    return {name.split(".", 1)[1]: value for name, value in values.items() if name.startswith(f"{method}.")}
