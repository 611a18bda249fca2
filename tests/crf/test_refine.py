"""Refinement of a network's segmentation: replay, maps, energy, caching, cancelling."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage import data, transform

from segdemo.crf.refine import ALL_GONE, RefinementParams, refine
from segdemo.errors import Cancelled, ParameterError
from segdemo.labels import VOC21
from segdemo.method import Run
from segdemo.segmentation import Picture, Segmentation


def scene(scale=0.25):
    image = data.astronaut()
    size = round(image.shape[0] * scale), round(image.shape[1] * scale * 1.2)
    return (transform.resize(image, size, anti_aliasing=True) * 255).round().astype(np.uint8)


def fake(image, labels=(0, 15, 2), seed=0):
    rng = np.random.default_rng(seed)
    scores = np.full((21, *image.shape[:2]), -8.0)
    for label in labels:
        field = gaussian_filter(rng.standard_normal(image.shape[:2]), 8, mode="wrap")
        scores[label] = 3 * field / field.std() + rng.normal(0, 0.5, field.shape)
    p = np.exp(scores - scores.max(0))
    p = (p / p.sum(0)).astype(np.float32)
    picture = Picture("score map", np.zeros((4, 4, 3), np.uint8))
    names, facts = list(VOC21.names), {"parameters": 3}
    return Segmentation(p.argmax(0).astype(np.uint8), names, VOC21.palette, p, pictures=[picture], facts=facts)


def test_result_and_replay():
    image = scene()
    network = fake(image)
    kept = network.labels.copy(), network.working_scores.copy()
    run = Run()
    result = refine(image, network, RefinementParams(crf=True, crf_iterations=4), run)
    assert np.array_equal(network.labels, kept[0]) and np.array_equal(network.working_scores, kept[1])
    assert result.labels.shape == image.shape[:2] and result.labels.dtype == np.uint8
    assert np.array_equal(result.labels, result.working_scores.argmax(0))
    assert np.allclose(result.working_scores.sum(0), 1, atol=1e-5)
    assert result.names == network.names and result.facts["parameters"] == 3
    changed = 100 * np.mean(result.labels != network.labels)
    assert result.facts["pixels changed by the CRF"] == f"{round(changed, 2)} %"
    assert changed > 1
    assert len(run.frames) == len(run.energy) == 5
    assert [frame.step for frame in run.frames] == [0, 1, 2, 3, 4]
    assert np.array_equal(run.frames[0].labels, network.labels)
    assert np.array_equal(run.frames[-1].labels, result.labels)
    assert [frame.caption for frame in run.frames[::4]] == [
        "the network's labels", f"mean field 4: {changed:.1f} % of labels changed"
    ]  # fmt: skip
    assert np.all(np.diff(run.energy) < 1e-4)
    assert "free energy" in result.energy_name
    assert [picture.title for picture in result.pictures][0] == "score map" and len(result.pictures) == 3
    assert {"CRF lattices", "CRF mean field"} <= set(run.timings)


def test_an_object_that_the_crf_gives_away_is_spoken_of():
    image = np.full((40, 60, 3), 90, np.uint8)
    scores = np.full((2, 40, 60), 0.5, np.float32)
    scores[:] = np.array([0.9, 0.1])[:, None, None]
    scores[:, 20, 30] = 0.4, 0.6
    network = Segmentation(scores.argmax(0).astype(np.uint8), ["background", "cat"], VOC21.palette[:2], scores)
    network = replace(network, notices=["said before"])
    result = refine(image, network, RefinementParams(), Run())
    assert network.labels.any() and not result.labels.any()
    assert result.notices == ["said before", ALL_GONE.format("background")] and network.notices == ["said before"]
    assert refine(image, network, RefinementParams(crf_spatial_weight=0, crf_bilateral_weight=0), Run()).notices == [
        "said before"
    ]


def test_belief_maps_are_small_and_few():
    image = np.random.default_rng(0).integers(0, 255, (40, 800, 3), np.uint8)
    network = fake(image, labels=tuple(range(9)))
    run = Run()
    refine(image, network, RefinementParams(crf_iterations=1), run)
    for frame in run.frames:
        assert 2 <= len(frame.maps) <= 8
        for title, values in frame.maps.items():
            name, kind = title.split(": ")
            assert name in network.names and kind in ("belief", "score")
            assert values.shape == (19, 384) and values.min() >= 0 and values.max() <= 1 + 1e-6
    few = np.unique(network.labels[:, :4])[-1]  # a label that has little of the photo is left out
    scores = np.full_like(network.working_scores, 0.001)
    scores[0], scores[few, :, :4] = 0.5, 0.9
    scores /= scores.sum(0)
    run_of_few, params = Run(), RefinementParams(crf_iterations=1, crf_spatial_weight=0, crf_bilateral_weight=0)
    refine(image, replace(network, working_scores=scores, labels=scores.argmax(0).astype(np.uint8)), params, run_of_few)
    assert (
        few > 0
        and [list(frame.maps) for frame in run_of_few.frames] == [["background: belief", "background: score"]] * 2
    )
    shares = network.shares
    assert list(run.frames[0].maps)[0] == network.names[int(shares.argmax())] + ": belief"


def test_pictures_show_the_largest_thing_before_and_after():
    """A noisy person, a smaller bicycle: background takes most of the photo, but says nothing of what is found."""
    image = np.full((40, 60, 3), 200, np.uint8)
    image[10:30, 20:40], image[34:38, 4:12] = 40, (90, 160, 60)
    network = fake(image, labels=(0,))
    scores = np.full((21, 40, 60), 0.001, np.float32)
    scores[0], scores[15, 10:30, 20:40], scores[2, 34:38, 4:12] = 0.9, 4.0, 4.0
    scores[15, 18:22, 28:32] = 0.3  # a hole in the network's person
    scores /= scores.sum(0)
    network = replace(network, labels=scores.argmax(0).astype(np.uint8), working_scores=scores, pictures=[])
    before, after = refine(image, network, RefinementParams(), Run()).pictures
    assert before.title == "person: the network's belief" and after.title == "person: belief after the CRF"
    hole, beside = (slice(19, 21), slice(29, 31)), (slice(2, 8), slice(50, 58))
    levels = [[picture.image[where][..., :2].mean() for where in (hole, beside)] for picture in (before, after)]
    assert levels[1][0] > levels[0][0] + 60 and levels[0][1] < 60 > levels[1][1]


def test_score_map_is_what_softmax_turns_into_the_belief():
    image = np.random.default_rng(0).integers(0, 255, (20, 30, 3), np.uint8)
    run = Run()
    refine(image, fake(image, labels=(0, 1, 2)), RefinementParams(crf_iterations=1), run)
    for frame in run.frames:
        for title, score in frame.maps.items():
            if title.endswith(": score"):
                belief = frame.maps[title.replace(": score", ": belief")]
                inside = (score > 0.01) & (score < 0.99)
                odds = (score - 0.5) * 2 * 8
                np.testing.assert_allclose(1 / (1 + np.exp(-odds))[inside], belief[inside], atol=1e-4)


def test_lattices_are_built_once_per_photo():
    image, store, builds = scene(0.1), {}, []

    def cache(key, build):
        if key not in store:
            builds.append(key)
            store[key] = build()
        return store[key]

    for seed in (0, 1):
        refine(image, fake(image, seed=seed), RefinementParams(crf_bilateral_weight=5 + seed), Run(cache_get=cache))
    assert len(builds) == 1
    for number, width in enumerate(("bilateral_sigma_rgb", "bilateral_sigma_xy", "spatial_sigma"), start=2):
        refine(image, fake(image), RefinementParams(**{f"crf_{width}": 20}), Run(cache_get=cache))
        assert len(builds) == number


def test_stops_between_iterations():
    image, seen = scene(0.1), []
    run = Run(on_step=lambda fraction, text: seen.append(fraction), is_cancelled=lambda: len(seen) >= 4)
    with pytest.raises(Cancelled):
        refine(image, fake(image), RefinementParams(crf_iterations=20), run)
    assert len(seen) == 4 and seen == sorted(seen)


def test_progress_names_each_iteration_and_ends_at_the_end():
    image, seen = scene(0.1), []
    run = Run(on_step=lambda fraction, text: seen.append((fraction, text)))
    refine(image, fake(image), RefinementParams(crf_iterations=2), run)
    assert [fraction for fraction, _ in seen] == pytest.approx([0.4, 0.4, 0.7, 1])
    assert [text for _, text in seen[1:]] == [f"CRF: mean field {k} of 2" for k in range(3)]


def test_without_replay_the_result_is_the_same():
    image = scene(0.1)
    silent = Run(keep_frames=False)
    result = refine(image, fake(image), RefinementParams(), silent)
    assert not silent.frames and not silent.energy
    assert np.array_equal(result.labels, refine(image, fake(image), RefinementParams(), Run()).labels)


def test_frames_without_energy_before_it_keep_both_lists_aligned():
    image, run = scene(0.1), Run()
    run.frame("score map", fake(image).labels)
    refine(image, fake(image), RefinementParams(crf_iterations=2), run)
    assert [frame.step for frame in run.frames] == [1, 2, 3, 4] and not run.energy


def test_smallest_image():
    image = np.array([[[0, 0, 0], [255, 0, 0]], [[0, 0, 0], [255, 0, 0]]], np.uint8)
    result = refine(image, fake(image), RefinementParams(), Run())
    assert result.labels.shape == (2, 2) and np.isfinite(result.working_scores).all()


def test_background_only():
    image = scene(0.1)
    network = fake(image, labels=(0,))
    result = refine(
        image, network, RefinementParams(crf_spatial_weight=3, crf_spatial_sigma=3, crf_bilateral_sigma_rgb=10), Run()
    )
    assert (result.labels == 0).all() and len(result.pictures) == 3


def test_needs_scores():
    image = scene(0.1)
    network = fake(image)
    network.working_scores = None
    with pytest.raises(ParameterError, match="choose a network"):
        refine(image, network, RefinementParams(), Run())


def test_parameters_have_bounds():
    with pytest.raises(ParameterError, match="crf_iterations"):
        RefinementParams.parse({"crf_iterations": 21})
    with pytest.raises(ParameterError, match="crf_bilateral_sigma_rgb"):
        RefinementParams.parse({"crf_bilateral_sigma_rgb": 0})
