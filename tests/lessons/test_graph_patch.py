"""The lesson on one patch's graph: its capacities, its paths, its cut, against two other solvers."""

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from segdemo import Engine
from segdemo.errors import Cancelled, ParameterError, ScribbleError
from segdemo.graphcut.binary import BACKGROUND, OBJECT, GraphCutParams, graphcut
from segdemo.graphcut.energy import STEPS, evaluate
from segdemo.graphcut.maxflow import grid_maxflow
from segdemo.graphcut.pixels import minimum_cut
from segdemo.lessons.graph_patch import (
    PatchGraph,
    corner_around,
    divided_corners,
    graph_patch,
    leaving,
    shortest_augmenting_paths,
    take_patch,
    with_border,
)
from segdemo.method import Run


def photo(size=40):
    """A noisy bright disc on a dark ground, with a stroke on each."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size]
    mask = (y - size / 2) ** 2 + (x - size / 2) ** 2 < (size / 3) ** 2
    image = np.where(mask[..., None], (180, 120, 60), (70, 90, 110)) + rng.normal(0, 30, (size, size, 3))
    scribbles = np.zeros((size, size), np.uint8)
    scribbles[size // 2, size // 2 - 4 : size // 2 + 4] = 1
    scribbles[3, 3:-3] = 2
    return image.clip(0, 255).astype(np.uint8), scribbles


def random_terms(seed, neighbours, shape=(9, 11)):
    rng = np.random.default_rng(seed)
    data = rng.integers(0, 60, (2, *shape))
    weights = [rng.integers(0, 25, shape) for _ in range(neighbours // 2)]
    for weight, (dy, dx) in zip(weights, STEPS):  # none leads out of the photo
        weight[shape[0] - dy :] = 0
        weight[:, [shape[1] - 1] if dx > 0 else [0] if dx < 0 else []] = 0
    return data, weights


def scipy_flow(graph):
    """Value and source side by another algorithm, on the same graph."""
    u, v = graph.ends.T
    rows, columns = np.concatenate([u, v]), np.concatenate([v, u])
    capacities = np.concatenate([graph.forth, graph.back]).astype(np.int32)
    network = csr_array((capacities, (rows, columns)), shape=(graph.sink + 1,) * 2)
    result = maximum_flow(network, graph.source, graph.sink)
    rest = csr_array(network - result.flow)
    rest.eliminate_zeros()
    reached = breadth_first_order(rest, graph.source, return_predecessors=False)
    return result.flow_value, np.isin(np.arange(graph.source), reached).reshape(graph.shape)


@pytest.mark.parametrize("neighbours", [4, 8])
@pytest.mark.parametrize("corner, size", [((0, 0), 8), ((1, 3), 8), ((4, 5), 5), ((0, 0), 12)])
def test_three_algorithms_agree(neighbours, corner, size):
    data, weights = random_terms(size + neighbours, neighbours)
    graph = take_patch(data, weights, corner, size)
    flow = shortest_augmenting_paths(graph)
    window = tuple(slice(start, start + size) for start in corner)
    inner = [weight[window] for weight in weights]
    value, inside = grid_maxflow(data[BACKGROUND][window], data[OBJECT][window], *inner)  # drops what leads out
    other_value, other_inside = scipy_flow(graph)
    assert flow.value == flow.cut_capacity == value == other_value > 0
    np.testing.assert_array_equal(flow.inside, inside)
    np.testing.assert_array_equal(flow.inside, other_inside)
    energy = evaluate(inside.astype(np.uint8), data[(slice(None), *window)], inner)
    if size == 12:  # the whole photo: nothing is left out
        assert sum(energy[:2]) == flow.value and graph.shape == data.shape[1:]


def test_every_step_is_a_shortest_path_that_fits():
    graph = take_patch(*random_terms(3, 8), (0, 0), 6)
    flow = shortest_augmenting_paths(graph)
    flows, total = flow.flows, 0
    lengths = [len(step.edges) for step in flow.steps]
    assert lengths == sorted(lengths) and lengths[0] == 2 and lengths[-1] > 3
    for before, after, step in zip(flows, flows[1:], flow.steps, strict=False):
        node = graph.source
        for edge, forward in step.edges:  # the edges hang together, and lead to the sink
            u, v = graph.ends[edge]
            assert node == (u if forward else v)
            node = v if forward else u
        assert node == graph.sink
        free = [graph.forth[e] - before[e] if forward else graph.back[e] + before[e] for e, forward in step.edges]
        assert step.bottleneck == min(free) > 0
        total += step.bottleneck
        assert step.total == total
        assert (after <= graph.forth).all() and (-after <= graph.back).all()
    last = flows[-1]
    assert (last[flow.cut] == graph.forth[flow.cut])[graph.ends[flow.cut][:, 0] == graph.source].all()
    for node in range(graph.source):  # what flows into a pixel flows out of it
        assert last[graph.ends[:, 1] == node].sum() == last[graph.ends[:, 0] == node].sum()


def test_by_hand():
    """Two pixels in a row: 5 from the source to the left one, 4 between them, 3 from the right one to the sink."""
    ends = np.array([(2, 0), (2, 1), (0, 3), (1, 3), (0, 1)])
    graph = PatchGraph((1, 2), ends, np.array([5, 0, 1, 3, 4]), np.array([0, 0, 0, 0, 4]))
    flow = shortest_augmenting_paths(graph)
    assert [(step.edges, step.bottleneck, step.total) for step in flow.steps] == [
        (((0, True), (2, True)), 1, 1),
        (((0, True), (4, True), (3, True)), 3, 4),
    ]
    np.testing.assert_array_equal(flow.inside, [[True, True]])
    np.testing.assert_array_equal(np.flatnonzero(flow.cut), [2, 3])


def test_a_graph_without_a_path():
    graph = PatchGraph((1, 1), np.array([(1, 0), (0, 2)]), np.array([0, 7]), np.array([0, 0]))
    flow = shortest_augmenting_paths(graph)
    assert flow.steps == [] and flow.value == flow.cut_capacity == 0 and not flow.inside.any()
    assert flow.flows.shape == (1, 2)


@pytest.mark.parametrize("neighbours", [4, 8])
def test_links_that_leave_are_counted(neighbours):
    _, weights = random_terms(5, neighbours, (20, 20))
    ones = [np.ones((20, 20), np.int64) for _ in weights]
    (count, _), (count_again, capacity) = leaving(ones, (5, 6), (4, 4)), leaving(weights, (5, 6), (4, 4))
    # Each of the 16 pixels has all its neighbours; the inner links are seen from both of their ends.
    inner = 2 * 4 * 3 if neighbours == 4 else 2 * 4 * 3 + 2 * 3 * 3
    assert count == count_again == 16 * neighbours - 2 * inner
    total = 0
    for (dy, dx), weight in zip(STEPS, weights):
        for y in range(19 if dy else 20):
            for x in range(20):
                if 0 <= x + dx < 20:
                    ends = [5 <= a < 9 and 6 <= b < 10 for a, b in ((y, x), (y + dy, x + dx))]
                    total += int(weight[y, x]) * (ends[0] != ends[1])
    assert capacity == total
    assert leaving(weights, (0, 0), (20, 20)) == (0, 0)


@pytest.mark.parametrize("values", [{"seed": 3, "smoothness": 25.0}, {"sigma": 3.0}, {"neighbours": 4}])
def test_the_patch_is_part_of_the_methods_graph(values):
    image, scribbles = photo()
    params = GraphCutParams(**values)
    lesson = graph_patch(image, Run(scribbles=scribbles), centre=(0.5, 0.2), **values)
    own = Run(scribbles=scribbles, seed=params.seed)
    np.testing.assert_array_equal(lesson.labels, graphcut(image, params, own).labels)
    again = graph_patch(image, Run(scribbles=scribbles, seed=params.seed), centre=(0.5, 0.2), **values)
    np.testing.assert_array_equal(again.flow.graph.forth, lesson.flow.graph.forth)  # whatever the lesson's own seed
    assert lesson.corner == (4, 16) and lesson.flow.graph.shape == (8, 8)
    np.testing.assert_array_equal(lesson.patch(lesson.image), image[4:12, 16:24])
    assert lesson.differing == (lesson.patch(lesson.labels) != lesson.flow.inside).sum()
    assert lesson.flow.value == lesson.flow.cut_capacity


@pytest.mark.parametrize("neighbours", [4, 8])
@pytest.mark.parametrize("corner", [(0, 0), (3, 4), (5, 7)])
def test_a_part_of_the_minimum_is_the_minimum_of_the_part(neighbours, corner):
    """With all around it fixed the patch's energy differs from the photo's by a constant, whatever its labels."""
    data, weights = random_terms(4, neighbours)
    _, labels = minimum_cut(data, weights, lambda flow: None)
    inner = with_border(data, weights, labels, corner, 4)
    flow = shortest_augmenting_paths(take_patch(inner, weights, corner, 4))
    window = tuple(slice(start, start + 4) for start in corner)
    rng, offsets = np.random.default_rng(0), []
    for trial in range(20):
        changed = labels.copy()
        changed[window] = flow.inside if trial == 0 else rng.integers(0, 2, flow.inside.shape)
        within = [weight[window] * 1 for weight in weights]
        for weight, (dy, dx) in zip(within, STEPS):  # none leads out of the patch
            weight[weight.shape[0] - dy :] = 0
            weight[:, [-1] if dx > 0 else [0] if dx < 0 else []] = 0
        part = sum(evaluate(changed[window], inner[(slice(None), *window)], within)[:2])
        offsets.append(sum(evaluate(changed, data, weights)[:2]) - part)
    assert len(set(offsets)) == 1
    changed[window] = flow.inside
    assert sum(evaluate(changed, data, weights)[:2]) == sum(evaluate(labels, data, weights)[:2])


def test_seeds_keep_their_side():
    image, scribbles = photo()
    lesson = graph_patch(image, Run(scribbles=scribbles), centre=(0.5, 0.5), size=10)
    own = lesson.patch(scribbles)
    assert (own == 1).any() and lesson.flow.inside[own == 1].all()


def test_the_first_patch_is_one_that_the_cut_divides():
    image, scribbles = photo()
    lesson = graph_patch(image, Run(scribbles=scribbles), smoothness=4.0)
    assert 0.2 < lesson.patch(lesson.labels).mean() < 0.8
    assert lesson.differing == 0
    assert any(len(step.edges) > 2 for step in lesson.flow.steps)  # some pixels follow their neighbours
    labels = np.zeros((9, 30), np.uint8)
    labels[:, 17:] = 1
    found = divided_corners(labels, 4)
    assert found[0] == (2, 15) and len(found) <= 60 and all(12 < x < 18 for _, x in found)
    assert divided_corners(np.zeros((5, 3), np.uint8), 8) == [(0, 0)]


def test_patches_stay_inside():
    assert corner_around((0.0, 0.0), 8, (30, 50)) == (0, 0)
    assert corner_around((1.0, 1.0), 8, (30, 50)) == (22, 42)
    assert corner_around((0.5, 0.5), 8, (30, 5)) == (11, 0)
    image, scribbles = np.full((2, 5, 3), 90, np.uint8), np.array([[1, 0, 0, 0, 0], [0, 0, 0, 0, 2]], np.uint8)
    lesson = graph_patch(image, Run(scribbles=scribbles), centre=(1, 0))
    assert lesson.flow.graph.shape == (2, 5) and lesson.leaving == (0, 0) and lesson.differing == 0


def test_bad_input_says_what_to_do():
    image, scribbles = photo()
    for wrong in ({"size": 1}, {"size": 13}, {"centre": (0.5, 1.2)}, {"smoothness": -1.0}, {"colours": 3}):
        with pytest.raises(ParameterError, match=next(iter(wrong))):
            graph_patch(image, Run(scribbles=scribbles), **wrong)
    with pytest.raises(ScribbleError, match="no scribbles"):
        graph_patch(image, Run())
    with pytest.raises(ScribbleError, match="background"):
        graph_patch(image, Run(scribbles=(scribbles == 1).astype(np.uint8)))


def test_a_whole_cut_that_is_kept_serves_only_its_strokes_and_parameters():
    image, scribbles = photo()
    more = scribbles.copy()
    more[30, 15:25] = 2
    store = {}

    def cache_get(key, build):
        if key not in store:
            store[key] = build()
        return store[key]

    for strokes, values in ((scribbles, {}), (more, {}), (scribbles, {"smoothness": 4.0}), (scribbles, {"sigma": 5.0})):
        runs = Run(scribbles=strokes, cache_get=cache_get), Run(scribbles=strokes)
        kept, fresh = (graph_patch(image, run, centre=(0.5, 0.2), **values) for run in runs)
        np.testing.assert_array_equal(kept.labels, fresh.labels)
        np.testing.assert_array_equal(kept.flow.graph.forth, fresh.flow.graph.forth)


def test_through_the_engine_the_whole_cut_is_computed_once():
    image, scribbles = photo(120)
    engine, texts = Engine("cpu"), []
    for centre in (None, (0.3, 0.3)):
        lesson = engine.teach(
            graph_patch,
            image,
            working_size=40,
            scribbles=scribbles,
            centre=centre,
            on_step=lambda _, t: texts.append(t),
        )
        assert lesson.image.shape == (40, 40, 3)
    assert texts.count("the energy of the whole photo") == 1
    with pytest.raises(Cancelled):
        engine.teach(graph_patch, image, working_size=40, scribbles=scribbles, is_cancelled=lambda: True)
