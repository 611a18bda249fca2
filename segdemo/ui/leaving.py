"""What a page holds of the server while it is open, and gives back when it is left.

A browser has six connections for one server, for all its tabs together. Gradio's pages hold one each for as long
as they are open, by which the server notices their end (the heartbeat): the sixth tab would wait for ever. Here a
page holds a connection only while something runs for it, and says itself when it is left.
"""

from __future__ import annotations

import gradio as gr

from .delivery import hoist
from .waiting import drop_waiting
from .workshop import Workshop

LEAVE = "leave"
"""Name of the endpoint that a page calls when it is left."""

SCRIPT = f"""
addEventListener('pagehide', (event) => {{
  if (event.persisted) window.stop();  // kept for the Back button, and its connections with it
  const {{ root, api_prefix }} = window.gradio_config, path = new URL(root, location).pathname.replace(/\\/$/, '');
  const body = JSON.stringify({{ data: [], session_hash: props.value }});
  if (props.value) navigator.sendBeacon(`${{path}}${{api_prefix}}/run/{LEAVE}`, new Blob([body], {{ type: 'application/json' }}));
}});
addEventListener('pageshow', (event) => {{ if (event.persisted) location.reload(); }});
"""


class Page(gr.Blocks):
    """Gradio's page without the heartbeat, and with each script and style once."""

    def get_config_file(self) -> dict:
        return hoist(super().get_config_file() | {"connect_heartbeat": False})


def give_back_when_left(page: Page, workshop: Workshop) -> None:
    """When ``page``, all of whose parts are placed, is left: stop what runs for it, drop what waits, empty its states."""
    states = [block for block in page.blocks.values() if isinstance(block, gr.State)]

    async def leave(request: gr.Request) -> list:
        drop_waiting(page, request.session_hash)
        workshop.visits.stop(request)
        return [state.value for state in states]

    with gr.Column(visible=False):
        gr.Button(LEAVE).click(leave, None, states, queue=False, api_name=LEAVE, api_visibility="undocumented")
    visitor = gr.HTML("", elem_id="visitor", js_on_load=SCRIPT, html_template="", visible="hidden")
    page.load(visitor_of, None, visitor, queue=False, api_visibility="private", show_progress="hidden")


def visitor_of(request: gr.Request) -> str | None:
    """What Gradio calls the page by, to be told to the page itself."""
    return request.session_hash
