"""How good a segmentation is, against ground truth.

Three kinds of measure, all on integer label maps (H, W) in which the ground truth
may say ``IGNORE`` (255) where a pixel counts neither for nor against:

* semantic: labels have meanings, so prediction and truth are compared class by class
  through one confusion matrix, summed over all photos;
* boundary: do the outlines lie where they should;
* clustering: labels are only names of regions, and there may be several human
  segmentations of one photo. A renaming of labels changes nothing.

A measure of nothing (no pixel to compare) is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .distance import distance_map
from .errors import ParameterError
from .labels import IGNORE, VOC21

SEVEN = ("background", "cat", "cow", "dog", "horse", "person", "sheep")
"""The VOC classes that mIoU-7 averages over."""

DENSE_PAIRS = 2**22
"""Up to so many pairs of regions all of them are counted, beyond only those that meet."""


# --- Semantic measures -----------------------------------------------------------------


def confusion(prediction: np.ndarray, truth: np.ndarray, classes: int) -> np.ndarray:
    """Count pixels by true class (row) and predicted class (column), (K, K) int64.

    Matrices of several photos add up. Pixels whose truth is ``IGNORE`` are left out.

    Raises:
        ParameterError: the maps differ in size, are no integers, or hold labels outside 0..K-1.
    """
    for name, labels in (("prediction", prediction), ("ground truth", truth)):
        if np.asarray(labels).dtype.kind not in "iub":
            raise ParameterError(f"the {name} is {np.asarray(labels).dtype}: give one whole number per pixel")
    prediction, truth = _comparable(prediction, truth)
    for name, labels in (("prediction", prediction), ("ground truth", truth)):
        outside = labels[(labels < 0) | (labels >= classes)]
        if outside.size:
            raise ParameterError(
                f"the {name} holds label {outside[0]}, but there are {classes} classes, 0 to {classes - 1}: "
                "bring both to one label set"
            )
    return np.bincount(truth * classes + prediction, minlength=classes**2).reshape(classes, classes)


def support(confusion: np.ndarray) -> np.ndarray:
    """Pixels of each true class, (K,) int64: the row sums."""
    return confusion.sum(1)


def iou(confusion: np.ndarray) -> np.ndarray:
    """Intersection over union of each class, n_kk / (t_k + p_k - n_kk), (K,) float64.

    t_k and p_k are the pixels whose truth and whose prediction is k. NaN where a class
    occurs in neither. Source: Everingham et al., "The PASCAL VOC challenge", IJCV 2010.
    """
    hits = np.diag(confusion).astype(np.float64)
    union = confusion.sum(0) + confusion.sum(1) - hits
    return np.divide(hits, union, out=np.full_like(hits, np.nan), where=union > 0)


def mean_iou(confusion: np.ndarray) -> float:
    """Mean of ``iou`` over the classes that occur in truth or prediction."""
    return _mean(iou(confusion))


def mean_iou_seven(confusion: np.ndarray) -> float:
    """mIoU-7: mean IoU over background, cat, cow, dog, horse, person and sheep.

    Takes the (21, 21) VOC confusion matrix of a whole set of photos. Predictions of the
    other 14 classes count as wrong, since they add to the union and never to the intersection.
    """
    if confusion.shape != (21, 21):
        raise ParameterError(f"mIoU-7 needs the 21 x 21 confusion matrix of the VOC classes, not {confusion.shape}")
    return _mean(iou(confusion)[[VOC21.names.index(name) for name in SEVEN]])


def pixel_accuracy(confusion: np.ndarray) -> float:
    """Part of the pixels whose class is right, sum_k n_kk / sum_k t_k (Long et al., CVPR 2015)."""
    total = confusion.sum()
    return float(np.trace(confusion) / total) if total else float("nan")


# --- Boundary measures -----------------------------------------------------------------


def boundary_f(prediction: np.ndarray, truth: np.ndarray, tolerance: float = 0.0075) -> float:
    """Mean over classes of F = 2PR / (P + R) between predicted and true class outlines, in [0, 1].

    P is the part of the predicted outline within ``tolerance`` (a fraction of the image's
    diagonal) of the true one, R the part of the true outline within ``tolerance`` of the
    predicted one. The mean is over the classes present in either map; a class in one
    map only scores 0. Outlines run between labelled pixels, not along the image's border.

    Void bands narrower than twice the tolerance, such as PASCAL VOC draws around its
    objects, are filled with the nearest label, else no true outline would be left; wider
    ``IGNORE`` regions do not count.

    Source: Csurka, Larlus, Perronnin, "What is a good evaluation measure for semantic
    segmentation?", BMVC 2013.
    """
    _check_sizes(prediction, truth)
    reach = tolerance * float(np.hypot(*truth.shape))
    truth = _bridge_void(truth, reach)
    valid = truth != IGNORE
    present = np.union1d(prediction[valid], truth[valid])
    return _mean([_outline_f((prediction == k) & valid, (truth == k) & valid, valid, reach) for k in present])


def _outline_f(prediction: np.ndarray, truth: np.ndarray, valid: np.ndarray, reach: float) -> float:
    """F-score of one class from its (H, W) bool masks; ``reach`` in pixels."""
    if not (prediction.any() and truth.any()):
        return 0.0
    found, wanted = _outline(prediction, valid), _outline(truth, valid)
    if not (found.any() or wanted.any()):
        return 1.0  # both fill all there is
    precision, recall = _part_within(found, wanted, reach), _part_within(wanted, found, reach)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _outline(mask: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Pixels of the mask that have a valid 4-neighbour outside it."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    outside = (valid & ~mask).astype(np.uint8)
    return mask & (cv2.dilate(outside, cross) > 0)


def _part_within(pixels: np.ndarray, target: np.ndarray, reach: float) -> float:
    """Part of ``pixels`` whose Euclidean distance to the nearest ``target`` pixel is at most ``reach``."""
    if not (pixels.any() and target.any()):
        return 0.0
    return float((distance_map(~target)[pixels] <= reach).mean())


def _bridge_void(truth: np.ndarray, reach: float) -> np.ndarray:
    """Give ``IGNORE`` pixels within ``reach`` of a labelled one the nearest label."""
    void = truth == IGNORE
    if void.all() or not void.any():
        return truth
    # `nearest` numbers each labelled pixel and tells every void pixel the number of its nearest.
    distance, nearest = cv2.distanceTransformWithLabels(
        void.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    label_of = np.zeros(nearest.max() + 1, truth.dtype)
    label_of[nearest[~void]] = truth[~void]
    return np.where(void & (distance <= reach), label_of[nearest], truth)


def boundary_recall(labels: np.ndarray, truths: Sequence[np.ndarray], tolerance: float = 2.0) -> float:
    """Part of the human boundaries that have a boundary of ``labels`` within ``tolerance`` pixels.

    Averaged over the human segmentations; a segmentation without boundaries has nothing
    to recall (NaN). Source: Achanta et al., "SLIC superpixels compared to state-of-the-art
    superpixel methods", TPAMI 2012 (two pixels).
    """
    found = boundaries(labels)

    def recall(truth: np.ndarray) -> float:
        _check_sizes(labels, truth)
        wanted = boundaries(truth, truth != IGNORE)
        return _part_within(wanted, found, tolerance) if wanted.any() else float("nan")

    return _over_humans(truths, recall)


def boundaries(labels: np.ndarray, known: np.ndarray | bool = True) -> np.ndarray:
    """(H, W) bool: pixels that differ from their right or lower neighbour, both being ``known``."""
    known = np.broadcast_to(known, labels.shape)
    edges = np.zeros(labels.shape, bool)
    edges[:, :-1] |= (labels[:, :-1] != labels[:, 1:]) & known[:, :-1] & known[:, 1:]
    edges[:-1] |= (labels[:-1] != labels[1:]) & known[:-1] & known[1:]
    return edges


# --- Clustering measures ---------------------------------------------------------------
#
# All are functions of n_ij, the pixels in region i of the labels and region j of the truth,
# with N = sum_ij n_ij, a_i = sum_j n_ij and b_j = sum_i n_ij. Only the n_ij > 0 are kept: two maps
# of a hundred thousand small regions have as many pairs that meet, but ten thousand million in all.


@dataclass(frozen=True)
class Overlaps:
    """The pairs of regions that meet: ``n`` (M,) int64 pixels in region ``i`` (M,) of ours and ``j`` (M,) of the truth.

    ``a`` (I,) and ``b`` (J,) int64 are the pixels of each region.
    """

    n: np.ndarray
    i: np.ndarray
    j: np.ndarray
    a: np.ndarray
    b: np.ndarray

    @property
    def pixels(self) -> int:
        return int(self.n.sum())


def segmentation_covering(labels: np.ndarray, truths: Sequence[np.ndarray]) -> float:
    """How well each human region is covered by one of ours: sum_j (b_j / N) max_i n_ij / (a_i + b_j - n_ij).

    In (0, 1], averaged over the human segmentations. Source: Arbelaez, Maire, Fowlkes,
    Malik, "Contour detection and hierarchical image segmentation", TPAMI 2011.
    """

    def covering(o: Overlaps) -> float:
        best = _greatest(o.n / (o.a[o.i] + o.b[o.j] - o.n), o.j, len(o.b))
        return float((o.b * best).sum() / o.pixels)

    return _over_tables(labels, truths, covering)


def probabilistic_rand_index(labels: np.ndarray, truths: Sequence[np.ndarray]) -> float:
    """Part of the pixel pairs on which we and the humans agree: together or apart, in [0, 1].

    The Rand index [C(N,2) + 2 sum_ij C(n_ij,2) - sum_i C(a_i,2) - sum_j C(b_j,2)] / C(N,2),
    averaged over the human segmentations. Sources: Rand, JASA 1971; Unnikrishnan, Pantofaru,
    Hebert, TPAMI 2007 (the mean over humans is their sum with p_ij as sample mean).
    """

    def pairs(counts: np.ndarray) -> int:
        return int((counts * (counts - 1) // 2).sum())

    def rand(o: Overlaps) -> float:
        total = pairs(np.array(o.pixels))
        agree = total + 2 * pairs(o.n) - pairs(o.b) - pairs(o.a)
        return agree / total if total else 1.0

    return _over_tables(labels, truths, rand)


def variation_of_information(labels: np.ndarray, truths: Sequence[np.ndarray]) -> float:
    """What one segmentation leaves unknown of the other, H(S|T) + H(T|S), in bits; 0 is perfect.

    Averaged over the human segmentations. Sources: Meila, "Comparing clusterings by the
    variation of information", COLT 2003; Arbelaez et al., TPAMI 2011.
    """

    def entropy(counts: np.ndarray) -> float:
        p = counts / counts.sum()
        return float(-(p * np.log2(p)).sum())

    def distance(o: Overlaps) -> float:
        return max(0.0, 2 * entropy(o.n) - entropy(o.b) - entropy(o.a))

    return _over_tables(labels, truths, distance)


def undersegmentation_error(labels: np.ndarray, truths: Sequence[np.ndarray]) -> float:
    """How much our regions leak over human ones: (1/N) sum_ij min(n_ij, a_i - n_ij); 0 is perfect.

    A region that straddles a boundary counts its smaller part, so that a large one that
    barely touches costs little. Averaged over the human segmentations. Source: Neubert,
    Protzel, "Superpixel benchmark and comparison", Forum Bildverarbeitung 2012.
    """
    return _over_tables(labels, truths, lambda o: float(np.minimum(o.n, o.a[o.i] - o.n).sum() / o.pixels))


def achievable_accuracy(labels: np.ndarray, truths: Sequence[np.ndarray]) -> float:
    """Pixel accuracy if each of our regions took its best human label: (1/N) sum_i max_j n_ij.

    Averaged over the human segmentations. Source: Liu, Tuzel, Ramalingam, Chellappa,
    "Entropy rate superpixel segmentation", CVPR 2011.
    """
    return _over_tables(labels, truths, lambda o: float(_greatest(o.n, o.i, len(o.a)).sum() / o.pixels))


def _over_tables(labels: np.ndarray, truths: Sequence[np.ndarray], measure: Callable[[Overlaps], float]) -> float:
    """Mean over the human segmentations of ``measure`` of what overlaps with what."""

    def of_truth(truth: np.ndarray) -> float:
        ours, theirs = _comparable(labels, truth)
        return measure(_overlaps(ours, theirs)) if ours.size else float("nan")

    return _over_humans(truths, of_truth)


def _over_humans(truths: Sequence[np.ndarray], measure: Callable[[np.ndarray], float]) -> float:
    """Mean of ``measure`` over one (H, W) truth or a sequence of them."""
    humans = [truths] if isinstance(truths, np.ndarray) and truths.ndim == 2 else truths
    return _mean([measure(truth) for truth in humans])


def _overlaps(ours: np.ndarray, theirs: np.ndarray) -> Overlaps:
    """What overlaps with what in two flat label lists."""
    i, j = _renumber(ours), _renumber(theirs)
    a, b = np.bincount(i), np.bincount(j)
    pair = i * len(b) + j
    if len(a) * len(b) <= DENSE_PAIRS:  # counting is faster than sorting
        counts = np.bincount(pair)
        found = np.flatnonzero(counts)
        counts = counts[found]
    else:
        found, counts = np.unique(pair, return_counts=True)
    return Overlaps(counts, found // len(b), found % len(b), a, b)


def _greatest(values: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """(groups,) the greatest of the non-negative ``values`` (M,) in each ``group`` (M,)."""
    greatest = np.zeros(groups, values.dtype)
    np.maximum.at(greatest, group, values)
    return greatest


def _renumber(labels: np.ndarray) -> np.ndarray:
    """The labels as 0, 1, 2, ... without gaps, in the same order; where they are dense, counting is faster than sorting."""
    labels = labels - labels.min()
    if labels.max() > 4 * labels.size + 2**16:
        return np.unique(labels, return_inverse=True)[1]
    return (np.cumsum(np.bincount(labels) > 0) - 1)[labels]


# --- Shared ----------------------------------------------------------------------------


def _comparable(labels: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both maps as flat int64, without the pixels whose truth is ``IGNORE``."""
    _check_sizes(labels, truth)
    valid = truth != IGNORE
    return labels[valid].astype(np.int64), truth[valid].astype(np.int64)


def _check_sizes(labels: np.ndarray, truth: np.ndarray) -> None:
    if labels.shape != truth.shape or labels.ndim != 2:
        raise ParameterError(
            f"the segmentation is {labels.shape} and the ground truth {truth.shape}: both must be (H, W), "
            "so resize one to the other with nearest neighbour"
        )


def _mean(values: Sequence[float] | np.ndarray) -> float:
    """Mean of the values that are not NaN; NaN if there are none."""
    values = np.asarray(values, np.float64)
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float("nan")
