"""The energy, its integers, and the colour likelihoods behind the data term."""

import numpy as np
import pytest
from scipy.sparse.csgraph import dijkstra
from scipy.stats import multivariate_normal

from segdemo.graphcut import energy
from segdemo.graphcut.gaussians import NOISE, PRIOR_PIXELS, PRIOR_SPREAD, next_centres, seed_centres, shared_moments
from segdemo.graphcut.likelihood import (
    GAMUT,
    OUTLIERS,
    Histogram,
    Mixture,
    colour_log_likelihoods,
    fit_mixture,
    geodesic_distances,
    nearness_log_prior,
    posterior_costs,
    step_lengths,
    textures,
)

RNG = np.random.default_rng


def naive_energy(labels, data, weights):
    height, width = labels.shape
    terms, smooth, cuts = 0, 0, 0
    for y in range(height):
        for x in range(width):
            terms += data[labels[y, x], y, x]
            for (dy, dx), weight in zip(((0, 1), (1, 0), (1, 1), (1, -1)), weights):
                if y + dy < height and 0 <= x + dx < width and labels[y, x] != labels[y + dy, x + dx]:
                    smooth += weight[y, x]
                    cuts += 1
    return terms, smooth, cuts


@pytest.mark.parametrize("neighbours", [4, 8])
@pytest.mark.parametrize("size", [(2, 2), (1, 6), (7, 1), (5, 8)])
def test_energy_equals_the_sum_over_pixels_and_pairs(neighbours, size):
    rng = RNG(1)
    contrasts = energy.squared_contrasts(rng.random((*size, 3)).astype(np.float32), neighbours)
    weights = energy.pairwise_weights(contrasts, 3.0, 0.4)
    data, labels = rng.integers(0, 9, (3, *size)), rng.integers(0, 3, size)
    assert energy.evaluate(labels, data, weights) == naive_energy(labels, data, weights)


def test_contrast_and_weight_of_each_pair():
    colours = RNG(2).random((4, 5, 3)).astype(np.float32)
    contrasts = energy.squared_contrasts(colours, 8)
    weights = energy.pairwise_weights(contrasts, 10.0, 0.5)
    for (dy, dx), squared, weight in zip(energy.STEPS, contrasts, weights):
        for y in range(4):
            for x in range(5):
                if y + dy < 4 and 0 <= x + dx < 5:
                    expected = ((colours[y, x] - colours[y + dy, x + dx]) ** 2).sum()
                    assert squared[y, x] == pytest.approx(expected, rel=1e-5)
                    nats = 10 * np.exp(-expected / (2 * 0.25)) / np.hypot(dy, dx)
                    assert abs(weight[y, x] - energy.SCALE * nats) <= 1
                else:
                    assert np.isnan(squared[y, x]) and weight[y, x] == 0


def test_sigma_is_the_root_mean_square_contrast():
    stripes = np.zeros((4, 6, 3), np.float32)
    stripes[:, ::2] = 3.0  # every horizontal pair differs by 3 in each channel, no vertical one does
    expected = np.sqrt((4 * 5 * 27) / (4 * 5 + 3 * 6))
    assert energy.estimate_sigma(energy.squared_contrasts(stripes, 4)) == pytest.approx(expected, rel=1e-6)
    flat = energy.squared_contrasts(np.zeros((3, 3, 3), np.float32), 8)
    assert energy.estimate_sigma(flat) > 0
    assert (energy.pairwise_weights(flat, 1.0, energy.estimate_sigma(flat))[0][:, :2] == energy.SCALE).all()


def test_neighbour_sums():
    ones = [np.zeros((3, 4), np.int64) for _ in energy.STEPS]
    for step, plane in zip(energy.STEPS, ones):
        plane[energy.pair_slices(step)[0]] = 1
    np.testing.assert_array_equal(energy.neighbour_sums(ones), [[3, 5, 5, 3], [5, 8, 8, 5], [3, 5, 5, 3]])
    np.testing.assert_array_equal(energy.neighbour_sums(ones[:2]), [[2, 3, 3, 2], [3, 4, 4, 3], [2, 3, 3, 2]])


def test_a_seed_outweighs_all_its_neighbours():
    rng = RNG(3)
    weights = energy.pairwise_weights(energy.squared_contrasts(rng.random((5, 5, 3)).astype(np.float32), 8), 50.0, 0.5)
    seeds = np.zeros((5, 5), np.uint8)
    seeds[0, 0], seeds[2, 2] = 1, 2
    costs = rng.random((2, 5, 5))
    data = energy.data_costs(costs, seeds, weights)
    assert data[0, 0, 0] == 0 and data[1, 2, 2] == 0
    assert data[1, 0, 0] == data[0, 2, 2] > energy.neighbour_sums(weights).max()
    np.testing.assert_array_equal(data[:, seeds == 0], np.round(energy.SCALE * costs[:, seeds == 0]))


def test_mixture_density_is_a_sum_of_gaussians():
    colours = RNG(4).normal(size=(50, 3)) * 20
    mixture = Mixture(colours, np.eye(3)[np.arange(50) % 3])
    points = RNG(5).normal(size=(20, 3)) * 20
    expected = sum(
        w * multivariate_normal(m, c).pdf(points)
        for w, m, c in zip(mixture.weights, mixture.means, mixture.covariances)
    )
    np.testing.assert_allclose(mixture.density(points), expected, rtol=1e-4)
    assert mixture.weights.sum() == pytest.approx(1)


def test_a_fit_has_the_mean_and_the_covariance_of_its_shares_with_a_weak_prior():
    rng = RNG(15)
    colours, shares = rng.normal(size=(400, 3)) * (10, 20, 5) + (60, 10, -20), rng.dirichlet((1, 1, 1), 400)
    mixture = Mixture(colours, shares)
    for k, owned in enumerate(shares.sum(axis=0)):
        scatter = owned * np.cov(colours.T, aweights=shares[:, k], ddof=0)
        widened = (scatter + PRIOR_PIXELS * PRIOR_SPREAD**2 * np.eye(3)) / (owned + PRIOR_PIXELS) + NOISE**2 * np.eye(3)
        np.testing.assert_allclose(mixture.weights[k], owned / 400, rtol=1e-6)
        np.testing.assert_allclose(mixture.means[k], np.average(colours, axis=0, weights=shares[:, k]), rtol=1e-6)
        np.testing.assert_allclose(mixture.covariances[k], widened, rtol=1e-6, atol=1e-6)


def test_one_step_of_expectation_maximization():
    rng = RNG(12)
    colours = (rng.normal(size=(1300, 3)) * 20 + 40).astype(np.float32)
    mixture = Mixture(colours, np.eye(4)[rng.integers(0, 4, 1300)])
    mixture.means += rng.normal(size=(4, 3)) * 20
    each = np.stack([
        w * multivariate_normal(m, c).pdf(colours)
        for w, m, c in zip(mixture.weights, mixture.means, mixture.covariances)
    ])  # fmt: skip
    moments = np.zeros((4, 10))
    shared_moments(colours, mixture.coefficients().astype(np.float32), moments)
    expected = Mixture(colours, (each / each.sum(axis=0)).T)
    after = Mixture.from_moments(moments)
    np.testing.assert_allclose(after.weights, expected.weights, rtol=1e-3)
    np.testing.assert_allclose(after.means, expected.means, rtol=1e-3)
    np.testing.assert_allclose(after.covariances, expected.covariances, rtol=1e-2, atol=0.1)


def test_a_colour_far_from_all_components_belongs_to_the_nearest():
    """Both densities there are less than the smallest number that a float holds."""
    owned = np.repeat(np.eye(2), 500, axis=0)
    mixture = Mixture(owned @ np.array([[10.0, 0, 0], [30.0, 0, 0]]), owned)
    moments = np.zeros((2, 10))
    shared_moments(np.array([[90.0, 20, 20]], np.float32), mixture.coefficients().astype(np.float32), moments)
    np.testing.assert_allclose(moments[:, 0], [0, 1], atol=1e-6)


def test_a_centre_that_loses_all_its_colours_stays_where_it_is():
    colours, labels = np.array([[50.0, 0, 0], [54.0, 0, 0]]), np.empty(2, np.intp)
    centres = next_centres(colours, np.array([[51.0, 0, 0], [80.0, 40, 0]]), labels)
    assert labels.tolist() == [0, 0] and centres.tolist() == [[52, 0, 0], [80, 40, 0]]


def test_mixture_finds_two_clusters():
    rng = RNG(6)
    centres = np.array([[30.0, 0, 0], [70.0, 40, -20]])
    colours = np.concatenate([rng.normal(centre, 3, (n, 3)) for centre, n in zip(centres, (900, 300))])
    mixture = fit_mixture(colours, np.arange(1200), 2, rng.random(1200))
    order = np.argsort(mixture.means[:, 0])
    np.testing.assert_allclose(mixture.means[order], centres, atol=0.6)
    np.testing.assert_allclose(mixture.weights[order], [0.75, 0.25], atol=0.02)


def test_mixture_finds_a_narrow_heap_inside_a_wide_one():
    """k-means, which it begins with, parts the two halfway; expectation maximization finds how wide each is."""
    rng = RNG(13)
    heaps = [rng.normal(centre, width, (1500, 3)) for centre, width in (((40, 0, 0), 3), ((60, 10, 0), 15))]
    mixture = fit_mixture(np.concatenate(heaps), np.arange(3000), 2, rng.random(3000))
    widths = np.sqrt(np.trace(mixture.covariances, axis1=1, axis2=2) / 3)
    np.testing.assert_allclose(sorted(widths), [np.hypot(3, NOISE), 15], rtol=0.08)
    np.testing.assert_allclose(mixture.weights, 0.5, atol=0.04)


def test_of_many_pixels_all_parts_are_learned_from():
    colours = np.repeat([[20.0, 0, 0], [80.0, 0, 0]], 6000, axis=0)  # the strokes' upper half dark, the lower one light
    mixture = fit_mixture(colours, np.arange(12_000), 2, RNG(14).random(12_000))
    np.testing.assert_allclose(mixture.weights, 0.5, atol=0.03)


def test_centres_are_drawn_as_kmeans_plus_plus_draws_them():
    colours = np.array([[0.0, 0, 0], [1, 0, 0], [3, 0, 0]])
    pairs = np.zeros((3, 3))
    for chance in RNG(10).random((20_000, 3)):
        first, second = seed_centres(colours, 2, chance)[:, 0].astype(int)
        pairs[[0, 1, 1, 2][first], [0, 1, 1, 2][second]] += 1
    squared = ((colours[:, None] - colours) ** 2).sum(axis=2)
    np.testing.assert_allclose(pairs / pairs.sum(), squared / squared.sum(axis=1, keepdims=True) / 3, atol=0.012)


def test_a_few_pixels_more_move_a_mixture_little():
    rng = RNG(11)
    colours = np.concatenate(
        [rng.normal(centre, 8, (3000, 3)) for centre in ([20, 0, 0], [50, 40, -20], [80, -30, 30])]
    )
    chance, every = rng.random(9000), np.arange(9000)
    before, after = (fit_mixture(colours, places, 3, chance).density(colours) for places in (every, every[:-60]))
    assert np.abs(np.log(after / before)).mean() < 0.03


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_mixture_of_a_handful_of_equal_pixels(count):
    mixture = fit_mixture(np.full((count, 3), 12.0, np.float32), np.arange(count), 5, RNG(0).random(count))
    assert len(mixture.weights) == 1 and np.isfinite(mixture.covariances).all()
    assert np.linalg.eigvalsh(mixture.covariances[0]).min() >= NOISE**2
    near, far = mixture.density(np.array([[12.0, 12, 12], [60.0, 12, 12]]))
    assert near > far


def test_histogram_is_a_density():
    histogram = Histogram(RNG(7).normal([50, 10, -10], 8, (500, 3)).astype(np.float32))
    assert histogram.cells.sum() * 6.0**3 == pytest.approx(1)
    near, far = histogram.density(np.array([[50, 10, -10], [5, -100, 100]], np.float32))
    assert near > 6e-6 and 0 <= far < near / 100
    one = Histogram(np.full((10, 3), (50, 2, 2), np.float32))
    there, beside, beyond = one.density(np.array([[50, 2, 2], [56, 2, 2], [62, 2, 2]], np.float32))
    assert (beside / there, beyond / there) == pytest.approx((np.exp(-1 / 2), np.exp(-4 / 2)), rel=1e-3)  # by bins of 6


@pytest.mark.parametrize("model", ["mixture", "histogram"])
def test_likelihoods_prefer_their_own_strokes_and_leave_strange_colours_open(model):
    colours = np.zeros((6, 9, 3), np.float32)
    colours[:, :3], colours[:, 3:6], colours[:, 6:] = (20, 0, 0), (80, 30, 0), (50, -100, 100)
    scribbles = np.zeros((6, 9), np.uint8)
    scribbles[:3, 0], scribbles[:3, 3] = 1, 2
    logs = colour_log_likelihoods(colours, scribbles, 2, model, 5, RNG(0))
    assert logs.shape == (2, 6, 9) and logs.dtype == np.float32
    assert (logs[0, :, :3] > logs[1, :, :3] + 3).all() and (logs[1, :, 3:6] > logs[0, :, 3:6] + 3).all()
    np.testing.assert_allclose(logs[:, :, 6:], np.log(OUTLIERS / GAMUT), atol=1e-3)
    if model == "histogram":
        density = Histogram(colours[scribbles == 1]).density(colours[:1, 0])
        np.testing.assert_allclose(logs[0, 0, 0], np.log((1 - OUTLIERS) * density + OUTLIERS / GAMUT), atol=1e-3)


def test_posterior_costs_are_negative_logs_of_probabilities():
    scores = RNG(8).normal(size=(3, 4, 5)).astype(np.float32) * 30
    costs = posterior_costs(scores)
    assert (costs >= 0).all()
    np.testing.assert_allclose(np.exp(-costs).sum(axis=0), 1, rtol=1e-5)
    np.testing.assert_allclose(costs[1] - costs[0], scores[0] - scores[1], rtol=1e-4, atol=1e-4)


def test_nearness_prior_is_even_where_strokes_are_equally_far():
    scribbles = np.zeros((9, 21), np.uint8)
    scribbles[:, 0], scribbles[:, 20] = 1, 2
    prior = nearness_log_prior(scribbles, 2, 2.0)
    np.testing.assert_allclose(prior[0], prior[1][:, ::-1], atol=1e-5)
    assert (prior[0, :, :10] > prior[1, :, :10]).all()
    assert (nearness_log_prior(scribbles, 2, 0.0) == 0).all()


@pytest.mark.parametrize("edges", [0.0, 2.0])
def test_geodesic_distances_are_shortest_ways_on_the_grid(edges):
    rng = RNG(9)
    colours = (rng.random((9, 12, 1)) * 30 + np.zeros(3)).astype(np.float32)
    scribbles = np.zeros((9, 12), np.uint8)
    scribbles[1, 2], scribbles[7, 10], scribbles[0, 11] = 1, 2, 2
    lengths = step_lengths(colours, edges)
    graph = np.zeros((108, 108))
    for (dy, dx), plane in zip(energy.STEPS, lengths):
        for y in range(9):
            for x in range(12):
                if y + dy < 9 and 0 <= x + dx < 12:
                    graph[y * 12 + x, (y + dy) * 12 + x + dx] = plane[y, x]
    expected = dijkstra(graph, directed=False)
    ours = geodesic_distances(scribbles, 2, lengths)
    for label in (1, 2):
        exact = expected[np.flatnonzero(scribbles.ravel() == label)].min(axis=0).reshape(9, 12)
        assert (ours[label - 1] >= exact - 1e-3).all()
        assert (ours[label - 1] / np.maximum(exact, 1e-9) - 1)[exact > 0].mean() < 0.01
    if edges == 0:
        assert ours[0, 8, 2] == pytest.approx(7) and ours[0, 8, 9] == pytest.approx(7 * 2**0.5)
    prior = nearness_log_prior(scribbles, 2, 2.0, lengths)
    np.testing.assert_allclose(prior, -2 * np.log(ours + 0.02 * np.hypot(9, 12)), rtol=1e-4)


def test_a_lone_speck_lengthens_ways_little_and_an_edge_as_much_as_its_contrast():
    speck = np.full((9, 20, 3), 50, np.float32)
    edge = speck.copy()
    speck[4, 10], edge[:, 10:] = (80, 50, 50), (80, 50, 50)
    (across, *_), (along, *_) = step_lengths(edge, 1.0), step_lengths(speck, 1.0)
    assert across[4, :-1].sum() == pytest.approx(19 + 30, abs=0.1)
    assert along[4, 9] < 1 + 30 / 10 and np.isinf(along[:, -1]).all()


def test_texture_is_the_spread_around_a_pixel():
    flat = textures(np.full((40, 40, 3), 50, np.float32))
    assert abs(flat).max() < 1
    checks = np.indices((60, 60)).sum(axis=0) % 2 * 20.0
    rough = textures(np.stack([checks, 0 * checks, 0 * checks], axis=2).astype(np.float32))
    assert rough[30, 30, 0] == pytest.approx(20 * np.log(11), rel=0.01) and abs(rough[..., 1:]).max() < 0.5
