"""The page: one photo, a tab per family, one comparison."""

from __future__ import annotations

import html
import json
from typing import Any

import gradio as gr

from ..engine import Engine
from .address import TABS, Address
from .assets import LIVE, beside
from .cards import Shared
from .clustering import clustering_tab
from .comparison import comparison_tab
from .delivery import COMPRESSION
from .endpoints import endpoints
from .graphcut import graphcut_tab
from .leaving import Page, give_back_when_left
from .lecture import lecture, select_networks
from .networks import networks_tab
from .photo import photo_panel
from .waiting import is_status
from .workshop import Workshop

HEADER = """<header class="masthead"><h1>Segdemo</h1>
<p>Every segmentation method of a lecture, side by side on your own photo.</p>
<span class="device" title="where the methods run">{device}</span></header>"""

COMPACT = (
    """<label title="pictures and legends only, more of them side by side"><input type="checkbox"> Compact</label>"""
)
COMPACT_SCRIPT = """element.querySelector('input').addEventListener('change',
  (event) => document.body.classList.toggle('compact', event.target.checked));"""

WARMING_HINT = (
    "The server compiles its methods, some seconds each, once after it is installed. All of them can be used meanwhile."
)
WARMING_POLL = 1.0
"""Seconds."""

HOUR = 3600
"""Seconds. Uploads and exports are looked through so often, and go when they are a day old."""

LOCAL_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")


def theme() -> gr.themes.Base:
    """Gradio's soft theme with the fonts of the visitor's own machine: nothing is fetched.

    Its small text and its buttons are darkened until each has a contrast of at least 4.5 to 1 (WCAG 2.2, 1.4.3).
    """
    soft = gr.themes.Soft(
        primary_hue="indigo",
        neutral_hue="slate",
        radius_size="md",
        font=LOCAL_FONTS,
        font_mono=("ui-monospace", "monospace"),
    )
    return soft.set(
        background_fill_primary="*neutral_50",  # the soft theme's own, which Gradio's ``set`` forgets
        body_text_color_subdued="*neutral_600", block_info_text_color="*neutral_600", color_accent="*primary_600",
        block_label_text_color="*primary_700", block_title_text_color="*primary_700",
        button_primary_background_fill="*primary_600", button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600", button_primary_background_fill_hover_dark="*primary_700",
        link_text_color_dark="*primary_300", link_text_color_hover_dark="*primary_200", link_text_color_visited_dark="*primary_300",
        # What is not chosen has to be seen, too (1.4.11: 3 to 1).
        checkbox_border_color="*neutral_500", checkbox_border_color_dark="*neutral_400",
        input_border_color="*neutral_400", input_border_color_dark="*neutral_600",
        checkbox_label_background_fill_selected="*primary_600", checkbox_background_color_selected="*primary_700",
    )  # fmt: skip


def launching() -> dict[str, Any]:
    """How ``launch`` is called for the page, besides where it is served."""
    return dict(
        theme=theme(), css=beside(__file__)("page.css"), app_kwargs=COMPRESSION, share=False, run_history=False,
        ssr_mode=False, max_file_size="30mb", show_error=True, footer_links=["api", "settings"],
    )  # fmt: skip


def warmth(engine: Engine) -> tuple[str, gr.Timer]:
    """What the page's head says of the server's warm-up, and the timer that asks again while there is one."""
    title = engine.warming
    said = f"<span title='{WARMING_HINT}'>warming up: {html.escape(title)}</span>" if title else ""
    return said, gr.Timer(active=title is not None)


def show_warmth(engine: Engine, page: gr.Blocks, place: gr.HTML) -> None:
    """Let ``place`` follow the warm-up from the page's opening until it is over."""
    timer = gr.Timer(WARMING_POLL, active=False)
    look = dict(fn=lambda: warmth(engine), inputs=None, outputs=[place, timer], queue=False)
    page.load(**look, api_visibility="private", show_progress="hidden")
    timer.tick(**look, api_visibility="private", show_progress="hidden")


def masthead(engine: Engine, page: gr.Blocks) -> tuple[gr.HTML, gr.Button, gr.HTML]:
    """The page's head; returns the lecture, the button that copies the page's link, and where that says what it did."""
    with gr.Row(elem_classes="masthead-row"):
        gr.HTML(HEADER.format(device=engine.describe_device()))
        show_warmth(engine, page, gr.HTML("", elem_id="warmth", js_on_load=LIVE))
        outline = lecture(elem_id="lecture")
        gr.HTML(COMPACT, elem_classes="compact-switch", js_on_load=COMPACT_SCRIPT)
        link = gr.Button("Copy link", size="sm", scale=0, min_width=96, elem_id="copy-link")
        said = gr.HTML("", elem_id="copy-said", js_on_load=LIVE)
    return outline, link, said


def report_quietly(page: gr.Blocks, place: gr.HTML) -> None:
    """Let events that show no progress report it at ``place``, which is small.

    At every message of any event Gradio's script copies all that lies inside the components at which an event has
    ever reported, by default its outputs: where these are tabs, that is the whole page, half a second per stroke.
    """
    for event in page.fns.values():
        if event.show_progress == "hidden" and not event.show_progress_on:
            event.show_progress_on = [place]


def build_page(engine: Engine) -> gr.Blocks:
    """The whole page around one engine, to be launched with ``**launching()``."""
    workshop = Workshop(engine)
    with Page(title="Segdemo", analytics_enabled=False, delete_cache=(HOUR, 24 * HOUR)) as page:
        shared = Shared(results=gr.State({}, time_to_live=4 * 3600), pins=gr.State([], time_to_live=4 * 3600))
        outline, link, said = masthead(engine, page)
        panel = photo_panel()
        address = Address()
        address.add({"size": panel.working_size, "seed": panel.seed})
        with gr.Tabs() as tabs:
            for name, build in zip(TABS, (clustering_tab, graphcut_tab, networks_tab, comparison_tab), strict=True):
                with gr.Tab(name, id=name):
                    address.add(build(workshop, panel, shared))
        select_networks(outline, address.components["networks"])
        address.copy_on(link, panel.path, said, panel.examples)
        address.restore_on(page, tabs, panel.examples)
        lines = [block for block in page.blocks.values() if is_status(block)]
        # In the browser: the server's word could come after that of a run on the new photo, and take it away.
        clear = f"() => {json.dumps([''] * len(lines))}"
        panel.file.change(None, None, lines, js=clear, api_visibility="private", show_progress="hidden")
        endpoints(workshop)
        give_back_when_left(page, workshop)
    report_quietly(page, said)
    page.queue(default_concurrency_limit=1, max_size=200)
    return page
