"""The lecture's outline: all it names is on the page, and its buttons lead there."""

from urllib.parse import parse_qs, urlparse

import gradio as gr
import pytest

from segdemo import Engine, methods
from segdemo.ui.address import LESSONS, TABS
from segdemo.ui.lecture import OUTLINE, places, select_networks
from segdemo.ui.page import build_page


@pytest.fixture(scope="module")
def ids():
    return {getattr(block, "elem_id", None): block for block in build_page(Engine("cpu")).blocks.values()}


def tab_of(block):
    while not isinstance(block, gr.Tab):
        block = block.parent
    return block.label


def test_every_place_is_on_the_page_in_its_tab(ids):
    for place in places():
        assert place.element in ids and tab_of(ids[place.element]) == place.tab and place.tab in TABS
        assert all(name in methods() for name in place.networks)


def test_every_lesson_and_every_method_has_its_topic(ids):
    lessons = {name for name in ids if name and name.endswith("-lesson")} | {"zoo-box", "field-box"}
    assert lessons == set(LESSONS)
    networks = {name for place in places() for name in place.networks}
    assert networks == {m.name for m in methods().values() if m.family == "networks" and "/" not in m.name}
    assert [len(part.topics) for part in OUTLINE] == [3, 3, 7]


def test_only_networks_that_are_there_are_selected():
    with gr.Blocks() as page:
        chosen, outline = gr.CheckboxGroup([("U-Net", "unet"), ("SegNet", "segnet")]), gr.HTML()
        select_networks(outline, chosen)
    (event,) = page.fns.values()
    assert event.fn({"networks": ["segnet", "segnet-fixed"]}) == ["segnet"]
    assert event.fn({"networks": ["fcn-8s"]}) == gr.skip()


ARRIVED = """const place = document.getElementById(arguments[0]), box = place?.getBoundingClientRect();
const head = place?.querySelector("button.label-wrap");
return box && box.height > 0 && box.top > -20 && box.top < innerHeight - 60 && (!/-(lesson|box)$/.test(place.id) || head.classList.contains("open"));"""


@pytest.fixture(scope="module")
def address():
    pytest.importorskip("selenium")
    from page_driver import served

    with served(Engine("cpu")) as url:
        yield url


@pytest.fixture
def page(browser, address):
    from page_driver import Driver

    return Driver(browser).open(address)


def chosen_networks(page):
    find = "return [...document.querySelectorAll('#network-methods input:checked')].map((box) => box.name || box.value)"
    return page.browser.execute_script(find)


def test_every_button_leads_to_its_place(page):
    ways = {place.element: place for place in places()}  # one for each element
    for element, place in ways.items():
        page.click(page.one("[data-testid=lecture-open]"))
        page.click(page.one(f"[data-testid=lecture] [data-place={element}]"))
        page.wait(lambda element=element: page.browser.execute_script(ARRIVED, element), 20)
        assert not page.browser.find_element("css selector", "[data-testid=lecture]").is_displayed()
        (tab,) = [t for t in page.browser.find_elements("css selector", "[role=tab][aria-selected=true]") if t.text]
        assert tab.text.strip() == place.tab


def test_a_topic_selects_its_networks(page):
    page.click(page.one("[data-testid=lecture-open]"))
    page.click(page.one("[data-networks*=segnet-bilinear]"))
    page.wait(lambda: chosen_networks(page) == ["segnet", "segnet-fixed", "segnet-bilinear"], 20)


def test_a_link_opens_the_lesson_that_was_open(page, address):
    page.click(page.one("[data-testid=lecture-open]"))
    page.click(page.one("[data-place=atrous-lesson]"))
    page.wait(lambda: page.browser.execute_script(ARRIVED, "atrous-lesson"), 20)
    for _ in range(2):  # opened and closed again: the one before is the last that is open
        page.click(page.one("#patches-lesson button.label-wrap"))
    page.click(page.one("#copy-link"))
    page.wait(lambda: "ink" in page.one("#copy-said").text)
    link = page.browser.current_url
    assert parse_qs(urlparse(link).query) == {"tab": ["Networks"], "lesson": ["atrous-lesson"]}
    page.open(address)
    page.browser.get(link)
    page.wait(lambda: page.browser.execute_script(ARRIVED, "atrous-lesson"), 20)
    page.tab("Clustering")  # where it is not to be seen
    page.click(page.one("#copy-link"))
    page.wait(lambda: parse_qs(urlparse(page.browser.current_url).query) == {})
    page.browser.get(f"{address}?lesson=nothing<b>")
    page.wait(lambda: "lesson = nothing<b>: there is no such lesson" in page.text())
