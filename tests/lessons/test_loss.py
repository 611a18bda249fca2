"""Softmax and cross-entropy of a photo: PyTorch's, with classes grouped and void pixels left out."""

import numpy as np
import pytest
import torch
from skimage import data
from torch.nn import functional as F

from segdemo import Engine, methods
from segdemo.errors import GroundTruthError
from segdemo.image import fit
from segdemo.labels import IGNORE
from segdemo.lessons.loss import cross_entropy, grouped, loss_lesson
from segdemo.networks.backbones import resize
from segdemo.networks.checkpoints import read_card
from segdemo.networks.inference import class_scores

ENGINE, PHOTO = Engine("cpu"), fit(data.chelsea(), 256)
needs_networks = pytest.mark.skipif(
    any(methods()[name].unavailable() for name in ("fcn-32s", "deeplab-v3plus")), reason="no trained networks here"
)


def scores_and_truth():
    generator = np.random.default_rng(0)
    truth = generator.choice([0, 3, 8, IGNORE], (7, 9)).astype(np.uint8)
    return torch.from_numpy(generator.normal(0, 4, (21, 7, 9)).astype(np.float32)), truth


def test_the_loss_is_pytorchs_and_its_mean_leaves_void_out():
    scores, truth = scores_and_truth()
    target = torch.from_numpy(truth.astype(np.int64))
    expected = F.cross_entropy(scores[None], target[None], ignore_index=IGNORE, reduction="none")[0]
    loss = cross_entropy(scores, truth)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    mean = F.cross_entropy(scores[None], target[None], ignore_index=IGNORE)
    assert loss[truth != IGNORE].mean() == pytest.approx(float(mean), rel=1e-5)


def test_grouped_classes_keep_their_probabilities_and_gradients():
    """Bishop's eq. 4.109 by automatic differentiation; the group's is the sum of its members'."""
    scores, _ = scores_and_truth()
    scores.requires_grad_(True)
    classes, true = [0, 3, 8], 3
    F.cross_entropy(scores[None], torch.full((1, 7, 9), true), reduction="sum").backward()
    p = torch.from_numpy(grouped(scores.detach(), classes)).softmax(0).numpy()
    others = [k for k in range(21) if k not in classes]
    wanted = np.array([k == true for k in classes] + [False])[:, None, None]
    np.testing.assert_allclose(p[:3] - wanted[:3], scores.grad[classes], atol=1e-5)
    np.testing.assert_allclose(p[3], scores.grad[others].sum(0), atol=1e-5)
    assert np.isneginf(grouped(scores.detach(), list(range(21)))[-1]).all()  # no others: no probability


@needs_networks
def test_a_networks_labels_as_truth():
    lesson = ENGINE.teach(loss_lesson, PHOTO, network="fcn-32s", truth="deeplab-v3plus")
    assert lesson.truth.shape == lesson.labels.shape == lesson.loss.shape == lesson.image.shape[:2]
    assert 8 in lesson.classes and set(np.unique(lesson.truth)) <= set(lesson.classes)
    p = torch.from_numpy(lesson.scores).softmax(0).numpy()
    rank = np.array([lesson.classes.index(k) for k in lesson.truth.ravel()]).reshape(lesson.truth.shape)
    np.testing.assert_allclose(-np.log(np.take_along_axis(p, rank[None], 0)[0]), lesson.loss, atol=1e-3)
    wrong = lesson.labels != lesson.truth
    assert lesson.wrong_area == pytest.approx(wrong.mean()) and 0 < lesson.wrong_area < lesson.wrong_loss < 1
    assert 0 < lesson.near_area < lesson.near_loss < 1  # FCN-32s is off at borders above all
    same = ENGINE.teach(loss_lesson, PHOTO, network="deeplab-v3plus", truth="deeplab-v3plus")
    assert same.mean < lesson.mean and same.wrong_area < 0.0015  # enlarged once, and once through the photo's size


@needs_networks
def test_the_network_sees_the_photo_and_not_its_map():
    """As on the other tabs: what is reduced to the maps' size are the scores."""
    photo = data.chelsea()
    lesson = ENGINE.teach(loss_lesson, photo, network="fcn-32s", truth="fcn-32s")
    settings = read_card("fcn-32s")["input_size"], ENGINE.device, ENGINE.dtype(ENGINE.device)
    grid = class_scores(ENGINE.network("fcn-32s"), photo, *settings)
    scores = resize(grid, lesson.labels.shape)[0]
    np.testing.assert_allclose(lesson.scores[:-1], scores[lesson.classes], atol=1e-3)


@needs_networks
def test_void_counts_for_nothing():
    truth = np.full(PHOTO.shape[:2], IGNORE, np.uint8)
    with pytest.raises(GroundTruthError, match="No pixel of the ground truth counts"):
        ENGINE.teach(loss_lesson, PHOTO, network="fcn-32s", truth=truth)
    truth[: len(truth) // 2] = 20
    lesson = ENGINE.teach(loss_lesson, PHOTO, network="fcn-32s", truth=truth)
    known = lesson.truth != IGNORE
    assert 20 in lesson.classes and lesson.mean == pytest.approx(lesson.loss[known].mean(), rel=1e-5)
    assert lesson.mean > 3.04 and not lesson.loss[~known].any()  # no television is there
    assert lesson.wrong_area == 1 and lesson.wrong_loss == pytest.approx(1)
    assert lesson.near_area == pytest.approx(5 / known.shape[0] * 2, rel=0.05)  # along the edge of what is known


@needs_networks
@pytest.mark.parametrize("shape", [(1, 1), (3, 200)])
def test_any_photo(shape):
    photo = np.full((*shape, 3), 90, np.uint8)
    lesson = ENGINE.teach(loss_lesson, photo, network="fcn-32s", truth="deeplab-v3plus")
    assert lesson.loss.shape == shape and np.isfinite(lesson.loss).all() and np.isfinite(lesson.mean)
