"""Choosing a photo in a browser: uploads, drops, examples, what cannot be used, and what then says whose results stand there."""

import base64
import time

import numpy as np
import pytest
import skimage.data
from PIL import Image

from segdemo import Engine

selenium = pytest.importorskip("selenium")
from page_driver import Driver, served  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402


@pytest.fixture(scope="module")
def address():
    with served(Engine("cpu")) as url:
        yield url


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    cat = Image.fromarray(skimage.data.chelsea()[50:250, 90:350])
    for name in ("cat.jpg", "cat.tif"):
        cat.save(folder / name)
    Image.fromarray(np.zeros((1, 1, 3), np.uint8)).save(folder / "dot.png")
    (folder / "text.jpg").write_text("this is no photo")
    (folder / "drawing.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" width="90" height="60"></svg>')
    return folder


@pytest.fixture
def page(browser, address):
    """A freshly loaded page, and helpers to drive it."""
    return Driver(browser).open(address)


def test_results_of_another_photo_say_so(page):
    page.example()
    page.press("Segment")
    age = lambda: page.viewer("slic").find_element(By.CSS_SELECTOR, "[data-testid=stale]").is_displayed()  # noqa: E731
    page.result("slic")
    page.wait(lambda: "Done" in page.text())
    assert not age()
    page.example(1)
    page.wait(age)
    page.press("Segment")
    page.wait(lambda: not age())


@pytest.mark.parametrize("file, words", [(None, "Choose a photo first"), ("text.jpg", "not a picture")])
def test_unusable_photos_are_explained(page, files, file, words):
    if file:
        page.upload(files / file)
    page.press("Segment")
    said = lambda: page.one(".status").text.lower()  # noqa: E731
    page.wait(lambda: words.lower() in said())
    assert bool(file) == (words in page.one("#photo-trouble").text)
    assert not page.browser.find_elements(By.CSS_SELECTOR, ".toast-body")
    page.example()  # and the page goes on working
    page.wait(lambda: not said() and not page.one("#photo-trouble").text)
    page.press("Segment")
    page.result("kmeans")


def test_the_page_shows_which_photo_is_chosen(page, files):
    marked = lambda: page.browser.execute_script(  # noqa: E731
        "return [...document.querySelectorAll('#examples button.thumbnail-item')].findIndex((b) => b.classList.contains('chosen'))"
    )
    said = lambda: page.viewer("kmeans").find_element(By.CSS_SELECTOR, "[data-testid=stale]").text  # noqa: E731
    page.example(1)
    page.wait(lambda: marked() == 1)
    page.press("Segment")
    page.result("kmeans")
    page.upload(files / "cat.tif")  # browsers do not decode it
    page.wait(lambda: marked() == -1 and "of another photo than the one chosen now" in said())
    size = "const i = document.querySelector('#photo img'); return i && i.src.startsWith('data:') && i.naturalWidth"
    page.wait(lambda: page.browser.execute_script(size) == 260)
    page.example(1)
    page.wait(lambda: marked() == 1 and not said())
    page.click(page.one("#photo button[aria-label='Remove Image']"))
    page.wait(lambda: marked() == -1 and said() == "of a photo that is no longer chosen")


BRING = """const [base64, event, place] = arguments, bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
const carried = new DataTransfer();
carried.items.add(new File([bytes], event + ".jpg", { type: "image/jpeg" }));
const options = { bubbles: true, cancelable: true, dataTransfer: carried, clipboardData: carried };
return !document.querySelector(place).dispatchEvent(new (event === "paste" ? ClipboardEvent : DragEvent)(event, options));"""
"""Drops or pastes a photo at a place on the page; true if the page took it, so that the browser does not."""


@pytest.mark.parametrize(("event", "place"), [("drop", "body"), ("paste", "body"), ("drop", "#photo img")])
def test_a_photo_dropped_or_pasted_anywhere_is_taken(page, files, event, place):
    page.example()
    photo = base64.b64encode((files / "cat.jpg").read_bytes()).decode()
    assert page.browser.execute_script(BRING, photo, event, place)
    source = "const i = document.querySelector('#photo img'); return i && i.src + ' ' + i.naturalWidth"
    page.wait(lambda: (page.browser.execute_script(source) or "").endswith(f"{event}.jpg 260"))


def test_one_pixel_is_enough(page, files):
    page.upload(files / "dot.png")
    page.press("Segment")
    assert page.shares("kmeans") and page.shares("slic")


@pytest.mark.parametrize("file", ["cat.jpg", "drawing.svg"])
def test_a_photo_laid_over_another_changes_once_and_the_page_rests(page, files, file):
    """Gradio's image then says again and again that it changed: nothing that asks the server may hang on it."""
    page.example(0)
    page.press("Segment")
    page.result("ncut")
    page.upload(files / file)  # without removing the one before
    page.wait(lambda: page.browser.find_elements(By.CSS_SELECTOR, "#viewer-ncut [data-testid=stale]:not([hidden])"), 20)
    time.sleep(1)
    page.browser.get_log("performance")
    time.sleep(1.5)
    asked = [entry for entry in page.browser.get_log("performance") if "queue/join" in entry["message"]]
    assert not asked, f"{len(asked)} messages of a page at rest"
