"""What a training minimizes: cross-entropy per pixel, a teacher's soft predictions, a teacher's features."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from ..labels import IGNORE
from ..networks.backbones import resize


def pixel_loss(scores: Tensor, target: Tensor, soft: Tensor | None = None) -> Tensor:
    """Softmax cross-entropy per pixel, half against ``target`` and half against ``soft`` if given.

    scores (N, K, h, w); target (N, H, W) int64 with ``IGNORE``; soft (N, K, h', w') probabilities.
    """
    if soft is not None:
        scores_at_soft = resize(scores, soft.shape[2:])
        distilled = -(soft * scores_at_soft.log_softmax(1)).sum(1).mean()
    loss = F.cross_entropy(resize(scores, target.shape[1:]), target, ignore_index=IGNORE)
    return loss if soft is None else 0.5 * loss + 0.5 * distilled


def training_scores(network: nn.Module, images: Tensor, heads: nn.ModuleList | None) -> list[Tensor]:
    """The scores to put a loss on, coarse to fine: an FCN's three, one per level of a decoder with ``heads``, or just one."""
    if hasattr(network, "all_scores"):
        return network.all_scores(network.encode(images))
    if heads is None:
        return [network(images)]
    *coarse, finest = network.decode(network.encode(images))
    return [*(head(x) for head, x in zip(heads, coarse, strict=True)), network.classifier(finest)]


class Mimicry(nn.Module):
    """Warm start of an encoder by matching a teacher's features (FitNets, Romero et al. 2015).

    For each of ``pairs`` (student's map, teacher's map) a 1 x 1 convolution takes the one to the channels of
    the other; the loss is 1 - cosine per position, which forgets each map's scale.
    """

    def __init__(self, student: tuple[int, ...], teacher: tuple[int, ...], pairs: tuple[tuple[int, int], ...]):
        super().__init__()
        self.pairs = pairs
        self.maps = nn.ModuleList(nn.Conv2d(student[s], teacher[t], 1) for s, t in pairs)

    def forward(self, student: list[Tensor], teacher: list[Tensor]) -> Tensor:
        losses = []
        for project, (s, t) in zip(self.maps, self.pairs, strict=True):
            wanted = F.adaptive_avg_pool2d(teacher[t], student[s].shape[2:])
            losses.append(1 - F.cosine_similarity(project(student[s]), wanted, dim=1).mean())
        return sum(losses) / len(losses)
