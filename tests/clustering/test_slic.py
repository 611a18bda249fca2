import numpy as np
import pytest
import skimage.data
import torch
from scipy.ndimage import binary_dilation, gaussian_filter
from skimage.measure import label as components_of
from skimage.segmentation import slic as skimage_slic

from segdemo.clustering.connectivity import enforce_connectivity
from segdemo.clustering.slic import SlicParams, seed_cells, seed_grid, slic, slic_iterations, slic_superpixels
from segdemo.errors import Cancelled
from segdemo.lab import lab_colours
from segdemo.method import Run


def edges(labels):
    edge = np.zeros(labels.shape, bool)
    edge[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    edge[:-1] |= labels[:-1] != labels[1:]
    return edge


def boundary_recall(truth, labels, tolerance=2):
    """The part of the true boundary within ``tolerance`` pixels of a found one."""
    near = binary_dilation(edges(labels), np.ones((2 * tolerance + 1,) * 2))
    return near[edges(truth)].mean()


def voronoi_picture(shape=(160, 200), regions=25, seed=0):
    rng = np.random.default_rng(seed)
    places = rng.random((regions, 2)) * shape
    grid = np.indices(shape).reshape(2, -1).T
    truth = ((grid[:, None] - places) ** 2).sum(2).argmin(1).reshape(shape)
    image = rng.integers(0, 256, (regions, 3))[truth] + rng.normal(0, 12, (*shape, 3))
    return truth, np.clip(gaussian_filter(image, (0.7, 0.7, 0)), 0, 255).astype(np.uint8)


def assert_connected(labels):
    """Labels are 0..n-1 and each is one 4-connected region."""
    count = labels.max() + 1
    assert np.array_equal(np.unique(labels), np.arange(count))
    assert components_of(labels, background=-1, connectivity=1).max() == count


@pytest.mark.parametrize("count, compactness", [(30, 10), (150, 10), (150, 1), (600, 40)])
def test_superpixels_are_connected_and_about_as_many_as_asked(count, compactness):
    lab = lab_colours(skimage.data.astronaut()[::3, ::3])
    labels = slic_superpixels(lab, count, compactness)
    assert_connected(labels)
    assert 0.6 * count <= labels.max() + 1 <= 1.5 * count
    assert np.bincount(labels.ravel()).min() >= labels.size / count / 4


def test_seeds_leave_edges_and_noise():
    """A line and a speck under two seeds: each goes to the least gradient of the pixels around it."""
    lab = np.full((40, 40, 3), 50, np.float32)
    lab[:, 20:] = 60  # the gradient is that of columns 19 and 20
    row, column, *_ = seed_cells(40, 40, 4)
    assert list(zip(row, column)) == [(10, 10), (10, 30), (30, 10), (30, 30)]
    flat = seed_grid(lab, 4)[0]
    np.testing.assert_array_equal(flat[:, 3:], np.column_stack([row, column]))  # nothing to leave
    lab = np.roll(lab, -10, axis=1)  # the edge lies at columns 9 and 10 now
    lab[30, 31] = 90
    centres = seed_grid(lab, 4)[0]
    np.testing.assert_array_equal(centres[[0, 2], 4], 11)
    assert (np.abs(centres[:, 3:] - flat[:, 3:]) <= 1).all()
    y, x = centres[3, 3:].astype(int)
    assert (lab[y - 1, x] == lab[y + 1, x]).all() and (lab[y, x - 1] == lab[y, x + 1]).all()
    np.testing.assert_array_equal(centres[:, :3], lab[tuple(centres[:, 3:].astype(int).T)])


def test_boundary_recall_like_scikit_image():
    truth, image = voronoi_picture()
    ours = slic_superpixels(lab_colours(image), 150, 10)
    peer = skimage_slic(image, 200, compactness=10, start_label=0)  # gives fewer than asked
    assert ours.max() <= 1.1 * peer.max()
    assert boundary_recall(truth, ours) >= boundary_recall(truth, peer) - 0.01
    assert boundary_recall(truth, ours) > 0.97


def test_objective_is_the_mean_distance_and_never_rises():
    lab = lab_colours(skimage.data.chelsea()[::3, ::3])
    steps = list(slic_iterations(lab, 60, 10.0, 15))
    objectives = [step.objective for step in steps]
    assert np.all(np.diff(objectives) <= 1e-6 * objectives[0])
    assert steps[-1].movement < steps[0].movement / 4
    assert not np.array_equal(steps[0].labels, steps[-1].labels)


def test_assignment_is_the_nearest_centre_when_the_window_covers_the_picture():
    rng = np.random.default_rng(0)
    lab = rng.random((9, 9, 3), np.float32) * 50
    first, second = list(slic_iterations(lab, 4, 10.0, 2))
    places = np.concatenate([lab, np.indices((9, 9)).transpose(1, 2, 0) * (10 / 5)], axis=2)  # S = ⌈9 / 2⌉
    centres = np.stack([places[first.labels == k].mean(0) for k in range(4)])
    scale = np.array([1, 1, 1, 5 / 4.5, 5 / 4.5])
    squared = (((places[:, :, None] - centres) * scale) ** 2).sum(3)
    window = np.abs(np.indices((9, 9)).transpose(1, 2, 0)[:, :, None] - centres[:, 3:] / 2).max(3) <= 4.5
    reachable = np.where(window | (first.labels[..., None] == np.arange(4)), squared, np.inf)
    assert np.array_equal(second.labels, reachable.argmin(2))
    assert second.objective == pytest.approx(reachable.min(2).mean(), rel=1e-5)


def test_adaptive_divides_by_the_largest_colour_distance_seen():
    rng = np.random.default_rng(1)
    lab = rng.random((9, 9, 3), np.float32) * 50
    first, second, third = list(slic_iterations(lab, 4, 10.0, 3, adaptive=True))
    places, spacing, widest = np.indices((9, 9)).transpose(1, 2, 0), 4.5, np.ones(4)
    seeds = seed_grid(lab, 4)[0]
    for before, after, known in ((None, first, np.full(4, 100.0)), (first, second, None), (second, third, None)):
        centres = seeds if before is None else means(lab, places, before.labels)
        colour = ((lab[:, :, None] - centres[:, :3]) ** 2).sum(3)
        squared = colour / (widest if known is None else known)
        squared = squared + ((places[:, :, None] - centres[:, 3:]) ** 2).sum(3) / spacing**2
        window = np.abs(places[:, :, None] - centres[:, 3:]).max(3) <= spacing
        had = seed_grid(lab, 4)[1] if before is None else before.labels
        reachable = np.where(window | (had[..., None] == np.arange(4)), squared, np.inf)
        assert np.array_equal(after.labels, reachable.argmin(2))
        assert after.objective == pytest.approx(reachable.min(2).mean(), rel=1e-5)
        seen = [colour[after.labels == k, k].max() for k in range(4)]
        widest = np.maximum(widest, seen)


def means(lab, places, labels):
    values = np.concatenate([lab, places], axis=2)
    return np.stack([values[labels == k].mean(0) for k in range(4)])


def test_adaptive_superpixels_are_alike_in_smooth_and_textured_parts():
    """Noise of two strengths: with one compactness the strong half is ragged, each with its own both are alike."""
    rng = np.random.default_rng(0)
    lab = np.concatenate([rng.normal(50, 0.5, (80, 80, 3)), rng.normal(50, 8, (80, 80, 3))], 1).astype(np.float32)

    def raggedness(adaptive):
        line = edges(slic_superpixels(lab, 64, adaptive=adaptive))
        return line[:, 80:].mean() / line[:, :80].mean()

    assert raggedness(False) > 1.3 and 0.9 < raggedness(True) < 1.1


def test_results_do_not_depend_on_the_number_of_threads():
    lab, threads = lab_colours(skimage.data.coffee()[::2, ::2]), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        alone = slic_superpixels(lab, 120)
    finally:
        torch.set_num_threads(threads)
    assert np.array_equal(slic_superpixels(lab, 120), alone)


def test_small_pieces_join_the_neighbour_with_the_longest_border():
    labels = np.zeros((8, 12), int)
    labels[:, 6:] = 1
    labels[4, 5] = 1  # belongs to the right half already
    labels[2, 2] = 1  # an island in the left half
    labels[0:2, 5] = 7  # touches left with 3 edges, right with 2
    joined = enforce_connectivity(labels, 5)
    expected = np.zeros((8, 12), int)
    expected[:, 6:] = 1
    expected[4, 5] = 1
    assert np.array_equal(joined, expected)


def test_connectivity_of_pure_noise():
    labels = np.random.default_rng(0).integers(0, 9, (60, 70))
    joined = enforce_connectivity(labels, 20)
    assert_connected(joined)
    assert np.bincount(joined.ravel()).min() >= 20


def test_a_constant_picture_gives_the_grid():
    labels = slic_superpixels(lab_colours(np.full((60, 80, 3), 90, np.uint8)), 48)
    assert np.bincount(labels.ravel()).tolist() == [100] * 48


def test_a_picture_of_noise_still_gives_about_as_many():
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3), dtype=np.uint8)
    labels = slic_superpixels(lab_colours(noise), 64)
    assert_connected(labels)
    assert 40 <= labels.max() + 1 <= 100


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (2, 300), (300, 2), (3, 5), (64, 64)])
@pytest.mark.parametrize("kind", ["constant", "noise"])
@pytest.mark.parametrize("adaptive", [False, True])
def test_any_size(shape, kind, adaptive):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    image = noise if kind == "noise" else np.full_like(noise, 128)
    run = Run()
    result = slic(image, SlicParams(adaptive=adaptive), run)
    assert result.labels.shape == shape
    assert np.all(np.isfinite(run.energy))
    assert_connected(result.labels)
    assert len(result.names) == len(result.palette) == result.labels.max() + 1
    for frame in run.frames:
        assert 0 <= frame.labels.min() and frame.labels.max() < len(result.names)


def test_replay_ends_with_the_result():
    image = skimage.data.coffee()[::2, ::2].copy()
    run = Run()
    result = slic(image, SlicParams(superpixels=100, iterations=7), run)
    assert len(run.frames) == len(run.energy) == 8  # seven iterations, then connectivity
    assert [frame.is_after for frame in run.frames] == [False] * 7 + [True]
    assert np.mean(run.frames[-2].labels == result.labels) > 0.8
    np.testing.assert_array_equal(run.frames[-1].labels, result.labels)
    assert np.array_equal(result.palette[3], image[result.labels == 3].mean(0).round())
    rises = run.energy[-1] > run.energy[-2]  # the assignment before was to the nearest centres
    assert f"mean D² {'rises' if rises else 'falls'} to" in run.frames[-1].caption


@pytest.mark.parametrize("adaptive", [False, True])
def test_the_last_objective_is_that_of_the_result(adaptive):
    image, run = skimage.data.coffee()[::3, ::3].copy(), Run()
    result = slic(image, SlicParams(superpixels=80, compactness=3.0, adaptive=adaptive), run)
    places = np.indices(result.labels.shape).transpose(1, 2, 0)
    colour, place = (
        within(values, result.labels) for values in (lab_colours(image).astype(float), places.astype(float))
    )
    spacing = seed_cells(*result.labels.shape, 80)[-1]
    assert result.facts["seed spacing S in pixels"] == round(spacing, 1)
    if adaptive:
        *_, last = slic_iterations(image, 80, 3.0, 10, adaptive=True)
        main = [np.bincount(last.labels[result.labels == k]).argmax() for k in range(len(colour))]
        squared = colour / last.compactness[main].astype(float) ** 2 + place / spacing**2
        assert run.energy[-1] == pytest.approx(squared.sum() / result.labels.size, rel=1e-5)
    else:
        assert run.energy[-1] == pytest.approx(
            (colour + (3.0 / spacing) ** 2 * place).sum() / result.labels.size, rel=1e-5
        )
        assert run.energy[-1] > run.energy[-2], "stray pieces cost something"


def within(values, labels):
    """(K,) the squared distances of the pixels to the means of their labels, summed."""
    return np.array([((values[labels == k] - values[labels == k].mean(0)) ** 2).sum() for k in range(labels.max() + 1)])


def test_can_be_cancelled():
    with pytest.raises(Cancelled):
        slic(np.zeros((20, 20, 3), np.uint8), SlicParams(), Run(is_cancelled=lambda: True))


def brute_force_round(lab, before, spacing, compactness):
    """Labels and mean D² of comparing every pixel with every centre whose window holds it, and with its own."""
    count, places = before.max() + 1, np.indices(lab.shape[:2]).transpose(1, 2, 0)
    values = np.concatenate([lab, places], axis=2).astype(np.float64)
    centres = np.stack([values[before == k].mean(0) for k in range(count)])
    colour = ((values[:, :, None, :3] - centres[:, :3]) ** 2).sum(3)
    apart = values[:, :, None, 3:] - centres[:, 3:]
    squared = colour + (compactness / spacing) ** 2 * (apart**2).sum(3)
    held = (np.abs(apart).max(3) <= spacing) | (before[..., None] == np.arange(count))
    reachable = np.where(held, squared, np.inf)
    return reachable.argmin(2), reachable.min(2).mean()


@pytest.mark.parametrize("shape", [(96, 128), (93, 121)])  # of whole tiles, and with tiles over the edge
@pytest.mark.parametrize("compactness", [3, 30])
def test_centres_ruled_out_for_a_tile_are_nearest_to_none_of_its_pixels(shape, compactness):
    lab = lab_colours(np.ascontiguousarray(skimage.data.astronaut()[100:, 100:][: shape[0], : shape[1]]))
    *_, before, after = list(slic_iterations(lab, 24, compactness, 4))
    labels, objective = brute_force_round(lab, before.labels, seed_grid(lab, 24)[2], compactness)
    assert np.mean(labels != after.labels) < 1e-3  # ties, but for rounding
    assert after.objective == pytest.approx(objective, rel=1e-5)


def test_rgb_and_its_lab_give_the_same():
    image = np.ascontiguousarray(skimage.data.coffee()[:203, :301])
    for colour, light in zip(slic_iterations(image, 80, 10.0, 3), slic_iterations(lab_colours(image), 80, 10.0, 3)):
        assert np.array_equal(colour.labels, light.labels) and colour.objective == light.objective


def test_only_the_last_step_has_labels_on_request():
    lab = lab_colours(skimage.data.chelsea()[::3, ::3].copy())
    everything, last = list(slic_iterations(lab, 60, 10.0, 4)), list(slic_iterations(lab, 60, 10.0, 4, last_only=True))
    assert [step.labels is None for step in last] == [True, True, True, False]
    assert np.array_equal(last[-1].labels, everything[-1].labels)
    assert [step.objective for step in last] == [step.objective for step in everything]
