"""What a network costs: multiply-adds, counted as a photo passes through it."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


@torch.inference_mode()
def multiply_adds(network: nn.Module, height: int, width: int) -> int:
    """Multiply-adds of convolutions and matrix products for one (1, 3, height, width) picture.

    What is left out (normalization, activations, interpolation) multiplies nothing by a trained weight.
    """
    x = torch.zeros(1, 3, height, width, device=next(network.parameters()).device)
    was_training = network.training
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):  # as matrix products, which it counts
        network.eval()(x)
    network.train(was_training)
    return counter.get_total_flops() // 2
