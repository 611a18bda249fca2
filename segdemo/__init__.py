"""Segdemo: every segmentation method of a computer-vision lecture, side by side."""

__version__ = "0.1.0"
