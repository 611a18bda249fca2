"""The scanline lesson: which labels take part, from where, and what both models make of every line."""

import numpy as np
import pytest

from segdemo import Engine, methods
from segdemo.crf.chain import forward_backward, viterbi
from segdemo.errors import ParameterError
from segdemo.lab import lab_colours, rgb_colours
from segdemo.labels import LabelSet
from segdemo.lessons.scanline import MOST_LABELS, fit_models, main_labels, read_photo_by_lines, scanline
from segdemo.method import Run

SEEDS = LabelSet("seeds", ("left", "middle", "right"), np.eye(3, dtype=np.uint8) * 255)


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
def read():
    image, labels = scene()
    chosen, given = main_labels(labels)
    models = fit_models(image, given, len(chosen))
    return given, models, [read_photo_by_lines(model, image, given) for model in models]


def test_both_models_read_the_stripes(read):
    given, models, chains = read
    for chain in chains:
        assert chain.agreement > 0.97
        assert chain.labels.shape == given.shape and chain.log_z.shape == (30,)
        assert chain.marginals.shape == (30, 60, 3)
        np.testing.assert_allclose(chain.marginals.sum(-1), 1, rtol=1e-5)
        assert np.isfinite(chain.log_z).all()
    hmm, crf = chains
    np.testing.assert_allclose(hmm.transition.sum(1), 1)
    assert hmm.contrast is None and crf.contrast is not None
    assert (np.diag(hmm.transition) > 0.9).all()


def test_a_line_is_read_as_if_alone(read):
    image, _ = scene()
    given, models, chains = read
    for model, chain in zip(models, chains):
        alone = model.potentials(image)
        one = alone._replace(switch=alone.switch[7:8], node=alone.node[7:8], lengths=alone.lengths[7:8])
        np.testing.assert_array_equal(chain.labels[7], viterbi(one)[0][0])
        found = forward_backward(one)
        np.testing.assert_allclose(chain.marginals[7], found.node[0], atol=1e-6)
        assert chain.log_z[7] == pytest.approx(found.log_z[0])


def test_chains_read_better_than_each_pixel_alone(read):
    """The colours overlap so much that single pixels err; their chains do not."""
    image, _ = scene()
    given, (hmm, _), (chain, _) = read
    alone = hmm.log_emission(image).argmax(-1)
    assert (alone == given)[given >= 0].mean() < chain.agreement - 0.02


def test_scribbles_teach_as_a_network_does():
    """A stroke on each stripe is enough to label every line; what is not drawn takes no part."""
    image, _ = scene()
    scribbles = np.zeros((30, 60), np.uint8)
    scribbles[10:14, 4:16], scribbles[20:24, 44:56] = 1, 3
    lesson = scanline(image.astype(np.uint8), Run(scribbles=scribbles), seeds=SEEDS)
    assert lesson.names == ["left", "right"] and lesson.palette.tolist() == [[255, 0, 0], [0, 0, 255]]
    assert (lesson.given >= 0).sum() == (scribbles > 0).sum()
    assert all(chain.agreement > 0.95 for chain in lesson.models)  # with what is drawn, and no other pixel
    truth = np.repeat([0, 1], 20)
    for labels in (lesson.grid, *(chain.labels for chain in lesson.models)):
        assert (labels[:, [*range(20), *range(40, 60)]] == truth).mean() > 0.95
    means = [image[scribbles == seed].mean(0) for seed in (1, 3)]
    np.testing.assert_allclose(lesson.looks, means, atol=8)
    for nothing in (None, np.zeros((30, 60), np.uint8), (scribbles == 1).astype(np.uint8)):
        with pytest.raises(ParameterError, match="draw a stroke"):
            scanline(image.astype(np.uint8), Run(scribbles=nothing), seeds=SEEDS)


def test_chains_that_are_kept_are_those_of_their_own_network(monkeypatch):
    """One network sees three stripes, the other calls the middle one something else and the right one background."""
    image, _ = scene()
    sees = {"first": [0, 8, 15], "second": [0, 12, 0]}

    def network_probabilities(image, run, network):
        labels = np.repeat(np.repeat([sees[network]], 30, axis=0), 20, axis=1)
        return np.where(np.arange(21)[:, None, None] == labels, 0.9, 0.005).astype(np.float32)

    store = {}

    def cache_get(key, build):
        if key not in store:
            store[key] = build()
        return store[key]

    monkeypatch.setattr("segdemo.lessons.scanline.network_probabilities", network_probabilities)
    for network, names in (("first", ["background", "cat", "person"]), ("second", ["background", "dog"])):
        lesson = scanline(image.astype(np.uint8), Run(cache_get=cache_get), network)
        assert lesson.names == names and all(chain.marginals.shape[2] == len(names) for chain in lesson.models)
        assert (lesson.grid == lesson.given).mean() > 0.95


@pytest.mark.skipif(bool(methods()["deeplab-v3plus"].unavailable()), reason="no trained network here")
def test_networks_labels_on_a_photo():
    from skimage import data

    lesson = Engine("cpu").teach(scanline, data.astronaut(), working_size=96, network="deeplab-v3plus")
    assert "person" in lesson.names and lesson.image.shape == (96, 96, 3)
    assert all(0.5 < chain.agreement <= 1 for chain in lesson.models)
    assert (lesson.grid == lesson.given).mean() > 0.9


def test_colours_there_and_back():
    colours = np.array([[[200, 30, 60], [0, 255, 0], [9, 9, 9]]], np.uint8)
    np.testing.assert_allclose(rgb_colours(lab_colours(colours)[0]), colours[0], atol=1)


def test_largest_labels_take_part():
    labels = np.zeros((100, 100), int)
    for k in range(9):
        labels[k, : 60 + k] = k + 1
    chosen, given = main_labels(labels)
    assert len(chosen) == MOST_LABELS and chosen.tolist() == sorted(chosen.tolist()) and 0 in chosen and 9 in chosen
    assert (given == -1).any() and given.max() == MOST_LABELS - 1
    for single in (np.zeros((5, 5), int), np.full((5, 5), -1)):
        with pytest.raises(ParameterError, match="nothing to tell apart"):
            main_labels(single)
