"""Waiting for a page: until something holds, and until it rests, since a page that moves sends a mouse past its aim."""

import time

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
