"""GrabCut: learns from its own cut, lowers its energy, works from a box as well as from strokes."""

import numpy as np
import pytest

from segdemo.errors import Cancelled, ScribbleError
from segdemo.graphcut.energy import STEPS, evaluate, pair_slices
from segdemo.graphcut.grabcut import Cuts, GrabCutParams, Learner, free_window, grabcut
from segdemo.graphcut.likelihood import GAMUT, OUTLIERS, Mixture
from segdemo.method import Run, get_method

MOST = -np.log(OUTLIERS / GAMUT)  # nats


def two_tone_disc(size=72):
    """A disc, left half red and right half green, on a blue-grey ground; its mask."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size]
    mask = (y - size / 2) ** 2 + (x - size / 2) ** 2 < (size / 3) ** 2
    tone = np.where((x < size / 2)[..., None], (190, 50, 40), (60, 170, 60))
    image = np.where(mask[..., None], tone, (80, 90, 120)) + rng.normal(0, 15, (size, size, 3))
    return image.clip(0, 255).astype(np.uint8), mask


def outside_of_box(size=72, margin=9):
    scribbles = np.full((size, size), 2, np.uint8)
    scribbles[margin:-margin, margin:-margin] = 0
    return scribbles


def strokes(size=72):
    scribbles = np.zeros((size, size), np.uint8)
    scribbles[size // 2, size // 3 : 2 * size // 3] = 1
    scribbles[2:5] = scribbles[-5:-2] = 2
    return scribbles


def cut(image, scribbles, **params):
    run = Run(scribbles=scribbles)
    return grabcut(image, GrabCutParams(**params), run), run


def iou(labels, mask):
    return ((labels == 1) & mask).sum() / ((labels == 1) | mask).sum()


@pytest.mark.parametrize("scribbles", [outside_of_box(), strokes()], ids=["box", "strokes"])
@pytest.mark.parametrize("neighbours", [4, 8])
def test_finds_the_disc_from_a_box_and_from_strokes(scribbles, neighbours):
    image, mask = two_tone_disc()
    result, run = cut(image, scribbles, neighbours=neighbours)
    assert iou(result.labels, mask) > 0.97
    assert (result.labels[scribbles == 2] == 0).all() and (result.labels[scribbles == 1] == 1).all()
    assert len(run.frames) == len(run.energy) == result.facts["rounds"]


@pytest.mark.parametrize("seed", range(4))
def test_energy_falls_every_round(seed):
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (8, 9, 3)).repeat(5, 0).repeat(5, 1).astype(np.uint8)
    _, run = cut(image, outside_of_box(45)[:40], iterations=15, seed=seed, smoothness=10.0)
    assert len(run.energy) >= 1 and (np.diff(run.energy) < 0).all()


def test_energy_is_the_flow():
    image, _ = two_tone_disc()
    facts = cut(image, strokes(), connected=False)[0].facts
    assert facts["energy"] == facts["maximum flow"] == pytest.approx(facts["data energy"] + facts["smoothness energy"])


def test_learning_lowers_the_cost_of_the_likeliest_components():
    rng = np.random.default_rng(1)
    colours = np.concatenate([rng.normal(c, 12, (300, 3)) for c in (20, 60, 90)]).astype(np.float32).reshape(30, 30, 3)
    labels = (np.arange(900).reshape(30, 30) % 2).astype(np.uint8)
    mixtures = [Mixture(colours[labels == k], np.eye(4)[rng.integers(0, 4 - k, 450)][:, : 4 - k]) for k in (0, 1)]
    learner = Learner(colours, mixtures)
    costs = [-m.log_components(colours.reshape(-1, 3)).max(axis=1).reshape(30, 30) for m in mixtures]
    np.testing.assert_allclose(learner.costs.reshape(2, 30, 30), np.clip(costs, 0, MOST), rtol=1e-3)
    before = np.choose(labels, np.clip(costs, 0, MOST)).sum()
    for _ in range(4):
        after = np.choose(labels, learner.learn(labels)).sum()
        assert after <= before + 0.1
        before = after


def test_components_are_learned_from_their_own_pixels():
    rng = np.random.default_rng(2)
    colours = rng.normal((50, 10, -10), 20, (20, 30, 3)).astype(np.float32)
    labels = rng.integers(0, 2, (20, 30)).astype(np.uint8)
    flat, start = (
        colours.reshape(-1, 3),
        [Mixture(colours[labels == k], np.eye(3)[rng.integers(0, 3, (labels == k).sum())]) for k in (0, 1)],
    )
    costs = Learner(colours, start).learn(labels)
    for label, mixture in enumerate(start):
        own = flat[labels.ravel() == label]
        refitted = Mixture(own, np.eye(3)[mixture.log_components(own).argmax(axis=1)])
        expected = np.clip(-refitted.log_components(flat).max(axis=1), 0, MOST)
        np.testing.assert_allclose(costs[label].ravel(), expected, rtol=1e-3, atol=1e-3)


def test_blocks_are_cut_as_pixels_that_must_agree():
    rng = np.random.default_rng(3)
    weights = [np.zeros((520, 330), np.int64) for _ in STEPS]
    for step, plane in zip(STEPS, weights):
        first, _ = pair_slices(step)
        plane[first] = rng.integers(0, 9, plane[first].shape)
    data = rng.integers(0, 60, (2, 520, 330))
    cuts = Cuts(np.zeros((520, 330), np.uint8), weights)
    energy, labels = cuts.of_blocks(data, lambda flow: None)
    np.testing.assert_array_equal(labels, labels[::2, ::2].repeat(2, 0).repeat(2, 1))
    assert energy == sum(evaluate(labels, data, weights)[:2])
    blocks = labels[::2, ::2]
    assert 0.2 < blocks.mean() < 0.8
    for y, x in rng.integers(0, 160, (60, 2)):  # changing any one block is no better
        other = labels.copy()
        other[2 * y : 2 * y + 2, 2 * x : 2 * x + 2] ^= 1
        assert sum(evaluate(other, data, weights)[:2]) >= energy
    exact, pixels = cuts.of_pixels(data, lambda flow: None)
    assert exact == sum(evaluate(pixels, data, weights)[:2]) < energy


def test_outside_the_window_all_is_background():
    seeds = np.full((20, 30), 1, np.uint8)
    seeds[5:9, 0:7] = 0
    seeds[6, 3] = 2
    assert free_window(seeds) == (slice(4, 10), slice(0, 8))
    image, _ = two_tone_disc()
    facts = cut(image, outside_of_box(margin=20), connected=False)[0].facts
    assert facts["energy"] == facts["maximum flow"]


def test_the_probability_picture_is_yellow_on_the_object():
    image, mask = two_tone_disc()
    probability, of_object, of_background, _ = cut(image, strokes())[0].pictures
    levels = [
        (p.image[mask][:, :2].mean(), p.image[~mask][:, :2].mean()) for p in (probability, of_background, of_object)
    ]
    assert levels[0][0] > levels[0][1] + 60 and levels[1][0] > levels[1][1] + 60 and levels[2][0] < levels[2][1] - 60


def test_where_all_looks_the_same_the_nearer_stroke_decides_in_every_round():
    image = (120 + np.random.default_rng(0).normal(0, 6, (40, 60, 3))).clip(0, 255).astype(np.uint8)
    scribbles = np.zeros((40, 60), np.uint8)
    scribbles[10:30, 5], scribbles[10:30, 54] = 1, 2
    labels = cut(image, scribbles, smoothness=2.0, connected=False, components=2)[0].labels
    assert labels[:, :25].all() and not labels[:, 35:].any()


def test_missing_background_and_nothing_left_free():
    image, _ = two_tone_disc()
    with pytest.raises(ScribbleError, match="no scribbles"):
        cut(image, None)
    with pytest.raises(ScribbleError, match="needs the background"):
        cut(image, np.where(strokes() == 1, 1, 0).astype(np.uint8))
    with pytest.raises(ScribbleError, match="leave the object free"):
        cut(image, np.full((72, 72), 2, np.uint8))


def test_a_box_around_nothing_says_so():
    image = np.full((40, 40, 3), 100, np.uint8)
    image += np.random.default_rng(0).integers(0, 9, (40, 40, 1)).astype(np.uint8)
    result, _ = cut(image, outside_of_box(40))
    assert (result.labels == 1).any() or "Nothing of the object is left" in result.notices[0]


@pytest.mark.parametrize("size", [(2, 2), (2, 60), (60, 2)])
def test_smallest_and_thinnest_photos(size):
    image = np.random.default_rng(1).integers(0, 256, (*size, 3)).astype(np.uint8)
    scribbles = np.zeros(size, np.uint8)
    scribbles[0, 0], scribbles[-1, -1] = 1, 2
    labels = cut(image, scribbles)[0].labels
    assert labels.shape == size and labels[0, 0] == 1 and labels[-1, -1] == 0


def test_same_seed_same_result_and_can_be_stopped():
    image, _ = two_tone_disc()
    np.testing.assert_array_equal(cut(image, strokes(), seed=3)[0].labels, cut(image, strokes(), seed=3)[0].labels)
    calls = []
    run = Run(scribbles=strokes(), is_cancelled=lambda: len(calls) >= 3, on_step=lambda f, text: calls.append(text))
    with pytest.raises(Cancelled):
        grabcut(image, GrabCutParams(), run)
    assert get_method("grabcut").needs_scribbles


@pytest.mark.parametrize("seed_cost", [0.0, 0.1, 1.0, 5.0])
@pytest.mark.parametrize("kind", ["flat", "noise", "disc"])
def test_overruled_or_lonely_seeds_end_in_words_not_in_nan(kind, seed_cost):
    """Soft seeds may leave one label without a pixel, which has then nothing to be learned from."""
    size = 96
    rng = np.random.default_rng(1)
    image = two_tone_disc(size)[0] if kind == "disc" else np.full((size, size, 3), 120, np.uint8)
    if kind == "noise":
        image = (image + rng.normal(0, 6, image.shape)).clip(0, 255).astype(np.uint8)
    lonely, both = np.zeros((2, size, size), np.uint8)
    lonely[3, 3] = 2
    both[10, 10:20], both[-10, 10:20] = 1, 2
    for scribbles in (lonely, both):
        result, _ = cut(image, scribbles, seed_cost=seed_cost, smoothness=200.0)
        assert np.isin(result.labels, (0, 1)).all()
        assert bool(result.notices) == (result.labels.min() == result.labels.max())
        if result.notices and scribbles is both:
            assert "seed cost" in result.notices[0] and "draw" not in result.notices[0]


@pytest.mark.parametrize("seed_cost", [0.05, 1.0])
def test_soft_seeds_may_be_overruled_outside_the_box_too(seed_cost):
    """The cuts reach over the whole photo, or the flow would not be the energy of the labels shown."""
    image, disc = two_tone_disc(96)
    scribbles = outside_of_box(96, 48 - int(np.sqrt(disc.sum() / np.pi) * 0.7))
    assert (disc & (scribbles == 2)).sum() > 300
    result, run = cut(image, scribbles, seed_cost=seed_cost, connected=False)
    np.testing.assert_array_equal(result.labels == 1, disc)
    assert result.facts["energy"] == result.facts["maximum flow"] == pytest.approx(run.energy[-1])


def test_a_lonely_background_pixel_on_a_large_photo():
    rng = np.random.default_rng(1)
    image = (120 + rng.normal(0, 6, (576, 768, 3))).clip(0, 255).astype(np.uint8)
    scribbles = np.zeros(image.shape[:2], np.uint8)
    scribbles[3, 3] = 2
    result, _ = cut(image, scribbles)
    assert result.labels[3, 3] == 0  # blocks of pixels may outvote it, the last cut does not


def test_parts_removed_are_a_frame_and_a_fact_of_their_own():
    """Two discs alike, one stroke: the cut takes both, and the other one goes as an island."""
    image, mask = two_tone_disc(60)
    image, scribbles = np.tile(image, (1, 2, 1)), np.tile(strokes(60), (1, 2))
    scribbles[10:50, 70:110] = 0
    result, run = cut(image, scribbles, nearness_weight=0.0)
    assert result.facts["pixels in parts removed"] > 500 and not result.labels[:, 60:].any()
    np.testing.assert_array_equal(run.frames[-1].labels, result.labels)
    assert result.facts["energy"] == result.facts["maximum flow"] == pytest.approx(run.energy[-2])
    assert result.facts["energy after parts were removed"] == run.energy[-1] >= run.energy[-2]


@pytest.mark.parametrize("sigma", [1e-200, 1e-20, 1e-5])
@pytest.mark.parametrize("name", ["graphcut", "grabcut", "expansion"])
def test_no_sigma_is_too_small(name, sigma):
    image, _ = two_tone_disc(40)
    method = get_method(name)
    labels = method.function(image, method.params(sigma=sigma), Run(scribbles=strokes(40))).labels
    assert (labels[strokes(40) == 1] != labels[strokes(40) == 2][0]).all()
