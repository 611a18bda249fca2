"""The page without a mouse and without sight: names for screen readers, focus that is seen, contrast of small text."""

import pytest

from segdemo import Engine

pytest.importorskip("selenium")
from page_driver import Driver, served  # noqa: E402
from selenium.webdriver import ActionChains, Keys  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402

CONTROLS = "button:not([tabindex='-1']), input:not([type=file]), select, textarea, a[href], summary, [role=tab], [role=slider], canvas[tabindex]"

# The least contrast (WCAG 2.2, 1.4.3) between an element's text and the nearest ground that is not transparent.
CONTRAST = """
const painter = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
const rgba = (colour) => { painter.clearRect(0, 0, 1, 1); painter.fillStyle = colour; painter.fillRect(0, 0, 1, 1); return painter.getImageData(0, 0, 1, 1).data; };
const light = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, w, k) => sum + w * ((c[k] /= 255) <= 0.04045 ? c[k] / 12.92 : ((c[k] + 0.055) / 1.055) ** 2.4), 0);
const ground = (e) => { for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] === 255) return c; } return [255, 255, 255]; };
return [...document.querySelectorAll(arguments[0])].filter((e) => e.offsetParent && e.innerText.trim()).map((e) => {
  const [a, b] = [light([...rgba(getComputedStyle(e).color)]), light([...ground(e)])];
  return [e.innerText.trim().slice(0, 40), (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
});"""

SMALL_TEXT = """.masthead p, .device, .compact-switch label, #copy-link, [data-testid=block-info], .info-text, .status, button.primary, [role=tab],
.sv-subtitle, .sv-modes button, .sv-count, .sv-share, .sv-empty, .sv-energy figcaption, .pad-hint, .pad-size, .cl-formula b, .so b, .gp b"""


@pytest.fixture(scope="module")
def address():
    with served(Engine("cpu")) as url:
        yield url


@pytest.fixture
def page(browser, address):
    return Driver(browser).open(address)


def open_all(page):
    """Open all boxes of the tab."""
    for box in page.browser.find_elements(By.CSS_SELECTOR, "button.label-wrap:not(.open)"):
        if box.is_displayed():
            page.click(box)


def test_every_control_has_a_name(page):
    page.example()
    page.press("Segment")
    page.result("ncut")
    for tab in ("Clustering", "Graph cut", "Networks", "Compare"):
        page.tab(tab)
        page.wait(lambda tab=tab: page.one("[role=tab][aria-selected=true]").text.strip() == tab)
        controls = [c for c in page.browser.find_elements(By.CSS_SELECTOR, CONTROLS) if c.is_displayed()]
        assert len(controls) > 20
        nameless = [c.get_attribute("outerHTML")[:120] for c in controls if not c.accessible_name]
        assert nameless == []
    assert page.one("#examples button.thumbnail-item").accessible_name == "example photo: Chelsea the cat"
    page.wait(lambda: page.one("#photo img").get_attribute("alt"))


def test_focus_is_seen_wherever_the_tab_key_goes(page):
    seen = "const s = getComputedStyle(document.activeElement); return [document.activeElement.outerHTML.slice(0, 80), s.outlineStyle, s.boxShadow]"
    for _ in range(25):
        ActionChains(page.browser).send_keys(Keys.TAB).perform()
        element, outline, shadow = page.browser.execute_script(seen)
        assert outline != "none" or shadow != "none", element


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_small_text_has_contrast(page, address, theme):
    page.browser.get(f"{address}?__theme={theme}")
    page.wait(lambda: page.browser.find_elements(By.CSS_SELECTOR, "#examples button.thumbnail-item img"))
    page.example()
    page.press("Segment")
    page.result("kmeans")
    for tab in ("Clustering", "Graph cut", "Networks"):
        page.tab(tab)
        open_all(page)
        found = page.wait(lambda: page.browser.execute_script(CONTRAST, SMALL_TEXT))
        assert len(found) > 10
        assert [each for each in found if each[1] < 4.5] == []


def test_a_run_says_how_it_ended_to_screen_readers(page):
    page.press("Segment")  # without a photo
    for place in (".status", "#copy-said", "#warmth"):
        assert page.browser.find_elements(By.CSS_SELECTOR, f"{place}[role=status], {place} [role=status]"), place


def test_panels_stand_out_from_the_page(page):
    ground = "return getComputedStyle(document.querySelector('%s')).backgroundColor"
    body, panel = (page.browser.execute_script(ground % where) for where in ("body", "#network-methods, #photo"))
    assert body != panel
