"""The lessons on CRFs on the page: what the browser works out agrees with brute force, and every control acts."""

import json
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from lesson_page import END, LEFT, RIGHT, Page
from PIL import Image
from sent import unpack
from skimage import data
from steady import console_errors

from segdemo import Engine, methods
from segdemo.crf.dense import CLIP
from segdemo.errors import SegdemoError
from segdemo.image import fit
from segdemo.lessons.crf_terms import Energy, TermsResult
from segdemo.lessons.mean_field import MeanFieldFilm
from segdemo.lessons.pairwise import PairwiseLesson, exact_kernels
from segdemo.lessons.scanline import scanline
from segdemo.method import Run, get_method
from segdemo.networks.inference import NetworkParams
from segdemo.ui.controls import controls_for
from segdemo.ui.lessons.crf import film_lesson, pairwise_lesson, scanline_lesson, terms_lesson
from segdemo.ui.lessons.crf.film import LEVELS, SCORE_RANGE, film_value
from segdemo.ui.lessons.crf.pairwise import pairwise_value
from segdemo.ui.lessons.crf.parts import board, chosen_network, wire
from segdemo.ui.lessons.crf.scanline import brush_labels, scanline_value
from segdemo.ui.lessons.crf.terms import energies
from segdemo.ui.workshop import Workshop

NETWORK = "fcn-8s"
PHOTO = fit(data.chelsea(), 72)
needs_network = pytest.mark.skipif(bool(methods()[NETWORK].unavailable()), reason="no trained network here")


# --- what is asked again ---------------------------------------------------------------------


def test_answers_are_kept_by_all_that_they_depend_on(tmp_path):
    Image.fromarray(PHOTO).save(tmp_path / "cat.png")
    path, asked = str(tmp_path / "cat.png"), []

    def compute(photo, ask, is_cancelled, weight, strokes):
        asked.append((ask["what"], weight, strokes))
        return {"state": "result", "number": len(asked), "further": {table: {"value": len(asked), "visible": True}}}

    with gr.Blocks() as demo:
        screen, table, weight, pad = gr.HTML(elem_id="lesson"), gr.HTML(), gr.Slider(), gr.HTML()
        panel = SimpleNamespace(path=gr.Textbox(path))
        is_own = lambda ask: ask["what"] == "own"  # noqa: E731
        wire(screen, Workshop(Engine("cpu")), panel, compute, [weight], [table], own=[pad], is_about_own=is_own)
    (answer,) = [event.fn for event in demo.fns.values()]

    def number(what, weight, strokes):
        """Which computation the answer is of; Gradio takes the updates in it apart."""
        shown = answer(SimpleNamespace(session_hash="me"), {"ask": {"what": what, "turn": 1}}, path, weight, strokes)
        assert shown[screen]["number"] == shown[table].pop("value")
        return shown[screen]["number"]

    assert number("a", 3, "stroke") == number("a", 3, "another stroke") == 1
    assert number("a", 4, "stroke") == 2 and number("b", 4, "stroke") == 3 and number("a", 3, "") == 1
    assert number("own", 3, "stroke") == 4 and number("own", 3, "stroke") == 5


# --- what Python sends -----------------------------------------------------------------------


def test_pairwise_value_is_plain_and_exact():
    beliefs = np.random.default_rng(0).dirichlet(np.ones(21), PHOTO.shape[:2]).transpose(2, 0, 1).astype(np.float32)
    lesson = PairwiseLesson(PHOTO, 0.5, beliefs, beliefs.argmax(0), (3, 4))
    value = json.loads(json.dumps(pairwise_value(PHOTO, lesson), allow_nan=False))
    colours = unpack(value["colours"])
    np.testing.assert_array_equal(np.stack([colours >> 16, colours >> 8 & 255, colours & 255], -1), PHOTO)
    np.testing.assert_allclose(unpack(value["beliefs"]).reshape(beliefs.shape) / 65535, beliefs, atol=1e-5)
    assert value["pixel"] == [3, 4] and len(value["names"]) == 21


def test_film_value_gives_beliefs_back():
    beliefs = np.random.default_rng(0).random((3, 2, 10, 12)).astype(np.float32)
    film = MeanFieldFilm([0, 8], PHOTO, beliefs, [3.0, 2.0, 1.0], [0.0, 0.2, 0.1], [0.0, 0.1, 0.1])
    value = json.loads(json.dumps(film_value(PHOTO, film), allow_nan=False))
    scores = SCORE_RANGE * (2 * unpack(value["scores"]).reshape(beliefs.shape) / LEVELS - 1)
    np.testing.assert_allclose(1 / (1 + np.exp(-scores)), beliefs, atol=1e-3)
    assert value["names"] == ["background", "cat"]


def test_energies_are_a_table_with_the_least_free_energy_marked():
    results = [TermsResult(f"t{k}", None, None, Energy(0.1, 0.2, 0.3), f, 0.0) for k, f in enumerate((3.0, 1.0))]
    table = energies(results)
    assert table.count("0.6000") == 2 and "<td class='ce-least'>1.0000" in table and "ce-least'>3" not in table


def test_questions_are_read_with_care():
    networks = [get_method(NETWORK)]
    assert chosen_network({"network": NETWORK}, networks) == NETWORK
    for ask in ({}, {"network": "nobody"}, {"network": ["fcn-8s"]}):
        with pytest.raises(SegdemoError, match="Choose a network"):
            chosen_network(ask, networks)
    assert f'value="{NETWORK}" selected' in board("film", networks, ("other",)).html_template


def test_brushes_are_labels():
    labels = brush_labels(get_method("graphcut"))
    assert labels.names == ("object", "background") and labels.palette.shape == (2, 3)


def test_scanline_value_is_plain_and_exact():
    seeds = np.zeros(PHOTO.shape[:2], np.uint8)
    seeds[20:30, 20:30], seeds[:5] = 1, 2
    lesson = scanline(PHOTO, Run(scribbles=seeds), seeds=brush_labels(get_method("graphcut")))
    value = json.loads(json.dumps(scanline_value(PHOTO, lesson), allow_nan=False))
    np.testing.assert_array_equal(unpack(value["given"]), seeds)
    for sent, model in zip(value["models"], lesson.models):
        np.testing.assert_array_equal(unpack(sent["labels"]) - 1, model.labels)
        marginals = unpack(sent["marginals"]).reshape(2, *PHOTO.shape[:2]).transpose(1, 2, 0)
        np.testing.assert_allclose(marginals / 255, model.marginals, atol=0.51 / 255)
        np.testing.assert_array_equal(unpack(sent["likeliest"]) - 1, model.marginals.argmax(-1))
        np.testing.assert_allclose(sent["log_z"], model.log_z, rtol=1e-5)


# --- in the browser --------------------------------------------------------------------------

STROKES = {
    "strokes": [
        {"label": 1, "size": 0.05, "points": [[0.4, 0.5], [0.6, 0.5]]},
        {"label": 2, "size": 0.05, "points": [[0.97, 0.05], [0.97, 0.9]]},
    ]
}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    file = tmp_path_factory.mktemp("photo") / "cat.png"
    Image.fromarray(fit(data.chelsea(), 160)).save(file)
    networks, workshop = [get_method(NETWORK)], Workshop(Engine("cpu"))
    with gr.Blocks() as demo:
        panel = SimpleNamespace(path=gr.Textbox(str(file)), working_size=gr.Number(160))
        shared = SimpleNamespace(pad=gr.State(STROKES), pad_method=gr.State("graphcut"))
        with gr.Row(visible=False):
            controls = controls_for(NetworkParams, only=lambda name: name != "crf", strip="crf_")
        for name, place in {
            "pairwise": lambda: pairwise_lesson(workshop, panel, networks),
            "terms": lambda: terms_lesson(workshop, panel, networks, controls),
            "scanline": lambda: scanline_lesson(workshop, panel, networks, shared),
            "film": lambda: film_lesson(workshop, panel, networks, controls),
        }.items():
            with gr.Accordion(name, open=False, elem_id=f"{name}-lesson"):
                place()
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, inbrowser=False)
    yield url
    demo.close()


class Lessons(Page):
    first = "#film-lesson button"


@pytest.fixture
def page(browser, address):
    browser.set_window_size(1400, 1000)
    page = Lessons(browser, address)
    yield page
    assert console_errors(browser) == []


def brute_force(page):
    """Kernels (normalized), messages and belief of the chosen pixel, from what the page was sent."""
    sent = page.ask(
        "pairwise",
        "const r = l.result, n = (name) => l.number(name); return {size: [r.height, r.width], at: [l.row, l.column], scale: r.scale, "
        "colours: Array.from(r.colours), beliefs: Array.from(r.beliefs), sigmas: [n('spatial_sigma') * r.scale, "
        "n('bilateral_sigma_xy') * r.scale, n('bilateral_sigma_rgb')], weights: [n('spatial_weight'), n('bilateral_weight')]};",
    )
    colours = np.array(sent["colours"]).reshape(sent["size"])
    image = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], -1).astype(np.uint8)
    beliefs = np.array(sent["beliefs"]).reshape(21, -1)
    np.testing.assert_allclose(beliefs.sum(0), 1)
    assert beliefs.min() > 0.5 * CLIP
    at, kernels, total = tuple(sent["at"]), [], 0
    features = np.indices(sent["size"]).reshape(2, -1).T, image.reshape(-1, 3).astype(float)
    distances = [((f[:, None] - f) ** 2).sum(-1) for f in features]
    spatial, xy, rgb = sent["sigmas"]
    sums = [
        np.exp(-distances[0] / (2 * spatial**2)).sum(1),
        np.exp(-distances[0] / (2 * xy**2) - distances[1] / (2 * rgb**2)).sum(1),
    ]
    own = at[0] * sent["size"][1] + at[1]
    for kernel, weight, s in zip(exact_kernels(image, at, *sent["sigmas"]), sent["weights"], sums):
        kernels.append(kernel.ravel() / np.sqrt(s[own] * s))
        total = total + weight * (beliefs @ kernels[-1])
    raised = beliefs[:, own] * np.exp(total)
    return kernels, total, raised / raised.sum()


def agree(page):
    page.wait(lambda: page.part("pairwise").get_attribute("data-ready") == "true")
    kernels, messages, after = brute_force(page)
    spatial, bilateral, heard, belief = page.ask(
        "pairwise",
        "return [Array.from(l.kernels.spatial), Array.from(l.kernels.bilateral), "
        "l.heard.spatial.map((m, k) => m + l.heard.bilateral[k]), l.after];",
    )
    np.testing.assert_allclose(spatial, kernels[0], atol=1e-9)
    np.testing.assert_allclose(bilateral, kernels[1], rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(heard, messages, rtol=1e-4)
    np.testing.assert_allclose(belief, after, rtol=1e-3, atol=1e-6)
    assert f"{max(after):.2f}" in page.part("pairwise-caption").text


@needs_network
def test_pairwise_agrees_with_brute_force_at_any_pixel_and_width(page, monkeypatch):
    monkeypatch.setattr("segdemo.lessons.pairwise.GRID", 48)
    page.open("pairwise")
    agree(page)
    page.click("pairwise-photo", 0.5, 0.25)
    row, column = page.ask("pairwise", "return [l.row, l.column];")
    height, width = page.ask("pairwise", "return [l.result.height, l.result.width];")
    assert abs(row - 0.25 * height) <= 1 and abs(column - 0.5 * width) <= 1
    page.part("pairwise-bilateral").send_keys(RIGHT * 3)
    assert page.ask("pairwise", "return l.column;") == column + 3
    before = page.canvas("pairwise", "l.boards.bilateral")
    page.part("pairwise-bilateral_sigma_rgb").send_keys(RIGHT * 30)
    assert page.part("pairwise-bilateral_sigma_rgb-value").text == "23"
    assert (page.canvas("pairwise", "l.boards.bilateral") != before).any()  # at once, without the server
    assert page.shows("pairwise") == 1
    page.part("pairwise-spatial_weight").send_keys(LEFT * 10)
    agree(page)
    page.part("pairwise-normalized").click()
    plain = page.ask("pairwise", "return [Math.max(...l.kernels.bilateral), Math.max(...l.kernels.spatial)];")
    assert plain == [1, 1]
    page.part("pairwise-reset").click()
    assert page.part("pairwise-bilateral_sigma_rgb-value").text == "8"


@needs_network
def test_four_results_zoom_together_with_their_energies(page):
    page.open("terms")
    ask = "return [...document.querySelectorAll('[id^=viewer-term-] .sv')].map((v) => {})"
    page.wait(
        lambda: page.browser.execute_script(ask.format("v.dataset.state")) == ["result"] * 4,
    )
    assert len(page.browser.find_elements("css selector", "#crf-energies tbody tr")) == 4
    page.browser.execute_script(
        "document.querySelector('#viewer-term-0 .sv').maskViewer.stage.setView({zoom: 3, x: .5, y: .5})"
    )
    assert page.browser.execute_script(ask.format("v.maskViewer.stage.view.zoom")) == [3] * 4


@needs_network
def test_film_shows_any_class_at_any_iteration(page):
    page.open("film")
    names, steps = page.ask("film", "return [l.result.names, l.result.steps];")
    assert "cat" in names and steps == 11 and page.ask("film", "return l.result.names[l.chosen];") != "background"
    first = page.canvas("film", "l.boards.belief")
    page.part("film-player").find_element("css selector", "input").send_keys(END)
    assert "Iteration 10 of 10" in page.part("film-caption").text
    last = page.canvas("film", "l.boards.belief")
    assert (last != first).any()
    page.browser.execute_script(
        "const s = arguments[0]; s.value = arguments[1]; s.dispatchEvent(new Event('change'))",
        page.part("film-class"),
        str(names.index("background")),
    )
    assert "mean belief in background" in page.part("film-caption").text
    assert (page.canvas("film", "l.boards.belief") != last).any()
    sums = page.ask(
        "film",
        "const b = l.result.names.map((_, k) => { l.chosen = k; return Array.from(l.plane(10), (v) => l.belief(v)); });"
        "return b[0].map((_, i) => b.reduce((sum, q) => sum + q[i], 0));",
    )
    assert 0.9 < np.mean(sums) < 1.02  # the leading classes share nearly all belief
    page.part("film-strip").find_elements("css selector", "button")[2].click()
    assert "Iteration 2 of 10" in page.part("film-caption").text and "Of the belief" in page.part("film-caption").text


@needs_network
def test_lines_are_read_in_the_browser_and_from_scribbles(page):
    page.open("scanline")
    assert "ln Z(X)" in page.part("scanline-model-1").text and "cat" in page.part("scanline-keys").text
    row = page.ask("scanline", "return l.row;")
    before = page.canvas("scanline", "l.columns[0].boards[2]")
    page.part("scanline-picture-2").send_keys("\ue015" * 7)
    assert page.ask("scanline", "return l.row;") == row + 7
    assert (page.canvas("scanline", "l.columns[0].boards[2]") != before).any()
    z = page.ask("scanline", "return l.result.models[0].log_z[l.row];")
    assert f"{abs(z):,.1f}".removesuffix(".0") in page.part("scanline-model-0").text
    differ = (
        "const [{ labels, likeliest }] = l.result.models, from = l.row * l.result.width;"
        "return [...labels.values.subarray(from, from + l.result.width)].filter((label, x) => label !== likeliest.values[from + x]).length;"
    )
    count = page.ask("scanline", differ)
    told = f"at {count:,} pixel" if count else "everywhere the label of the largest marginal"
    assert told in page.part("scanline-model-0").text
    marginals = page.canvas("scanline", "l.pictures[3].board")
    script = "const s = arguments[0]; s.value = arguments[1]; s.dispatchEvent(new Event('change'))"
    page.browser.execute_script(script, page.part("scanline-paint"), "path")
    assert (page.canvas("scanline", "l.pictures[3].board") != marginals).any() and page.shows("scanline") == 1
    page.answered("scanline", lambda: page.browser.execute_script(script, page.part("scanline-network"), "scribbles"))
    assert page.ask("scanline", "return l.result.names;") == ["object", "background"]
