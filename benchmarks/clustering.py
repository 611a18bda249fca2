"""The clustering methods beside their peers: ``python -m benchmarks.clustering [--data BSDS_FOLDER] [--only WORD]``.

Without ``--data`` it times them. Both sides of a row get the same photo, in one process, by turns; a time is the best
of some runs after one warm-up, from the photo to the labels: ours with its tables and pictures, without the replay,
where a row does not speak of labels alone.
``error`` is the root mean square distance of the pixels to their label's mean, in Lab and, where k-means sees it, in
position: lower is better at the same number of labels. The peers' k-means runs from three seedings; ours tries twenty
on blocks of points and runs from the best. scikit-image's normalized cut takes no number of segments:
it halves the regions until a threshold stops it. fast-slic is not needed and only compared with where it is installed
(first ``pip install 'cython<3' setuptools wheel numpy``, then ``pip install --no-build-isolation fast-slic``); it runs
10 iterations like ours, but visits every third row in them.

With ``--objectives`` it compares k-means alone with scikit-learn's, on five photos from four seeds each: the time, and
how much lower or higher the objective is, from the labels in double precision.

With ``--data`` it measures how well they agree with people, on BSDS500's photos: boundary recall within 2 pixels (BR),
undersegmentation error (UE) and achievable segmentation accuracy (ASA) for superpixels; covering, probabilistic Rand
index (PRI) and variation of information (VoI) for segments. Each is the mean over the photos.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from skimage import graph, segmentation
from sklearn.cluster import KMeans

from benchmarks.bsds import bsds_photos
from segdemo import metrics
from segdemo.clustering.features import region_means
from segdemo.clustering.points import pixel_points
from segdemo.clustering.slic import slic_superpixels
from segdemo.lab import lab_colours
from segdemo.method import Run, get_method

try:
    from fast_slic.avx2 import SlicAvx2
except ImportError:
    SlicAvx2 = None

REPEATS = 5
Segmenter = Callable[[np.ndarray], np.ndarray]


def ours(name: str, **params) -> Segmenter:
    """The labels of a registered method, without its replay."""
    entry = get_method(name)
    values = entry.params.parse(params)
    return lambda image: entry.function(image, values, Run(seed=values.seed, keep_frames=False)).labels


# --- Peers -----------------------------------------------------------------------------


def cv2_kmeans(image: np.ndarray) -> np.ndarray:
    features = lab_colours(image).reshape(-1, 3)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 60, 0.05)
    cv2.setRNGSeed(0)
    return cv2.kmeans(features, 6, None, criteria, 3, cv2.KMEANS_PP_CENTERS)[1].reshape(image.shape[:2])


def sklearn_kmeans(position_weight: float, seed: int = 0) -> Segmenter:
    def segment(image: np.ndarray) -> np.ndarray:
        features = lab_colours(image).reshape(-1, 3)
        if position_weight:
            points = pixel_points(image, "Lab", position_weight)
            features = points.features[points.of_pixel]
        return KMeans(6, n_init=3, max_iter=60, random_state=seed).fit_predict(features).reshape(image.shape[:2])

    return segment


def skimage_slic(count: int) -> Segmenter:
    return lambda image: segmentation.slic(image, n_segments=count, compactness=10, start_label=0)


def fast_slic(count: int) -> Segmenter:
    return lambda image: SlicAvx2(num_components=count, compactness=10).iterate(image, max_iter=10)


def skimage_felzenszwalb(image: np.ndarray) -> np.ndarray:
    return segmentation.felzenszwalb(image, scale=300, sigma=0.8, min_size=60)


def skimage_ncut(image: np.ndarray) -> np.ndarray:
    regions = segmentation.slic(image, n_segments=400, compactness=10, start_label=0)
    similarity = graph.rag_mean_color(image, regions, mode="similarity")
    return graph.cut_normalized(regions, similarity, rng=0)


# --- Speed -----------------------------------------------------------------------------

SPEED = [
    ("kmeans", ours("kmeans", clusters=6), "cv2.kmeans", cv2_kmeans),
    ("kmeans", ours("kmeans", clusters=6), "sklearn KMeans", sklearn_kmeans(0)),
    (
        "kmeans, position", ours("kmeans", clusters=6, position_weight=0.5),
        "sklearn KMeans", sklearn_kmeans(0.5),
    ),
    ("felzenszwalb", ours("felzenszwalb", scale=300, smallest_region=60), "skimage felzenszwalb", skimage_felzenszwalb),
    ("slic", ours("slic", superpixels=400), "skimage slic", skimage_slic(400)),
    ("slic", ours("slic", superpixels=400), "fast-slic, AVX2", SlicAvx2 and fast_slic(400)),
    ("slic, labels alone", lambda image: slic_superpixels(image, 400), "fast-slic, AVX2", SlicAvx2 and fast_slic(400)),
    ("ncut", ours("ncut", segments=6), "skimage RAG ncut", skimage_ncut),
    ("ncut, pixels", ours("ncut", segments=6, graph="pixels"), "skimage RAG ncut", skimage_ncut),
]  # fmt: skip


def timed(functions: Sequence[Segmenter], image: np.ndarray, repeats: int = REPEATS) -> list[tuple[float, np.ndarray]]:
    """For each function its best seconds of some runs and its last labels; they take turns."""
    labels = [function(image) for function in functions]
    seconds = [float("inf")] * len(functions)
    for _ in range(repeats):
        for number, function in enumerate(functions):
            start = time.perf_counter()
            labels[number] = function(image)
            seconds[number] = min(seconds[number], time.perf_counter() - start)
    return list(zip(seconds, labels, strict=True))


def error(image: np.ndarray, labels: np.ndarray, position_weight: float) -> tuple[str, str]:
    """The number of labels, and the root mean square distance to the label's mean."""
    present, labels = np.unique(labels, return_inverse=True)
    points = pixel_points(image, "Lab", position_weight)
    features, labels = points.features[points.of_pixel], labels.ravel()
    squared = ((features - region_means(features, labels, len(present))[labels]) ** 2).sum(1)
    return str(len(present)), f"{np.sqrt(squared.mean()):.4f}"


def objective(features: np.ndarray, labels: np.ndarray) -> float:
    """Σ ‖xᵢ − cⱼ‖² of (N, C) float64 points to the means of their labels (N,)."""
    means = region_means(features, labels, int(labels.max()) + 1)
    return float(((features - means[labels]) ** 2).sum())


def print_objectives(side: int, position_weight: float) -> None:
    """Ours and scikit-learn's k-means, K = 6, on five photos of ``side`` x ``side`` pixels and from four seeds."""
    print(f"\nposition weight {position_weight:g}, {side} x {side}: objective of ours against scikit-learn's\n")
    print("| photo | seed | seconds | peer | peer / ours | objective |\n|---|---|---|---|---|---|")
    for name in ("astronaut", "coffee", "chelsea", "rocket", "immunohistochemistry"):
        image = cv2.resize(getattr(skimage.data, name)(), (side, side), interpolation=cv2.INTER_CUBIC)
        points = pixel_points(image, "Lab", position_weight)
        features = points.features[points.of_pixel].astype(np.float64)
        for seed in range(4):
            method = ours("kmeans", clusters=6, position_weight=position_weight, seed=seed)
            (seconds, labels), (peer_seconds, peer_labels) = timed(
                (method, sklearn_kmeans(position_weight, seed)), image, 1
            )
            part = objective(features, labels.ravel()) / objective(features, peer_labels.ravel()) - 1
            cells = name, seed, f"{seconds:.3f}", f"{peer_seconds:.3f}", f"{peer_seconds / seconds:.1f}", f"{part:+.5%}"
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def print_speed(sides: Sequence[int], word: str) -> None:
    photo = skimage.data.astronaut()
    print("| size | method | seconds | labels | error | peer | seconds | labels | error | peer / ours |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for side in sides:
        image = cv2.resize(photo, (side, side), interpolation=cv2.INTER_CUBIC)
        for name, method, peer_name, peer in SPEED:
            if word not in name:
                continue
            if peer is None:
                print(f"| {side} x {side} | {name} | | | | {peer_name}: not installed | | | | |")
                continue
            (seconds, labels), (peer_seconds, peer_labels) = timed((method, peer), image)
            weight = 0.5 if "position" in name else 0.0
            cells = [f"{side} x {side}", name, f"{seconds:.3f}", *error(image, labels, weight)]
            cells += [peer_name, f"{peer_seconds:.3f}", *error(image, peer_labels, weight)]
            print("| " + " | ".join([*cells, f"{peer_seconds / seconds:.1f}"]) + " |", flush=True)


# --- Quality ---------------------------------------------------------------------------


def skimage_slic_like(count: int) -> Segmenter:
    """scikit-image's SLIC, asked again until it gives about as many superpixels as ours."""
    reference = ours("slic", superpixels=count)

    def segment(image: np.ndarray) -> np.ndarray:
        target, ask = int(reference(image).max()) + 1, count
        for _ in range(4):
            labels = skimage_slic(ask)(image)
            ask = max(2, round(ask * target / (int(labels.max()) + 1)))
        return labels

    return segment


def skimage_felzenszwalb_large(image: np.ndarray) -> np.ndarray:
    return segmentation.felzenszwalb(image, scale=1000, sigma=0.8, min_size=500)


QUALITY = [
    *[
        row
        for count in (200, 400, 800)
        for row in (
            (f"slic, {count}", ours("slic", superpixels=count)),
            (f"  skimage slic, {count}", skimage_slic(count)),
            (f"  skimage slic, as many as ours at {count}", skimage_slic_like(count)),
            (f"  fast-slic, {count}", SlicAvx2 and fast_slic(count)),
        )
    ],
    ("felzenszwalb", ours("felzenszwalb")),
    ("felzenszwalb, scale 1000, smallest 500", ours("felzenszwalb", scale=1000, smallest_region=500)),
    ("  skimage felzenszwalb, the same", skimage_felzenszwalb_large),
    ("kmeans, K = 6", ours("kmeans", clusters=6)),
    ("kmeans, K = 6, texture 1", ours("kmeans", clusters=6, texture_weight=1.0)),
    ("kmeans, K = 6, position 0.5", ours("kmeans", clusters=6, position_weight=0.5)),
    ("ncut, K = 6", ours("ncut", segments=6)),
    ("ncut, K = 12", ours("ncut", segments=12)),
    ("ncut, pixels, K = 6", ours("ncut", segments=6, graph="pixels")),
    ("ncut, recursive, K = 6", ours("ncut", segments=6, cuts="recursive")),
    ("ncut, K at the eigengap", ours("ncut", automatic=True)),
    ("ncut, recursive, K at the limit", ours("ncut", automatic=True, cuts="recursive")),
    ("ncut, K = 6, no contours", ours("ncut", segments=6, contour=0)),
    ("  skimage RAG ncut", skimage_ncut),
]

HALVES = {"all": slice(None), "even": slice(0, None, 2), "odd": slice(1, None, 2)}
MEASURES = {
    "BR": metrics.boundary_recall,
    "UE": metrics.undersegmentation_error,
    "ASA": metrics.achievable_accuracy,
    "covering": metrics.segmentation_covering,
    "PRI": metrics.probabilistic_rand_index,
    "VoI": metrics.variation_of_information,
}


def print_quality(folder: Path, limit: int, word: str, half: str) -> None:
    photos = list(bsds_photos(folder, limit=limit))[HALVES[half]]
    print(f"{len(photos)} photos\n\n| method | labels | {' | '.join(MEASURES)} |\n|{'---|' * (2 + len(MEASURES))}")
    for name, method in QUALITY:
        if word not in name or method is None:
            continue
        values = []
        for photo in photos:
            labels = method(photo.image)
            scores = [measure(labels, photo.truths) for measure in MEASURES.values()]
            values.append([len(np.unique(labels)), *scores])
        count, *means = np.nanmean(values, axis=0)
        print(f"| {name} | {count:.0f} | " + " | ".join(f"{mean:.4f}" for mean in means) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clustering", description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of BSDS500: measure quality instead of time")
    parser.add_argument("--objectives", action="store_true", help="compare k-means with scikit-learn's on five photos")
    parser.add_argument("--limit", type=int, default=0, help="use only so many photos of it, 0 = all")
    parser.add_argument(
        "--half", choices=["all", "even", "odd"], default="all",
        help="only every other photo: ncut's defaults were chosen on the even ones, so the odd ones are new to it",
    )  # fmt: skip
    parser.add_argument("--sides", type=int, nargs="+", default=[512, 1024], help="sides of the timed photo, in pixels")
    parser.add_argument("--only", default="", metavar="WORD", help="only rows whose name contains this")
    options = parser.parse_args()
    if options.objectives:
        for position_weight in (0.5, 0.0):
            print_objectives(options.sides[-1], position_weight)
    elif options.data:
        print_quality(options.data, options.limit, options.only, options.half)
    else:
        print_speed(options.sides, options.only)


if __name__ == "__main__":
    main()
