"""A human segmentation on the page: what the viewer gets, the table of scores, and the whole way in a browser."""

from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from skimage import data
from steady import wait_for

from segdemo import metrics
from segdemo.ground_truth import GroundTruth
from segdemo.image import content_key, fit
from segdemo.labels import IGNORE
from segdemo.segmentation import Segmentation
from segdemo.ui.cards import Shared
from segdemo.ui.truth import (
    MEASURES,
    NOTHING_RUN,
    Truth,
    as_segmentation,
    follow_photo,
    load_truth,
    score_table,
    truth_column,
    truth_panel,
)
from segdemo.ui.viewer import viewer_value
from segdemo.ui.workshop import Result

PHOTO = fit(data.coffee(), 100)
HALVES = np.repeat([[1, 2]], PHOTO.shape[0], 0).repeat(PHOTO.shape[1] // 2, 1)
THIRDS = np.minimum(np.indices(PHOTO.shape[:2])[0] // 23, 2) + 7


def result(title, labels):
    count = int(labels.max()) + 1
    segmentation = Segmentation(labels, [str(k) for k in range(count)], np.zeros((count, 3), np.uint8))
    return Result.of(title, "", 0.5, PHOTO, segmentation)


def test_people_become_frames_with_largest_regions_first():
    void = HALVES.copy()
    void[:, :5] = IGNORE
    shown = as_segmentation([void, THIRDS])
    assert [frame.caption for frame in shown.frames] == ["person 1 of 2: 2 regions", "person 2 of 2: 3 regions"]
    assert np.array_equal(shown.frames[0].labels == 0, void == IGNORE)
    assert np.all(np.diff(np.bincount(shown.frames[1].labels.ravel())[1:]) <= 0)
    assert len(shown.names) == len(shown.palette) == 4 and shown.labels.max() == 3
    assert viewer_value(PHOTO, shown, "t", "s")
    assert as_segmentation([HALVES]).frames == []


def test_the_table_holds_the_measures_of_this_photo_alone():
    truth = Truth.of(content_key(PHOTO), GroundTruth([HALVES, THIRDS], False))
    other = result("another photo", HALVES)
    other.key = "x"
    assert score_table(None, [result("a", HALVES)]) == ""
    assert score_table(truth, [other]) == NOTHING_RUN
    table = score_table(truth, [result("a < b", HALVES), result("whole", np.zeros_like(HALVES)), other])
    assert "a &lt; b" in table and "another photo" not in table and "people among themselves" in table
    for _, _, measure, _ in MEASURES:
        assert f"<b>{measure(HALVES, truth.unpack().people):.3f}</b>" in table
    assert f"{metrics.segmentation_covering(np.zeros_like(HALVES), truth.unpack().people):.3f}" in table
    assert "people among themselves" not in score_table(
        Truth.of(truth.key, GroundTruth([HALVES], True)), [result("a", HALVES)]
    )


def test_a_truth_stays_with_its_photo(tmp_path):
    own, other, file = (str(tmp_path / name) for name in ("own.png", "other.png", "truth.png"))
    Image.fromarray(PHOTO).save(own)
    Image.fromarray(PHOTO[::-1]).save(other)
    Image.fromarray(THIRDS.astype(np.uint8)).save(file)
    truth, _, value, said = load_truth(file, own)
    assert truth.key == content_key(PHOTO) and value["state"] == "result" and "Loaded" in said
    assert follow_photo(truth, file, own) == follow_photo(None, None, own) == (gr.skip(),) * 5
    assert follow_photo(truth, file, other)[0] is None is follow_photo(truth, file, None)[0]


def test_a_truth_that_came_before_its_photo_is_tried_on_it(tmp_path):
    own, file = str(tmp_path / "own.png"), str(tmp_path / "truth.png")
    Image.fromarray(PHOTO).save(own)
    Image.fromarray(THIRDS.astype(np.uint8)).save(file)
    truth, *_, said = load_truth(file, None)
    assert truth is None and "Choose the photo first" in said
    kept, truth, _, value, said = follow_photo(None, file, own)
    assert kept == gr.skip() and truth.key == content_key(PHOTO) and value["state"] == "result" and "Loaded" in said


def test_the_replay_of_people_ends_with_the_last_of_them(tmp_path, monkeypatch):
    own = str(tmp_path / "own.png")
    Image.fromarray(PHOTO).save(own)
    monkeypatch.setattr("segdemo.ui.truth.load_ground_truth", lambda *_: GroundTruth([HALVES, THIRDS], False))
    *_, value, _ = load_truth("people.mat", own)
    assert [frame["caption"] for frame in value["frames"]] == ["person 1 of 2: 2 regions"]
    assert value["last"] == "person 2 of 2: 3 regions"
    assert value["step_names"][1] == "people" and value["count"] == value["shown"] == 2


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    folder = tmp_path_factory.mktemp("truth")
    Image.fromarray(PHOTO).save(folder / "coffee.png")
    Image.fromarray(THIRDS.astype(np.uint8)).save(folder / "thirds.png")
    Image.fromarray(THIRDS[:20].astype(np.uint8)).save(folder / "small.png")
    with gr.Blocks() as demo:
        path = gr.Textbox(str(folder / "coffee.png"), elem_id="path")
        panel = SimpleNamespace(path=path, file=path)
        shared = Shared(results=gr.State({}), pins=gr.State([]))
        gr.Button("run", elem_id="run").click(lambda: {"thirds": result("Thirds", THIRDS - 7)}, None, shared.results)
        both = lambda: {"thirds": result("Thirds", THIRDS - 7), "halves": result("Halves", HALVES - 1)}  # noqa: E731
        gr.Button("run both", elem_id="both").click(both, None, shared.results)
        column, screen = truth_column()
        truth_panel(panel, shared, column, screen)
        gr.Button("other photo", elem_id="other").click(lambda: "", None, panel.path)
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, inbrowser=False)
    yield url, folder
    demo.close()


def test_in_the_browser(browser, address):
    url, folder = address
    browser.get(url)

    def wait(condition, seconds=30):
        return wait_for(condition, seconds, lambda: browser.find_element("css selector", "body").text)

    def text(name):
        found = browser.find_elements("id", name)
        return found[0].text if found else ""

    def load(name):
        wait(lambda: browser.find_elements("css selector", "#truth-file input[type=file]"))
        browser.find_element("css selector", "#truth-file input[type=file]").send_keys(str(folder / name))

    def remove():
        browser.find_element("css selector", "#truth-file button[aria-label]").click()
        wait(lambda: text("truth-said") == "")

    wait(lambda: browser.find_elements("css selector", "#truth-box button"))
    browser.find_element("css selector", "#truth-box button").click()
    load("small.png")
    wait(lambda: "both must be alike" in text("truth-said"))
    assert not text("viewer-truth")
    browser.find_element("id", "run").click()
    remove()
    load("thirds.png")
    wait(lambda: "Loaded: one label map." in text("truth-said"))
    wait(lambda: "Human segmentation" in text("viewer-truth"))
    wait(lambda: "Thirds" in text("truth-table") and "1.000" in text("truth-table"))
    browser.find_element("id", "both").click()  # a result that comes when there is a truth already
    wait(lambda: "Halves" in text("truth-table"))
    browser.find_element("id", "other").click()
    wait(lambda: not text("viewer-truth") and text("truth-table") == "")
