"""k-means step by step, and the elbow: against scikit-learn's Lloyd, the method's own result and brute force."""

import colorsys

import numpy as np
import pytest
from sklearn.cluster import KMeans

from segdemo import Engine
from segdemo.clustering import elbow as elbow_module
from segdemo.clustering.kmeans import KMeansParams, kmeans
from segdemo.errors import Cancelled, ParameterError
from segdemo.lab import lab_colours
from segdemo.lessons import colour_cloud as lesson_module
from segdemo.lessons.colour_cloud import CLOUD_POINTS, colour_cloud, elbow
from segdemo.method import Run

HUES = np.array([(220, 40, 40), (40, 200, 60), (50, 60, 210)])


def photo(height=70, width=90, noise=12):
    """Three noisy stripes of different colour."""
    rng = np.random.default_rng(0)
    stripes = HUES[np.arange(width) * 3 // width][None] + rng.normal(0, noise, (height, width, 3))
    return stripes.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def cloud():
    return colour_cloud(photo(), Run(), clusters=4, seed=3)


def features(image):
    return lab_colours(image).reshape(-1, 3).astype(np.float64)


def test_every_step_is_an_assignment_to_the_nearest_centre(cloud):
    pixels = features(cloud.image)
    for step in cloud.steps:
        squared = ((pixels[:, None] - step.centres[None]) ** 2).sum(2)
        chosen = squared[np.arange(len(pixels)), step.labels.ravel()]
        np.testing.assert_allclose(chosen, squared.min(1), atol=1e-9)
        assert step.objective == pytest.approx(squared.min(1).sum())
    objectives = [step.objective for step in cloud.steps]
    assert all(later <= earlier for earlier, later in zip(objectives, objectives[1:])) and len(objectives) > 2


def test_each_centre_goes_to_the_mean_of_its_points(cloud):
    pixels = features(cloud.image)
    for before, after in zip(cloud.steps, cloud.steps[1:]):
        if after.number == before.number + 1:
            means = [pixels[before.labels.ravel() == k].mean(0) for k in range(cloud.clusters)]
            np.testing.assert_allclose(after.centres, means, atol=1e-6)


def test_sample_and_palette_belong_to_the_photo(cloud):
    assert len(cloud.pixels) == CLOUD_POINTS == len(np.unique(cloud.pixels))
    np.testing.assert_allclose(cloud.positions, features(cloud.image)[cloud.pixels])
    last = cloud.steps[-1]
    mean = cloud.image[last.labels == 0].mean(0)
    np.testing.assert_allclose(last.palette[0], mean, atol=0.5001)
    areas = np.bincount(last.labels.ravel())
    assert (np.diff(areas) <= 0).all()
    other = colour_cloud(photo(), Run(), clusters=4, seed=4)
    np.testing.assert_array_equal(other.pixels, cloud.pixels)
    assert not np.allclose(np.sort(other.steps[0].centres, 0), np.sort(cloud.steps[0].centres, 0))


@pytest.mark.parametrize("space", ["Lab", "RGB", "HSV"])
def test_one_start_of_the_method_is_the_lesson(space):
    image = photo()
    result = kmeans(image, KMeansParams(clusters=3, restarts=1, colour_space=space), Run(seed=7))
    lesson = colour_cloud(image, Run(), clusters=3, seed=7, colour_space=space)
    np.testing.assert_array_equal(lesson.steps[-1].labels, result.labels)
    assert lesson.steps[-1].objective == pytest.approx(result.facts["objective"])
    assert lesson.steps[-1].number == result.facts["iterations"]


def test_colours_that_are_kept_serve_their_own_space_only():
    image, engine = photo(20, 30), Engine("cpu")
    for space in ("Lab", "RGB", "HSV"):
        kept, fresh = (e.teach(colour_cloud, image, clusters=3, colour_space=space) for e in (engine, Engine("cpu")))
        np.testing.assert_array_equal(kept.positions, fresh.positions)


def test_it_has_settled_unless_the_limit_ended_it(cloud, monkeypatch):
    assert cloud.has_settled
    monkeypatch.setattr(lesson_module, "MOST_ITERATIONS", 2)
    assert not colour_cloud(cloud.image, Run(), clusters=4, seed=3).has_settled


def test_the_hsv_cloud_is_the_cone_in_which_the_method_measures():
    image = photo()
    cloud = colour_cloud(image, Run(), clusters=3, colour_space="HSV")
    for pixel, (x, y, z) in list(zip(cloud.pixels, cloud.positions))[:50]:
        hue, saturation, value = colorsys.rgb_to_hsv(*image.reshape(-1, 3)[pixel] / 255)
        assert (x, y, z) == pytest.approx(
            (
                100 * value * saturation * np.cos(2 * np.pi * hue),
                100 * value * saturation * np.sin(2 * np.pi * hue),
                100 * value,
            ),
            abs=1e-3,
        )
    squared = ((cloud.positions[:, None] - cloud.steps[-1].centres) ** 2).sum(2)
    np.testing.assert_array_equal(squared.argmin(1), cloud.steps[-1].labels.ravel()[cloud.pixels])
    assert elbow(image, Run(), colour_space="HSV", most=6).suggested == 3


def test_centres_placed_by_hand_are_the_first_and_keep_their_order():
    image = photo()
    places = [(0.99, 1.0), (0.5, 0.5), (0.0, 0.0)]
    cloud = colour_cloud(image, Run(), clusters=8, places=places)
    pixels = features(image).reshape(70, 90, 3)
    np.testing.assert_allclose(cloud.steps[0].centres, [pixels[69, 89], pixels[35, 45], pixels[0, 0]])
    reference = KMeans(3, init=cloud.steps[0].centres, n_init=1, tol=0, max_iter=300).fit(pixels.reshape(-1, 3))
    np.testing.assert_allclose(cloud.steps[-1].centres, reference.cluster_centers_, atol=0.05)
    assert [int(cloud.steps[-1].labels[35, column]) for column in (80, 45, 5)] == [0, 1, 2]


@pytest.mark.parametrize(
    "wrong",
    [
        {"clusters": 1},
        {"clusters": 13},
        {"places": [(0.5, 0.5)]},
        {"places": [(0, 0), (2, 0)]},
        {"colour_space": "CMYK"},
    ],
)
def test_mistakes_are_explained(wrong):
    with pytest.raises(ParameterError):
        colour_cloud(photo(20, 20), Run(), **wrong)


def test_photos_of_few_colours():
    flat = np.full((8, 9, 3), 77, np.uint8)
    assert colour_cloud(flat, Run(), clusters=5).clusters == 1
    assert elbow(flat, Run()).suggested == 1
    flat[:4] = 200
    assert colour_cloud(flat, Run(), clusters=5).clusters == 2
    found = elbow(flat, Run())
    assert len(found.objectives) == 2 and found.objectives[1] == pytest.approx(0, abs=1e-9)
    same_twice = colour_cloud(photo(), Run(), places=[(0.5, 0.5), (0.5, 0.5)])
    assert len(np.unique(same_twice.steps[-1].labels)) == 2


def test_the_elbow_is_at_the_number_of_stripes():
    image = photo(30, 45, noise=6)
    found = elbow(image, Run(), most=8)
    assert found.suggested == 3 and len(found.labels) == len(found.palettes) == 8
    assert all(later <= earlier for earlier, later in zip(found.objectives, found.objectives[1:]))
    pixels = features(image)
    for clusters in (1, 3):
        reference = KMeans(clusters, n_init=3, random_state=0).fit(pixels)
        assert found.objectives[clusters - 1] == pytest.approx(reference.inertia_, rel=1e-3)
    assert found.labels[4].max() == 4 and found.palettes[4].shape == (5, 3)


def test_unlucky_seeds_do_not_raise_the_curve(monkeypatch):
    """From K = 4 on all seeds lie in one corner of the cloud; one centre more than the best before still helps."""
    lucky = elbow_module.seed_plus_plus
    monkeypatch.setattr(elbow_module, "seed_plus_plus", lambda f, w, k, rng: lucky(f, w, k, rng) if k < 4 else f[:k])
    objectives = elbow(photo(30, 45, noise=2), Run(), most=6).objectives
    assert all(later < earlier for earlier, later in zip(objectives, objectives[1:]))


def test_through_the_engine_and_cancelled():
    engine = Engine("cpu")
    cloud = engine.teach(colour_cloud, photo(200, 300), working_size=60, clusters=3)
    assert cloud.image.shape == (40, 60, 3)
    for lesson in (colour_cloud, elbow):
        with pytest.raises(Cancelled):
            engine.teach(lesson, photo(20, 20), is_cancelled=lambda: True)
