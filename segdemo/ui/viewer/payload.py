"""From a ``Segmentation`` to what the viewer's page part reads: plain JSON, a megabyte or so.

The browser gets the photo as a JPEG and the labels as exact integers (deflate, base64),
both at display size, and does the rest: colours, outlines, shares of a replay's frame.
"""

from __future__ import annotations

import base64
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import cv2
import numpy as np

from ...notation import adding_up, digits_of, number_text, told_apart
from ...segmentation import ENERGY, Frame, Picture, Segmentation, resize_nearest

MAX_FRAMES = 40
FRAME_SIZE = 512
PICTURE_SIZE = 768
SCORES_SIZE = 192
MAX_SCORES = 12
MIN_SCORE = 0.02
TERMS = ("energy", "data energy", "smoothness energy")
"""Facts of which the first is the sum of the others."""


def as_text(value: dict[str, Any]) -> str:
    """A viewer's value as an event has to send it that yields more than once.

    Of later yields Gradio sends only what is new, and its script changes the objects it holds: a value that was not
    drawn by then would be lost. Text is replaced as a whole; the viewer reads both.
    """
    return json.dumps(value, allow_nan=False)


def empty_value(text: str = "No result yet") -> dict[str, Any]:
    """The value of a viewer that has nothing to show; ``text`` says what to do."""
    return {"state": "empty", "text": text}


def error_value(message: str, previous: dict[str, Any] | None = None) -> dict[str, Any]:
    """The value that puts ``message`` above the old result.

    The result on the page stays as it is, or becomes ``previous``, an earlier ``viewer_value``.
    """
    return {"state": "error", "message": message, "previous": previous}


def viewer_value(
    photo: np.ndarray,
    segmentation: Segmentation,
    title: str,
    subtitle: str = "",
    display_size: int = 1024,
    before: tuple[str, Segmentation] | None = None,
    last: str = "",
) -> dict[str, Any]:
    """Everything the viewer shows of one result, as JSON-serialisable values.

    Args:
        photo: (H, W, 3) uint8 RGB, the photo that was segmented.
        segmentation: the result; its labels are (H, W).
        title: name of the method.
        subtitle: what stands beside it, e.g. ``"2.1 s, 4.8 M parameters"``.
        display_size: long side, in pixels, at which photo and labels are sent (never enlarged).
        before: title and labels of another segmentation of the photo, to lie left of the divider.
        last: what the replay calls its end, the segmentation itself; by default the result of its last frame.
    """
    size = fit(segmentation.labels.shape, display_size)
    kept = _evenly(len(segmentation.frames), MAX_FRAMES)
    frames = [segmentation.frames[i] for i in kept]
    aligned = len(segmentation.energy) == len(segmentation.frames)
    numbers = [i if frame.step is None else frame.step for i, frame in enumerate(segmentation.frames, start=1)]
    counted = [number for number, frame in zip(numbers, segmentation.frames, strict=True) if not frame.is_after]
    energy = [_finite(segmentation.energy[i]) for i in kept] if aligned else []
    texts = told_apart(energy)
    shown = [_frame(frame, text) for frame, text in zip_longest(frames, texts, fillvalue="")]
    return {
        "state": "result",
        "title": title,
        "subtitle": subtitle,
        "size": list(segmentation.labels.shape),
        "photo": photo_url(photo, size),
        **_labelled(segmentation, size),
        # Neither side of a divider is to hide the photo.
        "opacity": min(side.opacity for side in (segmentation, *(before or ())[1:])),
        "scores": _scores(segmentation),
        "frames": shown,
        "steps": [numbers[i] for i in kept],
        "step_names": list(segmentation.step_names),
        # How many steps there were of what is counted; an end with a name of its own is one more.
        "count": max(counted, default=0) + bool(last),
        "shown": sum(numbers[i] in counted and numbers[i] > 0 for i in kept) + bool(last),
        "after": [frame.is_after for frame in frames],
        "energy": energy,
        "energy_texts": texts,
        "last": last or (f"result ({shown[-1]['caption']})" if shown else "result"),
        "energy_name": segmentation.energy_name,
        "pictures": [_picture(picture) for picture in segmentation.pictures],
        "facts": [[str(key), text] for key, text in _fact_texts(segmentation.facts, energy, texts).items()],
        "timings": [[stage, float(seconds)] for stage, seconds in segmentation.timings.items()],
        "notices": list(segmentation.notices),
        "before": before and {"title": before[0]} | _labelled(before[1], size),
    }


def _labelled(segmentation: Segmentation, size: tuple[int, int]) -> dict[str, Any]:
    """The label map at ``size`` = (h, w) and its legend."""
    return {
        "labels": pack(resize_nearest(segmentation.labels, size)),
        "names": [str(name) for name in segmentation.names],
        "palette": _hex(segmentation.palette),
        "shares": [round(float(share), 6) for share in segmentation.shares],
        "listed": _occurring(segmentation),
        "own_colours": segmentation.opacity == 1,
        # A black background only darkens the photo; the legend brings it back.
        "hidden": [0] if segmentation.names[0] == "background" and not segmentation.palette[0].any() else [],
    }


def fit(shape: tuple[int, ...], limit: int) -> tuple[int, int]:
    """(height, width) of a picture of ``shape`` when its long side is at most ``limit``; 1 pixel at least."""
    height, width = shape[:2]
    scale = min(1.0, limit / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _hex(palette: np.ndarray) -> list[str]:
    return ["#{:02x}{:02x}{:02x}".format(*map(int, colour)) for colour in palette]


def pack(values: np.ndarray) -> dict[str, Any]:
    """(h, w) non-negative integers as little-endian bytes, deflated, base64; ``unpack`` in pixels.js inverts it."""
    top = int(values.max(initial=0))
    width = 1 if top < 2**8 else 2 if top < 2**16 else 4
    raw = np.ascontiguousarray(values, f"<u{width}").tobytes()
    return {
        "width": values.shape[1],
        "height": values.shape[0],
        "bytes": width,
        "data": base64.b64encode(zlib.compress(raw, 6)).decode("ascii"),
    }


def photo_url(image: np.ndarray, size: tuple[int, int], quality: int = 90) -> str:
    """(H, W, 3) RGB or (H, W) grey uint8, resized to ``size`` = (h, w), as a JPEG data address."""
    pixels = _resize(image, size)
    ordered = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels
    return _data_url(".jpg", ordered, [cv2.IMWRITE_JPEG_QUALITY, quality])


def _data_url(extension: str, pixels: np.ndarray, options: list[int]) -> str:
    _, encoded = cv2.imencode(extension, np.ascontiguousarray(pixels), options)
    kind = {".jpg": "jpeg", ".png": "png"}[extension]
    return f"data:image/{kind};base64,{base64.b64encode(encoded.tobytes()).decode('ascii')}"


def _resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if image.shape[:2] == tuple(size):
        return image
    return cv2.resize(image, (size[1], size[0]), interpolation=cv2.INTER_AREA)


def _evenly(count: int, limit: int) -> list[int]:
    """At most ``limit`` indices of 0..count-1, evenly spaced, with the first and the last."""
    return np.linspace(0, count - 1, min(count, limit)).round().astype(int).tolist() if count else []


def _occurring(segmentation: Segmentation) -> list[int]:
    """The labels of the result and of every frame: those that the legend lists."""
    maps = [segmentation.labels] + [f.labels for f in segmentation.frames if f.labels is not None]
    return np.unique(np.concatenate([np.unique(labels) for labels in maps])).astype(int).tolist()


def _scores(segmentation: Segmentation) -> dict[str, Any] | None:
    """Probabilities of the leading labels in 1/255, their planes one below the other."""
    scores = segmentation.working_scores
    if scores is None:
        return None
    size = fit(scores.shape[1:], SCORES_SIZE)
    likely = np.flatnonzero(scores.max(axis=(1, 2)) > MIN_SCORE)
    # A label that occurs in the result comes before one that only might have been.
    order = np.lexsort((-scores[likely].mean(axis=(1, 2)), segmentation.shares[likely] == 0))
    leading = likely[order][:MAX_SCORES]
    planes = [_resize(np.asarray(scores[k], np.float32), size) for k in leading]
    if not planes:
        return None
    levels = (np.clip(np.concatenate(planes), 0, 1) * 255).round().astype(np.uint8)
    return {"labels": leading.tolist(), "planes": pack(levels)}


def _frame(frame: Frame, energy: str) -> dict[str, Any]:
    labels = frame.labels
    return {
        "caption": frame.caption.replace(ENERGY, energy),
        "labels": None if labels is None else pack(resize_nearest(labels, fit(labels.shape, FRAME_SIZE))),
        "image": None if frame.image is None else photo_url(frame.image, fit(frame.image.shape, FRAME_SIZE), 85),
        "maps": {name: _map_url(values) for name, values in frame.maps.items()},
    }


def _map_url(values: np.ndarray) -> str:
    levels = (np.nan_to_num(np.clip(values, 0, 1)) * 255).round().astype(np.uint8)
    return photo_url(levels, fit(levels.shape, FRAME_SIZE), 90)


def _picture(picture: Picture) -> dict[str, Any]:
    """PNG for pictures of few colours, whose edges a JPEG would blur; JPEG where it is much smaller."""
    size = fit(picture.image.shape, PICTURE_SIZE)
    as_photo = photo_url(picture.image, size)
    exact = _data_url(".png", _resize(picture.image, size)[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 6])
    image = exact if len(exact) < 1.5 * len(as_photo) else as_photo
    return {"title": picture.title, "image": image, "note": picture.note}


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _fact_texts(facts: Mapping[str, Any], energies: Sequence[float | None], texts: Sequence[str]) -> dict[str, str]:
    """The facts as they are written on the page, an energy and its terms so that the terms add up to it."""
    written = {key: _fact_text(value, energies, texts) for key, value in facts.items()}
    if all(math.isfinite(facts.get(key, math.nan)) for key in TERMS):
        energy, *terms = (facts[key] for key in TERMS)
        digits = digits_of(written["energy"], energy)
        written |= dict(zip(TERMS, adding_up(energy, terms, digits), strict=True))
    return written


def _fact_text(value: Any, energies: Sequence[float | None], texts: Sequence[str]) -> str:
    """A fact as it is written on the page; one of the replay's energies as it is written there."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    same = (
        text for energy, text in zip(energies, texts, strict=True) if energy is not None and _is_same(value, energy)
    )
    return next(same, number_text(value))


def _is_same(value: float, other: float) -> bool:
    return isinstance(value, float) and math.isclose(value, other, rel_tol=1e-9)
