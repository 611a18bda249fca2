"""The graph of a minimum cut, small enough to look at: one patch of the photo, and every augmenting path on it.

The patch has the nodes and edges of the whole photo's graph (Boykov & Jolly 2001): one node per
pixel, a t-link from the source and one to the sink, n-links between neighbours, all with the same
integer capacities. The pixels around the patch keep the labels of the whole photo's minimum cut. An
n-link that leads to one of them is then cut or not by the label of its pixel in the patch alone, so
its capacity belongs to a t-link of that pixel. With that the patch's minimum cut is the whole photo's:
a part of a minimum is a minimum, all else being fixed. (Where several cuts cost the same, they may
choose differently; the lesson counts those pixels.)

Flow is sent along one shortest path with free capacity after the other, until there is none
(Ford & Fulkerson 1956, with the choice of path of Edmonds & Karp 1972). ``grid_maxflow`` in
``segdemo/graphcut/maxflow.py`` reaches the same flow and the same cut much faster; here each step counts.

References:
    Ford & Fulkerson, Maximal flow through a network, Canadian Journal of Mathematics 1956.
    Edmonds & Karp, Theoretical improvements in algorithmic efficiency for network flow problems, JACM 1972.
    Boykov & Jolly, Interactive graph cuts, ICCV 2001, table 1 (the capacities).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from functools import cached_property

import cv2
import numpy as np

from ..errors import ParameterError
from ..graphcut.binary import (
    BACKGROUND,
    OBJECT,
    GraphCutParams,
    binary_seeds,
    log_scores,
    smoothness_term,
)
from ..graphcut.energy import STEPS, data_costs, neighbour_sums, pair_slices
from ..graphcut.likelihood import posterior_costs
from ..graphcut.pixels import minimum_cut, stepper
from ..image import content_key
from ..method import Run

SMALLEST, LARGEST = 2, 12
"""Pixels along a side of the patch."""

CANDIDATES = 60
"""Patches to choose from when none is asked for."""


@dataclass(frozen=True)
class PatchGraph:
    """A graph with two terminals. Nodes 0..h*w-1 are the pixels row by row, then come source and sink.

    Attributes:
        shape: (h, w) of the patch, in pixels.
        ends: (m, 2) int64, the nodes u and v of each edge: first the t-links (source, p) of all pixels,
            then the t-links (p, sink), then the n-links.
        forth: (m,) int64, capacity from u to v.
        back: (m,) int64, capacity from v to u: that of ``forth`` for n-links, 0 for t-links.
    """

    shape: tuple[int, int]
    ends: np.ndarray
    forth: np.ndarray
    back: np.ndarray

    @property
    def source(self) -> int:
        return self.shape[0] * self.shape[1]

    @property
    def sink(self) -> int:
        return self.source + 1

    @cached_property
    def links(self) -> list[list[tuple[int, int, bool]]]:
        """Per node: (neighbour, edge, whether the edge is then walked from u to v)."""
        around: list[list[tuple[int, int, bool]]] = [[] for _ in range(self.sink + 1)]
        for edge, (u, v) in enumerate(self.ends.tolist()):
            around[u].append((v, edge, True))
            around[v].append((u, edge, False))
        return around


@dataclass(frozen=True)
class Augmentation:
    """One augmenting path.

    Attributes:
        edges: its edges from source to sink, with True where walked from u to v.
        bottleneck: the least free capacity on it, which is what it sends.
        total: the value of the flow after it.
    """

    edges: tuple[tuple[int, bool], ...]
    bottleneck: int
    total: int


@dataclass(frozen=True)
class PatchFlow:
    """A maximum flow, path by path.

    Attributes:
        graph: where it flows.
        steps: the augmenting paths in their order, never shorter than the one before.
        inside: (h, w) bool, the source side of the minimum cut: what the source still reaches at the end.
    """

    graph: PatchGraph
    steps: list[Augmentation]
    inside: np.ndarray

    @property
    def value(self) -> int:
        """The value of the maximum flow."""
        return self.steps[-1].total if self.steps else 0

    @property
    def flows(self) -> np.ndarray:
        """(steps + 1, m) int64: the flow on each edge before the first path and after each; negative from v to u."""
        flows = np.zeros((len(self.steps) + 1, len(self.graph.ends)), np.int64)
        for k, step in enumerate(self.steps):
            for edge, forward in step.edges:
                flows[k + 1, edge] = step.bottleneck if forward else -step.bottleneck
        return flows.cumsum(axis=0)

    @property
    def cut(self) -> np.ndarray:
        """(m,) bool: the severed edges, which lead from the source side to the sink side, or n-links the other way."""
        side = np.append(self.inside.ravel(), [True, False])  # the source's own side, the sink's
        first, second = side[self.graph.ends].T
        return (first & ~second) | (~first & second & (self.graph.back > 0))

    @property
    def cut_capacity(self) -> int:
        """The sum of the severed capacities; equals ``value``."""
        return int(self.graph.forth[self.cut].sum())


@dataclass(frozen=True)
class PatchLesson:
    """What the lesson shows.

    Attributes:
        image: (h, w, 3) uint8, the photo at working size.
        seeds: (h, w) uint8, 0 = none, 1 + label.
        labels: (h, w) uint8, the minimum cut of the whole photo, 1 = object.
        corner: (row, column) of the patch's first pixel.
        flow: the patch's graph and the paths on it.
        leaving: how many n-links leave the patch, and their capacities' sum, which the t-links have on top.
    """

    image: np.ndarray
    seeds: np.ndarray
    labels: np.ndarray
    corner: tuple[int, int]
    flow: PatchFlow
    leaving: tuple[int, int]

    def patch(self, array: np.ndarray) -> np.ndarray:
        """The part of an (h, w, ...) array that lies in the patch."""
        (top, left), (height, width) = self.corner, self.flow.graph.shape
        return array[top : top + height, left : left + width]

    @property
    def differing(self) -> int:
        """Pixels of the patch that the whole photo's cut, as cheap, puts on the other side."""
        return int((self.patch(self.labels).astype(bool) != self.flow.inside).sum())


def graph_patch(
    image: np.ndarray, run: Run, centre: tuple[float, float] | None = None, size: int = 8, **values
) -> PatchLesson:
    """The graph of ``size`` x ``size`` pixels around ``centre``, and its maximum flow path by path.

    Args:
        image: (h, w, 3) uint8 at working size.
        run: with ``run.scribbles`` (h, w), 1 = object, 2 = background.
        centre: (x, y) as parts of width and height, in [0, 1]; None takes one that the cut divides.
        size: pixels along a side, 2 to 12; a smaller photo is taken whole.
        values: parameters of the method ``graphcut``.

    Raises:
        ScribbleError: a kind of scribble is missing.
        ParameterError: ``size``, ``centre`` or a parameter is out of its range.
    """
    if not SMALLEST <= size <= LARGEST:
        raise ParameterError(f"size: the patch is {SMALLEST} to {LARGEST} pixels wide (given: {size})")
    if centre is not None and not all(0 <= part <= 1 for part in centre):
        raise ParameterError(f"centre: x and y are parts of the photo's width and height, 0 to 1 (given: {centre})")
    params = GraphCutParams.parse(values)
    seeds = binary_seeds(run, image.shape[:2])
    key = ("graph patch", params, content_key(seeds))
    data, weights, labels = run.cached(key, lambda: whole_cut(image, seeds, params, run))
    if centre is None:
        corner = telling_corner(data, labels, size)
    else:
        corner = corner_around(centre, size, labels.shape)
    graph = take_patch(with_border(data, weights, labels, corner, size), weights, corner, size)
    run.step(0.9, "augmenting paths")
    flow = shortest_augmenting_paths(graph, run)
    return PatchLesson(image, seeds, labels, corner, flow, leaving(weights, corner, graph.shape))


def whole_cut(
    image: np.ndarray, seeds: np.ndarray, params: GraphCutParams, run: Run
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """The energy of the whole photo as the method ``graphcut`` builds it, and its minimum.

    Returns data costs (2, h, w) and pairwise weights, integers, and the labels (h, w) uint8.
    """
    run.step(0.1, "the energy of the whole photo")
    run = replace(run, seed=params.seed)  # the random choices of the method's own run
    costs = posterior_costs(log_scores(image, seeds, params, run))
    weights, _ = smoothness_term(image, params, run)
    data = data_costs(costs, seeds, weights, params.seed_cost)
    _, labels = minimum_cut(data, weights, stepper(run, 0.4, "maximum flow of the whole photo"))
    return data, weights, labels


def corner_around(centre: tuple[float, float], size: int, shape: tuple[int, int]) -> tuple[int, int]:
    """(row, column) of the first pixel of the patch around ``centre``, moved inside the photo where it sticks out."""
    x, y = centre
    middle = int(y * shape[0]), int(x * shape[1])
    return tuple(int(np.clip(m - size // 2, 0, max(extent - size, 0))) for m, extent in zip(middle, shape))


def telling_corner(data: np.ndarray, labels: np.ndarray, size: int) -> tuple[int, int]:
    """(row, column) of a patch to begin with: the cut divides it, and some pixels follow their neighbours, not their own costs."""

    def merit(corner: tuple[int, int]) -> tuple[int, int]:
        window = tuple(slice(start, start + size) for start in corner)
        inside = labels[window] == OBJECT
        costs = data[(slice(None), *window)]
        swayed = (costs[OBJECT] < costs[BACKGROUND]) != inside
        divided = min(inside.sum(), inside.size - inside.sum())
        return int(min(swayed.sum(), divided)), int(divided)

    return max(divided_corners(labels, size), key=merit)


def with_border(
    data: np.ndarray, weights: list[np.ndarray], labels: np.ndarray, corner: tuple[int, int], size: int
) -> np.ndarray:
    """``data`` (2, h, w) whose pixels in the patch bear the n-links that leave it, the others keeping their ``labels``.

    A pixel pays the n-link to a neighbour outside for the label that this neighbour does not have.
    """
    data, inside = data.copy(), np.zeros(labels.shape, bool)
    inside[tuple(slice(start, start + size) for start in corner)] = True
    for step, weight in zip(STEPS, weights):
        first, second = pair_slices(step)
        for own, other in ((first, second), (second, first)):
            leads_out = inside[own] & ~inside[other]
            for label in (BACKGROUND, OBJECT):
                data[(label, *own)] += weight[first] * (leads_out & (labels[other] != label))
    return data


def divided_corners(labels: np.ndarray, size: int) -> list[tuple[int, int]]:
    """At most ``CANDIDATES`` patches that the cut divides: the most evenly divided first, then the most central."""
    height, width = (max(extent - size + 1, 1) for extent in labels.shape)
    sums = cv2.boxFilter(labels.astype(np.float64), -1, (size, size), anchor=(0, 0), normalize=False)[:height, :width]
    smaller = np.minimum(sums, size * size - sums).round().ravel()
    y, x = (axis.ravel() for axis in np.mgrid[:height, :width])
    order = np.lexsort((np.hypot(y - (height - 1) / 2, x - (width - 1) / 2), -smaller))
    order = order[smaller[order] >= smaller.max() / 2]
    order = order[:: -(-len(order) // CANDIDATES)]
    return [(int(y[k]), int(x[k])) for k in order]


def take_patch(data: np.ndarray, weights: list[np.ndarray], corner: tuple[int, int], size: int) -> PatchGraph:
    """The graph of one patch.

    Args:
        data: (2, h, w) int64, cost of background and object; see ``with_border``. Cutting (source, p) makes p background, so
            its capacity is the cost of background; that of (p, sink) is the cost of object.
        weights: per step of ``STEPS`` the n-links' capacities, (h, w) int64, at the first pixel.
        corner, size: where the patch begins, and how many pixels it has along a side at most.
    """
    window = tuple(slice(start, start + size) for start in corner)
    costs = data[(slice(None), *window)]
    height, width = costs.shape[1:]
    pixels = np.arange(height * width).reshape(height, width)
    source, sink = np.full((2, pixels.size), [[pixels.size], [pixels.size + 1]])
    starts, stops = [source, pixels.ravel()], [pixels.ravel(), sink]
    forth = [costs[BACKGROUND].ravel(), costs[OBJECT].ravel()]
    back = [np.zeros(2 * pixels.size, np.int64)]
    for step, weight in zip(STEPS, weights):
        first, second = pair_slices(step)
        starts.append(pixels[first].ravel())
        stops.append(pixels[second].ravel())
        forth.append(weight[window][first].ravel())
        back.append(forth[-1])
    ends = np.stack([np.concatenate(starts), np.concatenate(stops)], axis=1)
    return PatchGraph((height, width), ends, np.concatenate(forth), np.concatenate(back))


def leaving(weights: list[np.ndarray], corner: tuple[int, int], shape: tuple[int, int]) -> tuple[int, int]:
    """How many n-links lead out of the patch, and the sum of their capacities."""
    window = tuple(slice(start, start + extent) for start, extent in zip(corner, shape))
    there = [np.zeros_like(weight) for weight in weights]
    for step, ones in zip(STEPS, there):
        ones[pair_slices(step)[0]] = 1

    def outward(values: list[np.ndarray]) -> int:
        inner = sum(int(v[window][pair_slices(step)[0]].sum()) for step, v in zip(STEPS, values))
        return int(neighbour_sums(values)[window].sum()) - 2 * inner  # an inner link counts at both of its pixels

    return outward(there), outward(weights)


def shortest_augmenting_paths(graph: PatchGraph, run: Run | None = None) -> PatchFlow:
    """A maximum flow by Edmonds & Karp (1972): each path is one of the shortest that can still carry flow.

    Of several shortest paths the first found counts, so that the same graph gives the same steps.
    """
    flow = [0] * len(graph.ends)
    forth, back = graph.forth.tolist(), graph.back.tolist()
    steps: list[Augmentation] = []
    while True:
        if run is not None:
            run.step(0.9, f"augmenting path {len(steps) + 1}")
        came_by = breadth_first(graph, flow, forth, back)
        if graph.sink not in came_by:
            break
        path = walk_back(graph, came_by)
        free = [forth[edge] - flow[edge] if forward else back[edge] + flow[edge] for edge, forward in path]
        bottleneck = min(free)
        for edge, forward in path:
            flow[edge] += bottleneck if forward else -bottleneck
        total = bottleneck + (steps[-1].total if steps else 0)
        steps.append(Augmentation(path, bottleneck, total))
    inside = np.isin(np.arange(graph.source), list(came_by)).reshape(graph.shape)
    return PatchFlow(graph, steps, inside)


def breadth_first(graph: PatchGraph, flow: list[int], forth: list[int], back: list[int]) -> dict:
    """What the source reaches over edges with free capacity: node -> (node before it, edge, direction).

    Ends as soon as the sink is reached.
    """
    came_by: dict = {graph.source: None}
    queue = deque([graph.source])
    while queue:
        u = queue.popleft()
        for v, edge, forward in graph.links[u]:
            free = forth[edge] - flow[edge] if forward else back[edge] + flow[edge]
            if free > 0 and v not in came_by:
                came_by[v] = (u, edge, forward)
                if v == graph.sink:
                    return came_by
                queue.append(v)
    return came_by


def walk_back(graph: PatchGraph, came_by: dict) -> tuple[tuple[int, bool], ...]:
    """The edges of the path that reached the sink, in order from the source."""
    path = []
    node = graph.sink
    while came_by[node] is not None:
        node, edge, forward = came_by[node]
        path.append((edge, forward))
    return tuple(reversed(path))
