"""What the page is made of besides components: files beside a Python file, and messages as HTML."""

from __future__ import annotations

import html
from collections.abc import Callable
from functools import cache
from pathlib import Path

LIVE = "element.setAttribute('role', 'status');"
"""Script of a ``gr.HTML`` whose changes a screen reader says when it has said the rest."""


def beside(file: str) -> Callable[[str], str]:
    """A reader, by name, of the text files in the folder of ``file`` (a module's ``__file__``); each is read once."""
    folder = Path(file).parent
    return cache(lambda name: (folder / name).read_text(encoding="utf-8"))


def problem(what: object) -> str:
    """A message, as HTML, that says what is wrong and what to do."""
    return f"<span class='problem'>{html.escape(str(what))}</span>"
