"""Recursive two-way normalized cuts: the second eigenvector splits a part where its Ncut is least, again and again.

Reference:
    J. Shi, J. Malik, Normalized cuts and image segmentation, IEEE Trans. PAMI 22 (2000), section 3.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from .spectral import leading_eigenvectors


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


@dataclass(eq=False)
class Part:
    """A node of the tree of recursive two-way cuts.

    Attributes:
        nodes: (n,) the graph's nodes in it.
        ncut: of its best cut into two, taken within the part; None where it was not sought, for want of nodes.
        above: (n,) bool, the side of that cut that each node falls on.
        number: 1 for the part that was cut first, 2 for the next, ...; 0 where it stayed whole.
        parts: the two that the cut gives, or none.
    """

    nodes: np.ndarray
    ncut: float | None = None
    above: np.ndarray | None = None
    number: int = 0
    parts: tuple[Part, ...] = ()

    def leaves(self, limit: float = np.inf, cuts: float = np.inf) -> list[Part]:
        """The parts after the first ``cuts`` cuts, of them those of an Ncut of at most ``limit``, from left to right."""
        if not self.parts or self.ncut > limit or self.number > cuts:
            return [self]
        return [leaf for part in self.parts for leaf in part.leaves(limit, cuts)]

    def labels(self, cuts: float = np.inf) -> np.ndarray:
        """(N,) int, for the tree's root: the leaf that each node lies in after the first ``cuts`` cuts."""
        labels = np.empty(len(self.nodes), int)
        for number, leaf in enumerate(self.leaves(cuts=cuts)):
            labels[leaf.nodes] = number
        return labels


def sweep(affinity: csr_matrix, values: np.ndarray) -> Sweep:
    """The Ncut of every threshold on (N,) ``values``, N >= 2, in one pass over the sorted nodes.

    With the nodes in order, the first k have assoc(A, V), a running sum of degrees, and cut(A, V − A): an edge
    counts from the place of its first node to that of its second. Values that are all equal give the one split
    into halves.
    """
    order = np.argsort(values, kind="stable")
    place = np.argsort(order)
    ordered, pairs = values[order], affinity.tocoo()
    first, second = place[pairs.row], place[pairs.col]
    forth = first < second  # each edge once
    begins, ends = (np.bincount(at[forth], pairs.data[forth], len(values)) for at in (first, second))
    cut = np.maximum((begins - ends).cumsum(), 0)[:-1]
    volume = np.bincount(first, pairs.data, len(values)).cumsum()
    ncuts = cut / volume[:-1] + cut / np.maximum(volume[-1] - volume[:-1], np.finfo(float).tiny)
    splits = np.flatnonzero(np.diff(ordered) > 0)
    if len(splits) == 0:
        splits = np.array([len(values) // 2 - 1])
    return Sweep(order, splits + 1, (ordered[splits] + ordered[splits + 1]) / 2, ncuts[splits])


def two_way_cut(affinity: csr_matrix, on_product: Callable[[], None] = lambda: None) -> tuple[float, np.ndarray]:
    """The least Ncut over all thresholds of the second eigenvector, and (N,) bool: the nodes above it.

    ``on_product`` as in ``leading_eigenvectors``.
    """
    _, vectors = leading_eigenvectors(affinity, 2, np.random.default_rng(0), on_product)
    found = sweep(affinity, vectors[:, 1])
    return float(found.ncuts[found.best]), found.split(found.best)


def recursive_cuts(
    affinity: csr_matrix, limit: float, most: int | None = None, smallest: int = 1,
    on_cut: Callable[[int], None] = lambda parts: None, on_product: Callable[[], None] = lambda: None,
) -> Part:  # fmt: skip
    """The tree of two-way cuts of a graph of N nodes, each by the second eigenvector of the part's own graph.

    Args:
        limit: a part stays whole when the Ncut of its best cut is above.
        most: parts to stop at; the part whose cut is cheapest is cut first.
        smallest: a part of fewer than twice as many nodes stays whole.
        on_cut: called with the number of parts before each cut is sought.
        on_product: as in ``leading_eigenvectors``.
    """

    def sought(nodes: np.ndarray) -> Part:
        if len(nodes) < max(2 * smallest, 2):
            return Part(nodes)
        on_cut(count)
        part = Part(nodes, *two_way_cut(affinity[nodes][:, nodes], on_product))
        if part.ncut <= limit:
            heapq.heappush(waiting, (part.ncut, int(nodes[0]), part))
        return part

    waiting, count = [], 1
    root = sought(np.arange(affinity.shape[0]))
    while waiting and count != most:
        part = heapq.heappop(waiting)[2]
        part.number, count = count, count + 1
        halves = sorted((part.nodes[~part.above], part.nodes[part.above]), key=len, reverse=True)
        part.parts = tuple(sought(half) for half in halves)
    return root
