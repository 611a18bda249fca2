"""Segmentation as energy minimization: minimum cuts seeded by scribbles."""
