"""Colour likelihoods: how well a pixel's colour fits the strokes of each label.

Two models of a label's colours are learned from the scribbled pixels: a mixture of
Gaussians, or a smoothed histogram. Both work in CIE Lab, where the Euclidean distance
between two colours is about the difference that people see (one unit is just visible).

References:
    Boykov & Jolly, Interactive graph cuts for optimal boundary and region segmentation of
        objects in N-D images, ICCV 2001 (histograms of the seeds' intensities).
    Blake, Rother, Brown, Perez & Torr, Interactive image segmentation using an adaptive GMMRF
        model, ECCV 2004 (mixtures of Gaussians in colour).
    Bai & Sapiro, A geodesic framework for fast interactive image and video segmentation and matting, ICCV 2007.
    Toivanen, New geodesic distance transforms for gray-scale images, Pattern Recognition Letters 1996 (the sweeps).
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

from ..distance import distance_map
from ..strips import in_strips
from .energy import STEPS, compiled, squared_contrasts
from .gaussians import (
    MIDDLE_L,
    component_moments,
    densities,
    fitted_gaussians,
    gaussian_coefficients,
    maximize_expectation,
    nearest_centres,
)

OUTLIERS = 0.05  # the share of pixels taken to have any colour at all
GAMUT = 100.0 * 180.0 * 180.0  # about the volume of Lab that sRGB photos reach, for the density of outliers
MOST_SAMPLES = 4000  # pixels per label that a model is learned from
WINDOW = 5.0  # pixels: the width of the window in which texture is measured
BIN = 6.0  # Lab units: the width of a histogram's bins
ITERATIONS = 10
MIDDLE = np.array([MIDDLE_L, 0.0, 0.0])
PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


def monomials(colours: np.ndarray) -> np.ndarray:
    """1, the three coordinates around ``MIDDLE``, and their six products, (n, 10), of (n, 3) colours; same type."""
    around = colours - MIDDLE.astype(colours.dtype)
    powers = np.empty((len(colours), 10), colours.dtype)
    powers[:, 0], powers[:, 1:4] = 1, around
    for column, (i, j) in enumerate(PAIRS, 4):
        np.multiply(around[:, i], around[:, j], out=powers[:, column])
    return powers


class Mixture:
    """A mixture of K Gaussians with full covariances.

    Attributes:
        weights: (K,) float64, summing to 1.
        means: (K, 3) float64.
        covariances: (K, 3, 3) float64, never narrower than ``gaussians.NOISE`` in any direction.
    """

    def __init__(self, colours: np.ndarray, memberships: np.ndarray):
        """Fit to (n, 3) colours of which component k owns the share ``memberships[:, k]``, (n, K)."""
        self._fit(memberships.T @ monomials(colours.astype(np.float64)))

    @classmethod
    def from_moments(cls, moments: np.ndarray) -> Mixture:
        """Fit to what ``monomials`` sums to over the colours of each component, (K, 10) float64."""
        mixture = cls.__new__(cls)
        mixture._fit(moments)
        return mixture

    def _fit(self, moments: np.ndarray) -> None:
        self.weights, means, self.covariances = fitted_gaussians(moments)
        self.means = means + MIDDLE

    def log_components(self, colours: np.ndarray) -> np.ndarray:
        """ln(weight x density) of each component at (n, 3) colours, (n, K) float32.

        A Gaussian's logarithm is a polynomial of second degree, so all components are one matrix product.
        """
        return (monomials(colours) @ self.coefficients().T.astype(colours.dtype)).astype(np.float32, copy=False)

    def coefficients(self) -> np.ndarray:
        """(K, 10): of each component's ln(weight x density) in the order of ``monomials``."""
        return gaussian_coefficients(self.weights, self.means - MIDDLE, self.covariances)

    def density(self, colours: np.ndarray) -> np.ndarray:
        """The density at (n, 3) colours, (n,) float32."""
        sums = np.empty(len(colours), np.float32)
        colours, coefficients = colours.astype(np.float32, copy=False), self.coefficients().astype(np.float32)
        in_strips(lambda _, a, b: densities(colours[a:b], coefficients, sums[a:b]), len(colours))
        return sums


def fit_mixture(colours: np.ndarray, places: np.ndarray, components: int, chance: np.ndarray) -> Mixture:
    """Expectation maximization from a k-means start.

    ``colours`` is (n, 3), ``chance`` (n,) a random number in [0, 1) for each; learned is from those at ``places``, at least one.
    """
    places = sample(places, chance)
    colours = np.ascontiguousarray(colours[places], np.float32)
    nearest = nearest_centres(colours.astype(np.float64), components, chance[places], ITERATIONS).astype(np.uint8)
    moments = np.zeros((1, nearest.max() + 1, 10))
    component_moments(colours, np.zeros_like(nearest), nearest[None], moments)
    maximize_expectation(colours, moments[0], ITERATIONS)
    return Mixture.from_moments(moments[0])


class Histogram:
    """A histogram of (n, 3) Lab colours, smoothed by a Gaussian of one bin, as a density."""

    def __init__(self, colours: np.ndarray):
        self.low = np.array([0.0, -128.0, -128.0], np.float32)
        self.shape = tuple(int(np.ceil(extent / BIN)) + 1 for extent in (100, 256, 256))
        counts = np.bincount(self._bins(colours), minlength=np.prod(self.shape)).reshape(self.shape)
        smooth = gaussian_filter(counts.astype(np.float64), sigma=1.0, mode="nearest")
        self.cells = (smooth / smooth.sum() / BIN**3).ravel()

    def _bins(self, colours: np.ndarray) -> np.ndarray:
        cells = np.clip((colours - self.low) / BIN, 0, np.array(self.shape) - 1).astype(np.intp)
        return np.ravel_multi_index(tuple(cells.T), self.shape)

    def density(self, colours: np.ndarray) -> np.ndarray:
        """The density at (n, 3) colours, (n,) float64."""
        return self.cells[self._bins(colours)]


def sample(places: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """At most ``MOST_SAMPLES`` of the n places: those whose random numbers, ``chance[places]``, are the least.

    So most of the sample stays when a few places come or go.
    """
    if len(places) <= MOST_SAMPLES:
        return places
    return np.sort(places[np.argpartition(chance[places], MOST_SAMPLES)[:MOST_SAMPLES]])


def colour_log_likelihoods(
    colours: np.ndarray,
    scribbles: np.ndarray,
    labels: int,
    model: Literal["mixture", "histogram"],
    components: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """ln p(colour | label), (labels, h, w) float32, learned from the pixels scribbled 1..labels.

    A share ``OUTLIERS`` of each label's pixels may have any colour. This bounds the evidence that
    a single pixel can give, and leaves colours that no stroke has touched undecided.
    Colours are (h, w, 3) Lab; each label needs at least one scribbled pixel.
    """
    height, width, channels = colours.shape
    flat = colours.reshape(-1, channels)
    logs = np.empty((labels, len(flat)), np.float32)
    chance = rng.random(len(flat))

    def learn(label: int, *_: int) -> Mixture | Histogram:
        own = np.flatnonzero(scribbles == label + 1)
        return fit_mixture(flat, own, components, chance) if model == "mixture" else Histogram(flat[own])

    for learned, log in zip(in_strips(learn, labels, labels), logs, strict=True):
        np.log((1 - OUTLIERS) * learned.density(flat) + np.float32(OUTLIERS / GAMUT), out=log)
    return logs.reshape(labels, height, width)


def textures(colours: np.ndarray) -> np.ndarray:
    """(h, w, 3) float32: how much each Lab channel varies around each pixel, as a logarithm that Lab's scale suits.

    20 ln(1 + s) for the standard deviation s under a Gaussian window of ``WINDOW`` pixels.
    """
    colours = colours - MIDDLE.astype(np.float32)  # small numbers, whose squares are exact enough to subtract
    mean, square = (cv2.GaussianBlur(each, (0, 0), WINDOW) for each in (colours, colours * colours))
    return 20 * np.log1p(np.sqrt(np.maximum(square - mean * mean, 0)))


def step_lengths(colours: np.ndarray, edges: float) -> np.ndarray:
    """(4, h, w) float32: what a step to each neighbour of ``STEPS`` is long, at p; infinite out of the photo.

    Its length in pixels, plus ``edges`` pixels for every Lab unit by which the (slightly smoothed) colour changes.
    """
    contrasts = squared_contrasts(cv2.GaussianBlur(colours, (0, 0), 1.0), 8)
    lengths = [np.hypot(*step) + edges * np.sqrt(squared) for step, squared in zip(STEPS, contrasts)]
    return np.nan_to_num(np.stack(lengths), nan=np.inf).astype(np.float32)


def geodesic_distances(scribbles: np.ndarray, labels: int, lengths: np.ndarray) -> np.ndarray:
    """(labels, h, w) float32: the length of the shortest way to a stroke of each label, along the steps of a grid.

    Two sweeps down and two up over the photo (Toivanen 1996); ways that wind more often come out a little long.
    """
    distances = np.where(scribbles == np.arange(1, labels + 1)[:, None, None], np.float32(0), np.float32(1e9))
    in_strips(lambda k, _, __: _sweep(distances[k], lengths), labels, labels)
    return distances


@compiled
def _sweep(distances, lengths):
    height, width = distances.shape
    for _ in range(2):
        for y in range(height):
            for x in range(width):
                best = distances[y, x]
                if x > 0:
                    best = min(best, distances[y, x - 1] + lengths[0, y, x - 1])
                if y > 0:
                    best = min(best, distances[y - 1, x] + lengths[1, y - 1, x])
                    if x > 0:
                        best = min(best, distances[y - 1, x - 1] + lengths[2, y - 1, x - 1])
                    if x < width - 1:
                        best = min(best, distances[y - 1, x + 1] + lengths[3, y - 1, x + 1])
                distances[y, x] = best
        for y in range(height - 1, -1, -1):
            for x in range(width - 1, -1, -1):
                best = distances[y, x]
                if x < width - 1:
                    best = min(best, distances[y, x + 1] + lengths[0, y, x])
                if y < height - 1:
                    best = min(best, distances[y + 1, x] + lengths[1, y, x])
                    if x < width - 1:
                        best = min(best, distances[y + 1, x + 1] + lengths[2, y, x])
                    if x > 0:
                        best = min(best, distances[y + 1, x - 1] + lengths[3, y, x])
                distances[y, x] = best


def nearness_log_prior(
    scribbles: np.ndarray, labels: int, weight: float, lengths: np.ndarray | None = None
) -> np.ndarray:
    """ln of a prior that favours the label whose stroke is nearer, (labels, h, w) float32, up to a constant.

    The prior of a label is (distance to its nearest stroke + 2 % of the diagonal) to the power -weight. The distance
    is straight, or with ``lengths`` (see ``step_lengths``) geodesic: around what has another colour (Bai & Sapiro 2007).
    """
    soft = 0.02 * np.hypot(*scribbles.shape)
    if lengths is not None:
        return -np.float32(weight) * np.log(geodesic_distances(scribbles, labels, lengths) + np.float32(soft))
    distances = [distance_map(scribbles != k + 1) for k in range(labels)]
    return np.stack([-weight * np.log(distance + soft) for distance in distances]).astype(np.float32)


def posterior_costs(log_scores: np.ndarray) -> np.ndarray:
    """-ln P(label | pixel) from unnormalized (labels, h, w) log scores: never negative, in nats."""
    top = log_scores.max(axis=0)
    total = top + np.log(np.exp(log_scores - top).sum(axis=0))
    return np.maximum(total - log_scores, 0)
