"""Downloads from a hub on this machine: whole, resumed, broken, damaged, unreachable, stopped."""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from http.client import IncompleteRead

import numpy as np
import pytest
from local_hub import Hub

from segdemo.errors import Cancelled, DownloadError
from segdemo.networks import downloads
from segdemo.networks.downloads import Expected, fetch, hub_expected

BODY = np.random.default_rng(0).bytes(700_000)
DIGEST = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def hub():
    hub = Hub()
    hub.files["/model.bin"] = BODY
    yield hub
    hub.close()


def test_a_file_arrives_whole_and_progress_is_told(hub, tmp_path):
    told = []
    url = f"{hub.url}/model.bin"
    path = fetch(url, tmp_path / "cache" / "model.bin", hub_expected(url), lambda *at: told.append(at))
    assert path.read_bytes() == BODY and told[-1] == (len(BODY), len(BODY)) and len(told) >= 2
    assert [p.name for p in path.parent.iterdir()] == ["model.bin"]


def test_the_hub_states_size_and_checksum(hub):
    assert hub_expected(f"{hub.url}/model.bin") == Expected(len(BODY), DIGEST)
    hub.states_checksums = False
    assert hub_expected(f"{hub.url}/model.bin") == Expected(None, None)
    with pytest.raises(DownloadError, match="404"):
        hub_expected(f"{hub.url}/other.bin")


def test_an_interrupted_download_goes_on_where_it_stopped(hub, tmp_path):
    url, goal = f"{hub.url}/store/model.bin", tmp_path / "model.bin"
    hub.break_after = 300_000
    with pytest.raises(DownloadError, match="(?s)broke.*kept"):
        fetch(url, goal, Expected(len(BODY), DIGEST))
    assert not goal.exists() and (tmp_path / "model.bin.part").stat().st_size == 300_000
    hub.break_after = None
    assert fetch(url, goal, Expected(len(BODY), DIGEST)).read_bytes() == BODY
    assert hub.requests[-1][2] == "bytes=300000-"
    assert [p.name for p in tmp_path.iterdir()] == ["model.bin"]


def test_another_version_on_the_server_is_fetched_anew(hub, tmp_path):
    url, goal = f"{hub.url}/store/model.bin", tmp_path / "model.bin"
    hub.break_after = 1000
    with pytest.raises(DownloadError):
        fetch(url, goal, Expected())
    hub.break_after, hub.files["/model.bin"] = None, BODY[::-1]
    assert fetch(url, goal, Expected()).read_bytes() == BODY[::-1]


def test_what_has_arrived_wholly_is_not_asked_for_again(hub, tmp_path):
    """As when the program ended between the last byte and the renaming."""
    (tmp_path / "model.bin.part").write_bytes(BODY)
    path = fetch(f"{hub.url}/store/model.bin", tmp_path / "model.bin", Expected(len(BODY), DIGEST))
    assert path.read_bytes() == BODY and hub.requests == []


def test_more_than_the_server_has_is_thrown_away(hub, tmp_path):
    url, goal, part = f"{hub.url}/store/model.bin", tmp_path / "model.bin", tmp_path / "model.bin.part"
    part.write_bytes(BODY + b"more")
    (tmp_path / "model.bin.etag").write_text(f'"{DIGEST}"')
    with pytest.raises(DownloadError, match="416"):
        fetch(url, goal, Expected(len(BODY), DIGEST))
    assert fetch(url, goal, Expected(len(BODY), DIGEST)).read_bytes() == BODY


@pytest.mark.parametrize(
    "expected, words", [(Expected(sha256="0" * 64), "checksum"), (Expected(size=5), "instead of 5")]
)
def test_a_damaged_file_is_removed(hub, tmp_path, expected, words):
    with pytest.raises(DownloadError, match=words):
        fetch(f"{hub.url}/model.bin", tmp_path / "model.bin", expected)
    assert list(tmp_path.iterdir()) == []


def test_the_beginning_of_a_checksum_suffices(hub, tmp_path):
    assert fetch(f"{hub.url}/model.bin", tmp_path / "m", Expected(sha256=DIGEST[:8])).read_bytes() == BODY


def test_no_connection_is_explained(tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "TIMEOUT", 2)
    for attempt in (lambda: fetch("http://127.0.0.1:9/x.pth", tmp_path / "x", Expected()), lambda: hub_expected("http://127.0.0.1:9/x")):  # fmt: skip
        with pytest.raises(DownloadError, match="cannot be reached.*without internet"):
            attempt()


def test_stopping_keeps_what_has_arrived(hub, tmp_path):
    with pytest.raises(Cancelled):
        fetch(f"{hub.url}/model.bin", tmp_path / "m", Expected(), is_cancelled=lambda: True)
    kept = (tmp_path / "m.part").stat().st_size
    assert 0 < kept < len(BODY)
    assert fetch(f"{hub.url}/model.bin", tmp_path / "m", Expected(len(BODY), DIGEST)).read_bytes() == BODY
    assert hub.requests[-1][2] == f"bytes={kept}-"


def test_two_visitors_who_want_the_same_file_get_it_by_one_download(hub, tmp_path):
    url, goal, expected = f"{hub.url}/store/model.bin", tmp_path / "model.bin", Expected(len(BODY), DIGEST)
    is_half_way, may_go_on = threading.Event(), threading.Event()

    def first_progress(*_):
        is_half_way.set()
        may_go_on.wait(10)

    with ThreadPoolExecutor(3) as visitors:
        first = visitors.submit(fetch, url, goal, expected, first_progress)
        assert is_half_way.wait(10)
        second = visitors.submit(fetch, url, goal, expected)
        with pytest.raises(Cancelled):
            fetch(url, goal, expected, is_cancelled=lambda: True)
        assert not second.done()
        may_go_on.set()
        assert first.result(20).read_bytes() == second.result(20).read_bytes() == BODY
    assert len(hub.requests) == 1


def test_an_answer_that_is_no_http_is_explained(tmp_path, monkeypatch):
    def broken(*_, **__):
        raise IncompleteRead(b"")

    monkeypatch.setattr(downloads.urllib.request, "urlopen", broken)
    with pytest.raises(DownloadError, match="broke off"):
        fetch("http://127.0.0.1:9/x", tmp_path / "x", Expected())
