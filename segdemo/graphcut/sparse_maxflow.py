"""Exact minimum cut of a sparse graph of any shape: maximum flow by blocking flows.

What ``maxflow.py`` does for the grid of a photo's pixels, for graphs whose nodes have neighbours of any
number, as superpixels do. Each round (1) measures every node's distance to the sink along edges that can
still carry flow, and (2) sends flow along paths on which the distance falls by one at each step, until no such
path is left: a blocking flow. Distances grow from round to round, so n nodes need at most n rounds; graphs of
superpixels need a few dozen. The nodes that the source then still reaches are the source side of the
minimum cut, of several minimum cuts the smallest, as in ``maxflow.py``.

All is counted in 64 bits, because a superpixel's capacities are sums over its pixels. (SciPy's ``maximum_flow``
counts in 32, and larger capacities come out wrong without a word.)

Reference:
    Dinic, Algorithm for solution of a problem of maximum flow in a network with power estimation, Soviet
        Mathematics Doklady 1970.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.sparse import coo_matrix, csr_matrix

compiled = njit(cache=True, nogil=True)
FAR = np.iinfo(np.int32).max


class SparseGraph(NamedTuple):
    """A graph whose edges carry the same both ways; every edge is two arcs, sorted by the nodes where they begin.

    Attributes:
        starts: (n + 1,) int64, node p has the arcs ``starts[p]`` to ``starts[p + 1] - 1``.
        heads: (2 m,) int32, the node where each arc ends.
        twins: (2 m,) int64, the arc the other way.
        capacity: (2 m,) int64.
    """

    starts: np.ndarray
    heads: np.ndarray
    twins: np.ndarray
    capacity: np.ndarray

    @property
    def tails(self) -> np.ndarray:
        """(2 m,) the node where each arc begins."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def node_sums(self) -> np.ndarray:
        """(n,) int64: of each node the capacity of all its edges."""
        sums = np.zeros(len(self.starts) - 1, np.int64)
        np.add.at(sums, self.tails, self.capacity)
        return sums


def sparse_graph(first: np.ndarray, second: np.ndarray, capacity: np.ndarray, count: int) -> SparseGraph:
    """The graph of ``count`` nodes with an edge per pair, (P,) each; the capacities of equal pairs add up.

    ``capacity`` holds integers >= 0, and no node is its own neighbour.
    """
    rows, columns = np.concatenate([first, second]), np.concatenate([second, first])
    both = np.concatenate([capacity, capacity]).astype(np.int64)
    arcs = coo_matrix((both, (rows, columns)), shape=(count, count)).tocsr()  # adds up, and keeps zeros
    arcs.sort_indices()
    numbers = csr_matrix((np.arange(arcs.nnz), arcs.indices, arcs.indptr), shape=arcs.shape)
    twins = numbers.T.tocsr()  # the pattern is symmetric: in the place of arc (p, q) stands the number of (q, p)
    twins.sort_indices()
    return SparseGraph(arcs.indptr.astype(np.int64), arcs.indices.astype(np.int32), twins.data, arcs.data)


def sparse_maxflow(
    source: np.ndarray, sink: np.ndarray, graph: SparseGraph, on_pass: Callable[[int], None] | None = None
) -> tuple[int, np.ndarray]:
    """Maximum flow and minimum cut; exact.

    Args:
        source, sink: (n,) integers >= 0, the capacity from the source to each node, and from it to the sink. All
            together have to stay below 2^62.
        graph: the edges between the nodes; it stays as it is.
        on_pass: called with the flow so far before each round; what it raises ends the computation.

    Returns the value of the flow, and (n,) bool, True on the source side.
    """
    straight = np.minimum(source, sink).astype(np.int64)  # what passes from source to sink through one node
    excess, flow = source.astype(np.int64) - sink, int(straight.sum())
    left, distance, queue = graph.capacity.copy(), np.empty(len(excess), np.int32), np.empty(len(excess), np.int32)
    while True:
        if on_pass is not None:
            on_pass(flow)
        if not _measure(graph.starts, graph.heads, graph.twins, left, excess, distance, queue):
            break
        flow += _block(graph.starts, graph.heads, graph.twins, left, excess, distance)
    inside = np.zeros(len(excess), bool)
    _reach(graph.starts, graph.heads, left, excess, inside, queue)
    return flow, inside


@compiled
def _measure(starts, heads, twins, left, excess, distance, queue):
    """Set each node's distance to the nearest one that the sink still takes from; whether a source reaches one."""
    last, reached = 0, False
    for p in range(len(excess)):
        distance[p] = FAR
        if excess[p] < 0:
            distance[p] = 0
            queue[last] = p
            last += 1
    i = 0
    while i < last:
        q = queue[i]
        i += 1
        reached |= excess[q] > 0
        for arc in range(starts[q], starts[q + 1]):
            p = heads[arc]
            if distance[p] == FAR and left[twins[arc]] > 0:
                distance[p] = distance[q] + 1
                queue[last] = p
                last += 1
    return reached


@compiled
def _block(starts, heads, twins, left, excess, distance):
    """Send flow along paths of falling distance until there are none; returns the flow sent."""
    flow = np.int64(0)
    current = starts[:-1].copy()  # arcs before these lead nowhere in this round
    path = np.empty(len(excess), np.int64)
    for s in range(len(excess)):
        if excess[s] <= 0 or distance[s] == FAR:
            continue
        length, p = 0, s
        while excess[s] > 0:
            if excess[p] < 0:
                sent, length = _push(twins, left, excess, s, p, path, length)
                flow += sent
                p = s if length == 0 else heads[path[length - 1]]
                continue
            arc = _admissible(starts, heads, left, distance, current, p)
            if arc >= 0:
                path[length] = arc
                length += 1
                p = heads[arc]
            elif length > 0:  # a dead end: step back and pass over the arc that led here
                length -= 1
                p = heads[twins[path[length]]]
                current[p] += 1
            else:
                break
    return flow


@compiled
def _admissible(starts, heads, left, distance, current, p):
    """The next arc of p that can carry flow one step nearer to the sink, or -1."""
    while current[p] < starts[p + 1]:
        arc = current[p]
        if left[arc] > 0 and distance[heads[arc]] == distance[p] - 1:
            return arc
        current[p] += 1
    return -1


@compiled
def _push(twins, left, excess, s, t, path, length):
    """Send what fits from s along the path to t; returns it, and how much of the path lies before the first full arc."""
    sent = min(excess[s], -excess[t])
    for i in range(length):
        sent = min(sent, left[path[i]])
    keep = length
    for i in range(length - 1, -1, -1):
        left[path[i]] -= sent
        left[twins[path[i]]] += sent
        if left[path[i]] == 0:
            keep = i
    excess[s] -= sent
    excess[t] += sent
    return sent, keep


@compiled
def _reach(starts, heads, left, excess, inside, queue):
    """Mark in ``inside`` what the source still reaches."""
    last = 0
    for p in range(len(excess)):
        if excess[p] > 0:
            inside[p] = True
            queue[last] = p
            last += 1
    i = 0
    while i < last:
        p = queue[i]
        i += 1
        for arc in range(starts[p], starts[p + 1]):
            q = heads[arc]
            if left[arc] > 0 and not inside[q]:
                inside[q] = True
                queue[last] = q
                last += 1
