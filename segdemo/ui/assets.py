"""Reading the html, css and js that lie beside a component's Python file."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

LIVE = "element.setAttribute('role', 'status');"
"""Script of a ``gr.HTML`` whose changes a screen reader says when it has said the rest."""


def beside(file: str) -> Callable[[str], str]:
    """A reader, by name, of the text files in the folder of ``file`` (a module's ``__file__``); each is read once."""
    folder = Path(file).parent
    return cache(lambda name: (folder / name).read_text(encoding="utf-8"))
