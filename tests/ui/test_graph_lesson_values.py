"""What the server sends to the two graph lessons and reads of their questions: exact, plain, mistakes in words."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import skimage.data
from PIL import Image

from segdemo import Engine
from segdemo.errors import ScribbleError
from segdemo.image import content_key, load_image
from segdemo.lessons.graph_patch import graph_patch
from segdemo.lessons.solutions import solutions
from segdemo.ui.lessons.graph_patch import patch_value, read_ask
from segdemo.ui.lessons.solutions import strip_value
from segdemo.ui.lessons.teaching import in_words, taught
from segdemo.ui.scribble_pad import seeds_on
from segdemo.ui.workshop import Workshop

pytest.importorskip("selenium")
from graphcut_tab import STROKES  # noqa: E402

VISITOR = SimpleNamespace(session_hash="me")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    photo = skimage.data.coffee()[10:330:2, 30:510:2]
    Image.fromarray(photo).save(folder / "cup.png")
    Image.fromarray(photo[::-1]).save(folder / "other.png")
    (folder / "broken.json").write_text("{")
    return folder


def ask(files, lesson, show, strokes=STROKES, file="cup.png", **params):
    return told(Workshop(Engine("cpu")), lesson, lambda photo: params, show, str(files / file), VISITOR, strokes)


def told(*question):
    return in_words(lambda: taught(*question))


def test_what_the_page_is_told_of_a_patch(files):
    shown = json.loads(json.dumps(ask(files, graph_patch, patch_value, working_size=120, size=6)))
    assert shown["state"] == "result" and shown["photo"] == [240, 160] and shown["working"] == [120, 80]
    capacities, flow = np.array(shown["capacities"]), np.zeros(len(shown["ends"]), int)
    for sent, *walk in shown["steps"]:
        for signed in walk:
            flow[abs(signed) - 1] += sent if signed > 0 else -sent
    assert (abs(flow) <= capacities).all() and (flow[: 2 * 36] >= 0).all()
    assert flow[:36].sum() == sum(step[0] for step in shown["steps"]) == capacities[shown["cut"]].sum()
    assert len(shown["colours"]) == len(shown["seeds"]) == len(shown["whole"]) == len(shown["inside"]) == 36


def test_what_the_page_is_told_of_the_family(files):
    show = lambda photo, found: strip_value(photo, found, 40.0)  # noqa: E731
    shown = json.loads(json.dumps(ask(files, solutions, show, working_size=60, lambdas=(0.0, 10.0))))
    assert shown["working"] == [60, 40] and [s["lambda"] for s in shown["solutions"]] == [0, 10]
    assert all(s["picture"].startswith("data:image/jpeg;base64,") for s in shown["solutions"])


def test_lessons_explain_what_is_missing(files):
    def say(**wrong):
        return ask(files, graph_patch, patch_value, **wrong)["message"]

    assert "no scribbles" in say(strokes={})
    assert "background" in say(strokes={"strokes": STROKES["strokes"][:1]})
    assert "first two brushes" in say(strokes={"strokes": [STROKES["strokes"][0] | {"label": 3}]})
    assert "Clear" in say(strokes={"strokes": 3})
    assert "not a picture" in say(file="broken.json")
    assert "size" in say(size=99)
    assert "server's log" in say(nonsense=lambda: 0, working_size="x")
    answer = told(Workshop(Engine("cpu")), graph_patch, None, patch_value, None, VISITOR, STROKES)
    assert "Choose a photo" in answer["message"]


def test_questions_are_brought_into_range():
    assert read_ask({"ask": {"x": 30, "y": 1e9, "size": 6, "side": 64}}, (50, 61), 700) == {
        "centre": (0.5, 0.99), "size": 6, "working_size": 64,
    }  # fmt: skip
    for nothing in (None, {}, {"ask": {"x": "1", "y": float("nan"), "side": 0}}, {"ask": {"x": 3}}):
        assert read_ask(nothing, (50, 61), 700) == {"centre": None, "size": 8, "working_size": 700}
    assert read_ask({"ask": {"size": 1e6, "side": 1e9}}, (50, 61), 700) == {
        "centre": None,
        "size": 12,
        "working_size": 4096,
    }


def test_strokes_of_another_photo_are_no_seeds(files):
    """Cut is pressed while the pad still waits for the new photo."""
    photo, size = load_image(files / "cup.png"), (160, 240)
    mine, other = content_key(photo), content_key(load_image(files / "other.png"))
    for key in ("", mine):
        assert seeds_on(mine, STROKES | {"key": key}, size, 2).any()
    with pytest.raises(ScribbleError, match="another photo"):
        seeds_on(other, STROKES | {"key": mine}, size, 2)
    assert not seeds_on(other, {"key": mine, "strokes": []}, size, 2).any()
    answer = ask(files, graph_patch, patch_value, STROKES | {"key": mine}, "other.png")
    assert answer["state"] == "error" and "another photo" in answer["message"]
