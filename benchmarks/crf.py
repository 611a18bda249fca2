"""The dense CRF beside Krahenbuhl's code: ``python -m benchmarks.crf``.

Both get the same photo, probabilities and parameters (21 labels, 5 iterations) in the same
process, in turns; the time is the best of five, from photo and probabilities to beliefs, with the
construction of the lattices. "wall" is what a visitor waits, "cpu" the work of all threads: on
a busy machine only the latter says much. "agree" is the part of the pixels with the same label.

``peaked`` is what a network says: four labels share the photo, the others stay below 0.001.
``all alive`` gives each of the 21 labels a region, so that none can be left out.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pydensecrf.densecrf
from scipy.ndimage import zoom
from skimage import data, transform

from segdemo.crf import dense_crf

LABELS, ITERATIONS, REPEATS = 21, 5, 5


def photo(size: int) -> np.ndarray:
    image = transform.resize(data.astronaut(), (size, size), order=3, anti_aliasing=True)
    return (image * 255).round().astype(np.uint8)


def probabilities(size: int, alive: int, seed: int = 0) -> np.ndarray:
    """(21, size, size) float32: smooth random scores for ``alive`` labels, the others far below."""
    coarse = np.random.default_rng(seed).normal(0, 3, (alive, 17, 17))
    scores = np.full((LABELS, size, size), -12.0, np.float32)
    scores[:alive] = zoom(coarse, (1, size / 17, size / 17), order=1, grid_mode=True, mode="nearest")
    p = np.exp(scores - scores.max(0))
    return p / p.sum(0)


def peer(image: np.ndarray, p: np.ndarray) -> np.ndarray:
    height, width, _ = image.shape
    crf = pydensecrf.densecrf.DenseCRF2D(width, height, LABELS)
    crf.setUnaryEnergy(-np.log(p.clip(1e-5, 1)).reshape(LABELS, -1))
    crf.addPairwiseGaussian(sxy=3, compat=3)
    crf.addPairwiseBilateral(sxy=80, srgb=13, rgbim=image, compat=10)
    return np.array(crf.inference(ITERATIONS)).reshape(p.shape)


def ours(image: np.ndarray, p: np.ndarray) -> np.ndarray:
    return dense_crf(image, p, iterations=ITERATIONS)


def timed(function: Callable, *arguments) -> tuple[np.ndarray, np.ndarray]:
    """The result, and (wall, cpu) seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = function(*arguments)
    return result, np.array([time.perf_counter() - wall, time.process_time() - cpu])


def main() -> None:
    ours(photo(64), probabilities(64, LABELS))  # compiles the loops, once per installation
    print(f"{'size':>6} {'probabilities':14} {'wall ours':>9} {'theirs':>7} {'ratio':>6} "
          f"{'cpu ours':>9} {'theirs':>7} {'ratio':>6} {'agree':>8}")  # fmt: skip
    for size in (512, 1024):
        image = photo(size)
        for title, alive in (("peaked", 4), ("all alive", LABELS)):
            p = probabilities(size, alive)
            times, labels = np.full((2, 2), np.inf), None
            for _ in range(REPEATS):
                for row, function in enumerate((ours, peer)):
                    result, seconds = timed(function, image, p)
                    times[row] = np.minimum(times[row], seconds)
                    labels = result.argmax(0) if row == 0 else labels == result.argmax(0)
            (a, b), (c, d) = times
            print(f"{size:6} {title:14} {a:9.3f} {c:7.3f} {a / c:6.2f} {b:9.3f} {d:7.3f} {b / d:6.2f} "
                  f"{labels.mean():8.4%}")  # fmt: skip


if __name__ == "__main__":
    main()
