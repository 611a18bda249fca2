"""What an HTTP call gets, without a server; ``test_page.py`` asks a running one through its client."""

from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from segdemo import Engine
from segdemo.method import get_method
from segdemo.ui.endpoints import endpoint
from segdemo.ui.workshop import Workshop

PHOTO = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
ASKER = SimpleNamespace(session_hash="api")


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(PHOTO).save(path)
    return str(path)


def ask(name, photo, *scribbles, **params):
    call = endpoint(Workshop(Engine("cpu")), get_method(name), list(params))
    return call(photo, *scribbles, *params.values(), ASKER)


def test_a_call_returns_report_labels_and_overlay(photo):
    report, labels, overlay = ask("kmeans", photo, clusters=3, seed=4)
    assert report["method"] == "kmeans" and report["parameters"]["clusters"] == 3 and report["seed"] == 4
    assert np.asarray(Image.open(labels)).max() == 2 and Image.open(overlay).size == (40, 30)


def test_mistakes_are_explained(photo):
    with pytest.raises(gr.Error, match="clusters"):
        ask("kmeans", photo, clusters=0)
    with pytest.raises(gr.Error, match="scribbles"):
        ask("graphcut", photo, None)


def test_files_that_are_no_scribbles_are_explained(photo, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    Image.new("1", (20000, 20000)).save(tmp_path / "huge.png")
    for name, words in (("text.png", "not an image"), ("huge.png", "not an image|megapixels")):
        with pytest.raises(gr.Error, match=words):
            ask("graphcut", photo, str(tmp_path / name))
