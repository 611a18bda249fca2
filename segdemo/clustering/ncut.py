"""Normalized cuts: a graph of places that are alike, parted where its links are weak.

Three steps, a file each: the affinities of superpixels or pixels (``affinity.py``), the eigenvectors of the graph's
Laplacian with their rounding to K parts (``spectral.py``), or cuts into two again and again (``bisection.py``).
The defaults were chosen on every other validation photo of BSDS500; ``benchmarks/clustering.py --half odd`` measures on
the rest.

References:
    J. Shi, J. Malik, Normalized cuts and image segmentation, IEEE Trans. PAMI 22 (2000).
    S. X. Yu, J. Shi, Multiclass spectral clustering, ICCV 2003.
    T. Cour, F. Bénézit, J. Shi, Spectral segmentation with multiscale graph decomposition, CVPR 2005: the contours.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from pydantic import Field

from ..lab import lab_colours
from ..labels import distinct_colours
from ..method import Params, Run, method
from ..notation import number_text
from ..segmentation import Picture, Segmentation, heatmap, resize_nearest
from .affinity import GRID_PIXELS, Affinity, Graph, contour_strength, pixel_graph, superpixel_graph
from .bisection import recursive_cuts
from .features import draw_boundaries, rank_by_area
from .slic import slic_superpixels
from .spectral import eigengap, largest_residual, leading_eigenvectors, ncut_value, normalized_cut

COMPACTNESS = 10.0
FINE_SUPERPIXELS = 2000  # regions that carry the pixel graph's labels back to the edges of the photo
MOST_SEGMENTS = 20
ROUNDING = 1e-12  # an eigenvalue closer to 0 is 0


class NcutParams(Params):
    segments: int = Field(6, ge=2, le=MOST_SEGMENTS, description="number of segments K")
    automatic: bool = Field(False, description="choose K: at the eigengap, or recursive cuts up to the Ncut limit")
    cuts: Literal["k-way", "recursive"] = Field(
        "k-way", description="all segments at once from K eigenvectors, or each part in two by the second eigenvector"
    )
    ncut_limit: float = Field(0.05, ge=0.001, le=1, description="recursive: parts whose best Ncut is larger stay whole")
    graph: Literal["superpixels", "pixels"] = Field(
        "superpixels", description="nodes: SLIC superpixels, or the pixels of the photo reduced to about 96 x 96"
    )
    superpixels: int = Field(400, ge=50, le=1500, description="nodes of the superpixel graph")
    sigma_colour: float = Field(15.0, ge=2, le=60, description="Lab distance at which affinity falls to 1/e")
    sigma_position: float = Field(
        0.3, ge=0.02, le=2, description="distance, in sides of the photo, at which affinity falls to 1/e"
    )
    radius: float = Field(0.6, ge=0.02, le=1, description="nodes farther apart, in sides of the photo, are not joined")
    contour: float = Field(1.0, ge=0, le=5, description="weight of the edges between two nodes; 0 ignores them")

    @property
    def scales(self) -> Affinity:
        return Affinity(self.sigma_colour, self.sigma_position, self.radius, self.contour, WEAKEST)


WEAKEST = 3e-4
"""ε: neighbours are linked at least so much; without it the cheapest cuts free single nodes."""


@dataclass
class Parted:
    """The parts of a graph of N nodes: ``labels`` (N,), the eigenvectors behind them, and how they came about.

    ``steps`` are captions, labels and objectives, one by one; the first has the number ``first_step``.
    """

    labels: np.ndarray
    eigenvalues: np.ndarray
    eigenvectors: np.ndarray
    objective: str
    steps: list[tuple[str, np.ndarray, float]]
    step_names: tuple[str, str]
    first_step: int
    facts: dict[str, Any] = field(default_factory=dict)


def build_graph(image: np.ndarray, params: NcutParams, run: Run) -> tuple[Graph, np.ndarray]:
    """The graph that ``params`` asks for and the contour strength; superpixels are kept for the photo's next run."""
    lab = lab_colours(image)
    contours = contour_strength(lab)
    on_pixels = params.graph == "pixels"
    count = FINE_SUPERPIXELS if on_pixels else params.superpixels
    superpixels = None
    if not on_pixels or lab.shape[0] * lab.shape[1] > GRID_PIXELS:
        key = "superpixels", count, COMPACTNESS  # that of ``Run.superpixels``, which needs an engine
        superpixels = run.cached(key, lambda: slic_superpixels(lab, count, COMPACTNESS))
    build = pixel_graph if on_pixels else superpixel_graph
    return build(lab, superpixels, params.scales, contours), contours


def k_way(graph: Graph, params: NcutParams, run: Run) -> Parted:
    """All parts at once: K eigenvectors, rounded (Yu & Shi 2003); where asked, K is where the eigenvalues leap."""
    affinity, segments = graph.affinity, min(params.segments, graph.affinity.shape[0])
    facts, solved = {}, None
    if params.automatic and affinity.shape[0] > 2:
        few = min(MOST_SEGMENTS + 1, affinity.shape[0])
        solved = leading_eigenvectors(affinity, few, run.rng, run.check)
        facts["K at the eigengap"] = segments = eigengap(solved[0])
    cut = normalized_cut(affinity, segments, run.rng, run.check, solved)
    steps = [
        (f"rounding {number}: Ncut {ncut_value(affinity, step.labels):.4f}", step.labels, step.error)
        for number, step in enumerate(cut.rounding if run.keep_frames else [], start=1)
    ]
    named = ("rounding", "roundings"), 1
    return Parted(cut.labels, cut.eigenvalues, cut.eigenvectors, "rounding error ‖X − X̃R‖²", steps, *named, facts)


def recursive(graph: Graph, params: NcutParams, run: Run) -> Parted:
    """Cuts into two, the cheapest first, up to K parts or the limit; the eigenvectors are those of the whole graph."""
    affinity, most = graph.affinity, MOST_SEGMENTS if params.automatic else params.segments
    limit = params.ncut_limit if params.automatic else np.inf
    on_cut = lambda n: run.step(0.3 + 0.4 * n / most, f"{n} parts")  # noqa: E731
    tree = recursive_cuts(affinity, limit, most, on_cut=on_cut, on_product=run.check)
    values, vectors = leading_eigenvectors(affinity, min(params.segments, affinity.shape[0]), run.rng, run.check)
    steps = []
    for cuts in range(len(tree.leaves()) if run.keep_frames else 0):
        labels = tree.labels(cuts)
        value = ncut_value(affinity, labels)
        steps.append((f"{cuts} cut{'s' * (cuts > 1)}: Ncut {value:.4f}" if cuts else "the whole photo", labels, value))
    parts = len(tree.leaves())
    facts = {f"K at the Ncut limit of {limit:g}": parts} if params.automatic else {}
    return Parted(tree.labels(), values, vectors, "Ncut of all parts", steps, ("cut", "cuts"), 0, facts)


def pictures(
    image: np.ndarray, labels: np.ndarray, contours: np.ndarray, graph: Graph, parted: Parted
) -> list[Picture]:
    """Boundaries, the contours between nodes, and the eigenvectors after the first, which is constant."""
    edges = heatmap(resize_nearest(contours, labels.shape), 0.0, max(float(contours.max()), 1.0))
    note = "Segments are where eigenvectors are nearly constant. The scale leaves out 2 % of the pixels at either end."
    return [
        Picture("boundaries", draw_boundaries(image, labels), "The segments' boundaries on the photo."),
        Picture("contours", edges, "Where a line between two nodes crosses a bright edge, their affinity falls."),
        *(
            Picture(
                f"eigenvector {k + 1}, λ = {number_text(parted.eigenvalues[k], 3)}",
                vector_map(f[graph.node_of_pixel]),
                note,
            )
            for k, f in list(enumerate(parted.eigenvectors.T))[1:9]
        ),
    ]


def vector_map(values: np.ndarray) -> np.ndarray:
    """An eigenvector at each pixel, (h, w) float, as a picture, (h, w, 3) uint8 RGB.

    The scale ends where 2 % of the pixels lie beyond: one small part that the rest of the photo hardly holds has
    values far from all others, which would have a single colour. Where the rest is constant, that is what is to be seen.
    """
    low, high = np.percentile(values, [2, 98])
    whole = values.max() - values.min()
    return heatmap(values, low, high) if high - low > 1e-3 * whole else heatmap(values)


def facts_of(graph: Graph, parted: Parted, on_pixels: bool) -> dict[str, Any]:
    """Single values worth showing: the cut's value, the spectrum with its residual, the graph's size.

    Where pixels are the nodes, the photo shows the votes of their superpixels, whose Ncut is a little larger.
    """
    nodes, residual = graph.affinity.shape[0], largest_residual(graph.affinity, parted.eigenvalues, parted.eigenvectors)
    return {
        "Ncut of the nodes" if on_pixels else "Ncut": ncut_value(graph.affinity, parted.labels),
        **parted.facts,
        "eigenvalues λ": ", ".join(
            number_text(value, 3) if abs(value) > ROUNDING else "0" for value in parted.eigenvalues
        ),
        "largest residual ‖L f − λ D f‖ / ‖D f‖": residual,
        "nodes": nodes,
        "edges": (graph.affinity.nnz - nodes) // 2,
    }


@method("ncut", family="clustering", title="Normalized cuts", params=NcutParams, order=30)
def ncut(image: np.ndarray, params: NcutParams, run: Run) -> Segmentation:
    """Normalized cut parts a graph of similar neighbours where its links are weak: spectral clustering.

    The nodes are superpixels or the pixels of the reduced photo, and their affinity falls with the distance in
    colour and position and with the edges between them. The frames show the rounding of the eigenvectors to labels,
    or cut by cut.
    """
    run.step(0.0, "building the graph")
    with run.time("graph"):
        graph, contours = build_graph(image, params, run)
    nodes = graph.affinity.shape[0]
    run.step(0.3, f"eigenvectors of {nodes} nodes")
    with run.time("eigenvectors and cuts"):
        parted = (recursive if params.cuts == "recursive" else k_way)(graph, params, run)
    segments = int(parted.labels.max()) + 1
    labels = graph.paint(parted.labels)
    rank = rank_by_area(labels, segments)
    labels = rank[labels]
    for number, (caption, step, value) in enumerate(parted.steps, start=1):
        run.step(0.7 + 0.3 * number / len(parted.steps), caption)
        run.frame(caption, rank[graph.paint(step)], energy=value, step=parted.first_step + number - 1)
    result = Segmentation(
        labels,
        ["segment 1 (largest)", *(f"segment {k + 1}" for k in range(1, segments))],
        distinct_colours(segments),
        energy_name=parted.objective,
        step_names=parted.step_names,
        pictures=pictures(image, labels, contours, graph, parted),
        facts=facts_of(graph, parted, params.graph == "pixels"),
    )
    seen = int(labels.max()) + 1
    if nodes < params.segments and not params.automatic:
        result.notices.append(
            f"The photo gives only {nodes} node{'s' * (nodes > 1)}, so K was lowered from {params.segments} to {segments}."
        )
    elif seen < segments:
        result.notices.append(f"{segments - seen} of {segments} parts are too small to be seen at the photo's size.")
    return result
