"""Which pins stand in the comparison tab, and what removing one leaves."""

from types import SimpleNamespace

from segdemo.ui.comparison import HINT, of_last_photo, pinned, titles, without


def pin(key, title="SLIC"):
    return SimpleNamespace(key=key, title=title)


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
