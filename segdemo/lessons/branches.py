"""What each branch of a network adds to its scores: FCN's and U-Net's skips, DeepLab's rates, SegFormer's stages.

Where branches are summed the score of a class is a sum that can be taken apart, exactly: FCN adds the scores of finer
layers to those of coarser ones (Long, Shelhamer & Darrell, CVPR 2015, fig. 3), DeepLab v2 the scores of four atrous
rates (Chen et al., PAMI 2017, fig. 7). Where they are concatenated and mixed (U-Net's skips, Ronneberger et al., MICCAI 2015,
fig. 1; DeepLabv3+'s pyramid and skip, Chen et al., ECCV 2018, fig. 2; SegFormer's four stages, Xie et al., NeurIPS 2021,
fig. 2) a branch can only be silenced, its output set to zero, and the scores compared. For a sum the two are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import ParameterError
from ..image import fit
from ..method import Run
from ..networks.backbones import resize
from ..networks.checkpoints import read_card
from ..networks.deeplab import DeepLabV2, DeepLabV3Plus
from ..networks.fcn import FCN
from ..networks.inference import network_input
from ..networks.segformer import SegFormer
from ..networks.unet import UNet
from .mean_field import leading_classes

BACKGROUND = 0
MAP_SIZE = 256
"""Long side, in pixels, of the maps."""


@dataclass
class BranchesLesson:
    """A photo's scores, branch by branch. The softmax heeds differences only: a class's score is that above background's.

    Of background itself it is that above the mean of all other classes.

    Attributes:
        network: its name.
        is_sum: whether the whole score is the sum of ``parts``; else a part is what the scores lose with it.
        titles: B, of the branches.
        classes: C classes of VOC-21, see ``leading_classes``; background only if it stands alone.
        image: (h, w, 3) uint8, the photo at the size of the maps.
        parts: (B, C, h, w) float32, what each branch adds.
        whole: (C, h, w) float32, the network's scores.
        labels: (h, w) uint8, the network's labels of all 21 classes.
        without: (B, h, w) uint8, those of the network without the branch.
        alone: (B, h, w) uint8, those of the branch alone; None where there is no sum.
        running: (B, h, w) uint8, those of the sum of the branches up to this one; None where there is no sum.
    """

    network: str
    is_sum: bool
    titles: list[str]
    classes: list[int]
    image: np.ndarray
    parts: np.ndarray
    whole: np.ndarray
    labels: np.ndarray
    without: np.ndarray
    alone: np.ndarray | None
    running: np.ndarray | None


@dataclass
class Taken:
    """A network's scores taken apart: ``whole`` (1, K, h, w), and what each of the branches adds, of the same shape."""

    titles: list[str]
    whole: Tensor
    parts: list[Tensor]
    is_sum: bool


def taken_apart(network: nn.Module, x: Tensor) -> Taken:
    """The scores of ``network`` for x (1, 3, H, W), branch by branch; raises ``ParameterError`` for one without branches."""
    for kind, take in TAKERS.items():
        if isinstance(network, kind) and (taken := take(network, x)).titles:
            return taken
    raise ParameterError(
        "network: one whose scores come from several branches: FCN-16s, FCN-8s, U-Net, DeepLab, SegFormer"
    )


def _fcn(network: FCN, x: Tensor) -> Taken:
    features = network.encode(x)
    own, parts = network.own_scores(features), []
    for number, part in enumerate(own):
        for finer in own[number + 1 :]:  # the way on which it is enlarged in the network
            part = resize(part, finer.shape[2:])
        parts.append(part)
    titles = [f"stride {stride}" for stride in (32, 16, 8)[: len(own)]] if len(own) > 1 else []
    return Taken(titles, network.head(features), parts, is_sum=True)


def _unet(network: UNet, x: Tensor) -> Taken:
    *skips, bottom = network.encode(x)
    titles = ["bottom, stride 32", *(f"skip, stride {stride}" for stride in (16, 8, 4, 2))]
    return _silenced(titles, [bottom, *skips[::-1]], lambda m: network.head((*m[:0:-1], m[0])))


def _deeplab_v2(network: DeepLabV2, x: Tensor) -> Taken:
    features = network.trunk(x)[-1]
    parts = [network.placed(branch(features)) for branch in network.aspp.branches]
    titles = [f"rate {rate_of(branch)}" for branch in network.aspp.branches]
    return Taken(titles, network.placed(network.aspp(features)), parts, is_sum=True)


def rate_of(branch: nn.Module) -> int:
    """The rate of an atrous branch, that of its first convolution."""
    return next(layer.dilation[0] for layer in branch.modules() if isinstance(layer, nn.Conv2d))


def _deeplab_v3plus(network: DeepLabV3Plus, x: Tensor) -> Taken:
    low, _, _, high = network.encode(x)
    maps = [*(branch(high) for branch in network.aspp.branches), network.low(low)]
    rates = [f"rate {rate_of(branch)}" for branch in network.aspp.branches[1:-1]]
    titles = ["1 × 1", *rates, "image pooling", "skip, stride 4"]
    return _silenced(titles, maps, lambda m: network.classifier(network.refine(network.aspp.join(m[:-1]), m[-1])))


def _segformer(network: SegFormer, x: Tensor) -> Taken:
    titles = [f"stage {number}, stride {stride}" for number, stride in enumerate((4, 8, 16, 32), 1)]
    return _silenced(titles, network.encoder(x), network.decoder)


def _silenced(titles: list[str], maps: list[Tensor], scores_of: Callable[[list[Tensor]], Tensor]) -> Taken:
    """What ``scores_of(maps)`` loses with each of the maps."""
    whole = scores_of(maps)
    lost = [
        whole - scores_of([torch.zeros_like(m) if other == number else m for other, m in enumerate(maps)])
        for number in range(len(maps))
    ]
    return Taken(titles, whole, lost, is_sum=False)


TAKERS = {FCN: _fcn, UNet: _unet, DeepLabV2: _deeplab_v2, DeepLabV3Plus: _deeplab_v3plus, SegFormer: _segformer}

HAVE_BRANCHES = ("fcn-16s", "fcn-8s", "unet", "deeplab-v2", "deeplab-v3plus", "segformer-b0")
"""The networks of this project that the lesson is about."""


def branches(image: np.ndarray, run: Run, network: str) -> BranchesLesson:
    """The lesson on an (h, w, 3) uint8 photo; raises ``ParameterError`` for a network without branches."""
    run.step(0.1, "the network, branch by branch")
    model, small = run.network(network), fit(image, MAP_SIZE)
    with torch.inference_mode():
        x = network_input(model, image, read_card(network)["input_size"], run.device, run.dtype)
        taken = taken_apart(model, x)
        run.step(0.7, "scores and labels")
        enlarged = [resize(scores.float(), small.shape[:2])[0].cpu() for scores in (taken.whole, *taken.parts)]
    whole, *parts = enlarged
    labels_of = lambda scores: scores.argmax(0).numpy().astype(np.uint8)  # noqa: E731
    labels = labels_of(whole)
    found = leading_classes([labels], whole.softmax(0).numpy())
    classes = [k for k in found if k != BACKGROUND] or [BACKGROUND]
    alone = running = None
    if taken.is_sum:
        alone = np.stack([labels_of(part) for part in parts])
        running = np.stack([labels_of(torch.stack(parts[: number + 1]).sum(0)) for number in range(len(parts))])
    return BranchesLesson(
        network, taken.is_sum, taken.titles, classes, small, np.stack([against(part, classes) for part in parts]),
        against(whole, classes), labels, np.stack([labels_of(whole - part) for part in parts]), alone, running,
    )  # fmt: skip


def against(scores: Tensor, classes: list[int]) -> np.ndarray:
    """(K, h, w) scores -> (C, h, w) float32 of ``classes`` above background's, of background above the mean of the others."""
    others = lambda k: scores[1:].mean(0) if k == BACKGROUND else scores[BACKGROUND]  # noqa: E731
    return torch.stack([scores[k] - others(k) for k in classes]).numpy()
