"""What a network learns from: the softmax of its scores, and the cross-entropy of each pixel with the truth.

With scores z_i(c) of pixel i and class c, p_i(c) = exp z_i(c) / sum_k exp z_i(k), and the loss of a photo is the mean
of l_i = -ln p_i(y_i) over its pixels with a true class y_i (Long, Shelhamer & Darrell, CVPR 2015, section 4). Its
gradient is dl_i / dz_i(c) = p_i(c) - [c = y_i] (Bishop, Pattern Recognition and Machine Learning, 2006, eq. 4.109).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..distance import distance_map
from ..errors import GroundTruthError
from ..image import fit
from ..labels import IGNORE
from ..method import Run
from ..metrics import boundaries
from ..networks.backbones import resize
from ..networks.checkpoints import read_card
from ..networks.inference import class_scores
from ..segmentation import resize_nearest
from .beliefs import network_probabilities
from .mean_field import leading_classes

MAP_SIZE = 256
"""Long side, in pixels, of the maps."""

NEAR = 4
"""Pixels of a map: so close to an outline of the truth a pixel counts as near it."""


@dataclass
class LossLesson:
    """A photo's scores and what each pixel's are worth.

    Attributes:
        classes: C classes of VOC-21: all of the truth and of the labels, and those in which the network believes (``leading_classes``).
        image: (h, w, 3) uint8, the photo at the size of the maps.
        scores: (C + 1, h, w) float32, those of the classes, then ln sum exp of all others: to the softmax they are one class.
        labels: (h, w) uint8, the network's.
        truth: (h, w) uint8, what is taken for the truth; ``IGNORE`` where a pixel does not count.
        loss: (h, w) float32, in nats; 0 where a pixel does not count.
        mean: of the loss over the pixels that count.
        near_area: part of the pixels that count within ``NEAR`` of an outline of the truth.
        near_loss: part of the loss that falls on them.
        wrong_area: part of the pixels that count whose label is not the true one.
        wrong_loss: part of the loss that falls on them.
    """

    classes: list[int]
    image: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    truth: np.ndarray
    loss: np.ndarray
    mean: float
    near_area: float
    near_loss: float
    wrong_area: float
    wrong_loss: float


def loss_lesson(image: np.ndarray, run: Run, network: str, truth: str | np.ndarray) -> LossLesson:
    """The lesson on an (h, w, 3) uint8 photo.

    Args:
        network: a trained network, whose scores are weighed.
        truth: classes of VOC-21 with ``IGNORE``, (H, W) uint8 of the photo's proportions; or a trained network whose
            labels stand in for them.

    Raises ``GroundTruthError`` for a truth in which no pixel counts.
    """
    small = fit(image, MAP_SIZE)
    size = small.shape[:2]
    if isinstance(truth, str):
        run.step(0.05, "labels that stand in for the truth")
        truth = network_probabilities(image, run, truth).argmax(0).astype(np.uint8)
    truth = resize_nearest(truth, size)
    counts = truth != IGNORE
    if not counts.any():
        raise GroundTruthError("No pixel of the ground truth counts: load one that says what is where.")
    run.step(0.4, "the network's scores")
    long_side = read_card(network)["input_size"]
    grid = class_scores(run.network(network), image, long_side, run.device, run.dtype)
    scores = resize(grid, size)[0].float().cpu()  # (21, h, w)
    run.step(0.9, "weighing every pixel")
    loss = cross_entropy(scores, truth)
    labels = scores.argmax(0).numpy().astype(np.uint8)
    seen = {*np.unique(truth[counts]).tolist(), *np.unique(labels).tolist()}
    classes = sorted(seen.union(leading_classes([labels], scores.softmax(0).numpy())))
    near, wrong = (distance_map(~boundaries(truth)) <= NEAR) & counts, (labels != truth) & counts
    area = lambda where: float(where.sum() / counts.sum())  # noqa: E731
    part = lambda where: float(loss[where].sum() / max(loss.sum(), 1e-12))  # noqa: E731
    return LossLesson(
        classes, small, grouped(scores, classes), labels, truth, loss, float(loss[counts].mean()), area(near), part(near),
        area(wrong), part(wrong),
    )  # fmt: skip


def cross_entropy(scores: torch.Tensor, truth: np.ndarray) -> np.ndarray:
    """Scores (K, h, w) and classes (h, w) -> -ln p(true class), (h, w) float32 in nats; 0 where the truth is ``IGNORE``."""
    known = torch.from_numpy(np.where(truth == IGNORE, 0, truth).astype(np.int64))
    surprise = -scores.log_softmax(0).gather(0, known[None])[0].numpy()
    return np.where(truth == IGNORE, 0, surprise).astype(np.float32)


def grouped(scores: torch.Tensor, classes: list[int]) -> np.ndarray:
    """(K, h, w) -> (C + 1, h, w): the scores of ``classes``, then ln sum exp of the others'.

    The softmax of these gives each class its probability among all K, and the others theirs together.
    """
    others = [k for k in range(len(scores)) if k not in classes]
    rest = scores[others].logsumexp(0)[None] if others else torch.full_like(scores[:1], -np.inf)
    return torch.cat([scores[classes], rest]).numpy()
