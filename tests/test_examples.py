"""The example photos: there, colourful, credited, and without the network."""

import socket

import numpy as np
import pytest

from segdemo.examples import examples


def test_every_photo_loads_without_the_network(monkeypatch):
    monkeypatch.setattr(socket, "socket", lambda *_, **__: pytest.fail("opened a socket"))
    found = examples()
    assert 4 <= len(found) <= 8
    for example in found:
        image = example.load()
        assert image.dtype == np.uint8 and image.shape[2] == 3 and min(image.shape[:2]) >= 256
        assert np.ptp(image.astype(int), axis=2).mean() > 5, f"{example.name} is grey"


def test_names_are_unique_and_credits_given():
    found = examples()
    assert len({example.name for example in found}) == len(found)
    terms = ("CC0", "public domain", "no known copyright")
    assert all(example.title and any(term in example.credit for term in terms) for example in found)


def test_photos_are_those_of_scikit_image():
    import skimage.data

    photos = {example.name: example.load() for example in examples()}
    for name in ("chelsea", "astronaut", "coffee", "rocket"):
        np.testing.assert_array_equal(photos[name], getattr(skimage.data, name)())
    for name, called in (("retina", "retina"), ("tissue", "immunohistochemistry")):
        np.testing.assert_array_equal(photos[name], getattr(skimage.data, called)())


def test_a_missing_file_is_left_out(tmp_path, monkeypatch):
    (tmp_path / "coffee.png").write_bytes(b"")
    monkeypatch.setattr("segdemo.examples._folder", lambda: tmp_path)
    assert [example.name for example in examples()] == ["coffee"]
