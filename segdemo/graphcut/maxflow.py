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

After another stroke only the terminals' capacities are different. ``GridMaxflow`` then goes on from
the flow and the trees that it has: flow that the new capacities no longer cover is taken back along
the trees, pixels that gained an excess become roots, and growth resumes where it ended.

References:
    Boykov & Kolmogorov, An experimental comparison of min-cut/max-flow algorithms for
        energy minimization in vision, PAMI 2004 (the two trees, growth, adoption).
    Goldberg, Hed, Kaplan, Tarjan & Werneck, Maximum flows by incremental breadth-first
        search, ESA 2011 (levels, and with them the bound on the work).
    Kohli & Torr, Efficiently solving dynamic Markov random fields using graph cuts, ICCV 2005
        (keeping flow and trees when capacities change, by reparametrization).
    Goldberg, Hed, Kaplan, Kohli, Tarjan & Werneck, Faster and more dynamic maximum flow by
        incremental breadth-first search, ESA 2015 (roots on any level).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .search_trees import NONE, SINK, SOURCE, Residual, change_excesses, connect, extent, grow, mend, plant, wanted

LARGEST = 2**62  # bound on capacities and on their sum, half of what an int64 holds
TOO_MUCH = (
    0.11  # if an update moves more than this share of the capacities, new trees cost less than mending the old ones
)
USED = {  # where the pixels are that have a neighbour in that direction
    "right": (slice(None), slice(None, -1)),
    "down": (slice(None, -1), slice(None)),
    "down_right": (slice(None, -1), slice(None, -1)),
    "down_left": (slice(None, -1), slice(1, None)),
}


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
    return GridMaxflow(source, sink, right, down, down_right, down_left).solve(on_pass)


class GridMaxflow:
    """Maximum flow of a grid whose terminal capacities change: every solution starts from the one before.

        graph = GridMaxflow(source, sink, right, down)
        flow, inside = graph.solve()
        graph.update(other_source, other_sink)
        flow, inside = graph.solve()  # the same as grid_maxflow(other_source, other_sink, right, down), sooner

    The capacities are those of ``grid_maxflow``, and so are flow and source side, whatever was solved before: of
    several minimum cuts it is always the one with the smallest source side. The edges between pixels never weaken.
    Not for several threads at once. Keeps about 90 bytes per pixel with 8
    neighbours, and 120 once capacities need 64 bits.

    Raises:
        ValueError: as ``grid_maxflow`` does; an update that is refused changes nothing.
    """

    def __init__(
        self,
        source: np.ndarray,
        sink: np.ndarray,
        right: np.ndarray,
        down: np.ndarray,
        down_right: np.ndarray | None = None,
        down_left: np.ndarray | None = None,
    ):
        if (down_right is None) != (down_left is None):
            raise ValueError("give both diagonals (8 neighbours) or neither (4 neighbours)")
        self.shape = np.shape(source)
        if len(self.shape) != 2 or 0 in self.shape:
            raise ValueError(f"source: a non-empty (H, W) array is needed, this one has the shape {self.shape}")
        planes, self._strongest = self._check_edges(right, down, down_right, down_left)
        self._net, self._graph = np.zeros(self.shape, np.int64), _residual(planes, self._strongest, self.shape)
        self._change(source, sink)
        plant(self._graph)

    def update(self, source: np.ndarray, sink: np.ndarray) -> None:
        """Change the capacities of the terminals, (H, W) integers each; ``solve`` gives what then is the minimum cut."""
        moved, before = self._change(source, sink)
        # Levels must not outgrow the lists of orphans.
        if moved > TOO_MUCH * before or self._graph.depth.max() > len(self._graph.level):
            plant(self._graph)
        else:
            mend(self._graph)

    def strengthen(
        self,
        right: np.ndarray,
        down: np.ndarray,
        down_right: np.ndarray | None = None,
        down_left: np.ndarray | None = None,
    ) -> None:
        """Add (H, W) integers to the capacities between pixels; for as many neighbours as the graph has.

        Where capacities only grow, all flow stays possible: so one solution leads to the next over a rising smoothness.
        """
        planes, strongest = self._check_edges(right, down, down_right, down_left)
        if 2 * len(planes) != len(self._graph.offsets):
            raise ValueError(
                f"the graph has {len(self._graph.offsets)} neighbours, these edges lead to {2 * len(planes)}"
            )
        self._strongest += strongest
        self._make_room()
        _connect(self._graph, planes)
        plant(self._graph)  # new edges would lead past the trees' levels

    def _check_edges(self, *edges: np.ndarray | None) -> tuple[list[np.ndarray], int]:
        """The used parts of the planes that are given, in the order of ``USED``, and the largest capacity among them."""
        checked = [_check(name, plane, self.shape) for name, plane in zip(USED, edges) if plane is not None]
        return [plane for plane, *_ in checked], max(most for _, most, _ in checked)

    def _make_room(self) -> None:
        """64 bits if need be: an edge may carry twice its capacity, an excess differs from its by what edges carry."""
        needed = max(self._most + 8 * self._strongest, 2 * self._strongest)
        if needed >= 2**31 and self._graph.excess.dtype == np.int32:
            self._graph = _widened(self._graph)

    def _change(self, source: np.ndarray, sink: np.ndarray) -> tuple[float, float]:
        """Set the excesses; returns by how much they have changed, and the sum of what they came to."""
        source, most_source, _ = _check("source", source, self.shape)
        sink, most_sink, sink_sum = _check("sink", sink, self.shape)
        self._most = max(most_source, most_sink)
        self._make_room()
        self._sink_sum = sink_sum
        return change_excesses(self._graph, source, sink, self._net)

    def solve(self, on_pass: Callable[[int], None] | None = None) -> tuple[int, np.ndarray]:
        """The value of the flow and the (H, W) bool source side, as ``grid_maxflow`` gives them.

        What ``on_pass`` raises ends the computation; another call resumes it.
        """
        graph = self._graph
        flow = self._sink_sum - wanted(graph)
        while graph.count[SOURCE] > 0:
            if on_pass is not None:
                on_pass(flow)
            flow += grow(graph, _tree_to_grow(graph))
        height, width = self.shape
        inside = graph.level[1 : (height + 2) * (width + 1) + 1].reshape(height + 2, width + 1)[1:-1, :width]
        return flow, inside > 0


def _check(name: str, plane: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, int, int]:
    """The used part of the capacities as an int64 array, the largest of them and their sum.

    Raises ``ValueError`` if they are unusable.
    """
    plane = np.asarray(plane)
    if plane.shape != shape:
        raise ValueError(f"{name}: shape {plane.shape}, but source has {shape}")
    if plane.dtype.kind not in "iu":
        raise ValueError(f"{name}: capacities are integers, these are {plane.dtype}")
    plane = plane[USED[name]] if name in USED else plane
    too_large = plane.dtype == np.uint64 and plane.max(initial=0) >= LARGEST
    plane = plane.astype(np.int64, copy=False)
    least, most, total, about = extent(plane)
    if too_large or most >= LARGEST or about >= LARGEST:
        raise ValueError(f"{name}: these capacities sum to 2^62 or more, which overflows; scale them down")
    if least < 0:
        raise ValueError(f"{name}: capacities are never negative, the least of these is {least}")
    return plane, most, total


def _connect(graph: Residual, planes: list[np.ndarray]) -> None:
    """Add the used parts of the planes to the capacities."""
    for direction, (plane, (rows, columns)) in enumerate(zip(planes, USED.values())):
        connect(graph, 2 * direction, plane, rows.start or 0, columns.start or 0)


def _residual(edges: list[np.ndarray], strongest: int, shape: tuple[int, int]) -> Residual:
    """The residual graph of a grid without terminals, both trees empty."""
    height, width = shape
    stride = width + 1
    steps = (1, stride, stride + 1, stride - 1)[: len(edges)]
    offsets = np.array([sign * step for step in steps for sign in (1, -1)], np.int64).view(np.uint64)
    # An edge may come to carry twice its capacity (the reverse flow undone), so int32 needs a spare bit.
    dtype = np.int32 if 2 * strongest < 2**31 else np.int64
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
        orphans=np.zeros((2, 2 * n + 2), np.int32),  # most of it is never touched, and costs no memory
        next_orphan=np.empty(n, np.int32),
        span=np.array([[2 * n, 0], [2 * n, 0]], np.int64),
    )
    _connect(graph, edges)
    return graph


def _widened(graph: Residual) -> Residual:
    """The same graph with room for capacities of 62 bits."""
    return graph._replace(capacity=graph.capacity.astype(np.int64), excess=graph.excess.astype(np.int64))


def _tree_to_grow(graph: Residual) -> int:
    """The shallower tree that can still grow: two trees of like depth give short paths."""
    return SINK if graph.count[SINK] > 0 and graph.depth[SINK] < graph.depth[SOURCE] else SOURCE
