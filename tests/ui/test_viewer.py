"""The mask viewer in a browser: it holds what Python sends, and every control acts."""

import json
from urllib.parse import urlparse

import gradio as gr
import numpy as np
import pytest
from steady import console_errors, load, wait_for
from viewer_samples import NASTY, counted, long, photo, pixels_of, rich, segmentation

from segdemo.labels import distinct_colours
from segdemo.ui.viewer import as_text, empty_value, error_value, viewer, viewer_value


class Page:
    """The running page, and two viewers on it by number."""

    def __init__(self, browser, address):
        self.browser = browser
        load(browser, address)
        self.wait(lambda: len(browser.find_elements("css selector", ".sv")) == 2)

    def wait(self, condition, seconds=15):
        return wait_for(condition, seconds, lambda: self.browser.get_log("browser"))

    def viewer(self, number):
        return self.browser.find_elements("css selector", ".sv")[number]

    def part(self, number, name):
        return self.viewer(number).find_element("css selector", f'[data-testid="{name}"]')

    def parts(self, number, name):
        return self.viewer(number).find_elements("css selector", f'[data-testid="{name}"]')

    def press(self, button):
        self.browser.find_element("id", button).click()

    def ask(self, script, number=0):
        """Value of ``script`` with ``v``, the viewer's object, drawn to date."""
        return self.browser.execute_script(
            f"const v = arguments[0].maskViewer; v.stage.drawNow(); {script}", self.viewer(number)
        )

    def canvas(self, number=0):
        """(h, w, 4) uint8, what the canvas shows."""
        url = self.ask("return v.part('canvas').toDataURL();", number)
        return pixels_of(url)

    def keys(self, number, *keys):
        self.part(number, "canvas").send_keys(*keys)


@pytest.fixture(scope="module")
def results():
    many = segmentation(120, 240, 4000)
    many.labels = (np.arange(120 * 240).reshape(120, 240) // 7) % 4000
    tiny = segmentation(32, 48, 384, opacity=1.0)
    tiny.labels = np.arange(384).reshape(16, 24).repeat(2, 0).repeat(2, 1)  # every second pixel begins another one
    grey = segmentation(60, 90, 50, opacity=1.0)
    grey.palette[:] = 200
    return {
        "mixed": viewer_value(
            np.full((60, 90, 3), 50, np.uint8), segmentation(60, 90), "few", before=("superpixels", grey)
        ),
        "rich": viewer_value(photo(), rich(), NASTY, "4 M parameters"),
        "many": viewer_value(photo(120, 240), many, "superpixels"),
        "long": viewer_value(photo(), long(), "long"),
        "tiny": viewer_value(np.zeros((32, 48, 3), np.uint8), tiny, "tiny"),
        "counted": viewer_value(photo(), counted(), "counted"),
        "plain": viewer_value(photo(), segmentation(), "plain"),
        "duel": viewer_value(photo(), segmentation(), "right", before=("left", segmentation(count=6))),
    }


@pytest.fixture(scope="module")
def address(results):
    def one_after_another():
        """As runs of several methods do: each yield leaves out what came before."""
        yield {left: as_text(results["rich"])}
        yield {right: as_text(results["plain"])}
        yield {}

    with gr.Blocks() as demo:
        with gr.Row():
            left, right = viewer(group="pair", label="left"), viewer(group="pair", label="right")
        for name in ("rich", "many", "tiny", "long", "counted", "duel", "mixed"):
            gr.Button(name, elem_id=name).click(
                lambda name=name: (results[name], results["plain"]), None, [left, right]
            )
        gr.Button("in turn", elem_id="in-turn").click(one_after_another, None, [left, right])
        gr.Button("fail", elem_id="fail").click(lambda: error_value("Draw a stroke first."), None, left)
        gr.Button("clear", elem_id="clear").click(lambda: [empty_value("Press Run")] * 2, None, [left, right])
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, inbrowser=False)
    yield url
    demo.close()


@pytest.fixture
def page(browser, address):
    page = Page(browser, address)
    assert page.part(0, "empty-text").text == "No result yet"
    page.press("rich")
    page.wait(lambda: page.viewer(1).get_attribute("data-state") == "result" and page.part(0, "title").text == NASTY)
    page.wait(lambda: page.ask("return Boolean(v.stage.scene);"))
    return page


def test_value_arrives_and_names_stay_text(page):
    assert page.part(0, "subtitle").text == "4 M parameters"
    assert NASTY in [item.find_element("css selector", ".sv-name").text for item in page.parts(0, "legend-item")]
    assert page.part(0, "notices").text == NASTY
    assert page.part(0, "facts").text.replace("\n", " ") == f"{NASTY} 812 energy 1.5"
    assert page.browser.execute_script("return window.hacked") is None
    assert page.canvas().reshape(-1, 4).std(axis=0).max() > 10


def test_values_that_come_in_quick_succession_all_arrive(page):
    """On a slow computer the next yield is there before the value of the one before is drawn."""
    slow = lambda rate: page.browser.execute_cdp_cmd("Emulation.setCPUThrottlingRate", {"rate": rate})  # noqa: E731
    slow(8)
    try:
        for _ in range(4):
            page.press("clear")
            page.wait(lambda: all(page.part(n, "empty").is_displayed() for n in (0, 1)))
            page.press("in-turn")
            page.wait(lambda: page.part(0, "title").text == NASTY and page.part(1, "title").text == "plain")
    finally:
        slow(1)


def test_labels_and_colours_are_exact_in_the_browser(page):
    page.press("many")
    page.wait(lambda: page.part(0, "title").text == "superpixels")
    width, height, values = page.ask("const l = v.result.labels; return [l.width, l.height, [...l.values]];")
    expected = (np.arange(120 * 240).reshape(120, 240) // 7) % 4000
    np.testing.assert_array_equal(np.array(values).reshape(height, width), expected)
    assert "4,000 labels" in page.part(0, "legend-summary").text and not page.parts(0, "legend-item")
    page.part(0, "legend-summary").click()
    page.wait(lambda: len(page.parts(0, "legend-item")) == 500)
    # Alone in the group's other viewer: three flat stripes at full opacity in the palette's colours.
    page.ask("v.setOpacity(100);", 1)
    shown = page.canvas(1)
    height, width = shown.shape[:2]
    for k, colour in enumerate(distinct_colours(3)):
        np.testing.assert_array_equal(shown[height // 2, (2 * k + 1) * width // 6, 2::-1], colour)


def test_legend_hides_shows_and_isolates(page):
    before = page.canvas()
    items = {item.get_attribute("data-label"): item for item in page.parts(0, "legend-item")}
    items["0"].click()
    assert items["0"].get_attribute("aria-pressed") == "false"
    after = page.canvas()
    changed = np.any(before != after, axis=(0, 2))
    width = changed.size
    assert changed[: width // 5].all() and not changed[width * 3 // 10 :].any()
    page.browser.execute_script("arguments[0].dispatchEvent(new MouseEvent('click', {altKey: true}))", items["2"])
    assert page.ask("return [...v.legend.visible];") == [0, 0, 1, 0]
    page.part(0, "show-all").click()
    np.testing.assert_array_equal(page.canvas(), before)


def test_drawing_modes_opacity_and_divider_change_the_canvas(page):
    fill = page.canvas()
    page.part(0, "mode-outline").click()
    outline = page.canvas()
    page.part(0, "mode-both").click()
    both = page.canvas()
    assert (fill != outline).any() and (outline != both).any() and (fill != both).any()
    page.part(0, "mode-fill").click()
    page.keys(0, "b")
    assert page.part(0, "divider").is_displayed()
    divided = page.canvas()
    middle = divided.shape[1] // 2
    np.testing.assert_array_equal(divided[:, middle + 4 :], fill[:, middle + 4 :])
    assert (divided[:, : middle - 4] != fill[:, : middle - 4]).any()
    page.ask("v.setOpacity(0);")
    page.keys(0, "b")
    np.testing.assert_array_equal(page.canvas()[:, : middle - 4], divided[:, : middle - 4])  # the bare photo


def test_lines_on_a_tiny_photo_leave_most_of_its_superpixels_to_be_seen(page):
    page.press("tiny")
    page.wait(lambda: page.part(0, "title").text == "tiny")
    assert page.part(0, "mode-outline").get_attribute("aria-pressed") == "true"
    shown = page.canvas().astype(int)
    yellow = (shown[..., 2] > 200) & (shown[..., 1] > 180) & (shown[..., 0] < 120)
    assert 0.02 < yellow.mean() < 0.4


def test_two_results_under_one_divider_are_read_and_chosen_from_by_themselves(page):
    page.press("duel")
    page.wait(lambda: page.part(0, "title").text == "left | right")
    assert [tag.text for tag in page.viewer(0).find_elements("css selector", ".sv-tag")] == ["left", "right"]
    assert page.part(0, "before-title").text == "Left: left" and page.part(0, "after-title").text == "Right: right"
    assert page.part(0, "compare").get_attribute("aria-pressed") == "true"
    assert page.part(0, "mode-fill").get_attribute("aria-pressed") == "true"
    counts = [
        len(page.part(0, name).find_elements("css selector", ".sv-label")) for name in ("before-legend", "legend")
    ]
    assert counts == [6, 3]
    read = "return [0.1, 0.45, 0.55, 0.9].map((u) => v.read({ u, v: 0.5 })).map((r) => [r.name, r.share]);"
    found = [[name, round(share, 2)] for name, share in page.ask(read)]
    assert found == [["label 0", 0.17], ["label 2", 0.17], ["label 1", 0.33], ["label 2", 0.33]]
    page.ask("v.setOpacity(100);")
    shown = page.canvas()
    height, width = shown.shape[:2]
    colours = distinct_colours(6)
    np.testing.assert_array_equal(shown[height // 2, width // 4, 2::-1], colours[1])
    page.part(0, "before-legend").find_elements("css selector", ".sv-label")[1].click()
    hidden = page.canvas()
    assert (hidden[height // 2, width // 4] != shown[height // 2, width // 4]).any()
    np.testing.assert_array_equal(hidden[:, width // 2 + 4 :], shown[:, width // 2 + 4 :])
    page.part(0, "mode-outline").click()
    assert (page.canvas()[:, : width // 2 - 4] != hidden[:, : width // 2 - 4]).any()
    page.press("rich")
    page.wait(lambda: page.part(0, "title").text == NASTY)
    assert not page.part(0, "before-title").is_displayed() and not page.part(0, "after-title").is_displayed()


def test_a_divider_between_superpixels_and_few_labels_opens_filled_with_both_seen(page):
    page.press("mixed")
    page.wait(lambda: page.part(0, "title").text == "superpixels | few")
    assert page.part(0, "mode-fill").get_attribute("aria-pressed") == "true"
    shown = page.canvas().astype(int)
    height, width = shown.shape[:2]
    # Opacity 0.6 for the side in colours of its own; the side in the colours of the photo is nearly opaque.
    own, few = shown[height // 2, width // 4, 2::-1], shown[height // 2, width * 3 // 4, 2::-1]
    np.testing.assert_allclose(own, 0.96 * 200 + 0.04 * 50, atol=2)
    np.testing.assert_allclose(few, 0.6 * distinct_colours(3)[2] + 0.4 * 50, atol=3)


def test_the_curves_axis_counts_iterations_where_the_replay_leaves_out_some(page):
    page.press("long")
    page.wait(lambda: page.part(0, "frame-count").text == "100 steps, 5 shown")
    places = page.ask("return v.replay.steps.map((_, i) => v.replay.curveX(i));")
    np.testing.assert_allclose(np.diff(places) / (places[-1] - places[0]), np.diff([1, 2, 3, 20, 100]) / 99)
    words = [
        text.get_attribute("textContent") for text in page.viewer(0).find_elements("css selector", ".sv-curve text")
    ]
    assert words[-2:] == ["step 1", "step 100"]
    page.part(0, "energy").find_element("css selector", "svg").click()  # its middle is nearest to iteration 20
    assert page.part(0, "frame-count").text == "step 20 of 100" and page.part(0, "energy-value").text == "3"


def test_the_count_is_of_iterations_without_the_start_and_what_follows_upon_them(page):
    page.press("counted")
    page.wait(lambda: page.part(0, "frame-count").text == "2 iterations")
    words = []
    for _ in range(4):
        page.part(0, "step-back").click()
        words.append(page.part(0, "frame-count").text)
    assert words == ["afterwards", "iteration 2 of 2", "iteration 1 of 2", "iteration 0 of 2"]


def test_replay_steps_jumps_and_ends_with_the_result(page):
    left, right = "\ue012", "\ue014"
    result = page.canvas()
    assert page.part(0, "frame-count").text == "3 steps"
    page.keys(0, left, left)
    page.wait(
        lambda: page.part(0, "caption").text == "iteration 1" and page.part(0, "frame-count").text == "step 2 of 3"
    )
    assert page.part(0, "energy-value").text == "4"
    page.wait(lambda: (page.canvas() != result).any())
    page.part(0, "energy").find_element("css selector", "svg").click()  # its middle is step 2 of 3
    assert page.part(0, "frame-count").text == "step 2 of 3"
    page.part(0, "layer").find_element("css selector", "option[value=belief]").click()
    page.wait(lambda: page.ask("return Boolean(v.stage.scene.map);"))
    page.keys(0, right, right)
    page.wait(lambda: not page.ask("return Boolean(v.stage.scene.map);"))
    np.testing.assert_array_equal(page.canvas(), result)
    page.keys(0, " ", " ")  # plays from the start, and pauses there
    assert (
        page.part(0, "frame-count").text == "step 1 of 3" and page.part(0, "play").get_attribute("aria-label") == "play"
    )
    page.keys(0, " ")
    page.wait(lambda: page.part(0, "frame-count").text == "3 steps")
    assert page.part(0, "play").get_attribute("aria-label") == "play"


def test_viewers_of_a_group_zoom_and_read_together(page):
    page.keys(0, "+", "+")
    page.part(1, "zoom-in").click()
    views = [page.ask("return v.stage.view;", number) for number in (0, 1)]
    assert views[0] == views[1] and views[0]["zoom"] == pytest.approx(1.25**2 * 1.5)
    page.keys(1, "0")
    assert [page.part(number, "zoom-reset").text for number in (0, 1)] == ["100 %", "100 %"]
    actions = pytest.importorskip("selenium.webdriver").ActionChains(page.browser)
    actions.move_to_element(page.part(0, "canvas")).move_by_offset(3, 2).perform()
    page.wait(lambda: page.part(1, "tooltip").is_displayed() and page.part(0, "tooltip").is_displayed())
    assert "label 2" in page.part(0, "tooltip").text and "p = " in page.part(0, "tooltip").text
    assert "label 1" in page.part(1, "tooltip").text
    actions.click().perform()
    page.wait(lambda: len(page.parts(0, "bar")) == 4 and page.part(1, "pin").is_displayed())
    chances = [float(bar.find_element("css selector", ".sv-share").text) for bar in page.parts(0, "bar")]
    assert chances == sorted(chances, reverse=True) and sum(chances) == pytest.approx(1, abs=0.03)
    page.keys(0, "\ue00c")
    assert not page.part(1, "pin").is_displayed()


def test_pictures_enlarge_and_return(page):
    result = page.canvas()
    page.part(0, "picture").click()
    page.wait(lambda: (page.canvas() != result).any())
    assert page.part(0, "note").text == f"{NASTY}: how to read it"
    page.part(0, "picture").click()
    page.wait(lambda: (page.canvas() == result).all())


def test_a_picture_of_the_result_before_comes_too_late(page):
    page.ask("""
        const decode = HTMLImageElement.prototype.decode;
        HTMLImageElement.prototype.decode = () => new Promise((done) => { window.letGo = done; });
        v.enlarge(0);
        HTMLImageElement.prototype.decode = decode;
    """)
    page.press("many")
    page.wait(lambda: page.part(0, "title").text == "superpixels")
    page.browser.execute_async_script("window.letGo(); setTimeout(arguments[0], 100);")
    assert page.ask("return v.picture;") is None and not page.part(0, "back").is_displayed()


def test_errors_keep_the_old_result(page):
    page.press("fail")
    page.wait(lambda: page.part(0, "error").is_displayed())
    assert page.part(0, "error-text").text == "Draw a stroke first."
    assert page.part(0, "canvas").is_displayed() and page.part(0, "title").text == NASTY
    page.press("rich")
    page.wait(lambda: not page.part(0, "error").is_displayed())
    page.press("clear")
    page.wait(lambda: page.part(0, "empty-text").text == "Press Run")
    assert not page.part(0, "canvas").is_displayed()


def test_page_is_silent_and_stays_at_home(page):
    page.part(0, "play").click()
    page.press("many")
    page.wait(lambda: page.part(0, "title").text == "superpixels")
    assert console_errors(page.browser) == []
    events = [json.loads(entry["message"])["message"] for entry in page.browser.get_log("performance")]
    urls = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    hosts = {urlparse(url).hostname for url in urls if url.startswith(("http", "ws"))}
    assert hosts == {"127.0.0.1"}
