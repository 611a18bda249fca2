"""Expansion and swap: every move beside brute force, the bounds, the conditions on V, the page's promises."""

from itertools import product

import numpy as np
import pytest

from segdemo import Engine
from segdemo.errors import Cancelled, ParameterError, ScribbleError
from segdemo.graphcut.energy import STEPS, evaluate, pair_slices
from segdemo.graphcut.expansion import (
    BRUSHES,
    ExpansionParams,
    best_choice,
    bound,
    choices,
    descend,
    expansion,
    label_penalties,
    move_graph,
    require_metric,
)
from segdemo.method import Run, get_method, methods
from segdemo.ui.scribble_pad import brushes_of

KINDS = ("expansion", "swap")


def problem(rng, size, labels, neighbours, pairwise="potts", truncation=2, data=40, weight=20):
    """A random data term, weights that are 0 outside the grid, and penalties of labels 1..K."""
    weights = [np.zeros(size, np.int64) for _ in range(neighbours // 2)]
    for step, plane in zip(STEPS, weights):
        first, _ = pair_slices(step)
        plane[first] = rng.integers(0, weight, plane[first].shape)
    penalties = label_penalties(np.arange(1, labels + 1), pairwise, truncation)
    return rng.integers(0, data, (labels, *size)), weights, penalties


def energy(labels, data, weights, penalties):
    """The sum over pixels and pairs, as it is defined."""
    height, width = labels.shape
    total = 0
    for y, x in product(range(height), range(width)):
        total += data[labels[y, x], y, x]
        for (dy, dx), plane in zip(STEPS, weights):
            if y + dy < height and 0 <= x + dx < width:
                total += plane[y, x] * penalties[labels[y, x], labels[y + dy, x + dx]]
    return int(total)


def labelings(zero, one):
    """All choices between two labelings."""
    for bits in product((False, True), repeat=zero.size):
        yield np.where(np.array(bits).reshape(zero.shape), one, zero)


def least_of(every, data, weights, penalties):
    return min(sum(evaluate(each, data, weights, penalties)[:2]) for each in every)


@pytest.mark.parametrize("pairwise", ["potts", "truncated-linear", "truncated-quadratic"])
@pytest.mark.parametrize("neighbours", [4, 8])
def test_energy_with_penalties_is_the_sum_over_pairs(neighbours, pairwise):
    rng = np.random.default_rng(0)
    data, weights, penalties = problem(rng, (5, 6), 4, neighbours, pairwise)
    labels = rng.integers(0, 4, (5, 6))
    assert sum(evaluate(labels, data, weights, penalties)[:2]) == energy(labels, data, weights, penalties)


@pytest.mark.parametrize("kind, pairwise", [
    ("expansion", "potts"), ("expansion", "truncated-linear"),
    ("swap", "potts"), ("swap", "truncated-linear"), ("swap", "truncated-quadratic"),
])  # fmt: skip
@pytest.mark.parametrize("neighbours", [4, 8])
def test_every_move_is_the_best_of_its_kind(kind, neighbours, pairwise):
    rng = np.random.default_rng(1)
    for _ in range(3):
        data, weights, penalties = problem(rng, (3, 3), 4, neighbours, pairwise)
        labels = rng.integers(0, 4, (3, 3)).astype(np.uint8)
        for move in (0, 3) if kind == "expansion" else ((0, 2), (1, 3)):
            zero, one = choices(labels, move)
            _, _, edges, _ = move_graph(zero, one, data, weights, penalties)
            assert min(edge.min() for edge in edges) >= 0
            found, least = best_choice(zero, one, data, weights, penalties)
            assert ((found == zero) | (found == one)).all()
            assert least == energy(found, data, weights, penalties)
            assert least == least_of(labelings(zero, one), data, weights, penalties)


def test_choices_of_a_move():
    labels = np.array([[0, 1, 2]], np.uint8)
    zero, one = choices(labels, 2)
    assert zero.tolist() == [[0, 1, 2]] and one.tolist() == [[2, 2, 2]]
    zero, one = choices(labels, (0, 2))
    assert zero.tolist() == [[0, 1, 0]] and one.tolist() == [[2, 1, 2]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("neighbours", [4, 8])
def test_two_labels_are_solved_exactly(kind, neighbours):
    rng = np.random.default_rng(2)
    for size in ((3, 3), (1, 9), (5, 2)):
        data, weights, penalties = problem(rng, size, 2, neighbours)
        labels, _, _ = descend(data, weights, penalties, kind, ["a", "b"], Run())
        every = labelings(np.zeros(size, np.uint8), np.ones(size, np.uint8))
        assert energy(labels, data, weights, penalties) == least_of(every, data, weights, penalties)


@pytest.mark.parametrize("pairwise", ["potts", "truncated-linear"])
def test_expansion_keeps_its_bound_and_no_move_is_left(pairwise):
    rng = np.random.default_rng(3)
    for _ in range(8):
        data, weights, penalties = problem(rng, (2, 3), 3, 8, pairwise, data=12)
        run = Run()
        labels, tried, made = descend(data, weights, penalties, "expansion", ["a", "b", "c"], run)
        least = least_of(
            (np.array(each).reshape(2, 3) for each in product(range(3), repeat=6)), data, weights, penalties
        )
        reached = energy(labels, data, weights, penalties)
        assert least <= reached <= bound(penalties) * least
        assert len(run.energy) == made + 1 and (np.diff(run.energy) < 0).all() and tried >= 3
        for move in range(3):
            assert best_choice(*choices(labels, move), data, weights, penalties)[1] == reached


def test_swap_ends_where_no_swap_helps():
    rng = np.random.default_rng(4)
    data, weights, penalties = problem(rng, (9, 11), 5, 8, "truncated-quadratic", 4)
    run = Run()
    labels, _, _ = descend(data, weights, penalties, "swap", list("abcde"), run)
    reached = energy(labels, data, weights, penalties)
    assert (np.diff(run.energy) < 0).all() and run.energy[-1] == pytest.approx(reached / 1000)
    for move in ((0, 1), (1, 4), (2, 3)):
        assert best_choice(*choices(labels, move), data, weights, penalties)[1] == reached


def test_penalties_and_their_conditions():
    numbers = np.array([1, 2, 5])
    assert label_penalties(numbers, "potts", 3).tolist() == [[0, 1, 1], [1, 0, 1], [1, 1, 0]]
    assert label_penalties(numbers, "truncated-linear", 3).tolist() == [[0, 1, 3], [1, 0, 3], [3, 3, 0]]
    assert label_penalties(numbers, "truncated-quadratic", 2).tolist() == [[0, 1, 4], [1, 0, 4], [4, 4, 0]]
    everything = np.arange(1, 9)
    for truncation in range(1, 8):
        require_metric(label_penalties(everything, "truncated-linear", truncation), "expansion")
        require_metric(label_penalties(everything, "truncated-quadratic", truncation), "swap")
    with pytest.raises(ParameterError, match="swap"):
        require_metric(label_penalties(everything, "truncated-quadratic", 2), "expansion")
    require_metric(label_penalties(everything, "truncated-quadratic", 1), "expansion")
    require_metric(label_penalties(np.array([1, 3]), "truncated-quadratic", 2), "expansion")  # two labels: a metric
    for wrong in ([[0, 1], [2, 0]], [[1, 1], [1, 0]], [[0, 0], [0, 0]], [[0, -1], [-1, 0]]):
        with pytest.raises(ParameterError, match="same both ways"):
            require_metric(np.array(wrong), "swap")
    assert (
        bound(label_penalties(numbers, "potts", 2)) == 2 and bound(label_penalties(numbers, "truncated-linear", 3)) == 6
    )


def quarters(size=60):
    """Four noisy colours in the four quarters, and a stroke of brushes 1, 3, 4 and 8 on each."""
    colours = np.array([[200, 60, 50], [60, 170, 70], [60, 80, 190], [210, 190, 60]])
    truth = np.add.outer(2 * (np.arange(size) >= size // 2), 1 * (np.arange(size) >= size // 2))
    image = colours[truth] + np.random.default_rng(0).normal(0, 30, (size, size, 3))
    scribbles = np.zeros((size, size), np.uint8)
    for label, (y, x) in zip((1, 3, 4, 8), ((15, 15), (15, 45), (45, 15), (45, 45))):
        scribbles[y, x - 5 : x + 5] = label
    return image.clip(0, 255).astype(np.uint8), truth, scribbles


def labeled(image, scribbles, **params):
    run = Run(scribbles=scribbles)
    return expansion(image, ExpansionParams(**params), run), run


@pytest.mark.parametrize("pairwise", ["potts", "truncated-linear"])
@pytest.mark.parametrize("moves", KINDS)
def test_four_labels_of_eight(moves, pairwise):
    image, truth, scribbles = quarters()
    result, run = labeled(image, scribbles, moves=moves, pairwise=pairwise)
    assert (result.labels == truth).mean() > 0.98
    assert result.names == ["Amber", "Green", "Red", "Brown"] and result.palette.shape == (4, 3)
    np.testing.assert_array_equal(result.palette, BRUSHES.palette[[0, 2, 3, 7]])
    facts = result.facts
    assert facts["energy"] == pytest.approx(facts["data energy"] + facts["smoothness energy"]) == run.energy[-1]
    assert (np.diff(run.energy) < 0).all()
    np.testing.assert_array_equal(run.frames[-1].labels, result.labels)
    assert len(result.pictures) == 5
    named = {"expansion": "α-expansion", "swap": "αβ-swap"}[moves]
    assert result.title == (named if pairwise == "potts" else f"{named}, truncated linear")


def test_with_two_labels_it_is_the_graph_cut():
    image, _, scribbles = quarters()
    scribbles = np.where(scribbles == 3, 2, np.where(scribbles == 1, 1, 0)).astype(np.uint8)
    params = dict(scribbles=scribbles, likelihood="histogram")  # which, unlike mixtures, are drawn without chance
    params |= dict(colour_weight=1.0, texture_weight=0.4, nearness_weight=2.5)  # whose defaults differ
    ours = Engine("cpu").run("expansion", image, **params)
    cut = Engine("cpu").run("graphcut", image, relearn=0.0, deep_weight=0.0, connection=0.0, **params)
    np.testing.assert_array_equal(ours.labels == 0, cut.labels == 1)
    assert ours.facts["energy"] == pytest.approx(cut.facts["energy"], abs=0.01)


@pytest.mark.parametrize("truncation, times", [(7, 14), (2, 4), (1, 2)])
def test_the_brushes_numbers_are_the_steps_of_the_scale(truncation, times):
    """Brushes 1, 3, 4 and 8 are 7 steps apart at most and 1 at least: the bound is twice the ratio."""
    image, _, scribbles = quarters()
    facts = labeled(image, scribbles, pairwise="truncated-linear", truncation=truncation)[0].facts
    assert facts["times the least energy, at most"] == times


def test_seeds_are_obeyed_unless_they_have_a_price():
    image, _, scribbles = quarters()
    scribbles[44:47, 44:47] = 1  # red strokes on yellow
    for pairwise in ("potts", "truncated-linear"):
        labels = labeled(image, scribbles, smoothness=1000.0, pairwise=pairwise, truncation=7)[0].labels
        np.testing.assert_array_equal(labels[scribbles > 0], np.searchsorted([1, 3, 4, 8], scribbles[scribbles > 0]))
    cheap = labeled(image, scribbles, seed_cost=0.1)[0].labels
    assert (cheap[44:47, 44:47] == 3).all()


def test_without_smoothness_no_move_helps():
    image, _, scribbles = quarters()
    result, run = labeled(image, scribbles, smoothness=0.0)
    assert result.facts["moves that lowered the energy"] == 0 and len(run.frames) == 1
    assert result.facts["moves tried"] == 4 and result.facts["smoothness energy"] == 0


def test_missing_and_wrong_scribbles_say_what_to_draw():
    image, _, scribbles = quarters()
    with pytest.raises(ScribbleError, match="no scribbles"):
        labeled(image, None)
    with pytest.raises(ScribbleError, match="Only Green is drawn.*other colour"):
        labeled(image, np.where(scribbles == 3, 3, 0))
    with pytest.raises(ScribbleError, match="contain 9"):
        labeled(image, np.where(scribbles == 3, 9, scribbles))
    with pytest.raises(ParameterError, match="metric"):
        labeled(image, scribbles, pairwise="truncated-quadratic", truncation=7)
    labeled(image, scribbles, pairwise="truncated-quadratic", truncation=7, moves="swap")


@pytest.mark.parametrize("size", [(2, 2), (2, 60), (60, 2)])
def test_smallest_photos_with_a_label_per_pixel(size):
    image = np.random.default_rng(1).integers(0, 256, (*size, 3)).astype(np.uint8)
    scribbles = np.zeros(size, np.uint8)
    scribbles[:2, :2] = [[1, 2], [5, 8]]
    assert labeled(image, scribbles)[0].labels[:2, :2].tolist() == [[0, 1], [2, 3]]


def test_a_run_can_be_stopped_and_the_pad_has_all_brushes():
    image, _, scribbles = quarters()
    calls = []
    run = Run(scribbles=scribbles, is_cancelled=lambda: len(calls) >= 4, on_step=lambda f, text: calls.append(text))
    with pytest.raises(Cancelled):
        expansion(image, ExpansionParams(), run)
    assert any("expands" in text for text in calls)
    assert get_method("expansion").needs_scribbles and "expansion" in methods()
    assert [brush["name"] for brush in brushes_of(get_method("expansion"))] == list(BRUSHES.names)
