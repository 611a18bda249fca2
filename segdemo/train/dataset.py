"""Photos with masks, kept in memory and cropped at random.

Folders are laid out like PASCAL VOC: ``JPEGImages/NAME.jpg``, ``SegmentationClass/NAME.png``
(index 0..20, 255 = ignore) and, where there are splits, ``ImageSets/SPLIT.txt`` or, as VOC
comes, ``ImageSets/Segmentation/SPLIT.txt``.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from ..labels import IGNORE, VOC21


@dataclass(frozen=True)
class Photo:
    """A photo and its mask: (H, W, 3) uint8 RGB, (H, W) uint8; ``trusted`` if a person drew the mask."""

    name: str
    image: np.ndarray
    mask: np.ndarray
    trusted: bool


def list_names(folder: Path, split: str | None) -> list[str]:
    """Names of a VOC-like folder's photos: those of the split, or all that have a mask."""
    if split is not None:
        path = folder / "ImageSets" / f"{split}.txt"
        for candidate in (path, path.with_name("Segmentation") / path.name):
            if candidate.exists():
                return candidate.read_text().split()
        raise FileNotFoundError(f"{path} is missing: the folder has no split {split!r}")
    return sorted(path.stem for path in (folder / "SegmentationClass").glob("*.png"))


def read_photo(folder: Path, name: str, trusted: bool = True) -> Photo:
    """Read one photo and its mask; raises ``ValueError`` if their sizes differ."""
    image = np.array(Image.open(folder / "JPEGImages" / f"{name}.jpg").convert("RGB"))
    mask = np.array(Image.open(folder / "SegmentationClass" / f"{name}.png"))
    if mask.shape != image.shape[:2]:
        raise ValueError(f"{name}: mask {mask.shape} does not fit the photo {image.shape[:2]}")
    return Photo(name, image, mask, trusted)


def load_training_photos(data: Path, pseudo: bool = True) -> list[Photo]:
    """All training photos: ``data/voc`` with drawn masks and, if ``pseudo``, ``data/pseudo`` with predicted ones."""
    jobs = [(data / "voc", name, True) for name in list_names(data / "voc", "train")]
    if pseudo:
        jobs += [(data / "pseudo", name, False) for name in list_names(data / "pseudo", None)]
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda job: read_photo(*job), jobs))


def sampling_weights(photos: list[Photo], trusted_factor: float = 2.0, classes: int = len(VOC21)) -> np.ndarray:
    """How often to draw each photo, (N,) summing to 1: rare classes more often, drawn masks more often.

    A photo weighs the mean over its classes of 1 / sqrt(number of photos with that class),
    a softened form of class-balanced sampling that does not wear out the few rare photos.
    """
    present = np.zeros((len(photos), classes), bool)
    for row, photo in zip(present, photos, strict=True):
        counts = np.bincount(photo.mask.ravel(), minlength=256)[:classes]
        row[:] = counts > 0.01 * photo.mask.size
    present[:, 0] &= ~present[:, 1:].any(1)  # background counts only where there is nothing else
    rarity = 1 / np.sqrt(np.maximum(present.sum(0), 20))
    weights = (present * rarity).sum(1) / np.maximum(present.sum(1), 1)
    weights *= np.where([photo.trusted for photo in photos], trusted_factor, 1.0)
    return weights / weights.sum()


def augment(photo: Photo, crop: int, scale: tuple[float, float], rng: np.random.Generator):
    """A random square crop: scale, aspect, flip, brightness, contrast, saturation.

    Returns image (crop, crop, 3) uint8 and mask (crop, crop) uint8; outside the photo
    the image is grey and the mask ``IGNORE``. One affine warp does all the geometry.
    """
    height, width = photo.mask.shape
    zoom = np.exp(rng.uniform(*np.log(scale))) * 320 / max(height, width)
    stretch = np.exp(rng.uniform(-0.12, 0.12))
    zoom_x, zoom_y = zoom * stretch, zoom / stretch
    # A crop lies inside the photo where that is larger, around it where it is smaller.
    slack_x, slack_y = zoom_x * width - crop, zoom_y * height - crop
    shift_x, shift_y = -rng.uniform(*sorted((0, slack_x))), -rng.uniform(*sorted((0, slack_y)))
    if rng.random() < 0.5:
        zoom_x, shift_x = -zoom_x, crop - shift_x
    warp = np.array([[zoom_x, 0, shift_x], [0, zoom_y, shift_y]])
    inter = cv2.INTER_LINEAR if zoom > 0.7 else cv2.INTER_AREA
    image = cv2.warpAffine(photo.image, warp, (crop, crop), flags=inter, borderValue=(127, 127, 127))
    mask = cv2.warpAffine(photo.mask, warp, (crop, crop), flags=cv2.INTER_NEAREST, borderValue=IGNORE)
    return jitter_colour(image, rng), mask


def jitter_colour(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random brightness, contrast and saturation of an (H, W, 3) uint8 image."""
    gain, offset = rng.uniform(0.7, 1.3), rng.uniform(-24, 24)
    saturation = rng.uniform(0.5, 1.5) if rng.random() < 0.9 else 0.0
    luma = np.array([0.299, 0.587, 0.114])
    # colour' = gain * (saturation * colour + (1 - saturation) * luma) + offset, as one 3 x 4 matrix
    matrix = gain * (saturation * np.eye(3) + (1 - saturation) * luma)
    return cv2.transform(image, np.hstack([matrix, np.full((3, 1), offset)]))


class Batches:
    """An endless stream of (images (N, crop, crop, 3), masks (N, crop, crop)) uint8, made on threads.

    Batch number b is drawn from a generator seeded by (seed, b), so a run that resumes
    at batch b sees the same photos as one that was never interrupted.
    """

    def __init__(
        self, photos: list[Photo], batch: int, crop: int, scale: tuple[float, float], seed: int, start: int = 0
    ):
        self.photos, self.batch, self.crop, self.scale, self.seed = photos, batch, crop, scale, seed
        self.weights = sampling_weights(photos)
        self.queue: queue.Queue = queue.Queue(maxsize=3)
        self.start = start
        threading.Thread(target=self._produce, daemon=True).start()

    def make(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng((self.seed, number))
        chosen = rng.choice(len(self.photos), self.batch, p=self.weights)
        pairs = [augment(self.photos[i], self.crop, self.scale, rng) for i in chosen]
        images, masks = zip(*pairs, strict=True)
        return np.stack(images), np.stack(masks)

    def _produce(self) -> None:
        number = self.start
        while True:
            try:
                made = self.make(number)
            except Exception as error:  # for the thread that waits for the batch
                self.queue.put(error)
                return
            self.queue.put(made)
            number += 1

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        while True:
            made = self.queue.get()
            if isinstance(made, Exception):
                self.queue.put(made)  # for who asks once more
                raise made
            yield made
