"""Pages that are left, and many of them open at once: a browser has six connections for one server."""

import pytest

pytest.importorskip("selenium")

from page_driver import Driver, launched

from segdemo import Engine


@pytest.fixture
def engine():
    return Engine("cpu")


@pytest.fixture
def server(engine):
    with launched(engine) as page:
        yield page


@pytest.fixture
def page(browser, server):
    return Driver(browser).open(server.local_url)


def test_many_links_one_after_another_all_open(page, server):
    """The browser keeps pages that were left for its Back button: they must have let go of their connections."""
    for number in range(8):
        page.browser.get(f"{server.local_url}?photo=nobody{number}")
        page.wait(lambda number=number: f"photo = nobody{number}" in page.text(), seconds=15)


def test_many_tabs_of_one_browser_all_open_and_work(page, server):
    browser, first = page.browser, page.browser.current_window_handle
    try:
        for number in range(7):
            browser.switch_to.new_window("tab")
            browser.get(f"{server.local_url}?photo=nobody{number}")
            page.wait(lambda number=number: f"photo = nobody{number}" in page.text(), seconds=15)
        page.example()
        page.press("Segment")
        page.result("kmeans")
    finally:
        for handle in set(browser.window_handles) - {first}:
            browser.switch_to.window(handle)
            browser.close()
        browser.switch_to.window(first)


def test_a_page_that_is_left_gives_back_its_results_and_what_runs_for_it_stops(page, server, engine):
    page.example()
    page.press("Segment")
    page.result("kmeans")
    *_, session = server.state_holder.session_data.values()  # the page before may have said goodbye here
    kept = lambda: [value for value in session.state_data.values() if value]  # noqa: E731
    assert "kmeans" in kept()[0]
    with engine._turn.lock:  # another visitor's run that does not end
        page.press("Segment")
        page.wait(lambda: engine._turn._visitors, 10)
        page.browser.get(f"{server.local_url}robots.txt")
        page.wait(lambda: not engine._turn._visitors and not kept(), 10)
