"""Segmentation as clustering: superpixels, k-means, normalized cuts."""
