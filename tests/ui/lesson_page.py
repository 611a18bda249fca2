"""A page of lessons, driven as a reader would: boxes opened, answers waited for, boards read and clicked."""

import base64

import numpy as np
import pytest
from steady import centre, load, wait_for

LEFT, RIGHT, END, ENTER = "\ue012", "\ue014", "\ue010", "\ue007"


class Page:
    """The running page with the lessons."""

    first = "#toy-lesson button"

    def __init__(self, browser, address):
        self.browser = browser
        load(browser, address)
        self.wait(lambda: browser.find_elements("css selector", self.first))

    def wait(self, condition, seconds=20):
        return wait_for(condition, seconds, lambda: self.browser.get_log("browser"))

    def part(self, name):
        return self.browser.find_element("css selector", f'[data-testid="{name}"]')

    def ask(self, name, script):
        """Value of ``script`` with ``l``, the lesson's object."""
        return self.browser.execute_script(
            f"const l = document.querySelector('[data-testid=\"{name}\"]').lesson; {script}"
        )

    def shows(self, name):
        return int(self.part(name).get_attribute("data-shows") or 0)

    def answered(self, name, act):
        """Do ``act`` and wait for the answer that it asks for."""
        before = self.shows(name)
        act()
        self.wait(lambda: self.shows(name) > before)

    def open(self, name):
        """Open the lesson's box and have it computed."""
        button = self.browser.find_element("css selector", f"#{name}-lesson button")
        centre(self.browser, button)
        button.click()
        self.wait(lambda: self.ask(name, "return Boolean(l) && l.root.offsetParent !== null;"))
        self.answered(name, self.part(f"{name}-show").click)

    def canvas(self, name, board):
        """(h, w, 4) uint8 of a board, drawn to date."""
        shape = self.ask(name, f"{board}.drawNow(); const c = {board}.canvas; return [c.height, c.width];")
        code = (
            f"const c = {board}.canvas, d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
            "let s = ''; for (let i = 0; i < d.length; i += 8192) s += String.fromCharCode(...d.subarray(i, i + 8192));"
            "return btoa(s);"
        )
        return np.frombuffer(base64.b64decode(self.ask(name, code)), np.uint8).reshape(*shape, 4)

    def click(self, part, x, y):
        """Click at (x, y), parts of its width and height."""
        element = self.part(part)
        *_, width, height = centre(self.browser, element)
        actions = pytest.importorskip("selenium.webdriver").ActionChains(self.browser)
        offset = round((x - 0.5) * width), round((y - 0.5) * height)
        actions.move_to_element_with_offset(element, *offset).click().perform()
