"""The clustering methods beside their peers: ``python -m benchmarks.clustering``.

Both sides of a row get the same photo, in one process, one after the other; a time is the best
of three runs after one warm-up. ``colour error`` is the root mean square Lab distance of the pixels
to their label's mean: lower is better at the same number of labels. scikit-image's normalized cut
takes no number of segments: it halves the regions until a threshold stops it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import cv2
import numpy as np
import skimage.data
from skimage import graph, segmentation
from sklearn.cluster import KMeans

from segdemo.clustering.features import lab_colours, region_means
from segdemo.method import Run, get_method

REPEATS = 3


def ours(name: str, **params) -> Callable[[np.ndarray], np.ndarray]:
    """The labels of a registered method, without its replay."""
    entry = get_method(name)
    values = entry.params.parse(params)
    return lambda image: entry.function(image, values, Run(keep_frames=False)).labels


def cv2_kmeans(image: np.ndarray) -> np.ndarray:
    features = lab_colours(image).reshape(-1, 3)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 60, 0.05)
    cv2.setRNGSeed(0)
    return cv2.kmeans(features, 6, None, criteria, 3, cv2.KMEANS_PP_CENTERS)[1].reshape(image.shape[:2])


def sklearn_kmeans(image: np.ndarray) -> np.ndarray:
    features = lab_colours(image).reshape(-1, 3)
    return KMeans(6, n_init=3, max_iter=60, random_state=0).fit_predict(features).reshape(image.shape[:2])


def skimage_slic(image: np.ndarray) -> np.ndarray:
    return segmentation.slic(image, n_segments=400, compactness=10, start_label=0)  # gives about 300


def skimage_ncut(image: np.ndarray) -> np.ndarray:
    regions = segmentation.slic(image, n_segments=400, compactness=10, start_label=0)
    similarity = graph.rag_mean_color(image, regions, mode="similarity")
    return graph.cut_normalized(regions, similarity, rng=0)


ROWS = [
    ("kmeans", ours("kmeans", clusters=6, restarts=3), "cv2.kmeans", cv2_kmeans),
    ("kmeans", ours("kmeans", clusters=6, restarts=3), "sklearn KMeans", sklearn_kmeans),
    ("slic", ours("slic", superpixels=300), "skimage slic", skimage_slic),
    ("ncut", ours("ncut", segments=6), "skimage RAG ncut", skimage_ncut),
    ("ncut, pixels", ours("ncut", segments=6, graph="pixels"), "skimage RAG ncut", skimage_ncut),
]


def timed(function: Callable[[np.ndarray], np.ndarray], image: np.ndarray) -> tuple[float, np.ndarray]:
    """Best seconds of ``REPEATS`` runs, and the labels of the last."""
    function(image)
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        labels = function(image)
        seconds.append(time.perf_counter() - start)
    return min(seconds), labels


def colour_error(image: np.ndarray, labels: np.ndarray) -> tuple[str, str]:
    """The number of labels, and the root mean square Lab distance to the label's mean."""
    present, labels = np.unique(labels, return_inverse=True)
    labels = labels.reshape(image.shape[:2])
    lab = lab_colours(image)
    squared = ((lab - region_means(lab, labels, len(present))[labels]) ** 2).sum(2)
    return str(len(present)), f"{np.sqrt(squared.mean()):.2f}"


def main() -> None:
    photo = skimage.data.astronaut()
    print("| size | method | seconds | labels | colour error | peer | seconds | labels | colour error | ours / peer |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for side in (512, 1024):
        image = cv2.resize(photo, (side, side), interpolation=cv2.INTER_CUBIC)
        for name, method, peer_name, peer in ROWS:
            seconds, labels = timed(method, image)
            peer_seconds, peer_labels = timed(peer, image)
            cells = [f"{side} x {side}", name, f"{seconds:.3f}", *colour_error(image, labels)]
            cells += [peer_name, f"{peer_seconds:.3f}", *colour_error(image, peer_labels)]
            print("| " + " | ".join([*cells, f"{seconds / peer_seconds:.2f}"]) + " |", flush=True)


if __name__ == "__main__":
    main()
