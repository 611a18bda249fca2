"""The dense CRF beside Krahenbuhl's code: ``python -m benchmarks.crf``.

Both get the same photo, probabilities and parameters (21 labels, 5 iterations) in the same
process, in turns; the time is the best of three, from photo and probabilities to beliefs, with the
construction of the lattices. "wall" is what a visitor waits, "cpu" the work of all threads: on
a busy machine only the latter says much. "agree" is the part of the pixels with the same label,
"dQ" the mean difference of beliefs.

A network's name stands for what it says about the photo. ``peaked``: four labels share the photo,
the others stay below 0.001. ``all alive`` gives each of the 21 labels a region, so that none can be left out.

Then: the same comparison on 20 photos (of VOC with ``--data``), memory, and the lattice's error against exact sums.
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pydensecrf.densecrf
import torch
from scipy.ndimage import zoom
from scipy.spatial.distance import cdist
from skimage import data, transform

from segdemo import Engine, load_image
from segdemo.crf import DenseCRF, dense_crf

LABELS, ITERATIONS, REPEATS = 21, 5, 3
NETWORKS = "deeplab-v3plus", "fcn-8s"


def resized(image: np.ndarray, height: int, width: int) -> np.ndarray:
    return (transform.resize(image, (height, width), order=3, anti_aliasing=True) * 255).round().astype(np.uint8)


def photo(size: int) -> np.ndarray:
    return resized(data.astronaut(), size, size)


def probabilities(size: int, alive: int, seed: int = 0) -> np.ndarray:
    """(21, size, size) float32: smooth random scores for ``alive`` labels, the others far below."""
    coarse = np.random.default_rng(seed).normal(0, 3, (alive, 17, 17))
    scores = np.full((LABELS, size, size), -12.0, np.float32)
    scores[:alive] = zoom(coarse, (1, size / 17, size / 17), order=1, grid_mode=True, mode="nearest")
    p = np.exp(scores - scores.max(0))
    return p / p.sum(0)


def network_says(engine: Engine, name: str, image: np.ndarray) -> np.ndarray:
    """(21, H, W) float32 at the size of the photo."""
    result = engine.run(name, image, keep_frames=False, working_size=max(image.shape))
    return result.working_scores.astype(np.float32)


def peer(image: np.ndarray, p: np.ndarray) -> np.ndarray:
    crf = pydensecrf.densecrf.DenseCRF2D(image.shape[1], image.shape[0], len(p))
    crf.setUnaryEnergy(np.ascontiguousarray(-np.log(p.clip(1e-5, 1)).reshape(len(p), -1)))
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


def speed(engine: Engine, sizes: list[int]) -> None:
    print(f"{'size':>6} {'probabilities':14} {'wall ours':>9} {'theirs':>7} {'ratio':>6} "
          f"{'cpu ours':>9} {'theirs':>7} {'ratio':>6} {'agree':>8} {'dQ':>8}")  # fmt: skip
    for size in sizes:
        image = photo(size)
        for title in (*NETWORKS, "peaked", "all alive"):
            alive = 4 if title == "peaked" else LABELS
            p = network_says(engine, title, image) if title in NETWORKS else probabilities(size, alive)
            times, results = np.full((2, 2), np.inf), {}
            for _ in range(REPEATS):
                for row, function in enumerate((ours, peer)):
                    results[row], seconds = timed(function, image, p)
                    times[row] = np.minimum(times[row], seconds)
            (a, b), (c, d) = times
            agree = np.mean(results[0].argmax(0) == results[1].argmax(0))
            print(f"{size:6} {title:14} {a:9.3f} {c:7.3f} {c / a:6.2f} {b:9.3f} {d:7.3f} {d / b:6.2f} "
                  f"{agree:8.3%} {np.abs(results[0] - results[1]).mean():8.1e}", flush=True)  # fmt: skip


def photos(folder: Path | None, count: int = 20) -> Iterator[np.ndarray]:
    """Validation photos of VOC, or else scikit-image's and crops of them."""
    rng = np.random.default_rng(0)
    if folder is not None:
        names = (folder / "ImageSets" / "val.txt").read_text().split()
        for name in rng.choice(names, count, replace=False):
            yield load_image(folder / "JPEGImages" / f"{name}.jpg")
        return
    whole = [data.astronaut(), data.chelsea(), data.coffee(), data.rocket()]
    for number in range(count):
        image = whole[number % len(whole)]
        top, left = rng.integers(0, image.shape[0] // 3), rng.integers(0, image.shape[1] // 3)
        yield image if number < len(whole) else np.ascontiguousarray(image[top:, left:])


def agreement(engine: Engine, folder: Path | None) -> None:
    """Both on 20 photos, with a network's probabilities of 2 to 21 labels: the largest ones, the rest joined."""
    rows = []
    for number, image in enumerate(photos(folder)):
        p = network_says(engine, NETWORKS[number % 2], image)
        labels = 2 + number
        order = np.argsort(-p.sum((1, 2)))
        p = np.concatenate([p[order[: labels - 1]], p[order[labels - 1 :]].sum(0, keepdims=True)])
        a, b = ours(image, p), peer(image, p)
        rows.append((np.mean(a.argmax(0) == b.argmax(0)), np.abs(a - b).mean()))
    agree, difference = np.array(rows).T
    print(f"20 photos, 2 to 21 labels: agree {agree.mean():.3%}, at worst {agree.min():.3%}; "
          f"dQ {difference.mean():.1e}, at worst {difference.max():.1e}")  # fmt: skip


def lattice_error() -> None:
    """The normalized filters against exact N x N sums, and what it does to beliefs."""
    image = resized(data.astronaut(), 64, 64)
    p = zoom(
        np.random.default_rng(0).normal(0, 2, (4, 9, 9)), (1, 64 / 9, 64 / 9), order=1, grid_mode=True, mode="nearest"
    )
    p = np.exp(p) / np.exp(p).sum(0)
    y, x = np.mgrid[:64, :64]
    positions, crf = np.stack([x.ravel(), y.ravel()], 1), DenseCRF(image)
    features = positions / 3, np.concatenate([positions / 80, image.reshape(-1, 3) / 13], 1)
    exact = []
    for title, kernel, points in zip(("spatial", "bilateral"), (crf.spatial, crf.bilateral), features):
        matrix = np.exp(-0.5 * cdist(points, points, "sqeuclidean"))
        scale = matrix.sum(1) ** -0.5
        exact.append(scale[:, None] * matrix * scale)
        rows = p.reshape(4, -1).T
        wanted, found = exact[-1] @ rows, kernel.filter(torch.from_numpy(rows).float()).numpy()
        print(f"lattice, {title}: relative error {np.linalg.norm(found - wanted) / np.linalg.norm(wanted):.2%}")
    flat = p.reshape(4, -1)
    q = flat
    for _ in range(ITERATIONS):
        q = flat * np.exp((3 * exact[0] + 10 * exact[1]) @ q.T).T
        q /= q.sum(0)
    result = ours(image, p).reshape(4, -1)
    print(f"beliefs against exact mean field: dQ {np.abs(result - q).mean():.1e}, "
          f"same label {np.mean(result.argmax(0) == q.argmax(0)):.2%}")  # fmt: skip


def memory(size: int) -> None:
    """The most that a run holds at a time, its result included; the photo and its probabilities are there before."""
    image, p = photo(size), probabilities(size, LABELS)
    tracemalloc.start()
    ours(image, p)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"{size} x {size}, all 21 labels alive: {peak / size**2:.0f} bytes a pixel")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crf")
    parser.add_argument("--data", type=Path, help="VOC folder for the 20 photos; without, scikit-image's")
    parser.add_argument("--sizes", type=int, nargs="*", default=[512, 1024])
    options = parser.parse_args()
    ours(photo(64), probabilities(64, LABELS))  # compiles the loops, once per installation
    engine = Engine("cpu")
    speed(engine, options.sizes)
    for size in options.sizes:
        memory(size)
    agreement(engine, options.data)
    lattice_error()


if __name__ == "__main__":
    main()
