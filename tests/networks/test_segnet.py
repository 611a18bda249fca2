"""SegNet: the encoder is the shared trunk with poolings, and each upsampling does what the lecture says."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from segdemo.networks.backbones import EfficientNetLite0, copy_in_order
from segdemo.networks.inference import build_network
from segdemo.networks.segnet import UPSAMPLINGS, Encoder, SegNet, upsample


def test_encoder_holds_the_trunks_weights_in_its_order():
    torch.manual_seed(0)
    trunk, encoder = EfficientNetLite0(), Encoder()
    copy_in_order(trunk.state_dict().items(), encoder)
    for ours, theirs in zip(encoder.state_dict().values(), trunk.state_dict().values(), strict=True):
        torch.testing.assert_close(ours, theirs)
    assert sum(p.numel() for p in encoder.parameters()) == sum(p.numel() for p in trunk.parameters())


def test_pooling_sees_the_places_of_the_strided_convolution():
    """Without ReLU6's cap, the first pooled map is nowhere below the trunk's, whose values are among the four."""
    torch.manual_seed(0)
    trunk, encoder = EfficientNetLite0().eval(), Encoder().eval()
    copy_in_order(trunk.state_dict().items(), encoder)
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        strided, dense = trunk.stem(x), encoder.parts[0](x)
    torch.testing.assert_close(dense[:, :, 1::2, 1::2], strided)
    assert (F.max_pool2d(dense, 2) >= strided).all()


def test_max_unpooling_puts_each_maximum_back():
    torch.manual_seed(0)
    x = torch.randn(2, 3, 8, 6)
    pooled, where = F.max_pool2d(x, 2, return_indices=True)
    back = upsample(pooled, where, "max")
    squares = x.unfold(2, 2, 2).unfold(3, 2, 2).flatten(4)  # (2, 3, 4, 3, 4)
    is_maximum = torch.zeros_like(x, dtype=torch.bool)
    for n, c, i, j in np.ndindex(*squares.shape[:4]):
        k = int(squares[n, c, i, j].argmax())
        is_maximum[n, c, 2 * i + k // 2, 2 * j + k % 2] = True
    torch.testing.assert_close(back, torch.where(is_maximum, x, 0.0))


def test_fixed_unpooling_uses_the_upper_left():
    x = torch.arange(1.0, 5).reshape(1, 1, 2, 2)
    expected = [[1, 0, 2, 0], [0, 0, 0, 0], [3, 0, 4, 0], [0, 0, 0, 0]]
    torch.testing.assert_close(upsample(x, x.long(), "fixed")[0, 0], torch.tensor(expected, dtype=torch.float32))


def test_bilinear_is_the_lectures_formula():
    """f(x, y) = sum_ij f_ij max(0, 1 - |x - i|) max(0, 1 - |y - j|), at the centres of the finer pixels."""
    torch.manual_seed(0)
    x = torch.randn(1, 1, 5, 4)
    up = upsample(x, x.long(), "bilinear")[0, 0]
    for row, column in [(3, 3), (4, 6), (6, 2)]:
        y, at = (row + 0.5) / 2 - 0.5, (column + 0.5) / 2 - 0.5
        weights = torch.clamp(1 - (y - torch.arange(5.0)).abs(), min=0)[:, None] * torch.clamp(
            1 - (at - torch.arange(4.0)).abs(), min=0
        )
        assert up[row, column].item() == pytest.approx((weights * x[0, 0]).sum().item(), abs=1e-5)


def test_variants_have_the_same_parameters():
    states = [build_network(name).state_dict() for name in ("segnet", "segnet-fixed", "segnet-bilinear")]
    assert [list(s) for s in states[1:]] == [list(states[0])] * 2
    assert set(UPSAMPLINGS) == {"max", "fixed", "bilinear"}
    with pytest.raises(ValueError, match="upsampling"):
        SegNet(upsampling="learned")


@pytest.mark.parametrize("name, how", [("segnet", "max"), ("segnet-fixed", "fixed"), ("segnet-bilinear", "bilinear")])
def test_each_name_has_its_upsampling(name, how):
    assert {stage.upsampling for stage in build_network(name).decoder} == {how}
