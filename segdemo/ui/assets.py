"""Reading the html, css and js that lie beside a component's Python file."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path


def beside(file: str) -> Callable[[str], str]:
    """A reader, by name, of the text files in the folder of ``file`` (a module's ``__file__``); each is read once."""
    folder = Path(file).parent
    return cache(lambda name: (folder / name).read_text(encoding="utf-8"))
