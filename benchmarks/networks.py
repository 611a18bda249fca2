"""The networks beside their peers on the CPU: ``python -m benchmarks.networks``.

Each pair gets the same 512 x 512 picture in one process, in turns; a time is the best of seven passes after two to
warm up. "as used" is the time for the same photo as the app shows it to our network, at the long side on its card. Peers are torchvision's and transformers' own modules with random weights, which take as long as trained
ones. "target" is the ratio to reach. Below: how long each network takes to load, from its file to ready.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import nn

from segdemo import Engine
from segdemo.networks.checkpoints import read_card, unavailable
from segdemo.networks.inference import architectures
from segdemo.networks.official import torchvision_network

SIZE, REPEATS, WARM_UP = 512, 7, 2


def transformers_segformer() -> nn.Module:
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    return SegformerForSemanticSegmentation(SegformerConfig(num_labels=21))


PAIRS = [
    ("deeplab-v3plus", "torchvision deeplabv3_mobilenet_v3_large", lambda: torchvision_network("deeplabv3_mobilenet_v3_large"), 0.5),
    ("fcn-8s", "torchvision fcn_resnet50", lambda: torchvision_network("fcn_resnet50"), 0.1),
    ("segformer-b0", "transformers SegFormer-B0", transformers_segformer, 1.0),
]  # fmt: skip


def best_times(*networks: Callable[[torch.Tensor], object]) -> list[float]:
    """Best seconds of each, all in turns on the same input."""
    x = torch.randn(1, 3, SIZE, SIZE).contiguous(memory_format=torch.channels_last)
    best = [float("inf")] * len(networks)
    with torch.inference_mode():
        for turn in range(WARM_UP + REPEATS):
            for i, network in enumerate(networks):
                start = time.perf_counter()
                network(x)
                if turn >= WARM_UP:
                    best[i] = min(best[i], time.perf_counter() - start)
    return best


def main() -> None:
    engine = Engine("cpu")
    print("| network | seconds | peer | seconds | ratio | as used | target |\n|---|---|---|---|---|---|---|")
    for name, title, build, target in PAIRS:
        torch.manual_seed(0)
        network, side = engine.network(name), read_card(name)["input_size"]
        as_used = lambda x, network=network, side=side: network(x[..., :side, :side])  # noqa: E731
        ours, theirs, used = best_times(network, build().eval(), as_used)
        print(
            f"| {name} | {ours:.3f} | {title} | {theirs:.3f} | {ours / theirs:.2f} | {used / theirs:.2f} | {target} |",
            flush=True,
        )
    print("\n| network | seconds to load |\n|---|---|")
    for name, architecture in architectures().items():
        if unavailable(name):
            continue
        fresh = Engine("cpu")
        start = time.perf_counter()
        fresh.network(name)
        print(f"| {architecture.title} | {time.perf_counter() - start:.2f} |", flush=True)


if __name__ == "__main__":
    main()
