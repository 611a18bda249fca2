"""The family of solutions over lambda: each exact, and in the order that theory demands."""

import numpy as np
import pytest
from skimage.measure import perimeter_crofton

from segdemo import Engine
from segdemo.errors import Cancelled, ParameterError, ScribbleError
from segdemo.graphcut.binary import GraphCutParams, graphcut
from segdemo.graphcut.energy import SCALE
from segdemo.lessons.solutions import LAMBDAS, outline_length, solutions
from segdemo.method import Run


def photo(size=40):
    """A noisy bright disc on a dark ground, with a stroke on each."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:size, :size]
    mask = (y - size / 2) ** 2 + (x - size / 2) ** 2 < (size / 3) ** 2
    image = np.where(mask[..., None], (180, 120, 60), (70, 90, 110)) + rng.normal(0, 30, (size, size, 3))
    scribbles = np.zeros((size, size), np.uint8)
    scribbles[size // 2, size // 2 - 4 : size // 2 + 4] = 1
    scribbles[3, 3:-3] = 2
    return image.clip(0, 255).astype(np.uint8), scribbles


@pytest.fixture(scope="module")
def family():
    image, scribbles = photo(56)
    return solutions(image, Run(scribbles=scribbles))


def test_each_is_the_methods_own_cut(family):
    image, scribbles = photo(56)
    for solution in family[::4]:
        params = GraphCutParams(smoothness=solution.smoothness, connected=False)
        result = graphcut(image, params, Run(scribbles=scribbles, keep_frames=False))
        np.testing.assert_array_equal(solution.labels, result.labels)
        assert solution.energy == pytest.approx(result.facts["energy"])
        assert solution.data_energy == pytest.approx(result.facts["data energy"])
        assert solution.cut_edges == result.facts["cut edges"]


@pytest.mark.parametrize("values", [{"seed": 3}, {"sigma": 6.0}, {"neighbours": 4}])
def test_other_parameters_are_the_methods_too(values):
    image, scribbles = photo(56)
    (solution,) = solutions(image, Run(scribbles=scribbles), (20.0,), **values)
    params = GraphCutParams(smoothness=20.0, **values)
    result = graphcut(image, params, Run(scribbles=scribbles, seed=params.seed, keep_frames=False))
    np.testing.assert_array_equal(solution.labels, result.labels)
    assert solution.energy == pytest.approx(result.facts["energy"])


def test_soft_seeds_are_soft_here_too():
    image, scribbles = photo(56)
    scribbles[22, 24:32] = 2  # a wrong stroke
    (solution,) = solutions(image, Run(scribbles=scribbles), (40.0,), seed_cost=0.5)
    result = graphcut(image, GraphCutParams(seed_cost=0.5), Run(scribbles=scribbles, keep_frames=False))
    np.testing.assert_array_equal(solution.labels, result.labels)
    assert solution.energy == pytest.approx(result.facts["energy"])


def test_data_and_border_pull_against_each_other(family):
    assert tuple(s.smoothness for s in family) == LAMBDAS
    data = [s.data_energy for s in family]
    border = [s.smoothness_energy / s.smoothness for s in family[1:]]
    rounding = 0.01
    assert all(later >= earlier - rounding for earlier, later in zip(data, data[1:]))
    assert all(later <= earlier + rounding for earlier, later in zip(border, border[1:]))
    assert data[-1] > data[0] + 1 and border[-1] < border[0] - 1
    # The least energy lies below every other solution's line D + lambda B.
    for solution in family[1:]:
        for other in family[1:]:
            factor = solution.smoothness / other.smoothness
            line = other.data_energy + factor * other.smoothness_energy
            rounding = 0.5 / SCALE * other.cut_edges * (1 + factor)  # of the capacities, at either lambda
            assert solution.energy <= line + rounding


def test_a_large_lambda_shortens_the_outline(family):
    assert family[0].length > 2 * family[-1].length > 0
    assert family[0].smoothness_energy == 0


@pytest.mark.parametrize("neighbours", [4, 8])
def test_length_of_a_disc_and_of_a_line(neighbours):
    y, x = np.mgrid[:200, :200]
    disc = ((y - 100) ** 2 + (x - 100) ** 2 < 70**2).astype(np.uint8)
    assert outline_length(disc, neighbours) == pytest.approx(2 * np.pi * 70, rel=0.01)
    directions = 2 if neighbours == 4 else 4
    assert outline_length(disc, neighbours) == pytest.approx(perimeter_crofton(disc, directions=directions), rel=0.01)
    half = (x < 90).astype(np.uint8)
    assert outline_length(half, neighbours) == pytest.approx(200, rel=0.25 if neighbours == 4 else 0.06)
    assert outline_length(np.zeros((5, 5), np.uint8), neighbours) == 0


def test_own_lambdas_and_bad_input():
    image, scribbles = photo()
    assert [s.smoothness for s in solutions(image, Run(scribbles=scribbles), lambdas=(3.0,), smoothness=7.0)] == [3.0]
    with pytest.raises(ParameterError, match="smoothness"):
        solutions(image, Run(scribbles=scribbles), lambdas=(-1.0,))
    with pytest.raises(ScribbleError, match="object"):
        solutions(image, Run(scribbles=2 * (scribbles == 2).astype(np.uint8)))


def test_through_the_engine_and_stopped():
    image, scribbles = photo(80)
    engine, texts = Engine("cpu"), []
    found = engine.teach(
        solutions, image, working_size=40, scribbles=scribbles, lambdas=(0.0, 5.0), on_step=lambda _, t: texts.append(t)
    )
    assert [s.labels.shape for s in found] == [(40, 40)] * 2 and "λ = 5" in texts
    with pytest.raises(Cancelled):
        engine.teach(solutions, image, scribbles=scribbles, is_cancelled=lambda: len(texts) > 2)
