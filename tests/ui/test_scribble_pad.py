"""From the pad's strokes to seeds."""

import numpy as np
import pytest

from segdemo.errors import ScribbleError
from segdemo.ui.scribble_pad import rasterize


def stroke(label, *points, size=0.1):
    return {"label": label, "size": size, "points": [list(p) for p in points]}


def test_a_stroke_lies_where_it_was_drawn():
    seeds = rasterize({"strokes": [stroke(1, (0.25, 0.5), (0.75, 0.5))]}, (100, 200))
    assert seeds.shape == (100, 200) and seeds.dtype == np.uint8
    assert seeds[50, 100] == 1 and seeds[50, 55] == 1
    assert not seeds[:30].any() and not seeds[:, :30].any()
    assert (seeds[:, 100] > 0).sum() == pytest.approx(20, abs=2)  # 0.1 of the long side


def test_a_dot_is_a_stroke_too():
    assert rasterize({"strokes": [stroke(2, (0.5, 0.5))]}, (50, 50))[25, 25] == 2


def test_later_strokes_lie_on_top_and_the_eraser_removes():
    line = ((0.1, 0.5), (0.9, 0.5))
    assert set(np.unique(rasterize({"strokes": [stroke(1, *line), stroke(2, *line)]}, (40, 40)))) == {0, 2}
    assert not rasterize({"strokes": [stroke(1, *line), stroke(0, *line, size=0.2)]}, (40, 40)).any()


def test_nothing_drawn():
    for value in (None, {}, {"strokes": []}):
        assert not rasterize(value, (10, 10)).any()


def test_strokes_may_leave_the_photo():
    assert rasterize({"strokes": [stroke(1, (-3, 0.5), (5, 0.5))]}, (20, 20))[10].all()


@pytest.mark.parametrize("value", [
    {"strokes": [{"label": 1}]}, {"strokes": [stroke(9, (0, 0))]}, {"strokes": [stroke(1, (0,))]}, {"strokes": 3}, {"other": 1},
])  # fmt: skip
def test_nonsense_is_refused_with_advice(value):
    with pytest.raises(ScribbleError, match="Clear"):
        rasterize(value, (10, 10))


def test_too_much_is_refused():
    with pytest.raises(ScribbleError, match="fewer"):
        rasterize({"strokes": [stroke(1, *[(0.5, 0.5)] * 200_001)]}, (10, 10))
