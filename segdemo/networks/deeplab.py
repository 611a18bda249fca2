"""DeepLab v2 and v3+: atrous convolution, a spatial pyramid, and two ways to sharp edges.

v2: Chen, Papandreou, Kokkinos, Murphy & Yuille, "DeepLab: Semantic Image Segmentation with
Deep Convolutional Nets, Atrous Convolution, and Fully Connected CRFs", PAMI 2017. The grid
stays as fine as stride 8, and a dense CRF draws the edges afterwards:

    trunk, output stride 8 ──► 4 atrous branches, each to scores ──► sum ──► up x8 (──► CRF)

v3+: Chen, Zhu, Papandreou, Schroff & Adam, "Encoder-Decoder with Atrous Separable Convolution
for Semantic Image Segmentation", ECCV 2018; image pooling from "Rethinking Atrous Convolution
for Semantic Image Segmentation", 2017. A decoder draws the edges:

    trunk, output stride 16 ──► ASPP ──► up x4 ──┐
      └── stride 4 ──► 1 x 1 ────────────────────┴─► 2 separable 3 x 3 ──► scores ──► up x4
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .backbones import ConvNormAct, EfficientNetLite0, SeparableConv, resize
from .inference import network_method


class ASPPScores(nn.Module):
    """v2's atrous spatial pyramid pooling (fig. 7, "ASPP-L"): each branch scores by itself, the scores are summed.

    (N, inp, h, w) -> (N, classes, h, w). A branch is VGG's fc6 as an atrous 3 x 3 convolution, fc7 and fc8 as 1 x 1.
    """

    def __init__(self, inp: int, width: int, classes: int, rates: tuple[int, ...]):
        super().__init__()
        self.branches = nn.ModuleList(
            nn.Sequential(
                ConvNormAct(inp, width, 3, dilation=rate), ConvNormAct(width, width), nn.Dropout(0.1), nn.Conv2d(width, classes, 1)
            )
            for rate in rates
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return sum(branch(x) for branch in self.branches)


TRAINED_STRIDE = 16
"""The grid on which v2 is trained, for speed; it answers on one of 8 (Chen et al., "Rethinking Atrous Convolution", 4.1)."""


class DeepLabV2(nn.Module):
    """(N, 3, H, W), H and W multiples of ``output_stride`` -> scores (N, classes, H/8, W/8) for output stride 8.

    ``rates`` are those on a grid of 8; on a coarser grid they shrink with it, so that the same weights see the
    same field. The paper's 6, 12, 18, 24 belong to crops of 321 pixels; these are as wide for the crops used here.
    """

    def __init__(
        self, classes: int = 21, width: int = 64, rates: tuple[int, ...] = (4, 8, 12, 16), output_stride: int = 8
    ):
        super().__init__()
        self.stride = output_stride
        self.trunk = EfficientNetLite0(output_stride)
        on_this_grid = tuple(rate * 8 // output_stride for rate in rates)
        self.aspp = ASPPScores(self.trunk.channels[-1], width, classes, on_this_grid)

    def forward(self, x: Tensor) -> Tensor:
        return self.placed(self.aspp(self.trunk(x)[-1]))

    def placed(self, scores: Tensor) -> Tensor:
        """Scores of the pyramid, or of one of its branches, where they belong on the photo."""
        return half_a_cell_on(scores) if self.stride == TRAINED_STRIDE // 2 else scores


def half_a_cell_on(scores: Tensor) -> Tensor:
    """Scores (N, K, h, w) read half a cell further down and to the right: each the mean of four neighbours.

    The trunk's strided convolutions look at the lower right corner of their cells. Trained on a grid of 16, the
    network learns to answer for the centre, 7.5 pixels up and left of where it looks; on a grid of 8 the centre is
    only 3.5 pixels away, so its answers belong 4 pixels, half a cell, further up and left than they stand.
    """
    return F.avg_pool2d(F.pad(scores, (0, 1, 0, 1), mode="replicate"), 2, stride=1)


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

    (N, inp, h, w) -> (N, out, h, w). An atrous branch has as many parameters
    as a 3 x 3 separable convolution, whatever its rate r, and sees a field of 2r + 1; beside them stand a 1 x 1
    convolution and the mean of the whole map.
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
        return self.join([branch(x) for branch in self.branches])

    def join(self, seen: list[Tensor]) -> Tensor:
        """What the branches see, R + 2 maps (N, out, h, w), made one of the same shape."""
        return self.project(torch.cat(seen, dim=1))


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

    def encode(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.trunk(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encode(x))

    def head(self, features: tuple[Tensor, ...]) -> Tensor:
        """Scores from the trunk's features."""
        return self.classifier(self.decode(features))

    def decode(self, features: tuple[Tensor, ...]) -> Tensor:
        """What the classifier sees, (N, width, H/4, W/4)."""
        low, _, _, high = features  # (N, 24, H/4, W/4), (N, 320, H/16, W/16)
        return self.refine(self.aspp(high), self.low(low))

    def refine(self, pyramid: Tensor, skip: Tensor) -> Tensor:
        """The decoder: (N, width, H/16, W/16) with (N, 32, H/4, W/4) -> (N, width, H/4, W/4)."""
        return self.decoder(torch.cat([resize(pyramid, skip.shape[2:]), skip], dim=1))


network_method(
    "deeplab-v2", "DeepLab v2", DeepLabV2,
    "Atrous convolution keeps a grid of every 8th pixel, four rates see four scales (Chen et al. 2017); made for the CRF to follow.", 10,
)  # fmt: skip
network_method(
    "deeplab-v3plus", "DeepLabv3+", DeepLabV3Plus,
    "Atrous convolution keeps the grid fine, a spatial pyramid sees several scales, a decoder restores edges (Chen et al. 2018).", 20,
)  # fmt: skip
