"""How well a few strokes cut out an object: ``python -m benchmarks.scribbles --data FOLDER [--voc FOLDER]``.

FOLDER holds ``images/NAME.jpg``, ``ground-truth/NAME.png`` (0 background, 255 object, 128 unknown: not counted) and one or
more ``scribbles-*/NAME.png`` (0 none, 1 object, 2 background). Every method of the family runs with its defaults, as any
visitor would run it, and graphcut with its graph of superpixels besides; the measure is the object's intersection over union, per photo and on average.

``--voc`` adds photos with masks in the layout of PASCAL VOC, on which strokes are simulated: paths through the inside of the
object's largest part and of the background, between places drawn at random, the same ones in every run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from skimage.graph import route_through_array

from segdemo import Engine, load_image

UNKNOWN = 128
METHODS = {"graphcut": {}, "graphcut, superpixels": {"graph": "superpixels"}, "grabcut": {}}
STROKES, PLACES = 2, 3  # simulated: strokes per label, places each leads through
Case = tuple[
    str, np.ndarray, np.ndarray, np.ndarray
]  # name, photo, truth (1 object, 0 background, 255 ignored), scribbles


def drawn(folder: Path, scribbles: str) -> Iterator[Case]:
    """The photos with strokes drawn by people."""
    for path in sorted((folder / scribbles).glob("*.png")):
        truth = np.asarray(Image.open(folder / "ground-truth" / path.name).convert("L"))
        truth = np.where(truth == UNKNOWN, 255, truth > UNKNOWN).astype(np.uint8)
        yield path.stem, load_image(folder / "images" / f"{path.stem}.jpg"), truth, np.asarray(Image.open(path))


def simulated(folder: Path, limit: int) -> Iterator[Case]:
    """Photos with masks of VOC, the largest connected part of one class being the object."""
    names = (folder / "ImageSets" / "val.txt").read_text().split()
    for name in names[:: max(1, len(names) // limit)][:limit]:
        classes = np.asarray(Image.open(folder / "SegmentationClass" / f"{name}.png"))
        inside = ((classes > 0) & (classes < 255)).astype(np.uint8)
        _, parts, stats, _ = cv2.connectedComponentsWithStats(inside)
        if len(stats) < 2 or not 0.03 < stats[1:, cv2.CC_STAT_AREA].max() / inside.size < 0.7:
            continue
        object_ = parts == 1 + stats[1:, cv2.CC_STAT_AREA].argmax()
        truth = np.where((classes == 255) | ((inside > 0) & ~object_), 255, object_).astype(np.uint8)
        rng = np.random.default_rng(int("".join(filter(str.isdigit, name))) % 2**32)
        scribbles = np.zeros(truth.shape, np.uint8)
        for label, region in ((1, truth == 1), (2, truth == 0)):
            for _ in range(STROKES):
                draw_path(scribbles, region, label, rng)
        yield name, load_image(folder / "JPEGImages" / f"{name}.jpg"), truth, scribbles


def draw_path(scribbles: np.ndarray, region: np.ndarray, label: int, rng: np.random.Generator) -> None:
    """Draw a stroke through random places deep inside a region, never leaving it."""
    depth = cv2.distanceTransform(np.pad(region, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    y, x = np.nonzero(depth >= 0.4 * depth.max())
    centre = rng.integers(len(y))
    near = np.flatnonzero(np.hypot(y - y[centre], x - x[centre]) < 0.35 * max(region.shape))
    places = rng.choice(near, PLACES)
    cost = np.where(depth > 2, 1 + 20 / np.maximum(depth, 1), 1e4)
    for a, b in zip(places, places[1:]):
        path, _ = route_through_array(cost, (y[a], x[a]), (y[b], x[b]))
        cv2.polylines(scribbles, [np.array(path)[:, ::-1].astype(np.int32)], False, label, 3)
    scribbles[(scribbles == label) & ~region] = 0


def object_iou(labels: np.ndarray, truth: np.ndarray) -> float:
    known = truth != 255
    found, there = (labels == 1) & known, truth == 1
    return float((found & there).sum() / max((found | there).sum(), 1))


def measure(cases: list[Case], method: str, engine: Engine, **params) -> tuple[list[float], float]:
    """The IoU of each case, and seconds per photo."""
    start = time.perf_counter()
    ious = [
        object_iou(engine.run(method, photo, scribbles=scribbles, keep_frames=False, **params).labels, truth)
        for _, photo, truth, scribbles in cases
    ]
    return ious, (time.perf_counter() - start) / len(cases)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scribbles", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="photos, masks and scribbles")
    parser.add_argument("--voc", type=Path, help="a folder of VOC, for simulated strokes")
    parser.add_argument("--limit", type=int, default=60, help="at most so many photos of VOC")
    options = parser.parse_args()
    sets = {folder.name: list(drawn(options.data, folder.name)) for folder in sorted(options.data.glob("scribbles-*"))}
    if options.voc:
        sets["simulated"] = list(simulated(options.voc, options.limit))
    engine = Engine()
    engine.warm()
    print("| scribbles | method | mean IoU | least | median | seconds | each photo |\n|---|---|---|---|---|---|---|")
    for name, cases in sets.items():
        for method, params in METHODS.items():
            ious, seconds = measure(cases, method.partition(",")[0], engine, **params)
            each = ", ".join(f"{case[0]} {iou:.3f}" for case, iou in zip(cases, ious)) if len(cases) <= 10 else ""
            row = f"{np.mean(ious):.3f} | {np.min(ious):.3f} | {np.median(ious):.3f} | {seconds:.2f} | {each}"
            print(f"| {name} ({len(cases)}) | {method} | {row} |", flush=True)


if __name__ == "__main__":
    main()
