"""Affinities: the formula, the contours between two places, drawn links, and the unit of distances."""

from itertools import product

import numpy as np
import pytest
from skimage.draw import line

from segdemo.clustering.affinity import (
    Affinity,
    affinity_matrix,
    contour_strength,
    onto,
    pixel_graph,
    random_links,
    strongest_between,
    superpixel_graph,
)
from segdemo.clustering.slic import slic_superpixels
from segdemo.lab import lab_colours


def two_tone(height, width, split):
    image = np.full((height, width, 3), (40, 60, 160), np.uint8)
    image[:, split:] = (200, 170, 60)
    return lab_colours(image)


def test_affinity_follows_the_formula():
    rng = np.random.default_rng(0)
    colours, positions = rng.random((30, 3)) * 20, rng.random((30, 2)) * 6
    contours, least = rng.random((12, 12)).astype(np.float32), 0.05
    places = positions * 11 / 6
    found = affinity_matrix(colours, positions, Affinity(9.0, 2.0, 3.0, 1.5, least), contours, places).toarray()
    plain = affinity_matrix(colours, positions, Affinity(9.0, 2.0, 3.0)).toarray()
    for i, j in product(range(30), repeat=2):
        distance = np.linalg.norm(positions[i] - positions[j])
        colour = np.linalg.norm(colours[i] - colours[j]) ** 2 / 81
        a, b = sorted((i, j))
        crossed = strongest_between(contours, places[a : a + 1], places[b : b + 1])[0]
        near = np.exp(-(distance**2) / 4) * (distance <= 3)
        assert plain[i, j] == pytest.approx(near * np.exp(-colour))
        expected = 1 if i == j else near * max(np.exp(-colour - 1.5 * crossed), least)
        assert found[i, j] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_the_strongest_on_a_line_is_that_of_its_pixels(seed):
    """Against scikit-image's Bresenham line, which rounds a tie in its own way: it may pass one pixel beside."""
    rng = np.random.default_rng(seed)
    strength = rng.random((40, 50)).astype(np.float32)
    ends = rng.integers(0, (40, 50), (200, 2, 2))
    found = strongest_between(strength, ends[:, 0].astype(float), ends[:, 1].astype(float))
    for (start, end), value in zip(ends, found):
        rows, columns = (index[1:-1] for index in line(*start, *end))
        if len(rows) == 0:
            assert value == 0
            continue
        around = [strength[np.clip(rows + d, 0, 39), columns] for d in (-1, 0, 1)]
        around += [strength[rows, np.clip(columns + d, 0, 49)] for d in (-1, 1)]
        assert value <= np.max(around)
        if (start == end).any():
            assert value == strength[rows, columns].max()


def test_the_ends_of_a_line_do_not_count():
    strength = np.array([[5, 1, 2, 7]], np.float32)
    ends = np.array([[0.0, 3], [0, 1], [2, 2], [0, 2]])
    starts, ends = np.column_stack([np.zeros(4), ends[:, 0]]), np.column_stack([np.zeros(4), ends[:, 1]])
    assert strongest_between(strength, starts, ends).tolist() == [2, 0, 0, 1]


def test_a_wall_parts_what_looks_the_same():
    """Two halves of one colour with a line between them: only the contour can tell them apart."""
    image = np.full((60, 80, 3), 120, np.uint8)
    image[:, 39:41] = 255
    lab = lab_colours(image)
    contours = contour_strength(lab)
    assert contours[30, 36:44].max() > 5 and contours[30, 5:25].max() < 1e-4
    superpixels = slic_superpixels(lab, 60)
    side = np.array([np.nonzero(superpixels == k)[1].mean() > 40 for k in range(superpixels.max() + 1)])
    across = {}
    for weight in (0.0, 1.0):
        affinity = superpixel_graph(lab, superpixels, Affinity(1000.0, 10.0, 1.0, weight), contours).affinity.toarray()
        across[weight] = affinity[side][:, ~side].max(), affinity[side][:, side].min()
    assert across[0.0][0] > 0.9 and across[1.0][0] < 0.01 < 0.9 < across[1.0][1]


def test_contours_are_silent_in_texture_and_do_not_depend_on_size():
    checks = np.kron(np.indices((40, 40)).sum(0) % 2, np.ones((4, 4)))
    texture = np.repeat((checks * 120 + 60).astype(np.uint8)[..., None], 3, 2)
    inside = contour_strength(lab_colours(texture))[30:-30, 30:-30]
    lone = contour_strength(two_tone(160, 160, 80))
    assert inside.max() < 0.2 * lone.max()
    assert contour_strength(np.full((30, 40, 3), 50, np.float32)).max() < 1e-4
    middle, large = (contour_strength(two_tone(*size)) for size in ((400, 400, 200), (1000, 1200, 500)))
    assert large.size <= 1.01 * 400**2
    assert large.max() == pytest.approx(middle.max(), rel=0.1)


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (30, 1), (2, 2)])
def test_contours_of_tiny_photos(shape):
    contours = contour_strength(np.random.default_rng(0).random((*shape, 3)).astype(np.float32))
    assert contours.shape == shape and np.isfinite(contours).all()


def test_places_on_another_grid():
    assert onto(np.array([[0.0, 0.0], [9.0, 19.0]]), (10, 20), (5, 40)).tolist() == [[0, 0.5], [4, 38.5]]
    assert onto(np.array([[4.5, 4.5]]), (10, 10), (10, 10)).tolist() == [[4.5, 4.5]]


def test_drawn_links_stay_near_and_reach_every_neighbour():
    size, radius = (20, 30), 6.0
    first, second = random_links(size, radius)
    places = np.stack(np.divmod(np.arange(600), 30), 1)
    apart = np.hypot(*(places[first] - places[second]).T)
    assert 0 < apart.min() and apart.max() <= radius + 1
    joined = set(zip(first.tolist(), second.tolist()))
    assert all((row * 30 + column, row * 30 + column + 1) in joined for row in range(20) for column in range(29))
    # Uniform over the disc: half of the links of inner nodes lie within radius / √2.
    inner = (places[first] >= 8).all(1) & (places[first] < (12, 22)).all(1)
    far = apart[inner]
    assert (far <= radius / np.sqrt(2)).mean() == pytest.approx(
        0.5, abs=0.1
    )  # short ones are rounded up, the two neighbours are short


def test_distances_count_in_sides_of_the_photo():
    scales = Affinity(15.0, 0.3, 0.5)
    small, large = two_tone(60, 90, 30), two_tone(120, 180, 60)
    graphs = [pixel_graph(lab, None, scales, contour_strength(lab)).affinity for lab in (small[:2, :3], large[:2, :3])]
    assert np.allclose(graphs[0].toarray(), graphs[1].toarray())
    for lab in (small, large):
        regions = slic_superpixels(lab, 60)
        graph = superpixel_graph(lab, regions, scales, contour_strength(lab))
        count = regions.max() + 1
        centres = np.array([np.argwhere(regions == k).mean(0) for k in range(count)]) / np.sqrt(regions.size)
        near = np.linalg.norm(centres[:, None] - centres, axis=2) <= 0.5
        assert np.array_equal(graph.affinity.toarray() > 0, near)


def test_every_node_has_a_neighbour_however_small_the_radius():
    lab = two_tone(60, 90, 30)
    graph = superpixel_graph(lab, slic_superpixels(lab, 60), Affinity(1e3, 1.0, 0.001), contour_strength(lab))
    assert (graph.affinity.getnnz(axis=1) > 1).all()
