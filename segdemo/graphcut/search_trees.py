"""The residual graph of a grid and the two search trees in it: the compiled parts of ``maxflow.py``.

All compiled functions stand in this one file, because numba's cache on disk knows of changes to a
function's own file only.

A node is a cell of the photo stored row by row with a margin of empty cells, so that the
neighbours of node p are p + offset and no edge needs an address of its own. Directions
come in pairs (right, left), (down, up), ...: the opposite of direction d is d ^ 1.

Cells and directions are unsigned: numba lets a signed index count from the end of an array,
and asking for each whether it does takes half of the time. Offsets that lead back are large
numbers, and sums wrap around.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

ROOT, ORPHAN, NONE = -1, -2, -3  # values of parent besides a direction: joined to the terminal, cut off, free
ONE = np.uint64(1)
SINK, SOURCE = 0, 1  # rows of what exists once per tree; a tree's sign is +1 for S, -1 for T

# None of these functions makes an array, so numba need not count references to arrays; counting them
# (at every graph.level[p]) takes two thirds of the time.
compiled = njit(cache=True, nogil=True, _nrt=False)


class Residual(NamedTuple):
    """The residual graph, the two trees and their work lists, for n = (H + 2) (W + 1) + 1 cells; pixel (y, x) is cell (y + 1) (W + 1) + x + 1.

    Attributes:
        offsets: (4 or 8,) uint64, what leads from a cell to its neighbour in each direction.
        capacity: (n, 4 or 8) int32 or int64, what the edge in each direction can still carry.
        excess: (n,) like capacity; > 0: what the source can still give, < 0: what the sink can take.
        level: (n,) int32, distance from the terminal, > 0 in S, < 0 in T, 0 when free.
        parent: (n,) int8, direction of the parent in the tree, or ROOT, ORPHAN, NONE.
        listed: (n,) int32, the level for which a cell was last put on a list.
        front: (2, n) int32, per tree the cells on its deepest level, which are to be scanned.
        beyond: (n,) int32, the cells one level deeper, found by the pass under way.
        count: (3,) int64, how many cells are in front[SINK], front[SOURCE] and beyond.
        depth: (2,) int64, per tree the level of the cells in ``front``.
        orphans: (2, 2 n + 2) int32, per tree and level the first orphan, 0 = none: cell 0 is a margin's.
        next_orphan: (n,) int32, the orphan after this one on the same level, 0 = none.
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


@compiled
def plant(graph):
    """Fell both trees and begin anew: every cell with an excess is a root on level 1. The flow stays."""
    graph.count[:] = 0
    graph.depth[:] = 1
    graph.orphans[:, : max(graph.span[0, 1], graph.span[1, 1]) + 1] = 0
    graph.span[:, 0] = graph.orphans.shape[1]
    graph.span[:, 1] = 0
    for cell in range(len(graph.level)):
        p = np.uint64(cell)
        graph.level[p] = 0
        graph.listed[p] = 0
        graph.parent[p] = NONE
        if graph.excess[p] != 0:
            _root(graph, p)


@compiled
def _root(graph, p):
    """Make the free cell p, which has an excess, a root on the level that its tree is about to scan.

    Level 1 would be its distance, but then cells beside it, adopted long ago, would lie too deep. The
    level about to be scanned is at once right beside all of them and early enough to be scanned.
    """
    tree = SOURCE if graph.excess[p] > 0 else SINK
    graph.parent[p] = ROOT
    graph.level[p] = (2 * tree - 1) * graph.depth[tree]
    _list(graph, tree, p, graph.depth[tree])


@compiled
def change_excesses(graph, source, sink, net):
    """Change ``net``, (H, W), to source - sink, and the excesses with it; the flow stays.

    Returns by how much in all, and what ``net`` came to before. ``mend`` or ``plant`` has to follow.

    Whatever a pixel has sent on stays sent: if its new capacities do not cover it, the difference is an
    excess of the other sign (Kohli & Torr: adding one number to both of a pixel's terminal capacities changes
    no cut). Roots that lose their excess are orphans.
    """
    moved = before = 0.0
    height, width = net.shape
    for y in range(height):
        for x in range(width):
            change = source[y, x] - sink[y, x] - net[y, x]
            before += abs(net[y, x])
            if change == 0:
                continue
            moved += abs(change)
            net[y, x] += change
            p = np.uint64((y + 1) * (width + 1) + x + 1)
            graph.excess[p] += change
            tree = SOURCE if graph.level[p] > 0 else SINK
            if graph.level[p] != 0 and _belongs(graph, tree, p):
                graph.parent[p] = ROOT
            elif graph.parent[p] == ROOT:
                _orphan(graph, tree, p)
    return moved, before


@compiled
def _belongs(graph, tree, p):
    """Whether p has an excess of the kind that makes a root of this tree."""
    return graph.excess[p] > 0 if tree == SOURCE else graph.excess[p] < 0


@compiled
def mend(graph):
    """Make the trees fit changed excesses.

    Orphans are adopted; a pixel of S that now wants flow, or of T that now has some, exchanges it with a root of
    its own tree; whoever then is free and has an excess becomes a root.
    """
    for tree in range(2):
        _adopt(graph, tree, graph.depth[tree])
    for cell in range(len(graph.level)):
        p = np.uint64(cell)
        tree = SOURCE if graph.level[p] > 0 else SINK
        while graph.level[p] != 0 and _belongs(graph, 1 - tree, p):  # until p is satisfied or its tree has lost it
            flow = min(_room(graph, tree, p), abs(np.int64(graph.excess[p])))
            _push(graph, tree, p, flow)
            graph.excess[p] += flow if tree == SOURCE else -flow
            _adopt(graph, tree, graph.depth[tree])
        if graph.level[p] == 0 and graph.excess[p] != 0:
            _root(graph, p)


@compiled
def extent(capacities):
    """The least and the largest of (h, w) int64 capacities, and their sum: as an integer, which may overflow, and about."""
    least = most = total = np.int64(0)
    about = 0.0
    height, width = capacities.shape
    for y in range(height):
        for x in range(width):
            capacity = capacities[y, x]
            least, most = min(least, capacity), max(most, capacity)
            total += capacity
            about += capacity
    return least, most, total, about


@compiled
def wanted(graph):
    """What the sink can still take, of all pixels together."""
    total = np.int64(0)
    for p in range(len(graph.excess)):
        total -= min(np.int64(graph.excess[p]), np.int64(0))
    return total


@compiled
def connect(graph, direction, edge, top, left):
    """Add ``edge`` to the capacities of one direction and of its opposite; it begins at pixel (top, left)."""
    height, width = edge.shape
    offset, stride = graph.offsets[direction], np.int64(graph.offsets[2])  # one row down
    for y in range(height):
        for x in range(width):
            p = np.uint64((y + top + 1) * stride + x + left + 1)
            graph.capacity[p, direction] += edge[y, x]
            graph.capacity[p + offset, direction ^ 1] += edge[y, x]


@compiled
def grow(graph, tree):
    """Grow one tree by one level, sending flow wherever it touches the other; returns the flow sent."""
    sign = 2 * tree - 1
    depth = graph.depth[tree]
    flow = 0
    i = 0
    while i < graph.count[tree]:  # adoption may append to the list meanwhile
        p = np.uint64(graph.front[tree, i])
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
    for direction in range(len(graph.offsets)):
        d = np.uint64(direction)
        q = p + graph.offsets[d]
        while sign * graph.level[q] <= 0:
            left = graph.capacity[p, d] if tree == SOURCE else graph.capacity[q, d ^ ONE]
            if left == 0:
                break
            if graph.level[q] == 0:
                graph.parent[q] = d ^ ONE
                graph.level[q] = sign * (depth + 1)
                _list(graph, tree, q, depth + 1)
                break
            flow += _augment(graph, p, q, d) if tree == SOURCE else _augment(graph, q, p, d ^ ONE)
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
    flow = min(np.int64(graph.capacity[s, d]), _room(graph, SOURCE, s), _room(graph, SINK, t))
    graph.capacity[s, d] -= flow
    graph.capacity[t, d ^ ONE] += flow
    _push(graph, SOURCE, s, flow)
    _push(graph, SINK, t, flow)
    return flow


@compiled
def _room(graph, tree, p):
    """What the tree's path between p and its root, and the root's excess, can still carry."""
    offsets, capacity, parent = graph.offsets, graph.capacity, graph.parent
    room = np.int64(2**62)
    while parent[p] >= 0:
        d = np.uint64(parent[p])
        q = p + offsets[d]
        room = min(room, np.int64(capacity[q, d ^ ONE] if tree == SOURCE else capacity[p, d]))
        p = q
    return min(room, abs(np.int64(graph.excess[p])))


@compiled
def _push(graph, tree, p, flow):
    """Take ``flow`` along the tree's path between p and its root; pixels behind a full edge become orphans."""
    offsets, capacity, excess, parent = graph.offsets, graph.capacity, graph.excess, graph.parent
    while parent[p] >= 0:
        d = np.uint64(parent[p])
        q = p + offsets[d]
        if tree == SOURCE:  # flow runs from the parent q to p
            capacity[q, d ^ ONE] -= flow
            capacity[p, d] += flow
            full = capacity[q, d ^ ONE] == 0
        else:
            capacity[p, d] -= flow
            capacity[q, d ^ ONE] += flow
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
    level = np.int64(abs(graph.level[p]))
    graph.parent[p] = ORPHAN
    graph.next_orphan[p] = graph.orphans[tree, np.uint64(level)]
    graph.orphans[tree, np.uint64(level)] = p
    graph.span[tree, 0] = min(graph.span[tree, 0], level)
    graph.span[tree, 1] = max(graph.span[tree, 1], level)


@compiled
def _adopt(graph, tree, deepest):
    """Find parents for all orphans, nearest level first; none may come to lie below level ``deepest``."""
    level = graph.span[tree, 0]
    while level <= graph.span[tree, 1]:  # adoption makes orphans on deeper levels only
        p = np.uint64(graph.orphans[tree, np.uint64(level)])
        if p == 0:
            level += 1
            continue
        graph.orphans[tree, np.uint64(level)] = graph.next_orphan[p]
        _find_parent(graph, tree, p, level, deepest)
    graph.span[tree, 0] = graph.orphans.shape[1]
    graph.span[tree, 1] = 0


@compiled
def _find_parent(graph, tree, p, level, deepest):
    """Adopt orphan p: a parent one level up, else the nearest one, else p becomes free."""
    sign = 2 * tree - 1
    nearest = deepest
    for direction in range(len(graph.offsets)):
        d = np.uint64(direction)
        q = p + graph.offsets[d]
        candidate = sign * graph.level[q]
        if 0 < candidate < nearest:
            left = graph.capacity[q, d ^ ONE] if tree == SOURCE else graph.capacity[p, d]
            if left > 0:
                nearest = candidate
                graph.parent[p] = d
                if candidate == level - 1:
                    return
    for direction in range(len(graph.offsets)):  # p moves away from its children
        d = np.uint64(direction)
        q = p + graph.offsets[d]
        if graph.parent[q] == np.int64(d ^ ONE) and sign * graph.level[q] > 0:
            _orphan(graph, tree, q)
    if nearest == deepest:
        graph.parent[p] = NONE
        graph.level[p] = 0
    else:
        graph.level[p] = sign * (nearest + 1)
        _list(graph, tree, p, nearest + 1)
