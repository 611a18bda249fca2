"""The lessons on convolutions in a browser: what it works out agrees with Python, and every control acts."""

import re
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from lesson_page import Page
from PIL import Image
from scipy.special import softmax
from sent import unpack
from skimage import data
from steady import console_errors

from segdemo import Engine, methods
from segdemo.errors import GroundTruthError
from segdemo.ground_truth import GroundTruth
from segdemo.image import content_key, fit
from segdemo.labels import IGNORE
from segdemo.lessons.atrous import atrous
from segdemo.lessons.loss import loss_lesson
from segdemo.lessons.upsampling import upsampling
from segdemo.ui.cards import Shared
from segdemo.ui.lessons.convolution import atrous_lesson, branches_lesson, loss_board, patches_lesson, upsampling_lesson
from segdemo.ui.lessons.convolution.atrous import atrous_value
from segdemo.ui.lessons.convolution.loss import classes_of
from segdemo.ui.truth import Truth
from segdemo.ui.workshop import Workshop, key_of

ENGINE = Engine("cpu")
PHOTO = fit(data.chelsea(), 160)
CLASSES = np.zeros(PHOTO.shape[:2], np.int32)  # as a person might say, roughly
CLASSES[20:, 30:130] = 8
CLASSES[:20] = IGNORE
READY = [m for m in methods().values() if m.name in ("fcn-8s", "deeplab-v3plus") and not m.unavailable()]


class LessonPage(Page):
    first = "#atrous-lesson button"


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    file = tmp_path_factory.mktemp("photo") / "cat.png"
    Image.fromarray(PHOTO).save(file)
    with gr.Blocks() as demo:
        path = gr.Textbox(str(file), elem_id="path")
        panel, workshop = SimpleNamespace(path=path, file=path), Workshop(ENGINE)
        shared = Shared(
            gr.State({}), gr.State([]), truth=gr.State(Truth.of(key_of(str(file)), GroundTruth([CLASSES], True)))
        )
        gr.Button("no photo", elem_id="none").click(lambda: "", None, path)
        gr.Button("no truth", elem_id="untrue").click(lambda: None, None, shared.truth)
        for name, place in (
            ("patches", lambda: patches_lesson(workshop, panel, READY)),
            ("upsampling", lambda: upsampling_lesson(workshop, panel)),
            ("atrous", lambda: atrous_lesson(workshop, panel)),
            ("branches", lambda: branches_lesson(workshop, panel, READY)),
            ("loss", lambda: loss_board(workshop, panel, READY, shared)),
        ):
            with gr.Accordion(name, open=False, elem_id=f"{name}-lesson"):
                place()
    _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, inbrowser=False)
    yield url
    demo.close()


@pytest.fixture
def page(browser, address):
    page = LessonPage(browser, address)
    yield page
    assert console_errors(browser) == []


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (30, 40)])
def test_a_constant_photo_answers_with_nothing(shape):
    photo = np.full((*shape, 3), 37, np.uint8)
    value = atrous_value(photo, ENGINE.teach(atrous, photo))
    middle = round(value["levels"] / 2)
    assert all(np.abs(unpack(value[name]).astype(int) - middle).max() <= 40 for name in ("plain", "sparse", "dense"))


def choose(page, part, value):
    script = "const s = arguments[0]; s.value = arguments[1]; s.dispatchEvent(new Event('change'))"
    page.browser.execute_script(script, page.part(part), str(value))


def leave(page, part, pointer):
    script = "arguments[0].dispatchEvent(new PointerEvent('pointerleave', { pointerType: arguments[1] }))"
    page.browser.execute_script(script, page.part(part), pointer)


def test_fields_of_three_layers(page):
    page.open("atrous")
    said = page.part("atrous-field-caption").text
    assert "3 × 3, then 7 × 7, then 15 × 15 = 1 + 2 (1 + 2 + 4)" in said and "All 225" in said
    page.browser.find_elements("css selector", "[data-testid=atrous-presets] button")[2].click()
    assert "Only 49 of its 169" in page.part("atrous-field-caption").text
    for layer, rate in enumerate((1, 3, 2)):
        choose(page, f"atrous-rate-{layer}", rate)
    ways = np.ones(1)
    for rate in (1, 3, 2):
        ways = np.convolve(ways, np.bincount([0, rate, 2 * rate]))
    assert page.ask("atrous", "return l.line;") == ways.tolist()
    assert len(page.browser.find_elements("css selector", "[data-testid=atrous-layers] .cv-tap")) == 3 + 9 + 27
    before = page.canvas("atrous", "l.field")
    assert before.std() > 10
    page.click("atrous-field", 0.5, 0.5)
    said = f"{int(ways[6]) ** 2} ways lead from it"
    leave(page, "atrous-field", "touch")  # as every finger does that lifts
    assert said in page.part("atrous-field-caption").text
    leave(page, "atrous-field", "mouse")
    assert said not in page.part("atrous-field-caption").text


def test_a_kernel_on_the_photo(page):
    page.open("atrous")
    page.answered("atrous", lambda: choose(page, "atrous-kernel", "spots"))
    page.answered("atrous", lambda: choose(page, "atrous-rate", 8))
    lesson = ENGINE.teach(atrous, PHOTO, kernel="spots", rate=8)
    page.browser.execute_script("document.querySelector('[data-testid=atrous]').lesson.move(0.3, 0.4)")
    x, y = int(0.3 * lesson.image.shape[1]), int(0.4 * lesson.image.shape[0])
    for name in ("plain", "dense"):
        assert page.ask("atrous", f"return l.response('{name}', {x}, {y});") == pytest.approx(
            getattr(lesson, name)[y, x], abs=1e-3
        )
    assert "sparse and dense are the same numbers" in page.part("atrous-caption").text
    near = lesson.sparse[round(y / 8), round(x / 8)]
    assert f"nearest to it is {near:.3f}"[:-1].replace("-", "−") in page.part("atrous-caption").text
    assert f"sum {lesson.dense[y, x]:.3f}"[:-1].replace("-", "−") in page.part("atrous-taps").text
    (answer,) = re.findall(r"at rate 8 gives ([−0-9.]+);", page.part("atrous-caption").text)
    assert f"sum {answer}\n" in page.part("atrous-taps").text
    before = page.canvas("atrous", "l.boards[3].board")
    page.part("atrous-dense").send_keys("\ue014" * 3)
    assert page.ask("atrous", "return l.pixel;") == [x + 3, y]
    assert (page.canvas("atrous", "l.boards[3].board") != before).any()


def test_numbers_of_a_pooling_and_pictures_up(page):
    page.open("upsampling")
    slider = page.part("upsampling-poolings")
    page.answered("upsampling", lambda: slider.send_keys("\ue012"))
    lesson = ENGINE.teach(upsampling, PHOTO, poolings=1)
    for how, raised in lesson.raised.items():
        values = page.ask(
            "upsampling",
            f"const {{ image }} = l.result; return [...image.values].map((_, i) => l.origin('{how}', i % image.width, Math.floor(i / image.width)).value);",
        )
        np.testing.assert_allclose(np.reshape(values, raised.shape), raised, atol=0.51)
    page.click("upsampling-grid-bilinear", 0.5, 0.5)
    corner = page.ask("upsampling", "return l.corner;")
    pooled = lesson.pooled[0][corner[1] // 2 + 1 : corner[1] // 2 + 3, corner[0] // 2 + 1 : corner[0] // 2 + 3]
    assert all(f"· {value}" in page.part("upsampling-caption").text for value in pooled.ravel())
    page.part("upsampling-photo").send_keys("\ue014" * 2)
    assert page.ask("upsampling", "return l.corner;") == [corner[0] + 4, corner[1]]
    plain = page.canvas("upsampling", "l.pictures[3].board")
    page.browser.find_elements("css selector", "[data-testid=upsampling-fill] button")[1].click()
    assert page.canvas("upsampling", "l.pictures[3].board").mean() > plain.mean()


@pytest.mark.skipif(not READY, reason="no trained network here")
def test_patches_and_the_count(page):
    page.open("patches")
    assert "16,384 times the work" in page.part("patches-caption").text
    assert "98,304" in page.part("patches-table").text and "cat" in page.part("patches-keys").text
    page.answered("patches", lambda: choose(page, "patches-step", 64))
    assert page.ask("patches", "return l.result.patched.values.length;") == page.ask(
        "patches", "return l.result.count;"
    )
    before = page.canvas("patches", "l.patched")
    page.click("patches-patched", 0.5, 0.5)
    assert (page.canvas("patches", "l.patched") != before).any()
    cell = page.ask("patches", "return l.cell;")
    leave(page, "patches-patched", "mouse")  # a click has chosen it
    page.part("patches-patched").send_keys("\ue014")
    assert page.ask("patches", "return l.cell;") == [cell[0] + 1, cell[1]]
    page.browser.execute_script("document.activeElement.blur()")
    leave(page, "patches-patched", "touch")
    assert page.ask("patches", "return l.cell;") == [cell[0] + 1, cell[1]]
    leave(page, "patches-patched", "mouse")
    assert page.ask("patches", "return l.cell;") is None
    # The lecture's count: 256 kernels of 5 x 5 x 3 at 8 x 8 places.
    assert page.part("patches-full").text == "1,228,800" and page.part("patches-split").text == "53,952"
    assert "4,800" in page.part("patches-count-caption").text and "49,152" in page.part("patches-count-caption").text


@pytest.mark.skipif(len(READY) < 2, reason="no trained networks here")
def test_scores_taken_apart(page):
    def told():
        said = page.part("branches-caption").text
        return said, [float(v) for v in re.findall(r"-?\d+\.\d\d", said.replace("− ", "-").replace("−", "-"))]

    page.open("branches")
    assert "score16" in page.part("branches-formula").text
    said, (*parts, whole) = told()
    assert "Score of cat" in said and len(parts) == 3 and sum(parts) == pytest.approx(whole, abs=1e-9)
    before = page.canvas("branches", "l.columns[0].labels")
    page.browser.find_elements("css selector", "[data-testid=branches-ways] button")[2].click()
    assert (page.canvas("branches", "l.columns[0].labels") != before).any()  # all but stride 32
    page.part("branches-score-1").send_keys("\ue014" * 9)
    assert told()[1][-1] != whole
    for _ in range(5):
        page.part("branches-score-1").send_keys("\ue014" * 7)
        *parts, whole = told()[1]
        assert sum(parts) == pytest.approx(whole, abs=1e-9)
    page.answered("branches", lambda: choose(page, "branches-network", "deeplab-v3plus"))
    said, values = told()
    assert "image pooling: " in said and "skip at stride 4: " in said
    assert page.part("branches-ways").text == "labels of all but the branch"
    assert page.ask("branches", "return l.columns.length;") == 7


PUSH_LAYER = """const layer = l.layers.push;
return [...layer.getContext('2d').getImageData(0, 0, layer.width, layer.height).data];"""
CURVE = """const curve = l.part('curve'), value = (node, name) => Number(node.getAttribute(name));
const dot = curve.querySelector('.cl-dot'), [flat, upright] = curve.querySelectorAll('.cl-axis');
const line = curve.querySelector('.cl-line').getAttribute('points').split(' ').map((pair) => pair.split(',').map(Number));
return [[value(dot, 'cx'), value(dot, 'cy')], [value(flat, 'x1'), value(flat, 'x2')], [value(upright, 'y1'), value(upright, 'y2')], line];"""
"""The dot's place, where the curve's axes begin and end (probability 0 to 1, loss 0 to 5), and the curve."""


def said_part(part):
    """A part in percent as the lessons say it."""
    return f"{100 * part:.{int(part < 0.0995 or part >= 0.995)}f} %"


@pytest.mark.skipif(len(READY) < 2, reason="no trained networks here")
def test_the_loss_of_every_pixel(page):
    page.open("loss")
    lesson = ENGINE.teach(loss_lesson, PHOTO, network="fcn-8s", truth="deeplab-v3plus")
    np.testing.assert_allclose(page.ask("loss", "return [...l.losses];"), lesson.loss.ravel(), atol=5e-3)
    assert f"Mean loss {lesson.mean:.3f} nats" in page.part("loss-caption").text
    assert page.part("loss-class").find_element("css selector", ":checked").text == "cat"
    for area, loss in ((lesson.wrong_area, lesson.wrong_loss), (lesson.near_area, lesson.near_loss)):
        assert re.search(rf"{said_part(area)} [^%]* {said_part(loss)}", page.part("loss-caption").text)
    of_cat = (lesson.truth == 8) - softmax(lesson.scores, axis=0)[lesson.classes.index(8)]
    drawn = np.asarray(page.ask("loss", PUSH_LAYER)).reshape(*of_cat.shape, 4)
    warmth = drawn[..., 0].astype(int) - drawn[..., 2]
    assert (warmth[of_cat > 0.1] > 0).all() and (warmth[of_cat < -0.1] < 0).all() and (of_cat > 0.1).any()
    at = page.ask("loss", "return l.pixel();")
    p, true = softmax(lesson.scores[:, at[1], at[0]]), lesson.classes.index(lesson.truth[at[1], at[0]])
    pushes = [cell.text for cell in page.part("loss-table").find_elements("css selector", "tbody td:last-child")]
    expected = (np.arange(len(p)) == true) - p
    assert [float(push.replace("−", "-")) for push in pushes] == pytest.approx(expected, abs=0.0051)
    dot, x_of, y_of, line = page.ask("loss", CURVE)
    xs, ys = np.array(line)[1:].T  # the first lies at the probability exp -5, by the axis
    losses = -np.log((xs - x_of[0]) / (x_of[1] - x_of[0]))
    np.testing.assert_allclose(ys, y_of[0] - (y_of[0] - y_of[1]) * losses / 5, atol=2)
    assert dot == pytest.approx(
        [x_of[0] + (x_of[1] - x_of[0]) * p[true], y_of[0] - (y_of[0] - y_of[1]) * -np.log(p[true]) / 5], abs=1
    )
    page.browser.execute_script(
        "arguments[0].dispatchEvent(new PointerEvent('pointermove', { clientX: 9, clientY: 9 }))", page.part("loss-map")
    )
    assert page.ask("loss", "return l.pixel();") == at  # hovering would take back what the pixel learned
    before, push = page.part("loss-told").text, page.canvas("loss", "l.boards[3]")
    p = "return l.softmax(l.learned)[l.wanted];"
    first = page.ask("loss", p)
    page.part("loss-learn").click()
    assert page.ask("loss", p) > first and "after 1 step." in page.part("loss-told").text
    page.part("loss-forget").click()
    assert page.part("loss-told").text == before and page.ask("loss", p) == pytest.approx(first)
    choose(page, "loss-wanted", 0)
    assert "p(background) nears 1" in page.part("loss-told").text
    choose(page, "loss-class", 0)
    assert (page.canvas("loss", "l.boards[3]") != push).any()
    page.answered("loss", lambda: choose(page, "loss-truth", "own"))
    own = ENGINE.teach(loss_lesson, PHOTO, network="fcn-8s", truth=CLASSES.astype(np.uint8))
    assert f"Mean loss {own.mean:.3f} nats" in page.part("loss-caption").text
    assert page.part("loss-true-name").text == "the ground truth"
    assert "does not count" in page.part("loss-keys").text
    page.click("loss-map", 0.5, 0.02)  # among what is void
    assert "does not count in training" in page.part("loss-told").text
    assert not page.part("loss-stale").is_displayed()
    page.browser.find_element("css selector", "#untrue").click()
    page.wait(lambda: page.part("loss-stale").is_displayed())


@pytest.mark.parametrize(
    "truth, said",
    [
        (None, "There is no ground truth of this photo"),
        (Truth.of("another photo's", GroundTruth([CLASSES], True)), "There is no ground truth of this photo"),
        (Truth.of(content_key(PHOTO), GroundTruth([CLASSES], False)), "where regions end, not what they are"),
    ],
)
def test_a_truth_without_classes_is_explained(truth, said):
    with pytest.raises(GroundTruthError, match=said):
        classes_of(truth, PHOTO)


def test_without_a_photo_they_say_so(page):
    page.browser.find_element("css selector", "#none").click()
    for name in ("upsampling", "atrous"):
        button = page.browser.find_element("css selector", f"#{name}-lesson button")
        button.click()
        page.wait(lambda name=name: page.part(f"{name}-show").is_displayed())
        page.part(f"{name}-show").click()
        page.wait(lambda name=name: "Choose a photo first" in page.part(f"{name}-error").text)
