"""The values of many controls as one input of an event.

At every message of any event Gradio's script looks through the whole page for each input that an event with an answer
ever had. With all parameters of a tab among them that took a tenth of a second of every live cut, and as many
controls are read one by one on the server. So the browser writes their values, as JSON, into one hidden text box.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.events import Dependency

GATHER = "(...values) => JSON.stringify(Object.fromEntries(%s.map((name, k) => [name, values[k]])))"
LOST = "The values of the controls did not arrive. Reload the page and try again."


def gather(trigger: Callable[..., Dependency], controls: Mapping[str, Component]) -> tuple[Dependency, gr.Textbox]:
    """When ``trigger`` fires, gather what ``controls`` hold, in the browser.

    Returns the event, whose ``then`` comes with the values of the moment, and the box that holds them: an input to be
    read with ``values_of``.
    """
    box = gr.Textbox(visible="hidden", label="values of the controls")
    script = GATHER % json.dumps(list(controls))
    quiet = dict(show_progress="hidden", api_visibility="private")
    return trigger(None, list(controls.values()), box, js=script, **quiet), box


def values_of(text: str | None) -> dict[str, Any]:
    """The controls' values by name, as the browser has them: ``Params`` checks them; ``gr.Error`` if there are none."""
    try:
        values = json.loads(text or "")
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise gr.Error(LOST, print_exception=False)
    return values
