"""The page on its way to the browser: nothing twice, and compressed."""

import urllib.request

import gradio as gr
import pytest
from gradio.components.html import HTML

from segdemo import Engine
from segdemo.ui.delivery import hoist

pytest.importorskip("selenium")
from page_driver import launched  # noqa: E402
from steady import load, wait_for  # noqa: E402

TWICE = dict(head="<script>window.once = 1</script>", css_template="b { color: red } & i { color: blue }")


@pytest.fixture(scope="module")
def page():
    with launched(Engine("cpu")) as page:
        yield page


def test_scripts_and_styles_move_to_the_head_once():
    with gr.Blocks() as blocks:
        gr.HTML("plain")
        first, second = gr.HTML("a", **TWICE, elem_classes="own"), gr.HTML("b", **TWICE)
        gr.HTML("c", css_template="b { color: green }")
    before = blocks.get_config_file()
    after = hoist(before | {"head": "<title>kept</title>"})
    assert after["head"].startswith("<title>kept</title>")
    assert after["head"].count("window.once") == 1 and after["head"].count("<style>") == 2
    props = {c["id"]: c["props"] for c in after["components"]}
    assert not any(p.get("head") or p.get("css_template") for p in props.values())
    own, kind = props[first._id]["elem_classes"]
    assert own == "own" and props[second._id]["elem_classes"] == [kind]
    assert f"<style>:is(#{kind}, .{kind}) {{ {TWICE['css_template']} }}</style>" in after["head"]
    original = {c["id"]: c["props"] for c in before["components"]}
    assert original[first._id]["head"] == TWICE["head"], "the configuration it was given is as before"


def test_the_page_carries_nothing_twice(page):
    components = [b for b in page.blocks.values() if isinstance(b, HTML)]
    for script in {b.head for b in components if b.head}:
        assert page.config["head"].count(script) == 1
    for style in {b.css_template for b in components if b.css_template}:
        assert page.config["head"].count(f") {{ {style} }}</style>") == 1


def test_the_page_is_compressed_for_who_takes_it(page):
    sizes = {}
    for encoding in ("gzip", "identity"):
        request = urllib.request.Request(page.local_url, headers={"Accept-Encoding": encoding})
        with urllib.request.urlopen(request) as answer:
            assert (answer.headers.get("Content-Encoding") == "gzip") == (encoding == "gzip")
            sizes[encoding] = len(answer.read())
    assert sizes["gzip"] < 300_000 and sizes["identity"] < 2_500_000, sizes


def test_a_style_in_common_reaches_every_viewer_over_gradios_own(page, browser):
    load(browser, page.local_url)
    read = "return [...document.querySelectorAll('.sv-title')].map((title) => getComputedStyle(title).fontSize)"
    sizes = wait_for(lambda: browser.execute_script(read), 30, lambda: browser.page_source[-500:])
    assert len(sizes) >= 4 and set(sizes) == {"15px"}
