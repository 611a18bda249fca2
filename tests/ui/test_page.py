"""The whole page in a browser: use each tab, compare, export."""

import time
from pathlib import Path
from urllib.parse import parse_qs, urlparse

import numpy as np
import pytest
import skimage.data
from gradio.route_utils import delete_files_created_by_app
from PIL import Image

from segdemo import Engine, methods
from segdemo.ui.graphcut import FEWER, ONE_SO_FAR
from segdemo.ui.page import build_page

selenium = pytest.importorskip("selenium")
from page_driver import Driver, served  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from steady import console_errors  # noqa: E402

NETWORKS = [name for name, m in methods().items() if m.family == "networks" and not m.unavailable()]


# Messages stay for three seconds, which a busy machine may spend elsewhere.
HEAR = """window.heard = "";
new MutationObserver((changes) => { for (const { addedNodes } of changes) for (const node of addedNodes) window.heard += node.textContent; })
  .observe(document.body, { childList: true, subtree: true });"""


@pytest.fixture(scope="module")
def address():
    with served(Engine("cpu")) as url:
        yield url


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    Image.fromarray(skimage.data.chelsea()[50:250, 90:350]).save(folder / "cat.jpg")
    return folder


@pytest.fixture
def page(browser, address):
    """A freshly loaded page, and helpers to drive it."""
    return Driver(browser).open(address)


def test_clustering_tab(page):
    page.example()
    page.press("Segment")
    for key in ("slic", "felzenszwalb", "kmeans", "ncut"):
        assert sum(page.shares(key).values()) == pytest.approx(1, abs=0.01)
        assert page.viewer(key).find_element(By.CSS_SELECTOR, "[data-testid=replay]").is_displayed()
    assert len(page.shares("kmeans")) == 6


def test_graphcut_tab(page, files):
    page.upload(files / "cat.jpg")
    page.tab("Graph cut")
    page.wait(lambda: page.one("#pad .pad").get_attribute("data-state") == "ready")
    page.press("Cut")
    page.wait(lambda: "draw" in page.viewer("graphcut").text.lower())
    page.draw([(0.35, 0.5), (0.65, 0.55)])
    page.press("Cut")
    page.wait(
        lambda: (
            "background" in page.viewer("graphcut").find_element(By.CSS_SELECTOR, "[data-testid=error]").text.lower()
        )
    )
    page.press("Background")
    page.draw([(0.03, 0.03), (0.2, 0.03)])
    page.press("Cut")
    shares = page.shares("graphcut")
    assert 0.02 < shares["object"] < 0.98
    # Undo takes the last stroke back, redo restores it.
    page.click(page.one("#pad [data-testid=undo]"))
    page.wait(lambda: page.strokes == 1)
    page.click(page.one("#pad [data-testid=redo]"))
    page.wait(lambda: page.strokes == 2)


def draw_live(page, files):
    """The graph-cut tab with live on and one stroke on the object."""
    page.upload(files / "cat.jpg")
    page.tab("Graph cut")
    page.wait(lambda: page.one("#pad .pad").get_attribute("data-state") == "ready")
    page.click(page.one("#live input"))
    page.draw([(0.35, 0.5), (0.65, 0.55)])


def test_live_cuts_say_when_the_strokes_are_gone(page, files):
    draw_live(page, files)
    page.wait(lambda: ONE_SO_FAR in page.text())
    page.press("Background")
    page.draw([(0.03, 0.03), (0.2, 0.03)])
    page.result("graphcut")
    page.wait(lambda: ONE_SO_FAR not in page.text())
    page.click(page.one("#pad [data-testid=undo]"))
    page.wait(lambda: FEWER in page.viewer("graphcut").text)
    assert page.shares("graphcut")  # the cut itself stays
    page.click(page.one("#pad [data-testid=clear]"))
    page.wait(lambda: page.viewer("graphcut").get_attribute("data-state") == "empty")
    page.draw([(0.35, 0.5), (0.65, 0.55)])
    page.wait(lambda: ONE_SO_FAR in page.text())


def test_live_cut_follows_each_stroke(page, files):
    draw_live(page, files)
    page.press("Background")
    page.draw([(0.03, 0.03), (0.2, 0.03)])
    page.result("graphcut")
    shown = lambda x: page.label_at("graphcut", x, 0.9)  # noqa: E731
    wanted = {x: 1 - shown(x) for x in (0.2, 0.3, 0.4, 0.5)}  # seeds that turn the result over: it shows who was heard
    for x, label in wanted.items():  # without waiting for the cuts under way
        page.press(("Background", "Object")[label])
        page.draw([(x, 0.85), (x, 0.95)])
    page.wait(lambda: {x: shown(x) for x in wanted} == wanted)
    turn = lambda: page.viewer("graphcut").get_attribute("data-turn")  # noqa: E731

    def rests():
        before = turn()
        time.sleep(1)
        return turn() == before

    page.wait(rests)
    live, before = page.shares("graphcut"), turn()
    page.press("Cut")
    page.wait(lambda: turn() != before and page.result("graphcut"))
    assert page.shares("graphcut") == live  # the button's cut is the same one


def test_live_cut_follows_the_parameters(page, files):
    draw_live(page, files)
    page.press("Background")
    page.draw([(0.03, 0.03), (0.2, 0.03)])

    def fact(name):
        facts = page.browser.execute_script("return arguments[0].maskViewer.result.facts", page.result("graphcut"))
        return dict(facts)[name]

    before = fact("λ")
    page.click(page.browser.find_element(By.XPATH, "//button[contains(., 'Graph cut: parameters')]"))
    page.wait(lambda: page.one("input[type=range][aria-label*=Smoothness]")).send_keys(Keys.LEFT * 5)
    page.wait(lambda: before == "40" and fact("λ") == "35")
    page.click(page.browser.find_element(By.XPATH, "//label[contains(., 'α-expansion')]//input"))
    page.wait(
        lambda: page.viewer("graphcut").find_element(By.CSS_SELECTOR, "[data-testid=title]").text == "α-expansion"
    )
    page.click(page.one("#live input"))
    title = page.viewer("graphcut").find_element(By.CSS_SELECTOR, "[data-testid=title]")
    page.click(page.browser.find_element(By.XPATH, "//label[contains(., 'Graph cut')]//input"))
    time.sleep(1)
    assert title.text == "α-expansion"  # live is off


def test_old_uploads_are_deleted_and_the_examples_stay():
    page = build_page(Engine("cpu"))
    assert page.delete_cache and page.delete_cache[1] >= 4 * 3600  # not under a visitor's hands
    (gallery,) = (block for block in page.blocks.values() if getattr(block, "elem_id", None) == "examples")
    delete_files_created_by_app(page, age=None)
    assert gallery.value and all(Path(item["image"]["path"]).exists() for item in gallery.value)


def test_quiet_events_report_at_a_place_that_holds_nothing():
    """Else the page's script copies all that the place holds at every message: live cuts would take twice as long."""
    events = [event for event in build_page(Engine("cpu")).fns.values() if event.show_progress == "hidden"]
    assert len(events) > 10
    for event in events:
        places = event.show_progress_on or []
        assert places and not any(getattr(place, "children", None) for place in places), event.name


@pytest.mark.skipif(not NETWORKS, reason="no trained network here")
def test_networks_tab(page, files):
    page.upload(files / "cat.jpg")
    page.tab("Networks")
    page.press("Run networks")
    plain, refined = page.shares("deeplab-v3plus"), page.shares("deeplab-v3plus-crf")
    assert plain["cat"] > 0.3 and refined["cat"] > 0.3
    replay = page.viewer("deeplab-v3plus-crf").find_element(By.CSS_SELECTOR, "[data-testid=replay]")
    assert replay.is_displayed()
    table = page.wait(lambda: page.one("#network-table table"))
    assert "cat" in table.text and "DeepLabv3+ + CRF" in table.text


def test_pins_meet_in_the_comparison_tab(page):
    page.example(1)
    page.press("Segment")
    for key in ("slic", "kmeans"):
        page.result(key)
    page.result("ncut")
    page.wait(lambda: "Done" in page.text())
    page.browser.execute_script(HEAR)
    for key, title in (("slic", "SLIC superpixels"), ("kmeans", "k-means")):
        page.click(
            page.browser.execute_script(
                "return arguments[0].closest('.card').querySelector('button.pin')", page.viewer(key)
            )
        )
        page.wait(lambda t=title: f"{t} is pinned" in page.browser.execute_script("return window.heard"))
    page.tab("Compare")
    page.wait(lambda: "2 pinned" in page.text())
    page.wait(lambda: page.one("#pinned-1 .sv").get_attribute("data-state") == "result")
    duel = page.wait(lambda: page.one("#divider-viewer .sv[data-state=result]"))
    assert page.browser.execute_script("return arguments[0].maskViewer.result.before !== null", duel)
    assert page.browser.execute_script("return arguments[0].maskViewer.stage.divider", duel) == 0.5
    page.click(page.browser.find_elements(By.CSS_SELECTOR, "button.unpin")[0])
    page.wait(lambda: "1 pinned" in page.text())
    page.wait(lambda: page.one("#pinned-0 [data-testid=title]").text == "1. k-means")
    gone = page.browser.find_elements(By.CSS_SELECTOR, "#pinned-1, #divider-viewer")
    assert not any(element.is_displayed() for element in gone)


def test_export_offers_three_files(page):
    page.example()
    page.press("Segment")
    page.result("slic")
    page.wait(lambda: "Done" in page.text())
    page.click(page.browser.find_elements(By.CSS_SELECTOR, "button.export")[0])
    page.wait(lambda: all(end in page.browser.page_source for end in ("-labels", "-overlay", "-report")))
    page.press("Segment")
    page.wait(lambda: "-labels.png" not in page.browser.page_source)  # they were of the result before
    page.wait(lambda: "Done" in page.text())
    page.click(page.browser.find_elements(By.CSS_SELECTOR, "button.export")[0])
    page.wait(lambda: "-labels" in page.text())


def test_closing_the_page_mid_run_leaves_the_server_serving(page, address):
    page.example()
    page.press("Segment")
    page.browser.get("about:blank")
    page.browser.get(address)
    page.wait(lambda: page.browser.find_elements(By.CSS_SELECTOR, "#examples button.thumbnail-item img"))
    page.example()
    page.press("Segment")
    page.result("ncut")


def test_nothing_comes_from_elsewhere_and_the_console_is_clean(page, address):
    import json

    page.example()
    page.press("Segment")
    page.result("kmeans")
    assert console_errors(page.browser) == []
    hosts = set()
    for entry in page.browser.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            target = urlparse(message["params"]["request"]["url"])
            if target.scheme in ("http", "https", "ws", "wss"):
                hosts.add(target.hostname)
    assert hosts <= {urlparse(address).hostname}


def test_api_serves_every_method(address, files, tmp_path):
    from gradio_client import Client, handle_file

    client = Client(address, verbose=False)
    photo = handle_file(str(files / "cat.jpg"))
    seeds = np.zeros((200, 260), np.uint8)
    seeds[90:110, 80:180], seeds[:8] = 1, 2
    Image.fromarray(seeds).save(tmp_path / "seeds.png")
    for name, m in methods().items():
        if m.unavailable():
            continue
        extra = {"scribbles": handle_file(str(tmp_path / "seeds.png"))} if m.needs_scribbles else {}
        report, labels, overlay = client.predict(photo=photo, seed=4, api_name=f"/{name}", **extra)
        assert report["method"] == name and report["seed"] == 4
        assert Image.open(labels).size == Image.open(overlay).size == (260, 200)
    report, *_ = client.predict(photo=photo, clusters=3, api_name="/kmeans")
    assert report["parameters"]["clusters"] == 3
    with pytest.raises(Exception, match="(?i)scribble"):
        client.predict(photo=photo, api_name="/graphcut")


@pytest.mark.skipif(len(NETWORKS) < 4, reason="too few trained networks here")
def test_zoo_shows_a_card_and_selects_its_network(page):
    page.tab("Networks")
    page.click(page.wait(lambda: page.one("#zoo-box button")))
    page.wait(lambda: page.one("#zoo-box .zoo").is_displayed())
    point = page.one('#zoo .point[data-name="fcn-16s"]')
    page.browser.execute_script("arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))", point)
    card = page.one("[data-testid=zoo-card]")
    assert page.wait(lambda: "FCN-16s" in card.text and "multiply-adds" in card.text)
    assert not page.browser.find_elements(By.CSS_SELECTOR, "#viewer-fcn-16s .sv")
    page.browser.set_window_size(
        520, 1000
    )  # on a narrow screen the drawing gets narrower, its letters do not get smaller
    plot = "const plot = document.querySelector('[data-testid=zoo-plot]'); return plot.getScreenCTM().a"
    page.wait(lambda: page.browser.execute_script(plot) == pytest.approx(1, abs=0.01))
    page.click(page.one("[data-testid=zoo-pick]"))
    page.wait(lambda: page.viewer("fcn-16s").is_displayed())


def test_public_checkpoints_tell_their_terms_and_explain_a_failed_download(page, files, monkeypatch):
    from segdemo.errors import DownloadError
    from segdemo.networks import official

    def unreachable(name, on_progress=None, is_cancelled=None):
        on_progress(1_000_000, 4_000_000)
        raise DownloadError("the hub cannot be reached. Check the connection and try again.")

    monkeypatch.setattr(official, "download", unreachable)
    monkeypatch.setattr(official, "CACHE", files / "empty cache")
    page.upload(files / "cat.jpg")
    page.tab("Networks")
    page.click(page.wait(lambda: page.one("#public-box button")))
    page.wait(lambda: "Licence" in page.one("#public-about").text)
    page.click(page.one("#public-download"))
    page.wait(lambda: "cannot be reached" in page.one("#public-status").text)
    page.click(page.one("#public-run"))
    page.wait(lambda: "press Download" in page.one("#public-status").text)


def test_a_link_opens_the_page_as_it_was(page, address):
    page.browser.get(f'{address}?tab=Networks&photo=astronaut&networks=["unet"]&crf="without"&seed=7&size=99999')
    chosen = lambda: page.browser.execute_script(  # noqa: E731
        "return [...document.querySelectorAll('#network-methods input:checked')].map(box => box.name || box.value)"
    )
    page.wait(lambda: len(chosen()) == 1 and page.browser.find_elements(By.CSS_SELECTOR, "#photo img"))
    page.wait(lambda: "size = 99999" in page.text())
    page.click(page.one("#copy-link"))
    page.wait(lambda: "ink" in page.one("#copy-said").text)
    query = parse_qs(urlparse(page.browser.current_url).query)
    assert query == {
        "tab": ["Networks"], "photo": ["astronaut"], "networks": ['["unet"]'], "crf": ['"without"'], "seed": ["7"],
    }  # fmt: skip


def test_a_link_knows_photos_by_content_and_says_what_it_lacks(page, address, files):
    def link():
        page.click(page.one("#copy-link"))
        said = page.wait(lambda: page.one("#copy-said").text)
        return parse_qs(urlparse(page.browser.current_url).query), said

    query, said = link()
    assert query == {} and "photo" not in said
    page.example()
    page.wait(lambda: link()[0] == {"photo": ["chelsea"]})
    (files / "namesake").mkdir()
    Image.open(files / "cat.jpg").save(files / "namesake" / "chelsea.png")
    page.open(address)
    page.upload(files / "namesake" / "chelsea.png")
    page.wait(lambda: link()[0] == {"photo": ["upload"]})
    assert "Your photo is not in it" in link()[1]
    page.browser.get(f"{address}?photo=upload&seed=3")
    page.wait(lambda: "on a photo that is not in it" in page.text())
    page.browser.get(f"{address}?photo=nobody<b>")
    page.wait(lambda: "photo = nobody<b>: there is no such example" in page.text())


def test_compact_leaves_pictures_and_legends(page):
    page.example()
    page.press("Segment")
    page.result("kmeans")
    replay = page.viewer("kmeans").find_element(By.CSS_SELECTOR, "[data-testid=replay]")
    assert replay.is_displayed()
    page.click(page.one(".compact-switch input"))
    page.wait(lambda: not replay.is_displayed())
    assert page.viewer("kmeans").find_element(By.CSS_SELECTOR, "[data-testid=legend]").is_displayed()


def test_results_that_come_while_their_tab_is_closed_keep_their_place(page):
    """A stage in a closed tab has no size; what is computed from it must not stay."""
    page.example(1)
    page.press("Segment")
    page.result("slic")
    page.tab("Compare")
    script = "const { stage } = arguments[0].maskViewer; stage.setView({ zoom: 1, x: 0.5, y: 0.5 }, false); return stage.view"
    view = page.browser.execute_script(script, page.viewer("slic"))
    assert (view["x"], view["y"]) == (0.5, 0.5)
