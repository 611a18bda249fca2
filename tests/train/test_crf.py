"""Fitting the CRF: the search climbs, and the objective scores what the CRF makes of a network's labels."""

import numpy as np
import pytest

from segdemo.method import Run
from segdemo.train.crf import NAMES, Objective, coordinate_search, enlarge
from segdemo.train.dataset import Photo


def test_search_finds_the_top_of_a_hill():
    """A smooth hill in the logarithms, with its top at 7, 2 and 40."""
    top = np.log([7.0, 2.0, 40.0])
    best, value = coordinate_search(lambda v: -float(((np.log(v) - top) ** 2).sum()), (3.0, 3.0, 10.0))
    assert best == pytest.approx((7, 2, 40), rel=0.12) and value > -0.04


def scene():
    """A bright disc in noise, its mask, and scores of a network that sees it only roughly."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:48, :64]
    disc = (y - 24) ** 2 + (x - 30) ** 2 < 200
    image = np.clip(np.where(disc[..., None], 200, 60) + rng.normal(0, 8, (48, 64, 3)), 0, 255).astype(np.uint8)
    rough = (np.abs(y - 25) < 15) & (np.abs(x - 28) < 15)
    scores = np.full((21, 48, 64), 0.001, np.float32)
    scores[8], scores[0] = np.where(rough, 0.7, 0.3), np.where(rough, 0.281, 0.681)
    return Photo("disc", image, np.where(disc, 8, 0).astype(np.uint8), True), scores


def test_objective_rewards_the_crf_that_finds_the_disc():
    photo, scores = scene()
    objective = Objective([photo], {"rough": [scores]}, 5, Run())
    without, with_crf = objective(None), objective((3.0, 3.0, 10.0, 30.0, 20.0))
    assert with_crf > without + 0.1
    assert [trial["values"] for trial in objective.trials] == [None, (3.0, 3.0, 10.0, 30.0, 20.0)]
    assert objective((0.0, 3.0, 0.0, 30.0, 20.0)) == pytest.approx(without)  # weights of zero: no CRF
    assert len(NAMES) == 5


def test_photos_are_fitted_at_the_size_of_use():
    larger = enlarge(scene()[0], 128)
    assert larger.image.shape == (96, 128, 3) and larger.mask.shape == (96, 128)
    assert set(np.unique(larger.mask)) == {0, 8}
