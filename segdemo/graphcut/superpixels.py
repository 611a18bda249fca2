"""The graph of superpixels: few nodes in place of millions, for large photos.

A superpixel is a small connected group of similar pixels. All pixels of one get the same label here, so a
node can stand for all of them. What the energy of ``energy.py`` then comes to is the energy of a smaller graph,
exactly: a node's data cost is the sum over its pixels, and two nodes are tied by the sum over the pairs of
neighbours on their common border,

    D_S(l) = sum_(p in S) D_p(l)        V_ST = sum_(p in S, q in T) V_pq,

while pairs inside a superpixel are never cut. Its minimum cut is the best of all labelings that follow
the superpixels; the best of all labelings costs as much or less, and follows edges that the superpixels missed.

Seeds are obeyed all the same. A superpixel with strokes of both kinds is divided in two nodes, by the minimum cut
of its own pixels alone (on the grid of ``maxflow.py``). Where seeds are hard, what overruling a node's seed costs
outweighs all its edges and all its other pixels together, as at a single pixel it outweighs all edges.

References:
    Li, Sun, Tang & Shum, Lazy snapping, SIGGRAPH 2004 (a graph cut of watershed regions).
    Achanta et al., SLIC superpixels compared to state-of-the-art superpixel methods, PAMI 2012 (our regions).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..method import Run
from ..segmentation import Picture
from .energy import BACKGROUND, OBJECT, STEPS, compiled, cut_pairs, is_hard, pair_slices
from .maxflow import grid_maxflow
from .pixels import REPLAY, cut_frame, draw_cut, stepper
from .sparse_maxflow import SparseGraph, sparse_graph, sparse_maxflow

COMPACTNESS = 10.0  # of SLIC, its usual value; what the cuts are like hardly depends on it from 2.5 to 20


@dataclass(frozen=True)
class SuperpixelGraph:
    """The energy of all labelings that are alike within each node.

    Attributes:
        nodes: (h, w) int32, the node 0..n-1 of each pixel.
        costs: (2, n) int64, the data costs of the nodes, with what overruling their seeds costs.
        edges: the ties between the nodes.
        divided: how many superpixels became two nodes, having strokes of both kinds.
    """

    nodes: np.ndarray
    costs: np.ndarray
    edges: SparseGraph
    divided: int

    def cut(self, image: np.ndarray, data: np.ndarray, weights: list[np.ndarray], run: Run) -> tuple[np.ndarray, int]:
        """Labels (h, w) uint8 of the least energy and the value of the flow, with frames as ``pixels.cut_pixels`` has them.

        Their images show the superpixels and the cut on the photo.
        """
        parts = REPLAY if run.keep_frames else (1,)
        for i, part in enumerate(parts, start=1):
            capacity = np.rint(part * self.edges.capacity).astype(np.int64)
            on_pass = stepper(run, 0.2 + 0.7 * i / len(parts), f"maximum flow at {100 * part:.0f} % of λ")
            graph = self.edges._replace(capacity=capacity)
            flow, inside = sparse_maxflow(self.costs[BACKGROUND], self.costs[OBJECT], graph, on_pass)
            labels = inside.astype(np.uint8)[self.nodes]
            shown = self.picture(image, labels).image if run.keep_frames else None
            cut_frame(part, labels, data, weights, run, "superpixel", shown)
        return labels, flow

    def facts(self, labels: np.ndarray, of_pixels: dict) -> dict:
        """The graph's numbers with its cut in (h, w) labels, and beside them those that ``energy_facts`` has of the pixels."""
        of_nodes = np.zeros(self.costs.shape[1], np.uint8)
        of_nodes[self.nodes.ravel()] = labels.ravel()
        severed = of_nodes[self.edges.tails] != of_nodes[self.edges.heads]
        return {
            "nodes": len(of_nodes),
            "edges": len(self.edges.heads) // 2,
            "cut edges": int(severed.sum()) // 2,
            "superpixels divided between strokes": self.divided,
            "nodes of the graph of pixels": of_pixels["nodes"],
            "edges of the graph of pixels": of_pixels["edges"],
            "cut pairs of pixels": of_pixels["cut edges"],
        }

    def picture(self, image: np.ndarray, labels: np.ndarray) -> Picture:
        """The superpixels' borders on the photo, those that are cut in red."""
        drawn = draw_borders(image, self.nodes)
        draw_cut(drawn, labels)
        return Picture(
            "Superpixels and the cut", drawn, "Yellow = borders of the superpixels, the nodes; red = the cut."
        )


def superpixel_graph(
    superpixels: np.ndarray, data: np.ndarray, seeds: np.ndarray, weights: list[np.ndarray], seed_cost: float = 0.0
) -> SuperpixelGraph:
    """The graph of a photo's superpixels.

    Args:
        superpixels: (h, w) integers, 0..n-1.
        data: (2, h, w) int64, the data term of ``data_costs``, the seeds included.
        seeds: (h, w) uint8, 0 = none, else 1 + the label.
        weights: the pairwise weights, per step of ``STEPS`` (h, w) int64.
        seed_cost: as ``data_costs`` takes it; 0 = seeds are hard.
    """
    nodes, divided = divide(superpixels, data, seeds, weights)
    edges = border_graph(nodes, weights)
    if is_hard(seed_cost):
        return SuperpixelGraph(nodes, hard_costs(data, seeds, nodes, edges), edges, divided)
    return SuperpixelGraph(nodes, node_sums(data, nodes), edges, divided)


def divide(
    superpixels: np.ndarray, data: np.ndarray, seeds: np.ndarray, weights: list[np.ndarray]
) -> tuple[np.ndarray, int]:
    """The superpixels, (h, w) int32, each that has seeds of both labels divided in two, and how many those are.

    The two parts are the sides of the minimum cut of its own pixels, edges that leave it left out.
    """
    superpixels = superpixels.astype(np.int32, copy=False)
    both = np.intersect1d(superpixels[seeds == BACKGROUND + 1], superpixels[seeds == OBJECT + 1])
    if len(both) == 0:
        return superpixels, 0
    count = int(superpixels.max()) + 1
    place = np.full(count, -1, np.int32)
    place[both] = np.arange(len(both))
    inside = place[superpixels] >= 0
    window = tuple(slice(along[0], along[-1] + 1) for along in map(np.unique, np.nonzero(inside)))
    own = [weight[window] * ~cut_pairs(superpixels, step)[window] for step, weight in zip(STEPS, weights)]
    source, sink = (np.where(inside[window], data[label][window], 0) for label in (BACKGROUND, OBJECT))
    chosen = np.zeros(inside.shape, bool)
    chosen[window] = grid_maxflow(source, sink, *own)[1]
    nodes = np.where(chosen & inside, count + place[superpixels], superpixels)
    used = np.bincount(nodes.ravel()) > 0  # soft seeds may be overruled, and leave one part without pixels
    return (np.cumsum(used, dtype=np.int32) - 1)[nodes], len(both)


def border_graph(nodes: np.ndarray, weights: list[np.ndarray]) -> SparseGraph:
    """The edges between (h, w) nodes that touch, each as strong as all pairs of pixels across the border together."""
    pairs = []
    for step, weight in zip(STEPS, weights):
        first, second = pair_slices(step)
        across = nodes[first] != nodes[second]
        pairs.append((nodes[first][across], nodes[second][across], weight[first][across]))
    return sparse_graph(*map(np.concatenate, zip(*pairs)), count=int(nodes.max()) + 1)


def hard_costs(data: np.ndarray, seeds: np.ndarray, nodes: np.ndarray, edges: SparseGraph) -> np.ndarray:
    """The nodes' data costs, (2, n) int64, so that no minimum cut overrules a node's seed.

    Labelings that obey all seeds cost what they cost by ``data``.
    """
    sums = node_sums(np.where(seeds > 0, 0, data), nodes)
    price = 1 + int((sums + edges.node_sums()).max())
    for label in (BACKGROUND, OBJECT):
        sums[1 - label, np.unique(nodes[seeds == label + 1])] += price
    return sums


def node_sums(data: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """(2, h, w) int64 summed over each node's pixels, (2, n) int64."""
    sums = np.zeros((len(data), int(nodes.max()) + 1), np.int64)
    _add_to_nodes(data.reshape(len(data), -1), nodes.ravel(), sums)
    return sums


@compiled
def _add_to_nodes(data, nodes, sums):
    for label in range(len(data)):
        for p in range(len(nodes)):
            sums[label, nodes[p]] += data[label, p]


def draw_borders(image: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """A copy of the (h, w, 3) uint8 photo with the borders between the nodes, halfway to yellow."""
    drawn = image.copy()
    border = cut_pairs(nodes, STEPS[0]) | cut_pairs(nodes, STEPS[1])
    drawn[border] = drawn[border] // 2 + np.array([127, 110, 0], np.uint8)
    return drawn
