"""SLIC from the inside: the seeds, each round's search and where the centres went, and the connected superpixels.

The rounds are those of the method ``slic``, its adaptive version included; the centres, which it does not report,
follow from its labels.

Reference:
    R. Achanta, A. Shaji, K. Smith, A. Lucchi, P. Fua, S. Süsstrunk, SLIC superpixels compared
    to state-of-the-art superpixel methods, IEEE Trans. PAMI 34 (2012), algorithm 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..clustering.connectivity import enforce_connectivity
from ..clustering.features import region_means
from ..clustering.slic import SMALLEST, SlicParams, seed_grid, slic_iterations
from ..lab import lab_colours
from ..method import Run


@dataclass(frozen=True)
class SlicRound:
    """One round: every pixel is assigned, then every centre moves to the mean of its pixels.

    Attributes:
        labels: (h, w) int32, the centre of each pixel.
        searched: (K, 2) float64, row and column of the centres whose windows were searched.
        centres: (K, 2) float64, where they went.
        objective: the mean squared distance D² per pixel.
        movement: mean way of the centres in pixels.
        compactness: (K,) float32, the m_c of the adaptive version (SLICO) in this round: the m given in the first, then
            the largest colour distance seen in the cluster, at least 1; None where all have the same m.
    """

    labels: np.ndarray
    searched: np.ndarray
    centres: np.ndarray
    objective: float
    movement: float
    compactness: np.ndarray | None = None


@dataclass(frozen=True)
class SlicSteps:
    """What the lesson shows.

    Attributes:
        image: (h, w, 3) uint8, the photo at working size.
        spacing: S in pixels; a centre's window reaches S to every side.
        cells: (h, w) int32, the cells of the seeds' grid, the labels before the first round.
        seeds: (K, 2) float64, row and column of the seeds.
        rounds: in their order.
        superpixels: (h, w) int32, the last labels with connectivity enforced.
    """

    image: np.ndarray
    spacing: float
    cells: np.ndarray
    seeds: np.ndarray
    rounds: list[SlicRound]
    superpixels: np.ndarray


def slic_steps(image: np.ndarray, run: Run, **values: float) -> SlicSteps:
    """SLIC's rounds on an (h, w, 3) uint8 photo; ``values`` are parameters of the method ``slic``.

    Raises ``ParameterError`` when one of them is out of its range.
    """
    params = SlicParams.parse(values)
    lab = run.cached("lab", lambda: lab_colours(image))
    seeds, cells, spacing = seed_grid(lab, params.superpixels)
    positions = np.indices(cells.shape).transpose(1, 2, 0).astype(np.float64)
    searched, rounds = seeds[:, 3:], []
    settings = params.superpixels, params.compactness, params.iterations, params.adaptive
    for step in slic_iterations(lab, *settings):
        centres = region_means(positions, step.labels, len(seeds))
        filled = np.bincount(step.labels.ravel(), minlength=len(seeds)) > 0
        centres[~filled] = searched[~filled]  # a centre without pixels stays
        rounds.append(SlicRound(step.labels, searched, centres, step.objective, step.movement, step.compactness))
        searched = centres
        run.step(len(rounds) / params.iterations, f"round {len(rounds)}")
    smallest = SMALLEST * cells.size / min(params.superpixels, cells.size)
    superpixels = enforce_connectivity(rounds[-1].labels, smallest)
    return SlicSteps(image, spacing, cells, seeds[:, 3:], rounds, superpixels)
