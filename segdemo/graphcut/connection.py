"""A prior for connected objects: what no object-like way joins to a stroke is unlikely to be the object.

Where the likelihoods take a far thing for the object, because it is alike, a stretch of background lies
between it and the object's strokes. The cheapest way from a pixel to a stroke, if every step costs
what the likelihoods have against the object there, measures that stretch:

    C_p = min over ways w from p to a stroke of  sum_(q on w) max(0, ln P(background) - ln P(object))_q |step|,

0 inside a part of the object that holds a stroke, and in nats times pixels. The prior takes min(rate C_p, most)
nats from the object. Unlike a step that removes parts after the cut, it is one of the energy's terms, of each
pixel alone, so that the cut is still the energy's exact minimum.

References:
    Bai & Sapiro, A geodesic framework for fast interactive image and video segmentation and matting,
        ICCV 2007 (distances from strokes, measured on the likelihoods).
    Gulshan, Rother, Criminisi, Blake & Zisserman, Geodesic star convexity for interactive image
        segmentation, CVPR 2010 (geodesic ways as a prior of shape; there a hard one, along fixed ways).
    Toivanen, New geodesic distance transforms for gray-scale images, Pattern Recognition Letters 1996 (the sweeps).
"""

from __future__ import annotations

import numpy as np

from .energy import compiled

RATE = 0.08  # nats per nat and pixel on the way: with the default, a stretch of 100 such costs all there is to pay
HIGHEST = 4.0  # nats: what a pixel on the way counts at most, so that one dark line is no wall


def connection_log_prior(log_scores: np.ndarray, seeds: np.ndarray, most: float) -> np.ndarray:
    """ln of the prior of the object as above, (h, w) float32 from -``most`` to 0.

    Args:
        log_scores: (2, h, w) float32, ln(likelihood x prior) of background and object, up to a constant per pixel.
        seeds: (h, w) uint8, 0 = none, 1 = background, 2 = object; no way leads through a background stroke for less
            than ``HIGHEST``.
        most: nats that the lack of a connection costs at most.
    """
    against = np.clip(log_scores[0] - log_scores[1], 0, np.float32(HIGHEST))
    against[seeds == 1] = HIGHEST
    ways = np.where(seeds == 2, np.float32(0), np.float32(np.inf))
    _cheapest_ways(against, ways)
    return -np.minimum(np.float32(RATE) * ways, np.float32(most))


@compiled
def _cheapest_ways(costs, ways):
    """Lower ``ways``, (h, w), 0 at the strokes, to the least sums of ``costs`` along ways: two sweeps down and two up."""
    height, width = costs.shape
    half, slant = np.float32(0.5), np.float32(np.sqrt(0.5))  # of a step's length, for the mean of its two ends' costs
    for sweep in range(4):
        down = sweep % 2 == 0
        for row in range(height):
            y = row if down else height - 1 - row
            before = y - 1 if down else y + 1
            for column in range(width):
                x = column if down else width - 1 - column
                beside = x - 1 if down else x + 1
                cost, best = costs[y, x], ways[y, x]
                if 0 <= beside < width:
                    best = min(best, ways[y, beside] + half * (cost + costs[y, beside]))
                if 0 <= before < height:
                    best = min(best, ways[before, x] + half * (cost + costs[before, x]))
                    if x > 0:
                        best = min(best, ways[before, x - 1] + slant * (cost + costs[before, x - 1]))
                    if x < width - 1:
                        best = min(best, ways[before, x + 1] + slant * (cost + costs[before, x + 1]))
                ways[y, x] = best
