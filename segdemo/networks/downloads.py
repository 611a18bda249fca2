"""Fetch a file once, wholly, and be sure of it: progress, resumption, checksum.

A download is written to ``NAME.part`` beside its goal and renamed only when its size and checksum are right,
so that whatever bears the final name is whole. What an interruption leaves in ``NAME.part`` is continued by the
next attempt, provided that the server still has the same version (its ETag is kept in ``NAME.etag``).
"""

from __future__ import annotations

import hashlib
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from ..errors import Cancelled, DownloadError

CHUNK = 1 << 18
TIMEOUT = 20
"""Seconds without a byte after which a connection counts as lost."""

OFFLINE = "Check the connection and try again; everything else works without internet."


@dataclass(frozen=True)
class Expected:
    """What is known of a file before it is fetched: its size in bytes and (the beginning of) its SHA-256."""

    size: int | None = None
    sha256: str | None = None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def hub_expected(url: str) -> Expected:
    """Size and checksum that a model hub states for a file, in the headers of the answer that redirects to it.

    Large files there are named by their SHA-256 (``X-Linked-ETag``), as git-lfs does. Raises ``DownloadError``.
    """
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=TIMEOUT) as answer:
            headers = answer.headers
    except urllib.error.HTTPError as error:
        if error.code not in (301, 302, 303, 307, 308):
            raise _explained(error, url) from None
        headers = error.headers
    except (OSError, HTTPException) as error:
        raise _explained(error, url) from None
    digest = (headers.get("X-Linked-ETag") or "").strip('"').removeprefix("W/").strip('"')
    size = headers.get("X-Linked-Size")
    return Expected(int(size) if size else None, digest if re.fullmatch("[0-9a-f]{64}", digest) else None)


def fetch(
    url: str,
    goal: Path,
    expected: Expected,
    on_progress: Callable[[int, int | None], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Path:
    """Download ``url`` to ``goal`` unless it is there; returns ``goal``.

    Who wants the same file at the same time waits for the download that is under way, and needs none then.

    Args:
        expected: what the file must turn out to be.
        on_progress: called with bytes so far and bytes in all (or None).
        is_cancelled: asked at every chunk; what is there stays for the next attempt.

    Raises:
        DownloadError: no connection, an error of the server, or a file that is not what was expected
            (which is then removed). ``Cancelled`` when asked to stop.
    """
    goal.parent.mkdir(parents=True, exist_ok=True)
    part = goal.with_name(goal.name + ".part")
    with _one_at_a_time(goal, is_cancelled):
        if goal.exists():
            return goal
        try:
            _transfer(url, part, expected, on_progress, is_cancelled)
        except (OSError, HTTPException) as error:
            if getattr(error, "code", None) == 416:  # more is here than there: another version
                part.unlink(missing_ok=True)
            raise _explained(error, url) from None
        _check(part, expected, url)
        part.replace(goal)
        _etag_file(part).unlink(missing_ok=True)
    return goal


_under_way: dict[Path, threading.Lock] = {}


@contextmanager
def _one_at_a_time(goal: Path, is_cancelled: Callable[[], bool] | None) -> Iterator[None]:
    """Two visitors' downloads of one file must not write into one ``.part``."""
    lock = _under_way.setdefault(goal.absolute(), threading.Lock())
    while not lock.acquire(timeout=0.2):
        if is_cancelled is not None and is_cancelled():
            raise Cancelled("stopped")
    try:
        yield
    finally:
        lock.release()


def _etag_file(part: Path) -> Path:
    return part.with_suffix(".etag")


def _transfer(url: str, part: Path, expected: Expected, on_progress, is_cancelled) -> None:
    """Append to ``part`` what is missing of it, or write it anew if the server has another version."""
    have = part.stat().st_size if part.exists() else 0
    if expected.size is not None and have == expected.size:
        return
    request = urllib.request.Request(url)
    if have and _etag_file(part).exists():
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", _etag_file(part).read_text())
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        if answer.status != 206:
            have = 0
            _etag_file(part).unlink(missing_ok=True)
            if answer.headers.get("ETag"):
                _etag_file(part).write_text(answer.headers["ETag"])
        rest = answer.headers.get("Content-Length")
        total = have + int(rest) if rest else expected.size
        with part.open("ab" if have else "wb") as file:
            while chunk := answer.read(CHUNK):
                file.write(chunk)
                have += len(chunk)
                if on_progress is not None:
                    on_progress(have, total)
                if is_cancelled is not None and is_cancelled():
                    raise Cancelled("stopped")
    if total is not None and have < total:
        raise ConnectionError(f"the connection broke after {have} of {total} bytes")


def _check(part: Path, expected: Expected, url: str) -> None:
    """Remove ``part`` and raise ``DownloadError`` unless it is what was expected."""
    size, digest = part.stat().st_size, hashlib.sha256()
    with part.open("rb") as file:
        while chunk := file.read(1 << 22):
            digest.update(chunk)
    wrong_size = expected.size is not None and size != expected.size
    if wrong_size or (expected.sha256 and not digest.hexdigest().startswith(expected.sha256)):
        part.unlink()
        _etag_file(part).unlink(missing_ok=True)
        what = f"{size} bytes instead of {expected.size}" if wrong_size else "its checksum is wrong"
        raise DownloadError(f"{url} arrived damaged ({what}) and was removed. Try again later.")


def _explained(error: OSError | HTTPException, url: str) -> DownloadError:
    """An error of the network in words that say what to do."""
    host = re.sub(r"^\w+://([^/]+).*", r"\1", url)
    if isinstance(error, urllib.error.HTTPError):
        return DownloadError(f"{host} answered {error.code} {error.reason} for {url.rpartition('/')[2]}. {OFFLINE}")
    reason = getattr(error, "reason", error)
    return DownloadError(f"{host} cannot be reached or broke off ({reason}). {OFFLINE} What has arrived is kept.")
