import itertools

import numpy as np
import pytest
import skimage.data
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import minimum_spanning_tree
from skimage.measure import label as components_of
from skimage.segmentation import felzenszwalb as skimage_felzenszwalb
from sklearn.metrics import adjusted_rand_score

from segdemo.clustering.felzenszwalb import (
    UNIT,
    FelzenszwalbParams,
    felzenszwalb,
    merge_alike,
    merge_small,
    number_regions,
    single_pixels,
    sorted_edges,
    stages,
)
from segdemo.errors import Cancelled
from segdemo.method import Run


def segment(image, scale, smallest=1):
    """Labels (h, w) of a float image of 0..255."""
    edges, forest = sorted_edges(image.astype(np.float32)), single_pixels(image[..., 0].size, scale * UNIT)
    merge_alike(tuple(edges), 0, len(edges.weights), tuple(forest), scale * UNIT)
    merge_small(tuple(edges), tuple(forest), smallest)
    return number_regions(forest.parent)[0].reshape(image.shape[:2])


def graph(image):
    """All edges by brute force: (i, j, weight in grey levels)."""
    height, width = image.shape[:2]
    places = list(itertools.product(range(height), range(width)))
    return [
        (i, j, np.linalg.norm(image[p].astype(float) - image[q].astype(float)))
        for (i, p), (j, q) in itertools.combinations(enumerate(places), 2)
        if max(abs(p[0] - q[0]), abs(p[1] - q[1])) == 1
    ]


def internal_difference(edges, members):
    """Int(C), the largest weight of the minimum spanning tree, or None where C is not connected."""
    inside = [(i, j, w + 1) for i, j, w in edges if i in members and j in members]  # + 1: no edge may be 0 here
    if len(members) == 1:
        return 0.0
    i, j, w = np.array(inside).T if inside else np.zeros((3, 0))
    size = max(members) + 1
    tree = minimum_spanning_tree(coo_matrix((w, (i.astype(int), j.astype(int))), shape=(size, size)))
    return tree.data.max() - 1 if tree.nnz == len(members) - 1 else None


def too_fine(edges, regions, scale):
    """Whether some two neighbouring regions have no evident border; None where a region is not connected."""
    internal = [internal_difference(edges, members) for members in regions]
    if None in internal:
        return None
    for (a, first), (b, second) in itertools.combinations(enumerate(regions), 2):
        between = [w for i, j, w in edges if (i in first and j in second) or (i in second and j in first)]
        limit = min(internal[a] + scale / len(first), internal[b] + scale / len(second))
        if between and min(between) <= limit + 1e-3:
            return True
    return False


def partitions(items):
    if not items:
        yield []
        return
    for smaller in partitions(items[1:]):
        yield [{items[0]}, *smaller]
        for k in range(len(smaller)):
            yield [*smaller[:k], {items[0], *smaller[k]}, *smaller[k + 1 :]]


@pytest.mark.parametrize("shape", [(1, 6), (2, 3)])
@pytest.mark.parametrize("seed", range(12))
def test_neither_too_fine_nor_too_coarse(shape, seed):
    """Theorems 1 and 2: every border is evident, and every proper refinement has one that is not."""
    image = np.random.default_rng(seed).choice([0, 3, 7, 20, 45, 46], (*shape, 1)).repeat(3, 2)
    edges, scale = graph(image), [5.3, 20.7, 60.9][seed % 3]  # no weight equals a limit
    labels = segment(image, scale).ravel()
    regions = [set(np.flatnonzero(labels == k).tolist()) for k in range(labels.max() + 1)]
    assert too_fine(edges, regions, scale) is False
    for finer in partitions(list(range(labels.size))):
        refines = all(len({labels[i] for i in members}) == 1 for members in finer)
        if refines and len(finer) > len(regions):
            assert too_fine(edges, finer, scale) in (True, None)


@pytest.mark.parametrize("scale, smallest", [(30, 1), (100, 1), (100, 20), (600, 8)])
def test_same_regions_as_scikit_image(scale, smallest):
    """Where no two weights are equal, so that their order is one and the same."""
    image = gaussian_filter(np.random.default_rng(smallest).uniform(0, 255, (40, 50, 3)), (1.5, 1.5, 0)) * 2 % 255
    peer = skimage_felzenszwalb(image, scale=255 * scale, sigma=0, min_size=smallest)
    ours = segment(image, scale, smallest)
    assert ours.max() > 3
    assert adjusted_rand_score(peer.ravel(), ours.ravel()) == 1


def test_photo_like_scikit_image():
    """Equal weights are ordered differently there, so single regions may differ."""
    image = skimage.data.astronaut()[::3, ::3].copy()
    peer = skimage_felzenszwalb(image, scale=200, sigma=0.8, min_size=30)
    result = felzenszwalb(image, FelzenszwalbParams(scale=200, sigma=0.8, smallest_region=30), Run())
    assert adjusted_rand_score(peer.ravel(), result.labels.ravel()) > 0.8
    assert abs(peer.max() - result.labels.max()) <= 0.1 * peer.max()


def test_edges_are_sorted_and_are_all_there():
    image = np.random.default_rng(0).integers(0, 9, (7, 5, 3)) * 20
    edges = sorted_edges(image.astype(np.float32))
    pixel = edges.numbers >> 2
    found = sorted(zip(pixel, pixel + edges.offsets[edges.numbers & 3], edges.weights / UNIT))
    expected = sorted(graph(image))
    assert [edge[:2] for edge in found] == [edge[:2] for edge in expected]
    assert [edge[2] for edge in found] == pytest.approx([edge[2] for edge in expected], abs=1e-3)
    assert np.all(np.diff(edges.weights) >= 0)
    same = np.diff(edges.weights) == 0
    assert np.all(np.diff(edges.numbers)[same] > 0)


def test_the_replay_looks_at_weights_each_twice_the_one_before():
    edges = sorted_edges(gaussian_filter(np.random.default_rng(0).uniform(0, 255, (40, 50, 3)), (1, 1, 0)).astype("f4"))
    grey = edges.weights / UNIT
    levels, counts = np.array(stages(edges)).T
    np.testing.assert_allclose(levels[1:] / levels[:-1], 2)
    assert levels[0] == pytest.approx(np.median(grey) / 4, rel=0.01) and levels[-2] < grey.max() <= levels[-1]
    assert counts.tolist() == [(grey <= level).sum() for level in levels] and counts[-1] == len(grey)


def test_regions_are_connected_and_not_too_small():
    image = skimage.data.coffee()[::4, ::4].copy()
    run = Run()
    result = felzenszwalb(image, FelzenszwalbParams(smallest_region=40), run)
    count = result.labels.max() + 1
    assert components_of(result.labels, background=-1, connectivity=2).max() == count == len(result.names)
    assert np.bincount(result.labels.ravel()).min() >= 40
    assert np.all(np.diff(result.shares) <= 0)
    assert len(run.frames) == len(run.energy) >= 5
    assert np.all(np.diff(run.energy) <= 0) and run.energy[-1] == count
    assert np.array_equal(run.frames[-1].labels, result.labels)
    assert np.array_equal(run.frames[-1].image, result.palette[result.labels])


def test_larger_scale_gives_larger_regions():
    image = skimage.data.chelsea()[::3, ::3].copy()
    counts = [len(felzenszwalb(image, FelzenszwalbParams(scale=scale), Run()).names) for scale in (50, 300, 2000)]
    assert counts[0] > counts[1] > counts[2] >= 1


def test_two_tones_are_two_regions_and_a_fine_line_is_kept():
    image = np.full((60, 80, 3), 40, np.uint8)
    image[:, 30:32], image[:, 32:] = 250, 180
    result = felzenszwalb(image, FelzenszwalbParams(sigma=0, smallest_region=20), Run())
    expected = np.select([np.arange(80) < 30, np.arange(80) < 32], [1, 2], 0)
    assert np.array_equal(result.labels, expected[None].repeat(60, 0))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (2, 300), (64, 64)])
@pytest.mark.parametrize("kind", ["constant", "noise"])
@pytest.mark.parametrize(
    "params", [{}, {"sigma": 0, "smallest_region": 1}, {"scale": 0, "smallest_region": 5000, "sigma": 5}]
)
def test_any_size(shape, kind, params):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    image = noise if kind == "noise" else np.full_like(noise, 128)
    run = Run()
    result = felzenszwalb(image, FelzenszwalbParams(**params), run)
    assert result.labels.shape == shape
    assert np.array_equal(np.unique(result.labels), np.arange(len(result.names)))
    assert kind == "noise" or len(result.names) == 1
    assert np.all(np.isfinite(run.energy))


def test_can_be_cancelled():
    with pytest.raises(Cancelled):
        felzenszwalb(np.zeros((20, 20, 3), np.uint8), FelzenszwalbParams(), Run(is_cancelled=lambda: True))
