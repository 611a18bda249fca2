"""The zoo's data, taken from the cards."""

import pytest

from segdemo import methods
from segdemo.networks import checkpoints
from segdemo.ui.zoo import COSTS, SCORES, describe_recipe, entry, thin

READY = [m for m in methods().values() if m.family == "networks" and not m.unavailable() and "/" not in m.name]


@pytest.mark.parametrize("network", READY, ids=lambda m: m.name)
def test_entry_says_what_the_card_says(network):
    shown, card = entry(network), checkpoints.read_card(network.name)
    assert {cost["key"] for cost in COSTS} <= set(shown)
    for scores in (shown["plain"], shown["refined"]):
        assert set(scores) == {s["key"] for s in SCORES}
    assert shown["plain"]["miou7"] == card["scores"]["miou7"]
    assert len(shown["classes"]) == 21 and shown["classes"][8][0] == "cat"
    assert 0 < len(shown["curve"]) <= 120
    assert all(isinstance(name, str) and isinstance(value, str) and value for name, value in shown["facts"])


def test_recipe_in_words():
    recipe = {"start": "scratch", "teacher": "deeplab-v3plus", "mimic": 1.0, "batch": 8, "crop": 192, "rate": 6e-4}
    assert describe_recipe(recipe) == (
        "from nothing, learning from deeplab-v3plus's predictions and features; batches of 8 crops of 192 px, peak rate 0.0006"
    )
    assert describe_recipe(recipe | {"start": "segnet", "teacher": "", "mimic": 0}).startswith(
        "from the trunk of segnet;"
    )


def test_long_curves_are_thinned_and_keep_their_end():
    assert thin(list(range(1000)))[-1] == 999 and len(thin(list(range(1000)))) <= 120
    assert thin([1.0, 2.0]) == [1.0, 2.0]
