"""Networks that label every pixel: FCN, DeepLab, SegFormer.

``inference.py`` turns each into a method, ``checkpoints.py`` finds its weights and card.
"""
