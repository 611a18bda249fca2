"""Segdemo: every segmentation method of a computer-vision lecture, side by side."""

__version__ = "0.1.0"

from .engine import Engine
from .image import load_image
from .method import methods
from .segmentation import Segmentation

__all__ = ["Engine", "Segmentation", "load_image", "methods"]
