"""The elbow: how many clusters k-means should make, by its objective over K.

More clusters always lower the objective. Where the curve bends, a further cluster begins to gain little: that K is an
offer, no truth.

References:
    R. L. Thorndike, Who belongs in the family?, Psychometrika 18 (1953).
    V. Satopää, J. Albrecht, D. Irwin, B. Raghavan, Finding a "kneedle" in a haystack, ICDCS Workshops 2011.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from .lloyd import ROUGH_TOLERANCE, Assignment, LloydStep, count_distinct, lloyd_steps, restart_empty, seed_plus_plus

MOST_CLUSTERS = 12
STARTS = 3


def best_of_each(
    assign: Assignment,
    most: int,
    rng: np.random.Generator,
    max_iterations: int,
    report: Callable[[float, str], None] = lambda fraction, text: None,
) -> list[LloydStep]:
    """k-means with K = 1, 2, ... ``most`` clusters, or as many as there are different points: the best end for each.

    For each K from ``STARTS`` k-means++ seedings, and from the best K − 1 centres with one more at the costliest
    point, so that the objective never rises with K. ``report`` is told how far it is and may stop it by raising.
    """
    best: list[LloydStep] = []
    most = count_distinct(assign.planes.T, most)
    for clusters in range(1, most + 1):
        report((clusters - 1) / most, f"K = {clusters}")
        starts = [seed_plus_plus(assign.planes.T, assign.weights, clusters, rng) for _ in range(STARTS)]
        if best:
            starts.append(one_more(assign, best[-1].centres))
        ends = [last_step(assign, centres, max_iterations) for centres in starts]
        best.append(min(ends, key=lambda step: step.objective))
    return best


def last_step(assign: Assignment, centres: np.ndarray, max_iterations: int) -> LloydStep:
    """Where Lloyd's algorithm ends from these centres."""
    *_, last = lloyd_steps(assign, centres, max_iterations, ROUGH_TOLERANCE)
    return last


def one_more(assign: Assignment, centres: np.ndarray) -> np.ndarray:
    """(K + 1, C): the centres and the point that costs most with them."""
    labels, _, sums = assign(centres)
    grown = np.vstack([centres, centres[:1]])
    restart_empty(grown, np.append(sums[:, -1], 0), assign.planes.T, assign.weights, assign.costs(centres, labels))
    return grown


def bend(objectives: Sequence[float], most: int = 0) -> int:
    """The K whose point lies farthest below the line from the first to the last, K counted from 1.

    With the curve scaled to the unit square this is the kneedle of Satopää et al. (2011) without its smoothing; adding
    a constant to the objectives changes nothing. A curve that ends before ``most`` goes on at its last value: there are
    no more different points. Where no point lies below the line, it is the last K.
    """
    values = np.asarray([*objectives, *objectives[-1:] * (most - len(objectives))], float)
    span = values[0] - values[-1]
    if len(values) < 3 or span <= 0:
        return 1 if span <= 0 else len(values)
    along = np.linspace(0, 1, len(values))
    below = 1 - along - (values - values[-1]) / span
    return int(below.argmax()) + 1 if below.max() > 1e-9 else len(values)


def draw_curve(objectives: Sequence[float], chosen: int, size: int = 320) -> np.ndarray:
    """The objectives of K = 1, 2, ... as a line from 0 up, ``chosen`` marked and named, (size, size, 3) uint8."""
    drawn, ink, accent = np.full((size, size, 3), 24, np.uint8), (225, 225, 225), (255, 190, 70)
    left, right, top, floor = 24, size - 24, 40, size - 40
    x = np.linspace(left, right, max(len(objectives), 2))[: len(objectives)]
    y = floor - (floor - top) * np.asarray(objectives) / max(objectives[0], 1e-12)
    dots = np.column_stack([x, y]).round().astype(int)
    cv2.line(drawn, (left, floor), (right, floor), (110, 110, 110))
    cv2.line(drawn, (int(dots[chosen - 1][0]), top), (int(dots[chosen - 1][0]), floor), accent, 1, cv2.LINE_AA)
    cv2.polylines(drawn, [dots], False, (140, 175, 255), 2, cv2.LINE_AA)
    for clusters, dot in enumerate(dots.tolist(), start=1):
        is_chosen = clusters == chosen
        cv2.circle(drawn, dot, 7 if is_chosen else 4, accent if is_chosen else ink, -1, cv2.LINE_AA)
        write(drawn, str(clusters), (dot[0], floor + 20), accent if is_chosen else ink)
    write(drawn, f"elbow: K = {chosen}", (int(np.clip(dots[chosen - 1][0], 75, size - 75)), 24), accent, 0.5)
    return drawn


def write(drawn: np.ndarray, text: str, middle: tuple[int, int], colour: tuple[int, int, int], scale=0.42) -> None:
    """Put a text on the picture, in place, its baseline's middle at (x, y)."""
    (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    place = middle[0] - width // 2, middle[1]
    cv2.putText(drawn, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 1, cv2.LINE_AA)
