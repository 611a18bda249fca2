"""Scribbles as files: an indexed PNG whose pixel values are the labels, readable by every door of the project."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from ...errors import ScribbleError
from ...graphcut.scribbles import fit_scribbles
from ...image import MAX_BYTES, MAX_PIXELS, stored_values
from .seeds import MAX_LABEL, pack_map, rasterize

MAX_SIDE = 2048
"""Long side, in pixels, at which a loaded map is kept; the page works at no larger size."""

ADVICE = "load an indexed or grey PNG whose values are 0 = none, 1 = object, 2 = background, up to 8 labels"


def seed_png(value: Any, size: tuple[int, int], colours: Sequence[str]) -> str:
    """The pad's strokes as an indexed PNG of the photo's size, base64.

    Args:
        value: of the pad.
        size: (H, W) of the photo.
        colours: ``"#rrggbb"`` of the labels 1, 2, ...; label 0 is transparent.
    """
    if not 0 < size[0] * size[1] <= MAX_PIXELS:
        raise ScribbleError("There is no photo under the scribbles: choose one first.")
    picture = Image.fromarray(rasterize(value, size), "P")
    picture.putpalette(bytes(3) + b"".join(bytes.fromhex(colour.lstrip("#")) for colour in colours))
    file = io.BytesIO()
    picture.save(file, "PNG", transparency=0)
    return base64.b64encode(file.getvalue()).decode("ascii")


def read_map(file: str, size: tuple[int, int]) -> dict[str, Any]:
    """A stroke that holds the label map of a PNG, given as base64, for a photo of ``size`` = (H, W).

    Raises ``ScribbleError`` when the file is no label map, or one of another photo.
    """
    labels = _decode(file)
    height, width = labels.shape
    if abs(height * size[1] - width * size[0]) > max(height, width, *size):  # more than rounding of a smaller size
        raise ScribbleError(
            f"These scribbles are {width} x {height} pixels, the photo is {size[1]} x {size[0]}: "
            "load scribbles that were made on this photo, or choose their photo first."
        )
    if int(labels.max(initial=0)) > MAX_LABEL:
        raise ScribbleError(f"This picture contains the value {labels.max()}, so it holds no scribbles: {ADVICE}.")
    if not labels.any():
        raise ScribbleError(f"There are no scribbles in this file, all of its values are 0: {ADVICE}.")
    scale = MAX_SIDE / max(labels.shape)
    if scale < 1:
        labels = fit_scribbles(labels, labels.shape, (max(1, round(height * scale)), max(1, round(width * scale))))
    return pack_map(labels)


def _decode(file: str) -> np.ndarray:
    """The pixel values of a base64 PNG with one channel, (H, W) integers."""
    try:
        data = base64.b64decode(file, validate=True)
        if len(data) > MAX_BYTES:
            raise ScribbleError(f"This file is larger than {MAX_BYTES / 1e6:g} MB: {ADVICE}.")
        with Image.open(io.BytesIO(data), formats=["PNG"]) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise ScribbleError(f"This picture has more than {MAX_PIXELS / 1e6:g} megapixels: {ADVICE}.")
            if picture.mode not in ("P", "L", "1", "I;16", "I"):
                raise ScribbleError(f"This picture has colours in place of label numbers: {ADVICE}.")
            return stored_values(picture).astype(np.int64)
    except ScribbleError:
        raise
    except (binascii.Error, OSError, SyntaxError, ValueError, TypeError, Image.DecompressionBombError):
        raise ScribbleError(f"This file is neither a PNG with scribbles nor strokes in JSON: {ADVICE}.") from None
