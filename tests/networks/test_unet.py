"""U-Net: what a skip carries, and the switches that cut it."""

import numpy as np
import pytest
import torch

from segdemo.labels import VOC21
from segdemo.networks.inference import build_network
from segdemo.networks.unet import UNetParams, cut_skips, what_each_skip_gives


@pytest.fixture(scope="module")
def unet():
    torch.manual_seed(0)
    return build_network("unet").eval()


def test_the_way_down_halves_and_the_way_up_returns(unet):
    with torch.no_grad():
        maps = unet.encode(torch.randn(1, 3, 64, 96))
        assert [tuple(m.shape[1:]) for m in maps] == [(16, 32, 48), (24, 16, 24), (40, 8, 12), (112, 4, 6), (320, 2, 3)]
        assert unet.head(maps).shape == (1, 21, 32, 48)


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_cut_skip_carries_nothing(unet, number):
    """Scores with skip k cut do not change when level k's map does; with the skip they do."""
    with torch.no_grad():
        maps = [torch.randn_like(m) for m in unet.encode(torch.randn(1, 3, 32, 32))]
        other = [m + (i == number - 1) * torch.randn_like(m) for i, m in enumerate(maps)]
        torch.testing.assert_close(unet.head(other, cut=(number,)), unet.head(maps, cut=(number,)))
        assert not torch.allclose(unet.head(other), unet.head(maps))


def test_switches_become_cuts():
    assert cut_skips(UNetParams()) == {"cut": ()}
    assert cut_skips(UNetParams(skip_1=False, skip_4=False)) == {"cut": (1, 4)}


def test_pictures_show_each_cut():
    def look(cut):
        scores = np.zeros((21, 4, 5), np.float32)
        scores[8 if cut else 0, :1] = scores[0, 1:] = 1
        return scores

    pictures = what_each_skip_gives(look, UNetParams())
    assert [p.title for p in pictures] == [*(f"skip {k} cut" for k in (1, 2, 3, 4)), "all skips cut"]
    assert all(p.note.startswith("25.0 %") and p.image.shape == (4, 5, 3) for p in pictures)
    assert all((p.image[:1] == VOC21.palette[8]).all() and (p.image[1:] == VOC21.palette[0]).all() for p in pictures)
