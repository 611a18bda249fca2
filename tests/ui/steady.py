"""A page that is still moving sends a mouse past its aim: wait until it rests before aiming."""

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
