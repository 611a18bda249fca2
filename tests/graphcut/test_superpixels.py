"""The graph of superpixels: its energy is the pixels' own, its cut the best of what follows the superpixels."""

import itertools

import cv2
import numpy as np
import pytest
from skimage import data as photos

from segdemo import Engine
from segdemo.errors import UnavailableError
from segdemo.graphcut.binary import GraphCutParams, graphcut
from segdemo.graphcut.energy import BACKGROUND, OBJECT, SCALE, data_costs, evaluate
from segdemo.graphcut.maxflow import grid_maxflow
from segdemo.graphcut.sparse_maxflow import sparse_maxflow
from segdemo.graphcut.superpixels import border_graph, divide, draw_borders, superpixel_graph
from segdemo.method import Run

PIECES = dict(graph="superpixels", superpixels=300)


def problem(seed, height=12, width=15, high=20.0, seed_cost=0.0):
    """Costs at random, a few seeds, weights at random: data, seeds, weights."""
    rng = np.random.default_rng(seed)
    weights = [rng.integers(0, 9000, (height, width)) for _ in range(4)]
    weights[0][:, -1] = weights[1][-1] = weights[2][-1] = weights[2][:, -1] = weights[3][-1] = weights[3][:, 0] = 0
    seeds = rng.choice(np.array([0, 1, 2], np.uint8), (height, width), p=[0.94, 0.03, 0.03])
    seeds[0, 0], seeds[-1, -1] = 1, 2
    return data_costs(high * rng.random((2, height, width)), seeds, weights, seed_cost), seeds, weights


def blocks(height, width, size):
    """Squares of ``size`` pixels, (h, w) int32."""
    rows, columns = np.arange(height) // size, np.arange(width) // size
    return (rows[:, None] * (columns[-1] + 1) + columns).astype(np.int32)


def obeys(labels, seeds):
    return (labels[seeds == 2] == OBJECT).all() and (labels[seeds == 1] == BACKGROUND).all()


def solve(graph):
    flow, inside = sparse_maxflow(graph.costs[BACKGROUND], graph.costs[OBJECT], graph.edges)
    return flow, inside.astype(np.uint8)[graph.nodes]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("seed_cost", [0.0, 3.0])
def test_the_energy_of_nodes_is_the_energy_of_their_pixels(seed, seed_cost):
    data, seeds, weights = problem(seed, seed_cost=seed_cost)
    graph = superpixel_graph(blocks(12, 15, 4), data, seeds, weights, seed_cost)
    flow, labels = solve(graph)
    assert flow == sum(evaluate(labels, data, weights)[:2])
    assert flow >= grid_maxflow(data[BACKGROUND], data[OBJECT], *weights)[0]


@pytest.mark.parametrize("seed", range(4))
def test_any_labeling_costs_the_same_in_both_graphs(seed):
    data, seeds, weights = problem(seed, seed_cost=3.0)
    graph = superpixel_graph(blocks(12, 15, 4), data, seeds, weights, 3.0)
    for chosen in np.random.default_rng(seed).integers(0, 2, (20, graph.costs.shape[1]), np.uint8):
        severed = chosen[graph.edges.tails] != chosen[graph.edges.heads]
        of_nodes = graph.costs[chosen, np.arange(len(chosen))].sum() + graph.edges.capacity[severed].sum() // 2
        assert of_nodes == sum(evaluate(chosen[graph.nodes], data, weights)[:2])


@pytest.mark.parametrize("seed", range(6))
def test_no_labeling_that_follows_nodes_and_seeds_costs_less(seed):
    data, seeds, weights = problem(seed, 6, 8)
    graph = superpixel_graph(blocks(6, 8, 3), data, seeds, weights)
    flow, _ = solve(graph)
    every = itertools.product((0, 1), repeat=graph.costs.shape[1])
    labelings = [labels for each in every if obeys(labels := np.array(each, np.uint8)[graph.nodes], seeds)]
    assert flow == min(sum(evaluate(labels, data, weights)[:2]) for labels in labelings)


@pytest.mark.parametrize("seed", range(6))
def test_one_superpixel_per_pixel_gives_the_cut_of_the_pixels(seed):
    data, seeds, weights = problem(seed)
    graph = superpixel_graph(np.arange(180, dtype=np.int32).reshape(12, 15), data, seeds, weights)
    flow, labels = solve(graph)
    best, inside = grid_maxflow(data[BACKGROUND], data[OBJECT], *weights)
    assert flow == best and graph.divided == 0
    np.testing.assert_array_equal(labels, inside)


@pytest.mark.parametrize("size", [1, 3, 5, 20])
def test_hard_seeds_are_never_overruled(size):
    for seed in range(10):
        data, seeds, weights = problem(seed, high=200.0)  # the rest of a superpixel far outweighs a pixel's edges
        flow, labels = solve(superpixel_graph(blocks(12, 15, size), data, seeds, weights))
        assert obeys(labels, seeds)
        assert flow == sum(evaluate(labels, data, weights)[:2])


def test_a_superpixel_with_both_strokes_is_divided_along_its_cheapest_border():
    weights = [np.full((8, 10), 1000, np.int64), np.full((8, 10), 1000, np.int64)]
    weights[0][:, 6] = 10  # between columns 6 and 7
    weights[0][:, -1] = weights[1][-1] = 0
    seeds = np.zeros((8, 10), np.uint8)
    seeds[4, 1], seeds[4, 8] = 2, 1
    data = data_costs(np.zeros((2, 8, 10)), seeds, weights)
    nodes, divided = divide(np.zeros((8, 10), np.int32), data, seeds, weights)
    assert divided == 1 and sorted(np.unique(nodes)) == [0, 1]
    np.testing.assert_array_equal(nodes == nodes[4, 1], np.broadcast_to(np.arange(10) < 7, (8, 10)))


def test_only_superpixels_with_both_strokes_are_divided():
    data, _, weights = problem(0)
    seeds, whole = np.zeros((12, 15), np.uint8), blocks(12, 15, 5)
    seeds[0, 0], seeds[0, 1], seeds[11, 14], seeds[6, 7] = 1, 2, 2, 1
    nodes, divided = divide(whole, data_costs(np.zeros((2, 12, 15)), seeds, weights), seeds, weights)
    assert divided == 1 and nodes.max() == whole.max() + 1
    assert [len(np.unique(nodes[whole == k])) for k in range(whole.max() + 1)] == [2] + [1] * whole.max()
    np.testing.assert_array_equal(np.unique(nodes), np.arange(nodes.max() + 1))


def test_soft_seeds_may_leave_a_divided_superpixel_whole():
    seeds, weights = np.zeros((6, 6), np.uint8), [np.full((6, 6), 9000, np.int64) for _ in range(2)]
    seeds[0, 0], seeds[5] = 2, 1
    data = data_costs(np.zeros((2, 6, 6)), seeds, weights, 0.5)
    graph = superpixel_graph(np.zeros((6, 6), np.int32), data, seeds, weights, 0.5)
    assert graph.costs.shape == (2, 1) and not solve(graph)[1].any()


def test_neighbouring_nodes_are_tied_by_all_pairs_across_their_border():
    weights = [np.full((4, 4), value, np.int64) for value in (1, 10, 100, 1000)]
    edges = border_graph(blocks(4, 4, 2), weights)
    ties = {(int(p), int(q)): int(c) for p, q, c in zip(edges.tails, edges.heads, edges.capacity) if p < q}
    assert ties == {
        (0, 1): 2 * 1 + 100 + 1000,
        (2, 3): 1102,
        (0, 2): 2 * 10 + 1100,
        (1, 3): 1120,
        (0, 3): 100,
        (1, 2): 1000,
    }


def test_borders_of_superpixels_are_drawn_both_ways():
    drawn = draw_borders(np.full((4, 6, 3), 100, np.uint8), blocks(4, 6, 2))
    border = np.zeros((4, 6), bool)
    border[:, [1, 3]] = border[1] = True
    np.testing.assert_array_equal((drawn == (177, 160, 50)).all(axis=2), border)  # halfway to yellow
    assert (drawn[~border] == 100).all()


def astronaut(size=160):
    photo = cv2.resize(photos.astronaut(), (size, size), interpolation=cv2.INTER_AREA)
    scribbles = np.zeros((size, size), np.uint8)
    for label, *ends in ((1, 0.43, 0.12, 0.43, 0.35), (1, 0.43, 0.51, 0.23, 0.78), (2, 0.12, 0.08, 0.08, 0.59), (2, 0.78, 0.16, 0.92, 0.64)):  # fmt: skip
        a, b, c, d = (int(end * size) for end in ends)
        cv2.line(scribbles, (a, b), (c, d), label, 2)
    return photo, scribbles


@pytest.fixture(scope="module")
def engine():
    return Engine("cpu")


def test_the_method_on_superpixels(engine):
    photo, scribbles = astronaut()
    pixels, result = (engine.run("graphcut", photo, scribbles=scribbles, **options) for options in ({}, PIECES))
    both = (result.labels & pixels.labels).sum() / (result.labels | pixels.labels).sum()
    assert both > 0.85
    facts = result.facts
    assert facts["energy"] == facts["maximum flow"] >= pixels.facts["energy"]
    assert 150 < facts["nodes"] < 600 and facts["nodes"] < facts["edges"] < 8 * facts["nodes"]
    assert facts["nodes of the graph of pixels"] == 160 * 160 == pixels.facts["nodes"]
    assert facts["edges of the graph of pixels"] == pixels.facts["edges"]
    assert 0 < facts["cut edges"] < facts["cut pairs of pixels"]
    assert "superpixels" in result.timings
    assert [p.title for p in result.pictures][-1] == "Superpixels and the cut"


def test_the_replay_falls_to_the_minimum_and_shows_the_superpixels(engine):
    photo, scribbles = astronaut()
    result = engine.run("graphcut", photo, scribbles=scribbles, **PIECES)
    assert len(result.frames) == len(result.energy) == 5
    assert all(later <= earlier + 1 for earlier, later in zip(result.energy, result.energy[1:]))
    np.testing.assert_array_equal(result.frames[-1].labels, result.labels)
    assert result.energy[-1] == result.facts["energy"]
    assert result.frames[0].caption.startswith("each superpixel for itself")
    for frame in result.frames:  # the cut in red
        red = (frame.image == (255, 60, 60)).all(axis=2)
        assert frame.image.shape == photo.shape and red[:, :-1][frame.labels[:, :-1] != frame.labels[:, 1:]].all()
    np.testing.assert_array_equal(result.frames[-1].image, result.pictures[-1].image)


@pytest.mark.parametrize("options", [{"connected": True}, {"neighbours": 4}, {"smoothness": 0.0}, {"seed_cost": 2.0}])
def test_other_options_go_with_superpixels(engine, options):
    photo, scribbles = astronaut()
    facts = engine.run("graphcut", photo, scribbles=scribbles, **PIECES, **options).facts
    assert facts["energy"] == facts["maximum flow"]
    if options.get("connected"):
        assert facts["pixels in parts removed"] == 0 or facts["energy after parts were removed"] >= facts["energy"]


def test_strokes_everywhere_are_obeyed(engine):
    photo, _ = astronaut(96)
    scribbles = np.zeros((96, 96), np.uint8)
    scribbles[::7, ::5], scribbles[3::7, 2::5] = 1, 2
    result = engine.run("graphcut", photo, scribbles=scribbles, graph="superpixels", superpixels=50, smoothness=1000.0)
    assert (result.labels[scribbles == 1] == OBJECT).all() and (result.labels[scribbles == 2] == BACKGROUND).all()
    assert result.facts["superpixels divided between strokes"] > 30
    assert result.facts["energy"] == result.facts["maximum flow"]


def test_superpixels_are_made_once_per_photo():
    photo, scribbles = astronaut(64)
    made, store = [], {}

    def load(count, compactness):
        made.append(count)
        return blocks(64, 64, 4)

    def cache_get(key, build):
        if key not in store:
            store[key] = build()
        return store[key]

    for _ in range(2):
        run = Run(scribbles=scribbles, cache_get=cache_get, load_superpixels=load)
        result = graphcut(photo, GraphCutParams(**PIECES, deep_weight=0.0), run)
    assert made == [300] and result.facts["nodes"] >= 256
    assert result.facts["energy"] == pytest.approx(result.facts["maximum flow"], abs=1 / SCALE)


def test_without_an_engine_there_are_no_superpixels():
    photo, scribbles = astronaut(64)
    with pytest.raises(UnavailableError, match="Engine"):
        graphcut(photo, GraphCutParams(**PIECES), Run(scribbles=scribbles))
