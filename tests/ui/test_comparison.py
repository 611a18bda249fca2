"""Which pins stand in the comparison tab, and what removing one leaves."""

from itertools import count
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest

from segdemo.segmentation import Segmentation
from segdemo.ui.cards import MOST_KEPT, MOST_PINS, pin_result
from segdemo.ui.comparison import HINT, face_off, of_last_photo, pair, pinned, titles, told_apart, without
from segdemo.ui.workshop import Result

NUMBERS = count()


def pin(key, title="SLIC", **params):
    return SimpleNamespace(key=key, title=title, number=next(NUMBERS), about=SimpleNamespace(params=params))


def test_the_pins_of_the_photo_pinned_last_are_shown():
    pins = [pin("a", "x"), pin("b", "y"), pin("a", "z")]
    assert of_last_photo(pins) == [pins[0], pins[2]] and titles(of_last_photo(pins)) == ["1. x", "2. z"]
    assert of_last_photo([]) == []
    assert pinned(0, 0) == HINT and pinned(2, 0) == "2 pinned" and "1 more of other photos" in pinned(2, 1)


def test_one_pin_goes_even_where_one_result_is_pinned_twice():
    twice, other = pin("a"), pin("b")
    pins = [twice, other, twice]
    left = without(0, pins)
    assert len(left) == 2 and left[0] is other and left[1] is twice
    assert without(1, pins) == [twice, other] and without(1, left) == left and without(0, []) == []


def test_namesakes_are_told_apart_by_the_parameters_in_which_they_differ():
    pins = [pin("a", "k-means", clusters=4, seed=0), pin("a", "SLIC", seed=1), pin("a", "k-means", clusters=9, seed=0)]
    assert told_apart(pins) == ["k-means (clusters 4)", "SLIC", "k-means (clusters 9)"]
    assert titles(pins)[2] == "3. k-means (clusters 9)"
    assert told_apart([pins[0], pins[0]]) == ["k-means", "k-means"]


def test_the_divider_keeps_its_pair_while_both_are_there():
    assert pair([3, 5, 8], 5, 3) == [5, 3] and pair([3, 8], 5, 3) == [3, 8]
    assert pair([3, 8], 3, 3) == [3, 8] and pair([3], None, None) == [3, 3] and pair([], 5, 3) == [None, None]


def test_under_the_divider_nothing_is_told_of_one_side_alone_and_the_photo_is_seen():
    photo, labels = np.zeros((20, 30, 3), np.uint8), np.zeros((20, 30), np.int32)

    def result(**further):
        segmentation = Segmentation(labels, ["all"], np.zeros((1, 3), np.uint8), **further)
        return Result.of("k-means", "", 0.1, photo, segmentation)

    left, right = result(), result(opacity=1.0, facts={"clusters": 1}, timings={"clustering": 0.1})
    value = face_off([left, right], left.number, right.number)
    assert value["opacity"] == 0.6 and value["own_colours"] and not value["before"]["own_colours"]
    assert value["facts"] == value["timings"] == []
    assert value["title"] == "2. k-means" and value["before"]["title"] == "1. k-means"
    assert face_off([left], left.number, right.number)["state"] == "empty"


def test_a_pin_too_many_is_refused_and_none_is_lost():
    results, pins = {}, []
    for key in range(MOST_PINS + 1):
        results[str(key)] = pin("photo")
    for key in range(MOST_PINS):
        pins = pin_result(str(key), results, pins)
    assert pin_result("0", results, pins) == pins  # pinned already
    with pytest.raises(gr.Error, match="remove one in the Compare tab"):
        pin_result(str(MOST_PINS), results, pins)
    others = [pin(f"photo {number}") for number in range(MOST_KEPT)]
    assert pin_result("0", results, others)[-1] is results["0"] and len(pin_result("0", results, others)) == MOST_KEPT
