"""SegNet: an encoder, and a decoder that mirrors it and undoes each max pooling where it happened.

Badrinarayanan, Kendall & Cipolla, "SegNet: A Deep Convolutional Encoder-Decoder Architecture for
Image Segmentation", PAMI 2017. The encoder is a classifier pretrained on ImageNet (VGG16 there,
EfficientNet-Lite0 here) with 2 x 2 max pooling; the decoder needs no learned upsampling, because
each pooling's indices say where every maximum came from:

    conv ─ pool ─ conv ─ pool ─ ... ─ conv ─ unpool ─ conv ─ unpool ─ conv ─ scores
             └───────────│─ indices ───────────│─────────────────▲
                         └─ indices ───────────▲

The lecture's other ways to upsample are the same network with another ``upsampling``:

    max unpooling     [a b]      the value goes back to where the maximum was, zeros elsewhere
    fixed unpooling   [a b]      the value goes to the upper left of each 2 x 2 square, zeros elsewhere
    bilinear          f_xy = Σ_ij f_ij max(0, 1 − |x − i|) max(0, 1 − |y − j|)
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .backbones import ConvNormAct, EfficientNetLite0, SeparableConv, resize
from .inference import network_method

UPSAMPLINGS = ("max", "fixed", "bilinear")


def layers_between_poolings(trunk: EfficientNetLite0) -> Iterator[list[nn.Module]]:
    """The trunk's layers in order, cut after each one of stride 2, whose stride becomes a pooling.

    Five lists: what comes before each of the five poolings, and a sixth: what comes after the last.
    """
    layers: list[nn.Module] = []
    for block in [trunk.stem, *(block for stage in trunk.stages for block in stage)]:
        # Blocks of stride 2 have no skip, so they may be taken apart; all others stay whole.
        for layer in [block] if isinstance(block, ConvNormAct) or block.skip else block.layers:
            strided = layer[0].stride[0] == 2 if isinstance(layer, ConvNormAct) else False
            layers.append(unstrided(layer) if strided else layer)
            if strided:
                yield layers
                layers = []
    yield layers


def unstrided(layer: ConvNormAct) -> ConvNormAct:
    """The same convolution with stride 1. The pooling after it sees the places where the strided one was computed."""
    old = layer[0]
    out, kernel = old.out_channels, old.kernel_size[0]
    return ConvNormAct(old.in_channels, out, kernel, groups=old.groups)


class Encoder(nn.Module):
    """(N, 3, H, W) -> map at stride 32 (N, 320, H/32, W/32), and the indices of the five poolings, finest first.

    Has the parameters of ``EfficientNetLite0`` in the same order, under other names.
    """

    def __init__(self):
        super().__init__()
        parts = list(layers_between_poolings(EfficientNetLite0()))
        self.parts = nn.ModuleList(nn.Sequential(*part) for part in parts)
        self.pooled = tuple(part[-1][0].out_channels for part in parts[:-1])  # 32, 96, 144, 240, 672

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        indices = []
        for part in self.parts[:-1]:
            x, where = F.max_pool2d(part(x), 2, return_indices=True)
            indices.append(where)
        return self.parts[-1](x), indices


def upsample(x: Tensor, where: Tensor, how: str) -> Tensor:
    """(N, C, h, w) -> (N, C, 2h, 2w) by one of ``UPSAMPLINGS``; ``where`` are the pooling's indices, for "max"."""
    if how == "max":
        return F.max_unpool2d(x, where, 2)
    if how == "fixed":
        zeros = torch.zeros_like(x)
        rows = torch.stack([x, zeros], dim=-1).flatten(3)  # (N, C, h, 2w)
        return torch.stack([rows, torch.zeros_like(rows)], dim=3).flatten(2, 3)
    return resize(x, (2 * x.shape[2], 2 * x.shape[3]))


class DecoderStage(nn.Module):
    """To the pooled map's channels, upsample, then make the sparse map dense with trained filters."""

    def __init__(self, inp: int, pooled: int, out: int, upsampling: str):
        super().__init__()
        self.upsampling = upsampling
        self.expand = ConvNormAct(inp, pooled)
        self.dense = SeparableConv(pooled, out)

    def forward(self, x: Tensor, where: Tensor) -> Tensor:
        return self.dense(upsample(self.expand(x), where, self.upsampling))


class SegNet(nn.Module):
    """(N, 3, H, W), H and W multiples of 32 -> scores (N, classes, H, W)."""

    stride = 32

    def __init__(self, classes: int = 21, upsampling: str = "max", widths: tuple[int, ...] = (32, 32, 48, 80, 112)):
        super().__init__()
        if upsampling not in UPSAMPLINGS:
            raise ValueError(f"upsampling is one of {UPSAMPLINGS}, not {upsampling!r}")
        self.trunk = Encoder()
        self.decoded = widths[::-1]  # channels of the decoder's maps
        inputs = (*widths[1:], EfficientNetLite0.channels[-1])
        self.decoder = nn.ModuleList(
            DecoderStage(inp, pooled, out, upsampling)
            for inp, pooled, out in zip(inputs, self.trunk.pooled, widths, strict=True)
        )
        self.classifier = nn.Conv2d(widths[0], classes, 1)

    def encode(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        return self.trunk(x)

    def decode(self, features: tuple[Tensor, list[Tensor]]) -> list[Tensor]:
        """The decoder's maps at strides 16, 8, 4, 2, 1."""
        x, indices = features
        maps = []
        for stage, where in zip(reversed(self.decoder), reversed(indices), strict=True):
            x = stage(x, where)
            maps.append(x)
        return maps

    def head(self, features: tuple[Tensor, list[Tensor]]) -> Tensor:
        return self.classifier(self.decode(features)[-1])

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encode(x))


network_method(
    "segnet", "SegNet", SegNet,
    "An encoder and its mirror image; each maximum returns to the place that pooling took it from (Badrinarayanan et al. 2017).", 5,
)  # fmt: skip
network_method(
    "segnet-fixed", "SegNet, fixed unpooling", lambda: SegNet(upsampling="fixed"),
    "The same network without the indices: each value goes to the upper left of its square, wherever the maximum was.", 6,
)  # fmt: skip
network_method(
    "segnet-bilinear", "SegNet, bilinear", lambda: SegNet(upsampling="bilinear"),
    "The same network without the indices: each map is interpolated between its pixels, smooth and blurred.", 7,
)  # fmt: skip
