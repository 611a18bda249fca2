"""The image door shut: what is no picture, too large or damaged is refused with words that help."""

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
from pictures import PHOTO, check_form, encode
from PIL import Image, ImageFile

from segdemo import image as door
from segdemo.errors import ImageError
from segdemo.image import load_image

RNG = np.random.default_rng(0)


def test_files_that_are_no_pictures(tmp_path):
    text = tmp_path / "notes.jpg"
    text.write_text("this is text, whatever the name says")
    with pytest.raises(ImageError, match="notes.jpg is not a picture .* save it as JPEG or PNG"):
        load_image(text)
    text.write_bytes(b"")
    with pytest.raises(ImageError, match="notes.jpg is empty"):
        load_image(text)
    with pytest.raises(ImageError, match="does not exist"):
        load_image(tmp_path / "missing.png")
    with pytest.raises(ImageError, match="is a folder: choose one of the pictures"):
        load_image(tmp_path)
    for name in ("a\0b.png", "a" * 5000):
        with pytest.raises(ImageError, match="does not exist|cannot be read"):
            load_image(name)


def test_unreadable_files_are_refused(tmp_path, monkeypatch):
    (tmp_path / "photo.png").write_bytes(encode(Image.fromarray(PHOTO), "PNG"))

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ImageError, match="Permission denied.*check the name and your permissions"):
        load_image(tmp_path / "photo.png")


@pytest.mark.parametrize("form", ["PPM", "ICO", "PDF", "TGA"])
def test_other_formats_are_refused(form):
    with pytest.raises(ImageError, match="not a picture this program can read"):
        load_image(encode(Image.new("RGB", (16, 16)), form))


def test_other_sources_are_refused():
    with pytest.raises(ImageError, match="no picture yet"):
        load_image(None)
    with pytest.raises(ImageError, match="cannot be made from a int"):
        load_image(3)
    with pytest.raises(ImageError, match="binary mode"):
        load_image(io.StringIO("text"))
    closed = io.BytesIO(b"x")
    closed.close()
    with pytest.raises(ImageError, match="open it again"):
        load_image(closed)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_truncated_files_are_refused_at_every_length(form):
    data = encode(Image.fromarray(RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8)), form)
    for part in (0.1, 0.5, 0.9):
        with pytest.raises(ImageError, match="damaged or incomplete"):
            load_image(data[: int(len(data) * part)])
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_damaged_files_never_raise_anything_else(form):
    data = bytearray(encode(Image.fromarray(PHOTO), form))
    rng = np.random.default_rng(1)
    for _ in range(60):
        broken = data.copy()
        for place in rng.integers(0, len(data), 4):
            broken[place] = rng.integers(256)
        try:
            check_form(load_image(broken))
        except ImageError:
            pass


def test_large_files_are_refused_by_size(tmp_path, monkeypatch):
    monkeypatch.setattr(door, "MAX_BYTES", 1000)
    path = tmp_path / "big.bmp"
    path.write_bytes(encode(Image.new("RGB", (64, 64)), "BMP"))
    with open(path, "rb") as file:
        for source in (path, path.read_bytes(), file):
            with pytest.raises(ImageError, match="is larger than .* MB"):
                load_image(source)


@pytest.mark.parametrize("side, size", [(8000, "8000 x 8000"), (12000, "12000 x 12000"), (30000, "far")])
def test_too_many_pixels_are_refused_from_the_header(side, size, monkeypatch):
    """At 64, 144 and 900 megapixels; Pillow itself is silent, warns and raises."""
    header = encode(Image.new("1", (side, 1)), "BMP")
    bomb = header[:22] + side.to_bytes(4, "little") + header[26:]  # claims `side` rows, holds one
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda *_: pytest.fail("decoded"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageError, match=f"too many pixels .{size}.*limit of 50 megapixels"):
            load_image(bomb)


@pytest.mark.parametrize("head", [b"II*\0", b"MM\0*", b"\x89PNG", b"GIF8", b"\xff\xd8\xff"])
def test_a_picture_cut_after_its_signature_is_damaged_and_not_foreign(head):
    with pytest.raises(ImageError, match="damaged or incomplete"):
        load_image(head)


def test_sizes_are_told_as_width_and_height(monkeypatch):
    monkeypatch.setattr(door, "MAX_PIXELS", 99)
    with pytest.raises(ImageError, match="20 x 10"):
        load_image(np.zeros((10, 20, 3), np.uint8))
    with pytest.raises(ImageError, match="is 5 x 0 pixels"):
        load_image(np.zeros((0, 5, 3), np.uint8))


def test_limits_hold_for_arrays_and_pillow_images(monkeypatch):
    monkeypatch.setattr(door, "MAX_PIXELS", 99)
    assert load_image(np.zeros((9, 11), np.uint8)).shape == (9, 11, 3)
    for source in (np.zeros((10, 10), np.uint8), Image.new("L", (10, 10))):
        with pytest.raises(ImageError, match="too many pixels"):
            load_image(source)
    with pytest.raises(ImageError, match="nothing to see"):
        load_image(Image.new("RGB", (0, 5)))


def test_pillows_warnings_do_not_leak():
    image = Image.new("P", (4, 4))
    image.putpalette([0, 0, 0, 255, 255, 255])
    data = encode(image, "PNG", transparency=b"\0\xff")
    exif = b"Exif\0\0II*\0\x08\0\0\0\xff\x00"  # promises 255 entries, has none
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        load_image(data)
        load_image(encode(Image.fromarray(PHOTO), "JPEG", exif=exif))
    assert not caught
