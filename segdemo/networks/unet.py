"""U-Net: a contracting path, an expanding path, and skips that carry whole feature maps across.

Ronneberger, Fischer & Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation",
MICCAI 2015. On the way up, at each level, a 2 x 2 transposed convolution, then the map of the
same level on the way down is concatenated, then two 3 x 3 convolutions:

    stride 2  ─────────────── skip 1 ──────────────► concat ─ conv conv ─ scores
       └ 4  ───────────────── skip 2 ────────► concat ─ conv conv ─┘ up
          └ 8  ────────────── skip 3 ──► concat ─ conv conv ─┘ up
             └ 16 ── skip 4 ─► concat ─ conv conv ─┘ up
                └ 32 ─────────────┘ up

The paper's way down is trained from nothing on few images of cells. For twenty classes of photos two
cores have no time for that, so here it is EfficientNet-Lite0, which halves the grid by strided
convolutions and leaves the full resolution at once. Convolutions on the way up are padded, so that no
border is lost, and batch normalization (which appeared in the same year) follows each.
"""

from __future__ import annotations

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from ..labels import VOC21
from ..likeliest import likeliest
from ..segmentation import Picture
from .backbones import EfficientNetLite0
from .inference import Look, NetworkParams, network_method


class DoubleConv(nn.Sequential):
    """Two 3 x 3 convolutions, each with batch normalization and ReLU. (N, inp, h, w) -> (N, out, h, w)."""

    def __init__(self, inp: int, out: int):
        super().__init__(
            nn.Conv2d(inp, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True),
            nn.Conv2d(out, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True),
        )  # fmt: skip


class UNet(nn.Module):
    """(N, 3, H, W), H and W multiples of 32 -> scores (N, classes, H/2, W/2)."""

    stride = 32

    def __init__(self, classes: int = 21, widths: tuple[int, ...] = (32, 48, 64, 128)):
        super().__init__()
        self.trunk = EfficientNetLite0(output_stride=32)
        self.decoded = widths[::-1]  # channels of the maps on the way up
        skips = (16, *self.trunk.channels[:-1])  # channels at strides 2, 4, 8, 16
        below = (*widths[1:], self.trunk.channels[-1])  # of the map that comes up from the next coarser level
        self.ups = nn.ModuleList(nn.ConvTranspose2d(b, w, 2, 2) for b, w in zip(below, widths, strict=True))
        self.levels = nn.ModuleList(DoubleConv(s + w, w) for s, w in zip(skips, widths, strict=True))
        self.classifier = nn.Conv2d(widths[0], classes, 1)

    def encode(self, x: Tensor) -> tuple[Tensor, ...]:
        """The way down: maps at strides 2, 4, 8, 16 and 32."""
        return self.trunk.pyramid(x)

    def decode(self, features: tuple[Tensor, ...], cut: tuple[int, ...] = ()) -> list[Tensor]:
        """The way up: maps at strides 16, 8, 4, 2. ``cut`` names skips (1 = finest, 4 = coarsest) to replace by zeros."""
        *skips, x = features
        maps = []
        for number in (4, 3, 2, 1):
            skip = skips[number - 1]
            skip = torch.zeros_like(skip) if number in cut else skip
            x = self.levels[number - 1](torch.cat([skip, self.ups[number - 1](x)], dim=1))
            maps.append(x)
        return maps

    def head(self, features: tuple[Tensor, ...], cut: tuple[int, ...] = ()) -> Tensor:
        return self.classifier(self.decode(features, cut)[-1])

    def forward(self, x: Tensor, cut: tuple[int, ...] = ()) -> Tensor:
        return self.head(self.encode(x), cut)


class UNetParams(NetworkParams):
    """A switch per skip."""

    skip_1: bool = Field(True, description="the skip at half resolution")
    skip_2: bool = Field(True, description="the skip at a quarter of the resolution")
    skip_3: bool = Field(True, description="the skip at an eighth of the resolution")
    skip_4: bool = Field(True, description="the skip at a sixteenth of the resolution")


def cut_skips(params: UNetParams) -> dict:
    """The skips that are switched off, as an option of ``UNet.forward``."""
    return {"cut": tuple(number for number in (1, 2, 3, 4) if not getattr(params, f"skip_{number}"))}


def what_each_skip_gives(look: Look, params: UNetParams) -> list[Picture]:
    """The labels without each skip in turn, and without any."""
    full, _ = likeliest(look(cut=()))
    pictures = []
    for cut in ((1,), (2,), (3,), (4,), (1, 2, 3, 4)):
        labels, _ = likeliest(look(cut=cut))
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
