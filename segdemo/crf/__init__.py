"""Conditional random fields: the fully connected CRF and its mean field."""
