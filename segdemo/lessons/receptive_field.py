"""How far a network looks: the effective receptive field of each stage.

Luo, Li, Urtasun & Zemel, "Understanding the Effective Receptive Field in Deep Convolutional Neural Networks",
NIPS 2016: the gradient of the unit in the middle of a map with respect to the picture says which pixels it heeds, and
how much. In theory L layers of 3 x 3 see 1 + 2L pixels across; in effect far fewer count. Xie et al. (SegFormer,
NeurIPS 2021, fig. 3) compare the fields of their stages with DeepLabv3+'s: the transformer's are wide from early on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..method import Run
from ..networks.inference import load_network, normalize

CROP = 512
"""Side in pixels of the pictures that the field is averaged over: at half of it SegFormer's last stage reaches every edge."""


@dataclass
class Field:
    """The field of one map's middle unit.

    Attributes:
        title: which map, with its stride.
        weights: (``CROP``, ``CROP``) float32 >= 0, summing to 1: how much each pixel counts.
        half, most: side in pixels of the square around the unit that holds 50 and 90 % of the weight.
    """

    title: str
    weights: np.ndarray
    half: int
    most: int


def encoder_of(network: nn.Module) -> Callable[[Tensor], Any] | None:
    """What makes the stages' maps of a picture, whatever the network calls it; None where there is nothing of the kind."""
    return next((getattr(network, part) for part in ("encoder", "encode", "trunk") if hasattr(network, part)), None)


def feature_maps(network: nn.Module, x: Tensor) -> list[tuple[str, Tensor]]:
    """Title and map (N, C, h, w) of every stage that the network shows, and of its scores."""
    encode = encoder_of(network)
    stages = list(encode(x)) if encode is not None else []
    named = [(f"stage {number}", stage) for number, stage in enumerate(stages, 1)]
    if not all(isinstance(stage, Tensor) for stage in stages):  # SegNet's indices are no map, but lead to maps
        named = [("encoder's end", stages[0]), *(("decoder", stage) for stage in network.decode(stages))]
    titled = [(f"{name}, stride {x.shape[2] // features.shape[2]}", features) for name, features in named]
    return [*titled, ("scores", network(x))]


def crops(image: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, CROP, CROP, 3) uint8: random squares of the photo, tiled by reflection where it is too small, some flipped."""
    pad = [(0, max(0, CROP - side)) for side in image.shape[:2]]
    image = np.pad(image, [*pad, (0, 0)], mode="symmetric")
    squares = []
    for _ in range(count):
        top, left = (rng.integers(0, side - CROP + 1) for side in image.shape[:2])
        square = image[top : top + CROP, left : left + CROP]
        squares.append(square[:, ::-1] if rng.random() < 0.5 else square)
    return np.stack(squares)


def effective_fields(
    network: nn.Module, pictures: np.ndarray, on_map: Callable[[], None] = lambda: None
) -> list[Field]:
    """The field of every map of ``network``, averaged over ``pictures`` (N, CROP, CROP, 3) uint8; ``on_map`` before each."""
    total: dict[str, np.ndarray] = {}
    centre: dict[str, float] = {}
    for picture in pictures:  # one by one: memory for a single backward graph
        x = normalize(torch.from_numpy(picture.copy()).permute(2, 0, 1)[None]).requires_grad_(True)
        for title, features in feature_maps(network, x):
            on_map()
            side = features.shape[2]
            (gradient,) = torch.autograd.grad(features[:, :, side // 2, side // 2].sum(), x, retain_graph=True)
            total[title] = total.get(title, 0) + gradient.abs().sum((0, 1)).numpy()
            centre[title] = (side // 2 + 0.5) * x.shape[2] / side - 0.5  # of the unit's cell
    return [
        Field(
            title, weights / max(weights.sum(), 1e-30), *(side_holding(weights, p, centre[title]) for p in (0.5, 0.9))
        )
        for title, weights in total.items()
    ]


def side_holding(weights: np.ndarray, part: float, centre: float) -> int:
    """Side of the smallest square around (``centre``, ``centre``), a pixel or a corner of pixels, that holds ``part`` of all weight."""
    reach = np.abs(2 * np.arange(len(weights)) - round(2 * centre))  # from the centre, in half pixels
    rings = np.maximum(reach[:, None], reach[None, :])
    inside = np.bincount(rings.ravel(), weights.ravel())
    return min(int(np.searchsorted(np.cumsum(inside), part * inside.sum())) + 1, len(weights))


def receptive_fields(image: np.ndarray, run: Run, networks: list[str], count: int = 2) -> dict[str, list[Field]]:
    """The lesson: the fields of each of ``networks`` on crops of an (h, w, 3) uint8 photo."""
    pictures = crops(image, count, run.rng)
    found = {}
    for number, name in enumerate(networks):
        run.step(number / len(networks), f"looking back through {name}")
        with torch.inference_mode(False), torch.enable_grad():  # the engine's own copy keeps no gradients
            network = load_network(name).eval().requires_grad_(False)
            found[name] = effective_fields(network, pictures, run.check)
    return found
