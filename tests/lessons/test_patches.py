"""Patch by patch: the patches are those of the photo, and what they yield is what the network says of them."""

import numpy as np
import pytest
import torch
from skimage import data
from torch import nn

from segdemo import Engine, methods
from segdemo.errors import ParameterError
from segdemo.lessons.patches import around_middle, middles, patch_by_patch, patches_around
from segdemo.networks.checkpoints import read_card
from segdemo.networks.inference import predict

NETWORK = "fcn-8s"
needs_network = pytest.mark.skipif(bool(methods()[NETWORK].unavailable()), reason="no trained network here")


@pytest.mark.parametrize("shape, side, step", [((40, 50), 16, 8), ((5, 7), 16, 16), ((33, 20), 8, 16)])
def test_patches_are_cut_from_the_mirrored_photo(shape, side, step):
    x = torch.rand(1, 3, *shape)
    wide = np.pad(x[0].numpy(), [(0, 0), (side, side), (side, side)], mode="symmetric")
    expected = [
        wide[:, side + y - side // 2 : side + y + side // 2, side + z - side // 2 : side + z + side // 2]
        for y in middles(shape[0], step).tolist()
        for z in middles(shape[1], step).tolist()
    ]
    np.testing.assert_array_equal(patches_around(x, side, step).numpy(), np.stack(expected))


def test_a_patch_as_wide_as_the_field_says_what_the_whole_photo_says():
    """A network whose field is no wider than the patch has nothing to lose: both ways are the same sum."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 5, 3, padding=1))
    x = torch.rand(1, 3, 48, 64)
    with torch.no_grad():
        whole = network(x)
        pieces = around_middle(network(patches_around(x, 16, 8))).reshape(6, 8, 5).permute(2, 0, 1)
    four = nn.functional.avg_pool2d(whole, 2, stride=1)[0]  # at corners of pixels, as the middle of an even patch
    np.testing.assert_allclose(pieces, four[:, 3::8, 3::8], atol=1e-5)


@needs_network
def test_the_lesson_on_a_photo():
    engine, photo = Engine("cpu"), data.chelsea()
    lesson = engine.teach(patch_by_patch, photo, network=NETWORK, side=64, step=64)
    height, width = lesson.whole.shape
    assert lesson.patched.shape == (-(-height // 64), -(-width // 64)) and lesson.count == lesson.patched.size
    assert lesson.patch_work * (height * width) / 64**2 == pytest.approx(lesson.whole_work, rel=0.02)
    p = predict(engine.network(NETWORK), photo, read_card(NETWORK)["input_size"], engine.device, torch.float32)
    assert np.mean(lesson.whole == 8) == pytest.approx(np.mean(p.argmax(0) == 8), abs=0.02)  # the cat's share
    assert lesson.patch_seconds > 0 and lesson.whole_seconds > 0


@pytest.mark.parametrize("wrong", [{"side": 100}, {"step": 1}])
def test_other_sizes_are_refused(wrong):
    with pytest.raises(ParameterError, match="one of"):
        Engine("cpu").teach(patch_by_patch, data.chelsea(), network=NETWORK, **wrong)
