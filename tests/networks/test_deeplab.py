"""DeepLab v2: the same weights on a grid of 16 and of 8."""

import torch

from segdemo.networks.deeplab import ASPPScores
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


def test_branches_are_summed_scores():
    torch.manual_seed(0)
    aspp, x = ASPPScores(6, 8, 5, (1, 2, 3)).eval(), torch.randn(1, 6, 9, 9)
    with torch.no_grad():
        torch.testing.assert_close(aspp(x), torch.stack([branch(x) for branch in aspp.branches]).sum(0))
