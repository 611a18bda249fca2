"""Points in the plane: k-means fails where spectral clustering succeeds, as scikit-learn's versions do."""

import numpy as np
import pytest
from sklearn.cluster import KMeans, SpectralClustering
from sklearn.metrics import adjusted_rand_score

from segdemo.errors import ParameterError
from segdemo.lessons.toy_points import MOST_POINTS, SHAPES, first_appearance, make_points, toy_clusters

GROUPS = {"rings": [60, 140], "moons": [100, 100], "bars": [90] * 3, "uneven heaps": [260, 30], "blobs": [80] * 3}


def truth(shape):
    return np.repeat(np.arange(len(GROUPS[shape])), GROUPS[shape])


@pytest.mark.parametrize("shape", SHAPES)
def test_what_each_method_makes_of_the_shapes(shape):
    points, clusters = make_points(shape)
    assert points.min() >= 0 and points.max() <= 1 and clusters == len(GROUPS[shape])
    found = toy_clusters(points, clusters, 0.06)
    assert adjusted_rand_score(truth(shape), found.spectral.labels) > 0.97
    score = adjusted_rand_score(truth(shape), found.kmeans.labels)
    assert score > 0.97 if shape == "blobs" else score < 0.75


@pytest.mark.parametrize("shape", ["rings", "bars"])
def test_both_agree_with_scikit_learn(shape):
    points, clusters = make_points(shape, seed=1)
    found = toy_clusters(points, clusters, 0.05)
    reference = KMeans(clusters, n_init=10, random_state=0).fit(points)
    assert found.kmeans.objective == pytest.approx(reference.inertia_, rel=0.01)
    other = SpectralClustering(clusters, gamma=1 / 0.05**2, assign_labels="discretize", random_state=0)
    assert adjusted_rand_score(found.spectral.labels, other.fit_predict(points)) == pytest.approx(1)


def test_a_wide_affinity_sees_no_rings():
    points, clusters = make_points("rings")
    assert adjusted_rand_score(truth("rings"), toy_clusters(points, clusters, 0.4).spectral.labels) < 0.1


def test_values_are_those_of_the_dense_eigenproblem():
    points, _ = make_points("moons")
    found = toy_clusters(points, 2, 0.1)
    weights = np.exp(-((points[:, None] - points[None]) ** 2).sum(2) / 0.1**2)
    degrees = weights.sum(1)
    for value, vector in zip(found.eigenvalues, found.eigenvectors.T):
        np.testing.assert_allclose(degrees * vector - weights @ vector, value * degrees * vector, atol=1e-9)
    first = found.spectral.labels == 0
    cut = weights[first][:, ~first].sum()
    assert found.ncut == pytest.approx(cut / degrees[first].sum() + cut / degrees[~first].sum())
    assert found.outside == pytest.approx(2 * cut / weights.sum())


def test_labels_are_numbered_by_the_first_point():
    np.testing.assert_array_equal(first_appearance(np.array([2, 2, 0, 3, 0]), 4), [1, 3, 0, 2])
    points, clusters = make_points("bars")
    found = toy_clusters(points, clusters, 0.06)
    for labels in (found.kmeans.labels, found.spectral.labels):
        _, first = np.unique(labels, return_index=True)
        assert (np.diff(first) > 0).all()
    nearest = ((points[:, None] - found.kmeans.centres[None]) ** 2).sum(2).argmin(1)
    np.testing.assert_array_equal(nearest, found.kmeans.labels)


def test_the_same_seed_gives_the_same():
    points, clusters = make_points("blobs", seed=5)
    np.testing.assert_array_equal(points, make_points("blobs", seed=5)[0])
    one, two = (toy_clusters(points, 5, 0.1, seed=2) for _ in range(2))
    np.testing.assert_array_equal(one.kmeans.labels, two.kmeans.labels)
    np.testing.assert_array_equal(one.spectral.labels, two.spectral.labels)


@pytest.mark.parametrize(
    "points, clusters, width",
    [
        (np.empty((0, 2)), 2, 0.1),
        (np.full((9, 2), 0.5), 2, 0.1),
        (np.random.default_rng(0).random((9, 2)), 9, 0.1),
        (np.random.default_rng(0).random((9, 2)), 1, 0.1),
        (np.random.default_rng(0).random((9, 2)), 2, 0.0),
        (np.random.default_rng(0).random((9, 2)), 2, np.nan),
        (np.random.default_rng(0).random((9, 2)) + 1, 2, 0.1),
        (np.random.default_rng(0).random((MOST_POINTS + 1, 2)), 2, 0.1),
    ],
)
def test_mistakes_are_explained(points, clusters, width):
    with pytest.raises(ParameterError):
        toy_clusters(points, clusters, width)


def test_unknown_shape_is_explained():
    with pytest.raises(ParameterError, match="rings"):
        make_points("stars")
