"""Fit the dense CRF to networks' scores: ``python -m segdemo.train crf``.

Krahenbuhl & Koltun (NIPS 2011, section 4) learn the kernels' weights by gradients and their widths by search;
here all five values are found by coordinate search on training photos with masks, as DeepLab did (Chen et al.
2017, section 4.1). One set is fitted for all networks together: the objective is the mean over the networks of
mIoU and boundary F-score, so that neither is bought with the other.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from ..crf.dense import DenseCRF
from ..crf.refine import RefinementParams
from ..engine import Engine
from ..labels import VOC21
from ..method import Run
from ..metrics import boundary_f, confusion, mean_iou_seven
from .dataset import Photo, list_names, read_photo

STEPS = (1.6, 1.25, 1.12)
"""Each round tries every value times and divided by one of these: first far, then near."""

NAMES = ("spatial_weight", "spatial_sigma", "bilateral_weight", "bilateral_sigma_xy", "bilateral_sigma_rgb")


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m segdemo.train crf", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with voc/")
    parser.add_argument("--networks", default="fcn-16s,deeplab-v2,deeplab-v3plus", help="names, with commas")
    parser.add_argument("--photos", type=int, default=60, help="so many training photos")
    parser.add_argument("--long-side", type=int, default=500, help="size at which to fit; widths are in these pixels")
    parser.add_argument("--iterations", type=int, default=5, help="mean-field iterations")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, help="write the fitted values and every trial here")
    return parser.parse_args(arguments)


def enlarge(photo: Photo, long_side: int) -> Photo:
    """The photo and its mask at another size: as large as those that the CRF will be used on."""
    zoom = long_side / max(photo.mask.shape)
    size = round(photo.mask.shape[1] * zoom), round(photo.mask.shape[0] * zoom)
    image = cv2.resize(photo.image, size, interpolation=cv2.INTER_CUBIC)
    return Photo(photo.name, image, cv2.resize(photo.mask, size, interpolation=cv2.INTER_NEAREST), photo.trusted)


class Objective:
    """Mean over networks of (mIoU-7 + boundary F) / 2 on some photos, as a function of the CRF's five values.

    Args:
        scores: for each network its probabilities (21, h, w) for each of ``photos``.
    """

    def __init__(self, photos: list[Photo], scores: dict[str, list[np.ndarray]], iterations: int, run: Run):
        self.photos, self.scores, self.iterations, self.run = photos, scores, iterations, run
        self.trials: list[dict] = []

    def labels(self, number: int, values: tuple[float, ...] | None) -> dict[str, np.ndarray]:
        """Labels (h, w) of every network on photo ``number`` after a CRF with ``values``, or without one."""
        if values is None:
            return {name: scores[number].argmax(0) for name, scores in self.scores.items()}
        spatial_weight, spatial_sigma, bilateral_weight, *sigmas = values
        crf = DenseCRF(self.photos[number].image, spatial_sigma, *sigmas, self.run.device)
        weights = self.iterations, spatial_weight, bilateral_weight
        return {name: crf.infer(s[number], *weights).argmax(0).cpu().numpy() for name, s in self.scores.items()}

    def measure(self, values: tuple[float, ...] | None) -> dict[str, tuple[float, float]]:
        """(mIoU-7, boundary F) of each network."""
        totals = {name: np.zeros((len(VOC21), len(VOC21)), np.int64) for name in self.scores}
        outlines: dict[str, list[float]] = {name: [] for name in self.scores}
        for number, photo in enumerate(self.photos):
            for name, found in self.labels(number, values).items():
                totals[name] += confusion(found, photo.mask, len(VOC21))
                outlines[name].append(boundary_f(found, photo.mask))
        return {name: (float(mean_iou_seven(totals[name])), float(np.nanmean(outlines[name]))) for name in totals}

    def __call__(self, values: tuple[float, ...] | None) -> float:
        measured = self.measure(values)
        score = float(np.mean(list(measured.values())))
        self.trials.append({"values": values, "score": round(score, 5), "networks": measured})
        shown = "without CRF" if values is None else ", ".join(f"{v:.3g}" for v in values)
        print(f"{score:.4f}  {shown}", flush=True)
        return score


def coordinate_search(
    objective: Callable[[tuple[float, ...]], float], start: tuple[float, ...]
) -> tuple[tuple[float, ...], float]:
    """The best point found by trying each coordinate times and divided by each of ``STEPS``, and its value.

    A coordinate that has improved goes on in the same direction while that helps.
    """
    best, highest = start, objective(start)
    for step in STEPS:
        for axis in range(len(start)):
            for factor in (step, 1 / step):
                improved = False
                while True:
                    trial = tuple(v * factor if i == axis else v for i, v in enumerate(best))
                    value = objective(trial)
                    if value <= highest + 1e-5:
                        break
                    best, highest, improved = trial, value, True
                if improved:
                    break
    return best, highest


def fit(options: argparse.Namespace) -> dict:
    """Search from the present defaults; returns the values found and the scores with and without."""
    engine = Engine(options.device)
    names = list_names(options.data / "voc", "train")
    chosen = np.random.default_rng(options.seed).choice(len(names), min(options.photos, len(names)), replace=False)
    photos = [enlarge(read_photo(options.data / "voc", names[i]), options.long_side) for i in sorted(chosen)]
    scores = {}
    for network in options.networks.split(","):
        runs = (engine.run(network, photo.image, keep_frames=False, working_size=options.long_side) for photo in photos)
        scores[network] = [result.working_scores.astype(np.float32) for result in runs]
    objective = Objective(photos, scores, options.iterations, Run(device=engine.device))
    objective(None)
    defaults = RefinementParams()
    best, _ = coordinate_search(objective, tuple(getattr(defaults, f"crf_{name}") for name in NAMES))
    found = {name: float(f"{value:.3g}") for name, value in zip(NAMES, best, strict=True)}
    return {
        "found": found,
        "networks": objective.measure(best),
        "without": objective.measure(None),
        "trials": objective.trials,
    }


def main(arguments: list[str]) -> None:
    options = parse(arguments)
    outcome = fit(options)
    for name, value in outcome["found"].items():
        print(f"{name} {value}")
    for name, (miou, outline) in outcome["networks"].items():
        before = outcome["without"][name]
        print(f"{name}: mIoU-7 {before[0]:.4f} -> {miou:.4f}, boundary F {before[1]:.4f} -> {outline:.4f}")
    if options.json:
        options.json.write_text(json.dumps(outcome, indent=1) + "\n")
