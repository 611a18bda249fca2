"""Generative against discriminative: an HMM and a linear-chain CRF label the same line of the photo.

Both learn from labels that a network gave, or a person by scribbles, and read the photo line by line, each line for
itself. The HMM models how the pixels of each label look; the CRF only what tells the labels apart, and may use
that neighbouring pixels are alike. All lines together make a picture to hold against the grid CRF's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import softmax

from ..crf.chain import HMM, LinearChainCRF, Runs, forward_backward, labelled_runs, viterbi
from ..crf.refine import RefinementParams, photo_crf
from ..errors import ParameterError
from ..lab import lab_colours, rgb_colours
from ..labels import VOC21, LabelSet
from ..method import Run
from .beliefs import network_probabilities

MOST_LABELS = 6
LEAST_SHARE = 0.005
TRAINING_LINES = 48
"""Lines that the models are fitted to, evenly spread over the photo."""


@dataclass
class ChainOnPhoto:
    """What one model makes of the photo, each of its h lines of w pixels for itself.

    Attributes:
        transition: (K, K) HMM: probabilities p(y_n | y_n-1); CRF: scores a(before, after).
        contrast: the CRF's price b of switching between equal neighbours, None for the HMM.
        marginals: (h, w, K) float32, p(y_n | X) of each pixel given its line.
        labels: (h, w) the Viterbi path of every line.
        log_z: (h,) HMM: log p(X) of each line; CRF: log Z(X).
        agreement: the part of the known labels that ``labels`` repeats.
    """

    title: str
    transition: np.ndarray
    contrast: float | None
    marginals: np.ndarray
    labels: np.ndarray
    log_z: np.ndarray
    agreement: float


@dataclass
class Scanline:
    """The lesson: K names and colours, the photo (h, w, 3), the labels that were learned from (h, w), and both models.

    In ``given`` -1 is unknown. ``grid`` (h, w) are the labels of the dense CRF, for which all lines are one photo;
    -1 = none of the K. ``looks`` (K, 3) uint8 RGB are the means of the HMM's Gaussians: how each label looks.
    """

    names: list[str]
    palette: np.ndarray
    image: np.ndarray
    given: np.ndarray
    grid: np.ndarray
    looks: np.ndarray
    models: tuple[ChainOnPhoto, ChainOnPhoto]


def main_labels(labels: np.ndarray, least: float = LEAST_SHARE, hint: str = "choose a photo with more"):
    """The largest labels, at most ``MOST_LABELS``, and (h, w) their numbers 0..K-1, -1 for all others.

    Each covers more than ``least`` of the photo. Raises ``ParameterError`` when there are fewer than two: then there
    is nothing to tell apart, and ``hint`` says what to do.
    """
    counts = np.bincount(labels[labels >= 0].ravel(), minlength=1)
    largest = [k for k in np.argsort(-counts, kind="stable")[:MOST_LABELS] if counts[k] > least * labels.size]
    if len(largest) < 2:
        found = "only one label" if largest else "no label"
        raise ParameterError(f"There is {found} on this photo, so nothing to tell apart: {hint}.")
    chosen = np.sort(largest)
    return chosen, renumbered(labels, chosen)


def renumbered(labels: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(h, w) the place of each label in ``chosen``, -1 for all others."""
    numbers = np.full(max(int(labels.max()), int(chosen.max())) + 1, -1)
    numbers[chosen] = np.arange(len(chosen))
    return np.where(labels >= 0, numbers[labels], -1)


def fit_models(features: np.ndarray, given: np.ndarray, labels: int) -> tuple[HMM, LinearChainCRF]:
    """Both models from the same lines: features (h, w, D), given (h, w) with -1 = unknown.

    From ``TRAINING_LINES`` of the lines on which anything is known, evenly spread.
    """
    known = np.flatnonzero((given >= 0).any(1))
    chosen = np.unique(np.linspace(0, max(len(known) - 1, 0), TRAINING_LINES).round().astype(int))
    lines = known[chosen] if len(known) else known
    runs: Runs = labelled_runs(features[lines], given[lines])
    return HMM.fit(runs, labels), LinearChainCRF.fit(runs, labels)


def read_photo_by_lines(model: HMM | LinearChainCRF, features: np.ndarray, given: np.ndarray) -> ChainOnPhoto:
    """Marginals, best path and log Z of every line."""
    potentials = model.potentials(features)
    labels, _ = viterbi(potentials)
    found = forward_backward(potentials)
    generative = isinstance(model, HMM)
    return ChainOnPhoto(
        title="Hidden Markov model" if generative else "Linear-chain CRF",
        transition=model.transition,
        contrast=None if generative else model.contrast,
        marginals=found.node.astype(np.float32),
        labels=labels,
        log_z=found.log_z,
        agreement=float((labels == given)[given >= 0].mean()),
    )


def scanline(image: np.ndarray, run: Run, network: str = "", seeds: LabelSet | None = None) -> Scanline:
    """The lesson on an (h, w, 3) uint8 photo.

    Args:
        network: the trained network whose labels both models learn from; empty: learn from ``run.scribbles``.
        seeds: names and colours of the scribbles 1..n, wanted when there is no network.

    Raises ``ParameterError`` when fewer than two labels are known.
    """
    features = lab_colours(image).astype(np.float64)
    if network:
        run.step(0.1, "the network's labels")
        p = network_probabilities(image, run, network)
        chosen, given = main_labels(p.argmax(0))
        names, palette = [VOC21.names[k] for k in chosen], VOC21.palette[chosen]
    else:
        given = np.asarray(run.scribbles if run.scribbles is not None else 0, int) * np.ones(image.shape[:2], int) - 1
        chosen, given = main_labels(given, least=0, hint="draw a stroke on each of two things in the Graph cut tab")
        names, palette = [seeds.names[k] for k in chosen], seeds.palette[chosen]
    run.step(0.4, "fitting the HMM and the CRF")
    fit = partial(fit_models, features, given, len(chosen))
    hmm, crf = run.cached(("chains", network), fit) if network else fit()
    if not network:  # the dense CRF's unary: how likely each colour is under the HMM's Gaussians
        p = softmax(hmm.log_emission(features), axis=-1).transpose(2, 0, 1).astype(np.float32)
    run.step(0.7, "reading the photo line by line")
    read = tuple(read_photo_by_lines(model, features, given) for model in (hmm, crf))
    params = RefinementParams()
    weights = params.crf_spatial_weight, params.crf_bilateral_weight
    refined = photo_crf(image, run, params).infer(p, params.crf_iterations, *weights).argmax(0).cpu().numpy()
    grid = renumbered(refined, chosen) if network else refined
    return Scanline(names, palette, image, given, grid, rgb_colours(hmm.means), read)
