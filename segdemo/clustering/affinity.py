"""Affinity graphs of a photo: how alike two places are in colour, position, and by the contours between them.

    W_ij = exp(−‖p_i − p_j‖² / σ_x²) · max(exp(−‖c_i − c_j‖² / σ_c² − w · max_{t on the line i–j} e(t)), ε)

for places at most ``radius`` apart, else 0. Positions count in sides of the photo (the root of its area), c is the
colour in Lab, e the strength of the contours: a place beyond an edge is another thing even where it looks the same.

References:
    J. Shi, J. Malik, Normalized cuts and image segmentation, IEEE Trans. PAMI 22 (2000), eq. 11: colour and position.
    T. Leung, J. Malik, Contour continuity in region based image segmentation, ECCV 1998: intervening contour.
    T. Cour, F. Bénézit, J. Shi, Spectral segmentation with multiscale graph decomposition, CVPR 2005, section 2.
    C. Grigorescu, N. Petkov, M. Westenberg, Contour detection based on nonclassical receptive field inhibition, IEEE
        Trans. Image Processing 12 (2003): texture is edges among edges.
    A. Amini, A. Chen, P. Bickel, E. Levina, Pseudo-likelihood methods for community detection in large sparse networks,
        Annals of Statistics 41 (2013): a weak link everywhere (here ε) keeps single nodes from being cut off.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numba
import numpy as np
from scipy.sparse import coo_matrix, csr_matrix, identity
from scipy.spatial import cKDTree

from ..segmentation import resize_nearest
from .features import region_means

GRID_PIXELS = 96 * 96  # nodes of the pixel graph: more would cost seconds for the same segments
CONTOUR_PIXELS = 400 * 400  # edges are sought at this size: those of a larger photo's finer details are no outlines
CONTOUR_SCALE = 2.0  # σ of the derivative of a Gaussian, in pixels of that size
NEIGHBOURS = 1.5  # nodes: the least radius
LINKS = 40  # per pixel of the pixel graph
TEXTURE_SCALE = 12.0  # σ of the surroundings whose mean edge strength counts as texture


class Affinity(NamedTuple):
    """What W depends on: ``sigma_colour`` in Lab, ``sigma_position`` and ``radius`` as the positions, ``contour`` w, ``least`` ε."""

    sigma_colour: float
    sigma_position: float
    radius: float
    contour: float = 0.0
    least: float = 0.0


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


def contour_strength(lab: np.ndarray) -> np.ndarray:
    """How strong an edge each place lies on, (r, c) float32 >= 0, from (h, w, 3) float32 Lab.

    The gradient σ ‖∇(G_σ * Lab)‖, less its mean over the surroundings; in units of Lab, at ``CONTOUR_PIXELS`` at most.
    """
    reduction = max(1.0, np.sqrt(lab.shape[0] * lab.shape[1] / CONTOUR_PIXELS))
    rows, columns = (max(1, round(side / reduction)) for side in lab.shape[:2])
    if reduction > 1:
        lab = cv2.resize(lab, (columns, rows), interpolation=cv2.INTER_AREA)
    part = min(1.0, np.sqrt(rows * columns / CONTOUR_PIXELS))  # on a small photo the scales shrink with it
    fine, coarse = max(part * CONTOUR_SCALE, 0.5), max(part * TEXTURE_SCALE, 0.5)
    smooth = cv2.GaussianBlur(lab, (0, 0), fine, borderType=cv2.BORDER_REPLICATE)
    across, down = (cv2.Scharr(smooth, cv2.CV_32F, *d, borderType=cv2.BORDER_REPLICATE) / 32 for d in ((1, 0), (0, 1)))
    gradient = fine * np.sqrt((across**2 + down**2).sum(2))
    texture = cv2.GaussianBlur(gradient, (0, 0), coarse, borderType=cv2.BORDER_REPLICATE)
    return np.maximum(gradient - texture, 0).astype(np.float32)


@numba.njit(cache=True, nogil=True)
def strongest_between(strength: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The largest of (r, c) ``strength`` strictly between ``starts`` and ``ends``, both (n, 2) as row, column: (n,).

    The ends themselves do not count, so that a place on an edge still belongs to one side of it.
    """
    largest = np.zeros(len(starts), np.float32)
    for k in range(len(starts)):
        row, column = starts[k, 0] + 0.5, starts[k, 1] + 0.5
        down, across = ends[k, 0] - starts[k, 0], ends[k, 1] - starts[k, 1]
        steps = int(np.ceil(max(abs(down), abs(across))))
        for step in range(1, steps):
            part = step / max(steps, 1)
            here = strength[int(row + part * down), int(column + part * across)]
            largest[k] = max(largest[k], here)
    return largest


def affinity_matrix(
    colours: np.ndarray, positions: np.ndarray, scales: Affinity, contours: np.ndarray | None = None,
    places: np.ndarray | None = None, pairs: np.ndarray | None = None,
) -> csr_matrix:  # fmt: skip
    """W of (N, 3) ``colours`` and (N, 2) ``positions``: symmetric (N, N) sparse float64 with W_ii = 1.

    With (r, c) ``contours`` and the nodes' (N, 2) ``places`` on them, as row and column, these count too. With
    (2, E) ``pairs`` only these are joined, a pair as often as it occurs; otherwise all within the radius.
    """
    i, j = cKDTree(positions).query_pairs(scales.radius, output_type="ndarray").T if pairs is None else pairs
    position = ((positions[i] - positions[j]) ** 2).sum(1) / scales.sigma_position**2
    unlike = ((colours[i] - colours[j]) ** 2).sum(1) / scales.sigma_colour**2
    if contours is not None and scales.contour > 0:
        unlike += scales.contour * strongest_between(contours, places[i], places[j])
    weights = np.exp(-position) * np.maximum(np.exp(-unlike), scales.least)
    half = coo_matrix((weights, (i, j)), shape=(len(colours), len(colours))).tocsr()
    return (half + half.T + identity(len(colours))).tocsr()


def superpixel_graph(lab: np.ndarray, superpixels: np.ndarray, scales: Affinity, contours: np.ndarray) -> Graph:
    """Nodes are superpixels with their mean colour and position."""
    count, size = int(superpixels.max()) + 1, superpixels.shape
    centres = region_means(np.indices(size).transpose(1, 2, 0), superpixels, count)
    colours, side = region_means(lab, superpixels, count), np.sqrt(superpixels.size)
    scales = scales._replace(radius=max(scales.radius, NEIGHBOURS / np.sqrt(count)))
    affinity = affinity_matrix(colours, centres / side, scales, contours, onto(centres, size, contours.shape))
    return Graph(affinity, superpixels, superpixels, identity(count, format="csr"))


def pixel_graph(lab: np.ndarray, superpixels: np.ndarray | None, scales: Affinity, contours: np.ndarray) -> Graph:
    """Nodes are the pixels of the photo, reduced to ``GRID_PIXELS`` at most, each linked to some drawn at random.

    After a reduction the labels go back by majority in each superpixel, so that they follow the photo's edges.
    """
    height, width = lab.shape[:2]
    reduction = max(1.0, np.sqrt(height * width / GRID_PIXELS))
    size = rows, columns = max(1, round(height / reduction)), max(1, round(width / reduction))
    small = cv2.resize(lab, (columns, rows), interpolation=cv2.INTER_AREA)
    places, side = np.indices(size).reshape(2, -1).T.astype(np.float64), np.sqrt(rows * columns)
    pairs = random_links(size, max(scales.radius * side, NEIGHBOURS))
    onto_contours = onto(places, size, contours.shape)
    affinity = affinity_matrix(
        small.reshape(-1, 3).astype(np.float64), places / side, scales, contours, onto_contours, pairs
    )
    nodes = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    node_of_pixel = resize_nearest(nodes, (height, width))
    regions = node_of_pixel if superpixels is None else superpixels
    shape = int(regions.max()) + 1, rows * columns
    votes = coo_matrix((np.ones(regions.size), (regions.ravel(), node_of_pixel.ravel())), shape=shape).tocsr()
    return Graph(affinity, node_of_pixel, regions, votes)


def random_links(size: tuple[int, int], radius: float) -> np.ndarray:
    """Pairs (2, E) of the places of a grid: each with its right and lower neighbour, and ``LINKS`` drawn within ``radius``.

    The cuts of the drawn graph are those of the whole one up to a factor, nearly; its eigenvectors are found sooner.
    A link drawn twice counts twice, as in any sample with replacement: there, W_ij may exceed 1.
    """
    rng = np.random.default_rng(0)
    row, column = (index.ravel() for index in np.indices(size))
    angle, reach = 2 * np.pi * rng.random((LINKS, row.size)), radius * np.sqrt(rng.random((LINKS, row.size)))
    down = np.vstack([np.ones_like(row), np.zeros_like(row), (reach * np.sin(angle)).round()]).astype(np.intp)
    across = np.vstack([np.zeros_like(row), np.ones_like(row), (reach * np.cos(angle)).round()]).astype(np.intp)
    there = row + down, column + across
    inside = (
        (there[0] >= 0) & (there[0] < size[0]) & (there[1] >= 0) & (there[1] < size[1]) & ((down != 0) | (across != 0))
    )
    here = np.broadcast_to(np.arange(row.size), inside.shape)
    return np.stack([here[inside], (there[0] * size[1] + there[1])[inside]])


def onto(places: np.ndarray, size: tuple[int, int], other: tuple[int, int]) -> np.ndarray:
    """(N, 2) row, column on a grid of ``size`` as the places of a grid of size ``other`` over the same photo."""
    scale = np.array(other) / np.array(size)
    return np.clip((places + 0.5) * scale - 0.5, 0, np.array(other) - 1.0)
