"""The zoo: accuracy against cost of every trained network, measured, and the card of the one that is picked.

The lecture's figure of SegFormer against its rivals, for the networks of this project. A ``gr.HTML``
whose data travel in its script; its value is ``{"picked": name}`` after a press of "Select this network"
(event ``select``), and a handler may return ``{"shown": name}`` to turn to a network's card.
"""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from ...labels import VOC21
from ...method import Method
from ...networks import checkpoints
from ..assets import beside

COSTS = [
    {"key": "gigamultiplyadds", "title": "10⁹ multiply-adds at 512 x 512"},
    {"key": "seconds", "title": "seconds at 512 x 512 on the CPU"},
    {"key": "megaparameters", "title": "10⁶ parameters"},
]
SCORES = [
    {"key": "miou7", "title": "mIoU-7"},
    {"key": "boundary_f", "title": "boundary F"},
    {"key": "pixel_accuracy", "title": "pixel accuracy"},
]
CURVE_POINTS = 120


_source = beside(__file__)


def zoo(networks: list[Method], **options: Any) -> gr.HTML:
    """The zoo of these trained networks, placed where it is called."""
    data = ", ".join(json.dumps(part) for part in ([entry(m) for m in networks], COSTS, SCORES))
    return gr.HTML(
        {"picked": "", "shown": ""},
        html_template=_source("zoo.html"),
        css_template=_source("zoo.css"),
        # In the script and not as props, which are lost when a component in a tab not yet opened is updated.
        js_on_load=f"segdemoZoo.mount(element.querySelector('.zoo'), props, watch, trigger, {data});",
        head=f"<script>(() => {{\n{_source('zoo.js')}\n}})();</script>",
        apply_default_css=False,
        **options,
    )


def entry(network: Method) -> dict[str, Any]:
    """What the zoo shows of one network, from its card."""
    card = checkpoints.read_card(network.name)
    plain, refined, cost = card["scores"], card["scores_with_crf"], card["cost"]
    return {
        "name": network.name,
        "title": network.title,
        "summary": network.summary,
        "seconds": cost["seconds"],
        "gigamultiplyadds": cost["multiply_adds"] / 1e9,
        "megaparameters": card["parameters"] / 1e6,
        "plain": {s["key"]: plain[s["key"]] for s in SCORES},
        "refined": {s["key"]: refined[s["key"]] for s in SCORES},
        "facts": facts(card),
        "classes": [list(row) for row in zip(VOC21.names, plain["iou"], refined["iou"], plain["support"], strict=True)],
        "curve": thin([point["loss"] for point in card["training"]["curve"]]),
    }


def facts(card: dict) -> list[tuple[str, str]]:
    """Name and value of each line of a card."""
    cost, training, recipe = card["cost"], card["training"], card["recipe"]
    schedules = len(training["earlier_schedules"]) + 1
    mean = f"; {training['soup']}" if "soup" in training else ""
    return [
        ("parameters", f"{card['parameters'] / 1e6:.2f} million"),
        ("multiply-adds", f"{cost['multiply_adds'] / 1e9:.2f} · 10⁹ at 512 x 512"),
        ("time", f"{cost['seconds']:.3f} s at 512 x 512 on {cost['device']}"),
        ("memory", f"{cost['memory_mb']:.0f} MB more while running"),
        ("sees photos at", f"{card['input_size']} px, long side"),
        ("recipe", describe_recipe(recipe)),
        ("trained for", f"{training['minutes']:.0f} minutes on {training['device']}, {schedules} schedule{'s' * (schedules > 1)}, seed {card['seed']}{mean}"),
        ("data and terms", card["data"]),
        ("licence", card["licence"]),
    ]  # fmt: skip


def describe_recipe(recipe: dict) -> str:
    """A recipe in one line."""
    start = {"imagenet": "from ImageNet weights", "scratch": "from nothing"}.get(
        recipe["start"], f"from the trunk of {recipe['start']}"
    )
    lessons = f", learning from {recipe['teacher']}'s predictions" if recipe["teacher"] else ""
    lessons += " and features" if recipe["mimic"] else ""
    return f"{start}{lessons}; batches of {recipe['batch']} crops of {recipe['crop']} px, peak rate {recipe['rate']:g}"


def thin(values: list[float], most: int = CURVE_POINTS) -> list[float]:
    """At most ``most`` of the values, evenly spaced, the last always among them."""
    step = max(1, -(-len(values) // most))
    return values[::-1][::step][::-1]
