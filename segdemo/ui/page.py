"""The page: one photo, a tab per family, one comparison."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from ..engine import Engine
from .cards import Shared
from .clustering import clustering_tab
from .comparison import comparison_tab
from .endpoints import endpoints
from .graphcut import graphcut_tab
from .networks import networks_tab
from .photo import photo_panel
from .workshop import Workshop

HEADER = """<header class="masthead"><h1>Segdemo</h1>
<p>Every segmentation method of a computer-vision lecture, on your own photo, side by side.</p>
<span class="device" title="where the methods run">{device}</span></header>"""

LOCAL_FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")


def theme() -> gr.themes.Base:
    """Gradio's soft theme with the fonts of the visitor's own machine: nothing is fetched."""
    return gr.themes.Soft(
        primary_hue="indigo",
        neutral_hue="slate",
        radius_size="md",
        font=LOCAL_FONTS,
        font_mono=("ui-monospace", "monospace"),
    )


def css() -> str:
    return Path(__file__).with_name("page.css").read_text(encoding="utf-8")


def build_page(engine: Engine) -> gr.Blocks:
    """The whole page around one engine; ``launch`` it with ``theme=theme(), css=css()``."""
    workshop = Workshop(engine)
    with gr.Blocks(title="Segdemo", analytics_enabled=False) as page:
        shared = Shared(results=gr.State({}, time_to_live=4 * 3600), pins=gr.State([], time_to_live=4 * 3600))
        gr.HTML(HEADER.format(device=engine.describe_device()))
        panel = photo_panel()
        with gr.Tabs():
            with gr.Tab("Clustering", id="clustering"):
                clustering_tab(workshop, panel, shared)
            with gr.Tab("Graph cut", id="graphcut"):
                graphcut_tab(workshop, panel, shared)
            with gr.Tab("Networks", id="networks"):
                networks_tab(workshop, panel, shared)
            with gr.Tab("Compare", id="compare"):
                comparison_tab(shared)
        endpoints(workshop)
        page.unload(workshop.visits.stop)
    page.queue(default_concurrency_limit=1, max_size=200)
    return page
