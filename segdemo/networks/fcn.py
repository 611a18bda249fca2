"""Fully convolutional networks: FCN-32s, FCN-16s, FCN-8s.

Long, Shelhamer & Darrell, "Fully Convolutional Networks for Semantic Segmentation",
CVPR 2015. A classifier whose last layers are read as 1 x 1 convolutions gives a coarse
map of scores; scores of earlier, finer layers are added to it one after the other:

    stride 32 ── score ───────────────────────────► FCN-32s
                   └─ up x2 ─(+)◄── score, stride 16 ► FCN-16s
                               └─ up x2 ─(+)◄── score, stride 8 ► FCN-8s

The paper's x2 are transposed convolutions that start as bilinear interpolation and go on learning; here they stay
bilinear (the paper's last step is fixed as well), so that one set of weights serves all three.
"""

from __future__ import annotations

from torch import Tensor, nn

from .backbones import ConvNormAct, EfficientNetLite0, resize
from .inference import network_method


class FCN(nn.Module):
    """(N, 3, H, W), H and W multiples of 32 -> scores (N, classes, H/s, W/s) with s = ``finest``.

    The parameters of a coarser network are a subset of a finer one's, under the same names,
    so that one set of trained weights serves all three.
    """

    stride = 32

    def __init__(self, classes: int = 21, finest: int = 8):
        super().__init__()
        self.trunk = EfficientNetLite0(output_stride=32)
        _, stride8, stride16, stride32 = self.trunk.channels
        # VGG's fc6 and fc7 in the paper; EfficientNet's classifier has one such layer.
        self.fc = nn.Sequential(ConvNormAct(stride32, 1280), nn.Dropout2d(0.1))
        self.score32 = nn.Conv2d(1280, classes, 1)
        self.score16 = nn.Conv2d(stride16, classes, 1) if finest <= 16 else None
        self.score8 = nn.Conv2d(stride8, classes, 1) if finest <= 8 else None

    def own_scores(self, features: tuple[Tensor, ...]) -> list[Tensor]:
        """What each layer scores by itself, at stride 32, then 16, then 8, as far as this network goes."""
        _, f8, f16, f32 = features
        own = [self.score32(self.fc(f32))]  # (N, classes, H/32, W/32)
        if self.score16 is not None:
            own.append(self.score16(f16))
        if self.score8 is not None:
            own.append(self.score8(f8))
        return own

    def all_scores(self, features: tuple[Tensor, ...]) -> list[Tensor]:
        """Scores of FCN-32s, then 16s, then 8s, as far as this network goes, from the trunk's features."""
        coarsest, *finer = self.own_scores(features)
        scores = [coarsest]
        for own in finer:
            scores.append(resize(scores[-1], own.shape[2:]) + own)
        return scores

    def head(self, features: tuple[Tensor, ...]) -> Tensor:
        return self.all_scores(features)[-1]

    def encode(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.trunk(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encode(x))


network_method(
    "fcn-32s", "FCN-32s", lambda: FCN(finest=32),
    "Scores on a grid of every 32nd pixel, enlarged in one go (Long et al. 2015): what is there is right, where it ends is not.", 1,
)  # fmt: skip
network_method(
    "fcn-16s", "FCN-16s", lambda: FCN(finest=16),
    "FCN-32s plus the scores of a layer twice as fine (Long et al. 2015): the first skip.", 2,
)  # fmt: skip
network_method(
    "fcn-8s", "FCN-8s", lambda: FCN(finest=8),
    "FCN-16s plus the scores of every 8th pixel (Long et al. 2015): the second skip, and finer outlines.", 3,
)  # fmt: skip
