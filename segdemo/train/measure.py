"""What a network costs at 512 x 512: multiply-adds, seconds, memory; each card carries the three.

``python -m segdemo.train measure`` measures every network that has weights and writes its card. Time and
memory are those of the forward pass in a process of its own, on the CPU unless ``--device`` says otherwise.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

from ..engine import Engine
from ..errors import SegdemoError
from ..networks import checkpoints
from ..networks.cost import multiply_adds
from ..networks.inference import build_network, predict

SIZE = 512
REPEATS = 9


def measure(name: str, device: str = "cpu") -> dict:
    """The ``cost`` entry of a card, measured in a fresh process; ``SegdemoError`` with its words if that fails."""
    command = [sys.executable, "-m", "segdemo.train.measure", name, device]
    place = {"SEGDEMO_WEIGHTS": str(checkpoints.FOLDER)}
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | place)
    if done.returncode:
        raise SegdemoError(f"{name} could not be measured: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def measure_here(name: str, device: str) -> dict:
    """The same in this process: median seconds of ``REPEATS`` passes, and by how much memory grew."""
    engine = Engine(device)
    network = engine.network(name)
    photo = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    before = current_mb(engine.device)
    settings = photo, SIZE, engine.device, engine.dtype(engine.device)
    predict(network, *settings)
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        predict(network, *settings)
        seconds.append(time.perf_counter() - start)
    return {
        "multiply_adds": multiply_adds(build_network(name), SIZE, SIZE),
        "seconds": round(float(np.median(seconds)), 4),
        "memory_mb": round(max(0.0, peak_mb(engine.device) - before), 1),
        "device": engine.describe_device(),
    }


PROCESS = Path("/proc/self")


def current_mb(device: torch.device) -> float:
    """Memory in use, in megabytes, from where ``peak_mb`` starts anew: the GPU's where there is one, else the process's (Linux)."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device) / 2**20
    (PROCESS / "clear_refs").write_text("5")  # forget the peak
    return _status("VmRSS")


def peak_mb(device: torch.device) -> float:
    """The most memory in use since ``current_mb``, in megabytes."""
    return torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else _status("VmHWM")


def _status(entry: str) -> float:
    line = next(line for line in (PROCESS / "status").read_text().splitlines() if line.startswith(entry))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    print(json.dumps(measure_here(sys.argv[1], sys.argv[2])))
