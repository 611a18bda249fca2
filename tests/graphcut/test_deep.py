"""Deep features as a data term: the components, the classifier, and the cut with and without a network."""

import cv2
import numpy as np
import pytest
import skimage.data
from sklearn.linear_model import LogisticRegression

from segdemo import Engine
from segdemo.errors import UnavailableError
from segdemo.graphcut import deep
from segdemo.graphcut.binary import GraphCutParams, graphcut
from segdemo.graphcut.deep import feature_log_odds, fit_logistic, principal_components
from segdemo.method import Run
from segdemo.networks import checkpoints
from segdemo.networks.features import NETWORK, photo_features
from segdemo.networks.inference import class_scores


def two_things(size=64):
    """A photo without any contrast whose left half only features tell from the right, those maps, and a stroke on each."""
    rng = np.random.default_rng(0)
    left = np.arange(size) < size // 2
    fine, coarse = rng.normal(0, 1, (6, size // 4, size // 4)), rng.normal(0, 1, (9, size // 16, size // 16))
    fine[2] += np.where(left[::4], 3, -3)
    coarse[5] += np.where(left[::16], 3, -3)
    scribbles = np.zeros((size, size), np.uint8)
    scribbles[8:56, 8:12], scribbles[8:56, 36:40] = 1, 2  # the object's stroke is nearer to x = 28 .. than the other
    image = np.full((size, size, 3), 120, np.uint8)
    return image, [fine.astype(np.float32), coarse.astype(np.float32)], scribbles, left


def test_logistic_regression_is_scikit_learns():
    rng = np.random.default_rng(1)
    features, positive = rng.normal(0, 0.3, (80, 12)), np.arange(80) < 25
    features[positive, 0] += 0.5
    weights, bias = fit_logistic(features, positive)
    share = np.where(positive, 0.5 / 25, 0.5 / 55)
    peer = LogisticRegression(C=1 / deep.RIDGE, tol=1e-10, max_iter=10_000).fit(features, positive, sample_weight=share)
    np.testing.assert_allclose(weights, peer.coef_[0], rtol=1e-3, atol=1e-4)
    assert bias == pytest.approx(peer.intercept_[0], rel=1e-3)


@pytest.mark.parametrize("spread", [1e-9, 1.0, 100.0])
def test_logistic_regression_finds_the_minimum_of_separable_data(spread):
    features = spread * np.array([[-1.0, 0.2], [1.0, 0.1], [2.0, -0.3]])
    positive = np.array([False, True, True])
    weights, bias = fit_logistic(features, positive)
    odds = features @ weights + bias
    share = np.where(positive, 0.25, 0.5)
    gradient = features.T @ (share * (1 / (1 + np.exp(-odds)) - positive)) + deep.RIDGE * weights
    assert np.abs(gradient).max() < 1e-5


def test_components_are_those_of_all_maps_on_one_grid():
    rng = np.random.default_rng(2)
    maps = [rng.normal(0, 1, (c, 8, 12)).astype(np.float32) for c in (3, 5)]
    maps[1][4] = 7.0  # a constant channel says nothing and does no harm
    components = principal_components(maps)
    vectors = []
    for each in maps:
        flat = each.reshape(len(each), -1).astype(np.float64)
        flat = (flat - flat.mean(1, keepdims=True)) / (flat.std(1, keepdims=True) + 1e-3)
        vectors.append(flat / np.linalg.norm(flat, axis=0))
    vectors = np.concatenate(vectors).T / np.sqrt(2)
    expected = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)  # a rotation keeps all distances
    flat = components.reshape(-1, 8)
    np.testing.assert_allclose(np.linalg.norm(flat[:, None] - flat[None], axis=2), expected, atol=1e-4)
    spread = flat.var(axis=0)
    assert (np.diff(spread) > -1e-6).all() and np.allclose(np.cov(flat.T), np.diag(np.diag(np.cov(flat.T))), atol=1e-4)
    assert principal_components(maps, 3).shape == (8, 12, 3)


def test_coarser_grids_are_read_at_their_cells_middles():
    rows, columns = np.mgrid[:6, :9]
    taken = deep._every_nth(np.stack([rows, columns], 2), np.array([2, 3]))
    assert taken.tolist() == [[y, x] for y in (1, 4) for x in (1, 4, 7)]


def test_of_many_cells_those_that_are_learned_from_lie_everywhere():
    taken = deep._spread(np.arange(10 * deep.MOST_CELLS))
    assert len(taken) == deep.MOST_CELLS and taken[0] == 0 and taken[-1] == 10 * deep.MOST_CELLS - 1
    assert set(np.diff(taken)) <= {10, 11}


def test_features_cut_where_colours_cannot():
    image, maps, scribbles, left = two_things()
    run = Run(scribbles=scribbles, load_features=lambda: maps)
    result = graphcut(image, GraphCutParams(smoothness=4.0), run)
    assert (result.labels == left).mean() > 0.93
    assert result.facts["energy"] == result.facts["maximum flow"]
    assert result.facts["deep features"] == "15 principal components" and len(result.pictures) == 5
    (shown,) = [p.image for p in result.pictures if p.title.endswith("by deep features alone")]
    assert shown[:, :24, :2].mean() > shown[:, 40:, :2].mean() + 60  # yellow where the object is
    colours = graphcut(image, GraphCutParams(smoothness=4.0), Run(scribbles=scribbles))
    assert (colours.labels[:, 24:32] == 0).all()  # nearer to the other stroke


def test_odds_are_undecided_where_a_stroke_has_no_cell():
    seeds = np.zeros((40, 60), np.uint8)
    seeds[:, :30], seeds[0, 0] = 1, 2
    features = np.random.default_rng(0).normal(0, 1, (10, 15, 4)).astype(np.float32)
    odds = feature_log_odds(features, seeds)
    assert odds.shape == (40, 60) and odds.dtype == np.float32 and not odds.any()
    seeds[:4, :4] = 2
    assert feature_log_odds(features, seeds)[:4, :4].mean() > 0


def test_without_a_network_colour_and_texture_do_it_and_the_facts_say_so(monkeypatch, tmp_path):
    image, _, scribbles, _ = two_things()
    image[:, :32] = 200
    alone = graphcut(image, GraphCutParams(), Run(scribbles=scribbles))
    assert alone.facts["deep features"].startswith("colour and texture alone: ") and len(alone.pictures) == 4
    chosen = graphcut(image, GraphCutParams(deep_weight=0.0), Run(scribbles=scribbles))
    assert chosen.facts["deep features"] == "not used"
    np.testing.assert_array_equal(alone.labels, chosen.labels)
    monkeypatch.setattr(checkpoints, "FOLDER", tmp_path)
    missing = Engine("cpu").run("graphcut", image, scribbles=scribbles)
    assert "no trained weights here" in missing.facts["deep features"]
    np.testing.assert_array_equal(missing.labels, alone.labels)


def test_a_run_without_an_engine_has_no_features():
    with pytest.raises(UnavailableError, match="Engine.run"):
        Run().features()


def trained():
    if reason := checkpoints.unavailable(NETWORK):
        pytest.skip(reason)


def test_the_maps_are_those_that_the_networks_scores_come_from():
    trained()
    engine, photo = Engine("cpu"), skimage.data.chelsea()[:200, :320]
    network = engine.network(NETWORK)
    maps = photo_features(network, photo, engine.device, engine.dtype(engine.device))
    assert [each.shape for each in maps] == [(24, 80, 128), (40, 40, 64), (112, 20, 32), (320, 20, 32), (128, 80, 128)]
    assert all(each.dtype == np.float32 for each in maps)
    scores = class_scores(network, photo, 512, engine.device, engine.dtype(engine.device))
    layer = network.classifier
    expected = np.einsum("kc,chw->khw", layer.weight[:, :, 0, 0].numpy(), maps[-1]) + layer.bias.numpy()[:, None, None]
    np.testing.assert_allclose(scores[0].numpy(), expected, atol=1e-3)


def test_with_the_trained_network_cuts_are_exact_and_the_same_every_time():
    trained()
    photo = cv2.resize(skimage.data.astronaut(), (256, 256), interpolation=cv2.INTER_AREA)
    scribbles = np.zeros((256, 256), np.uint8)
    for label, *line in ((1, (110, 30), (110, 200)), (2, (30, 20), (20, 150)), (2, (200, 40), (235, 165))):
        cv2.line(scribbles, *line, label, 3)
    engine = Engine("cpu")
    results = [
        e.run("graphcut", photo, scribbles=scribbles, keep_frames=False) for e in (engine, engine, Engine("cpu"))
    ]
    for result in results:
        np.testing.assert_array_equal(result.labels, results[0].labels)
        assert result.facts == results[0].facts and result.facts["deep features"] == "64 principal components"
        assert result.facts["energy"] == result.facts["maximum flow"]
    labels = results[0].labels
    assert labels[60:80, 100:120].all() and labels[160:240, 60:130].mean() > 0.9  # face, suit
    assert not labels[:60, 180:].any() and not labels[20:100, :30].any()  # shuttle, flag
    alone = engine.run("graphcut", photo, scribbles=scribbles, keep_frames=False, deep_weight=0.0)
    assert (alone.labels != labels).any()
