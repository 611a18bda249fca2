"""Conditional random fields: the fully connected CRF and its mean field."""

from .dense import DenseCRF, dense_crf

__all__ = ["DenseCRF", "dense_crf"]
