"""What all lessons share: strokes that a lesson of two labels leaves out are spoken of."""

from types import SimpleNamespace

import numpy as np
from PIL import Image

from segdemo.ui.lessons.teaching import TWO_BRUSHES, taught
from segdemo.ui.workshop import Visits, key_of


def test_strokes_of_further_brushes_are_spoken_of(tmp_path):
    path = str(tmp_path / "photo.png")
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(path)
    teach = lambda lesson, photo, **given: given["scribbles"]  # noqa: E731
    workshop = SimpleNamespace(visits=Visits(), engine=SimpleNamespace(teach=teach))
    stroke = lambda label: {"label": label, "size": 0.1, "points": [[0.2 * label, 0.2], [0.2 * label, 0.8]]}  # noqa: E731

    def shown(*labels):
        strokes = {"key": key_of(path), "strokes": [stroke(label) for label in labels]}
        show = lambda photo, seeds: {"seen": np.unique(seeds).tolist()}  # noqa: E731
        request = SimpleNamespace(session_hash="visitor")
        return taught(workshop, None, lambda photo: {}, show, path, request, strokes)

    assert shown(1, 2) == {"seen": [0, 1, 2]}
    assert shown(1, 2, 3) == {"seen": [0, 1, 2], "message": TWO_BRUSHES}
