"""The graph-cut tab as a test drives it: pointers on the pad, keys, files."""

import base64
import json

from selenium.webdriver import ActionChains
from selenium.webdriver.common.action_chains import ActionBuilder
from selenium.webdriver.common.actions import interaction
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By
from steady import centre, wait_for

SIZE = (160, 240)  # height, width of the photo
STROKES = {"strokes": [
    {"label": 1, "size": 0.05, "points": [[0.45, 0.5], [0.6, 0.5]]}, {"label": 2, "size": 0.05, "points": [[0.05, 0.05], [0.9, 0.05]]},
]}  # fmt: skip


class Tab:
    def __init__(self, browser):
        self.browser = browser

    def wait(self, ready, seconds=60):
        return wait_for(ready, seconds, lambda: self.browser.find_element(By.ID, "pad").text)

    def open(self, photo):
        self.one("#photo input[type=file]").send_keys(str(photo))
        find = "return [...document.querySelectorAll('[role=tab]')].find(t => t.innerText.trim() === 'Graph cut' && t.offsetParent)"
        self.browser.execute_script("arguments[0].click()", self.wait(lambda: self.browser.execute_script(find)))
        self.wait(lambda: self.one("#pad .pad").get_attribute("data-state") == "ready")

    def one(self, selector):
        return self.wait(lambda: self.browser.find_element(By.CSS_SELECTOR, selector), 20)

    def press(self, name):
        where = "" if name.startswith(("gp-", "so-")) else "#pad "
        self.click(f"{where}[data-testid={name}]")

    def click(self, selector):
        self.browser.execute_script("arguments[0].click()", self.one(selector))

    def brush(self, label):
        self.click(f'#pad [data-label="{label}"]')

    @property
    def strokes(self):
        return json.loads(
            self.browser.execute_script(
                "return JSON.stringify(document.querySelector('#pad .pad').scribblePad.strokes)"
            )
        )

    def say(self, name):
        message = self.one(f"#pad [data-testid={name}]")
        return message.text if message.is_displayed() else ""

    def at(self, x, y):
        """A place on the canvas, given as parts of it, in pixels of the window."""
        left, top, width, height = self.place
        return int(left + x * width), int(top + y * height)

    def draw(self, *points, kind=interaction.POINTER_MOUSE):
        self.drag([points], kind)

    def drag(self, paths, kind=interaction.POINTER_TOUCH):
        """Pointers along paths given as parts of the canvas, all at once."""
        self.place = centre(self.browser, self.one("#pad canvas"))
        actions = ActionBuilder(self.browser, mouse=PointerInput(kind, f"{kind} 0"))
        for number in range(1, len(paths)):
            actions.add_pointer_input(kind, f"{kind} {number}")
        for pointer, path in zip(actions.pointer_inputs, paths):
            x, y = self.at(*path[0])
            pointer.create_pointer_move(duration=0, x=x, y=y)
            pointer.create_pointer_down(button=0)
            for point in path[1:]:
                x, y = self.at(*point)
                pointer.create_pointer_move(duration=20, x=x, y=y)
            pointer.create_pointer_up(button=0)
        actions.perform()

    def keys(self, key, *held):
        chain = ActionChains(self.browser)
        for modifier in held:
            chain.key_down(modifier)
        chain.send_keys(key)
        for modifier in held:
            chain.key_up(modifier)
        chain.perform()

    def load(self, path):
        self.one("#pad [data-testid=file]").send_keys(str(path))

    def saved(self, name):
        """The bytes of the file that a save button offered."""
        caught = self.wait(lambda: dict(self.browser.execute_script("return window.caught")).get(name), 20)
        return base64.b64decode(caught)
