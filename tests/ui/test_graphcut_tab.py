"""The graph-cut tab in a browser: the pad's tools and files, and the two lessons."""

import io
import time

import numpy as np
import pytest
import skimage.data
from PIL import Image

from segdemo import Engine, methods
from segdemo.ui.graphcut import LiveEngine, suffices
from segdemo.ui.scribble_pad import labels_drawn, rasterize

pytest.importorskip("selenium")
from graphcut_tab import SIZE, STROKES, Tab  # noqa: E402
from page_driver import served  # noqa: E402
from selenium.webdriver import ActionChains, Keys  # noqa: E402
from selenium.webdriver.common.actions import interaction  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from steady import centre, console_errors, load  # noqa: E402

CATCH_DOWNLOADS = """window.caught = [];
HTMLAnchorElement.prototype.click = function () {
  const name = this.download; fetch(this.href).then((r) => r.arrayBuffer()).then((buffer) => {
    window.caught.push([name, btoa(String.fromCharCode(...new Uint8Array(buffer)))]); }); };"""


@pytest.fixture(scope="module")
def address():
    with served(Engine("cpu")) as url:
        yield url


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    photo = skimage.data.coffee()[::2, ::2][10 : 10 + SIZE[0], 30 : 30 + SIZE[1]]
    Image.fromarray(photo).save(folder / "cup.png")
    Image.fromarray(photo[::-1]).save(folder / "other.png")
    (folder / "broken.json").write_text("{")
    (folder / "list.json").write_text('{"format": "segdemo scribbles", "strokes": [{"label": 99}]}')
    seeds = np.zeros(SIZE, np.uint8)
    seeds[70:90, 100:140], seeds[:5] = 1, 2
    Image.fromarray(seeds).save(folder / "seeds.png")
    Image.fromarray(seeds[:50]).save(folder / "small.png")
    return folder


@pytest.fixture
def tab(browser, address, files):
    """The graph-cut tab of a freshly loaded page, with a photo on the pad."""
    browser.set_window_size(1400, 1000)
    load(browser, address)
    browser.execute_script("localStorage.clear()")
    tab = Tab(browser)
    tab.open(files / "cup.png")
    yield tab
    browser.execute_script("localStorage.clear()")


def test_live_cuts_have_no_pictures_and_the_same_labels(files):
    photo, engine = np.asarray(Image.open(files / "cup.png")), Engine("cpu")
    full, live = (e.run("graphcut", photo, scribbles=rasterize(STROKES, SIZE)) for e in (engine, LiveEngine(engine)))
    assert full.pictures and not live.pictures
    np.testing.assert_array_equal(full.labels, live.labels)


def test_labels_drawn():
    loaded = {"width": 2, "height": 2, "runs": [0, 1, 4, 2, 2, 1]}
    assert labels_drawn({"strokes": [*STROKES["strokes"], loaded, {"label": 0, "size": 1, "points": []}]}, 8) == {
        1,
        2,
        4,
    }
    assert labels_drawn({"strokes": [loaded]}, 2) == {2} and labels_drawn(None, 2) == labels_drawn({}, 2) == set()


def test_what_suffices_for_a_live_cut():
    assert suffices("graphcut", {1, 2}) and suffices("expansion", {3, 5}) and not suffices("graphcut", {2})
    assert suffices("grabcut", {2}) and not suffices("grabcut", {1})  # a box is background outside of it


def test_strokes_can_be_undone_and_redone(tab):
    tab.draw((0.4, 0.5), (0.6, 0.5))
    tab.brush(2)
    tab.draw((0.1, 0.1), (0.3, 0.1))
    tab.draw((0.2, 0.9), (0.3, 0.9))
    drawn = tab.strokes
    assert [stroke["label"] for stroke in drawn] == [1, 2, 2]
    assert drawn[0]["points"][0] == pytest.approx([0.4, 0.5], abs=0.01)
    assert drawn[0]["points"][-1] == pytest.approx([0.6, 0.5], abs=0.01)
    for key, held, count in (
        ("z", [Keys.CONTROL], 2), ("z", [Keys.CONTROL], 1), ("z", [Keys.CONTROL, Keys.SHIFT], 2), ("y", [Keys.CONTROL], 3),
        ("y", [Keys.CONTROL], 3),
    ):  # fmt: skip
        tab.keys(key, *held)
        assert len(tab.strokes) == count
    tab.press("clear")
    assert tab.strokes == []
    tab.press("undo")
    assert tab.strokes == drawn
    tab.keys("e")
    tab.draw((0.5, 0.4), (0.5, 0.6))
    assert [stroke["label"] for stroke in tab.strokes] == [1, 2, 2, 0]
    assert tab.strokes[-1]["size"] == pytest.approx(1.6 * drawn[0]["size"], rel=0.01)  # no slivers are left beside it
    assert not tab.one("#pad [data-testid=redo]").is_enabled()  # a new stroke ends the other future
    tab.browser.execute_script("Storage.prototype.setItem = () => { throw new Error('refused') }")
    tab.draw((0.8, 0.4), (0.8, 0.6))
    assert len(tab.strokes) == 5


def test_a_result_stays_until_the_next_one_comes(tab):
    state = lambda: tab.one("#viewer-graphcut .sv").get_attribute("data-state")  # noqa: E731
    assert "press Cut" in tab.one("#viewer-graphcut").text  # the pad has spoken since, about its photo
    tab.draw((0.4, 0.5), (0.6, 0.5))
    tab.brush(2)
    tab.draw((0.1, 0.1), (0.9, 0.1))
    cut = "[...document.querySelectorAll('button')].find((b) => b.innerText.trim() === 'Cut').click()"
    tab.browser.execute_script(cut)
    tab.wait(lambda: state() == "result")
    turn = tab.one("#viewer-graphcut .sv").get_attribute("data-turn")
    age = tab.one("#viewer-graphcut [data-testid=stale]")
    assert not age.is_displayed()
    tab.draw((0.1, 0.9), (0.9, 0.9))
    time.sleep(1)
    assert state() == "result" and tab.one("#viewer-graphcut .sv").get_attribute("data-turn") == turn
    assert "before the last stroke" in age.text
    tab.browser.execute_script(cut)
    tab.wait(lambda: tab.one("#viewer-graphcut .sv").get_attribute("data-turn") != turn and state() == "result")
    assert not age.is_displayed()
    # A stroke drawn while a cut is under way is not in its result.
    turn = tab.one("#viewer-graphcut .sv").get_attribute("data-turn")
    tab.browser.execute_script(cut + ";setTimeout(() => document.querySelector('#pad [data-testid=undo]').click(), 30)")
    tab.wait(lambda: tab.one("#viewer-graphcut .sv").get_attribute("data-turn") != turn)
    assert "before the last stroke" in age.text


def test_zoom_pan_and_fingers(tab):
    tab.press("zoom-in")
    zoomed = "return document.querySelector('#pad .pad').scribblePad.view.zoom"
    assert tab.browser.execute_script(zoomed) == 1.5
    tab.draw((0.5, 0.5), (0.8, 0.5))
    line = tab.strokes[-1]["points"]
    assert line[0] == pytest.approx([0.5, 0.5], abs=0.01) and line[-1] == pytest.approx([0.7, 0.5], abs=0.01)
    tab.press("hand")
    tab.draw((0.5, 0.5), (0.65, 0.5))  # moves the photo to the right by a tenth of its width
    assert len(tab.strokes) == 1
    tab.press("hand")
    tab.draw((0.5, 0.5), (0.5, 0.8))
    assert tab.strokes[-1]["points"][0] == pytest.approx([0.4, 0.5], abs=0.01)
    tab.press("zoom-reset")
    tab.draw((0.2, 0.2), (0.4, 0.4), kind=interaction.POINTER_TOUCH)
    assert len(tab.strokes) == 3 and tab.strokes[-1]["points"][-1] == pytest.approx([0.4, 0.4], abs=0.01)
    tab.draw((0.2, 0.6), (0.4, 0.6), kind=interaction.POINTER_PEN)
    assert len(tab.strokes) == 4
    tab.drag([[(0.45, 0.5), (0.3, 0.5)], [(0.55, 0.5), (0.7, 0.5)]])  # two fingers zoom and draw nothing
    assert tab.browser.execute_script(zoomed) > 2 and len(tab.strokes) == 4


def test_scribbles_are_saved_loaded_and_outlive_a_reload(tab, files, address, tmp_path):
    tab.browser.execute_script(CATCH_DOWNLOADS)
    tab.draw((0.4, 0.5), (0.6, 0.55))
    tab.brush(2)
    tab.draw((0.1, 0.1), (0.5, 0.1))
    drawn = tab.strokes
    tab.press("save-strokes")
    tab.press("save-png")
    (tmp_path / "strokes.json").write_bytes(tab.saved("scribbles.json"))
    picture = Image.open(io.BytesIO(tab.saved("scribbles.png")))
    assert picture.mode == "P" and picture.size == SIZE[::-1]
    np.testing.assert_array_equal(np.asarray(picture), rasterize({"strokes": drawn}, SIZE))
    for name, words in (
        ("broken.json", "not valid JSON"),
        ("list.json", "damaged"),
        ("cup.png", "colours"),
        ("small.png", "240 x 50"),
    ):
        tab.load(files / name)
        tab.wait(lambda words=words: words in tab.say("error"))
        assert tab.strokes == drawn
    tab.load(files / "seeds.png")
    tab.wait(lambda: "Loaded seeds.png" in tab.say("note"))
    assert not tab.say("error")
    np.testing.assert_array_equal(
        rasterize({"strokes": tab.strokes}, SIZE), np.asarray(Image.open(files / "seeds.png"))
    )
    tab.press("undo")
    assert tab.strokes == drawn
    tab.press("clear")
    tab.load(tmp_path / "strokes.json")
    tab.wait(lambda: tab.strokes == drawn)

    tab.browser.get(address)
    tab.open(files / "cup.png")
    assert tab.strokes == drawn and "back" in tab.say("note")
    tab.browser.get(address)
    tab.open(files / "other.png")
    assert tab.strokes == []


def test_without_a_photo_the_pad_holds_nothing(tab, files):
    tab.draw((0.4, 0.5), (0.6, 0.5))
    drawn = tab.strokes
    tab.click("#photo button[aria-label='Remove Image']")
    tab.wait(lambda: tab.one("#pad .pad").get_attribute("data-state") == "empty")
    assert tab.strokes == [] and not tab.one("#pad [data-testid=undo]").is_enabled()
    tab.browser.execute_script("document.querySelector('#pad .pad').focus()")
    tab.keys("z", Keys.CONTROL)
    tab.open(files / "cup.png")
    assert tab.strokes == drawn and "back" in tab.say("note")
    assert [entry for entry in tab.browser.get_log("browser") if "TypeError" in entry["message"]] == []


def test_the_lessons(tab):
    for lesson in ("graph-lesson", "solutions-lesson"):
        tab.click(f"#{lesson} button")
    tab.press("gp-show")
    tab.wait(lambda: "no scribbles" in tab.one("[data-testid=gp-error]").text)
    tab.draw((0.45, 0.5), (0.6, 0.5))
    tab.brush(2)
    tab.draw((0.05, 0.05), (0.9, 0.05))
    tab.press("gp-show")
    graph = tab.wait(lambda: tab.browser.find_element(By.CSS_SELECTOR, ".gp[data-state=result]"))
    patch = lambda name: tab.browser.execute_script(f"return arguments[0].graphLesson.patch.{name}", graph)  # noqa: E731
    assert len(graph.find_elements(By.CSS_SELECTOR, "[data-node]")) == 64
    assert len(graph.find_elements(By.CSS_SELECTOR, ".gp-edge")) == 128 + 2 * 56 + 2 * 49
    assert not tab.one("[data-testid=gp-error]").is_displayed()
    tab.press("gp-next")
    assert "Path 1" in tab.one("[data-testid=gp-caption]").text
    assert len(graph.find_elements(By.CSS_SELECTOR, ".gp-over")) == 2
    graph.send_keys(Keys.END)
    caption = tab.one("[data-testid=gp-caption]").text
    assert (
        "No path is left" in caption
        and caption.split("Maximum flow ")[1].split()[0] == caption.split("cut ")[1].split(":")[0]
    )
    assert len(graph.find_elements(By.CSS_SELECTOR, ".gp-cut")) == len(patch("cut")) > 0
    total = sum(step[0] for step in patch("steps"))
    assert total == patch("total") == sum(np.array(patch("capacities"))[patch("cut")])
    graph.send_keys(Keys.HOME)  # and back: no flow is left anywhere
    assert not np.any(patch("flow"))
    corner, picker = patch("corner"), tab.one("[data-testid=gp-picker]")
    centre(tab.browser, picker)
    ActionChains(tab.browser).move_to_element_with_offset(picker, -100, -40).click().perform()
    tab.wait(lambda: patch("corner") != corner)
    choose = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))"
    for name, value in (("size", 4), ("side", 64)):  # two questions at once: the answer to the second counts
        tab.browser.execute_script(choose, tab.one(f"[data-testid=gp-{name}]"), value)
    tab.wait(lambda: (patch("shape"), patch("working")) == ([4, 4], [64, 43]))
    assert not tab.one("[data-testid=gp-busy]").is_displayed()

    tab.press("so-show")
    tab.wait(lambda: tab.browser.find_element(By.CSS_SELECTOR, ".so[data-state=result]"))
    assert len(tab.browser.find_elements(By.CSS_SELECTOR, ".so-frame img")) == 12
    tab.click(".so-frame")
    assert "λ = 0" in tab.one("[data-testid=so-caption]").text
    ages = [tab.one(f"[data-testid={name}-stale]") for name in ("gp", "so")]
    changed = "window.dispatchEvent(new CustomEvent('segdemo-changed', { detail: { isOfLessons: %s } }))"
    tab.browser.execute_script(changed % "false")
    assert not any(age.is_displayed() for age in ages)
    tab.browser.execute_script("document.querySelector('#pad [data-testid=undo]').click()")
    tab.wait(lambda: all("have changed" in age.text for age in ages))
    tab.browser.execute_script("document.querySelector('#pad [data-testid=redo]').click()")
    tab.press("so-show")
    tab.wait(lambda: not ages[1].is_displayed())
    assert ages[0].is_displayed()
    tab.click("#examples button.thumbnail-item")  # another photo: both lessons are empty again
    tab.wait(lambda: not graph.find_element(By.CSS_SELECTOR, "[data-testid=gp-body]").is_displayed())
    tab.wait(lambda: not tab.one("[data-testid=so-body]").is_displayed())
    assert console_errors(tab.browser) == []


@pytest.mark.skipif("expansion" not in methods(), reason="there is no method with more than two brushes")
def test_brushes_follow_the_method_and_strokes_stay(tab):
    names = lambda: [b.text for b in tab.browser.find_elements(By.CSS_SELECTOR, "#pad [data-testid=brushes] button")]  # noqa: E731
    assert names() == ["Object", "Background", "Eraser"]
    tab.click('input[type=radio][value="expansion"]')
    tab.wait(lambda: len(names()) == 9)
    for label, place in ((1, 0.2), (2, 0.5), (5, 0.8)):
        tab.keys(str(label))
        tab.brush(label)
        tab.draw((place, 0.4), (place, 0.6))
    assert [stroke["label"] for stroke in tab.strokes] == [1, 2, 5] and not tab.say("ignored")
    tab.click('input[type=radio][value="graphcut"]')
    tab.wait(lambda: len(names()) == 3)
    assert len(tab.strokes) == 3 and "left out" in tab.say("ignored")


def test_a_box_is_a_stroke_like_others(tab, files, address, tmp_path):
    tab.browser.execute_script(CATCH_DOWNLOADS)
    tab.press("box")
    assert tab.one("#pad [data-testid=box]").get_attribute("aria-pressed") == "true"
    tab.draw((0.5, 0.5), (0.5, 0.502))  # a click is no box
    assert tab.strokes == []
    tab.draw((0.3, 0.9), (0.8, 0.2))
    assert tab.strokes == [{"label": 2, "box": pytest.approx([0.3, 0.2, 0.8, 0.9], abs=0.01)}]
    assert tab.one('#pad [data-label="1"]').get_attribute("aria-pressed") == "true"  # and the box is put down
    tab.draw((0.5, 0.5), (0.6, 0.5))
    tab.keys("b")
    tab.draw((0.2, 0.1), (1.2, 0.8), kind=interaction.POINTER_TOUCH)  # beyond the photo
    boxed = tab.strokes
    assert [("box" in stroke, stroke["label"]) for stroke in boxed] == [(False, 1), (True, 2)]
    assert boxed[1]["box"] == pytest.approx([0.2, 0.1, 1, 0.8], abs=0.01)
    tab.press("undo")
    assert tab.strokes[0]["box"] == pytest.approx([0.3, 0.2, 0.8, 0.9], abs=0.01)
    tab.keys("y", Keys.CONTROL)
    assert tab.strokes == boxed
    tab.press("save-strokes")
    tab.press("save-png")
    (tmp_path / "box.json").write_bytes(tab.saved("scribbles.json"))
    seeds = np.asarray(Image.open(io.BytesIO(tab.saved("scribbles.png"))))
    np.testing.assert_array_equal(seeds, rasterize({"strokes": boxed}, SIZE))
    assert seeds[8, 100] == 2 and seeds[80, 10] == 2 and seeds[60, 70] == 0
    tab.press("clear")
    tab.load(tmp_path / "box.json")
    tab.wait(lambda: tab.strokes == boxed)
    tab.browser.get(address)
    tab.open(files / "cup.png")
    assert tab.strokes == boxed and "back" in tab.say("note")
    tab.click('input[type=radio][value="grabcut"]')
    tab.browser.execute_script(
        "[...document.querySelectorAll('button')].find((b) => b.innerText.trim() === 'Cut').click()"
    )
    tab.wait(lambda: tab.one("#viewer-grabcut, #viewer-graphcut .sv").get_attribute("data-state") == "result")


@pytest.mark.skipif("expansion" not in methods(), reason="there is no method with more than two brushes")
def test_a_box_of_eight_colours_is_of_the_chosen_one(tab):
    tab.click('input[type=radio][value="expansion"]')
    tab.wait(lambda: len(tab.browser.find_elements(By.CSS_SELECTOR, "#pad [data-testid=brushes] button")) == 9)
    tab.brush(6)
    tab.press("box")
    tab.draw((0.2, 0.2), (0.8, 0.8))
    tab.keys("8")
    tab.draw((0.4, 0.5), (0.6, 0.5))
    assert [stroke["label"] for stroke in tab.strokes] == [6, 8]
