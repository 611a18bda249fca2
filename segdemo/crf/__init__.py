"""Conditional random fields: the fully connected CRF and its mean field."""

from .dense import DenseCRF, dense_crf
from .unary import probabilities_from_labels

__all__ = ["DenseCRF", "dense_crf", "probabilities_from_labels"]
