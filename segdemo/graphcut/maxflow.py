"""Exact minimum cut of a grid: maximum flow by incremental breadth-first search.

The graph of a graph cut is a photo: one node per pixel, an edge to each of its 4 or 8
neighbours, and two terminals, source and sink, joined to every pixel. Its minimum cut
separates the pixels into a source side and a sink side so that the capacities of the
severed edges sum to the least possible value, which equals the maximum flow from source
to sink (Ford & Fulkerson 1956).

The algorithm keeps two breadth-first trees of edges that can still carry flow, as Boykov
and Kolmogorov do: S hangs from the source, T from the sink. It repeats three stages.

1. Growth: a tree takes in free pixels next to its deepest level, until it touches the other.
2. Augmentation: where S and T touch there is a path from source to sink; as much flow as
   fits is sent along it. Saturated edges cut pixels off their parents: orphans.
3. Adoption: an orphan looks for a new parent one level nearer to its terminal; failing
   that it takes the nearest one there is and sinks to a deeper level, which orphans its
   children; failing that too it becomes free. Most of both trees survives every path.

When S can grow no more, it is exactly the set of pixels that the source still reaches: the
source side of the minimum cut (of several minimum cuts, the one with the smallest source
side). Levels never decrease, as distances in a residual graph never do; this bounds the
work by O(n^2 m) for n pixels and m edges, and keeps augmenting paths short in practice.

A node is a cell of the photo stored row by row with a margin of empty cells, so that the
neighbours of node p are p + offset and no edge needs an address of its own. Directions
come in pairs (right, left), (down, up), ...: the opposite of direction d is d ^ 1.

References:
    Boykov & Kolmogorov, An experimental comparison of min-cut/max-flow algorithms for
        energy minimization in vision, PAMI 2004 (the two trees, growth, adoption).
    Goldberg, Hed, Kaplan, Tarjan & Werneck, Maximum flows by incremental breadth-first
        search, ESA 2011 (levels, and with them the bound on the work).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit

ROOT, ORPHAN, NONE = -1, -2, -3  # values of parent besides a direction: joined to the terminal, cut off, free
SINK, SOURCE = 0, 1  # rows of what exists once per tree; a tree's sign is +1 for S, -1 for T
LARGEST = 2**62  # bound on capacities and on their sum, half of what an int64 holds

# None of these functions makes an array, so numba need not count references to arrays; counting them
# (at every graph.level[p]) takes two thirds of the time.
compiled = njit(cache=True, nogil=True, _nrt=False)


class Residual(NamedTuple):
    """The residual graph, the two trees and their work lists, for n = (H + 2) (W + 1) + 1 cells.

    Attributes:
        offsets: (4 or 8,) int64, what leads from a cell to its neighbour in each direction.
        capacity: (n, 4 or 8) int32 or int64, what the edge in each direction can still carry.
        excess: (n,) like capacity; > 0: what the source can still give, < 0: what the sink can take.
        level: (n,) int32, distance from the terminal, > 0 in S, < 0 in T, 0 when free.
        parent: (n,) int8, direction of the parent in the tree, or ROOT, ORPHAN, NONE.
        listed: (n,) int32, the level for which a cell was last put on a list.
        front: (2, n) int32, per tree the cells on its deepest level, which are to be scanned.
        beyond: (n,) int32, the cells one level deeper, found by the pass under way.
        count: (3,) int64, how many cells are in front[SINK], front[SOURCE] and beyond.
        depth: (2,) int64, per tree the level of the cells in ``front``.
        orphans: (2, n) int32, per tree and level the first orphan, -1 = none.
        next_orphan: (n,) int32, the orphan after this one on the same level, -1 = none.
        span: (2, 2) int64, per tree the lowest and the highest level that has orphans.
    """

    offsets: np.ndarray
    capacity: np.ndarray
    excess: np.ndarray
    level: np.ndarray
    parent: np.ndarray
    listed: np.ndarray
    front: np.ndarray
    beyond: np.ndarray
    count: np.ndarray
    depth: np.ndarray
    orphans: np.ndarray
    next_orphan: np.ndarray
    span: np.ndarray


def grid_maxflow(
    source: np.ndarray,
    sink: np.ndarray,
    right: np.ndarray,
    down: np.ndarray,
    down_right: np.ndarray | None = None,
    down_left: np.ndarray | None = None,
    on_pass: Callable[[int], None] | None = None,
) -> tuple[int, np.ndarray]:
    """Maximum flow and minimum cut of a 4- or 8-connected grid; exact.

    Args:
        source: (H, W) integers, capacity from the source to each pixel: what it costs to put
            the pixel on the sink side.
        sink: (H, W) integers, capacity from each pixel to the sink: what it costs to put the
            pixel on the source side.
        right: (H, W) integers, capacity both ways between (y, x) and (y, x + 1); last column unused.
        down: (H, W) integers, between (y, x) and (y + 1, x); last row unused.
        down_right: (H, W) integers, between (y, x) and (y + 1, x + 1); last row and column unused.
        down_left: (H, W) integers, between (y, x) and (y + 1, x - 1); last row and first column
            unused. Both diagonals or neither.
        on_pass: called with the flow so far before each growth of a tree by one level; what it
            raises ends the computation.

    Returns:
        The value of the flow, and an (H, W) bool array, True on the source side.

    Raises:
        ValueError: shapes differ, a capacity is negative, not an integer, or too large.
    """
    source, sink, edges = _check(source, sink, right, down, down_right, down_left)
    graph = _residual(source, sink, edges)
    flow = int(np.minimum(source, sink).sum())
    while graph.count[SOURCE] > 0:
        if on_pass is not None:
            on_pass(flow)
        flow += _grow(graph, _tree_to_grow(graph))
    height, width = source.shape
    inside = graph.level[: (height + 2) * (width + 1)].reshape(height + 2, width + 1)[1:-1, :width]
    return flow, inside > 0


def _check(source, sink, right, down, down_right, down_left) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """The capacities as contiguous int64 arrays, those of unused edges zeroed."""
    if (down_right is None) != (down_left is None):
        raise ValueError("give both diagonals (8 neighbours) or neither (4 neighbours)")
    given = {"source": source, "sink": sink, "right": right, "down": down}
    if down_right is not None:
        given |= {"down_right": down_right, "down_left": down_left}
    unused = {"right": (slice(None), -1), "down": (-1,), "down_right": (slice(None), -1), "down_left": (slice(None), 0)}
    shape = np.shape(source)
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"source: a non-empty (H, W) array is needed, this one has the shape {shape}")
    checked = []
    for name, array in given.items():
        array = np.asarray(array)
        if array.shape != shape:
            raise ValueError(f"{name}: shape {array.shape}, but source has {shape}")
        if array.dtype.kind not in "iu":
            raise ValueError(f"{name}: capacities are integers, these are {array.dtype}")
        if name in unused:
            array = array.copy()
            array[unused[name]] = 0
            if name.startswith("down_"):
                array[-1] = 0
        if array.min() < 0:
            raise ValueError(f"{name}: capacities are never negative, the least of these is {array.min()}")
        if int(array.max()) >= LARGEST or array.sum(dtype=np.float64) >= LARGEST:
            raise ValueError(f"{name}: these capacities sum to 2^62 or more, which overflows; scale them down")
        checked.append(np.ascontiguousarray(array, np.int64))
    return checked[0], checked[1], checked[2:]


def _residual(source: np.ndarray, sink: np.ndarray, edges: list[np.ndarray]) -> Residual:
    """The residual graph before any flow: every pixel with an excess is a root on level 1."""
    height, width = source.shape
    stride = width + 1
    steps = (1, stride, stride + 1, stride - 1)[: len(edges)]
    offsets = np.array([sign * step for step in steps for sign in (1, -1)], np.int64)
    # An edge may come to carry twice its capacity (the reverse flow undone), so int32 needs a spare bit.
    small = 2 * max(int(e.max()) for e in edges) < 2**31 and max(source.max(), sink.max()) < 2**31
    dtype = np.int32 if small else np.int64
    n = (height + 2) * stride + 1
    graph = Residual(
        offsets=offsets,
        capacity=np.zeros((n, len(offsets)), dtype),
        excess=np.zeros(n, dtype),
        level=np.zeros(n, np.int32),
        parent=np.full(n, NONE, np.int8),
        listed=np.zeros(n, np.int32),
        front=np.empty((2, n), np.int32),
        beyond=np.empty(n, np.int32),
        count=np.zeros(3, np.int64),
        depth=np.ones(2, np.int64),
        orphans=np.full((2, n), -1, np.int32),
        next_orphan=np.empty(n, np.int32),
        span=np.array([[n, 0], [n, 0]], np.int64),
    )
    _fill(graph, source, sink)
    for direction, edge in enumerate(edges):
        _connect(graph, 2 * direction, edge)
    return graph


@compiled
def _fill(graph, source, sink):
    """Set the excesses and make their pixels the roots of the two trees."""
    height, width = source.shape
    for y in range(height):
        for x in range(width):
            excess = source[y, x] - sink[y, x]
            if excess != 0:
                p = (y + 1) * (width + 1) + x
                graph.excess[p] = excess
                graph.parent[p] = ROOT
                graph.level[p] = 1 if excess > 0 else -1
                graph.listed[p] = graph.level[p]
                tree = SOURCE if excess > 0 else SINK
                graph.front[tree, graph.count[tree]] = p
                graph.count[tree] += 1


@compiled
def _connect(graph, direction, edge):
    """Set the capacities of one direction and of its opposite."""
    height, width = edge.shape
    for y in range(height):
        for x in range(width):
            p = (y + 1) * (width + 1) + x
            if edge[y, x] > 0:
                graph.capacity[p, direction] = edge[y, x]
                graph.capacity[p + graph.offsets[direction], direction ^ 1] = edge[y, x]


def _tree_to_grow(graph: Residual) -> int:
    """The shallower tree that can still grow: two trees of like depth give short paths."""
    return SINK if graph.count[SINK] > 0 and graph.depth[SINK] < graph.depth[SOURCE] else SOURCE


@compiled
def _grow(graph, tree):
    """Grow one tree by one level, sending flow wherever it touches the other; returns the flow sent."""
    sign = 2 * tree - 1
    depth = graph.depth[tree]
    flow = 0
    i = 0
    while i < graph.count[tree]:  # adoption may append to the list meanwhile
        p = np.int64(graph.front[tree, i])
        i += 1
        if graph.level[p] == sign * depth:
            flow += _scan(graph, tree, p)
    graph.count[tree] = graph.count[2]
    for i in range(graph.count[2]):
        graph.front[tree, i] = graph.beyond[i]
    graph.count[2] = 0
    graph.depth[tree] += 1
    return flow


@compiled
def _scan(graph, tree, p):
    """Let pixel p of the front take in its free neighbours and push flow to those of the other tree."""
    sign = 2 * tree - 1
    depth = graph.depth[tree]
    flow = 0
    for d in range(len(graph.offsets)):
        q = p + graph.offsets[d]
        while sign * graph.level[q] <= 0:
            left = graph.capacity[p, d] if tree == SOURCE else graph.capacity[q, d ^ 1]
            if left == 0:
                break
            if graph.level[q] == 0:
                graph.parent[q] = d ^ 1
                graph.level[q] = sign * (depth + 1)
                _list(graph, tree, q, depth + 1)
                break
            flow += _augment(graph, p, q, d) if tree == SOURCE else _augment(graph, q, p, d ^ 1)
            _adopt(graph, tree, depth + 1)
            _adopt(graph, 1 - tree, graph.depth[1 - tree])
            if graph.level[p] != sign * depth:  # p itself was orphaned and moved on
                return flow
    return flow


@compiled
def _list(graph, tree, p, level):
    """Put p on the list of its level, if that level is still to be scanned and p is not on it."""
    mark = level if tree == SOURCE else -level
    if level < graph.depth[tree] or graph.listed[p] == mark:
        return
    graph.listed[p] = mark
    if level == graph.depth[tree]:
        graph.front[tree, graph.count[tree]] = p
        graph.count[tree] += 1
    else:
        graph.beyond[graph.count[2]] = p
        graph.count[2] += 1


@compiled
def _augment(graph, s, t, d):
    """Saturate the path source .. s -> t .. sink, t being s's neighbour in direction d; returns its flow."""
    offsets, capacity, excess, parent = graph.offsets, graph.capacity, graph.excess, graph.parent
    flow = np.int64(capacity[s, d])
    p = s
    while parent[p] >= 0:
        flow = min(flow, capacity[p + offsets[parent[p]], parent[p] ^ 1])
        p += offsets[parent[p]]
    flow = min(flow, excess[p])
    p = t
    while parent[p] >= 0:
        flow = min(flow, capacity[p, parent[p]])
        p += offsets[parent[p]]
    flow = min(flow, -excess[p])

    capacity[s, d] -= flow
    capacity[t, d ^ 1] += flow
    _push(graph, SOURCE, s, flow)
    _push(graph, SINK, t, flow)
    return flow


@compiled
def _push(graph, tree, p, flow):
    """Take ``flow`` along the tree's path between p and its root; pixels behind a full edge become orphans."""
    offsets, capacity, excess, parent = graph.offsets, graph.capacity, graph.excess, graph.parent
    while parent[p] >= 0:
        d = np.int64(parent[p])
        q = p + offsets[d]
        if tree == SOURCE:  # flow runs from the parent q to p
            capacity[q, d ^ 1] -= flow
            capacity[p, d] += flow
            full = capacity[q, d ^ 1] == 0
        else:
            capacity[p, d] -= flow
            capacity[q, d ^ 1] += flow
            full = capacity[p, d] == 0
        if full:
            _orphan(graph, tree, p)
        p = q
    excess[p] += -flow if tree == SOURCE else flow
    if excess[p] == 0:
        _orphan(graph, tree, p)


@compiled
def _orphan(graph, tree, p):
    """Cut p off its parent and put it on the list of orphans of its level."""
    level = abs(graph.level[p])
    graph.parent[p] = ORPHAN
    graph.next_orphan[p] = graph.orphans[tree, level]
    graph.orphans[tree, level] = p
    graph.span[tree, 0] = min(graph.span[tree, 0], level)
    graph.span[tree, 1] = max(graph.span[tree, 1], level)


@compiled
def _adopt(graph, tree, deepest):
    """Find parents for all orphans, nearest level first; none may come to lie below level ``deepest``."""
    level = graph.span[tree, 0]
    while level <= graph.span[tree, 1]:  # adoption makes orphans on deeper levels only
        p = np.int64(graph.orphans[tree, level])
        if p < 0:
            level += 1
            continue
        graph.orphans[tree, level] = graph.next_orphan[p]
        _find_parent(graph, tree, p, level, deepest)
    graph.span[tree, 0] = len(graph.level)
    graph.span[tree, 1] = 0


@compiled
def _find_parent(graph, tree, p, level, deepest):
    """Adopt orphan p: a parent one level up, else the nearest one, else p becomes free."""
    sign = 2 * tree - 1
    nearest = deepest
    for d in range(len(graph.offsets)):
        q = p + graph.offsets[d]
        candidate = sign * graph.level[q]
        if 0 < candidate < nearest:
            left = graph.capacity[q, d ^ 1] if tree == SOURCE else graph.capacity[p, d]
            if left > 0:
                nearest = candidate
                graph.parent[p] = d
                if candidate == level - 1:
                    return
    for d in range(len(graph.offsets)):  # p moves away from its children
        q = p + graph.offsets[d]
        if graph.parent[q] == d ^ 1 and sign * graph.level[q] > 0:
            _orphan(graph, tree, q)
    if nearest == deepest:
        graph.parent[p] = NONE
        graph.level[p] = 0
    else:
        graph.level[p] = sign * (nearest + 1)
        _list(graph, tree, p, nearest + 1)
