"""Multiply-adds against the formulas of the lecture."""

import pytest
import torch
from torch import nn

from segdemo.networks.backbones import SeparableConv
from segdemo.networks.cost import multiply_adds
from segdemo.networks.inference import build_network
from segdemo.networks.segformer import EfficientSelfAttention


def test_convolution_of_the_lecture():
    """256 kernels of 5 x 5 x 3 at 8 x 8 places: 1,228,800 multiplications."""
    assert multiply_adds(nn.Conv2d(3, 256, 5), 12, 12) == 1_228_800


def test_depthwise_separable_convolution_of_the_lecture():
    """The same by a 5 x 5 per channel, 4,800, and a 1 x 1 across channels, 49,152."""
    assert multiply_adds(nn.Conv2d(3, 3, 5, groups=3), 12, 12) == 4_800
    assert multiply_adds(nn.Conv2d(3, 256, 1), 8, 8) == 49_152
    assert multiply_adds(SeparableConv(3, 256, kernel=5), 8, 8) == 4_800 + 49_152


def test_attention():
    """Four linear layers, and two products of tokens x tokens x width."""

    class OverPixels(nn.Module):
        def __init__(self):
            super().__init__()
            self.attention = EfficientSelfAttention(3, 1, 1)

        def forward(self, x):
            return self.attention(x.flatten(2).transpose(1, 2), *x.shape[2:])

    tokens = 6 * 5
    assert multiply_adds(OverPixels(), 6, 5) == 4 * tokens * 3 * 3 + 2 * tokens * tokens * 3


@pytest.mark.parametrize("name", ["fcn-32s", "segformer-b0"])
def test_grows_with_the_area(name):
    network = build_network(name)
    small, large = (multiply_adds(network, side, side) for side in (64, 128))
    assert 3.9 < large / small < 6 and network.training
    assert torch.is_tensor(next(network.parameters()))


def test_counting_leaves_a_network_as_it_was():
    network = nn.Conv2d(3, 1, 1).eval()
    multiply_adds(network, 4, 4)
    assert not network.training
