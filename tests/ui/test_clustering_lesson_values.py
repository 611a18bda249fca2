"""What the server sends to the clustering lessons and reads of their questions: exact, plain, mistakes in words."""

import json

import numpy as np
from sent import unpack
from skimage import data

from segdemo.image import fit
from segdemo.lessons import colour_cloud as colour_cloud_module
from segdemo.lessons.colour_cloud import colour_cloud, elbow
from segdemo.lessons.slic_steps import slic_steps
from segdemo.lessons.spectrum import spectrum
from segdemo.method import Run
from segdemo.ui.lessons.clustering import cloud, slic, toy
from segdemo.ui.lessons.clustering import elbow as elbow_page
from segdemo.ui.lessons.clustering import spectrum as spectrum_page
from segdemo.ui.lessons.teaching import asked, in_words, integer, number, pairs

PHOTO = fit(data.coffee(), 100)


def test_cloud_value_is_plain_and_exact():
    found = colour_cloud(PHOTO, Run(), clusters=4)
    value = json.loads(json.dumps(cloud.cloud_value(PHOTO, found), allow_nan=False))
    assert len(value["steps"]) == len(found.steps) and value["steps"][-1]["number"] == found.steps[-1].number
    np.testing.assert_array_equal(unpack(value["steps"][2]["labels"]), found.steps[2].labels)
    np.testing.assert_allclose(value["positions"], found.positions, rtol=1e-3, atol=1e-3)
    assert value["pixels"] == found.pixels.tolist() and value["photo"].startswith("data:image/jpeg")


def test_what_was_cut_off_is_not_called_a_minimum(monkeypatch):
    assert cloud.cloud_value(PHOTO, colour_cloud(PHOTO, Run(), clusters=4))["settled"]
    monkeypatch.setattr(colour_cloud_module, "MOST_ITERATIONS", 3)
    assert not cloud.cloud_value(PHOTO, colour_cloud(PHOTO, Run(), clusters=4))["settled"]


def test_spectrum_value_is_plain_and_exact():
    found = spectrum(PHOTO, Run(), superpixels=60)
    value = json.loads(json.dumps(spectrum_page.spectrum_value(PHOTO, found), allow_nan=False))
    np.testing.assert_allclose(unpack(value["weights"]) / 255, found.affinity.toarray(), atol=0.51 / 255)
    np.testing.assert_array_equal(unpack(value["nodes"]), found.superpixels)
    assert value["segmented"]["5"]["labels"] == found.segmented[5].labels.tolist()
    np.testing.assert_allclose(np.transpose(value["eigenvectors"]), found.eigenvectors, rtol=1e-5)

    def leaves(part):
        return [node for half in part["parts"] for node in leaves(half)] if part["parts"] else part["nodes"]

    assert sorted(leaves(value["tree"])) == list(range(found.affinity.shape[0]))


def test_slic_and_elbow_values_are_plain_and_exact():
    steps = slic_steps(PHOTO, Run(), superpixels=300)
    value = json.loads(json.dumps(slic.slic_value(PHOTO, steps), allow_nan=False))
    assert len(value["frames"]) == len(steps.rounds) + 2 == len(value["objectives"]) + 2
    np.testing.assert_array_equal(unpack(value["frames"][3]["labels"]), steps.rounds[2].labels)
    np.testing.assert_array_equal(unpack(value["frames"][-1]["labels"]), steps.superpixels)
    np.testing.assert_allclose(value["frames"][3]["centres"], steps.rounds[2].centres, atol=0.006)
    assert {frame["compactness"] for frame in value["frames"]} == {None}
    steps = slic_steps(PHOTO, Run(), superpixels=300, adaptive=True)
    frames = json.loads(json.dumps(slic.slic_value(PHOTO, steps), allow_nan=False))["frames"]
    np.testing.assert_allclose(frames[3]["compactness"], steps.rounds[2].compactness, rtol=1e-3)
    assert frames[0]["compactness"] == frames[1]["compactness"] and frames[-1]["compactness"] is None
    found = elbow(PHOTO, Run(), most=4)
    value = json.loads(json.dumps(elbow_page.elbow_value(PHOTO, found), allow_nan=False))
    np.testing.assert_array_equal(unpack(value["solutions"][3]["labels"]), found.labels[3])


def test_questions_are_read_with_care():
    assert asked({"ask": {"turn": 3}}) == {"turn": 3} and asked(None) == asked({"ask": 7}) == asked([]) == {}
    assert number({"a": float("nan")}, "a", 2.0) == number({"a": "9"}, "a", 2.0) == number({"a": True}, "a", 2.0) == 2.0
    assert integer({"a": 4.7}, "a", 0) == 4
    assert (
        pairs({"p": [[1, 2], [1], "xy", [None, 1], [3, 4]]}, "p", 5) == [(1, 2), (3, 4)]
        and pairs({"p": 1}, "p", 5) == []
    )
    assert cloud.read_ask({}) == {"clusters": 5, "colour_space": "Lab", "seed": 0, "places": []}
    assert spectrum_page.read_ask({"radius": 3})["radius"] == 3 and slic.read_ask({})["superpixels"] == 100
    assert slic.read_ask({"adaptive": True})["adaptive"] and not slic.read_ask({"adaptive": "no"})["adaptive"]


def test_points_are_clustered_as_asked():
    value = toy.answer({"shape": "bars", "clusters": 0, "width": 0.06})
    assert value["clusters"] == 3 and len(value["points"]) == len(value["kmeans"]) == len(value["spectral"]) == 270
    drawn = [[0.1, 0.1], [0.12, 0.1], [0.9, 0.9], [0.88, 0.9]]
    value = json.loads(json.dumps(toy.answer({"points": drawn, "clusters": 2, "width": 0.1}), allow_nan=False))
    assert value["points"] == drawn and value["kmeans"] == value["spectral"] == [0, 0, 1, 1]


def test_mistakes_and_defects_become_words():
    few = in_words(lambda: toy.answer({"points": [[0.5, 0.5]], "clusters": 2}))
    assert few["state"] == "error" and "draw more" in few["message"]
    assert "server's log" in in_words(lambda: 1 / 0)["message"]
