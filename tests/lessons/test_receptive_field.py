"""Effective receptive fields: known ones of small networks, and those of the shipped networks."""

import numpy as np
import pytest
import torch
from torch import nn

from segdemo import Engine
from segdemo.lessons.receptive_field import CROP, crops, effective_fields, feature_maps, receptive_fields, side_holding
from segdemo.networks import checkpoints
from segdemo.networks.inference import architectures, build_network

PICTURES = np.random.default_rng(0).integers(0, 256, (2, CROP, CROP, 3), dtype=np.uint8)


@pytest.mark.parametrize("layers", [1, 3, 5])
def test_theory_one_plus_two_per_layer(layers):
    """L layers of 3 x 3 see a square of 1 + 2L pixels; what counts in effect is less."""
    torch.manual_seed(0)
    network = nn.Sequential(*(nn.Conv2d(3, 3, 3, padding=1) for _ in range(layers)))
    for p in network.parameters():
        nn.init.constant_(p, 0.1)
    (field,) = effective_fields(network, PICTURES)
    rows, columns = np.nonzero(field.weights > 0)
    assert np.ptp(rows) + 1 == np.ptp(columns) + 1 == 1 + 2 * layers
    assert (rows.mean(), columns.mean()) == (CROP // 2, CROP // 2)
    assert field.half <= field.most <= 1 + 2 * layers and field.weights.sum() == pytest.approx(1)
    if layers > 1:
        assert field.half < 1 + 2 * layers


def test_squares_that_hold_a_part():
    weights = np.zeros((9, 9))
    weights[4, 4], weights[4, 6] = 0.6, 0.4
    assert side_holding(weights, 0.5, 4) == 1 and side_holding(weights, 0.9, 4) == 5
    assert (
        side_holding(weights, 0.5, 4.5) == 2
        and side_holding(weights, 0.9, 4.5) == 4
        and side_holding(weights, 1, 0) == 9
    )


def test_crops_of_any_photo():
    for shape in ((300, 400), (20, 500), (1, 1)):
        assert crops(np.zeros((*shape, 3), np.uint8), 3, np.random.default_rng(0)).shape == (3, CROP, CROP, 3)


@pytest.mark.skipif(
    bool(checkpoints.unavailable("segformer-b0") or checkpoints.unavailable("deeplab-v3plus")), reason="no weights here"
)
def test_segformer_looks_wide_early():
    """Every stage has a map; SegFormer's first reaches all of the picture, its second heeds far more than DeepLabv3+'s (fig. 3)."""
    found = Engine("cpu").teach(receptive_fields, PICTURES[0], networks=["segformer-b0", "deeplab-v3plus"], count=2)
    segformer, deeplab = found["segformer-b0"], found["deeplab-v3plus"]
    assert [f.title for f in segformer] == [f"stage {n}, stride {s}" for n, s in ((1, 4), (2, 8), (3, 16), (4, 32))] + [
        "scores"
    ]
    assert len(deeplab) == 5 and all(f.weights.shape == (CROP, CROP) for f in segformer + deeplab)
    assert (segformer[0].weights > 0).mean() > 0.99 and (deeplab[0].weights > 0).mean() < 0.05
    assert segformer[1].most > 2 * deeplab[1].most


@pytest.mark.parametrize("name", architectures())
def test_every_network_shows_maps_that_lead_back_to_the_picture(name):
    network, x = build_network(name).eval(), torch.zeros(1, 3, 64, 96, requires_grad=True)
    titled = feature_maps(network, x)
    assert len(titled) > 2 and titled[-1][0] == "scores"
    assert all(features.ndim == 4 and features.requires_grad for _, features in titled)
    # SegNet's encoder keeps no maps but its last; what follows is no stage to be compared with the others' first.
    assert titled[0][0] == ("encoder's end, stride 32" if name.startswith("segnet") else titled[0][0])
    assert titled[0][0].startswith("stage 1, ") != name.startswith("segnet")


def test_networks_without_stages_show_their_scores():
    maps = feature_maps(nn.Conv2d(3, 2, 1), torch.zeros(1, 3, 32, 32))
    assert [title for title, _ in maps] == ["scores"]
