"""Example photos that need no download: those inside the scikit-image package."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from .image import load_image


@dataclass(frozen=True)
class Example:
    """A photo to begin with.

    Attributes:
        name: short name, e.g. ``"chelsea"``.
        title: what is to be seen.
        credit: who made it, and under which terms, as scikit-image's documentation states them.
        path: the file inside the installed scikit-image.
    """

    name: str
    title: str
    credit: str
    path: Path

    def load(self) -> np.ndarray:
        """The photo, (H, W, 3) uint8 RGB."""
        return load_image(self.path)


_PHOTOS = (
    ("chelsea", "chelsea.png", "Chelsea the cat", "Stéfan van der Walt, CC0"),
    ("astronaut", "astronaut.png", "Astronaut Eileen Collins", "NASA, public domain"),
    ("coffee", "coffee.png", "A cup of coffee", "Rachel Michetti, courtesy of Pikolo Espresso Bar, CC0"),
    ("rocket", "rocket.jpg", "Falcon 9 lifting off", "SpaceX, public domain"),
    ("retina", "retina.jpg", "The back of a human eye", "Mikael Häggström, CC0"),
    ("tissue", "ihc.png", "Stained tissue under the microscope", "CMMI, no known copyright restrictions"),
)


def _folder() -> Path:
    """Where scikit-image keeps its pictures; found without importing it, so that nothing is fetched."""
    return Path(find_spec("skimage").submodule_search_locations[0]) / "data"


def examples() -> list[Example]:
    """The example photos that this installation has, in the order to offer them."""
    folder = _folder()
    found = [Example(name, title, credit, folder / file) for name, file, title, credit in _PHOTOS]
    return [example for example in found if example.path.is_file()]
