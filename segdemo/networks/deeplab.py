"""DeepLabv3+: atrous convolution, a spatial pyramid, and a decoder for the edges.

Chen, Zhu, Papandreou, Schroff & Adam, "Encoder-Decoder with Atrous Separable
Convolution for Semantic Image Segmentation", ECCV 2018. Atrous spatial pyramid
pooling: Chen et al., "DeepLab", PAMI 2017, and "Rethinking Atrous Convolution", 2017.

    trunk, output stride 16 ──► ASPP ──► up x4 ──┐
      └── stride 4 ──► 1 x 1 ────────────────────┴─► 2 separable 3 x 3 ──► scores ──► up x4
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .backbones import ConvNormAct, EfficientNetLite0, SeparableConv, resize
from .inference import network_method


class ImagePooling(nn.Module):
    """The mean over the whole map, passed through a 1 x 1 convolution and spread out again."""

    def __init__(self, inp: int, out: int):
        super().__init__()
        # No batch normalization: one value per image is too few to estimate a variance from.
        self.project = nn.Sequential(nn.Conv2d(inp, out, 1), nn.ReLU6(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        return self.project(x.mean((2, 3), keepdim=True)).expand(-1, -1, *x.shape[2:])


class ASPP(nn.Module):
    """Atrous spatial pyramid pooling: the same map seen at several rates at once.

    (N, inp, h, w) -> (N, out, h, w). Each branch has as many parameters as a 3 x 3
    separable convolution, whatever its rate; a rate r sees a field of 2r + 1.
    """

    def __init__(self, inp: int, out: int, rates: tuple[int, ...]):
        super().__init__()
        self.branches = nn.ModuleList(
            [ConvNormAct(inp, out)]
            + [SeparableConv(inp, out, dilation=rate) for rate in rates]
            + [ImagePooling(inp, out)]
        )
        self.project = nn.Sequential(ConvNormAct(out * len(self.branches), out), nn.Dropout(0.1))

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([branch(x) for branch in self.branches], dim=1)  # (N, (R + 2) * out, h, w)
        return self.project(x)


class DeepLabV3Plus(nn.Module):
    """(N, 3, H, W), H and W multiples of 16 -> scores (N, classes, H/4, W/4).

    The paper's rates 6, 12, 18 belong to crops of 513 pixels; crops here are about
    half as wide, and so are the rates.
    """

    stride = 16

    def __init__(self, classes: int = 21, width: int = 128, rates: tuple[int, ...] = (3, 6, 9)):
        super().__init__()
        self.trunk = EfficientNetLite0(output_stride=16)
        low, _, _, high = self.trunk.channels
        self.aspp = ASPP(high, width, rates)
        self.low = ConvNormAct(low, 32)
        self.decoder = nn.Sequential(SeparableConv(width + 32, width), SeparableConv(width, width))
        self.classifier = nn.Conv2d(width, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.trunk(x))

    def head(self, features: tuple[Tensor, ...]) -> Tensor:
        """Scores from the trunk's features."""
        low, _, _, high = features  # (N, 24, H/4, W/4), (N, 320, H/16, W/16)
        high = resize(self.aspp(high), low.shape[2:])  # (N, width, H/4, W/4)
        return self.classifier(self.decoder(torch.cat([high, self.low(low)], dim=1)))


network_method(
    "deeplab-v3plus", "DeepLabv3+", DeepLabV3Plus,
    "Atrous convolution keeps the grid fine, a spatial pyramid sees several scales, a decoder restores edges (Chen et al. 2018).", 20,
)  # fmt: skip
