"""Unary terms of the dense CRF from labels instead of probabilities."""

from __future__ import annotations

import numpy as np

from ..errors import ParameterError


def probabilities_from_labels(
    labels: np.ndarray, count: int, confidence: float = 0.7, unsure: int | None = None
) -> np.ndarray:
    """What to tell ``dense_crf`` about pixels whose labels are known, more or less.

    Args:
        labels: (H, W) integers 0..count-1: an annotation, scribbles, a mask to be aligned with the photo.
        count: K, the number of labels.
        confidence: in (0, 1), the probability of the given label; the others share the rest evenly.
        unsure: the value of ``labels`` that means "not known", for example 255: all labels are equally probable there.

    Returns:
        (K, H, W) float32, summing to 1 over the labels.

    Raises:
        ParameterError: labels outside the range, of another form, or a confidence that is not between 0 and 1.
    """
    labels = np.asarray(labels)
    if labels.ndim != 2 or not np.issubdtype(labels.dtype, np.integer):
        raise ParameterError(f"Labels must be an (H, W) array of integers, not {labels.shape} {labels.dtype}.")
    if count < 1 or not 0 < confidence < 1:
        raise ParameterError("There must be at least 1 label, and a confidence between 0 and 1.")
    known = np.ones(labels.shape, bool) if unsure is None else labels != unsure
    if known.any() and not 0 <= labels[known].min() <= labels[known].max() < count:
        raise ParameterError(f"Labels must be between 0 and {count - 1}; say with 'unsure' which value means unknown.")
    if count == 1:
        return np.ones((1, *labels.shape), np.float32)
    given = labels == np.arange(count).reshape(-1, 1, 1)
    p = np.where(given, np.float32(confidence), np.float32((1 - confidence) / (count - 1)))
    return np.where(known, p, np.float32(1 / count))
