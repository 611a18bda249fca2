import numpy as np
import pytest
import skimage.data
from sklearn.cluster import KMeans

from segdemo.clustering.features import lab_colours
from segdemo.clustering.kmeans import KMeansParams, kmeans, kmeans_lloyd, pixel_points, seed_plus_plus
from segdemo.errors import Cancelled, ParameterError
from segdemo.method import Run


@pytest.fixture(scope="module")
def photo():
    return skimage.data.astronaut()[::4, ::4].copy()


def run_kmeans(image, run=None, **params):
    run = run or Run(seed=params.get("seed", 0))
    return kmeans(image, KMeansParams(**params), run), run


@pytest.mark.parametrize("colour_space, position_weight", [("Lab", 0.0), ("RGB", 0.0), ("Lab", 0.7)])
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
    pairs = [tuple(seed_plus_plus(features, np.ones(3), 2, rng).ravel()) for _ in range(3000)]
    after_zero = [second for first, second in pairs if first == 0]
    assert np.mean(np.array(after_zero) == 3) == pytest.approx(9 / 10, abs=0.03)


def test_photo_result_agrees_with_a_direct_evaluation(photo):
    result, run = run_kmeans(photo, clusters=5)
    lab = lab_colours(photo).reshape(-1, 3).astype(float)
    labels = result.labels.ravel()
    objective = sum(((lab[labels == k] - lab[labels == k].mean(0)) ** 2).sum() for k in range(5))
    assert result.facts["objective"] == pytest.approx(objective, rel=1e-3)
    assert np.all(np.diff(result.shares) <= 0) and np.all(result.shares > 0)
    assert np.array_equal(result.palette[0], photo[result.labels == 0].mean(0).round())
    assert len(run.frames) == len(run.energy) <= 30
    assert np.all(np.diff(run.energy) <= 0)
    assert np.array_equal(run.frames[-1].labels, result.labels)


def test_long_runs_keep_a_short_replay(photo):
    _, run = run_kmeans(photo, clusters=32, position_weight=1.0, max_iterations=300)
    assert 13 <= len(run.frames) == len(run.energy) <= 31


def test_more_restarts_never_end_worse(photo):
    once, _ = run_kmeans(photo, clusters=8, restarts=1)
    often, _ = run_kmeans(photo, clusters=8, restarts=5)
    assert often.facts["objective"] <= once.facts["objective"]


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
    assert result.facts["objective"] == 0
    assert np.array_equal(result.palette[result.labels], image)


def test_same_seed_same_result(photo):
    first, second = (run_kmeans(photo, seed=5)[0] for _ in range(2))
    assert np.array_equal(first.labels, second.labels)


def test_can_be_cancelled(photo):
    with pytest.raises(Cancelled):
        run_kmeans(photo, Run(is_cancelled=lambda: True))
