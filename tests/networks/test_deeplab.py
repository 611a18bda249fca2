"""DeepLab v2: the same weights on a grid of 16 and of 8."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from segdemo.networks.backbones import AtrousConv
from segdemo.networks.deeplab import ASPPScores, ImagePooling, half_a_cell_on
from segdemo.networks.inference import build_network


def test_coarser_grid_takes_the_same_weights():
    fine, coarse = build_network("deeplab-v2"), build_network("deeplab-v2", output_stride=16)
    coarse.load_state_dict(fine.state_dict())
    assert fine.stride == 8 and coarse.stride == 16
    assert [b[0][0].dilation[0] for b in fine.aspp.branches] == [4, 8, 12, 16]
    assert [b[0][0].dilation[0] for b in coarse.aspp.branches] == [2, 4, 6, 8]


def test_fine_grid_repeats_the_coarse_one_at_every_second_place():
    """Atrous convolution on twice the grid sees the same pixels (Chen et al. 2017, section 3.1)."""
    torch.manual_seed(0)
    x = torch.randn(1, 3, 32, 32)
    fine, coarse = ASPPScores(3, 8, 5, (4, 8)).eval(), ASPPScores(3, 8, 5, (2, 4)).eval()
    coarse.load_state_dict(fine.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(fine(x)[:, :, ::2, ::2], coarse(x[:, :, ::2, ::2]))


def test_both_grids_look_at_the_same_places():
    """Away from the border the coarse grid's answer i is the fine grid's 2i + 1: the lower right of its cell."""
    torch.manual_seed(0)
    fine, coarse = build_network("deeplab-v2"), build_network("deeplab-v2", output_stride=16)
    x = torch.randn(1, 3, 768, 768)
    with torch.no_grad():
        for module in coarse.modules():  # statistics that fit, so that the signal neither dies nor explodes
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0
        coarse.train().trunk(x)
        fine.load_state_dict(coarse.state_dict())
        sparse, dense = coarse.eval().trunk(x)[-1], fine.eval().trunk(x)[-1][..., 1::2, 1::2]
    middle = (..., slice(20, 28), slice(20, 28))
    assert sparse[middle].std() > 0.1
    torch.testing.assert_close(dense[middle], sparse[middle], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("kernel, rate, size", [(5, 4, (8, 12)), (3, 6, (13, 10)), (3, 9, (4, 20)), (5, 3, (1, 1))])
def test_atrous_convolution_by_deinterlacing_has_the_same_sums(monkeypatch, kernel, rate, size):
    torch.manual_seed(0)
    conv = AtrousConv(6, 6, kernel, 1, rate * (kernel // 2), rate, groups=6)
    ways, deinterlaced = [], AtrousConv.on_deinterlaced
    monkeypatch.setattr(AtrousConv, "on_deinterlaced", lambda self, x: ways.append(rate) or deinterlaced(self, x))
    x, y = (torch.randn(2, 6, *size, generator=torch.Generator().manual_seed(1), requires_grad=True) for _ in range(2))
    direct = F.conv2d(y, conv.weight, conv.bias, padding=conv.padding, dilation=conv.dilation, groups=6)
    torch.testing.assert_close(conv(x), direct)
    conv(x).square().sum().backward(), direct.square().sum().backward()
    torch.testing.assert_close(x.grad, y.grad)
    assert ways == [rate, rate]


def test_atrous_convolution_is_direct_where_that_is_fast(monkeypatch):
    monkeypatch.setattr(AtrousConv, "on_deinterlaced", None)
    x = torch.randn(1, 6, 9, 9)
    for rate, groups in ((2, 6), (8, 1)):  # a narrow border; not depthwise
        conv = AtrousConv(6, 6, 5, 1, 2 * rate, rate, groups=groups)
        torch.testing.assert_close(conv(x), nn.Conv2d.forward(conv, x))


def test_half_a_cell_on():
    ramp = torch.arange(5.0)
    moved = half_a_cell_on(ramp.expand(1, 1, 5, 5) + 10 * ramp[:, None])[0, 0]
    torch.testing.assert_close(moved[:-1, :-1], (ramp[:-1] + 0.5) + 10 * (ramp[:-1, None] + 0.5))


def test_branches_are_summed_scores():
    torch.manual_seed(0)
    aspp, x = ASPPScores(6, 8, 5, (1, 2, 3)).eval(), torch.randn(1, 6, 9, 9)
    with torch.no_grad():
        torch.testing.assert_close(aspp(x), torch.stack([branch(x) for branch in aspp.branches]).sum(0))


def test_scores_are_moved_on_the_grid_that_was_not_trained_on():
    fine, coarse = build_network("deeplab-v2"), build_network("deeplab-v2", output_stride=16)
    scores = torch.randn(1, 21, 5, 6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(fine.placed(scores), half_a_cell_on(scores))
    torch.testing.assert_close(coarse.placed(scores), scores)


def test_image_pooling_spreads_the_mean():
    pooling, x = ImagePooling(1, 1), torch.tensor([[[[0.0, 1.0, 5.0]]]])
    with torch.no_grad():
        pooling.project[0].weight.fill_(1), pooling.project[0].bias.zero_()
        torch.testing.assert_close(pooling(x), torch.full_like(x, 2))


def test_rates_of_v3plus_are_half_the_papers():
    branches = build_network("deeplab-v3plus").aspp.branches
    assert [branch[0][0].dilation for branch in branches[1:-1]] == [(3, 3), (6, 6), (9, 9)]
