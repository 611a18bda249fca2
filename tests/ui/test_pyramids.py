"""The figure of three encoders says what the networks are."""

import torch

from segdemo.networks.backbones import EfficientNetLite0
from segdemo.networks.segformer import EfficientSelfAttention, Encoder
from segdemo.ui.lessons.pyramids import ENCODERS, PHOTO, pyramids


def drawn(encoder):
    return [(stage.channels, PHOTO // stage.stride) for stage in encoder.stages]


def test_pyramids_are_those_of_the_networks():
    x = torch.zeros(1, 3, PHOTO, PHOTO)
    with torch.no_grad():
        for encoder, network in ((ENCODERS[0], EfficientNetLite0(32)), (ENCODERS[2], Encoder())):
            assert drawn(encoder) == [(f.shape[1], f.shape[2]) for f in network.eval()(x)]


def test_pairs_are_those_that_attention_compares(monkeypatch):
    compared, attend = [], torch.nn.functional.scaled_dot_product_attention

    def count(query, key, value):
        compared.append(query.shape[2] * key.shape[2])
        return attend(query, key, value)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", count)
    stage = ENCODERS[2].stages[1]
    layer = EfficientSelfAttention(stage.channels, 2, stage.reduction).eval()
    with torch.no_grad():
        layer(torch.zeros(1, stage.side**2, stage.channels), stage.side, stage.side)
    assert compared == [stage.pairs] and f"{stage.pairs:,} pairs" in pyramids()
