"""The scanline lesson: which labels take part, what both models make of a line, and what the page draws of it."""

import numpy as np
import pytest

from segdemo.errors import ParameterError
from segdemo.lessons.scanline import MOST_LABELS, Scanline, fit_models, main_labels, read_photo_by_lines
from segdemo.ui.lessons.scanline import bands, draw, strip


def scene():
    """Three vertical stripes in noise: colours as features, labels 0, 8, 15 given, one corner unknown."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.repeat([[0, 8, 15]], 30, axis=0), 20, axis=1)
    colours = np.zeros((16, 3))
    colours[8], colours[15] = (90, 10, 10), (10, 10, 90)
    image = np.clip(colours[labels] + 60 + rng.normal(0, 25, (30, 60, 3)), 0, 255)
    labels[:5, :5] = -1
    return image, labels


@pytest.fixture(scope="module")
def lesson():
    image, labels = scene()
    chosen, given = main_labels(labels)
    models = fit_models(image, given, len(chosen))
    read = tuple(read_photo_by_lines(model, image, given, 12) for model in models)
    palette = np.array([[0, 0, 0], [64, 0, 0], [192, 128, 128]], np.uint8)
    return Scanline(["background", "cat", "person"], palette, image.astype(np.uint8), given, given, 12, read)


def test_both_models_read_the_stripes(lesson):
    for model in lesson.models:
        assert model.agreement > 0.97
        assert model.labels.shape == lesson.given.shape and model.path.tolist() == model.labels[12].tolist()
        assert model.marginals.shape == (60, 3)
        np.testing.assert_allclose(model.marginals.sum(1), 1)
        assert np.isfinite(model.log_z)
    hmm, crf = lesson.models
    np.testing.assert_allclose(hmm.transition.sum(1), 1)
    assert hmm.contrast is None and crf.contrast is not None
    assert (np.diag(hmm.transition) > 0.9).all()


def test_chains_read_better_than_each_pixel_alone(lesson):
    """The colours overlap so much that single pixels err; their chains do not."""
    image, labels = scene()
    _, given = main_labels(labels)
    hmm, _ = fit_models(image, given, 3)
    alone = hmm.log_emission(image).argmax(-1)
    assert (alone == given)[given >= 0].mean() < lesson.models[0].agreement - 0.02


def test_largest_labels_take_part():
    labels = np.zeros((100, 100), int)
    for k in range(9):
        labels[k, : 60 + k] = k + 1
    chosen, given = main_labels(labels)
    assert len(chosen) == MOST_LABELS and chosen.tolist() == sorted(chosen.tolist()) and 0 in chosen and 9 in chosen
    assert (given == -1).any() and given.max() == MOST_LABELS - 1
    for single in (np.zeros((5, 5), int), np.full((5, 5), -1)):
        with pytest.raises(ParameterError, match="only one label"):
            main_labels(single)


def test_board(lesson):
    board = draw(lesson)
    assert board.count("<figure>") == 5 and board.count("<section>") == 2
    assert "log p(X)" in board and "log Z(X)" in board and "person" in board
    assert bands(lesson, lesson.models[0].marginals).count("<polygon") == 3
    assert strip("x", ["red", "red", "blue"]).count("<rect") == 2
    assert "<script" not in draw(
        Scanline(["<script>", "b", "c"], lesson.palette, lesson.image, lesson.given, lesson.grid, 0, lesson.models)
    )
