"""Scores taken apart: sums are sums, silencing is what it says, and the rows are those of the networks they name."""

import numpy as np
import pytest
import torch
from skimage import data

from segdemo import Engine, methods
from segdemo.errors import ParameterError
from segdemo.image import fit
from segdemo.lessons.branches import HAVE_BRANCHES, against, branches, taken_apart
from segdemo.networks.backbones import resize
from segdemo.networks.checkpoints import read_card
from segdemo.networks.inference import architectures, build_network, class_scores, load_network

ENGINE, PHOTO = Engine("cpu"), fit(data.chelsea(), 256)
needs_networks = pytest.mark.skipif(
    any(methods()[name].unavailable() for name in HAVE_BRANCHES), reason="no trained networks here"
)


def alive(network):
    """With biases drawn at random: no branch is silent from the start."""
    torch.manual_seed(0)
    for name, p in network.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(p, std=0.3)
    return network.eval()


@pytest.mark.parametrize("name", architectures())
def test_sums_are_the_scores_and_silenced_branches_are_missing(name):
    network, x = alive(build_network(name)), torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        if name not in HAVE_BRANCHES:
            with pytest.raises(ParameterError, match="several branches"):
                taken_apart(network, x)
            return
        taken, whole = taken_apart(network, x), network(x)
    torch.testing.assert_close(taken.whole, whole, atol=1e-5, rtol=1e-5)
    assert len(taken.parts) == len(taken.titles) > 1
    assert all(part.shape == whole.shape and part.abs().max() > 0 for part in taken.parts)
    assert taken.is_sum == (name in ("fcn-16s", "fcn-8s", "deeplab-v2"))
    if taken.is_sum:
        torch.testing.assert_close(sum(taken.parts), whole, atol=1e-5, rtol=1e-5)


def test_a_silenced_stage_is_one_whose_weights_are_zero():
    network, x = alive(build_network("segformer-b0")), torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        taken = taken_apart(network, x)
        network.decoder.linears[3].weight.zero_()
        torch.testing.assert_close(taken.whole - taken.parts[3], network(x), atol=1e-5, rtol=1e-5)


def test_a_silenced_skip_is_one_whose_layer_gives_zeros():
    network, x = alive(build_network("deeplab-v3plus")), torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        taken = taken_apart(network, x)
        network.low.register_forward_hook(lambda layer, given, result: torch.zeros_like(result))
        torch.testing.assert_close(taken.whole - taken.parts[-1], network(x), atol=1e-5, rtol=1e-5)


def test_scores_count_from_background():
    scores = torch.tensor([1.0, 5.0, 2.0, 8.0]).reshape(4, 1, 1)
    assert against(scores, [1, 3]).ravel().tolist() == [4, 7]
    assert against(scores, [0]).ravel().tolist() == [1 - 5]


@needs_networks
def test_the_sum_up_to_a_stride_is_the_coarser_network():
    lesson = ENGINE.teach(branches, PHOTO, network="fcn-8s")
    assert lesson.titles == ["stride 32", "stride 16", "stride 8"] and lesson.is_sum
    for name, labels in zip(("fcn-32s", "fcn-16s", "fcn-8s"), lesson.running, strict=True):
        side = read_card(name)["input_size"]
        scores = class_scores(load_network(name).eval(), PHOTO, side, torch.device("cpu"), torch.float32)
        expected = resize(scores, labels.shape)[0].argmax(0).numpy()
        assert (labels == expected).mean() > 0.98  # enlarged in steps, not in one
    assert (lesson.running[-1] == lesson.labels).mean() > 0.999
    assert (lesson.without[-1] == lesson.running[-2]).mean() > 0.999  # without the last it is the sum up to there
    np.testing.assert_allclose(lesson.parts.sum(0), lesson.whole, atol=1e-3)
    assert lesson.classes[0] == 8  # a cat


@needs_networks
def test_every_network_that_is_offered_answers():
    for name in HAVE_BRANCHES:
        lesson = ENGINE.teach(branches, PHOTO, network=name)
        assert len(lesson.parts) == len(lesson.titles) == len(lesson.without) > 1
        assert (lesson.alone is None) == (lesson.running is None) == (not lesson.is_sum)
        assert lesson.whole.shape[1:] == lesson.labels.shape == lesson.image.shape[:2]
        assert max((without != lesson.labels).mean() for without in lesson.without) > 0.01
    with pytest.raises(ParameterError, match="several branches"):
        ENGINE.teach(branches, PHOTO, network="segnet")


@needs_networks
@pytest.mark.parametrize("shape", [(1, 1), (3, 200)])
def test_any_photo(shape):
    lesson = ENGINE.teach(branches, np.full((*shape, 3), 90, np.uint8), network="deeplab-v3plus")
    assert lesson.labels.shape == shape and np.isfinite(lesson.parts).all()
