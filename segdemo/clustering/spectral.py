"""Spectral clustering of an affinity graph: eigenvectors of its Laplacian, rounded to the K parts of a normalized cut.

With the affinities W, the degrees D = diag(W 1) and the Laplacian L = D − W, the cut

    Ncut(A₁..A_K) = Σ_k cut(A_k, V − A_k) / assoc(A_k, V)

is relaxed to min fᵀLf / fᵀDf subject to fᵀD1 = 0, and solved by L f = λ D f. The K leading
eigenvectors give each node a point; a rotation that brings the points to the axes gives the labels.

References:
    J. Shi, J. Malik, Normalized cuts and image segmentation, IEEE Trans. PAMI 22 (2000).
    S. X. Yu, J. Shi, Multiclass spectral clustering, ICCV 2003.
    U. von Luxburg, A tutorial on spectral clustering, Statistics and Computing 17 (2007), section 8.3: the eigengap.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.linalg
from scipy.sparse import csr_matrix, diags
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh, lobpcg

from ..errors import ParameterError

DENSE_NODES = 1000  # up to here all eigenvectors at once are quick; beyond, Lanczos iterations
PRODUCTS = 3000  # with the matrix, after which Lanczos iterations are given up: photos take 500 to 2500
NO_GAP = 0.02  # in units of λ, which lies between 0 and 2
ROUNDING_STARTS = 10
ROUNDING_ITERATIONS = 30


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


def leading_eigenvectors(
    affinity: csr_matrix, count: int, rng: np.random.Generator, on_product: Callable[[], None] = lambda: None
) -> tuple[np.ndarray, np.ndarray]:
    """The ``count`` smallest solutions of L f = λ D f: λ (count,) rising, f (N, count) with fᵀDf = 1.

    With f = D^(−1/2) z this is the largest part of the spectrum of D^(−1/2) W D^(−1/2), which is symmetric.
    ``on_product`` is called before every product with the matrix, and may end the search by an exception; graphs of at
    most ``DENSE_NODES`` nodes are solved directly, without.
    """
    nodes = affinity.shape[0]
    scale = 1 / np.sqrt(np.asarray(affinity.sum(1)).ravel())
    normalized = (diags(scale) @ affinity @ diags(scale)).tocsr()
    if nodes <= DENSE_NODES:
        values, z = scipy.linalg.eigh(normalized.toarray(), subset_by_index=[nodes - count, nodes - 1])
    else:

        def product(z: np.ndarray) -> np.ndarray:
            on_product()
            return normalized @ z

        operator = LinearOperator(normalized.shape, product, matmat=product, dtype=normalized.dtype)
        vectors = max(3 * count, 40)
        options = {"k": count, "which": "LA", "v0": rng.random(nodes), "ncv": vectors}
        try:
            values, z = eigsh(operator, tol=1e-6, maxiter=PRODUCTS // (vectors - count), **options)
        except ArpackNoConvergence as error:
            # A graph that almost falls apart has many eigenvalues that are as good as equal, which Lanczos cannot tell
            # apart; a block of vectors need not, and any basis of what they span will do.
            block = rng.standard_normal((nodes, count))
            found = error.eigenvectors[:, :count]
            block[:, : found.shape[1]] = found
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the tolerance is a wish: what is reached is a residual
                values, z = lobpcg(operator, block, largest=True, tol=1e-3, maxiter=40)
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


def normalized_cut(
    affinity: csr_matrix, segments: int, rng: np.random.Generator, on_product: Callable[[], None] = lambda: None,
    solved: tuple[np.ndarray, np.ndarray] | None = None,
) -> NormalizedCut:  # fmt: skip
    """Cut a graph into ``segments`` parts of small normalized cut.

    Takes a symmetric non-negative (N, N) sparse matrix with positive row sums. The rounding is
    begun from several nodes, drawn with ``rng``; the start that ends with the lowest Ncut is kept.
    ``on_product`` as in ``leading_eigenvectors``, of which ``solved`` may be the answer, for at least ``segments``.
    Raises ``ParameterError`` when there are fewer nodes than segments.
    """
    nodes = affinity.shape[0]
    if segments > nodes:
        raise ParameterError(f"the graph has only {nodes} node{'s' * (nodes > 1)}: lower segments to {nodes}")
    values, vectors = solved or leading_eigenvectors(affinity, segments, rng, on_product)
    eigenvalues, eigenvectors = values[:segments], vectors[:, :segments]
    starts = rng.choice(nodes, min(ROUNDING_STARTS, nodes), replace=False)

    def cost(steps: list[RoundingStep]) -> tuple[int, float]:
        return -len(np.unique(steps[-1].labels)), ncut_value(affinity, steps[-1].labels)

    rounding = min((discretize(eigenvectors, start) for start in starts), key=cost)
    return NormalizedCut(rounding[-1].labels, eigenvalues, eigenvectors, rounding)


def eigengap(eigenvalues: np.ndarray) -> int:
    """The K >= 2 after which (m,) rising eigenvalues leap most in proportion, m >= 3: largest (λ_K+1 + δ) / (λ_K + δ).

    For K groups without a link between them the first K eigenvalues are 0 and the next is not; δ = ``NO_GAP`` keeps
    the leaps between values that are all as good as 0 from counting.
    """
    return int(np.diff(np.log(np.maximum(eigenvalues, 0) + NO_GAP))[1:].argmax()) + 2
