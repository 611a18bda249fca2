"""The graph-cut method: its optimum, its seeds, its limits, its replay."""

import cv2
import numpy as np
import pytest
from skimage import data as photos

from segdemo import Engine
from segdemo.errors import Cancelled, ScribbleError
from segdemo.graphcut.binary import GraphCutParams, graphcut, islands, log_scores, stroke_log_likelihoods
from segdemo.graphcut.energy import SCALE
from segdemo.graphcut.likelihood import posterior_costs
from segdemo.method import Run, get_method


def disc(size=64):
    """A noisy bright disc on a dark ground, its mask, and a stroke on each."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size]
    mask = (y - size / 2) ** 2 + (x - size / 2) ** 2 < (size / 3) ** 2
    image = np.where(mask[..., None], (200, 120, 40), (40, 80, 120)) + rng.normal(0, 25, (size, size, 3))
    scribbles = np.zeros((size, size), np.uint8)
    scribbles[size // 2, size // 2 - 6 : size // 2 + 6] = 1
    scribbles[3, 3:-3] = 2
    return image.clip(0, 255).astype(np.uint8), mask, scribbles


def cut(image, scribbles, keep_frames=False, **params):
    run = Run(scribbles=scribbles, keep_frames=keep_frames)
    result = graphcut(image, GraphCutParams(**params), run)
    result.frames, result.energy = run.frames, run.energy
    return result


def iou(labels, mask):
    return (labels.astype(bool) & mask).sum() / (labels.astype(bool) | mask).sum()


@pytest.mark.parametrize("neighbours", [4, 8])
@pytest.mark.parametrize("likelihood", ["mixture", "histogram"])
def test_finds_a_noisy_disc(neighbours, likelihood):
    image, mask, scribbles = disc()
    result = cut(image, scribbles, keep_frames=True, neighbours=neighbours, likelihood=likelihood)
    assert iou(result.labels, mask) > 0.97
    assert result.names == ["background", "object"] and result.working_scores is None
    assert [p.image.shape for p in result.pictures] == [(64, 64, 3)] * 4
    assert not cut(image, scribbles, neighbours=neighbours, likelihood=likelihood).pictures


def test_energy_is_the_flow_and_the_sum_of_its_terms():
    image, _, scribbles = disc()
    facts = cut(image, scribbles, connected=False).facts
    assert facts["energy"] == facts["maximum flow"] > 0
    assert facts["energy"] == pytest.approx(facts["data energy"] + facts["smoothness energy"])
    assert facts["nodes"] == 64 * 64 and facts["edges"] == 2 * 63 * 64 + 2 * 63 * 63


def test_seeds_are_obeyed_however_odd():
    image, _, scribbles = disc()
    scribbles[::7, ::5], scribbles[3::7, 2::5] = 1, 2
    for smoothness in (0.0, 40.0, 1000.0):
        labels = cut(image, scribbles, smoothness=smoothness, connected=False).labels
        assert (labels[scribbles == 1] == 1).all() and (labels[scribbles == 2] == 0).all()


def test_without_smoothness_each_pixel_decides_for_itself():
    image, _, scribbles = disc()
    params = GraphCutParams(smoothness=0.0, connected=False)
    result = graphcut(image, params, Run(scribbles=scribbles))
    seeds = np.array([0, 2, 1])[scribbles]
    costs = np.round(SCALE * posterior_costs(log_scores(image, seeds, params, Run())).astype(np.float64))
    np.testing.assert_array_equal(result.labels[seeds == 0], (costs[1] < costs[0])[seeds == 0])
    assert result.facts["energy"] == pytest.approx(costs.min(axis=0)[seeds == 0].sum() / SCALE)
    assert result.facts["smoothness energy"] == 0


def test_huge_smoothness_on_a_flat_photo_leaves_the_cheaper_seed_alone():
    image = np.full((20, 30, 3), 90, np.uint8)
    scribbles = np.zeros((20, 30), np.uint8)
    scribbles[10, 15], scribbles[0], scribbles[-1] = 1, 2, 2
    labels = cut(image, scribbles, smoothness=1000.0, nearness_weight=0.0).labels
    np.testing.assert_array_equal(labels == 1, scribbles == 1)


def test_islands_without_a_stroke_are_removed():
    image, mask, scribbles = disc()
    image[5:12, 50:60] = (200, 120, 40)  # a second thing of the object's colour
    colour_alone = dict(colour_weight=1.0, texture_weight=0.0, detour=0.0, relearn=0.0)
    loose = cut(image, scribbles, **colour_alone, connected=False)
    kept = cut(image, scribbles, **colour_alone, connected=True)
    assert loose.labels[8, 55] == 1 and kept.labels[8, 55] == 0
    assert kept.facts["pixels in parts removed"] > 0
    assert kept.facts["energy"] == kept.facts["maximum flow"] == loose.facts["energy"]
    assert kept.facts["energy after parts were removed"] > kept.facts["energy"]
    touched = np.array([[1, 1, 0, 1], [0, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 0]], np.uint8)
    stroke = np.zeros((4, 4), bool)
    stroke[2, 0] = True
    np.testing.assert_array_equal(islands(touched, stroke, 4), (touched == 1) & ~stroke)
    assert not islands(touched, stroke, 8)[3, 1]


def test_replay_falls_to_the_minimum():
    image, _, scribbles = disc()
    result = cut(image, scribbles, keep_frames=True, connected=False)
    assert len(result.frames) == len(result.energy) == 5
    np.testing.assert_array_equal(result.frames[-1].labels, result.labels)
    assert result.energy[-1] == result.facts["energy"]
    assert all(later <= earlier + 1 for earlier, later in zip(result.energy, result.energy[1:]))
    assert cut(image, scribbles, connected=False).facts["maximum flow"] == result.energy[-1]


def yellow(picture, where):
    """How far up viridis's scale, in [0, 1], the pixels are on average: its red and green rise to yellow."""
    return picture.image[where][:, :2].mean() / 242


def test_pictures_show_the_data_term_and_the_cut():
    image, mask, scribbles = disc()
    result = cut(image, scribbles, keep_frames=True)
    probability, of_object, of_background, edges = result.pictures
    assert [p.title for p in result.pictures[:3]] == [
        "Probability of the object", "Cost of the label object", "Cost of the label background"
    ]  # fmt: skip
    core, far = (slice(27, 37), slice(27, 37)), (slice(0, 5), slice(20, 44))
    for picture, where, other in ((probability, core, far), (of_object, far, core), (of_background, core, far)):
        assert yellow(picture, where) > yellow(picture, other) + 0.15
    red = (edges.image == (255, 60, 60)).all(axis=2)
    border = np.zeros_like(red)
    differ = result.labels[1:] != result.labels[:-1], result.labels[:, 1:] != result.labels[:, :-1]
    for pixels in (border[1:], border[:-1]):
        pixels |= differ[0]
    for pixels in (border[:, 1:], border[:, :-1]):
        pixels |= differ[1]
    np.testing.assert_array_equal(red, border)  # on both sides of the cut


def test_missing_scribbles_say_what_to_draw():
    image, _, scribbles = disc()
    for none in (None, np.zeros_like(scribbles)):
        with pytest.raises(ScribbleError, match="no scribbles"):
            cut(image, none)
    with pytest.raises(ScribbleError, match="background"):
        cut(image, np.where(scribbles == 1, scribbles, 0))
    with pytest.raises(ScribbleError, match="object"):
        cut(image, np.where(scribbles == 2, scribbles, 0))
    with pytest.raises(ScribbleError, match="10 x 64.*64 x 64"):
        cut(image, scribbles[27:37].copy() + (np.arange(64) % 2 + 1).astype(np.uint8) * (scribbles[27:37] == 0))
    scribbles[60, 60] = 3
    with pytest.raises(ScribbleError, match="contain 3"):
        cut(image, scribbles)


@pytest.mark.parametrize("size", [(2, 2), (2, 90), (90, 2), (3, 3)])
@pytest.mark.parametrize("likelihood", ["mixture", "histogram"])
def test_smallest_and_thinnest_photos(size, likelihood):
    image = np.random.default_rng(1).integers(0, 256, (*size, 3)).astype(np.uint8)
    scribbles = np.zeros(size, np.uint8)
    scribbles[0, 0], scribbles[-1, -1] = 1, 2
    result = cut(image, scribbles, likelihood=likelihood, keep_frames=True)
    assert result.labels.shape == size and result.labels[0, 0] == 1 and result.labels[-1, -1] == 0


def test_constant_photo_splits_by_nearness():
    image = np.full((20, 40, 3), 77, np.uint8)
    scribbles = np.zeros((20, 40), np.uint8)
    scribbles[:, 2], scribbles[:, 37] = 1, 2
    labels = cut(image, scribbles, smoothness=1.0).labels
    assert (labels[:, :19] == 1).all() and (labels[:, 21:] == 0).all()


def test_same_seed_same_result_and_photo_work_is_cached():
    image, _, scribbles = disc()
    np.testing.assert_array_equal(cut(image, scribbles).labels, cut(image, scribbles).labels)
    store = {}

    def cache_get(key, build):
        if key not in store:
            store[key] = build()
        return store[key]

    fresh = cut(image, scribbles)
    for _ in range(2):
        run = Run(scribbles=scribbles, cache_get=cache_get)
        np.testing.assert_array_equal(graphcut(image, GraphCutParams(), run).labels, fresh.labels)
    assert ("graphcut contrasts", 8) in store


def test_what_is_kept_of_a_photo_serves_only_the_settings_it_was_made_with():
    image, _, scribbles = disc(32)
    store = {}

    def cache_get(key, build):
        if key not in store:
            store[key] = build()
        return store[key]

    results = []
    for options in ({}, {"neighbours": 4}, {"smoothness": 5.0}, {"sigma": 9.0}, {"detour": 10.0}):
        run = Run(scribbles=scribbles, cache_get=cache_get)
        kept, fresh = graphcut(image, GraphCutParams(**options), run), cut(image, scribbles, **options)
        np.testing.assert_array_equal(kept.labels, fresh.labels)
        assert kept.facts == fresh.facts
        results.append(fresh.facts["energy"])
    assert len(set(results)) == len(results)


def test_a_run_can_be_stopped():
    image, _, scribbles = disc()
    calls = []
    run = Run(scribbles=scribbles, is_cancelled=lambda: len(calls) >= 2, on_step=lambda f, text: calls.append(text))
    with pytest.raises(Cancelled):
        graphcut(image, GraphCutParams(relearn=0.0), run)
    assert any("maximum flow" in text for text in calls)


def test_cuts_out_the_astronaut():
    photo = cv2.resize(photos.astronaut(), (256, 256), interpolation=cv2.INTER_AREA)
    scribbles = np.zeros((256, 256), np.uint8)
    for label, a, b in (
        (1, (110, 30), (110, 90)),
        (1, (110, 130), (60, 200)),
        (2, (30, 20), (20, 150)),
        (2, (200, 40), (235, 165)),
    ):
        cv2.line(scribbles, a, b, label, 3)
    labels = cut(photo, scribbles).labels
    assert labels[60:80, 100:120].all() and labels[160:240, 60:130].mean() > 0.9  # face, suit
    assert not labels[:60, 180:].any() and not labels[20:100, :30].any()  # shuttle, flag


def test_registration():
    method = get_method("graphcut")
    assert method.family == "graphcut" and method.needs_scribbles and method.params is GraphCutParams


def test_cuts_that_go_on_from_earlier_ones_come_out_the_same():
    """Stroke by stroke on one engine, taken back and stopped in between, as on an engine that knows nothing."""
    photo = cv2.resize(photos.astronaut(), (96, 96), interpolation=cv2.INTER_AREA)
    strokes, engine = np.zeros((96, 96), np.uint8), Engine("cpu")
    cv2.line(strokes, (40, 15), (42, 30), 1, 2)
    cv2.line(strokes, (5, 5), (5, 60), 2, 2)
    history = [strokes.copy()]
    for label, *line in ((1, (20, 90), (40, 80)), (2, (80, 20), (90, 60)), (2, (60, 60), (70, 60))):
        cv2.line(strokes, *line, label, 2)
        history.append(strokes.copy())
    for seeds in (*history, history[1], history[0]):
        with pytest.raises(Cancelled):
            stops = iter([False, False, True])  # before the first path of the cut
            engine.run("graphcut", photo, scribbles=seeds, keep_frames=False, is_cancelled=stops.__next__)
        kept = engine.run("graphcut", photo, scribbles=seeds, keep_frames=False)
        fresh = Engine("cpu").run("graphcut", photo, scribbles=seeds, keep_frames=False)
        np.testing.assert_array_equal(kept.labels, fresh.labels)
        assert kept.facts == fresh.facts


def test_what_is_relearned_is_the_same_for_every_lambda():
    image, mask, scribbles = disc()
    seeds = np.array([0, 2, 1], np.uint8)[scribbles]
    scores = [
        log_scores(image, seeds, GraphCutParams(smoothness=smoothness, relearn=share), Run())
        for smoothness, share in ((0.0, 0.3), (500.0, 0.3), (40.0, 0.0), (40.0, 1e-6))
    ]
    np.testing.assert_array_equal(scores[0], scores[1])
    assert not np.array_equal(scores[0], scores[2])
    np.testing.assert_allclose(scores[3], scores[2], atol=0.02)  # a small share of what is relearned changes little
    assert iou((scores[0][1] > scores[0][0]), mask) > 0.9


def test_likelihoods_are_raised_to_the_power_of_their_weights():
    image, _, scribbles = disc()
    seeds = np.array([0, 2, 1], np.uint8)[scribbles]

    def logs(colour, texture):
        params = GraphCutParams(colour_weight=colour, texture_weight=texture, likelihood="histogram")
        return stroke_log_likelihoods(image, seeds, params, Run(), 2)

    assert np.abs(logs(1.0, 0.0)).min() > 1 and not logs(0.0, 0.0).any()
    np.testing.assert_allclose(logs(0.4, 0.3), 0.4 * logs(1.0, 0.0) + 0.3 * logs(0.0, 1.0), rtol=1e-5)


def test_texture_tells_apart_what_colour_does_not():
    rng = np.random.default_rng(0)
    image = np.full((80, 120, 3), 120) + rng.normal(0, 1, (80, 120, 3))
    image[:, 60:] += rng.choice([-40, 40], (80, 60, 1))
    scribbles = np.zeros((80, 120), np.uint8)
    scribbles[10, 100:110], scribbles[70, 5:115] = 1, 2
    scribbles[70, 50:] = 0
    image = image.clip(0, 255).astype(np.uint8)
    alone = dict(nearness_weight=0.0, colour_weight=0.0, smoothness=5.0, connected=False)
    labels = cut(image, scribbles, texture_weight=1.0, **alone).labels
    assert labels[:, 70:].mean() > 0.95 and labels[:, :50].mean() < 0.05


def test_soft_seeds_may_be_overruled_and_hard_ones_not():
    image, scribbles = np.full((40, 40, 3), 90, np.uint8), np.zeros((40, 40), np.uint8)
    scribbles[5:35, 5:35], scribbles[20, 20] = 1, 2
    scribbles[0] = 2
    hard = cut(image, scribbles, smoothness=500.0).labels
    assert (hard[scribbles == 1] == 1).all() and (hard[scribbles == 2] == 0).all()
    assert cut(image, scribbles, smoothness=500.0, seed_cost=1.0).labels.all()
