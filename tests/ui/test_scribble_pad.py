"""From the pad's strokes to seeds, to files, and back; and whose brushes they are."""

import base64
import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from segdemo import methods
from segdemo.errors import ScribbleError
from segdemo.labels import BINARY
from segdemo.method import get_method
from segdemo.ui.scribble_pad import brushes_of, load_map, rasterize, read_map, save_map


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


def test_all_outside_a_box_is_a_stroke():
    box = {"label": 2, "box": [0.25, 0.1, 0.75, 0.6]}
    expected = np.full((40, 80), 2)
    expected[4:24, 20:60] = 0
    np.testing.assert_array_equal(rasterize({"strokes": [box]}, (40, 80)), expected)
    line = stroke(1, (0.1, 0.3), (0.6, 0.3))
    below, above = (rasterize({"strokes": strokes}, (40, 80)) for strokes in ([line, box], [box, line]))
    assert (below[12, :20] == 2).all() and (below[12, 20:48] == 1).all() and (above[12, 8:48] == 1).all()
    assert not rasterize({"strokes": [box | {"label": 3}]}, (40, 80), labels=2).any()
    for wrong in ([0, 0, 1], [0, 0, 1, "x"], None, [[0, 0], [1, 1]]):
        with pytest.raises(ScribbleError, match="Clear"):
            rasterize({"strokes": [{"label": 2, "box": wrong}]}, (40, 80))


def test_the_pad_sends_json():
    value = {"key": "x", "strokes": [stroke(1, (0.25, 0.5), (0.75, 0.5))]}
    np.testing.assert_array_equal(rasterize(json.dumps(value), (40, 40)), rasterize(value, (40, 40)))
    for text in ("{", "3", "[]x"):
        with pytest.raises(ScribbleError, match="Clear"):
            rasterize(text, (10, 10))


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


def png(array, mode=None):
    file = io.BytesIO()
    Image.fromarray(np.asarray(array), mode).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def opened(text):
    return Image.open(io.BytesIO(base64.b64decode(text)))


def test_labels_of_another_method_are_left_out_as_if_never_drawn():
    line = ((0.1, 0.5), (0.9, 0.5))
    value = {"strokes": [stroke(1, *line), stroke(3, *line), stroke(8, (0.5, 0.1))]}
    assert set(np.unique(rasterize(value, (40, 40)))) == {0, 3, 8}
    np.testing.assert_array_equal(
        rasterize(value, (40, 40), labels=2), rasterize({"strokes": [stroke(1, *line)]}, (40, 40))
    )


def test_every_method_has_brushes_and_may_bring_its_own(monkeypatch):
    for method in (m for m in methods().values() if m.needs_scribbles):
        brushes = brushes_of(method)
        assert [brush["label"] for brush in brushes] == list(range(1, len(brushes) + 1)) and 2 <= len(brushes) <= 8
        assert all(len(brush["colour"]) == 7 and brush["colour"][0] == "#" and brush["name"] for brush in brushes)
        assert len({brush["colour"] for brush in brushes}) == len({brush["name"] for brush in brushes}) == len(brushes)
    graphcut = get_method("graphcut")
    assert [brush["name"] for brush in brushes_of(graphcut)] == ["Object", "Background"]
    own = [("sky", (0, 16, 255)), ("sea", "#102030"), ("sand", (255, 255, 0))]
    monkeypatch.setattr(sys.modules[graphcut.function.__module__], "BRUSHES", own, raising=False)
    assert [brush["colour"] for brush in brushes_of(graphcut)] == ["#0010ff", "#102030", "#ffff00"]
    monkeypatch.setattr(sys.modules[graphcut.function.__module__], "BRUSHES", BINARY, raising=False)
    assert [brush["name"] for brush in brushes_of(graphcut)] == list(BINARY.names)


def test_a_saved_png_holds_exactly_the_seeds():
    value = {"strokes": [stroke(1, (0.2, 0.2), (0.8, 0.3)), stroke(7, (0.5, 0.9)), stroke(0, (0.5, 0.25), size=0.05)]}
    colours = [f"#0000{k:02x}" for k in range(1, 9)]
    saved = save_map({"value": value, "width": 90, "height": 70, "colours": colours})
    picture = opened(saved["png"])
    assert picture.mode == "P" and picture.info["transparency"] == 0
    assert picture.getpalette()[3 * 7 : 3 * 8] == [0, 0, 7]
    np.testing.assert_array_equal(np.asarray(picture), rasterize(value, (70, 90)))
    loaded = load_map({"file": saved["png"], "width": 90, "height": 70})
    np.testing.assert_array_equal(rasterize({"strokes": [loaded]}, (70, 90)), rasterize(value, (70, 90)))
    assert "Clear" in save_map({"value": {"strokes": 3}, "width": 9, "height": 9, "colours": []})["error"]


def test_maps_are_strokes_like_others():
    seeds = np.zeros((30, 40), np.uint8)
    seeds[3:9, 5:30], seeds[20] = 1, 4
    loaded = read_map(png(seeds), (30, 40))
    assert loaded["runs"][:4] == [0, 125, 1, 25]
    on_top = [loaded, stroke(2, (0.5, 0.2), size=0.05), stroke(0, (0.1, 0.68), (0.9, 0.68), size=0.1)]
    drawn = rasterize({"strokes": on_top}, (30, 40))
    assert drawn[5, 20] == 2 and drawn[5, 10] == 1 and drawn[20, 20] == 0
    assert set(np.unique(rasterize({"strokes": [loaded]}, (30, 40), labels=2))) == {0, 1}
    half = rasterize({"strokes": [loaded]}, (15, 20))  # of another size, thin strokes stay
    assert (half[10] == 4).all() and half[3, 10] == 1
    twice = rasterize({"strokes": [loaded]}, (60, 80))
    np.testing.assert_array_equal(twice[::2, ::2], seeds)


@pytest.mark.parametrize("array, words", [
    (np.zeros((20, 30, 3), np.uint8), "colours in place of label numbers"),
    (np.zeros((20, 30), np.uint8), "all of its values are 0"),
    (np.full((20, 30), 9, np.uint8), "contains the value 9"),
    (np.ones((30, 20), np.uint8), "20 x 30 pixels, the photo is 30 x 20"),
])  # fmt: skip
def test_other_pictures_are_no_scribbles(array, words):
    with pytest.raises(ScribbleError, match=words):
        read_map(png(array), (20, 30))
    assert words in load_map({"file": png(array), "width": 30, "height": 20})["error"]


@pytest.mark.parametrize(
    "file", ["", "%%%", base64.b64encode(b"no picture").decode(), None, png(np.ones((9, 9), np.uint8))[:60]]
)
def test_other_files_are_no_scribbles(file):
    with pytest.raises(ScribbleError, match="neither a PNG"):
        read_map(file, (9, 9))


@pytest.mark.parametrize("runs", [[], [1], [1, 5], [1, -3, 1, 15], [9, 12], ["a", 12], [1, 13]])
def test_damaged_maps_are_refused(runs):
    with pytest.raises(ScribbleError, match="Clear"):
        rasterize({"strokes": [{"width": 4, "height": 3, "runs": runs}]}, (3, 4))


def test_a_scattered_map_is_refused():
    with pytest.raises(ScribbleError, match="scattered"):
        read_map(png(np.indices((400, 400)).sum(axis=0).astype(np.uint8) % 2), (400, 400))
