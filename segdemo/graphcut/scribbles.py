"""Scribbles: the strokes by which a visitor tells a method what is what.

Scribbles are an (H, W) integer array: 0 = nothing drawn, 1 = object (foreground),
2 = background, and 3..n for methods with more labels.
"""

from __future__ import annotations

from os import PathLike

import numpy as np
from PIL import Image

from ..errors import ScribbleError
from ..image import MAX_PIXELS, stored_values
from ..segmentation import resize_nearest


def check_scribbles(scribbles: np.ndarray, size: tuple[int, int], labels: int = 255) -> np.ndarray:
    """Scribbles as (H, W) uint8, checked against the photo's size (H, W) and the number of labels.

    Raises ``ScribbleError`` for another size, values outside 0..labels, or values that are no integers.
    """
    scribbles = np.asarray(scribbles)
    if scribbles.ndim != 2 or scribbles.shape != tuple(size):
        theirs = " x ".join(map(str, scribbles.shape)) or "a single number"
        raise ScribbleError(
            f"The scribbles are {theirs}, the photo is {size[0]} x {size[1]} (height x width): "
            "give one integer per pixel of the photo."
        )
    if scribbles.dtype.kind not in "iub":
        raise ScribbleError(
            f"The scribbles are {scribbles.dtype}: give integers, 0 = none, 1 = object, 2 = background."
        )
    low, high = int(scribbles.min(initial=0)), int(scribbles.max(initial=0))
    if low < 0 or high > labels:
        wrong = low if low < 0 else high
        raise ScribbleError(f"The scribbles contain {wrong}: the values are 0 = none and 1 to {labels} for the labels.")
    return scribbles.astype(np.uint8)


def load_scribbles(path: str | PathLike) -> np.ndarray:
    """The pixel values of a picture file as they are: of a grey or indexed PNG, (H, W) integers.

    Whether they are scribbles on the photo, ``check_scribbles`` tells. Raises ``ScribbleError`` if the file cannot be read.
    """
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise ScribbleError(
                    f"The scribbles have more than {MAX_PIXELS / 1e6:g} megapixels: no photo here does."
                )
            return stored_values(picture)
    except FileNotFoundError:
        raise ScribbleError(f"{path} does not exist: check the name and the folder of the scribbles.") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        raise ScribbleError(
            "The scribbles are not an image: give a PNG with 0 = none, 1 = object, 2 = background, or labels 1 to 8."
        ) from None


def fit_scribbles(
    scribbles: np.ndarray, photo_size: tuple[int, int], working_size: tuple[int, int], keep_all: bool = False
) -> np.ndarray:
    """Scribbles on the photo, (H, W) integers, brought to the working size: (h, w) uint8.

    When shrinking, a thin stroke survives: a cell is scribbled as soon as one of its pixels
    is. Where strokes of several labels meet in one cell the label with more pixels wins, at a
    tie the higher one; with ``keep_all`` a label that wins nowhere keeps the cell that holds most of it, of
    those that are not the last of another label; if there is none, the nearest one beside its own.
    Raises ``ScribbleError`` as ``check_scribbles`` does.
    """
    scribbles = check_scribbles(scribbles, photo_size)
    height, width = working_size
    if height > photo_size[0] or width > photo_size[1]:
        return resize_nearest(scribbles, working_size)
    y, x = np.nonzero(scribbles)
    cells = (y * height // photo_size[0]) * width + x * width // photo_size[1]
    fitted = np.zeros(height * width, np.uint8)
    most = np.ones(height * width, np.int64)  # pixels that a label needs at least
    for label in np.unique(scribbles[y, x]):
        counts = np.bincount(cells[scribbles[y, x] == label], minlength=height * width)
        wins = counts >= most
        fitted[wins], most[wins] = label, counts[wins]
    for label in np.setdiff1d(scribbles[y, x], fitted) if keep_all else ():
        counts = np.bincount(cells[scribbles[y, x] == label], minlength=height * width)
        is_last = (fitted > 0) & (np.bincount(fitted)[fitted] == 1)  # all that its label has
        row, column = np.divmod(np.arange(height * width), width)
        home = counts.argmax()
        away = (row - row[home]) ** 2 + (column - column[home]) ** 2
        fitted[np.lexsort((away, -counts, is_last))[0]] = label
    return fitted.reshape(height, width)
