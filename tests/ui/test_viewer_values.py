"""What Python sends to the mask viewer: exact, plain, bounded in size."""

import json

import numpy as np
import pytest
from sent import unpack
from viewer_samples import NASTY, photo, pixels_of, rich, segmentation, stripes

from segdemo.labels import distinct_colours
from segdemo.segmentation import ENERGY, Frame, Picture
from segdemo.ui.viewer import viewer_value
from segdemo.ui.viewer.payload import fit, pack


@pytest.mark.parametrize("count, width", [(3, 1), (256, 1), (257, 2), (4000, 2), (70000, 4)])
def test_packed_labels_are_exact(count, width):
    labels = (np.arange(260 * 300).reshape(260, 300) * 7919) % count
    packed = pack(labels)
    assert packed["bytes"] == width
    np.testing.assert_array_equal(unpack(packed), labels)


def test_value_is_plain_json_and_complete():
    value = viewer_value(photo(), rich(), "k-means", "0.3 s")
    again = json.loads(json.dumps(value, allow_nan=False))
    assert again == value
    assert again["title"] == "k-means" and again["subtitle"] == "0.3 s" and again["size"] == [60, 90]
    assert again["names"][1] == NASTY
    assert again["energy"] == [9.0, 4.0, 1.5] and [frame["caption"] for frame in again["frames"]][0] == "iteration 0"
    assert again["facts"] == [[NASTY, "812"], ["energy", "1.5"]] and again["timings"] == [["stage", 0.25]]
    assert sum(again["shares"]) == pytest.approx(1)
    np.testing.assert_array_equal(unpack(again["labels"]), stripes(60, 90, 4))


def test_an_energy_is_written_alike_in_caption_curve_and_facts():
    frames = [Frame(f"round {i}: energy {ENERGY}", stripes(4, 6, 2)) for i in range(3)]
    energy = [181234.5, 170001.875, 170001.625]
    facts = {"energy": 170001.625, "data energy": 169001.25, "rounds": 3}
    value = viewer_value(photo(4, 6), segmentation(4, 6, 2, frames=frames, energy=energy, facts=facts), "cuts")
    assert value["energy_texts"] == ["181,234", "170,001.9", "170,001.6"]
    assert [frame["caption"] for frame in value["frames"]] == [
        f"round {i}: energy {text}" for i, text in enumerate(value["energy_texts"])
    ]
    assert value["last"] == f"result ({value['frames'][-1]['caption']})"
    assert value["count"] == value["shown"] == 3 and value["after"] == [False] * 3
    assert value["facts"] == [["energy", "170,001.6"], ["data energy", "169,001"], ["rounds", "3"]]


def test_an_energys_terms_add_up_to_it_as_written():
    energy, facts = [27612.7, 27610.6], {"energy": 27610.6, "data energy": 15822.4, "smoothness energy": 11788.2}
    frames = [Frame("", stripes(4, 6, 2)) for _ in energy]
    value = viewer_value(photo(4, 6), segmentation(4, 6, 2, frames=frames, energy=energy, facts=facts), "cut")
    assert [text for _, text in value["facts"]] == ["27,611", "15,823", "11,788"]


def test_sizes_are_bounded_and_nothing_is_enlarged():
    frames = [Frame("step", stripes(900, 600, 3), None, {"map": np.zeros((900, 600))})]
    pictures = [Picture("noise", np.random.default_rng(0).integers(0, 255, (1200, 900, 3), np.uint8))]
    large = segmentation(1500, 1000, frames=frames, pictures=pictures, working_scores=np.full((3, 500, 333), 1 / 3))
    value = viewer_value(photo(1500, 1000), large, "large")
    assert pixels_of(value["photo"]).shape == (1024, 683, 3)
    assert (value["labels"]["height"], value["labels"]["width"]) == (1024, 683)
    assert (value["frames"][0]["labels"]["height"], value["frames"][0]["labels"]["width"]) == (512, 341)
    assert pixels_of(value["frames"][0]["maps"]["map"]).shape == (512, 341)
    assert pixels_of(value["pictures"][0]["image"]).shape == (768, 576, 3)
    assert (value["scores"]["planes"]["height"], value["scores"]["planes"]["width"]) == (3 * 192, 128)
    small = viewer_value(photo(2, 2), segmentation(2, 2, 2), "small")
    assert pixels_of(small["photo"]).shape == (2, 2, 3)
    assert fit((1, 5000), 1024) == (1, 1024)
    assert len(json.dumps(value)) < 3e6


def test_colours_survive_the_way():
    image = np.full((40, 60, 3), (200, 60, 20), np.uint8)
    value = viewer_value(image, segmentation(40, 60, pictures=[Picture("flat", image)]), "colours")
    for address in (value["photo"], value["pictures"][0]["image"]):
        np.testing.assert_allclose(pixels_of(address)[..., ::-1], image, atol=4)
    assert value["palette"][0] == "#" + bytes(distinct_colours(1)[0]).hex()


def test_scores_keep_the_labels_that_matter():
    scores = np.full((30, 20, 20), 0.001, np.float32)
    scores[7], scores[2] = 0.6, 0.35
    result = segmentation(20, 20, 30, working_scores=scores)
    result.labels = np.full((20, 20), 2)  # the label of the result comes first, unlikely as it may be
    sent = viewer_value(photo(20, 20), result, "scores")["scores"]
    assert sent["labels"] == [2, 7]
    planes = unpack(sent["planes"]).reshape(2, 20, 20) / 255
    np.testing.assert_allclose(planes, scores[[2, 7]], atol=0.5 / 255 + 1e-6)


def test_long_replays_are_thinned_together_with_their_energy():
    frames = [Frame(str(i), stripes(4, 6, 2)) for i in range(101)]
    energy = [float(i) for i in range(100)] + [float("inf")]
    value = viewer_value(photo(4, 6), segmentation(4, 6, 2, frames=frames, energy=energy), "long")
    assert len(value["frames"]) == len(value["energy"]) == 40
    assert value["frames"][0]["caption"] == "0" and value["frames"][-1]["caption"] == "100"
    assert value["steps"] == [int(frame["caption"]) + 1 for frame in value["frames"]]
    assert value["energy"][1] == float(value["frames"][1]["caption"]) and value["energy"][-1] is None
    misaligned = segmentation(4, 6, 2, frames=frames, energy=[1.0, 2.0])
    assert viewer_value(photo(4, 6), misaligned, "misaligned")["energy"] == []


def test_legend_lists_labels_of_the_replay_too():
    result = segmentation(6, 6, 5, frames=[Frame("first", np.full((6, 6), 4))])
    result.labels = np.full((6, 6), 1)
    assert viewer_value(photo(6, 6), result, "legend")["listed"] == [1, 4]
