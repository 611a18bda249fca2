"""What all browser tests share: loading a page, waiting until something holds or until it rests, and its console.

A page that moves sends a mouse past its aim, so tests wait until it rests.
"""

import time
from urllib.parse import urljoin

RESTS = """
const [element, done] = arguments, place = () => { const b = element.getBoundingClientRect(); return [b.left, b.top, b.width, b.height]; };
let last = "", same = 0;
element.scrollIntoView({ block: "center" });
const look = () => {
  const now = String(place());
  same = now === last ? same + 1 : 0;
  last = now;
  if (same >= 5) done(place()); else setTimeout(look, 30);
};
look();
"""


CLOSED = "AbortError: signal is aborted without reason"
"""What Gradio's client writes when it closes a stream of its own while it reads from it: now and then, and no fault."""


def load(browser, address):
    """Load ``address`` with empty logs: the page before it ends first, and what it says of its cut streams goes."""
    browser.execute_script("window.stop()")  # else the browser keeps them with the page, and has but six
    browser.get(urljoin(address, "robots.txt"))  # a page of another site would lose touches for good
    browser.get_log("browser"), browser.get_log("performance")
    browser.get(address)


def console_errors(browser):
    """The errors in the page's console since it was last read."""
    errors = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    return [message for message in errors if CLOSED not in message]


def centre(browser, element):
    """Scroll ``element`` to the middle of the window; its (left, top, width, height) there, once it no longer moves."""
    return browser.execute_async_script(RESTS, element)


def wait_for(ready, seconds, said):
    """What ``ready()`` gives once it is true; fails after ``seconds`` with what ``said()`` tells of the page by then."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            value = ready()
        except Exception:  # the page is being redrawn
            value = None
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"nothing came within {seconds} s: {said()}")
