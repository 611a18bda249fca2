"""U-Net: a contracting path, an expanding path, and skips that carry whole feature maps across.

Ronneberger, Fischer & Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation",
MICCAI 2015. At each level two 3 x 3 convolutions; on the way down 2 x 2 max pooling, on the way
up a 2 x 2 transposed convolution, then the map of the same level is concatenated:

    level 0 ─ conv conv ──────────────── skip 1 ───────────────► concat ─ conv conv ─ scores
                 └ pool                                            ▲ up
    level 1      └ conv conv ─────────── skip 2 ────────► concat ─ conv conv
                     └ pool                                 ▲ up
      ...                └── ... ─ conv conv (level 4) ── ...

Here the width starts at 24 instead of 64 channels, convolutions are padded so that no border is
lost, and batch normalization (which appeared in the same year) follows each.
"""

from __future__ import annotations

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from ..labels import VOC21
from ..segmentation import Picture
from .inference import Look, NetworkParams, network_method


class DoubleConv(nn.Sequential):
    """Two 3 x 3 convolutions, each with batch normalization and ReLU. (N, inp, h, w) -> (N, out, h, w)."""

    def __init__(self, inp: int, out: int):
        super().__init__(
            nn.Conv2d(inp, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True),
            nn.Conv2d(out, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True),
        )  # fmt: skip


class Encoder(nn.Module):
    """The contracting path. (N, 3, H, W) -> maps at strides 1, 2, 4, 8, 16 with ``channels``."""

    def __init__(self, channels: tuple[int, ...]):
        super().__init__()
        self.channels = channels
        self.levels = nn.ModuleList(DoubleConv(i, o) for i, o in zip((3, *channels), channels))
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for level in self.levels:
            x = level(self.pool(x) if features else x)
            features.append(x)
        return features


class Decoder(nn.Module):
    """The expanding path. Maps at strides 1 to 16 -> scores (N, classes, H, W).

    ``cut`` names skips (1 = full resolution, 4 = coarsest) whose maps are replaced by zeros.
    """

    def __init__(self, channels: tuple[int, ...], classes: int):
        super().__init__()
        pairs = list(zip(channels[:-1], channels[1:]))[::-1]  # (fine, coarse), coarsest first
        self.ups = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, 2) for fine, coarse in pairs)
        self.levels = nn.ModuleList(DoubleConv(2 * fine, fine) for fine, _ in pairs)
        self.classifier = nn.Conv2d(channels[0], classes, 1)

    def forward(self, features: list[Tensor], cut: tuple[int, ...] = ()) -> Tensor:
        *skips, x = features
        for number in range(len(skips), 0, -1):
            up, level = self.ups[len(skips) - number], self.levels[len(skips) - number]
            skip = skips[number - 1]
            x = level(torch.cat([torch.zeros_like(skip) if number in cut else skip, up(x)], dim=1))
        return self.classifier(x)


class UNet(nn.Module):
    """(N, 3, H, W), H and W multiples of 16 -> scores (N, classes, H, W)."""

    stride = 16

    def __init__(self, classes: int = 21, channels: tuple[int, ...] = (24, 48, 96, 192, 384)):
        super().__init__()
        self.encoder = Encoder(channels)
        self.decoder = Decoder(channels, classes)

    def forward(self, x: Tensor, cut: tuple[int, ...] = ()) -> Tensor:
        return self.decoder(self.encoder(x), cut)


class UNetParams(NetworkParams):
    """A switch per skip."""

    skip_1: bool = Field(True, description="U-Net: the skip at full resolution")
    skip_2: bool = Field(True, description="U-Net: the skip at half resolution")
    skip_3: bool = Field(True, description="U-Net: the skip at a quarter of the resolution")
    skip_4: bool = Field(True, description="U-Net: the skip at an eighth of the resolution")


def cut_skips(params: UNetParams) -> dict:
    """The skips that are switched off, as an option of ``UNet.forward``."""
    return {"cut": tuple(number for number in (1, 2, 3, 4) if not getattr(params, f"skip_{number}"))}


def what_each_skip_gives(look: Look, params: UNetParams) -> list[Picture]:
    """The labels without each skip in turn, and without any."""
    full = look(cut=()).argmax(0)
    pictures = []
    for cut in ((1,), (2,), (3,), (4,), (1, 2, 3, 4)):
        labels = look(cut=cut).argmax(0)
        changed = 100 * float(np.mean(labels != full))
        title = f"skip {cut[0]} cut" if len(cut) == 1 else "all skips cut"
        note = f"{changed:.1f} % of the pixels get another label than with all skips."
        pictures.append(Picture(title, VOC21.palette[labels], note))
    return pictures


network_method(
    "unet", "U-Net", UNet,
    "Every level of the way down is handed across to the way up (Ronneberger et al. 2015); cut a skip and see what it carried.", 8,
    params=UNetParams, options=cut_skips, explain=what_each_skip_gives,
)  # fmt: skip
