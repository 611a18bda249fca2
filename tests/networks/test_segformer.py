"""SegFormer against the transformers library's implementation, with the same weights."""

import re

import pytest
import torch
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from segdemo.networks.segformer import B0, SegFormer

RENAMES = [
    (r"segformer\.stages\.(\d)\.patch_embeddings\.proj\.", r"encoder.patches.\1.project."),
    (r"segformer\.stages\.(\d)\.patch_embeddings\.layer_norm\.", r"encoder.patches.\1.norm."),
    (r"segformer\.stages\.(\d)\.blocks\.(\d)\.layernorm_before\.", r"encoder.blocks.\1.\2.norm1."),
    (r"segformer\.stages\.(\d)\.blocks\.(\d)\.layernorm_after\.", r"encoder.blocks.\1.\2.norm2."),
    (r"segformer\.stages\.(\d)\.blocks\.(\d)\.attention\.sequence_reduction\.sequence_reduction\.", r"encoder.blocks.\1.\2.attention.reduce."),
    (r"segformer\.stages\.(\d)\.blocks\.(\d)\.attention\.sequence_reduction\.layer_norm\.", r"encoder.blocks.\1.\2.attention.norm."),
    (r"segformer\.stages\.(\d)\.blocks\.(\d)\.mlp\.fc1\.", r"encoder.blocks.\1.\2.ffn.expand."),
    (r"segformer\.stages\.(\d)\.blocks\.(\d)\.mlp\.dwconv\.dwconv\.", r"encoder.blocks.\1.\2.ffn.depthwise."),
    (r"segformer\.stages\.(\d)\.blocks\.(\d)\.mlp\.fc2\.", r"encoder.blocks.\1.\2.ffn.contract."),
    (r"segformer\.stages\.(\d)\.layer_norm\.", r"encoder.norms.\1."),
    (r"segformer\.stages\.(\d)\.blocks\.(\d)\.attention\.q_proj\.", r"encoder.blocks.\1.\2.attention.query."),
    (r"segformer\.stages\.(\d)\.blocks\.(\d)\.attention\.k_proj\.", r"encoder.blocks.\1.\2.attention.key."),
    (r"segformer\.stages\.(\d)\.blocks\.(\d)\.attention\.v_proj\.", r"encoder.blocks.\1.\2.attention.value."),
    (r"segformer\.stages\.(\d)\.blocks\.(\d)\.attention\.o_proj\.", r"encoder.blocks.\1.\2.attention.out."),
    (r"decode_head\.linear_projections\.(\d)\.proj\.", r"decoder.linears.\1."),
    (r"decode_head\.linear_fuse\.", "decoder.fuse.0."),
    (r"decode_head\.batch_norm\.", "decoder.fuse.1."),
    (r"decode_head\.classifier\.", "decoder.classifier."),
]  # fmt: skip


def our_name(name: str) -> str:
    for pattern, replacement in RENAMES:
        name, count = re.subn("^" + pattern, replacement, name)
        if count:
            return name
    raise AssertionError(f"no counterpart for {name}")


@pytest.fixture(scope="module")
def pair():
    torch.manual_seed(0)
    theirs = SegformerForSemanticSegmentation(SegformerConfig(num_labels=21)).eval()
    for p in theirs.parameters():  # away from the zeros and ones of initialization
        torch.nn.init.normal_(p, 0.02 if p.ndim == 1 else 0.0, 0.05)
    ours = SegFormer().eval()
    ours.load_state_dict({our_name(name): value for name, value in theirs.state_dict().items()})
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
