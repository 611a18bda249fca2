"""EfficientNet-Lite0: the convolutional trunk that FCN and DeepLab share.

Tan & Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
ICML 2019; the Lite variant drops squeeze-and-excitation and uses ReLU6, so that it
runs well on small processors. Built from the inverted residuals of Sandler et al.,
"MobileNetV2", CVPR 2018: expand (1 x 1), filter each channel (depthwise), project (1 x 1).

DeepLab's atrous convolution (Chen et al. 2017) appears here as ``output_stride``: with
16 instead of 32 the last down-sampling is left out and the kernels after it are dilated
by 2, so that each still sees the field it was trained for, on a grid twice as fine.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BATCH_NORM = dict(eps=1e-3, momentum=0.01)

# expansion, kernel, stride, output channels, repeats; one row per stage
STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)


class StridedConv(nn.Conv2d):
    """A convolution of stride 2, padded one pixel more below and to the right than above and to the left.

    As in the TensorFlow original: ImageNet weights trained that way expect each pixel there.
    """

    def forward(self, x: Tensor) -> Tensor:
        pad = self.kernel_size[0] - 2
        before, after = pad // 2, pad - pad // 2
        return super().forward(F.pad(x, (before, after, before, after)))


WIDEST_BORDER = 5
"""Pixels of zeros beside a map up to which PyTorch's CPU library has a fast depthwise kernel."""


class AtrousConv(nn.Conv2d):
    """Atrous convolution of stride 1, padded so that the map keeps its size; computed in the faster of two ways.

    Chen et al., "DeepLab", PAMI 2017, 3.1, name both: put holes into the filter, or deinterlace the map into rate^2
    smaller ones, each of every rate-th pixel, filter these without holes, and interlace them again. The sums are
    the same. Depthwise with a wide filter, the second is up to thirty times faster on a CPU.
    """

    def forward(self, x: Tensor) -> Tensor:
        is_depthwise = self.groups == self.in_channels == self.out_channels
        if x.device.type == "cpu" and is_depthwise and self.padding[0] > WIDEST_BORDER:
            return self.on_deinterlaced(x)
        return super().forward(x)

    def on_deinterlaced(self, x: Tensor) -> Tensor:
        """(N, C, h, w) -> (N, C, h, w) by the second way."""
        (batch, channels, height, width), rate = x.shape, self.dilation[0]
        x = F.pad(x, (0, -width % rate, 0, -height % rate)).permute(0, 2, 3, 1)  # channels last: whole pixels move
        rows, columns = x.shape[1] // rate, x.shape[2] // rate
        x = x.reshape(batch, rows, rate, columns, rate, channels).permute(0, 2, 4, 1, 3, 5)
        x = x.reshape(batch * rate * rate, rows, columns, channels).permute(0, 3, 1, 2)
        x = F.conv2d(x, self.weight, self.bias, padding=self.padding[0] // rate, groups=self.groups)
        x = x.permute(0, 2, 3, 1).reshape(batch, rate, rate, rows, columns, channels).permute(0, 3, 1, 4, 2, 5)
        return x.reshape(batch, rows * rate, columns * rate, channels)[:, :height, :width].permute(0, 3, 1, 2)


class ConvNormAct(nn.Sequential):
    """Convolution, batch normalization and, if ``act``, ReLU6. (N, in, h, w) -> (N, out, h/stride, w/stride)."""

    def __init__(self, inp: int, out: int, kernel=1, stride=1, dilation=1, groups=1, act: bool = True):
        if stride == 2:
            conv = StridedConv(inp, out, kernel, stride, groups=groups, bias=False)
        else:
            kind = AtrousConv if dilation > 1 else nn.Conv2d
            conv = kind(inp, out, kernel, 1, dilation * (kernel // 2), dilation, groups, bias=False)
        super().__init__(conv, nn.BatchNorm2d(out, **BATCH_NORM), *([nn.ReLU6(inplace=True)] if act else []))


class SeparableConv(nn.Sequential):
    """Depthwise separable convolution (Chollet 2017): filter each channel, then mix the channels."""

    def __init__(self, inp: int, out: int, kernel: int = 3, dilation: int = 1):
        super().__init__(ConvNormAct(inp, inp, kernel, dilation=dilation, groups=inp), ConvNormAct(inp, out))


class InvertedResidual(nn.Module):
    """Expand by ``expansion``, depthwise convolution, linear projection; a skip where the shapes agree."""

    def __init__(self, inp: int, out: int, expansion: int, kernel: int, stride: int, dilation: int):
        super().__init__()
        hidden = inp * expansion
        layers = [ConvNormAct(inp, hidden)] if expansion > 1 else []
        layers += [
            ConvNormAct(hidden, hidden, kernel, stride, dilation, groups=hidden),
            ConvNormAct(hidden, out, act=False),
        ]
        self.layers = nn.Sequential(*layers)
        self.skip = stride == 1 and inp == out

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.skip else self.layers(x)


class EfficientNetLite0(nn.Module):
    """The trunk. (N, 3, H, W), H and W multiples of ``output_stride`` -> four feature maps.

    Returns features with 24, 40, 112 and 320 channels at strides 4, 8, 16 and 32, none of them above ``output_stride``.
    """

    channels = (24, 40, 112, 320)

    def __init__(self, output_stride: int = 32):
        super().__init__()
        if output_stride not in (8, 16, 32):
            raise ValueError(f"output_stride is 8, 16 or 32, not {output_stride}")
        self.stem = ConvNormAct(3, 32, kernel=3, stride=2)
        self.stages = nn.ModuleList()
        inp, reached, dilation = 32, 2, 1
        for expansion, kernel, stride, out, repeats in STAGES:
            blocks = []
            for repeat in range(repeats):
                block_stride, block_dilation = (stride if repeat == 0 else 1), dilation
                if block_stride == 2 and reached == output_stride:
                    block_stride, dilation = 1, dilation * 2  # from the next block on the grid is sparse
                elif block_stride == 2:
                    reached *= 2
                blocks.append(InvertedResidual(inp, out, expansion, kernel, block_stride, block_dilation))
                inp = out
            self.stages.append(nn.Sequential(*blocks))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return self.pyramid(x)[1:]

    def pyramid(self, x: Tensor) -> tuple[Tensor, ...]:
        """What ``forward`` gives and, before it, the map at stride 2 with 16 channels."""
        x = self.stem(x)  # (N, 32, H/2, W/2)
        features = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in (0, 1, 2, 4, 6):
                features.append(x)
        return tuple(features)


def load_imagenet(trunk: nn.Module, state: dict[str, Tensor]) -> None:
    """Copy ImageNet weights in EfficientNet-PyTorch naming into ``trunk`` (training only).

    The classifier's own layers (``_conv_head``, ``_bn1``, ``_fc``) are left out.
    """
    copy_in_order([(k, v) for k, v in state.items() if k.startswith(("_conv_stem", "_bn0", "_blocks"))], trunk)


def copy_in_order(source: Iterable[tuple[str, Tensor]], trunk: nn.Module) -> None:
    """Copy the state of a trunk into another that lists the same layers in the same order under other names.

    Tensors are matched by position and checked by shape; raises ``ValueError`` where they do not fit.
    """
    source, target = list(source), trunk.state_dict()
    if len(source) != len(target):
        raise ValueError(f"{len(source)} tensors do not fit a trunk of {len(target)}")
    for (source_name, value), (name, old) in zip(source, target.items(), strict=True):
        if value.shape != old.shape:
            raise ValueError(f"{source_name} {tuple(value.shape)} does not fit {name} {tuple(old.shape)}")
        target[name] = value
    trunk.load_state_dict(target)


def resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear interpolation of (N, C, h, w) to (N, C, *size); pixel centres, not corners, are aligned."""
    if x.shape[2:] == size:
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def count_parameters(network: nn.Module) -> int:
    """Number of trained values."""
    return sum(p.numel() for p in network.parameters())


def fold_batch_norm(network: nn.Module) -> nn.Module:
    """Fold each batch normalization into the convolution before it, in place; exact in eval mode."""
    for module in network.modules():
        if not isinstance(module, nn.Sequential):
            continue
        names = list(module._modules)
        for first, second in zip(names, names[1:], strict=False):
            conv, norm = module._modules[first], module._modules[second]
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                module._modules[first] = torch.nn.utils.fusion.fuse_conv_bn_eval(conv, norm)
                module._modules[second] = nn.Identity()
    return network
