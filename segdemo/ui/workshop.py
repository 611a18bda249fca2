"""What happens between a button and a viewer: run, report progress, stop, explain, remember, export."""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import gradio as gr
import numpy as np

from ..engine import Engine, LeastRecentlyUsed
from ..errors import Cancelled, ImageError, SegdemoError
from ..export import label_png, overlay_png, report
from ..image import content_key, fit, load_image
from ..method import get_method
from ..segmentation import Segmentation, resize_nearest
from .packed import PackedLabels
from .viewer import error_value, viewer_value
from .waiting import nobody_wants

log = logging.getLogger("segdemo")
_decoded = LeastRecentlyUsed(256 * 2**20)  # photos by file: with every stroke the same one is asked for
STORED_SIZE = 1600
"""Long side, in pixels, at which a pinned result is shown."""
EXPORTS_KEPT = 600
"""Seconds."""
NO_PHOTO = np.empty((0, 0, 3), np.uint8)
ANSWERS_KEPT = 96 * 2**20
"""Bytes. Of a class that opens the same link everyone asks the same, and one of them waits for it to be computed."""


class Visits:
    """Which visitor's runs are to stop: every run has a token, and a download may go on beside a run.

    A token lives as long as its run holds it, so nothing is kept of visitors who have nothing running.
    """

    def __init__(self) -> None:
        self._tokens: WeakKeyDictionary[threading.Event, str | None] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def begin(self, request: gr.Request) -> Callable[[], bool]:
        """A fresh token for a run of this visitor; the function returned says whether to stop.

        That is so, too, when nobody waits for the answer any more, see ``nobody_wants``.
        Gradio gives a function the request if it stands before all ``*values``, and nothing if it stands behind them.
        """
        token = threading.Event()
        with self._lock:
            self._tokens[token] = request.session_hash
        useless = nobody_wants()
        return lambda: token.is_set() or useless()

    def stop(self, request: gr.Request) -> None:
        """Stop all that runs for the visitor; also called when the page is closed."""
        for token in self._tokens_of(request):
            token.set()

    def stopping(self, request: gr.Request) -> bool:
        """Whether something of the visitor's that was to stop runs still: not every step can be broken off at once."""
        return any(token.is_set() for token in self._tokens_of(request))

    def _tokens_of(self, request: gr.Request) -> list[threading.Event]:
        with self._lock:
            return [token for token, visitor in self._tokens.items() if visitor == request.session_hash]


@dataclass
class Result:
    """One result on the page: the photo, shared with the photo's other results, and the segmentation without its heavy parts.

    ``seconds`` is the whole run as the visitor waited for it, replay included. ``about`` is the segmentation
    but for its labels, which are ``packed``: a visitor's results stay for hours. ``number`` is that of the run, which a
    result that was kept from an earlier one shares with it.
    """

    key: str
    title: str
    subtitle: str
    seconds: float
    photo: np.ndarray
    about: Segmentation
    packed: PackedLabels
    number: int = field(default_factory=count().__next__)

    @classmethod
    def of(cls, title: str, subtitle: str, seconds: float, photo: np.ndarray, segmentation: Segmentation) -> Result:
        nothing = np.empty((0, 0), np.uint8)
        about = replace(segmentation, labels=nothing, working_scores=None, frames=[], pictures=[])
        about.shares = segmentation.shares
        return cls(content_key(photo), title, subtitle, seconds, photo, about, PackedLabels.of(segmentation.labels))

    @property
    def segmentation(self) -> Segmentation:
        """The segmentation with its labels (H, W), unpacked afresh: keep it as long as it is needed, not longer."""
        full = replace(self.about, labels=self.packed.unpack())
        full.shares = self.about.shares
        return full

    def shown(self, size: int = STORED_SIZE) -> tuple[np.ndarray, Segmentation]:
        """Photo and segmentation at a size fit for a screen."""
        photo = fit(self.photo, size)
        labels = resize_nearest(self.packed.unpack(), photo.shape[:2])
        return photo, replace(self.about, labels=labels)


class Workshop:
    """The engine as the page uses it."""

    def __init__(self, engine: Engine):
        self.engine, self.visits = engine, Visits()
        self._answers = LeastRecentlyUsed(ANSWERS_KEPT)

    def remembered(self, question: Hashable, answer: Callable[[], Any]) -> Any:
        """What ``answer()`` gave when ``question``, which holds all that it depends on, was asked last; not to be changed."""
        return self._answers.get(question, answer)

    def run(
        self, method: str, photo: np.ndarray, progress: Callable | None, is_cancelled: Callable[[], bool] | None,
        span: tuple[float, float] = (0.0, 1.0), **params: Any,
    ) -> tuple[dict, Result | None]:  # fmt: skip
        """Run a method; returns the viewer's value and the result, or an error value and None.

        ``span`` is the part of the progress bar that belongs to this run. ``Cancelled`` passes through.
        """
        title = get_method(method).title

        def on_step(fraction: float, text: str) -> None:
            if progress is not None:
                progress(span[0] + fraction * (span[1] - span[0]), desc=f"{title}: {text}")

        def computed() -> tuple[dict, Result]:
            start = time.perf_counter()
            segmentation = self.engine.run(method, photo, on_step=on_step, is_cancelled=is_cancelled, **params)
            seconds, full_title = time.perf_counter() - start, segmentation.title + " + CRF" * bool(params.get("crf"))
            result = Result.of(full_title, took(seconds, segmentation), seconds, photo, segmentation)
            value = viewer_value(photo, segmentation, full_title, result.subtitle) | {"key": result.key}
            return value, replace(result, photo=NO_PHOTO)  # whoever asks again has it

        question = None if "scribbles" in params else (method, content_key(photo), repr(sorted(params.items())))
        is_first, is_kept, notes = not self.engine.has_run(method), question in self._answers, ""
        try:
            # A first run's time says little: the next one is measured again. Strokes are hardly drawn alike twice.
            value, result = computed() if is_first or question is None else self.remembered(question, computed)
        except Cancelled:
            raise
        except SegdemoError as error:
            return error_value(str(error)), None
        except Exception:
            log.exception("%s failed", method)
            return error_value(
                f"{title} failed unexpectedly; the details are in the server's log. Other methods still run."
            ), None
        if is_first:
            notes = ", the first since the start, which loads and compiles"
        elif is_kept:
            notes = ", kept from an earlier run"
        subtitle = result.subtitle + notes
        return value | {"subtitle": subtitle}, replace(result, subtitle=subtitle, photo=photo)


def took(seconds: float, segmentation: Segmentation) -> str:
    """How long a run took, where, and with how many parameters."""
    text = f"{seconds:.2f} s on {segmentation.device}"
    if segmentation.spared >= 0.01:
        text += f" (and {segmentation.spared:.2f} s kept from an earlier run)"
    if "parameters" in segmentation.facts:
        text += f", {segmentation.facts['parameters'] / 1e6:.1f} M parameters"
    return text


def photo_of(path: str | None) -> np.ndarray:
    """The photo a visitor gave, not to be written to; ``SegdemoError`` that says what to do if it is none or unusable."""
    if not path:
        raise ImageError("Choose a photo first: upload one, paste one, take one, or click an example.")
    return _decoded.get((path, _last_change(path)), lambda: _decode(path))


def key_of(path: str | None) -> str:
    """The content key of ``photo_of``, remembered with it."""
    photo = photo_of(path)
    return _decoded.get((path, _last_change(path), "key"), lambda: content_key(photo))


def _last_change(path: str) -> int:
    """When the file was written last; 0 for one that is not there, which ``load_image`` explains."""
    try:
        return os.stat(path).st_mtime_ns
    except (OSError, ValueError):
        return 0


def _decode(path: str) -> np.ndarray:
    photo = load_image(path)
    photo.setflags(write=False)  # many share it
    return photo


@cache
def _exports() -> tempfile.TemporaryDirectory:
    """Where this process exports to; it goes when the process ends."""
    return tempfile.TemporaryDirectory(prefix="segdemo-exports-")


def _new_export_folder() -> Path:
    """An empty folder. Old ones are removed: Gradio keeps a copy of what it offers."""
    root = Path(_exports().name)
    for old in root.iterdir():
        if time.time() - old.stat().st_mtime > EXPORTS_KEPT:
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(dir=root))


def export_files(result: Result) -> list[str]:
    """Label PNG, overlay PNG and JSON report in a folder of their own; returns the paths, good for ten minutes."""
    folder, segmentation = _new_export_folder(), result.segmentation
    stem = result.title.lower().replace(" + ", "-").replace(" ", "-").replace("/", "-")
    files = {
        f"{stem}-labels.png": label_png(segmentation),
        f"{stem}-overlay.png": overlay_png(result.photo, segmentation),
        f"{stem}-report.json": (json.dumps(report(segmentation), indent=1) + "\n").encode(),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [str(folder / name) for name in files]
