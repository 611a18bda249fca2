"""SegFormer against the transformers library's implementation, with the same weights."""

import pytest
import torch
from safetensors.torch import load_file
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from segdemo.networks.official import segformer_names
from segdemo.networks.segformer import B0, VARIANTS, SegFormer


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    torch.manual_seed(0)
    theirs = SegformerForSemanticSegmentation(SegformerConfig(num_labels=21)).eval()
    for p in theirs.parameters():  # away from the zeros and ones of initialization
        torch.nn.init.normal_(p, 0.02 if p.ndim == 1 else 0.0, 0.05)
    ours = SegFormer().eval()
    folder = tmp_path_factory.mktemp("published")
    theirs.save_pretrained(folder)
    ours.load_state_dict(segformer_names(load_file(folder / "model.safetensors")))
    return ours, theirs


@pytest.mark.parametrize("size", [(64, 64), (96, 160), (70, 101)], ids=str)
def test_same_scores_as_transformers(pair, size):
    ours, theirs = pair
    x = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected, scores = theirs(x).logits, ours(x)
    assert scores.shape == expected.shape == (2, 21, -(-size[0] // 4), -(-size[1] // 4))
    assert expected.std() > 1e-3
    torch.testing.assert_close(scores, expected, atol=1e-5, rtol=1e-4)


def test_parameter_count_of_b0():
    assert sum(p.numel() for p in SegFormer(classes=150).parameters()) == pytest.approx(3.75e6, rel=0.01)
    assert len(B0) == 4


@pytest.mark.parametrize(
    "variant, encoder, decoder",
    [("b0", 3.4, 0.4), ("b1", 13.1, 0.6), ("b2", 24.2, 3.3), ("b3", 44.0, 3.3), ("b4", 60.8, 3.3), ("b5", 81.4, 3.3)],
)
def test_variants_have_the_papers_millions_of_parameters(variant, encoder, decoder):
    """Table 6; the head of 150 classes is that of ADE20K."""
    stages, width = VARIANTS[variant]
    with torch.device("meta"):
        network = SegFormer(150, stages, width)
    for part, millions in ((network.encoder, encoder), (network.decoder, decoder)):
        assert sum(p.numel() for p in part.parameters()) / 1e6 == pytest.approx(millions, abs=0.2)


def test_convolutions_begin_as_he_et_al_have_them():
    torch.manual_seed(0)
    weight = SegFormer().encoder.patches[0].project.weight  # 32 kernels of 7 x 7
    assert weight.std().item() == pytest.approx((2 / (7 * 7 * 32)) ** 0.5, rel=0.05)
