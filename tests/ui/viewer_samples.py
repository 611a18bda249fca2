"""Results for the tests of the viewer: striped labels, with and without all that a viewer can show."""

import base64

import cv2
import numpy as np
from skimage import data

from segdemo.labels import distinct_colours
from segdemo.segmentation import Frame, Picture, Segmentation

NASTY = '<img src=x onerror="window.hacked = 1"> </script> ${1} {{value}} `'


def pixels_of(address):
    encoded = np.frombuffer(base64.b64decode(address.split(",", 1)[1]), np.uint8)
    return cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED)


def stripes(height, width, count):
    """Labels 0..count-1 in columns, each present."""
    return np.broadcast_to(np.arange(width) * count // width, (height, width)).astype(np.int32)


def segmentation(height=60, width=90, count=3, **further):
    names = [f"label {k}" for k in range(count)]
    return Segmentation(stripes(height, width, count), names, distinct_colours(count), **further)


def photo(height=60, width=90):
    return cv2.resize(data.astronaut(), (width, height), interpolation=cv2.INTER_AREA)


def rich(count=4):
    """A result with everything a viewer can show."""
    rng = np.random.default_rng(0)
    scores = rng.dirichlet(np.ones(count), (30, 45)).transpose(2, 0, 1).astype(np.float32)
    labels = stripes(30, 45, count)
    frames = [Frame(f"iteration {i}", np.roll(labels, i, 1), photo(30, 45), {"belief": scores[0]}) for i in range(3)]
    result = segmentation(
        count=count, working_scores=scores, frames=frames, energy=[9.0, 4.0, 1.5], energy_name="objective",
        pictures=[Picture(NASTY, photo(), "how to read it")], facts={NASTY: 812, "energy": np.float32(1.5)},
        timings={"stage": 0.25}, notices=[NASTY],
    )  # fmt: skip
    result.names[1] = NASTY
    return result


def long():
    """A replay of iterations 1, 2, 3, 20, 100 of which the energy falls."""
    frames = [Frame(f"iteration {n}", stripes(60, 90, 3), step=n) for n in (1, 2, 3, 20, 100)]
    return segmentation(frames=frames, energy=[9.0, 7.0, 5.0, 3.0, 1.0])


def counted():
    """A replay of the start, two iterations, and what follows upon them."""
    frames = [Frame(f"state {n}", stripes(60, 90, 3), step=n, is_after=n == 3) for n in range(4)]
    return segmentation(frames=frames, step_names=("iteration", "iterations"))
