"""``python -m benchmarks``: time and peak memory of every method at 512 x 512, as a Markdown table.

Each method runs in a process of its own, once to warm up (compilers, weights) and then three
times on photos that differ in one pixel, so that nothing is answered from the cache; the best
time counts. Memory is the process's peak resident size, and what of it was there before the run.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import cv2
import numpy as np
import skimage.data

from segdemo import Engine, methods

SIZE = 512


def photo() -> np.ndarray:
    return cv2.resize(skimage.data.chelsea()[:, 75:375], (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def scribbles() -> np.ndarray:
    seeds = np.zeros((SIZE, SIZE), np.uint8)
    cv2.line(seeds, (150, 260), (360, 300), 1, 12)
    cv2.line(seeds, (15, 15), (120, 15), 2, 12)
    return seeds


def measure(name: str, crf: bool) -> dict:
    """Best of three runs in seconds, peak memory and memory before the run in megabytes."""
    engine, picture, best = Engine(), photo(), float("inf")
    extra = {"scribbles": scribbles()} if methods()[name].needs_scribbles else {}
    if crf:
        extra["crf"] = True
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    engine.run(name, picture, **extra)
    for number in range(3):
        picture = picture.copy()
        picture[0, number, 0] ^= 1
        start = time.perf_counter()
        result = engine.run(name, picture, **extra)
        best = min(best, time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": best, "peak": peak, "before": before, "device": result.device}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--one", help="measure this method in this process and print JSON")
    options = parser.parse_args()
    if options.one:
        name, _, crf = options.one.partition("+")
        print(json.dumps(measure(name, bool(crf))))
        return
    names = [name for name, m in methods().items() if not m.unavailable()]
    names += [f"{name}+crf" for name in names if "crf" in methods()[name].params.model_fields][-1:]
    print("| method | seconds | peak memory, MB | of it before the run | device |\n|---|---|---|---|---|")
    for name in names:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks", "--one", name], capture_output=True, text=True, check=True
        )
        row = json.loads(done.stdout.splitlines()[-1])
        print(
            f"| {name} | {row['seconds']:.2f} | {row['peak']:.0f} | {row['before']:.0f} | {row['device']} |", flush=True
        )


if __name__ == "__main__":
    main()
