"""Pictures in memory, for the tests of the image door."""

import io

import numpy as np
from PIL import Image

PHOTO = np.random.default_rng(0).integers(0, 256, (12, 17, 3), dtype=np.uint8)


def encode(image: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def check_form(image: np.ndarray) -> None:
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    assert image.flags.c_contiguous and image.flags.writeable
