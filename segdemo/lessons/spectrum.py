"""Spectral clustering from the inside: affinities, blocks, spectrum, the second eigenvector's cut, and recursion.

The graph, its eigenvectors and its cut value are those of the method ``ncut``; ``sweep`` and ``recursive_cuts`` add the
two-way cut of Shi & Malik, section 3, which splits an eigenvector where the cut value is least.

References:
    J. Shi, J. Malik, Normalized cuts and image segmentation, IEEE Trans. PAMI 22 (2000).
    U. von Luxburg, A tutorial on spectral clustering, Statistics and Computing 17 (2007), section 8.3: the eigengap.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from ..clustering.features import lab_colours
from ..clustering.ncut import NcutParams, leading_eigenvectors, ncut_value, normalized_cut, superpixel_graph
from ..clustering.slic import slic_superpixels
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
DEEPEST = 10


@dataclass(frozen=True)
class Sweep:
    """Every way to split the nodes by a threshold on one of their values.

    Attributes:
        order: (N,) the nodes by rising value.
        below: (T,) how many of them lie below each threshold: the first part.
        thresholds: (T,) rising, halfway between two different values.
        ncuts: (T,) the Ncut of each split.
    """

    order: np.ndarray
    below: np.ndarray
    thresholds: np.ndarray
    ncuts: np.ndarray

    @property
    def best(self) -> int:
        """The index of the least Ncut."""
        return int(self.ncuts.argmin())

    def split(self, index: int) -> np.ndarray:
        """(N,) bool, True above threshold ``index``."""
        above = np.ones(len(self.order), bool)
        above[self.order[: self.below[index]]] = False
        return above


@dataclass(frozen=True)
class Part:
    """A node of the tree of recursive two-way cuts.

    Attributes:
        nodes: (n,) the graph's nodes in it.
        ncut: of its best cut into two, taken within the part; None where it was not sought, for want of nodes.
        parts: the two that the cut gives, or none.
        pixels: how many pixels of the photo it covers.
    """

    nodes: np.ndarray
    pixels: int
    ncut: float | None
    parts: tuple[Part, ...] = ()

    def leaves(self, limit: float = np.inf) -> list[Part]:
        """The parts that remain when those are cut whose Ncut is at most ``limit``, from left to right."""
        if not self.parts or self.ncut > limit:
            return [self]
        return [leaf for part in self.parts for leaf in part.leaves(limit)]


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
        tree: recursive two-way cuts, as far as ``LARGEST_LIMIT`` admits.
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
        values: ``superpixels``, ``sigma_colour``, ``sigma_position``, ``radius`` of the method ``ncut``.

    Raises ``ParameterError`` when a value is out of its range, or the photo gives fewer than ``LEAST_NODES`` or more
    than ``MOST_NODES`` superpixels.
    """
    params = NcutParams.parse({"superpixels": 300, **values})
    run.step(0.0, "superpixels and their affinities")
    superpixels, affinity = photo_graph(image, params, run)
    nodes = affinity.shape[0]
    if not LEAST_NODES <= nodes <= MOST_NODES:
        raise ParameterError(
            f"the photo gives {nodes} superpixels, this lesson wants {LEAST_NODES} to {MOST_NODES}: "
            + ("take a larger photo" if nodes < LEAST_NODES else "lower their number")
        )
    run.step(0.3, f"eigenvectors of {nodes} superpixels")
    eigenvalues, eigenvectors = leading_eigenvectors(affinity, min(EIGENVALUES, nodes), np.random.default_rng(seed))
    segmented = {}
    for segments in range(2, min(MOST_SEGMENTS, nodes) + 1):
        run.step(0.4 + 0.04 * segments, f"{segments} segments")
        segmented[segments] = segment(affinity, segments, seed)
    run.step(0.9, "recursive cuts")
    tree = recursive_cuts(affinity, np.bincount(superpixels.ravel()), run=run)
    second = sweep(affinity, eigenvectors[:, 1])
    suggested = eigengap(eigenvalues[: MOST_SEGMENTS + 1])
    return Spectrum(
        image, superpixels, affinity, eigenvalues, eigenvectors, suggested, segmented, second, tree
    )  # fmt: skip


def photo_graph(image: np.ndarray, params: NcutParams, run: Run) -> tuple[np.ndarray, csr_matrix]:
    """Superpixels (h, w) int32, kept for the next question about the photo, and their affinities (N, N)."""
    lab = lab_colours(image)
    superpixels = run.cached(("superpixels", params.superpixels), lambda: slic_superpixels(lab, params.superpixels))
    return superpixels, superpixel_graph(lab, superpixels, params).affinity


def segment(affinity: csr_matrix, segments: int, seed: int) -> Segmented:
    """The cut into ``segments`` parts, numbered by falling number of nodes."""
    labels = normalized_cut(affinity, segments, np.random.default_rng(seed)).labels
    order = np.argsort(-np.bincount(labels, minlength=segments), kind="stable")
    labels = np.argsort(order)[labels]
    pairs = affinity.tocoo()
    outside = pairs.data[labels[pairs.row] != labels[pairs.col]].sum() / pairs.data.sum()
    return Segmented(labels, ncut_value(affinity, labels), float(outside))


def eigengap(eigenvalues: np.ndarray) -> int:
    """The K >= 2 with the largest gap between the K-th and the next of (m,) rising eigenvalues, m >= 3.

    For K groups without a link between them the first K eigenvalues are 0 and the next is not.
    """
    return int(np.diff(eigenvalues)[1:].argmax()) + 2


def sweep(affinity: csr_matrix, values: np.ndarray) -> Sweep:
    """The Ncut of every threshold on (N,) ``values``, N >= 2, in one pass over the sorted nodes.

    With the nodes in order, the first k have assoc(A, V), a running sum of degrees, and assoc(A, A), a running sum
    of rows up to the diagonal; cut = assoc(A, V) − assoc(A, A). Values that are all equal give the one split into halves.
    """
    order = np.argsort(values, kind="stable")
    ordered, weights = values[order], affinity[order][:, order].toarray()
    volume = weights.sum(1).cumsum()  # assoc(A_k, V)
    within = (2 * np.tril(weights, -1).sum(1) + weights.diagonal()).cumsum()  # assoc(A_k, A_k)
    cut = np.maximum(volume - within, 0)[:-1]
    ncuts = cut / volume[:-1] + cut / np.maximum(volume[-1] - volume[:-1], np.finfo(float).tiny)
    splits = np.flatnonzero(np.diff(ordered) > 0)
    if len(splits) == 0:
        splits = np.array([len(values) // 2 - 1])
    return Sweep(order, splits + 1, (ordered[splits] + ordered[splits + 1]) / 2, ncuts[splits])


def recursive_cuts(
    affinity: csr_matrix, pixels: np.ndarray, limit: float = LARGEST_LIMIT, run: Run | None = None
) -> Part:
    """The tree of two-way cuts: each part by the second eigenvector of its own graph, where its Ncut is least.

    A part stays whole when that Ncut is above ``limit`` (Shi & Malik 2000, section 3), when it has fewer than twice
    ``SMALLEST_PART`` nodes, or when it lies ``DEEPEST`` cuts deep. ``pixels`` (N,) are the nodes' sizes.
    """

    def grow(nodes: np.ndarray, depth: int) -> Part:
        size = int(pixels[nodes].sum())
        if len(nodes) < 2 * SMALLEST_PART:
            return Part(nodes, size, None)
        if run is not None:
            run.step(0.9, "recursive cuts")
        ncut, above = two_way_cut(affinity[nodes][:, nodes])
        if ncut > limit or depth == DEEPEST:
            return Part(nodes, size, ncut)
        halves = sorted((nodes[~above], nodes[above]), key=len, reverse=True)
        return Part(nodes, size, ncut, tuple(grow(half, depth + 1) for half in halves))

    return grow(np.arange(affinity.shape[0]), 0)


def two_way_cut(affinity: csr_matrix) -> tuple[float, np.ndarray]:
    """The least Ncut over all thresholds of the second eigenvector, and (N,) bool: the nodes above it."""
    _, vectors = leading_eigenvectors(affinity, 2, np.random.default_rng(0))
    found = sweep(affinity, vectors[:, 1])
    return float(found.ncuts[found.best]), found.split(found.best)
