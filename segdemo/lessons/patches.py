"""Patch by patch against all at once: why networks for segmentation are fully convolutional.

Before FCN (Long, Shelhamer & Darrell, CVPR 2015) a pixel was labelled by classifying the patch around it (Ciresan et al.,
NIPS 2012; Farabet et al., PAMI 2013). Overlapping patches share nothing: what one computed, the next computes again.
The same network run over the whole photo shares all of it (Long et al., section 3.1).
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import ParameterError
from ..method import Run
from ..networks.backbones import resize
from ..networks.checkpoints import read_card
from ..networks.cost import multiply_adds
from ..networks.inference import build_network, network_input

SIDES = (64, 96, 128, 192)
STEPS = (16, 32, 64)
BATCH = 16


@dataclass
class PatchesLesson:
    """Both results on the grid of the network's input, and what they took.

    Attributes:
        side, step: of the patches and between them, in pixels of the network's input.
        patched: (ceil(h / step), ceil(w / step)) labels 0..20, one per patch.
        whole: (h, w) labels of one pass over the photo.
        count: number of patches.
        patch_seconds, whole_seconds: for all patches, and for the pass (the better of two).
        patch_work, whole_work: multiply-adds of one patch, and of the pass.
    """

    side: int
    step: int
    patched: np.ndarray
    whole: np.ndarray
    count: int
    patch_seconds: float
    whole_seconds: float
    patch_work: int
    whole_work: int


def patches_around(x: Tensor, side: int, step: int) -> Tensor:
    """(1, C, h, w) -> (n, C, side, side): the patch around the middle of every cell of ``step`` pixels, row by row.

    Beyond the border lies the picture's mirror image, as often as it takes.
    """
    rows, columns = (middles(length, step) for length in x.shape[2:])
    reach = torch.arange(side) - side // 2
    down, across = (mirrored(at[:, None] + reach, n) for at, n in ((rows, x.shape[2]), (columns, x.shape[3])))
    return torch.stack([x[0, :, d][:, :, a] for d in down for a in across])


def middles(length: int, step: int) -> Tensor:
    """The middle of every cell of ``step`` pixels along a side; the last cell may reach beyond it."""
    return (torch.arange(0, length, step) + step // 2).clamp(max=length - 1)


def mirrored(index: Tensor, length: int) -> Tensor:
    """Indices beyond 0..length - 1 mirrored at the ends, the last pixel twice."""
    index = index % (2 * length)
    return torch.minimum(index, 2 * length - 1 - index)


def patch_by_patch(image: np.ndarray, run: Run, network: str, side: int = 128, step: int = 32) -> PatchesLesson:
    """The lesson on an (h, w, 3) uint8 photo with a trained network; ``ParameterError`` for another side or step."""
    for name, value, known in (("side", side, SIDES), ("step", step, STEPS)):
        if value not in known:
            raise ParameterError(f"{name}: one of {', '.join(map(str, known))} (given: {value!r})")
    run.step(0.02, "all at once")
    trained = run.network(network)
    x = network_input(trained, image, read_card(network)["input_size"], run.device, run.dtype)
    whole, whole_seconds = min((timed_labels(trained, x) for _ in range(2)), key=lambda pair: pair[1])
    patches = patches_around(x, side, step)
    found, patch_seconds = [], 0.0
    trained(patches[:BATCH])  # what is done once for a new size is no part of the comparison
    for start in range(0, len(patches), BATCH):
        run.step(0.1 + 0.9 * start / len(patches), f"patch {start + 1} of {len(patches)}")
        labels, seconds = timed_labels(trained, patches[start : start + BATCH], at_middle=True)
        found.append(labels)
        patch_seconds += seconds
    rows = len(middles(x.shape[2], step))
    plain = build_network(network)
    return PatchesLesson(
        side, step, torch.cat(found).reshape(rows, -1).numpy(), whole[0].numpy(), len(patches), patch_seconds,
        whole_seconds, multiply_adds(plain, side, side), multiply_adds(plain, *x.shape[2:]),
    )  # fmt: skip


def timed_labels(network: torch.nn.Module, x: Tensor, at_middle: bool = False) -> tuple[Tensor, float]:
    """Labels of (n, 3, h, w) inputs, (n, h, w) or, at the middle alone, (n,); and the seconds it took."""
    start = time.perf_counter()
    scores = network(x.contiguous(memory_format=torch.channels_last)).float()
    if at_middle:
        labels = around_middle(scores).argmax(1).cpu()
    else:
        labels = resize(scores, x.shape[2:]).argmax(1).cpu()
    return labels, time.perf_counter() - start


def around_middle(scores: Tensor) -> Tensor:
    """(n, K, h, w) -> (n, K): the scores at the middle, between the four (or at the one) nearest to it."""
    height, width = scores.shape[2:]
    top, left = (height - 1) // 2, (width - 1) // 2
    return F.adaptive_avg_pool2d(scores[:, :, top : height // 2 + 1, left : width // 2 + 1], 1).flatten(1)
