"""The page's address: a link that opens the page exactly as it is, so that a teacher can send a state to a class.

``?tab=Networks&photo=astronaut&networks=["unet"]&seed=3&lesson=atrous-lesson`` sets what it names, opens the lesson, and
leaves the rest as it is. Only what differs from the page's defaults is written into the link. Examples are named; an uploaded photo stays with its visitor,
and the link says so (``photo=upload``).
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Mapping
from typing import Any

import gradio as gr
from gradio.components import Component
from gradio.processing_utils import hash_file

from .lecture import places

TABS = ("Clustering", "Graph cut", "Networks", "Compare")

OWN = "upload"
"""What the link says in place of an example's name when the photo is the visitor's own."""

NOT_IN_IT = " Your photo is not in it: whoever opens the link needs the photo as well."
PINS_NOT_IN_IT = " Pins are not in it."
NO_PHOTO = "This link was made on a photo that is not in it. Choose that photo, or another: the rest is set."

LESSONS = {place.element: place.tab for place in places() if place.element.endswith(("-lesson", "-box"))}
"""The tab of each part of the page that can be opened, by its id."""

COPY = """(...values) => {
  const names = %(names)s, defaults = %(defaults)s, examples = %(examples)s;
  const query = new URLSearchParams();
  const tab = document.querySelector('[role=tab][aria-selected=true]')?.textContent.trim();
  if (tab && tab !== %(first)s) query.set('tab', tab);
  const folder = values.shift()?.path?.split(/[\\\\/]/).at(-2);  // Gradio's name for the content of the file
  const isOwn = folder && !(folder in examples);
  if (folder) query.set('photo', isOwn ? %(own)s : examples[folder]);
  const lesson = segdemoLecture.opened(%(lessons)s);
  if (lesson) query.set('lesson', lesson);
  names.forEach((name, k) => {
    const text = JSON.stringify(values[k]);
    if (text !== JSON.stringify(defaults[k])) query.set(name, text);
  });
  const address = (parts) => location.origin + location.pathname + (parts.size ? '?' + parts : ''), link = address(query);
  const own = new URLSearchParams(query), theme = new URLSearchParams(location.search).get('__theme');
  if (theme) own.set('__theme', theme);  // the sender's taste is not the receiver's
  history.replaceState(null, '', address(own));
  const copied = navigator.clipboard ? navigator.clipboard.writeText(link) : Promise.reject();  // needs https or localhost
  const say = (text) => `<span data-turn="${Date.now()}">${text}</span>`;
  const pins = document.querySelectorAll('.pins .sv[data-state=result]').length ? %(pins)s : '';
  const but = (isOwn ? %(but)s : '') + pins;
  return copied.then(() => say('Link copied.' + but), () => say('The link is in the address bar: copy it from there.' + but));
}"""

CHOOSE = """() => {
  const place = %s.indexOf(new URLSearchParams(location.search).get('photo'));
  const choose = (tries) => {
    const example = document.querySelectorAll('#examples button.thumbnail-item')[place];
    if (example) example.click(); else if (tries) setTimeout(choose, 100, tries - 1);
  };
  if (place >= 0) choose(100);
}"""
"""Clicks the example that the address names, as soon as the gallery stands."""


OPEN = """() => {
  const query = new URLSearchParams(location.search), lesson = query.get('lesson');
  if (lesson in %(tabs)s) segdemoLecture.go(%(tabs)s[lesson], lesson);
}"""


class Address:
    """The components that belong to the page's state, by the name they have in the address."""

    def __init__(self) -> None:
        self.components: dict[str, Component] = {}

    def add(self, components: Mapping[str, Component]) -> None:
        """Take these components in under their names."""
        self.components |= components

    def copy_on(self, button: gr.Button, photo: gr.Image, said: gr.HTML, examples: Mapping[str, str]) -> None:
        """Let ``button`` write the link into the address bar and the clipboard; ``said`` tells which of the two worked.

        ``examples`` are the example photos' files by name; a photo is known by its content, whatever its file is called.
        """
        parts = {
            "names": list(self.components),
            "defaults": [component.value for component in self.components.values()],
            "examples": {hash_file(file): name for name, file in examples.items()},
            "first": TABS[0],
            "own": OWN,
            "lessons": list(LESSONS),
            "but": NOT_IN_IT,
            "pins": PINS_NOT_IN_IT,
        }
        script = COPY % {name: json.dumps(part) for name, part in parts.items()}
        button.click(
            None, [photo, *self.components.values()], said, js=script, show_progress="hidden", api_visibility="private"
        )

    def restore_on(self, page: gr.Blocks, tabs: gr.Tabs, examples: Iterable[str]) -> None:
        """Set what the address names when ``page`` is opened; ``examples`` are the photos' names, in the gallery's order."""

        def restore(request: gr.Request) -> dict:
            query = dict(request.query_params)
            updates: dict = {}
            explain_photo(query.get("photo"), examples)
            if "lesson" in query and query["lesson"] not in LESSONS:
                gr.Warning(f"The address asks for lesson = {html.escape(query['lesson'])}: there is no such lesson.")
            if query.get("tab") in TABS:
                updates[tabs] = gr.update(selected=query["tab"])
            for name in self.components.keys() & query.keys():
                try:
                    updates[self.components[name]] = admitted(self.components[name], query[name])
                except ValueError as error:
                    gr.Warning(
                        f"The address asks for {name} = {html.escape(query[name])}: {error}. It is left as it is."
                    )
            return updates or {tabs: gr.skip()}

        quiet = dict(show_progress="hidden", api_visibility="private")
        page.load(restore, None, [tabs, *self.components.values()], **quiet)
        # In the browser: an answer from the server could come after the visitor has chosen another photo, and empty it.
        page.load(None, None, None, js=CHOOSE % json.dumps(list(examples)), **quiet)
        page.load(None, None, None, js=OPEN % {"tabs": json.dumps(LESSONS)}, **quiet)


def explain_photo(wanted: str | None, examples: Iterable[str]) -> None:
    """Say on the page why it opens without the photo that its address speaks of."""
    if wanted == OWN:
        gr.Info(NO_PHOTO, duration=None)
    elif wanted is not None and wanted not in examples:
        gr.Warning(f"The address asks for photo = {html.escape(wanted)}: there is no such example. Choose a photo.")


def admitted(component: Component, text: str) -> Any:
    """The value that ``text``, JSON, stands for, if ``component`` can take it; ``ValueError`` says why not."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("that is no value") from None
    if isinstance(component, gr.Checkbox):
        good = isinstance(value, bool)
    elif isinstance(component, gr.CheckboxGroup):
        good = isinstance(value, list) and all(one in choices(component) for one in value)
    elif isinstance(component, gr.Radio | gr.Dropdown):
        good = value in choices(component)
    else:
        numeric = isinstance(value, int | float) and not isinstance(value, bool)
        if numeric and is_whole(component):
            numeric = isinstance(value, int) or value.is_integer()
        low, high = component.minimum, component.maximum
        good = numeric and (low is None or value >= low) and (high is None or value <= high)
    if not good:
        raise ValueError("that is not among its values")
    return value


def is_whole(component: gr.Slider | gr.Number) -> bool:
    """Whether the component stands for an integer, as ``controls.control`` makes them."""
    return component.precision == 0 if isinstance(component, gr.Number) else isinstance(component.step, int)


def choices(component: gr.CheckboxGroup | gr.Radio | gr.Dropdown) -> list:
    """The values that the component lets choose from."""
    return [value for _, value in component.choices]
