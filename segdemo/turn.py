"""Whose turn it is to compute: one run at a time, visitors before the warm-up."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .method import Run

POLL = 0.2
"""Seconds between two looks at whether a visitor who waits has given up."""

PAUSE = 2.0
"""Seconds after a visitor's run before the warm-up goes on: the next stroke or method often follows at once."""

FOR_VISITOR = "waiting for another visitor's run"
FOR_WARM_UP = "warming up: compiling {}, some seconds, once"


class Turn:
    """A lock that tells those who wait what they wait for.

    ``warming`` is the title of the method that the warm-up has come to, None before and after it. The warm-up
    runs in one thread, which lets all visitors pass before each method: a lock alone would not, as the thread
    that lets it go takes it again before another wakes up.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.warming: str | None = None
        self._warmer: int | None = None
        self._visitors: set[object] = set()  # a token for each one who waits or computes
        self._held_by_warmer = False
        self._last_visit = float("-inf")

    @contextmanager
    def taken(self, run: Run) -> Iterator[None]:
        """Wait, saying why by ``run.step``, and hold the turn; ``Cancelled`` when the visitor gives up."""
        is_warmer, token = threading.get_ident() == self._warmer, object()
        if not is_warmer:
            self._visitors.add(token)
        try:
            while not self.lock.acquire(timeout=POLL):
                run.step(0.0, FOR_WARM_UP.format(self.warming) if self._held_by_warmer else FOR_VISITOR)
            self._held_by_warmer = is_warmer
            try:
                yield
            finally:
                self._held_by_warmer = False
                self.lock.release()
        finally:
            if not is_warmer:
                self._last_visit = time.monotonic()
                self._visitors.discard(token)

    @contextmanager
    def as_warmer(self) -> Iterator[None]:
        """What this thread runs inside the block is the warm-up."""
        self._warmer = threading.get_ident()
        try:
            yield
        finally:
            self._warmer = self.warming = None

    def warm_up(self, title: str) -> None:
        """The warm-up comes to the method called ``title``, after all visitors."""
        self.warming = title
        while self._visitors or time.monotonic() - self._last_visit < PAUSE:
            time.sleep(POLL)
