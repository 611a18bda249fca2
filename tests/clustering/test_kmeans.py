import numpy as np
import pytest
import skimage.data
from sklearn.cluster import KMeans

import segdemo.clustering.kmeans as kmeans_module
from segdemo.clustering.blocks import BLOCK
from segdemo.clustering.features import texture_features
from segdemo.clustering.kmeans import KMeansParams, kmeans
from segdemo.clustering.lloyd import Assignment, kmeans_lloyd, seed_plus_plus
from segdemo.clustering.points import Points, colour_features, distinct_colours, draw_points, pixel_points
from segdemo.errors import Cancelled, ParameterError
from segdemo.lab import lab_colours
from segdemo.method import Run


@pytest.fixture(scope="module")
def photo():
    return skimage.data.astronaut()[::4, ::4].copy()


def run_kmeans(image, run=None, **params):
    run = run or Run(seed=params.get("seed", 0))
    return kmeans(image, KMeansParams(**params), run), run


@pytest.mark.parametrize("colour_space, position_weight", [("Lab", 0.0), ("RGB", 0.0), ("HSV", 0.0), ("Lab", 0.7)])
def test_same_objective_as_scikit_learn_from_the_same_centres(photo, colour_space, position_weight):
    points = pixel_points(photo, colour_space, position_weight)
    centres = points.features[np.random.default_rng(3).choice(len(points.features), 5, replace=False)]
    *_, last = kmeans_lloyd(points.features, centres, points.weights)
    peer = KMeans(5, init=centres, n_init=1, tol=0, max_iter=300).fit(points.features, sample_weight=points.weights)
    assert last.objective == pytest.approx(peer.inertia_, rel=1e-5)
    assert np.allclose(last.centres, peer.cluster_centers_, atol=1e-3)


def test_objective_is_that_of_the_definition_and_never_rises(photo):
    features = photo.reshape(-1, 3).astype(float)
    steps = list(kmeans_lloyd(features, features[[0, 500, 900, 3000]]))
    for step in steps:
        squared = ((features[:, None] - step.centres[None]) ** 2).sum(2)
        assert np.array_equal(step.labels, squared.argmin(1))
        assert step.objective == pytest.approx(squared.min(1).sum())
    assert np.all(np.diff([step.objective for step in steps]) <= 0)
    means = [features[steps[-1].labels == k].mean(0) for k in range(4)]
    assert np.allclose(means, steps[-1].centres)  # converged: a fixed point of both half-steps


def test_weights_count_points_several_times():
    rng = np.random.default_rng(0)
    features, weights = rng.normal(size=(60, 2)), rng.integers(1, 5, 60)
    repeated = np.repeat(features, weights, axis=0)
    *_, weighted = kmeans_lloyd(features, features[:4], weights.astype(float))
    *_, plain = kmeans_lloyd(repeated, features[:4])
    assert weighted.objective == pytest.approx(plain.objective)
    assert np.allclose(weighted.centres, plain.centres)


def test_empty_clusters_are_repaired_without_raising_the_objective():
    corners = np.array([[0.0, 0], [0, 10], [10, 0], [10, 10]])
    features = np.repeat(corners, 5, axis=0) + np.tile(np.linspace(-0.2, 0.2, 5), 4)[:, None]
    steps = list(kmeans_lloyd(features, np.zeros((4, 2))))  # all four centres in one place
    assert np.bincount(steps[-1].labels, minlength=4).tolist() == [5, 5, 5, 5]
    assert np.all(np.diff([step.objective for step in steps]) <= 0)


def test_plus_plus_takes_every_distinct_point_once_and_refuses_more():
    features = np.repeat(np.arange(5.0), 4)[:, None]
    seeds = seed_plus_plus(features, np.ones(20), 5, np.random.default_rng(0))
    assert sorted(seeds.ravel()) == [0, 1, 2, 3, 4]
    with pytest.raises(ParameterError, match="only 5 distinct points"):
        seed_plus_plus(features, np.ones(20), 6, np.random.default_rng(0))


def test_plus_plus_draws_by_squared_distance():
    features, rng = np.array([[0.0], [1.0], [3.0]]), np.random.default_rng(1)
    pairs = [tuple(seed_plus_plus(features, np.ones(3), 2, rng, trials=1).ravel()) for _ in range(3000)]
    after_zero = [second for first, second in pairs if first == 0]
    assert np.mean(np.array(after_zero) == 3) == pytest.approx(9 / 10, abs=0.03)


def test_photo_result_agrees_with_a_direct_evaluation(photo):
    result, run = run_kmeans(photo, clusters=5)
    lab = lab_colours(photo).reshape(-1, 3).astype(float)
    labels = result.labels.ravel()
    objective = sum(((lab[labels == k] - lab[labels == k].mean(0)) ** 2).sum() for k in range(5))
    assert result.facts["objective"] == pytest.approx(objective, rel=1e-3)
    assert result.facts["root mean square distance"] == pytest.approx(np.sqrt(objective / len(lab)), rel=1e-3)
    assert np.all(np.diff(result.shares) <= 0) and np.all(result.shares > 0)
    assert np.array_equal(result.palette[0], photo[result.labels == 0].mean(0).round())
    assert len(run.frames) == len(run.energy) <= 30
    assert np.all(np.diff(run.energy) <= 0)
    assert np.array_equal(run.frames[-1].labels, result.labels)


def test_long_runs_keep_a_short_replay(photo):
    _, run = run_kmeans(photo, clusters=32, position_weight=1.0, max_iterations=300)
    assert 13 <= len(run.frames) == len(run.energy) <= 31
    assert all(frame.caption.startswith(f"iteration {frame.step}:") for frame in run.frames)
    assert run.frames[-1].step > len(run.frames)


def test_more_restarts_never_end_worse(photo):
    once, _ = run_kmeans(photo, clusters=8, restarts=1)
    often, _ = run_kmeans(photo, clusters=8, restarts=5)
    assert often.facts["objective"] <= once.facts["objective"]


@pytest.mark.parametrize("position_weight", [0.0, 0.5])
def test_the_best_seeds_are_as_good_as_three_full_runs_of_scikit_learn(position_weight):
    image = skimage.data.coffee()[::2, ::2].copy()
    points = pixel_points(image, "Lab", position_weight)
    result, _ = run_kmeans(image, clusters=6, position_weight=position_weight)
    peer = KMeans(6, n_init=3, random_state=0).fit(points.features, sample_weight=points.weights)
    assert result.facts["objective"] <= 1.001 * peer.inertia_


def test_seeds_that_mislead_all_points_give_way_to_the_ends_on_blocks(monkeypatch):
    """Corners of a wide rectangle: the halves above and below are a minimum, of which those left and right are better."""
    corners = np.array([[0.0, 0], [10, 0], [0, 1], [10, 1]])
    poor, good = np.array([[5.0, 0], [5, 1]]), np.array([[0, 0.5], [10, 0.5]])
    assign, params = Assignment(corners, np.ones(4)), KMeansParams(clusters=2)

    def end(*seeds):
        monkeypatch.setattr(kmeans_module, "best_seeds", lambda *args: seeds)
        steps = kmeans_module.shown_steps(assign, params, 2, Run())
        return steps[max(steps)].objective

    assert end(poor, None) == pytest.approx(100) and end(poor, poor) == pytest.approx(100)
    assert end(poor, good) == pytest.approx(1) and end(good, poor) == pytest.approx(1)


def test_position_makes_clusters_compact(photo):
    def border(labels):
        return np.count_nonzero(labels[1:] != labels[:-1]) + np.count_nonzero(labels[:, 1:] != labels[:, :-1])

    assert border(run_kmeans(photo, position_weight=3.0)[0].labels) < 0.6 * border(run_kmeans(photo)[0].labels)


@pytest.mark.parametrize(
    "image, clusters",
    [
        (np.full((40, 30, 3), 77, np.uint8), 1),
        (np.arange(12, dtype=np.uint8).reshape(2, 2, 3) * 20, 4),
        (np.kron([[0, 255]], np.ones((10, 10)))[..., None].repeat(3, 2).astype(np.uint8), 2),
    ],
)
def test_fewer_colours_than_clusters_lower_k_with_a_notice(image, clusters):
    result, _ = run_kmeans(image, clusters=6)
    assert len(result.names) == len(result.palette) == clusters == len(np.unique(result.labels))
    assert f"from 6 to {clusters}" in result.notices[0]
    assert result.facts["objective"] < 1e-6
    assert np.array_equal(result.palette[result.labels], image)


def test_points_that_are_kept_serve_only_the_settings_they_were_made_with(photo):
    store = {}

    def cache_get(key, build):
        if key not in store:
            store[key] = build()
        return store[key]

    for settings in ({}, {"colour_space": "RGB"}, {"position_weight": 1.0}, {"texture_weight": 1.0}):
        kept, _ = run_kmeans(photo, Run(cache_get=cache_get), clusters=3, restarts=1, **settings)
        fresh, _ = run_kmeans(photo, clusters=3, restarts=1, **settings)
        assert np.array_equal(kept.labels, fresh.labels) and kept.facts == fresh.facts


def test_same_seed_same_result(photo):
    first, second = (run_kmeans(photo, seed=5)[0] for _ in range(2))
    assert np.array_equal(first.labels, second.labels)


def test_can_be_cancelled(photo):
    with pytest.raises(Cancelled):
        run_kmeans(photo, Run(is_cancelled=lambda: True))


@pytest.mark.parametrize("channels, spread", [(1, 0.1), (3, 1.0), (5, 30.0)])
def test_blocks_change_nothing(channels, spread):
    """Against comparing every point with every centre, whether the blocks are tight or wide."""
    rng = np.random.default_rng(channels)
    middles = rng.uniform(0, 100, (40, channels)).repeat(BLOCK, 0)[:-5]  # the last block is not full
    features, weights = middles + rng.normal(0, spread, middles.shape), rng.integers(1, 9, len(middles)).astype(float)
    centres = rng.uniform(0, 100, (9, channels))
    labels, objective, sums = Assignment(features, weights)(centres)
    squared = ((features[:, None] - centres) ** 2).sum(2)
    assert np.array_equal(labels, squared.argmin(1))
    assert objective == pytest.approx((weights * squared.min(1)).sum())
    for k in range(9):
        mine = labels == k
        assert sums[k] == pytest.approx(np.append((weights[mine, None] * features[mine]).sum(0), weights[mine].sum()))


def test_distinct_colours_are_those_of_a_sort():
    pixels = np.random.default_rng(0).integers(0, 256, (5000, 3), dtype=np.uint8)
    pixels[1000:] = pixels[:4000] // 16 * 16
    colours, weights, of_pixel = distinct_colours(pixels)
    expected, counts = np.unique(pixels, axis=0, return_counts=True)
    order = np.lexsort(colours.T[::-1])
    assert np.array_equal(colours[order], expected) and np.array_equal(weights[order], counts)
    assert np.array_equal(colours[of_pixel], pixels)


def test_points_are_drawn_right_and_up():
    features = np.array([[0.0, 5, 0], [9, 9, 10], [0, 7, 10]], np.float32)
    palette = np.array([[255, 0, 0], [0, 255, 0]], np.uint8)
    drawn = draw_points(Points(features, np.ones(3), np.arange(3)), np.array([0, 1, 0]), palette, (0, 2), size=11)
    assert drawn[10, 0].tolist() == [255, 0, 0] and drawn[0, 0].tolist() == [255, 0, 0]
    assert drawn[0, 9].tolist() == [0, 255, 0] and (drawn == 24).all(axis=2).sum() == 11 * 11 - 3


def test_hue_is_a_circle():
    """Reds on both sides of 0 degrees are near, cyan is far, and what is nearly black has no hue."""
    colours = np.array([[[255, 0, 20], [255, 20, 0], [0, 255, 255], [3, 0, 0], [0, 3, 3]]], np.uint8)
    red, other_red, cyan, dark, other_dark = colour_features(colours, "HSV")[0]
    assert np.linalg.norm(red - other_red) < 20 and np.linalg.norm(red - cyan) > 150
    assert np.linalg.norm(dark - other_dark) < 4
    saturation, value = np.hypot(*red[:2]) / red[2], red[2]
    assert saturation == pytest.approx(1, abs=1e-4) and value == pytest.approx(100)


def stripes(angle, size=64):
    y, x = np.mgrid[:size, :size]
    wave = 128 + 80 * np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / 6)
    return np.repeat(wave[..., None], 3, 2).round().astype(np.uint8)


@pytest.mark.parametrize("other", [stripes(np.pi / 2), np.full((64, 64, 3), 128, np.uint8)], ids=["turned", "smooth"])
def test_texture_tells_apart_what_colour_cannot(other):
    """Stripes beside stripes of the other direction, or beside their mean grey."""
    image = np.concatenate([stripes(0), other], axis=1)
    truth = np.arange(128)[None].repeat(64, 0) >= 64

    def right(**params):
        agree = (run_kmeans(image, clusters=2, **params)[0].labels.astype(bool) == truth)[:, 4:-4].mean()
        return max(agree, 1 - agree)

    assert right(texture_weight=2.0) > 0.9 > 0.8 > right()


def test_texture_of_a_known_pattern():
    """sin(2π x / 12) with amplitude A has mean squared slope (2π A / 12)² / 2, all of it across."""
    x = np.arange(240) * 2 * np.pi / 12
    image = np.repeat((128 + 60 * np.sin(x))[None, :, None].repeat(200, 0), 3, 2).round().astype(np.uint8)
    light = lab_colours(image)[100, 60:180, 0].astype(float)
    slope = np.sqrt((np.gradient(light) ** 2).mean())
    strength, cosine, sine = map(float, texture_features(image)[100, 60:180].mean(0) / 4)
    assert strength == pytest.approx(slope, rel=0.15)
    assert cosine == pytest.approx(strength, rel=0.02) and abs(sine) < 0.02 * strength
    turned = texture_features(image.transpose(1, 0, 2).copy())[60:180, 100].mean(0) / 4
    assert turned == pytest.approx([strength, -cosine, sine], abs=0.02 * strength)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (3, 50)])
@pytest.mark.parametrize("kind", ["constant", "black", "noise"])
@pytest.mark.parametrize("colour_space", ["Lab", "RGB", "HSV"])
@pytest.mark.parametrize("weights", [{}, {"position_weight": 0.5}, {"texture_weight": 1.0}])
def test_any_size(shape, kind, colour_space, weights):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    image = noise if kind == "noise" else np.full_like(noise, 128 * (kind == "constant"))
    result, run = run_kmeans(image, colour_space=colour_space, **weights)
    assert result.labels.shape == shape
    assert len(np.unique(result.labels)) == len(result.names) == len(result.palette)
    assert np.all(np.isfinite(run.energy)) and np.isfinite(result.facts["objective"])
    assert (len(result.names) < 6) == bool(result.notices)
