"""The one door for every picture: decode, check, orient, flatten to RGB.

Whatever comes in (a file, bytes, a Pillow image, an array), what leaves is an
(H, W, 3) uint8 RGB array, or an ``ImageError`` that says what to do instead.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import ImageError

MAX_BYTES = 30_000_000
"""Largest file, in bytes."""

MAX_PIXELS = 50_000_000
"""Most pixels; decided from the file's header, before anything is decoded."""

MIN_SIDE = 1
"""Shortest side, in pixels."""

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
_SIGNATURE = re.compile(rb"\xff\xd8\xff|\x89PNG|RIFF....WEBP|BM|II\*\0|MM\0\*|GIF8", re.DOTALL)

Source = str | PathLike | bytes | bytearray | BinaryIO | Image.Image | np.ndarray


def load_image(source: Source) -> np.ndarray:
    """Read a picture from anywhere as an array of its own, (H, W, 3) uint8 RGB, contiguous.

    EXIF orientation is applied, transparency is laid over white, 16-bit values are scaled
    to 8 bits, and of an animation the first frame is taken.

    Args:
        source: the path or the bytes of a JPEG, PNG, WebP, BMP, TIFF or GIF file, a binary
            file object, a Pillow image, or an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)
            of bool, uint8, uint16, or float in [0, 1].

    Raises:
        ImageError: not a picture, damaged, empty, too large, or an array of another kind.
    """
    if isinstance(source, np.ndarray):
        return _from_array(np.asarray(source))
    if isinstance(source, Image.Image):
        with _decoding("The picture"):
            return _from_pillow(source, "The picture")
    data, name = _read(source)
    with _decoding(name, data):
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            return _from_pillow(image, name)


def fit(image: np.ndarray, long_side: int) -> np.ndarray:
    """Shrink an (H, W, 3) uint8 image until its long side is ``long_side`` pixels; never enlarge.

    Each output pixel is the mean of the area it covers (``cv2.INTER_AREA``), which does
    not alias; each side stays at least one pixel long.
    """
    height, width = image.shape[:2]
    scale = long_side / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def content_key(image: np.ndarray) -> str:
    """A name for an array's content, 32 hexadecimal digits: equal for equal type, shape and values."""
    digest = hashlib.blake2b(f"{image.dtype.str} {image.shape}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(image).data if image.size else b"")
    return digest.hexdigest()


def _read(source: str | PathLike | bytes | bytearray | BinaryIO) -> tuple[bytes, str]:
    """The bytes of a file, at most ``MAX_BYTES``, and what to call it in a message."""
    if isinstance(source, (bytes, bytearray, memoryview)):
        data, name = bytes(source), "The picture"
    elif isinstance(source, (str, PathLike)):
        path = Path(source)
        data, name = _read_path(path), path.name
    elif hasattr(source, "read"):
        data, name = _read_stream(source), "The picture"
        if not isinstance(data, bytes):
            raise ImageError("The file was opened as text: open it in binary mode, open(path, 'rb').")
    elif source is None:
        raise ImageError("There is no picture yet: choose a file, take a photo or pick an example.")
    else:
        raise ImageError(
            f"A picture cannot be made from a {type(source).__name__}: "
            "give a path, bytes, a file object, a Pillow image or a NumPy array."
        )
    if len(data) > MAX_BYTES:
        raise _too_heavy(name)
    if not data:
        raise ImageError(f"{name} is empty (0 bytes): save or download it again.")
    return data, name


def _read_stream(stream: BinaryIO) -> bytes | str:
    try:
        return stream.read(MAX_BYTES + 1)  # one byte past the limit is enough to know
    except (OSError, ValueError) as error:  # for example a closed file
        raise ImageError(f"The file cannot be read ({error}): open it again.") from None


def _read_path(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise ImageError(f"{path} is a folder: choose one of the pictures inside it.")
        if not path.exists():
            raise ImageError(f"{path} does not exist: check the name and the folder.")
        if not path.is_file():
            raise ImageError(f"{path} is not an ordinary file: choose a picture file.")
        if path.stat().st_size > MAX_BYTES:
            raise _too_heavy(path.name)
        return path.read_bytes()
    except (OSError, ValueError) as error:  # no permission, name too long, a NUL in the name
        raise ImageError(f"{str(path)!r} cannot be read ({error}): check the name and your permissions.") from None


@contextmanager
def _decoding(name: str, data: bytes = b"") -> Iterator[None]:
    """Turn whatever Pillow raises into an ``ImageError`` and keep its warnings to ourselves."""
    try:
        with warnings.catch_warnings():
            # Only Pillow's: a filter that outlives this block in another thread then hides no one else's.
            warnings.filterwarnings("ignore", module=r"PIL\b")
            yield
    except ImageError:
        raise
    except Image.DecompressionBombError:
        raise _too_many_pixels(name, "far") from None
    except UnidentifiedImageError:
        if _SIGNATURE.match(data):
            raise _damaged(name) from None
        raise ImageError(
            f"{name} is not a picture this program can read (JPEG, PNG, WebP, BMP, TIFF or GIF). "
            "Open it in an image program and save it as JPEG or PNG."
        ) from None
    except MemoryError:
        raise ImageError(f"{name} does not fit into memory: make it smaller and try again.") from None
    except Exception as error:  # decoders raise whatever a damaged file makes them trip over
        raise _damaged(name) from error


def _from_pillow(image: Image.Image, name: str) -> np.ndarray:
    _check_size(image.height, image.width, name)
    image.load()
    image = _upright(image)
    if image.mode.startswith("I;16"):
        values = np.array(image).astype(np.uint16)
        if isinstance(clear := image.info.get("transparency"), int):  # the one grey that is transparent
            values[values == clear] = 65535
        return _from_array(values, name)
    if image.mode in ("I", "F"):
        return _from_wide(np.asarray(image), name)
    if not image.has_transparency_data:
        return np.array(image.convert("RGB"))
    image = image.convert("RGBA")
    canvas = Image.new("RGB", image.size, "white")
    canvas.paste(image, mask=image.getchannel("A"))
    return np.array(canvas)


def _upright(image: Image.Image) -> Image.Image:
    """Turn the image as its EXIF orientation says; damaged EXIF data leave it as it is."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # the EXIF parser raises whatever it trips over; the pixels are sound
        return image


def _from_wide(values: np.ndarray, name: str) -> np.ndarray:
    """32-bit pixels: floats in [0, 1], or 16-bit values in a wider container."""
    if values.dtype.kind == "f":
        return _from_array(values, name)
    if values.min() < 0 or values.max() > 65535:
        raise ImageError(f"{name} has 32 bits per pixel: save it with 8 or 16 bits per channel.")
    return _from_array(values.astype(np.uint16), name)


def _from_array(array: np.ndarray, name: str = "The array") -> np.ndarray:
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ImageError(
            f"{name} has shape {array.shape}: give (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), channels last."
        )
    _check_size(*array.shape[:2], name)
    pixels = _to_uint8(array, name)
    if array.ndim == 2 or array.shape[2] == 1:
        return np.repeat(pixels.reshape(*array.shape[:2], 1), 3, axis=2)
    if array.shape[2] == 4:
        return _from_pillow(Image.fromarray(np.ascontiguousarray(pixels)), name)
    return np.array(pixels, order="C")


def _to_uint8(array: np.ndarray, name: str) -> np.ndarray:
    """Bring bool, uint8, uint16 and float in [0, 1] to 0..255, rounding to the nearest."""
    if array.dtype == np.uint8:
        return array
    if array.dtype == bool:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:
        return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)  # 65535 = 255 * 257
    if array.dtype.kind != "f":
        raise ImageError(f"{name} is of type {array.dtype}: convert it to uint8, uint16, bool or float in [0, 1].")
    if not np.isfinite(array).all():
        raise ImageError(f"{name} contains NaN or infinity: replace them, for example with numpy.nan_to_num.")
    # Interpolation may overshoot by a rounding error; anything more is another scale.
    if array.min() < -1e-3 or array.max() > 1 + 1e-3:
        raise ImageError(
            f"{name} holds floats from {array.min():g} to {array.max():g}: scale them to [0, 1], "
            "or convert to uint8 what counts 0 to 255."
        )
    return (np.clip(array.astype(np.float32), 0, 1) * 255).round().astype(np.uint8)


def _check_size(height: int, width: int, name: str) -> None:
    if min(height, width) < MIN_SIDE:
        raise ImageError(f"{name} is {width} x {height} pixels, so there is nothing to see: choose another picture.")
    if height * width > MAX_PIXELS:
        raise _too_many_pixels(name, f"{width} x {height},")


def _too_many_pixels(name: str, size: str) -> ImageError:
    return ImageError(
        f"{name} has too many pixels ({size} above the limit of {MAX_PIXELS / 1e6:g} megapixels): "
        "make it smaller in an image program and try again."
    )


def _too_heavy(name: str) -> ImageError:
    return ImageError(
        f"{name} is larger than {MAX_BYTES / 1e6:g} MB: make the picture smaller, or save it as JPEG, and try again."
    )


def _damaged(name: str) -> ImageError:
    return ImageError(f"{name} is damaged or incomplete: download or export it again, or choose another picture.")


def stored_values(picture: Image.Image) -> np.ndarray:
    """The values of a grey or indexed picture, (H, W), as its file has them: Pillow scales those of 2 and 4 bits to 8."""
    tiles = getattr(picture, "tile", None)  # of a picture that is converted already there are none
    stored = (
        tiles[0][3] if tiles else None
    )  # the mode, or a tuple that begins with it, or whatever else a decoder wants
    mode = stored[0] if isinstance(stored, tuple) and stored else stored
    factor = {"L;2": 85, "L;4": 17}.get(mode, 1) if isinstance(mode, str) else 1
    return np.asarray(picture) // factor if factor > 1 else np.asarray(picture)
