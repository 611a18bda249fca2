"""Public checkpoints for who is online: torchvision's networks and NVIDIA's SegFormers.

Nothing is fetched unasked: ``download(name)`` does it, once, into the cache folder; from then on the network
runs without internet. Files are checked against what their publisher states: torchvision writes the beginning of
the SHA-256 into the file's name, the model hub sends it in a header. Weights are read as safetensors or, where a
repository has only a pickle, by PyTorch's reader that admits tensors and nothing else.
"""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ..errors import DownloadError, UnavailableError
from ..labels import LABEL_SETS, VOC21, LabelSet, voc_columns
from ..likeliest import likeliest
from ..method import Run, method
from ..segmentation import Segmentation
from .backbones import count_parameters, resize
from .downloads import Expected, fetch, hub_expected
from .inference import NetworkParams, certainty, class_scores, input_shape, register_loader
from .segformer import VARIANTS, SegFormer

CACHE = Path(os.environ.get("SEGDEMO_CACHE") or Path.home() / ".cache" / "segdemo")
"""Where downloads are kept; the environment variable ``SEGDEMO_CACHE`` names another folder."""

HUB = "https://huggingface.co"
BSD = "BSD-3-Clause (torchvision); trained on photos of COCO with VOC's 20 classes"
NVIDIA = "NVIDIA Source Code License for SegFormer: research and evaluation only, no commercial use"

DAMAGE = (SafetensorError, pickle.UnpicklingError, EOFError, OSError)

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Official:
    """A public checkpoint.

    Attributes:
        name: of the method, ``"torchvision/fcn_resnet50"``.
        about: one sentence for the page, with the paper.
        megabytes: roughly what is to be downloaded.
        licence: its terms in one line, shown before the download.
        labels: name of its label set.
        input_size: long side in pixels at which it sees photos unless told otherwise.
        build: an untrained network, (N, 3, H, W) normalized for ImageNet -> scores (N, K, h, w).
        download: fetches the file into a folder, given progress and cancellation; returns it.
        rename: from the names in the file to those of ``build()``.
    """

    name: str
    title: str
    about: str
    megabytes: int
    licence: str
    labels: str
    input_size: int
    build: Callable[[], nn.Module]
    download: Callable[..., Path]
    rename: Callable[[dict[str, Tensor]], dict[str, Tensor]]

    @property
    def folder(self) -> Path:
        return CACHE / self.name

    @property
    def file(self) -> Path | None:
        """The downloaded weights, or None."""
        found = [path for end in ("*.safetensors", "*.bin", "*.pth") for path in sorted(self.folder.glob(end))]
        return found[0] if found else None

    @property
    def label_set(self) -> LabelSet:
        return LABEL_SETS[self.labels]


class ImageNetInput(nn.Module):
    """A network that wants ImageNet's mean and deviation, fed with what ``inference.normalize`` makes."""

    stride = 32

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network
        self.trained_values = count_parameters(network)  # before the engine folds batch normalization away
        # x = (v - 127) / 128 for grey levels v; wanted is (v / 255 - mean) / std = x * scale + shift.
        mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
        self.register_buffer("scale", (128 / 255 / std)[:, None, None], persistent=False)
        self.register_buffer("shift", ((127 / 255 - mean) / std)[:, None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        scores = self.network(x * self.scale + self.shift)
        return scores["out"] if isinstance(scores, dict) else scores


# -- torchvision ------------------------------------------------------------------------


def torchvision_network(builder: str) -> nn.Module:
    """torchvision's own module, without weights; classes as in its checkpoints, auxiliary head left out."""
    from torchvision.models import get_model, get_model_weights

    options = {} if builder.startswith("lraspp") else {"aux_loss": False}
    categories = get_model_weights(builder).DEFAULT.meta["categories"]
    return get_model(builder, weights=None, weights_backbone=None, num_classes=len(categories), **options)


def torchvision_download(builder: str, folder: Path, on_progress, is_cancelled) -> Path:
    """By the address in torchvision's ``Weights``, whose file name ends in the beginning of the SHA-256."""
    from torchvision.models import get_model_weights

    url = get_model_weights(builder).DEFAULT.url
    name = url.rpartition("/")[2]
    digest = re.search(r"-([0-9a-f]{8,})\.", name)
    return fetch(url, folder / name, Expected(sha256=digest.group(1) if digest else None), on_progress, is_cancelled)


def without_auxiliary(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value for key, value in state.items() if not key.startswith("aux_classifier.")}


# -- NVIDIA's SegFormers ----------------------------------------------------------------

_SEGFORMER_NAMES = [
    (r"segformer\.encoder\.patch_embeddings\.(\d)\.proj\.", r"encoder.patches.\1.project."),
    (r"segformer\.encoder\.patch_embeddings\.(\d)\.layer_norm\.", r"encoder.patches.\1.norm."),
    (r"segformer\.encoder\.block\.(\d)\.(\d+)\.layer_norm_(\d)\.", r"encoder.blocks.\1.\2.norm\3."),
    (r"segformer\.encoder\.block\.(\d)\.(\d+)\.attention\.self\.sr\.", r"encoder.blocks.\1.\2.attention.reduce."),
    (r"segformer\.encoder\.block\.(\d)\.(\d+)\.attention\.self\.layer_norm\.", r"encoder.blocks.\1.\2.attention.norm."),
    (r"segformer\.encoder\.block\.(\d)\.(\d+)\.attention\.self\.(query|key|value)\.", r"encoder.blocks.\1.\2.attention.\3."),
    (r"segformer\.encoder\.block\.(\d)\.(\d+)\.attention\.output\.dense\.", r"encoder.blocks.\1.\2.attention.out."),
    (r"segformer\.encoder\.block\.(\d)\.(\d+)\.mlp\.dense1\.", r"encoder.blocks.\1.\2.ffn.expand."),
    (r"segformer\.encoder\.block\.(\d)\.(\d+)\.mlp\.dwconv\.dwconv\.", r"encoder.blocks.\1.\2.ffn.depthwise."),
    (r"segformer\.encoder\.block\.(\d)\.(\d+)\.mlp\.dense2\.", r"encoder.blocks.\1.\2.ffn.contract."),
    (r"segformer\.encoder\.layer_norm\.(\d)\.", r"encoder.norms.\1."),
    (r"decode_head\.linear_c\.(\d)\.proj\.", r"decoder.linears.\1."),
    (r"decode_head\.linear_fuse\.", "decoder.fuse.0."),
    (r"decode_head\.batch_norm\.", "decoder.fuse.1."),
    (r"decode_head\.classifier\.", "decoder.classifier."),
]  # fmt: skip


def segformer_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of the published SegFormers in the names of this project's; ``KeyError`` for a name unknown."""
    renamed = {}
    for name, value in state.items():
        ours = next((re.sub("^" + p, r, name) for p, r in _SEGFORMER_NAMES if re.match(p, name)), None)
        if ours is None:
            raise KeyError(name)
        renamed[ours] = value
    return renamed


def segformer_download(repository: str, folder: Path, on_progress, is_cancelled) -> Path:
    """The repository's safetensors or, where there is none, its pickle of tensors."""
    address = f"{HUB}/{repository}/resolve/main"
    try:
        name, expected = "model.safetensors", hub_expected(f"{address}/model.safetensors")
    except DownloadError as error:
        if " 404 " not in str(error):
            raise
        name, expected = "pytorch_model.bin", hub_expected(f"{address}/pytorch_model.bin")
    return fetch(f"{address}/{name}", folder / name, expected, on_progress, is_cancelled)


# -- the list ---------------------------------------------------------------------------


@cache
def official() -> dict[str, Official]:
    """Every public checkpoint by name."""
    entries = [_torchvision(*row) for row in (
        ("fcn_resnet50", "FCN, ResNet-50", "Long et al. 2015", 135), ("fcn_resnet101", "FCN, ResNet-101", "Long et al. 2015", 208),
        ("deeplabv3_resnet50", "DeepLabv3, ResNet-50", "Chen et al. 2017", 161),
        ("deeplabv3_resnet101", "DeepLabv3, ResNet-101", "Chen et al. 2017", 233),
        ("deeplabv3_mobilenet_v3_large", "DeepLabv3, MobileNetV3", "Chen et al. 2017", 42),
        ("lraspp_mobilenet_v3_large", "LR-ASPP, MobileNetV3", "Howard et al. 2019", 13),
    )]  # fmt: skip
    megabytes = {"b0": 15, "b1": 55, "b2": 110, "b3": 190, "b4": 256, "b5": 339}
    for variant, size in megabytes.items():
        crop = "640-640" if variant == "b5" else "512-512"
        entries.append(_segformer(variant, f"ade-{crop}", "ade", "ADE20K-150", 640, size))
    for variant, size in megabytes.items():
        entries.append(_segformer(variant, "cityscapes-1024-1024", "cityscapes", "Cityscapes-19", 1024, size))
    return {entry.name: entry for entry in entries}


def _torchvision(builder: str, title: str, paper: str, megabytes: int) -> Official:
    about = f"torchvision's {title} ({paper}), trained on COCO's photos with VOC's classes."
    return Official(
        f"torchvision/{builder}", f"{title} (torchvision)", about, megabytes, BSD, VOC21.name, 640,
        partial(torchvision_network, builder), partial(torchvision_download, builder), without_auxiliary,
    )  # fmt: skip


def _segformer(variant: str, trained: str, data: str, labels: str, input_size: int, megabytes: int) -> Official:
    stages, width = VARIANTS[variant]
    title = f"SegFormer-{variant.upper()}, {labels.partition('-')[0]} (NVIDIA)"
    about = f"NVIDIA's SegFormer-{variant.upper()} (Xie et al. 2021), trained on {labels.partition('-')[0]}'s {len(LABEL_SETS[labels])} classes."
    return Official(
        f"nvidia/segformer-{variant}-{data}", title, about, megabytes, NVIDIA, labels, input_size,
        lambda: SegFormer(len(LABEL_SETS[labels]), stages, width),
        partial(segformer_download, f"nvidia/segformer-{variant}-finetuned-{trained}"), segformer_names,
    )  # fmt: skip


def download(
    name: str,
    on_progress: Callable[[int, int | None], None] | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Path:
    """Fetch checkpoint ``name`` unless it is here; returns its file.

    ``on_progress`` gets bytes so far and in all. Raises ``UnavailableError`` for an unknown name,
    ``DownloadError`` when it cannot be had, ``Cancelled`` when stopped (what has arrived is kept).
    """
    if name not in official():
        raise UnavailableError(f"no public checkpoint is called {name!r}; there are {', '.join(official())}")
    entry = official()[name]
    return entry.file or entry.download(entry.folder, on_progress, is_cancelled)


def load(name: str) -> nn.Module:
    """The network with its downloaded weights; ``UnavailableError`` if they are not here or do not fit."""
    entry = official()[name]
    path = entry.file
    if path is None:
        raise UnavailableError(unavailable(name))
    network = entry.build()
    try:
        state = (
            load_file(path)
            if path.suffix == ".safetensors"
            else torch.load(path, map_location="cpu", weights_only=True)
        )
        network.load_state_dict(entry.rename(state))
    except (*DAMAGE, KeyError, RuntimeError, ValueError) as error:
        detail = (str(error).splitlines() or [type(error).__name__])[0]
        raise UnavailableError(
            f"{name}: {path.name} is damaged or of another version ({detail}); remove {path.parent} and download it again."
        ) from None
    return ImageNetInput(network)


def unavailable(name: str) -> str | None:
    """Why checkpoint ``name`` cannot run yet, or None."""
    entry = official()[name]
    if entry.file is not None:
        return None
    return (
        f"{entry.title} is not downloaded yet: about {entry.megabytes} MB. Licence: {entry.licence}. "
        f"Download it on the page's Networks tab (Public checkpoints) or with: python -m segdemo download {name}"
    )


# -- as methods -------------------------------------------------------------------------


class OfficialParams(NetworkParams):
    """Parameters of the public checkpoints."""

    labels: Literal["voc", "own"] = Field("voc", description="VOC's 21 classes, or the checkpoint's own")


def segment_with(entry: Official, image: np.ndarray, params: OfficialParams, run: Run) -> Segmentation:
    """Label every pixel with VOC's classes (those of the checkpoint summed up) or with the checkpoint's own."""
    with run.time("load"):
        run.step(0.05, "loading the network")
        network = run.network(entry.name)
    long_side = params.input_size or entry.input_size
    with run.time("network"):
        run.step(0.2, "running the network")
        key = ("official", entry.name, long_side)
        scores = run.cached(key, lambda: class_scores(network, image, long_side, run.device, run.dtype))
    beliefs, names, palette = (as_voc if params.labels == "voc" else as_own)(scores, entry.label_set, image.shape[:2])
    labels, top = likeliest(beliefs)
    size = input_shape(*labels.shape, long_side, network.stride)
    return Segmentation(
        labels=labels,
        names=names,
        palette=palette,
        working_scores=beliefs,
        pictures=[certainty(top)],
        facts={"parameters": network.trained_values, "input": f"{size[1]} x {size[0]}", "trained on": entry.labels},
    )


def as_voc(scores: Tensor, labels: LabelSet, size: tuple[int, int]) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Probabilities (21, *size) of VOC's classes: each the sum over the labels that count as it; names; palette."""
    columns = torch.from_numpy(voc_columns(labels)).to(scores.device)
    beliefs = scores.softmax(1)[0]
    summed = torch.zeros(len(VOC21), *beliefs.shape[1:], device=beliefs.device).index_add_(0, columns, beliefs)
    return resize(summed[None], size)[0].cpu().numpy(), list(VOC21.names), VOC21.palette


def as_own(scores: Tensor, labels: LabelSet, size: tuple[int, int]) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Probabilities (n, *size) of the n labels that win somewhere, made to sum to 1 without the rest; names; palette."""
    beliefs = scores.softmax(1)[0]  # (K, h', w')
    winners = beliefs.argmax(0).unique()
    shown = beliefs[winners]
    shown = resize((shown / shown.sum(0))[None], size)[0]
    chosen = winners.cpu().numpy()
    return shown.cpu().numpy(), [labels.names[k] for k in chosen], labels.palette[chosen]


def _register(entry: Official, order: int) -> None:
    def segment(image: np.ndarray, params: OfficialParams, run: Run) -> Segmentation:
        return segment_with(entry, image, params, run)

    segment.__doc__ = entry.about
    register_loader(entry.name, partial(load, entry.name))
    method(
        entry.name, family="networks", title=entry.title, params=OfficialParams, unavailable=partial(unavailable, entry.name), order=order
    )(segment)  # fmt: skip


for _order, _entry in enumerate(official().values()):
    _register(_entry, 200 + _order)
