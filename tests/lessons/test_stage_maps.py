"""A network's maps: of every network, at the sizes they have, and colours that are principal components."""

import numpy as np
import pytest
import torch
from skimage import data

from segdemo import Engine, methods
from segdemo.labels import VOC21
from segdemo.lessons.stage_maps import down_and_up, principal_colours, stage_maps
from segdemo.networks.inference import architectures, build_network

SHAPES = {
    "segnet": ([2, 4, 8, 16, 32], [16, 8, 4, 2, 1]),
    "unet": ([2, 4, 8, 16, 32], [16, 8, 4, 2]),
    "deeplab-v3plus": ([4, 8, 16, 16], [16, 4]),
    "deeplab-v2": ([4, 8, 8, 8], []),
}


@pytest.mark.parametrize("name", architectures())
def test_maps_of_every_network(name):
    network, x = build_network(name).eval(), torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        down, up, scores = down_and_up(network, x)
        torch.testing.assert_close(scores, network(x))
    expected = SHAPES.get(name.removesuffix("-fixed").removesuffix("-bilinear"), ([4, 8, 16, 32], []))
    assert ([64 // y.shape[2] for y in down], [64 // y.shape[2] for y in up]) == expected
    assert all(y.shape[2] / y.shape[3] == 64 / 96 for y in [*down, *up])


def test_colours_are_principal_components():
    rng = np.random.default_rng(0)
    hidden = rng.standard_normal((2, 20, 30)) * np.array([5, 2])[:, None, None]
    mixed = np.einsum("ck,khw->chw", np.linalg.qr(rng.standard_normal((6, 2)))[0], hidden)
    colours = principal_colours(mixed).astype(float)
    assert colours.shape == (20, 30, 3) and (colours[..., 2] == 128).all()  # there is no third component
    for number in (0, 1):
        assert abs(np.corrcoef(colours[..., number].ravel(), hidden[number].ravel())[0, 1]) > 0.97
    assert (principal_colours(-mixed) == principal_colours(mixed)).mean() < 0.5  # signs are those of the loadings
    np.testing.assert_array_equal(
        principal_colours(mixed + 100), principal_colours(mixed)
    )  # what all share is no colour


@pytest.mark.parametrize("channel", range(3))
def test_red_grows_with_the_channel_that_varies_most(channel):
    features = np.random.default_rng(channel).normal(0, 0.1, (3, 1, 50))
    features[channel] += np.linspace(-1, 1, 50)
    red = principal_colours(features)[0, :, 0]
    assert red[0] < 20 and red[-1] > 235


def test_a_single_strange_cell_does_not_darken_the_others():
    features = np.linspace(0, 1, 100).reshape(1, 10, 10)
    features[0, 0, 0] = -1000
    assert np.ptp(principal_colours(features)[1:, :, 0].astype(int)) > 200


@pytest.mark.parametrize("features", [np.zeros((5, 3, 4)), np.ones((2, 1, 1)), np.full((1, 2, 2), 7.0)])
def test_constant_maps_are_grey(features):
    assert (principal_colours(features) == 128).all()


@pytest.mark.skipif(bool(methods()["unet"].unavailable()), reason="no trained network here")
def test_the_lesson_on_a_photo():
    maps = Engine("cpu").teach(stage_maps, data.chelsea(), network="unet", working_size=128)
    assert [m.title for m in maps][:2] == ["down, stage 1", "down, stage 2"] and len(maps) == 10
    assert all(m.picture.shape == (*m.grid, 3) and m.picture.dtype == np.uint8 for m in maps)
    assert [m.stride for m in maps] == [2, 4, 8, 16, 32, 16, 8, 4, 2, 2] and maps[-1].channels == 21
    assert [m.channels for m in maps[:5]] == [16, 24, 40, 112, 320]
    colours = np.unique(maps[-1].picture.reshape(-1, 3), axis=0).tolist()
    assert 8 in maps[-1].classes and colours == sorted(VOC21.palette[list(maps[-1].classes)].tolist())  # a cat
