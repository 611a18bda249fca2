"""GrabCut beside OpenCV's, from the same box, with the same number of rounds: ``python -m benchmarks.grabcut [--data FOLDER]``.

Times are those of photos that scikit-image brings, the whole method from photo to mask on either side, no replay; "cpu" is
the best of the repetitions, taken in turns in one process. "ratio" is OpenCV's cpu time over ours. With ``--data``, a folder
as ``benchmarks.scribbles`` takes it, follows the IoU of both from the object's bounding box.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import cv2
import numpy as np
from skimage import data as photos

from benchmarks.scribbles import Case, drawn, object_iou
from segdemo import Engine

BOXES = {  # x0, y0, x1, y1 as parts of width and height
    "astronaut": (0.05, 0.02, 0.8, 1.0),
    "coffee": (0.1, 0.02, 0.85, 0.97),
    "chelsea": (0.04, 0.02, 0.96, 0.98),
}
Box = tuple[int, int, int, int]  # x0, y0, x1, y1 in pixels, the last two outside


def ours(engine: Engine, photo: np.ndarray, box: Box, rounds: int) -> tuple[np.ndarray, int]:
    """The mask, (h, w) 0 or 1, and the number of rounds made."""
    scribbles = np.full(photo.shape[:2], 2, np.uint8)
    scribbles[box[1] : box[3], box[0] : box[2]] = 0
    size = max(photo.shape[:2])
    result = engine.run("grabcut", photo, scribbles=scribbles, iterations=rounds, working_size=size, keep_frames=False)
    return result.labels, result.facts["rounds"]


def opencv(photo: np.ndarray, box: Box, rounds: int) -> np.ndarray:
    mask, background, foreground = np.zeros(photo.shape[:2], np.uint8), np.zeros((1, 65)), np.zeros((1, 65))
    rectangle = (box[0], box[1], box[2] - box[0], box[3] - box[1])
    cv2.setRNGSeed(0)
    cv2.grabCut(
        cv2.cvtColor(photo, cv2.COLOR_RGB2BGR), mask, rectangle, background, foreground, rounds, cv2.GC_INIT_WITH_RECT
    )
    return mask & 1  # GC_FGD = 1, GC_PR_FGD = 3


def spent(function, *arguments) -> tuple[object, float, float]:
    """The function's answer, its wall and its cpu seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    answer = function(*arguments)
    return answer, time.perf_counter() - wall, time.process_time() - cpu


def speed(engine: Engine, sizes: tuple[int, ...], rounds: int, repeats: int) -> None:
    print(
        "| photo | size | rounds | ours: wall s | cpu s | OpenCV: wall s | cpu s | ratio |\n|---|---|---|---|---|---|---|---|"
    )
    for size in sizes:
        for name, parts in BOXES.items():
            photo = cv2.resize(getattr(photos, name)(), (size, size), interpolation=cv2.INTER_CUBIC)
            box = tuple(int(part * size) for part in parts)
            best = np.full((2, 2), np.inf)  # ours and OpenCV's wall and cpu
            for number in range(repeats):
                photo[0, number, 0] ^= 1  # so that nothing is answered from the cache
                (_, made), *mine = spent(ours, engine, photo, box, rounds)
                _, *theirs = spent(opencv, photo, box, made)  # as many rounds as ours made
                best = np.minimum(best, [mine, theirs])
            (wall, cpu), (their_wall, their_cpu) = best
            row = f"{wall:.3f} | {cpu:.3f} | {their_wall:.3f} | {their_cpu:.3f} | {their_cpu / cpu:.1f}"
            print(f"| {name} | {size} x {size} | {made} | {row} |", flush=True)


def quality(engine: Engine, cases: list[Case], rounds: int) -> None:
    print("\n| photo | rounds | ours: IoU | cpu s | OpenCV: IoU | cpu s |\n|---|---|---|---|---|---|")
    rows = []
    for name, photo, truth, _ in cases:
        rows_in, columns_in = np.flatnonzero((truth == 1).any(axis=1)), np.flatnonzero((truth == 1).any(axis=0))
        box = (int(columns_in[0]), int(rows_in[0]), int(columns_in[-1]) + 1, int(rows_in[-1]) + 1)
        (mask, made), _, cpu = spent(ours, engine, photo, box, rounds)
        their_mask, _, their_cpu = spent(opencv, photo, box, rounds)
        rows.append((made, object_iou(mask, truth), cpu, object_iou(their_mask, truth), their_cpu))
        print("| {} | {} | {:.3f} | {:.2f} | {:.3f} | {:.2f} |".format(name, *rows[-1]), flush=True)
    print("| mean | {:.1f} | {:.3f} | {:.2f} | {:.3f} | {:.2f} |".format(*np.mean(rows, axis=0)))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.grabcut", description=__doc__)
    parser.add_argument("--data", type=Path, help="a folder of photos and masks")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="*", default=[512, 1024])
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    engine = Engine("cpu")
    engine.warm()
    speed(engine, tuple(options.sizes), options.rounds, options.repeats)
    if options.data:
        first = min(folder.name for folder in options.data.glob("scribbles-*"))
        quality(engine, list(drawn(options.data, first)), options.rounds)


if __name__ == "__main__":
    main()
