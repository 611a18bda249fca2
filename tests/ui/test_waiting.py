"""Runs that wait: for other visitors, for the warm-up, and Stop meanwhile."""

import inspect
import threading
import time

import gradio as gr
import httpx
import pytest

from segdemo import Engine
from segdemo.errors import Cancelled
from segdemo.examples import examples
from segdemo.method import methods
from segdemo.turn import FOR_VISITOR
from segdemo.ui.page import build_page
from segdemo.ui.waiting import NEVER_BEGAN, STATUS, drop_waiting
from segdemo.ui.workshop import Visits

gradio_client = pytest.importorskip("gradio_client")


def test_stop_drops_what_waits_and_nothing_else():
    begun, release = [], threading.Event()

    def run(name):
        begun.append(name)
        assert release.wait(20)
        return name, "result"

    async def stop(request: gr.Request):
        return drop_waiting(page, request.session_hash)

    with gr.Blocks() as page:
        name, status, screen, count = gr.Textbox(), gr.HTML(elem_classes=STATUS), gr.HTML(), gr.Number()
        gr.Button().click(run, name, [status, screen], api_name="run", concurrency_id="engine")
        gr.Button().click(lambda name: begun.append(name), name, None, api_name="other", concurrency_id="engine")
        gr.Button().click(stop, None, count, api_name="stop", queue=False)
    page.queue(default_concurrency_limit=1)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True)
    try:
        mine, yours = (gradio_client.Client(url, verbose=False) for _ in range(2))
        first = yours.submit("first", api_name="/run")
        while not begun:
            pass
        waiting = [mine.submit(name, api_name="/run") for name in ("second", "third")]
        kept = [mine.submit("no status", api_name="/other"), yours.submit("last", api_name="/run")]
        while len(page._queue) < 4 or len(mine.pending_event_ids) < 3:  # the client, too, has to know of them
            pass
        assert mine.predict(api_name="/stop") == 2
        assert [job.result(10)[0] for job in waiting] == [NEVER_BEGAN] * 2
        assert not first.done()
        release.set()
        assert first.result(20) == ("first", "result") and kept[1].result(20)[0] == "last"
        kept[0].result(20)
        assert sorted(begun) == ["first", "last", "no status"]
        assert mine.predict(api_name="/stop") == 0
    finally:
        page.close()


@pytest.mark.parametrize("yields", [False, True])
def test_a_run_whose_caller_has_gone_stops(yields):
    """A program, or a browser that crashed, says no goodbye: its connection ends."""
    visits, heard = Visits(), []

    def run(request: gr.Request):
        is_cancelled, deadline = visits.begin(request), time.monotonic() + 20
        heard.append("begun")
        while not is_cancelled() and time.monotonic() < deadline:
            time.sleep(0.05)
        heard.append("stopped" if is_cancelled() else "ran to its end")

    def run_in_turn(request: gr.Request):
        yield run(request)

    with gr.Blocks() as page:
        gr.Button().click(run_in_turn if yields else run, None, None, api_name="run")
    page.queue()
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True)
    try:
        api, me = f"{url}gradio_api/queue", {"session_hash": "caller"}
        joined = httpx.post(f"{api}/join", json=me | {"data": [], "fn_index": 0}).raise_for_status()
        assert joined.json()["event_id"]
        with httpx.stream("GET", f"{api}/data", params=me) as stream:
            next(line for line in stream.iter_lines() if "process_starts" in line)
            assert heard == ["begun"]
        deadline = time.monotonic() + 10
        while len(heard) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert heard == ["begun", "stopped"]
    finally:
        page.close()


@pytest.fixture
def engine():
    return Engine("cpu")


@pytest.fixture
def page(browser, engine):
    """The page with an example photo."""
    pytest.importorskip("selenium")
    from page_driver import Driver, served

    with served(engine) as address:
        page = Driver(browser).open(address)
        page.address = address
        page.example()
        yield page


def test_a_run_stopped_while_it_waits_says_so_and_leaves_the_page_in_order(page, engine):
    with engine._turn.lock:  # another visitor's run that does not end
        client = gradio_client.Client(page.address, verbose=False)
        photo = gradio_client.handle_file(str(examples()[0].path))
        other = client.submit(photo=photo, api_name="/kmeans")
        page.wait(lambda: other.status().code.name == "PROCESSING")
        page.press("Segment")
        page.wait(lambda: "queue" in page.one(".status").text)
        page.press("Stop")
        page.wait(lambda: page.one(".status").text == NEVER_BEGAN, 5)
    other.result(60)
    page.press("Segment")
    page.result("kmeans")


def test_a_run_stopped_while_it_runs_says_so(page, engine):
    with engine._turn.lock:  # another visitor's run, out of Gradio's queue
        page.press("Segment")
        page.wait(lambda: FOR_VISITOR in page.one(".status").text, 10)
        page.press("Stop")
        page.wait(lambda: "Stopped" in page.one(".status").text, 5)
    page.press("Segment")
    page.result("kmeans")


def test_a_run_asked_for_again_begins_anew_with_what_is_set_then(page, engine, monkeypatch):
    runs, run = [], engine.run
    monkeypatch.setattr(
        engine, "run", lambda method, *args, **options: runs.append(method) or run(method, *args, **options)
    )
    with engine._turn.lock:  # another visitor's run, out of Gradio's queue
        page.press("Segment")
        page.wait(lambda: FOR_VISITOR in page.one(".status").text, 10)
        chosen = page.browser.find_elements("css selector", "#clustering-methods input:checked")
        for box in chosen[:-1]:
            page.click(box)
        page.press("Segment")
        page.wait(lambda: len(runs) > 1, 10)
    page.wait(lambda: page.one(".status").text == "Done.", 30)
    assert len(chosen) > 1 and runs == [methods_of_tab()[0], methods_of_tab()[-1]]


def methods_of_tab():
    return [m.name for m in methods().values() if m.family == "clustering"]


def test_a_program_that_asks_twice_gets_two_answers(engine):
    """Of a program, a second question says nothing against the first."""
    pytest.importorskip("selenium")
    from page_driver import served

    with served(engine) as address:
        client = gradio_client.Client(address, verbose=False)
        photo = gradio_client.handle_file(str(examples()[0].path))
        jobs = [client.submit(photo=photo, clusters=k, api_name="/kmeans") for k in (2, 3)]
        answers = [job.result(60) for job in jobs]
        assert len(answers) == 2 and all(answers)


def test_a_stop_that_takes_its_time_says_so(page, engine, monkeypatch):
    """Some steps end only as a whole: a cut of many pixels."""
    begun, release = threading.Event(), threading.Event()

    def long_step(*args, **kwargs):
        begun.set()
        assert release.wait(30)
        raise Cancelled

    monkeypatch.setattr(engine, "run", long_step)
    page.press("Segment")
    assert begun.wait(10)
    page.press("Stop")
    try:
        page.wait(lambda: "Stopping…" in page.text(), 10)
    finally:
        release.set()
    page.wait(lambda: "Stopping…" not in page.text() and "Stopped" in page.one(".status").text, 10)
    monkeypatch.undo()
    page.press("Segment")
    page.result("kmeans")
    page.press("Stop")  # nothing runs any more, and nothing is said


def test_stop_speaks_of_nothing_that_was_not_asked_for(page, engine):
    """A stroke with live off is no run."""
    with engine._turn.lock:
        page.press("Segment")
        page.wait(lambda: engine._turn._visitors, 10)
        page.tab("Graph cut")
        page.wait(lambda: page.one("#pad .pad").get_attribute("data-state") == "ready")
        page.draw([(0.3, 0.5), (0.6, 0.55)])
        page.press("Stop")
        page.wait(lambda: not engine._turn._visitors, 10)
    assert NEVER_BEGAN not in page.text()


def test_every_event_that_asks_for_the_request_gets_it():
    """Gradio fills in no parameter behind ``*values``; without the request Stop would not know whose run it is."""
    asked = 0
    for event in build_page(Engine("cpu")).fns.values():
        for parameter in inspect.signature(event.fn).parameters.values() if event.fn else ():
            if parameter.name == "request":
                asked += 1
                assert parameter.kind is parameter.POSITIONAL_OR_KEYWORD, event.fn
    assert asked > 20


def test_the_page_says_that_the_server_warms_up_until_it_has(browser):
    pytest.importorskip("selenium")
    from page_driver import Driver, served

    engine = Engine("cpu")
    engine._turn.warming = "SLIC superpixels"
    with served(engine) as address:
        page = Driver(browser).open(address)
        page.wait(lambda: page.one("#warmth").text == "warming up: SLIC superpixels", 10)
        engine._turn.warming = "k-means"
        page.wait(lambda: page.one("#warmth").text == "warming up: k-means", 10)
        engine._turn.warming = None
        page.wait(lambda: not page.one("#warmth").is_displayed(), 10)
