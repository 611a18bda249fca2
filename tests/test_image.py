"""The image door: formats, orientation, transparency, depths, limits."""

import io
from pathlib import Path

import numpy as np
import pytest
from pictures import PHOTO, check_form, encode
from PIL import Image

from segdemo.errors import ImageError
from segdemo.image import content_key, fit, load_image

RNG = np.random.default_rng(0)


# --- What comes in ---------------------------------------------------------------------


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "WEBP"])
def test_lossless_formats_come_through_unchanged(form):
    data = encode(Image.fromarray(PHOTO), form, **({"lossless": True} if form == "WEBP" else {}))
    loaded = load_image(data)
    check_form(loaded)
    np.testing.assert_array_equal(loaded, PHOTO)


def test_jpeg_is_close():
    smooth = np.tile(np.linspace(0, 255, 64, dtype=np.uint8)[None, :, None], (48, 1, 3))
    loaded = load_image(encode(Image.fromarray(smooth), "JPEG", quality=95))
    check_form(loaded)
    assert np.abs(loaded.astype(int) - smooth).max() < 6


def test_every_kind_of_source_gives_the_same_array(tmp_path):
    data = encode(Image.fromarray(PHOTO), "PNG")
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    sources = [path, str(path), data, bytearray(data), io.BytesIO(data), Image.fromarray(PHOTO), PHOTO]
    with open(path, "rb") as file, Image.open(path) as image:
        for source in [*sources, file, image]:
            np.testing.assert_array_equal(load_image(source), PHOTO)


def test_the_format_is_read_from_the_content_not_the_name(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(encode(Image.fromarray(PHOTO), "PNG"))
    np.testing.assert_array_equal(load_image(path), PHOTO)


def test_an_array_is_copied():
    given = PHOTO.copy()
    load_image(given)[:] = 0
    np.testing.assert_array_equal(given, PHOTO)


def test_animated_gif_gives_its_first_frame():
    frames = [Image.new("RGB", (5, 4), colour) for colour in ("red", "lime", "blue")]
    loaded = load_image(encode(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    np.testing.assert_array_equal(loaded, np.broadcast_to([255, 0, 0], (4, 5, 3)))


def test_a_phones_multi_picture_jpeg_gives_its_first_picture():
    red, blue = Image.new("RGB", (16, 16), (200, 0, 0)), Image.new("RGB", (16, 16), (0, 0, 200))
    loaded = load_image(encode(red, "MPO", save_all=True, append_images=[blue]))
    assert loaded[..., 0].min() > 180 and loaded[..., 2].max() < 40


# --- Orientation -----------------------------------------------------------------------

# What a viewer must do with the stored pixels, by the EXIF standard's table of orientations.
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_applied_once(form, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(Image.fromarray(PHOTO), form, exif=exif, **({"lossless": True} if form == "WEBP" else {}))
    np.testing.assert_array_equal(load_image(data), UPRIGHT[orientation](PHOTO))


def test_exif_orientation_of_a_jpeg_and_of_a_pillow_image():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(Image.fromarray(PHOTO), "JPEG", exif=exif)
    stored = np.asarray(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(load_image(data), np.rot90(stored, -1))
    np.testing.assert_array_equal(load_image(Image.open(io.BytesIO(data))), np.rot90(stored, -1))


def test_damaged_exif_does_not_spoil_a_sound_picture():
    data = encode(Image.fromarray(PHOTO), "PNG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xffgarbage")
    np.testing.assert_array_equal(load_image(data), PHOTO)


# --- Modes and depths ------------------------------------------------------------------


def test_grey_and_one_bit():
    grey = PHOTO[..., 0]
    np.testing.assert_array_equal(load_image(encode(Image.fromarray(grey), "PNG")), np.stack([grey] * 3, 2))
    bits = grey > 127
    np.testing.assert_array_equal(load_image(encode(Image.fromarray(bits), "PNG")), np.stack([bits * 255] * 3, 2))


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_clipped(form):
    deep = np.arange(0, 65536, 101, dtype=np.uint16)[:640].reshape(20, 32)
    loaded = load_image(encode(Image.fromarray(deep), form))
    np.testing.assert_array_equal(loaded[..., 0], np.rint(deep / 257.0))
    assert (loaded[..., :1] == loaded).all()


def test_float_tiff_is_taken_as_zero_to_one():
    values = np.linspace(0, 1, 20, dtype=np.float32).reshape(4, 5)
    loaded = load_image(encode(Image.fromarray(values), "TIFF"))
    np.testing.assert_array_equal(loaded[..., 1], np.rint(values * 255))
    with pytest.raises(ImageError, match="scale them"):
        load_image(encode(Image.fromarray(values * 900), "TIFF"))


def test_thirty_two_bits():
    values = np.array([[0, 65535], [257, 514]], np.int32)
    np.testing.assert_array_equal(load_image(Image.fromarray(values))[..., 0], [[0, 255], [1, 2]])
    with pytest.raises(ImageError, match="8 or 16 bits"):
        load_image(Image.fromarray(values * 1000))
    with pytest.raises(ImageError, match="8 or 16 bits"):
        load_image(Image.fromarray(values - 1))


def test_cmyk():
    cmyk = Image.new("CMYK", (8, 8), (0, 255, 255, 0))  # magenta and yellow ink: red
    for source in (cmyk, encode(cmyk, "TIFF"), encode(cmyk, "JPEG", quality=95)):
        loaded = load_image(source).reshape(-1, 3)
        assert (loaded[:, 0] > 245).all() and (loaded[:, 1:] < 10).all()


def over_white(rgb, alpha):
    part = alpha[..., None] / 255
    return rgb * part + 255 * (1 - part)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP", None])
def test_transparency_is_laid_over_white(form):
    alpha = RNG.integers(0, 256, PHOTO.shape[:2], dtype=np.uint8)
    alpha[:2], alpha[2:4] = 0, 255
    rgba = np.dstack([PHOTO, alpha])
    options = {"lossless": True, "exact": True} if form == "WEBP" else {}
    loaded = load_image(encode(Image.fromarray(rgba), form, **options) if form else rgba)
    check_form(loaded)
    assert np.abs(loaded - over_white(PHOTO.astype(float), alpha)).max() <= 1
    assert (loaded[:2] == 255).all()
    np.testing.assert_array_equal(loaded[2:4], PHOTO[2:4])


def test_grey_with_alpha():
    grey, alpha = np.full((3, 4), 100, np.uint8), np.full((3, 4), 51, np.uint8)
    image = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(alpha)])
    assert (load_image(encode(image, "PNG")) == 224).all()  # 100 * 0.2 + 255 * 0.8


@pytest.mark.parametrize("form", ["PNG", "GIF"])
def test_palette_with_a_transparent_colour(form):
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8)).convert("P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    loaded = load_image(encode(image, form, transparency=1))
    np.testing.assert_array_equal(loaded, [[[255, 0, 0], [255, 255, 255], [0, 0, 255]]])


def test_a_transparent_grey_of_sixteen_bits_is_white(tmp_path):
    values = np.full((4, 6), 20_000, np.uint16)
    values[0] = 1000
    file = tmp_path / "deep.png"
    Image.fromarray(values).save(file, transparency=1000)
    if Image.open(file).info.get("transparency") != 1000:
        pytest.skip("this Pillow writes no transparency of 16 bits")
    assert (load_image(file)[0] == 255).all() and (load_image(file)[1] == 78).all()


# --- Arrays ----------------------------------------------------------------------------


def test_arrays_of_each_kind_agree():
    levels = PHOTO
    same = [
        levels,
        levels.astype(np.uint16) * 257,
        levels.astype(np.float32) / 255,
        levels.astype(np.float64) / 255,
        np.asfortranarray(levels),
        np.dstack([levels, np.full(levels.shape[:2], 255, np.uint8)]),
        np.dstack([levels / 255, np.ones(levels.shape[:2])]),
    ]
    for array in same:
        loaded = load_image(array)
        check_form(loaded)
        np.testing.assert_array_equal(loaded, levels)
    grey = levels[..., 0]
    for array in (grey, grey[..., None]):
        np.testing.assert_array_equal(load_image(array), np.stack([grey] * 3, 2))
    np.testing.assert_array_equal(load_image(grey > 9)[..., 2], (grey > 9) * 255)


@pytest.mark.parametrize(
    "array, message",
    [
        (np.zeros((4, 4), np.int64), "type int64"),
        (np.zeros((4, 4), complex), "type complex"),
        (np.full((4, 4), np.nan), "NaN"),
        (np.full((4, 4), np.inf), "NaN or infinity"),
        (np.full((4, 4, 3), 128.0), r"scale them to \[0, 1\]"),
        (np.full((4, 4, 3), -0.5), "scale them"),
        (np.zeros((3, 40, 40), np.uint8), "channels last"),
        (np.zeros((4, 4, 2), np.uint8), "shape"),
        (np.zeros(16, np.uint8), "shape"),
        (np.zeros((2, 4, 4, 3), np.uint8), "shape"),
        (np.zeros((0, 4, 3), np.uint8), "nothing to see"),
        (np.zeros((4, 0), np.float32), "nothing to see"),
    ],
)
def test_unfit_arrays_are_refused(array, message):
    with pytest.raises(ImageError, match=message):
        load_image(array)


def test_the_smallest_pictures_pass():
    assert load_image(np.zeros((1, 1), bool)).shape == (1, 1, 3)
    assert load_image(encode(Image.new("RGB", (1, 1)), "PNG")).shape == (1, 1, 3)


# --- fit and content_key ---------------------------------------------------------------


def test_fit_shrinks_by_area_means_and_keeps_the_aspect():
    image = RNG.integers(0, 256, (20, 40, 3), dtype=np.uint8)
    small = fit(image, 10)
    means = image.reshape(5, 4, 10, 4, 3).mean((1, 3))
    assert small.shape == (5, 10, 3) and np.abs(small - means).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("shape, size", [((5, 4000), (1, 100)), ((4000, 1), (100, 1)), ((300, 200), (100, 67))])
def test_fit_keeps_extreme_shapes_alive(shape, size):
    assert fit(np.zeros((*shape, 3), np.uint8), 100).shape == (*size, 3)


def test_fit_never_enlarges():
    assert fit(PHOTO, 17) is PHOTO and fit(PHOTO, 1000) is PHOTO


def test_content_key_depends_on_content_shape_and_type_only():
    key = content_key(PHOTO)
    assert key == content_key(PHOTO.copy()) == content_key(np.asfortranarray(PHOTO)) and len(key) == 32
    other = PHOTO.copy()
    other[3, 4, 1] ^= 1
    keys = {key, content_key(other), content_key(PHOTO.reshape(17, 12, 3)), content_key(PHOTO.view(np.int8))}
    assert len(keys) == 4
    assert content_key(np.zeros((0, 3))) != content_key(np.zeros((0, 4)))


def test_a_path_object_of_any_kind(tmp_path):
    path = tmp_path / "ä photo with spaces.png"
    path.write_bytes(encode(Image.fromarray(PHOTO), "PNG"))
    np.testing.assert_array_equal(load_image(Path(path)), PHOTO)
