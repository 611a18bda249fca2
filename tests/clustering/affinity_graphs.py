"""Small graphs that several tests cut."""

import numpy as np
from scipy.sparse import block_diag, csr_matrix


def random_graph(nodes, seed=0, power=1):
    weights = np.random.default_rng(seed).random((nodes, nodes)) ** power
    return csr_matrix(weights + weights.T)


def planted_graph(sizes, seed, between=0.15):
    """Groups with strong links within and weak ones between them, and the group of each node."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    same = groups[:, None] == groups
    weights = np.triu(np.where(same, 0.6, 0.0) + rng.random(same.shape) * np.where(same, 0.4, between), 1)
    return csr_matrix(weights + weights.T), groups


def chained_groups(sizes, link=0.001):
    """Groups of nodes, all alike within, faintly linked in a chain."""
    weights = block_diag([np.full((n, n), 0.8) for n in sizes]).toarray()
    np.fill_diagonal(weights, 1)
    for at in np.cumsum(sizes)[:-1]:
        weights[at - 1, at] = weights[at, at - 1] = link
    return csr_matrix(weights)


def ncut_by_definition(weights, labels):
    terms = []
    for k in np.unique(labels):
        inside = labels == k
        terms.append(weights[inside][:, ~inside].sum() / weights[inside].sum())
    return sum(terms)
