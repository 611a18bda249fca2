"""Measures against ground truth: hand-computed cases, identities, independent references."""

import math
import tracemalloc
from itertools import combinations

import numpy as np
import pytest
from skimage.metrics import variation_of_information as skimage_vi
from sklearn.metrics import confusion_matrix, jaccard_score, rand_score

from segdemo import metrics
from segdemo.errors import ParameterError
from segdemo.labels import IGNORE, VOC21

CLUSTERING = {
    metrics.segmentation_covering: 1.0,
    metrics.probabilistic_rand_index: 1.0,
    metrics.variation_of_information: 0.0,
    metrics.undersegmentation_error: 0.0,
    metrics.achievable_accuracy: 1.0,
    metrics.boundary_recall: 1.0,
}


def random_maps(seed, shape=(13, 17), classes=4):
    rng = np.random.default_rng(seed)
    return rng.integers(0, classes, shape), rng.integers(0, classes, shape)


def blocks(shape=(24, 30), rows=2, columns=3):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return y * rows // shape[0] * columns + x * columns // shape[1]


# --- Semantic --------------------------------------------------------------------------

TRUTH = np.array([[0, 0, 1, 1], [0, 0, 1, IGNORE]])
PREDICTION = np.array([[0, 1, 1, 1], [0, 0, 0, 3]])


def test_confusion_by_hand():
    n = metrics.confusion(PREDICTION, TRUTH, 4)
    np.testing.assert_array_equal(n, [[3, 1, 0, 0], [1, 2, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]])
    assert n.dtype == np.int64
    np.testing.assert_allclose(metrics.iou(n), [3 / 5, 2 / 4, np.nan, np.nan])
    assert metrics.mean_iou(n) == pytest.approx(0.55)
    assert metrics.pixel_accuracy(n) == pytest.approx(5 / 7)
    np.testing.assert_array_equal(metrics.support(n), [4, 3, 0, 0])


def test_confusion_and_iou_agree_with_scikit_learn():
    prediction, truth = random_maps(0, classes=6)
    n = metrics.confusion(prediction.astype(np.uint8), truth.astype(np.int32), 6)
    np.testing.assert_array_equal(n, confusion_matrix(truth.ravel(), prediction.ravel()))
    np.testing.assert_allclose(metrics.iou(n), jaccard_score(truth.ravel(), prediction.ravel(), average=None))


def test_confusion_does_not_overflow_small_types():
    labels = np.full((4, 4), 200, np.uint8)
    assert metrics.confusion(labels, labels, 255)[200, 200] == 16


def test_confusion_refuses_what_does_not_fit():
    with pytest.raises(ParameterError, match=r"\(2, 4\).*resize"):
        metrics.confusion(PREDICTION[:1], TRUTH, 4)
    with pytest.raises(ParameterError, match="prediction holds label 4"):
        metrics.confusion(np.full((2, 4), 4), TRUTH, 4)
    with pytest.raises(ParameterError, match="ground truth holds label 1"):
        metrics.confusion(np.zeros((2, 4), int), TRUTH, 1)
    with pytest.raises(ParameterError, match="prediction holds label -1"):
        metrics.confusion(np.full((2, 4), -1), TRUTH, 4)


def test_nothing_to_compare_is_nan():
    void = np.full((3, 3), IGNORE)
    n = metrics.confusion(np.zeros((3, 3), int), void, 2)
    assert n.sum() == 0 and math.isnan(metrics.mean_iou(n)) and math.isnan(metrics.pixel_accuracy(n))
    assert math.isnan(metrics.boundary_f(np.zeros((3, 3), int), void))
    assert all(math.isnan(measure(np.zeros((3, 3), int), [void])) for measure in CLUSTERING)


def test_miou_seven_takes_the_seven_classes_only():
    n = np.zeros((21, 21), np.int64)
    index = {name: VOC21.names.index(name) for name in VOC21.names}
    for name in metrics.SEVEN:
        n[index[name], index[name]] = 10
    n[index["cow"], index["bus"]] = 10  # predicted as one of the other 14: wrong, cow falls to 1/2
    n[index["bus"], index["dog"]] = 30  # dog falls to 1/4
    n[index["bus"], index["train"]] = 1000  # concerns none of the seven
    assert metrics.mean_iou_seven(n) == pytest.approx((5 + 1 / 2 + 1 / 4) / 7)
    assert [index[name] for name in metrics.SEVEN] == [0, 8, 10, 12, 13, 15, 17]
    with pytest.raises(ParameterError, match="21 x 21"):
        metrics.mean_iou_seven(np.eye(19, dtype=int))


# --- Boundaries ------------------------------------------------------------------------


def brute_boundary_f(prediction, truth, reach):
    """By the definition, pixel by pixel, without IGNORE."""

    def outline(labels, k):
        inside = {tuple(p) for p in np.argwhere(labels == k)}
        near = [(0, 1), (1, 0), (0, -1), (-1, 0)]
        height, width = labels.shape
        return [
            (y, x) for y, x in inside
            if any((y + v, x + u) not in inside and 0 <= y + v < height and 0 <= x + u < width for v, u in near)
        ]  # fmt: skip

    def part(a, b):
        return np.mean([any(math.dist(p, q) <= reach for q in b) for p in a]) if a and b else 0.0

    scores = []
    for k in np.union1d(prediction, truth):
        if not ((prediction == k).any() and (truth == k).any()):
            scores.append(0.0)
            continue
        a, b = outline(prediction, k), outline(truth, k)
        precision, recall = part(a, b), part(b, a)
        scores.append(2 * precision * recall / (precision + recall) if precision + recall else float(not a and not b))
    return np.mean(scores)


@pytest.mark.parametrize("tolerance", [0.01, 0.0751, 0.12])
def test_boundary_f_agrees_with_brute_force(tolerance):
    truth = blocks((16, 20))
    prediction = np.roll(truth, 2, axis=1)
    prediction[10:, 12:] = 7
    expected = brute_boundary_f(prediction, truth, tolerance * math.hypot(16, 20))
    assert metrics.boundary_f(prediction, truth, tolerance) == pytest.approx(expected)
    assert 0 < expected < 1


def test_boundary_f_has_a_tolerance():
    truth = np.zeros((30, 40), int)  # diagonal 50
    truth[:, 20:] = 1
    shifted = np.roll(truth, 3, axis=1)
    shifted[:, :3] = 0
    assert metrics.boundary_f(shifted, truth, 3 / 50) == 1
    assert metrics.boundary_f(shifted, truth, 2.9 / 50) == 0
    assert metrics.boundary_f(truth, truth) == 1
    assert metrics.boundary_f(truth * 0, truth * 0) == 1
    assert metrics.boundary_f(truth * 0, truth) == 0  # class 0 has no outline, class 1 is missing


def test_boundary_f_tolerates_three_quarters_of_a_per_cent_of_the_diagonal():
    truth = np.zeros((300, 400), int)  # diagonal 500: 3.75 pixels
    truth[:, 200:] = 1
    for shift, score in ((3, 1), (4, 0)):
        assert metrics.boundary_f((np.arange(400) >= 200 + shift).astype(int)[None].repeat(300, 0), truth) == score


def test_boundary_f_sees_through_narrow_void_bands():
    """VOC masks part objects by a band of 255; the outline lies within it."""
    truth = np.zeros((60, 80), int)  # diagonal 100
    truth[:, 40:] = 1
    banded = truth.copy()
    banded[:, 38:42] = IGNORE
    assert metrics.boundary_f(truth, banded, 0.03) == 1
    assert metrics.boundary_f(np.zeros_like(truth), banded, 0.03) == 0
    far = np.zeros_like(truth)
    far[:, 55:] = 1
    assert metrics.boundary_f(far, banded, 0.03) == 0


def test_boundary_f_excludes_wide_void():
    truth = np.zeros((60, 80), int)
    truth[:30] = 1
    truth[10:50, 30:] = IGNORE
    wrong_inside = np.where(truth == IGNORE, 2, truth)
    wrong_inside[28:32, 30:33] = [[1], [1], [0], [0]]  # the rim that the nearest labels fill
    right = truth.copy()
    right[10:30, 30:], right[30:50, 30:] = 1, 0
    assert metrics.boundary_f(right, truth, 0.01) == 1
    inside = right.copy()
    inside[20:40, 45:75] = 2
    assert metrics.boundary_f(inside, truth, 0.01) == 1
    outside = right.copy()
    outside[2:6, 5:20] = 2
    assert metrics.boundary_f(outside, truth, 0.01) < 0.9


def test_boundary_recall_by_hand():
    truth = np.zeros((20, 20), int)
    truth[:, 10:] = 1
    shifted = np.zeros((20, 20), int)
    shifted[:, 13:] = 1
    assert metrics.boundary_recall(shifted, [truth], 3) == 1
    assert metrics.boundary_recall(shifted, [truth], 2) == 0
    half = truth * 0
    half[10:, 10:] = 1
    # Its boundary runs down x = 9 from y = 10 and along y = 9 from x = 10: rows 8 to 19 are within two pixels.
    assert metrics.boundary_recall(half, [truth], 2) == pytest.approx(12 / 20)
    assert metrics.boundary_recall(half, [truth, half], 2) == pytest.approx((12 / 20 + 1) / 2)


def test_where_void_begins_there_is_no_boundary_to_recall():
    labels, truth = np.zeros((20, 20), int), np.zeros((20, 20), int)
    labels[:, 10:], truth[:, 10:] = 1, 1
    truth[12:] = IGNORE
    assert metrics.boundary_recall(labels, [truth], 0) == 1
    assert math.isnan(metrics.boundary_recall(labels, [np.where(truth == 1, 0, truth)]))


def test_label_255_is_void_in_the_truth_only():
    """Superpixels may well be numbered past 255."""
    truth = np.zeros((20, 20), int)
    truth[:, 10:] = 1
    labels = np.where(truth == 1, IGNORE, 254)
    for measure, perfect in CLUSTERING.items():
        assert measure(labels, [truth]) == pytest.approx(perfect)


# --- Clustering ------------------------------------------------------------------------


@pytest.mark.parametrize("measure", CLUSTERING)
def test_perfect_is_perfect_and_names_do_not_matter(measure):
    truth = blocks()
    assert measure(truth, [truth]) == pytest.approx(CLUSTERING[measure], abs=1e-12)
    renamed = np.array([40, 7, 99, 1, 0, 3])[truth]
    assert measure(renamed, [truth, truth]) == pytest.approx(CLUSTERING[measure], abs=1e-12)
    labels, truth = random_maps(3)
    once = measure(labels, [truth])
    assert measure(np.array([9, 2, 0, 5])[labels], [np.array([1, 0, 77, 2])[truth]]) == pytest.approx(once)


@pytest.mark.parametrize("measure", CLUSTERING)
def test_several_humans_are_averaged(measure):
    labels, first = random_maps(1)
    second = blocks(labels.shape)
    mean = (measure(labels, [first]) + measure(labels, [second])) / 2
    assert measure(labels, [first, second]) == pytest.approx(mean)
    assert measure(labels, np.stack([first, second])) == pytest.approx(mean)
    assert measure(labels, first) == measure(labels, [first])


@pytest.mark.parametrize("measure", CLUSTERING)
def test_void_pixels_do_not_count(measure):
    labels, truth = random_maps(2)
    truth[:, -1] = IGNORE
    cut = measure(labels[:, :-1], [truth[:, :-1]])
    if measure is not metrics.boundary_recall:  # there the outline of `labels` in the void may help
        assert measure(labels, [truth]) == pytest.approx(cut)
    with pytest.raises(ParameterError, match="resize"):
        measure(labels[:-1], [truth])


def test_clustering_by_hand():
    labels = np.array([[0, 0, 0, 1, 1, 1]])
    truth = np.array([[0, 0, 1, 1, 1, 1]])  # n = [[2, 1], [0, 3]]
    assert metrics.segmentation_covering(labels, [truth]) == pytest.approx(2 / 6 * 2 / 3 + 4 / 6 * 3 / 4)
    assert metrics.achievable_accuracy(labels, [truth]) == pytest.approx(5 / 6)
    assert metrics.undersegmentation_error(labels, [truth]) == pytest.approx(2 / 6)
    given_truth = 4 / 6 * (-(1 / 4) * math.log2(1 / 4) - 3 / 4 * math.log2(3 / 4))
    given_labels = 3 / 6 * (-(2 / 3) * math.log2(2 / 3) - 1 / 3 * math.log2(1 / 3))
    assert metrics.variation_of_information(labels, [truth]) == pytest.approx(given_truth + given_labels)
    together = [(a == b) == (c == d) for (a, c), (b, d) in combinations(zip(labels[0], truth[0], strict=True), 2)]
    assert metrics.probabilistic_rand_index(labels, [truth]) == pytest.approx(np.mean(together))


@pytest.mark.parametrize("seed", range(3))
def test_rand_and_information_agree_with_other_libraries(seed):
    labels, truth = random_maps(seed, classes=5)
    truth = truth * blocks(truth.shape)
    rand = metrics.probabilistic_rand_index(labels, [truth])
    assert rand == pytest.approx(rand_score(truth.ravel(), labels.ravel()))
    assert metrics.variation_of_information(labels, [truth]) == pytest.approx(sum(skimage_vi(truth, labels)))


def test_refinements_lose_nothing_achievable():
    """Superpixels that respect every human boundary: no leak, best accuracy, full recall."""
    truth, fine = blocks(), blocks(rows=4, columns=6)
    assert metrics.achievable_accuracy(fine, [truth]) == 1
    assert metrics.undersegmentation_error(fine, [truth]) == 0
    assert metrics.boundary_recall(fine, [truth], 0) == 1
    assert metrics.segmentation_covering(fine, [truth]) == pytest.approx(1 / 4)


def test_large_images_do_not_overflow():
    labels = np.zeros((400, 400), np.uint8)
    labels[:, 200:] = 1
    expected = 2 * math.comb(80_000, 2) / math.comb(160_000, 2)  # pairs inside one of two equal halves
    assert metrics.probabilistic_rand_index(labels, [np.zeros_like(labels)]) == pytest.approx(expected)


@pytest.mark.parametrize("measure", CLUSTERING)
def test_counting_all_pairs_or_those_that_meet_is_the_same(measure, monkeypatch):
    labels, truth = random_maps(4)
    all_pairs = measure(labels, [truth])
    monkeypatch.setattr(metrics, "DENSE_PAIRS", 0)
    assert measure(labels, [truth]) == pytest.approx(all_pairs, abs=1e-12)


def test_memory_follows_the_pixels_and_not_the_pairs_of_regions():
    """Two maps of 22 500 regions each: a table of all pairs would be 4 GB."""
    labels = np.arange(150 * 150).reshape(150, 150)
    tracemalloc.start()
    for measure, perfect in CLUSTERING.items():
        assert measure(labels, [np.where(labels >= IGNORE, labels + 1, labels)]) == pytest.approx(perfect)
    assert tracemalloc.get_traced_memory()[1] < 100e6
    tracemalloc.stop()


def test_one_pixel():
    pixel = np.zeros((1, 1), int)
    for measure, perfect in CLUSTERING.items():
        if measure is not metrics.boundary_recall:
            assert measure(pixel, [pixel]) == perfect
