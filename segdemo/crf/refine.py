"""Refining a network's result with the dense CRF, as DeepLab did, one replay frame per iteration.

L.-C. Chen et al., "Semantic image segmentation with deep convolutional nets and fully
connected CRFs", ICLR 2015: the network knows what is where, the CRF where exactly it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import cv2
import numpy as np
import torch
from pydantic import Field

from ..errors import ParameterError
from ..likeliest import likeliest
from ..method import Params, Run
from ..segmentation import Picture, Segmentation, heatmap
from .dense import DenseCRF

BEGUN = 0.4
"""The part of a run's progress that lies before the CRF: the network's."""

MAP_SIZE = 384
"""Belief maps in the replay are reduced to this long side, in pixels."""

SCORE_RANGE = 8.0
"""Score maps in the replay show log-odds from minus to plus this, about a thirtieth of a per cent to all but that."""


ALL_GONE = "The CRF gave all that the network had found to one label, {}: lower the weights of its kernels, or segment without."


class RefinementParams(Params):
    """The dense CRF's switches; every network method has them.

    The defaults were fitted by ``python -m segdemo.train crf --photos 64 --networks fcn-16s,unet,deeplab-v3plus``:
    the highest mean of mIoU-7 and boundary F of the three networks on 64 training photos at 500 pixels.
    """

    crf: bool = Field(False, description="refine with a dense CRF")
    crf_iterations: int = Field(5, ge=1, le=20, description="mean-field iterations")
    crf_spatial_weight: float = Field(1.17, ge=0, le=50, description="strength of the smoothness kernel")
    crf_spatial_sigma: float = Field(2.4, ge=0.5, le=50, description="width of the smoothness kernel, in pixels")
    crf_bilateral_weight: float = Field(5.0, ge=0, le=50, description="strength of the appearance kernel")
    crf_bilateral_sigma_xy: float = Field(
        50.0, ge=1, le=500, description="width of the appearance kernel in space, in pixels"
    )
    crf_bilateral_sigma_rgb: float = Field(
        8.0, ge=1, le=255, description="width of the appearance kernel in colour, in grey levels"
    )


def refine(image: np.ndarray, segmentation: Segmentation, params: RefinementParams, run: Run) -> Segmentation:
    """The segmentation after mean field in a dense CRF with its scores as unary terms.

    Each iteration is a frame of the replay: labels, belief maps of the largest labels, and
    as energy the variational free energy, which mean field minimizes.

    Args:
        image: (h, w, 3) uint8 at working size.
        segmentation: with ``working_scores`` (K, h, w); it is not changed.

    Raises:
        ParameterError: a segmentation without scores, or with scores of another size.
        Cancelled: the visitor stopped the run.
    """
    before = segmentation.working_scores
    if before is None:
        raise ParameterError("The CRF refines probabilities, and this method gives none: choose a network.")
    run.step(BEGUN, "CRF: building the lattices")
    with run.time("CRF lattices"):
        crf = photo_crf(image, run, params)
    start, first = likeliest(before)[0], run.frames[-1].step + 1 if run.frames else 0
    aligned = len(run.frames) == len(run.energy)  # else earlier frames have no energy, and these must not either
    for iteration, (beliefs, energy) in enumerate(_iterations(crf, before, params, run)):
        if run.keep_frames or iteration == params.crf_iterations:
            after = beliefs()
            labels = likeliest(after)[0]
        if run.keep_frames:
            changed = 100 * float((labels != start).mean())
            caption = (
                f"mean field {iteration}: {changed:.1f} % of labels changed" if iteration else "the network's labels"
            )
            maps = _belief_maps(after, labels, segmentation.names)
            run.frame(caption, labels, maps=maps, energy=energy() if aligned else None, step=first + iteration)
        done = BEGUN + (1 - BEGUN) * iteration / params.crf_iterations
        run.step(done, f"CRF: mean field {iteration} of {params.crf_iterations}")
    changed = round(100 * float((labels != start).mean()), 2)
    return replace(
        segmentation,
        labels=labels.astype(segmentation.labels.dtype),
        working_scores=after,
        energy_name="variational free energy of the CRF (nats per pixel)",
        step_names=("iteration", "iterations"),
        pictures=segmentation.pictures + _before_and_after(before, after, start, segmentation.names),
        facts=segmentation.facts | {"pixels changed by the CRF": f"{changed} %"},
        notices=segmentation.notices
        + [ALL_GONE.format(segmentation.names[0])] * bool(start.any() and not labels.any()),
    )


def photo_crf(image: np.ndarray, run: Run, params: RefinementParams) -> DenseCRF:
    """The dense CRF of an (h, w, 3) uint8 photo with the widths of ``params``; kept for the next run on it."""
    sigmas = params.crf_spatial_sigma, params.crf_bilateral_sigma_xy, params.crf_bilateral_sigma_rgb
    device = run.device if run.device.type == "cuda" else torch.device("cpu")  # compiled loops beat other devices
    return run.cached(("crf", sigmas, str(device)), lambda: DenseCRF(image, *sigmas, device))


def _iterations(
    crf: DenseCRF, scores: np.ndarray, params: RefinementParams, run: Run
) -> Iterator[tuple[Callable[[], np.ndarray], Callable[[], float]]]:
    """Yields functions that give the beliefs (K, h, w) and their free energy, before the first and after each iteration."""
    weights = params.crf_spatial_weight, params.crf_bilateral_weight
    states = crf.descend(scores, params.crf_iterations, *weights)

    def timed(stage: str, function: Callable):
        with run.time(stage):
            return function()

    while state := timed("CRF mean field", lambda: next(states, None)):
        beliefs, energy = state
        yield (
            lambda beliefs=beliefs: timed("CRF mean field", lambda: beliefs().cpu().numpy()),
            lambda energy=energy: timed("CRF free energy", energy),
        )


def _belief_maps(beliefs: np.ndarray, labels: np.ndarray, names: list[str], most: int = 4) -> dict[str, np.ndarray]:
    """Belief and score of the largest labels with more than 0.5 % of the pixels, reduced to ``MAP_SIZE``.

    The two rows of fig. 5 in DeepLab (Chen et al. 2017): the belief is the softmax's output, the score its input,
    here as log-odds ln q / (1 - q), from -``SCORE_RANGE`` (0) to ``SCORE_RANGE`` (1).
    """
    shares = np.bincount(labels.ravel(), minlength=len(names)) / labels.size
    largest = [int(label) for label in np.argsort(-shares, kind="stable")[:most] if shares[label] > 0.005]
    height, width = labels.shape
    factor = min(1.0, MAP_SIZE / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    maps = {}
    for label in largest:
        q = cv2.resize(beliefs[label], size, interpolation=cv2.INTER_AREA)
        odds = np.log(np.maximum(q, 1e-9) / np.maximum(1 - q, 1e-9))
        maps[f"{names[label]}: belief"] = q
        maps[f"{names[label]}: score"] = np.clip(0.5 + 0.5 * odds / SCORE_RANGE, 0, 1)
    return maps


def _before_and_after(before: np.ndarray, after: np.ndarray, labels: np.ndarray, names: list[str]) -> list[Picture]:
    """Belief maps of the largest label but the first (the background in most label sets), if it occurs."""
    counts = np.bincount(labels.ravel(), minlength=len(names))
    label = int(counts[1:].argmax()) + 1 if counts[1:].any() else 0
    note = f"Belief in '{names[label]}' at each pixel, from 0 (dark) to 1 (bright)"
    return [
        Picture(f"{names[label]}: the network's belief", heatmap(before[label], 0, 1), f"{note}, before the CRF."),
        Picture(f"{names[label]}: belief after the CRF", heatmap(after[label], 0, 1), f"{note}: aligned with edges."),
    ]
