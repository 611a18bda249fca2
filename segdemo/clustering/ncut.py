"""Normalized cut: spectral clustering of a graph whose edges say how alike two places are.

With the affinities W, the degrees D = diag(W 1) and the Laplacian L = D − W, the cut

    Ncut(A₁..A_K) = Σ_k cut(A_k, V − A_k) / assoc(A_k, V)

is relaxed to min fᵀLf / fᵀDf subject to fᵀD1 = 0, and solved by L f = λ D f. The K leading
eigenvectors give each node a point; a rotation that brings the points to the axes gives the labels.

References:
    J. Shi, J. Malik, Normalized cuts and image segmentation, IEEE Trans. PAMI 22 (2000).
    S. X. Yu, J. Shi, Multiclass spectral clustering, ICCV 2003.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import cv2
import numpy as np
import scipy.linalg
from pydantic import Field
from scipy.sparse import coo_matrix, csr_matrix, diags, identity
from scipy.sparse.linalg import ArpackNoConvergence, eigsh
from scipy.spatial import cKDTree

from ..errors import ParameterError
from ..labels import distinct_colours
from ..method import Params, Run, method
from ..segmentation import Picture, Segmentation, heatmap, resize_nearest
from .features import draw_boundaries, lab_colours, rank_by_area, region_means
from .slic import slic_superpixels

GRID_PIXELS = 96 * 96  # nodes of the pixel graph: more would cost seconds for the same segments
DENSE_NODES = 1000  # up to here all eigenvectors at once are quick; beyond, Lanczos iterations
FINE_SUPERPIXELS = 2000  # regions that carry the pixel graph's labels back to the edges of the photo
ROUNDING_STARTS = 10
ROUNDING_ITERATIONS = 30


class NcutParams(Params):
    segments: int = Field(6, ge=2, le=20, description="number of segments K")
    graph: Literal["superpixels", "pixels"] = Field(
        "superpixels", description="nodes: SLIC superpixels, or the pixels of the photo reduced to about 96 x 96"
    )
    superpixels: int = Field(400, ge=50, le=1500, description="nodes of the superpixel graph")
    sigma_colour: float = Field(15.0, ge=2, le=60, description="Lab distance at which affinity falls to 1/e")
    sigma_position: float = Field(5.0, ge=1, le=30, description="distance, in nodes, at which affinity falls to 1/e")
    radius: float = Field(8.0, ge=1.5, le=12, description="nodes farther apart than this many nodes are not joined")


class Graph(NamedTuple):
    """An affinity graph of N nodes on a photo, and the way back from its nodes to the pixels.

    ``affinity`` (N, N) sparse; ``node_of_pixel`` (h, w) int32; ``regions`` (h, w) int32 are kept
    whole when labels go back to the photo, each by the ``votes`` (regions, N) of its nodes.
    """

    affinity: csr_matrix
    node_of_pixel: np.ndarray
    regions: np.ndarray
    votes: csr_matrix

    def paint(self, labels: np.ndarray) -> np.ndarray:
        """(h, w) labels of the photo from the (N,) labels of the nodes."""
        one_hot = np.eye(int(labels.max()) + 1)[labels]  # (N, K)
        return (self.votes @ one_hot).argmax(1)[self.regions]


class RoundingStep(NamedTuple):
    """``labels`` (N,) of the nodes and the ``error`` ‖X − X̃R‖² of their indicator matrix X."""

    labels: np.ndarray
    error: float


class NormalizedCut(NamedTuple):
    """``labels`` (N,) 0..K-1, ``eigenvalues`` (K,) rising, ``eigenvectors`` (N, K), ``rounding`` step by step."""

    labels: np.ndarray
    eigenvalues: np.ndarray
    eigenvectors: np.ndarray
    rounding: list[RoundingStep]


def affinity_matrix(
    colours: np.ndarray, positions: np.ndarray, sigma_colour: float, sigma_position: float, radius: float
) -> csr_matrix:
    """W_ij = exp(−‖colour_i − colour_j‖² / σ_c² − ‖position_i − position_j‖² / σ_x²) within ``radius``, else 0.

    Takes (N, 3) colours and (N, 2) positions; returns symmetric (N, N) sparse float64 with W_ii = 1
    (Shi & Malik 2000, eq. 11).
    """
    i, j = cKDTree(positions).query_pairs(radius, output_type="ndarray").T
    colour = ((colours[i] - colours[j]) ** 2).sum(1) / sigma_colour**2
    position = ((positions[i] - positions[j]) ** 2).sum(1) / sigma_position**2
    half = coo_matrix((np.exp(-colour - position), (i, j)), shape=(len(colours), len(colours))).tocsr()
    return (half + half.T + identity(len(colours))).tocsr()


def leading_eigenvectors(affinity: csr_matrix, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The ``count`` smallest solutions of L f = λ D f: λ (count,) rising, f (N, count) with fᵀDf = 1.

    With f = D^(−1/2) z this is the largest part of the spectrum of D^(−1/2) W D^(−1/2), which is symmetric.
    """
    nodes = affinity.shape[0]
    scale = 1 / np.sqrt(np.asarray(affinity.sum(1)).ravel())
    normalized = (diags(scale) @ affinity @ diags(scale)).tocsr()
    if nodes <= DENSE_NODES:
        values, z = scipy.linalg.eigh(normalized.toarray(), subset_by_index=[nodes - count, nodes - 1])
    else:
        options = {"k": count, "which": "LA", "v0": rng.random(nodes), "ncv": max(3 * count, 40)}
        try:
            values, z = eigsh(normalized, tol=1e-6, maxiter=100, **options)
        except ArpackNoConvergence:  # a graph almost fallen apart has many equal eigenvalues: any of them will do
            values, z = eigsh(normalized, tol=1e-3, **options)
    order = np.argsort(-values)
    return np.maximum(1 - values[order], 0), z[:, order] * scale[:, None]


def largest_residual(affinity: csr_matrix, eigenvalues: np.ndarray, eigenvectors: np.ndarray) -> float:
    """max over the pairs of ‖L f − λ D f‖ / ‖D f‖: how well the eigenproblem is solved."""
    scaled = np.asarray(affinity.sum(1)).ravel()[:, None] * eigenvectors  # D f
    residual = scaled - affinity @ eigenvectors - scaled * eigenvalues
    return float((np.linalg.norm(residual, axis=0) / np.linalg.norm(scaled, axis=0)).max())


def ncut_value(affinity: csr_matrix, labels: np.ndarray) -> float:
    """Ncut = Σ_k cut(A_k, V − A_k) / assoc(A_k, V) of (N,) labels, between 0 and the number of segments."""
    indicator = np.eye(int(labels.max()) + 1)[labels]  # (N, K)
    total = indicator.T @ np.asarray(affinity.sum(1)).ravel()  # assoc(A_k, V)
    cut = ((1 - indicator) * (affinity @ indicator)).sum(0)  # cut(A_k, V − A_k)
    return float((cut[total > 0] / total[total > 0]).sum())


def first_rotation(rows: np.ndarray, start: int) -> np.ndarray:
    """K rows of (N, K) as orthogonal as can be found, as the columns of (K, K), beginning with row ``start``."""
    rotation, overlap = rows[start][:, None], np.zeros(len(rows))
    for _ in range(rows.shape[1] - 1):
        overlap += np.abs(rows @ rotation[:, -1])
        rotation = np.column_stack([rotation, rows[overlap.argmin()]])
    return rotation


def discretize(eigenvectors: np.ndarray, start: int) -> list[RoundingStep]:
    """The labels nearest to (N, K) eigenvectors up to a rotation, step by step (Yu & Shi 2003, section 3.2).

    Alternates two exact minimizations of ‖X − X̃R‖²: the indicator X for a rotation R, by the largest
    entry of each row, and R for X, by a singular value decomposition. The error never rises.
    """
    norms = np.linalg.norm(eigenvectors, axis=1, keepdims=True)
    # X̃: each node on the unit sphere, but rounding noise (of a group that no eigenvector speaks of) stays noise.
    rows = eigenvectors / np.where(norms > 1e-8 * norms.max(), norms, np.inf)
    rotation, steps = first_rotation(rows, start), []
    for _ in range(ROUNDING_ITERATIONS):
        labels = (rows @ rotation).argmax(1)
        indicator = np.eye(rows.shape[1])[labels]
        u, _, vt = np.linalg.svd(rows.T @ indicator)
        rotation = u @ vt
        steps.append(RoundingStep(labels, float(((indicator - rows @ rotation) ** 2).sum())))
        if len(steps) > 1 and np.array_equal(labels, steps[-2].labels):
            break
    return steps


def normalized_cut(affinity: csr_matrix, segments: int, rng: np.random.Generator) -> NormalizedCut:
    """Cut a graph into ``segments`` parts of small normalized cut.

    Takes a symmetric non-negative (N, N) sparse matrix with positive row sums. The rounding is
    begun from several nodes, drawn with ``rng``; the start that ends with the lowest error is kept.
    Raises ``ParameterError`` when there are fewer nodes than segments.
    """
    nodes = affinity.shape[0]
    if segments > nodes:
        raise ParameterError(f"the graph has only {nodes} nodes: lower segments to {nodes}")
    eigenvalues, eigenvectors = leading_eigenvectors(affinity, segments, rng)
    starts = rng.choice(nodes, min(ROUNDING_STARTS, nodes), replace=False)
    rounding = min((discretize(eigenvectors, start) for start in starts), key=lambda steps: steps[-1].error)
    return NormalizedCut(rounding[-1].labels, eigenvalues, eigenvectors, rounding)


def superpixel_graph(lab: np.ndarray, superpixels: np.ndarray, params: NcutParams) -> Graph:
    """Nodes are superpixels with their mean colour and position; distances count in their mean spacing."""
    count = int(superpixels.max()) + 1
    positions = region_means(np.indices(superpixels.shape).transpose(1, 2, 0), superpixels, count)
    positions /= np.sqrt(superpixels.size / count)
    colours = region_means(lab, superpixels, count)
    affinity = affinity_matrix(colours, positions, params.sigma_colour, params.sigma_position, params.radius)
    return Graph(affinity, superpixels, superpixels, identity(count, format="csr"))


def pixel_graph(lab: np.ndarray, superpixels: np.ndarray | None, params: NcutParams) -> Graph:
    """Nodes are the pixels of the photo, reduced to the given number at most; distances count in these pixels.

    After a reduction the labels go back by majority in each superpixel, so that they follow the photo's edges.
    """
    height, width = lab.shape[:2]
    reduction = max(1.0, np.sqrt(height * width / GRID_PIXELS))
    rows, columns = max(1, round(height / reduction)), max(1, round(width / reduction))
    small = cv2.resize(lab, (columns, rows), interpolation=cv2.INTER_AREA)
    positions = np.indices((rows, columns)).reshape(2, -1).T.astype(np.float64)
    colours = small.reshape(-1, 3).astype(np.float64)
    affinity = affinity_matrix(colours, positions, params.sigma_colour, params.sigma_position, params.radius)
    nodes = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    node_of_pixel = resize_nearest(nodes, (height, width))
    regions = node_of_pixel if superpixels is None else superpixels
    shape = int(regions.max()) + 1, rows * columns
    votes = coo_matrix((np.ones(regions.size), (regions.ravel(), node_of_pixel.ravel())), shape=shape).tocsr()
    return Graph(affinity, node_of_pixel, regions, votes)


def build_graph(image: np.ndarray, params: NcutParams, run: Run) -> Graph:
    """The graph that ``params`` asks for; the superpixels are kept for the next run on the same photo."""
    lab = lab_colours(image)
    on_pixels = params.graph == "pixels"
    count = FINE_SUPERPIXELS if on_pixels else params.superpixels
    if on_pixels and lab.shape[0] * lab.shape[1] <= GRID_PIXELS:
        return pixel_graph(lab, None, params)
    superpixels = run.cached(("superpixels", count), lambda: slic_superpixels(lab, count))
    return (pixel_graph if on_pixels else superpixel_graph)(lab, superpixels, params)


def eigenvector_pictures(graph: Graph, cut: NormalizedCut, most: int = 8) -> list[Picture]:
    """The eigenvectors after the first, which is constant on a connected graph, as heat maps."""
    note = "The segments are where the eigenvectors are nearly constant: equal colours belong together."
    return [
        Picture(
            f"eigenvector {k + 1}, λ = {cut.eigenvalues[k]:.3g}",
            heatmap(cut.eigenvectors[:, k][graph.node_of_pixel]),
            note,
        )
        for k in range(1, min(len(cut.eigenvalues), most + 1))
    ]


@method("ncut", family="clustering", title="Normalized cuts", params=NcutParams, order=30)
def ncut(image: np.ndarray, params: NcutParams, run: Run) -> Segmentation:
    """Normalized cut parts a graph of similar neighbours where its links are weak: spectral clustering.

    The nodes are superpixels or the pixels of the reduced photo, and their affinity falls with
    the distance in colour and position. The frames show the rounding of the eigenvectors to labels.
    """
    run.step(0.0, "building the graph")
    with run.time("graph"):
        graph = build_graph(image, params, run)
    nodes = graph.affinity.shape[0]
    segments = min(params.segments, nodes)
    run.step(0.3, f"eigenvectors of {nodes} nodes")
    with run.time("eigenvectors and rounding"):
        cut = normalized_cut(graph.affinity, segments, run.rng)
    labels = graph.paint(cut.labels)
    rank = rank_by_area(labels, segments)
    labels = rank[labels]
    for number, step in enumerate(cut.rounding if run.keep_frames else [], start=1):
        run.step(0.7 + 0.3 * number / len(cut.rounding), f"rounding {number}")
        value = ncut_value(graph.affinity, step.labels)
        run.frame(f"rounding {number}: Ncut {value:.4f}", rank[graph.paint(step.labels)], energy=step.error)
    result = Segmentation(
        labels,
        ["segment 1 (largest)", *(f"segment {k + 1}" for k in range(1, segments))],
        distinct_colours(segments),
        energy_name="rounding error ‖X − X̃R‖²",
        pictures=[
            Picture("boundaries", draw_boundaries(image, labels), "The segments' boundaries on the photo."),
            *eigenvector_pictures(graph, cut),
        ],
        facts={
            "Ncut": ncut_value(graph.affinity, cut.labels),
            "eigenvalues λ": ", ".join(f"{value:.3g}" for value in cut.eigenvalues),
            "largest residual ‖L f − λ D f‖ / ‖D f‖": largest_residual(
                graph.affinity, cut.eigenvalues, cut.eigenvectors
            ),
            "nodes": nodes,
            "edges": (graph.affinity.nnz - nodes) // 2,
        },
    )
    if segments < params.segments:
        result.notices.append(
            f"The photo gives only {nodes} nodes, so K was lowered from {params.segments} to {segments}."
        )
    return result
