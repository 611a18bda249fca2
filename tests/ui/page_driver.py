"""The whole page as a test serves and drives it."""

from contextlib import contextmanager

from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from steady import centre, load, wait_for

from segdemo.ui.page import build_page, launching


@contextmanager
def launched(engine):
    """The page around ``engine``, served at its ``local_url``."""
    page = build_page(engine)
    page.launch(prevent_thread_lock=True, quiet=True, server_port=None, inbrowser=False, **launching())
    try:
        yield page
    finally:
        page.close()


@contextmanager
def served(engine):
    """The address of the page around ``engine``."""
    with launched(engine) as page:
        yield page.local_url


class Driver:
    def __init__(self, browser):
        self.browser = browser

    def open(self, address):
        """Load the page afresh, without what the one before left behind."""
        self.browser.set_window_size(1400, 1000)
        load(self.browser, address)
        self.browser.execute_script("localStorage.clear()")  # else scribbles come back for the same photo
        self.wait(lambda: self.browser.find_elements(By.CSS_SELECTOR, "#examples button.thumbnail-item img"))
        return self

    def wait(self, ready, seconds=90):
        return wait_for(ready, seconds, lambda: self.text()[-600:])

    def text(self):
        return self.browser.find_element(By.TAG_NAME, "body").text

    def one(self, selector):
        return self.wait(lambda: self.browser.find_element(By.CSS_SELECTOR, selector), 20)

    def click(self, element):
        self.browser.execute_script("arguments[0].scrollIntoView({block: 'center'}); arguments[0].click()", element)

    def press(self, label):
        """Click the visible button with this label."""

        def find():
            buttons = self.browser.find_elements(By.TAG_NAME, "button")
            return next((b for b in buttons if b.is_displayed() and b.text.strip() == label), None)

        self.click(self.wait(find, 20))

    def tab(self, name):
        find = lambda: next(  # noqa: E731
            (
                t
                for t in self.browser.find_elements(By.CSS_SELECTOR, "[role=tab]")
                if t.text.strip() == name and t.is_displayed()
            ),
            None,
        )
        self.click(self.wait(find, 20))

    def upload(self, path):
        self.one("#photo input[type=file]").send_keys(str(path))
        self.wait(lambda: self.browser.find_elements(By.CSS_SELECTOR, "#photo img, #photo [data-testid=image] img"))

    def example(self, number=0):
        self.click(self.browser.find_elements(By.CSS_SELECTOR, "#examples button.thumbnail-item")[number])
        self.wait(lambda: self.browser.find_elements(By.CSS_SELECTOR, "#photo img"))

    def viewer(self, key):
        return self.one(f"#viewer-{key} .sv")

    def result(self, key):
        """Wait until viewer ``key`` shows a result; returns it."""
        return self.wait(lambda: self.viewer(key) if self.viewer(key).get_attribute("data-state") == "result" else None)

    def shares(self, key):
        script = "const r = arguments[0].maskViewer.result; return r.listed.map(k => [r.names[k], r.shares[k]])"
        return dict(self.browser.execute_script(script, self.result(key)))

    @property
    def strokes(self):
        return int(self.one("#pad .pad").get_attribute("data-strokes"))

    def draw(self, points):
        """A stroke on the scribble pad through points given as parts of its width and height (no button lies there)."""
        canvas, before = self.one("#pad canvas"), self.strokes
        *_, width, height = centre(self.browser, canvas)
        chain = ActionChains(self.browser, duration=20)
        places = [(int((x - 0.5) * width), int((y - 0.5) * height)) for x, y in points]
        chain.move_to_element_with_offset(canvas, *places[0]).click_and_hold()
        for place in places[1:]:
            chain.move_to_element_with_offset(canvas, *place)
        chain.release().perform()
        self.wait(lambda: self.strokes == before + 1, 20)

    def label_at(self, key, x, y):
        """The label that viewer ``key`` shows at (x, y), parts of the photo's width and height."""
        script = "const { width, height, values } = arguments[0].maskViewer.result.labels;" + (
            f"return values[Math.floor({y} * height) * width + Math.floor({x} * width)]"
        )
        return self.browser.execute_script(script, self.viewer(key))
