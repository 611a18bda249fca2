"""Three ways to build an encoder, drawn to scale: a CNN's pyramid, ViT's column, SegFormer's pyramid of transformers.

Dosovitskiy et al., "An Image is Worth 16x16 Words", ICLR 2021, table 1 (ViT-B/16); Xie et al., "SegFormer", NeurIPS 2021,
section 3.1 and fig. 2.
"""

from __future__ import annotations

import html
from dataclasses import dataclass

from ...networks.backbones import EfficientNetLite0
from ...networks.segformer import B0

PHOTO = 512
"""Side in pixels of the photo for which grids are counted."""


@dataclass(frozen=True)
class Stage:
    """A map of an encoder: its stride, its channels, and for attention by how much keys and values are reduced on each side."""

    stride: int
    channels: int
    reduction: int | None = None

    @property
    def side(self) -> int:
        return PHOTO // self.stride

    @property
    def pairs(self) -> int:
        """Queries times keys that a layer of attention compares."""
        return self.side**2 * (self.side // self.reduction) ** 2


@dataclass(frozen=True)
class Encoder:
    title: str
    text: str
    stages: tuple[Stage, ...]


ENCODERS = (
    Encoder(
        "CNN: a pyramid",
        "EfficientNet-Lite0, the trunk of FCN, U-Net and DeepLab here. Each layer sees its neighbourhood alone.",
        tuple(Stage(stride, channels) for stride, channels in zip((4, 8, 16, 32), EfficientNetLite0.channels, strict=True)),
    ),
    Encoder(
        "ViT-B/16: a column",
        "12 layers on one coarse grid, three in each row here. Each sees the whole photo, but no map is fine enough for outlines.",
        (Stage(16, 768, 1),) * 4,
    ),
    Encoder(
        "SegFormer-B0: a pyramid of transformers",
        "Sees far and stays fine: keys and values are reduced to the same small grid in every stage.",
        tuple(Stage(stride, width, reduction) for stride, (width, _, _, reduction, _, _) in zip((4, 8, 16, 32), B0, strict=True)),
    ),
)  # fmt: skip


def pyramids() -> str:
    """The figure as HTML."""
    return f"<div class='pyramids'>{''.join(map(tower, ENCODERS))}</div>"


def tower(encoder: Encoder) -> str:
    """One encoder, its last stage at the top, as wide as its grid."""
    floors = "".join(
        f"<div class='floor'><i style='width:{100 * stage.side / (PHOTO // 4):g}%'></i></div><span>{said(stage)}</span>"
        for stage in reversed(encoder.stages)
    )
    return (
        f"<figure><figcaption><b>{html.escape(encoder.title)}</b> {html.escape(encoder.text)}</figcaption>"
        f"<div class='tower'>{floors}</div></figure>"
    )


def said(stage: Stage) -> str:
    pairs = "" if stage.reduction is None else f"<br>{stage.pairs:,} pairs a layer"
    return f"{stage.side} × {stage.side}, {stage.channels} channels{pairs}"
