"""The page's side of ``segdemo.lessons.stage_maps``: a network's maps, down and up again."""

from __future__ import annotations

from functools import partial

import gradio as gr

from ...lessons.stage_maps import StageMap, stage_maps
from ...method import Method
from ..photo import PhotoPanel
from ..workshop import Workshop
from .figures import figure, figures_lesson, row

PREFERRED = "unet"
INTRO = (
    "**Down and up again.** An encoder makes maps smaller and gives them more channels: fewer places, more to say of each. A decoder makes them large again (SegNet by unpooling, U-Net with the "
    "encoder's maps beside its own, DeepLabv3+ with one skip); FCN, DeepLab v2 and SegFormer score at once and enlarge the scores. Below, each map by its first three principal components as red, green "
    "and blue: cells that the network describes alike look alike. The first maps follow edges and texture, the last ones things."
)


def stage_maps_lesson(workshop: Workshop, panel: PhotoPanel, networks: list[Method]) -> None:
    """Place the lesson; it computes nothing until asked."""
    titles = {m.name: m.title for m in networks}
    first = PREFERRED if PREFERRED in titles else next(iter(titles), None)
    gr.Markdown(INTRO)
    figures_lesson(
        workshop, panel,
        lambda: gr.Radio([(title, name) for name, title in titles.items()], value=first, label="Network", scale=4, min_width=300),
        "Show the maps", "maps", stage_maps, lambda name: {"working_size": 512, "network": name}, partial(board, titles),
    )  # fmt: skip


def board(titles: dict[str, str], maps: list[StageMap]) -> str:
    """The way down, then the rest."""
    rows = {"The way down": [m for m in maps if m.title.startswith("down")]}
    rows["The way up, and the output" if any(m.title.startswith("up") for m in maps) else "The output"] = [
        m for m in maps if m not in rows["The way down"]
    ]
    return "".join(row(title, [figure(said(m), m.picture, m.classes) for m in found]) for title, found in rows.items())


def said(m: StageMap) -> str:
    return f"{m.title.split(', ')[-1]}: {m.grid[1]} × {m.grid[0]} cells (stride {m.stride}), {m.channels} channels"
