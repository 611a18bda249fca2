"""Distances on the pixel grid."""

import numpy as np
from scipy.ndimage import distance_transform_edt

from segdemo.distance import distance_map


def test_distances_are_roots_of_whole_numbers():
    outside = np.random.default_rng(0).random((60, 90)) > 0.02
    squares = distance_map(outside) ** 2
    np.testing.assert_allclose(squares, distance_transform_edt(outside) ** 2, atol=1e-9)
    np.testing.assert_allclose(squares, squares.round(), atol=1e-9)
