"""The scribble pad without a mouse: a cursor, a brush that goes down and up, and keys that stay the page's elsewhere."""

import numpy as np
import pytest
import skimage.data
from PIL import Image

from segdemo import Engine

pytest.importorskip("selenium")
from graphcut_tab import Tab  # noqa: E402
from page_driver import served  # noqa: E402
from selenium.webdriver import Keys  # noqa: E402


@pytest.fixture(scope="module")
def address():
    with served(Engine("cpu")) as url:
        yield url


@pytest.fixture
def tab(browser, address, tmp_path):
    """The pad with a photo on it, its canvas focused as by the Tab key."""
    Image.fromarray(skimage.data.coffee()[:160, :240]).save(tmp_path / "cup.png")
    browser.set_window_size(1400, 1000)
    browser.get(address)
    browser.execute_script("localStorage.clear()")
    tab = Tab(browser)
    tab.open(tmp_path / "cup.png")
    focus(tab, "canvas")
    yield tab
    browser.execute_script("localStorage.clear()")


def focus(tab, part):
    tab.browser.execute_script("arguments[0].focus()", tab.one(f"#pad {part}"))


def script(tab, code):
    return tab.browser.execute_script(f"const pad = document.querySelector('#pad .pad').scribblePad; {code}")


def place(tab):
    return script(tab, "return pad.keyboard.at")


def test_arrows_and_space_draw_a_stroke(tab):
    width, height = script(tab, "const { width, height } = pad.view.place; return [width, height]")
    for key, held, by in (
        (Keys.ARROW_RIGHT, [], (6, 0)), (Keys.ARROW_LEFT, [Keys.SHIFT], (-36, 0)), (Keys.ARROW_DOWN, [], (0, 6)), (Keys.ARROW_UP, [Keys.SHIFT], (0, -36)),
    ):  # fmt: skip
        before = place(tab)
        tab.keys(key, *held)
        assert np.subtract(place(tab), before) * (width, height) == pytest.approx(by, abs=0.01)
    assert tab.strokes == []
    start = place(tab)
    tab.keys(" ")
    for _ in range(3):
        tab.keys(Keys.ARROW_RIGHT)
    assert tab.strokes == [] and "pad-down" in tab.one("#pad [data-testid=cursor]").get_attribute("class")
    tab.keys(" ")
    (stroke,) = tab.strokes
    assert stroke["label"] == 1 and len(stroke["points"]) == 4
    assert stroke["points"][0] == pytest.approx(start) and stroke["points"][-1] == pytest.approx(place(tab))
    size = tab.one("#pad [data-testid=size]").get_attribute
    before = int(size("value"))
    tab.keys("2"), tab.keys("+"), tab.keys("+"), tab.keys("-")
    assert int(size("value")) == before + 4
    tab.keys(Keys.ENTER), tab.keys(Keys.ENTER)  # a dot
    assert [(s["label"], len(s["points"])) for s in tab.strokes] == [(1, 4), (2, 1)]
    assert tab.strokes[1]["size"] > tab.strokes[0]["size"]
    tab.keys(" "), tab.keys(Keys.ARROW_DOWN), tab.keys(Keys.ESCAPE)
    assert len(tab.strokes) == 2
    tab.keys(" "), tab.keys(Keys.ARROW_DOWN), tab.keys("z", Keys.CONTROL)  # the stroke is drawn, and taken back
    assert len(tab.strokes) == 2
    tab.keys("y", Keys.CONTROL)
    assert len(tab.strokes) == 3
    tab.keys(" "), tab.keys(Keys.ARROW_UP), tab.keys(Keys.TAB)  # whoever leaves has lifted the brush
    assert len(tab.strokes) == 4 and not tab.one("#pad [data-testid=cursor]").is_displayed()


def test_a_box_is_drawn_with_keys(tab):
    tab.keys("b"), tab.keys(" ")
    for key in (Keys.ARROW_RIGHT, Keys.ARROW_DOWN):
        tab.keys(key, Keys.SHIFT), tab.keys(key, Keys.SHIFT)
    tab.keys(" ")
    (box,) = tab.strokes
    assert box["label"] == 2 and box["box"][:2] == [0.5, 0.5] and box["box"][2:] == pytest.approx(place(tab))


def test_the_eraser_makes_way_for_a_box(tab):
    tab.keys("e"), tab.keys("b")
    pressed = script(
        tab, "return [...pad.root.querySelectorAll('[data-label][aria-pressed=true]')].map((b) => b.dataset.label)"
    )
    assert pressed == ["1"] and script(tab, "return pad.isBox")
    tab.keys(" "), tab.keys(Keys.ARROW_RIGHT, Keys.SHIFT), tab.keys(Keys.ARROW_DOWN, Keys.SHIFT), tab.keys(" ")
    (box,) = tab.strokes
    assert box["label"] == 2 and "box" in box


def test_a_stroke_beside_the_photo_is_none(tab):
    touches = "return [[[-0.2, 0.5]], [[1.3, 0.5]], [[-0.2, 0.5], [0.1, 0.5]], [[-0.01, 0.5]]].map((points) => pad.touchesPhoto({ points, size: 0.05 }))"
    assert script(tab, touches) == [False, False, True, True]


def test_the_cursor_stays_on_the_photo_and_in_sight(tab):
    for _ in range(40):
        tab.keys(Keys.ARROW_LEFT, Keys.SHIFT)
    assert place(tab)[0] == 0
    for _ in range(6):
        tab.keys(Keys.PAGE_UP)
    assert script(tab, "return pad.view.zoom") > 3
    for _ in range(20):
        tab.keys(Keys.ARROW_RIGHT, Keys.SHIFT)
    seen = script(tab, "const { x } = pad.view.fromPhoto(pad.keyboard.at); return [x, pad.view.stage.clientWidth]")
    assert 20 <= seen[0] <= seen[1] - 20
    tab.keys("0")
    assert script(tab, "return pad.view.zoom") == 1


def test_keys_are_the_pads_only_while_it_has_the_focus(tab):
    canvas = tab.one("#pad canvas")
    assert canvas.get_attribute("role") == "application" and "Space" in canvas.get_attribute("aria-label")
    assert tab.one("#pad [data-testid=cursor]").is_displayed() and "Space" in tab.one("#pad .pad-hint").get_attribute(
        "textContent"
    )
    before, label = place(tab), script(tab, "return pad.label")
    tab.browser.execute_script("document.activeElement.blur(); window.scrollTo(0, 0)")
    for key in (Keys.ARROW_DOWN, " ", "2", "e"):
        tab.keys(key)
    assert place(tab) == before and script(tab, "return pad.label") == label and tab.strokes == []
    tab.wait(lambda: tab.browser.execute_script("return window.scrollY") > 0)  # the page has its keys
    focus(tab, "canvas")
    tab.keys(" "), tab.keys(" ")
    focus(tab, "[data-testid=undo]")
    tab.keys(" ")  # presses the button and not the brush
    assert tab.strokes == []
    focus(tab, "[data-testid=size]")
    tab.keys(Keys.ARROW_RIGHT)
    assert place(tab) == before
