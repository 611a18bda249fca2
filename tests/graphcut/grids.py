"""Grids drawn at random, and what a labelling of one costs, for the tests of max-flow."""

import itertools

import numpy as np

STEPS = ((0, 1), (1, 0), (1, 1), (1, -1))


def cut_value(inside, source, sink, *edges):
    """Energy of a labelling, pixel by pixel in Python: slow, and plain to see."""
    height, width = inside.shape
    total = 0
    for y, x in itertools.product(range(height), range(width)):
        total += int(sink[y, x]) if inside[y, x] else int(source[y, x])
        for (dy, dx), edge in zip(STEPS, edges):
            if y + dy < height and 0 <= x + dx < width and inside[y, x] != inside[y + dy, x + dx]:
                total += int(edge[y, x])
    return total


def random_grid(seed):
    """Capacities of one of six kinds of grid: sizes 1 x 1 to 12 x 12, 4 or 8 neighbours."""
    rng = np.random.default_rng(seed)
    size = tuple(rng.integers(1, 13, 2))
    planes = 4 if seed % 2 else 6
    kind = seed // 2 % 6
    high = (2, 4, 100, 50_000, 10, 10)[kind]
    grid = [rng.integers(0, high, size) for _ in range(planes)]
    if kind == 4:  # chessboard of sources and sinks, all of one strength: ties everywhere
        board = np.indices(size).sum(axis=0) % 2
        grid[0], grid[1] = 7 * board, 7 * (1 - board)
    if kind == 5:  # few terminals, far apart: long paths
        for terminal in grid[:2]:
            terminal *= 50 * (rng.random(size) < 0.1)
    return grid
