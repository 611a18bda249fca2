"""What flows through a network: the map of every stage on the way down, and on the way up where there is one.

A map of C channels is shown by its first three principal components as red, green and blue (Pearson 1901): cells that
the network describes alike have the same colour. How small the map is, is seen from its cells. The last picture is the
output: the label with the largest score in every cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..labels import VOC21
from ..method import Run
from ..networks.checkpoints import read_card
from ..networks.deeplab import DeepLabV3Plus
from ..networks.inference import network_input
from ..networks.segnet import SegNet
from ..networks.unet import UNet
from .receptive_field import encoder_of

OUTLIERS = 2.0
"""Per cent of the cells at either end of a component that may be beyond the range of the colours."""


@dataclass
class StageMap:
    """One map: what it is, its (rows, columns) and channels, its stride, and (rows, columns, 3) uint8, a picture of it.

    ``classes`` are those of VOC-21 whose colours a picture of labels shows.
    """

    title: str
    grid: tuple[int, int]
    channels: int
    stride: int
    picture: np.ndarray
    classes: tuple[int, ...] = ()


def down_and_up(network: nn.Module, x: Tensor) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """Maps (1, C, h, w) of the encoder, of the decoder, coarsest first, and the scores, for x (1, 3, H, W)."""
    if isinstance(network, SegNet):
        down, y = [], x
        for part in network.trunk.parts[:-1]:
            y = F.max_pool2d(part(y), 2)
            down.append(y)
        down[-1] = network.trunk.parts[-1](y)
        up = network.decode(network.encode(x))
        return down, up, network.classifier(up[-1])
    down, up = list(encoder_of(network)(x)), []
    if isinstance(network, UNet):
        up = network.decode(tuple(down))
    elif isinstance(network, DeepLabV3Plus):
        up = [network.aspp(down[-1]), network.decode(tuple(down))]
    return down, up, network(x)


def principal_colours(features: np.ndarray) -> np.ndarray:
    """(C, h, w) -> (h, w, 3) uint8: the first three principal components, each stretched over 0..255.

    The sign of a component is free; here its largest loading is positive. A component that is constant is grey.
    """
    channels, height, width = features.shape
    centred = features.reshape(channels, -1).astype(np.float64)
    centred -= centred.mean(1, keepdims=True)
    _, axes = np.linalg.eigh(centred @ centred.T)
    axes = axes[:, ::-1][:, :3]
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])
    components, found = np.full((3, height * width), 0.5), axes.T @ centred
    for number, component in enumerate(found):
        low, high = np.percentile(component, [OUTLIERS, 100 - OUTLIERS])
        if high - low > 1e-6 * max(np.abs(found).max(), 1e-6):  # less is rounding
            components[number] = np.clip((component - low) / (high - low), 0, 1)
    return (components * 255).round().astype(np.uint8).T.reshape(height, width, 3)


def stage_maps(image: np.ndarray, run: Run, network: str) -> list[StageMap]:
    """The lesson: every map of the trained ``network`` on an (h, w, 3) uint8 photo, in the order in which they come."""
    run.step(0.1, "the network, stage by stage")
    model = run.network(network)
    with torch.inference_mode():
        x = network_input(model, image, read_card(network)["input_size"], run.device, run.dtype)
        down, up, scores = down_and_up(model, x)
    titled = [(f"down, stage {k}", y) for k, y in enumerate(down, 1)] + [
        (f"up, stage {k}", y) for k, y in enumerate(up, 1)
    ]
    shown = []
    for number, (title, features) in enumerate(titled):
        run.step(0.3 + 0.6 * number / len(titled), title)
        values = features[0].float().cpu().numpy()
        shown.append(
            StageMap(title, values.shape[1:], len(values), x.shape[2] // values.shape[1], principal_colours(values))
        )
    labels = scores[0].float().cpu().numpy().argmax(0)
    shown.append(
        StageMap(
            "largest score",
            labels.shape,
            scores.shape[1],
            x.shape[2] // len(labels),
            VOC21.palette[labels],
            tuple(np.unique(labels).tolist()),
        )
    )
    return shown
