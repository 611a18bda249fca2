"""The clustering lessons in a browser: every control acts, and the picture shows what was computed."""

from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from lesson_page import END, ENTER, LEFT, RIGHT, Page
from PIL import Image
from skimage import data
from steady import console_errors

from segdemo import Engine
from segdemo.image import fit
from segdemo.ui.lessons.clustering import clustering_lessons
from segdemo.ui.workshop import Workshop

PHOTO = fit(data.coffee(), 100)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    file = tmp_path_factory.mktemp("photo") / "coffee.png"
    Image.fromarray(fit(data.coffee(), 160)).save(file)
    with gr.Blocks() as demo:
        path = gr.Textbox(str(file), elem_id="path")
        panel = SimpleNamespace(path=path, file=path)
        gr.Button("no photo", elem_id="none").click(lambda: "", None, panel.path)
        clustering_lessons(Workshop(Engine("cpu")), panel)
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, inbrowser=False)
    yield url
    demo.close()


@pytest.fixture
def page(browser, address):
    page = Page(browser, address)
    yield page
    assert console_errors(browser) == []


def test_kmeans_plays_turns_and_takes_centres_from_the_photo(page):
    page.open("cloud")
    last = page.ask("cloud", "return l.player.last;")
    assert last > 3 and "Iteration 1 of" in page.part("cloud-caption").text
    first = page.canvas("cloud", "l.picture")
    page.part("cloud-player").find_element("css selector", "input").send_keys(END)
    assert "local minimum" in page.part("cloud-caption").text
    assert (page.canvas("cloud", "l.picture") != first).any()
    # The view is a rotation: its axes stay orthonormal and right-handed, and the nearest point lies in front.
    before = page.canvas("cloud", "l.view.board")
    page.part("cloud-cloud").send_keys(LEFT * 3)
    assert (page.canvas("cloud", "l.view.board") != before).any()
    axes = page.ask(
        "cloud",
        "const v = l.view, o = v.project([0, 0, 0]); return [[1, 0, 0], [0, 1, 0], [0, 0, 1]]"
        ".map((p) => v.project(p).map((c, k) => (c - o[k]) * [1 / v.scale, -1 / v.scale, 1][k]));",
    )
    np.testing.assert_allclose(np.array(axes) @ np.transpose(axes), np.eye(3), atol=1e-9)
    assert np.linalg.det(axes) == pytest.approx(1)
    for place in ((0.2, 0.3), (0.6, 0.2)):
        page.click("cloud-photo", *place)
    page.answered("cloud", page.part("cloud-from-places").click)
    np.testing.assert_allclose(page.ask("cloud", "return l.places;"), [(0.2, 0.3), (0.6, 0.2)], atol=0.01)
    assert page.part("cloud-clusters").get_attribute("value") == "2"
    assert len(page.ask("cloud", "return l.result.steps[0].centres;")) == 2
    page.answered("cloud", page.part("cloud-again").click)
    assert page.part("cloud-seed").get_attribute("value") == "1"
    page.browser.execute_script(
        "arguments[0].click()", page.part("cloud-player").find_element("css selector", "[data-act=play]")
    )
    page.wait(lambda: page.ask("cloud", "return l.player.position;") >= 1)


def test_kmeans_in_hsv_is_drawn_in_the_cone(page):
    page.open("cloud")
    page.answered("cloud", lambda: page.part("cloud-space").send_keys("HSV"))
    assert "cone" in page.part("cloud-space-note").text and page.ask("cloud", "return l.result.space;") == "HSV"
    names, drawn, sent = page.ask(
        "cloud",
        "return [l.view.axes.map((axis) => axis.name), [...l.view.points].slice(0, 300), l.result.positions.slice(0, 100)];",
    )
    assert [name.partition(":")[0] for name in names] == ["V·S·cos H", "V·S·sin H", "V"]

    def apart(places):
        places = np.reshape(places, (100, 3))
        return np.linalg.norm(places[:, None] - places, axis=2)

    ratio = apart(drawn).sum() / apart(sent).sum()
    np.testing.assert_allclose(apart(drawn), apart(sent) * ratio, atol=1e-5)  # distances seen are distances used


def test_the_painting_of_kmeans_says_what_it_shows(page):
    page.open("cloud")
    seen = {}
    for name in ("hue", "mean", "photo"):
        page.part("cloud-paint").find_element("css selector", f"[value={name}]").click()
        seen[page.part("cloud-picture-note").text] = page.canvas("cloud", "l.picture")
    assert len(seen) == 3
    first, second, third = seen.values()
    assert (first != second).any() and (second != third).any()
    lines = (third[..., :2] > 180).all(2) & (third[..., 2] < 90)  # in yellow, on the photo
    assert 0.01 < lines.mean() < 0.6


def test_spectrum_reads_affinities_blocks_and_cuts(page):
    page.open("spectrum")
    page.click("spectrum-affinity", 0.1, 0.9)
    node = page.ask("spectrum", "return l.node;")
    expected = page.ask(
        "spectrum",
        "const {width, height, values} = l.result.nodes; return values[Math.floor(0.9 * height) * width + Math.floor(0.1 * width)];",
    )
    assert node == expected and f"Superpixel {node + 1} " in page.part("spectrum-affinity-caption").text
    ordered = page.canvas("spectrum", "l.boards.matrix")
    page.part("spectrum-order").find_elements("css selector", "button")[1].click()
    assert (page.canvas("spectrum", "l.boards.matrix") != ordered).any()
    offer = page.part("spectrum-offer")
    suggested = page.ask("spectrum", "return l.result.suggested;")
    is_clear = "no clear gap" not in page.part("spectrum-gap-caption").text
    assert offer.text == (f"Use K = {suggested}" if is_clear else f"Try K = {suggested} all the same")
    assert bool(page.part("spectrum-values").find_elements("css selector", ".cl-gap.cl-unclear")) != is_clear
    if offer.is_enabled():
        offer.click()
    assert f"K = {suggested}:" in page.part("spectrum-matrix-caption").text
    least = page.part("spectrum-cut-caption").text
    smaller = page.ask(
        "spectrum",
        "const { sweep, best, areas } = l.result, below = sweep.order.slice(0, sweep.below[best]).reduce((s, i) => s + areas[i], 0);"
        "return Math.min(below, 1 - below);",
    )
    assert page.part("spectrum-speck").is_displayed() == (smaller < 0.02)
    assert "no threshold has a smaller Ncut" in least
    cut = page.canvas("spectrum", "l.boards.cut")
    page.part("spectrum-threshold").send_keys(RIGHT * 9)
    assert (
        "the least is" in page.part("spectrum-cut-caption").text
        and (page.canvas("spectrum", "l.boards.cut") != cut).any()
    )
    page.part("spectrum-least").click()
    assert page.part("spectrum-cut-caption").text == least
    leaves = page.ask("spectrum", "return l.tree.leaves.length;")
    page.part("spectrum-limit").send_keys(END)
    grown = page.ask("spectrum", "return l.tree.leaves.length;")
    assert (
        grown > leaves and page.ask("spectrum", "return l.part('tree').querySelectorAll('g').length;") == 2 * grown - 1
    )
    overlaps = page.ask(
        "spectrum",
        "const boxes = [...l.part('tree').querySelectorAll('text')].map((t) => t.getBBox()), view = l.part('tree').viewBox.baseVal;"
        "const meet = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;"
        "return boxes.filter((a, i) => boxes.some((b, j) => j < i && meet(a, b))"
        " || a.x < view.x || a.y < view.y || a.x + a.width > view.x + view.width || a.y + a.height > view.y + view.height).length;",
    )
    assert overlaps == 0
    page.part("spectrum-tree").find_element("css selector", "g").send_keys(ENTER)
    assert "100 %" in page.part("spectrum-tree-caption").text
    page.answered("spectrum", lambda: page.part("spectrum-colour").send_keys(RIGHT))
    assert page.part("spectrum-colour-value").text == "16"


def test_a_cut_that_isolates_a_speck_is_explained_and_a_fair_one_is_not(page):
    page.open("spectrum")
    tell = "Object.assign(l.result, {areas: l.result.areas.map(() => 1 / l.result.count)}); l.result.best = arguments[0]; l.warnOfSpeck();"
    count = page.ask("spectrum", "return l.result.count;")
    for below, is_seen in ((1, True), (count // 2, False), (count - 1, True)):
        page.ask("spectrum", tell.replace("arguments[0]", f"l.result.sweep.below.indexOf({below})"))
        assert page.part("spectrum-speck").is_displayed() == is_seen
    assert f"only {100 / count:.1f} % of the photo" in page.part("spectrum-speck").text


def test_on_a_phone_no_words_of_the_curve_meet_and_the_tree_has_room(page):
    page.open("spectrum")
    page.browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    )
    try:
        page.wait(lambda: page.part("spectrum-curve").size["width"] < 400)
        meet = page.ask(
            "spectrum",
            "l.curve.notes.mark = l.curve.values.length - 1; l.curve.redraw();"
            "const boxes = [...l.part('curve').querySelectorAll('text')].map((t) => t.getBBox()).filter((b) => b.width);"
            "const meet = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;"
            "return boxes.some((a, i) => boxes.some((b, j) => j < i && meet(a, b)));",
        )
        assert not meet
        clipped = page.ask(
            "spectrum",
            "const leaf = (depth) => (depth ? { pixels: 1, ncut: 0, parts: [leaf(depth - 1), leaf(0)], nodes: [] } : { pixels: 1, ncut: null, parts: [], nodes: [0] });"
            "Object.assign(l.tree, { root: leaf(4), pixels: 5 }); l.tree.prune(-1);"
            "return l.part('tree').parentElement.scrollWidth - l.part('tree').parentElement.clientWidth;",
        )
        assert clipped <= 0
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_points_are_drawn_and_clustered(page):
    page.open("toy")
    assert page.ask(
        "toy", "return [l.result.kmeans, l.result.spectral].map((s) => s.slice(60).every((k) => k === s[60]));"
    ) == [False, True]
    page.part("toy-clear").click()
    page.part("toy-show").click()
    page.wait(lambda: "draw some" in page.part("toy-error").text)
    for x, y in ((0.2, 0.2), (0.25, 0.2), (0.6, 0.6)):
        page.click("toy-kmeans", x, y)
    page.wait(lambda: page.ask("toy", "return Boolean(l.result) && l.points.length === 3;"))
    page.answered("toy", lambda: page.part("toy-spectral").send_keys(LEFT + ENTER))
    points, labels = page.ask("toy", "return [l.points, l.result.spectral];")
    np.testing.assert_allclose(points, [(0.2, 0.2), (0.25, 0.2), (0.6, 0.6), (0.48, 0.5)], atol=0.01)
    assert labels[0] == labels[1] != labels[2] == labels[3]
    page.part("toy-clusters").send_keys(RIGHT * 3)
    page.wait(lambda: page.part("toy-error").is_displayed() and "draw more" in page.part("toy-error").text)


def test_slic_steps_and_compactness(page):
    page.open("slic")
    assert "Seeds." in page.part("slic-caption").text
    seeds = page.canvas("slic", "l.board")
    slider = page.part("slic-player").find_element("css selector", "input")
    slider.send_keys(RIGHT * 4)
    assert "Round 4 of 10" in page.part("slic-caption").text and (page.canvas("slic", "l.board") != seeds).any()
    page.click("slic-picture", 0.9, 0.9)
    row, column = page.ask("slic", "return l.frame.searched[l.chosen];")
    height, width = page.ask("slic", "return l.result.shape;")
    assert row > 0.75 * height and column > 0.75 * width
    before = page.canvas("slic", "l.board")
    page.answered("slic", lambda: page.part("slic-compactness").send_keys(END))
    assert "Round 4 of 10" in page.part("slic-caption").text and (page.canvas("slic", "l.board") != before).any()
    slider.send_keys(END)
    assert "Connectivity." in page.part("slic-caption").text


@pytest.mark.parametrize("name", ["slic", "spectrum", "toy"])
def test_the_last_of_several_quick_questions_is_answered(page, name):
    page.open(name)
    shows = page.shows(name)
    for pause in (0, 0.1, 0.4, 0.1):  # some come while an answer is computed, some with it
        page.browser.execute_async_script("setTimeout(arguments[1], 1000 * arguments[0])", pause)
        page.ask(name, "l.request();")
    page.wait(lambda: page.ask(name, "return l.part('busy').hidden;"))
    assert page.shows(name) > shows


def test_slico_shows_every_superpixels_own_compactness(page):
    page.open("slic")
    own = page.part("slic-paint").find_element("css selector", "[value=own]")
    assert not own.is_enabled() and page.part("slic-compactness-name").text == "compactness m"
    page.answered("slic", page.part("slic-adaptive").click)
    assert own.is_enabled() and page.part("slic-compactness-name").text == "m in round 1"
    slider = page.part("slic-player").find_element("css selector", "input")
    slider.send_keys(RIGHT)
    assert "In the first round all have the compactness 10." in page.part("slic-caption").text
    slider.send_keys(RIGHT * 3)
    expected = page.ask("slic", "return l.frame.compactness[l.chosen];")
    assert f"Its own compactness is {expected:.1f}," in page.part("slic-caption").text
    plain = page.canvas("slic", "l.board")
    own.click()
    assert (page.canvas("slic", "l.board") != plain).any() and page.part("slic-scale").is_displayed()
    page.part("slic-picture").send_keys(RIGHT)
    label = page.ask(
        "slic",
        "const {width, height, values} = l.frame.labels;"
        "return values[Math.floor(0.5 * height) * width + Math.floor(0.52 * width)];",
    )
    value = page.ask("slic", f"return l.frame.compactness[{label}];")
    hover = page.part("slic-hover").text
    assert hover.startswith(f"Superpixel {label + 1}: ") and hover.endswith(f", own compactness {value:.1f}.")
    page.answered("slic", page.part("slic-adaptive").click)
    assert page.part("slic-paint").get_attribute("value") == "photo" and not page.part("slic-scale").is_displayed()


def test_connected_superpixels_have_no_centre_to_choose(page):
    page.open("slic")
    chosen = page.ask("slic", "return l.chosen;")
    slider = page.part("slic-player").find_element("css selector", "input")
    slider.send_keys(END)
    page.click("slic-picture", 0.9, 0.9)
    slider.send_keys(LEFT)
    assert "Round 10 of 10" in page.part("slic-caption").text and page.ask("slic", "return l.chosen;") == chosen
    page.canvas("slic", "l.board")


def test_an_answer_that_comes_after_another_photo_was_chosen_says_so(page):
    page.open("slic")
    stale = lambda: page.part("slic-stale").is_displayed()  # noqa: E731
    assert not stale()
    answer = "return l.show({ state: 'result', turn: l.turn }).then(() => true);"
    page.ask("slic", "l.tell = () => {}; l.decode = async () => l.result; l.request();")
    page.ask("slic", f"window.dispatchEvent(new Event('segdemo-photo')); {answer}")
    assert stale()
    page.ask("slic", f"l.request(); {answer}")
    assert not stale()


def test_elbow_is_offered_to_kmeans(page):
    page.open("elbow")
    page.answered("elbow", lambda: page.part("elbow-space").send_keys("RGB"))
    suggested = page.ask("elbow", "return l.result.suggested;")
    assert page.part("elbow-use").text == f"Watch k-means with K = {suggested}"
    page.part("elbow-strip").find_elements("css selector", "button")[6].click()
    assert "K = 7:" in page.part("elbow-caption").text
    page.part("elbow-use").click()
    page.wait(lambda: page.shows("cloud") == 1)
    assert len(page.ask("cloud", "return l.result.steps[0].centres;")) == 7
    assert page.ask("cloud", "return l.result.space;") == page.part("cloud-space").get_attribute("value") == "RGB"


def test_without_a_photo_the_lesson_says_so_and_keeps_what_it_shows(page):
    page.open("slic")
    page.browser.find_element("id", "none").click()
    page.wait(lambda: page.part("slic-stale").is_displayed())
    page.part("slic-show").click()
    page.wait(lambda: "Choose a photo" in page.part("slic-error").text)
    assert page.part("slic-picture").is_displayed()
