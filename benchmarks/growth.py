"""How time and memory of the clustering methods grow with the photo: ``python -m benchmarks.growth --out FILE.png``.

A photo is enlarged to 0.25, 0.5, 1, 2, 4, 8 and 16 megapixels, with a little noise so that its pixels stay different,
and each method works on all of them, without its replay. Each number comes from a process of its own that has
compiled and run the method on a small photo before: the seconds of one run, and the peak memory that it added (as
Linux counts it). The last column is the exponent p of seconds ~ pixels^p over the whole range: 1 is linear. The plot
needs matplotlib (``pip install matplotlib``); without ``--out`` the table alone is printed.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import skimage.data

from segdemo.method import Run, get_method

MEGAPIXELS = (0.25, 0.5, 1, 2, 4, 8, 16)
METHODS = {
    "kmeans": {"clusters": 6},
    "kmeans, position": {"clusters": 6, "position_weight": 0.5},
    "slic": {"superpixels": 400},
    "felzenszwalb": {},
    "ncut": {"segments": 6},
}


def photo(megapixels: float) -> np.ndarray:
    side = round((megapixels * 2**20) ** 0.5)
    large = cv2.resize(skimage.data.astronaut(), (side, side), interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(0).integers(-4, 5, large.shape, dtype=np.int8)
    return np.clip(large.astype(np.int16) + noise, 0, 255).astype(np.uint8)


def memory(reset: bool = False) -> float:
    """Largest resident memory of this process in megabytes so far, or since the last ``reset`` (Linux)."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measure(name: str, path: str) -> dict[str, float]:
    """Seconds and added peak memory, in megabytes, of one run in this process on the photo in a NumPy file."""
    entry = get_method(name.partition(",")[0])
    params = entry.params.parse(METHODS[name])
    entry.function(photo(0.05), params, Run(keep_frames=False))
    image = np.load(path)
    before = memory(reset=True)
    start = time.perf_counter()
    entry.function(image, params, Run(keep_frames=False))
    return {"seconds": time.perf_counter() - start, "megabytes": memory() - before}


def measured_apart(name: str, megapixels: float) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/photo.npy"
        np.save(path, photo(megapixels))
        command = [sys.executable, "-m", "benchmarks.growth", "--one", name, path]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def draw(rows: dict[str, list[dict[str, float]]], sizes: list[float], path: Path) -> None:
    """Both quantities over the size, on logarithmic axes, with a line of linear growth."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    for axis, quantity in zip(axes, ("seconds", "megabytes"), strict=True):
        for name, row in rows.items():
            axis.loglog(sizes, [cell[quantity] for cell in row], marker="o", label=name, base=2)
        first = max(row[0][quantity] for row in rows.values())
        axis.loglog(sizes, [first * size / sizes[0] for size in sizes], ":", color="grey", label="linear", base=2)
        axis.set(xlabel="megapixels", ylabel=quantity, xticks=sizes, xticklabels=[f"{size:g}" for size in sizes])
        axis.grid(alpha=0.3)
    axes[0].legend(frameon=False)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, help="write the plot to this PNG")
    parser.add_argument("--most", type=float, default=16, help="largest photo in megapixels")
    parser.add_argument("--one", nargs=2, metavar=("METHOD", "PHOTO"), help="measure once here and print JSON")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(*options.one)))
        return
    if options.out and importlib.util.find_spec("matplotlib") is None:
        parser.error("--out draws with Matplotlib: install it (pip install matplotlib), or leave --out away")
    sizes = [size for size in MEGAPIXELS if size <= options.most]
    print(f"| seconds, megabytes | {' | '.join(f'{size:g} MP' for size in sizes)} | p |\n|{'---|' * (len(sizes) + 2)}")
    rows = {}
    for name in METHODS:
        rows[name] = row = [measured_apart(name, size) for size in sizes]
        cells = [f"{cell['seconds']:.2f}, {cell['megabytes']:.0f}" for cell in row]
        exponent = np.polyfit(np.log(sizes), np.log([cell["seconds"] for cell in row]), 1)[0]
        print(f"| {name} | {' | '.join(cells)} | {exponent:.2f} |", flush=True)
    if options.out:
        draw(rows, sizes, options.out)


if __name__ == "__main__":
    main()
