"""Every method and lesson that computes with PyTorch, on a GPU: a pretended one, for this has to hold on any machine."""

from dataclasses import fields, is_dataclass

import numpy as np
import pytest
import skimage.data
import torch
from pretend_gpu import TensorOnGpu, pretend_gpu

from segdemo import Engine, methods
from segdemo.labels import ADE20K
from segdemo.lessons.branches import branches
from segdemo.lessons.crf_terms import crf_terms
from segdemo.lessons.loss import loss_lesson
from segdemo.lessons.mean_field import mean_field_film
from segdemo.lessons.pairwise import pairwise
from segdemo.lessons.patches import patch_by_patch
from segdemo.lessons.receptive_field import receptive_fields
from segdemo.lessons.scanline import scanline
from segdemo.lessons.stage_maps import stage_maps
from segdemo.networks.official import as_own, as_voc

NETWORKS = [name for name, m in methods().items() if m.family == "networks" and not m.unavailable()]
CAT = skimage.data.chelsea()[60:260, 100:340]
PHOTO = skimage.data.chelsea()  # with background
CPU = Engine("cpu")

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU of its own")


@pytest.fixture
def gpu(monkeypatch):
    with pretend_gpu(monkeypatch):
        yield Engine("cuda")


@pytest.fixture
def single_precision(monkeypatch):
    """The CPU is slow at half precision."""
    monkeypatch.setattr(Engine, "dtype", staticmethod(lambda device: torch.float32))


def test_it_is_strict_as_a_gpu_is(gpu):
    on_gpu, on_cpu = torch.arange(4.0, device="cuda"), torch.ones(4)
    assert on_gpu.device.type == "cuda" and isinstance(on_gpu * 2, TensorOnGpu)
    assert torch.equal((on_gpu + on_cpu.to("cuda")).cpu(), torch.tensor([1.0, 2.0, 3.0, 4.0]))
    assert torch.equal(on_gpu[torch.tensor([3, 0])].cpu(), torch.tensor([3.0, 0.0]))
    for wrong in (
        lambda: on_gpu + on_cpu,
        lambda: on_gpu.numpy(),
        lambda: np.asarray(on_gpu),
        lambda: torch.stack([on_gpu, on_cpu]),
    ):
        with pytest.raises((RuntimeError, TypeError)):
            wrong()


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_with_the_crf(gpu, name, monkeypatch):
    monkeypatch.setattr(
        Engine, "dtype", staticmethod(lambda device: torch.float32)
    )  # the CPU is slow at half precision
    result = gpu.run(name, CAT, crf=True)
    assert result.device == "cuda" and not result.notices
    assert {p.device.type for p in gpu.network(name).parameters()} == {"cuda"}
    assert np.mean(result.labels == CPU.run(name, CAT, crf=True).labels) > 0.999


@pytest.mark.parametrize("name", ["fcn-32s", "unet", "segformer-b0"])
def test_half_precision_suffices(gpu, name):
    result = gpu.run(name, CAT)
    assert {p.dtype for p in gpu.network(name).parameters()} == {torch.float16}
    assert np.mean(result.labels == CPU.run(name, CAT).labels) > 0.999
    assert np.abs(result.scores - CPU.run(name, CAT).scores).mean() < 2e-3


@pytest.mark.parametrize("form", [as_voc, as_own])
def test_labels_of_public_checkpoints(gpu, form):
    scores = torch.randn(1, len(ADE20K), 4, 5, generator=torch.Generator().manual_seed(0))
    ours, theirs = (form(scores.to(device), ADE20K, (8, 10))[0] for device in ("cuda", "cpu"))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_a_cut_with_deep_features(gpu, single_precision):
    scribbles = np.zeros(CAT.shape[:2], np.uint8)
    scribbles[90:110, 60:150], scribbles[:6] = 1, 2
    result = gpu.run("graphcut", CAT, scribbles=scribbles)
    assert "components" in result.facts["deep features"]
    assert np.mean(result.labels == CPU.run("graphcut", CAT, scribbles=scribbles).labels) > 0.99


LESSONS = {
    "branches of FCN": (branches, {"network": "fcn-8s"}),
    "branches of U-Net": (branches, {"network": "unet"}),
    "branches of DeepLab": (branches, {"network": "deeplab-v2"}),
    "branches of SegFormer": (branches, {"network": "segformer-b0"}),
    "terms": (crf_terms, {"network": "fcn-32s"}),
    "film": (mean_field_film, {"network": "fcn-32s"}),
    "pairwise": (pairwise, {"network": "fcn-32s"}),
    "line by line": (scanline, {"network": "fcn-32s"}),
    "loss": (loss_lesson, {"network": "fcn-32s", "truth": "deeplab-v3plus"}),
    "loss of an own truth": (loss_lesson, {"network": "fcn-32s", "truth": np.full((96, 144), 8, np.uint8)}),
    "patches": (patch_by_patch, {"network": "fcn-32s", "side": 64, "step": 64}),
    "maps of a CNN": (stage_maps, {"network": "segnet"}),
    "maps of a transformer": (stage_maps, {"network": "segformer-b0"}),
    "fields": (receptive_fields, {"networks": ["fcn-32s"], "count": 1}),
}


@pytest.mark.parametrize("name", LESSONS)
def test_lessons(gpu, single_precision, name):
    lesson, params = LESSONS[name]
    found, expected = (arrays_in(e.teach(lesson, PHOTO, working_size=144, **params)) for e in (gpu, CPU))
    assert found and len(found) == len(expected)
    for ours, theirs in zip(found, expected):
        np.testing.assert_allclose(ours, theirs, atol=0.01 * np.abs(theirs).max() + 1e-6)


def arrays_in(value):
    """All arrays and tensors in a lesson's result, as arrays."""
    if isinstance(value, (np.ndarray, torch.Tensor)):
        return [np.asarray(value)]
    if isinstance(value, dict):
        value = list(value.values())
    elif is_dataclass(value):
        value = [getattr(value, field.name) for field in fields(value)]
    return [found for part in value for found in arrays_in(part)] if isinstance(value, (list, tuple)) else []
