"""Spectral clustering from the inside: affinities, blocks, spectrum, the second eigenvector's cut, and recursion.

The graph, its eigenvectors, its cuts and the recursion are those of the method ``ncut``, but the eigengap is sought up to
``MOST_SEGMENTS``, fewer than there.

References:
    J. Shi, J. Malik, Normalized cuts and image segmentation, IEEE Trans. PAMI 22 (2000).
    U. von Luxburg, A tutorial on spectral clustering, Statistics and Computing 17 (2007), section 8.3: the eigengap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from ..clustering.bisection import Part, Sweep, recursive_cuts, sweep
from ..clustering.ncut import NcutParams, build_graph
from ..clustering.spectral import eigengap, leading_eigenvectors, ncut_value, normalized_cut
from ..errors import ParameterError
from ..method import Run

EIGENVALUES = 20
MOST_SEGMENTS = 12
MOST_NODES = 600
LEAST_NODES = 4
SMALLEST_PART = 3
"""Nodes: a part of fewer than twice as many is not cut again."""
LARGEST_LIMIT = 0.5
"""Parts whose best cut has a larger Ncut are not cut again, whatever limit is asked for."""
MOST_PARTS = 64


@dataclass(frozen=True)
class Segmented:
    """The K-way cut: ``labels`` (N,) 0..K-1, its ``ncut``, and the ``outside`` part of all affinity, in [0, 1]."""

    labels: np.ndarray
    ncut: float
    outside: float


@dataclass(frozen=True)
class Spectrum:
    """What the lesson shows of the N superpixels of a photo.

    Attributes:
        image: (h, w, 3) uint8, the photo at working size.
        superpixels: (h, w) int32, the node of each pixel.
        affinity: (N, N) sparse W, W_ii = 1.
        eigenvalues: (m,) rising, of L f = λ D f, m = ``EIGENVALUES`` or N.
        eigenvectors: (N, m), fᵀDf = 1.
        suggested: K at the eigengap.
        segmented: the cuts into K = 2, 3, ... segments, by K.
        sweep: all thresholds of the second eigenvector.
        tree: recursive two-way cuts, as far as ``LARGEST_LIMIT`` and ``MOST_PARTS`` admit.
    """

    image: np.ndarray
    superpixels: np.ndarray
    affinity: csr_matrix
    eigenvalues: np.ndarray
    eigenvectors: np.ndarray
    suggested: int
    segmented: dict[int, Segmented]
    sweep: Sweep
    tree: Part


def spectrum(image: np.ndarray, run: Run, seed: int = 0, **values: float) -> Spectrum:
    """Everything spectral clustering computes for the superpixels of an (h, w, 3) uint8 photo.

    Args:
        seed: for the starts of the rounding, as in the method ``ncut``.
        values: ``superpixels``, ``sigma_colour``, ``sigma_position``, ``radius``, ``contour`` of the method ``ncut``.

    Raises ``ParameterError`` when a value is out of its range, or the photo gives fewer than ``LEAST_NODES`` or more
    than ``MOST_NODES`` superpixels.
    """
    params = NcutParams.parse({"superpixels": 300, **values})
    run.step(0.0, "superpixels and their affinities")
    graph, _ = build_graph(image, params, run)
    superpixels, affinity = graph.node_of_pixel, graph.affinity
    nodes = affinity.shape[0]
    if not LEAST_NODES <= nodes <= MOST_NODES:
        raise ParameterError(
            f"the photo gives {nodes} superpixels, this lesson wants {LEAST_NODES} to {MOST_NODES}: "
            + ("take a larger photo" if nodes < LEAST_NODES else "lower their number")
        )
    run.step(0.3, f"eigenvectors of {nodes} superpixels")
    rng = np.random.default_rng(seed)
    eigenvalues, eigenvectors = leading_eigenvectors(affinity, min(EIGENVALUES, nodes), rng, run.check)
    segmented = {}
    for segments in range(2, min(MOST_SEGMENTS, nodes) + 1):
        run.step(0.4 + 0.04 * segments, f"{segments} segments")
        segmented[segments] = segment(affinity, segments, seed)
    run.step(0.9, "recursive cuts")
    tree = recursive_cuts(
        affinity,
        LARGEST_LIMIT,
        MOST_PARTS,
        SMALLEST_PART,
        on_cut=lambda parts: run.step(0.9, f"recursive cuts: {parts}"),
        on_product=run.check,
    )
    second = sweep(affinity, eigenvectors[:, 1])
    suggested = eigengap(eigenvalues[: MOST_SEGMENTS + 1])
    return Spectrum(
        image, superpixels, affinity, eigenvalues, eigenvectors, suggested, segmented, second, tree
    )  # fmt: skip


def segment(affinity: csr_matrix, segments: int, seed: int) -> Segmented:
    """The cut into ``segments`` parts, numbered by falling number of nodes."""
    labels = normalized_cut(affinity, segments, np.random.default_rng(seed)).labels
    order = np.argsort(-np.bincount(labels, minlength=segments), kind="stable")
    labels = np.argsort(order)[labels]
    pairs = affinity.tocoo()
    outside = pairs.data[labels[pairs.row] != labels[pairs.col]].sum() / pairs.data.sum()
    return Segmented(labels, ncut_value(affinity, labels), float(outside))
