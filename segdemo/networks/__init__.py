"""Networks that label every pixel: FCN, DeepLab, SegFormer."""
