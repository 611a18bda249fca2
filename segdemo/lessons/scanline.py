"""Generative against discriminative: an HMM and a linear-chain CRF label the same line of the photo.

Both learn from labels that a network gave (or a person: -1 = unknown), and read the photo line by line, each line for
itself. The HMM models how the pixels of each label look; the CRF only what tells the labels apart, and may use
that neighbouring pixels are alike. All lines together make a picture to hold against the grid CRF's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..clustering.features import lab_colours
from ..crf.chain import HMM, LinearChainCRF, Runs, forward_backward, labelled_runs, viterbi
from ..crf.dense import DenseCRF
from ..crf.refine import RefinementParams
from ..errors import ParameterError
from ..labels import VOC21
from ..method import Run
from ..networks.checkpoints import read_card
from ..networks.inference import predict

MOST_LABELS = 6
LEAST_SHARE = 0.005
TRAINING_LINES = 48
"""Lines that the models are fitted to, evenly spread over the photo."""


@dataclass
class ChainOnPhoto:
    """What one model makes of the photo and of the chosen line, T pixels long.

    Attributes:
        transition: (K, K) HMM: probabilities; CRF: scores a(before, after).
        contrast: the CRF's price b of switching between equal neighbours, None for the HMM.
        marginals: (T, K) p(y_n | X) of each pixel of the line.
        path: (T,) the Viterbi path.
        log_z: HMM: log p(X) of the line; CRF: log Z(X).
        labels: (h, w) Viterbi paths of all lines.
        agreement: the part of the known labels that ``labels`` repeats.
    """

    title: str
    transition: np.ndarray
    contrast: float | None
    marginals: np.ndarray
    path: np.ndarray
    log_z: float
    labels: np.ndarray
    agreement: float


@dataclass
class Scanline:
    """The lesson: K names and colours, the photo (h, w, 3), the given labels (h, w), the line, and both models.

    ``grid`` (h, w) are the labels of the dense CRF, for which all lines are one photo; -1 = none of the K.
    """

    names: list[str]
    palette: np.ndarray
    image: np.ndarray
    given: np.ndarray
    grid: np.ndarray
    row: int
    models: tuple[ChainOnPhoto, ChainOnPhoto]


def network_labels(image: np.ndarray, run: Run, network: str) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) labels of VOC-21 by a trained network, and by the dense CRF after it."""
    settings = read_card(network)["input_size"], run.device, run.dtype
    scores = predict(run.network(network), image, *settings)
    sigmas = [RefinementParams.model_fields[f"crf_{name}"].default for name in ("spatial_sigma", "bilateral_sigma_xy", "bilateral_sigma_rgb")]  # fmt: skip
    return scores.argmax(0), DenseCRF(image, *sigmas).infer(scores).argmax(0).numpy()


def main_labels(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest labels, at most ``MOST_LABELS``, and (h, w) their numbers 0..K-1, -1 for all others.

    Raises ``ParameterError`` when there are fewer than two: then there is nothing to tell apart.
    """
    counts = np.bincount(labels[labels >= 0].ravel(), minlength=1)
    largest = [k for k in np.argsort(-counts, kind="stable")[:MOST_LABELS] if counts[k] > LEAST_SHARE * labels.size]
    if len(largest) < 2:
        raise ParameterError(
            "There is only one label on this photo, so nothing to tell apart: choose a photo with more."
        )
    chosen = np.sort(largest)
    numbers = np.full(max(int(labels.max()) + 1, 1), -1)
    numbers[chosen] = np.arange(len(chosen))
    return chosen, np.where(labels >= 0, numbers[labels], -1)


def fit_models(features: np.ndarray, given: np.ndarray, labels: int) -> tuple[HMM, LinearChainCRF]:
    """Both models from the same lines: features (h, w, D), given (h, w) with -1 = unknown."""
    lines = np.unique(np.linspace(0, len(features) - 1, TRAINING_LINES).round().astype(int))
    runs: Runs = labelled_runs(features[lines], given[lines])
    return HMM.fit(runs, labels), LinearChainCRF.fit(runs, labels)


def read_photo_by_lines(model: HMM | LinearChainCRF, features: np.ndarray, given: np.ndarray, row: int) -> ChainOnPhoto:
    """Every line's Viterbi path, and all there is to see of line ``row``."""
    potentials = model.potentials(features)
    labels, _ = viterbi(potentials)
    line = forward_backward(model.potentials(features[row : row + 1]))
    generative = isinstance(model, HMM)
    return ChainOnPhoto(
        title="Hidden Markov model" if generative else "Linear-chain CRF",
        transition=model.transition,
        contrast=None if generative else model.contrast,
        marginals=line.node[0],
        path=labels[row],
        log_z=float(line.log_z[0]),
        labels=labels,
        agreement=float((labels == given)[given >= 0].mean()),
    )


def scanline(image: np.ndarray, run: Run, network: str, height: float) -> Scanline:
    """The lesson on an (h, w, 3) uint8 photo, at the line ``height`` (0 = top, 1 = bottom), with a network's labels."""
    run.step(0.1, "the network's labels")
    labels, refined = run.cached(("labels", network), lambda: network_labels(image, run, network))
    chosen, given = main_labels(labels)
    numbers = {int(k): number for number, k in enumerate(chosen)}
    grid = np.vectorize(lambda k: numbers.get(k, -1), otypes=[int])(refined)
    features = lab_colours(image).astype(np.float64)
    run.step(0.4, "fitting the HMM and the CRF")
    models = run.cached(("chains", network), lambda: fit_models(features, given, len(chosen)))
    row = round(min(max(height, 0.0), 1.0) * (len(image) - 1))
    run.step(0.8, "reading the photo line by line")
    read = [read_photo_by_lines(model, features, given, row) for model in models]
    names = [VOC21.names[k] for k in chosen]
    return Scanline(names, VOC21.palette[chosen], image, given, grid, row, tuple(read))
