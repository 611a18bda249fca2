"""Pixels as points of a Euclidean space: what k-means groups.

Equal pixels are one point with a weight, which changes nothing but the time. The points stand in an order in which
neighbours are near each other, so that whole blocks of them can be assigned at once.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numba
import numpy as np

from ..lab import lab_colours
from .features import texture_features

COLOUR_SPACES = ("Lab", "RGB", "HSV")
TILE = 8  # pixels with positions are ordered by tiles of 8 x 8


class Points(NamedTuple):
    """``features`` (N, C) float32, ``weights`` (N,) float32: how many pixels each point stands for,
    ``of_pixel`` (h·w,) int32: the point of each pixel.
    """

    features: np.ndarray
    weights: np.ndarray
    of_pixel: np.ndarray

    def on_pixels(self, values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """(h, w) one value of each point, (N,), at its pixels."""
        return _gather(values, self.of_pixel).reshape(shape)


@numba.njit(cache=True, nogil=True)
def _gather(values: np.ndarray, index: np.ndarray) -> np.ndarray:
    gathered = np.empty(len(index), values.dtype)
    for i in range(len(index)):
        gathered[i] = values[index[i]]
    return gathered


def colour_features(image: np.ndarray, colour_space: str) -> np.ndarray:
    """The colours of an (h, w, 3) uint8 image as (h, w, 3) float32 points, in spaces of like extent.

    "Lab"; "RGB" scaled to 0..100; "HSV" as its cone (100 V S cos H, 100 V S sin H, 100 V), in which the hue, an
    angle, has no end where red meets red, and means ever less the greyer or darker the colour is.
    """
    if colour_space == "Lab":
        return lab_colours(image)
    if colour_space == "RGB":
        return image * np.float32(100 / 255)
    hue, saturation, value = cv2.split(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2HSV))
    angle, chroma = np.deg2rad(hue), 100 * value * saturation
    return np.stack([chroma * np.cos(angle), chroma * np.sin(angle), 100 * value], axis=-1)


@numba.njit(cache=True, nogil=True)
def _spread(low: int) -> np.ndarray:
    """(256,) five bits of each byte from bit ``low`` on, three places apart."""
    spread = np.zeros(256, np.int32)
    for value in range(256):
        for bit in range(5):
            spread[value] |= ((value >> (low + bit)) & 1) << (3 * bit)
    return spread


@numba.njit(cache=True, nogil=True)
def distinct_colours(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The different colours of (P, 3) uint8 pixels: colours (N, 3) uint8, weights (N,) float32, of_pixel (P,) int32.

    They come in Morton order (the channels' bits interleaved), so that neighbours in the list are near in colour. The
    upper five bits of each channel sort the pixels into cells; in a cell a table of 512 finds the different ones.
    """
    upper, lower, count = _spread(3), _spread(0) & 0o111, len(pixels)
    cell, inside = np.empty(count, np.int32), np.empty(count, np.int16)
    starts = np.zeros(2**15 + 1, np.int32)
    for i in range(count):
        red, green, blue = pixels[i, 0], pixels[i, 1], pixels[i, 2]
        cell[i] = upper[red] << 2 | upper[green] << 1 | upper[blue]
        inside[i] = lower[red] << 2 | lower[green] << 1 | lower[blue]
        starts[cell[i] + 1] += 1
    starts = np.cumsum(starts).astype(np.int32)
    order, keys, place = np.empty(count, np.int32), np.empty(count, np.int16), starts[:-1].copy()
    for i in range(count):
        order[place[cell[i]]], keys[place[cell[i]]] = i, inside[i]
        place[cell[i]] += 1
    colours, weights, of_pixel = np.empty((count, 3), np.uint8), np.zeros(count, np.int32), cell
    found, table = 0, np.full(512, -1, np.int32)
    for c in range(2**15):
        if starts[c] == starts[c + 1]:
            continue
        for k in range(starts[c], starts[c + 1]):
            table[keys[k]] = order[k]
        for key in range(512):
            if table[key] >= 0:
                colours[found] = pixels[table[key]]
                table[key] = found
                found += 1
        for k in range(starts[c], starts[c + 1]):
            point = table[keys[k]]
            of_pixel[order[k]] = point
            weights[point] += 1
        table[:] = -1
    return colours[:found], weights[:found].astype(np.float32), of_pixel


@numba.njit(cache=True, nogil=True)
def tile_order(height: int, width: int) -> np.ndarray:
    """(h·w,) int32: the place of each pixel when tile comes after tile."""
    place, count = np.empty((height, width), np.int32), 0
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            for y in range(top, min(top + TILE, height)):
                for x in range(left, min(left + TILE, width)):
                    place[y, x] = count
                    count += 1
    return place.ravel()


def pixel_points(
    image: np.ndarray, colour_space: str, position_weight: float = 0.0, texture_weight: float = 0.0
) -> Points:
    """The pixels of an (h, w, 3) uint8 image as points.

    Features: ``colour_features``; with a ``position_weight`` row and column, scaled so that the longer side spans
    0..100, times the weight; with a ``texture_weight`` the three ``texture_features`` times the weight.
    """
    if not (position_weight or texture_weight):
        colours, weights, of_pixel = distinct_colours(np.ascontiguousarray(image).reshape(-1, 3))
        features = colour_features(colours[None], colour_space)[0]
        return Points(np.asfortranarray(features), weights, of_pixel)
    height, width = image.shape[:2]
    planes = list(cv2.split(colour_features(image, colour_space)))
    if position_weight:
        scale = np.float32(100 * position_weight / max(height, width))
        planes += [plane * scale for plane in np.indices((height, width), np.float32)]
    if texture_weight:
        planes += [plane * np.float32(texture_weight) for plane in cv2.split(texture_features(image))]
    of_pixel = tile_order(height, width)
    features = np.empty((height * width, len(planes)), np.float32, order="F")
    for channel, plane in enumerate(planes):
        features[of_pixel, channel] = plane.ravel()
    return Points(features, np.ones(height * width, np.float32), of_pixel)


@numba.njit(cache=True, nogil=True)
def _draw(first: np.ndarray, second: np.ndarray, labels: np.ndarray, palette: np.ndarray, drawn: np.ndarray) -> None:
    size = len(drawn)
    low, low_second = first.min(), second.min()
    span = max(first.max() - low, second.max() - low_second, np.float32(1e-6))
    for i in range(len(first)):
        column = int(round((first[i] - low) / span * (size - 1)))
        row = size - 1 - int(round((second[i] - low_second) / span * (size - 1)))
        for channel in range(3):
            drawn[row, column, channel] = palette[labels[i], channel]


def draw_points(
    points: Points, labels: np.ndarray, palette: np.ndarray, axes: tuple[int, int], size: int = 320
) -> np.ndarray:
    """The points in the plane of two feature axes, each in its cluster's colour, (size, size, 3) uint8."""
    drawn = np.full((size, size, 3), 24, np.uint8)
    _draw(points.features[:, axes[0]], points.features[:, axes[1]], labels, palette, drawn)
    return drawn
