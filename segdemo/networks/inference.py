"""From a network to a method: how each of them looks at a photo, written once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from ..crf.refine import RefinementParams
from ..errors import UnavailableError
from ..labels import VOC21
from ..likeliest import likeliest
from ..method import Run, method, methods
from ..segmentation import Picture, Segmentation, heatmap
from . import checkpoints
from .backbones import resize


class NetworkParams(RefinementParams):
    """Parameters of every network."""

    input_size: int = Field(
        0, ge=0, le=2048, description="long side at which the network sees the photo; 0 = the size it was chosen for"
    )


@dataclass(frozen=True)
class Architecture:
    """How to build a network: ``build()`` gives an untrained module (N, 3, H, W) -> (N, 21, h, w)."""

    name: str
    title: str
    build: Callable[..., nn.Module]


_architectures: dict[str, Architecture] = {}
_loaders: dict[str, Callable[[], nn.Module]] = {}


def architectures() -> dict[str, Architecture]:
    """Every network of the project by name."""
    methods()  # imports the files that register them
    return _architectures


def build_network(name: str, **options: Any) -> nn.Module:
    """A new, untrained network, built with ``options``; ``UnavailableError`` lists the names there are."""
    known = architectures()
    if name not in known:
        raise UnavailableError(f"no network is called {name!r}; there are {', '.join(known)}")
    return known[name].build(**options)


def register_loader(name: str, load: Callable[[], nn.Module]) -> None:
    """Say how the engine gets network ``name`` with its trained weights, on the CPU."""
    _loaders[name] = load


def is_public(name: str) -> bool:
    """Whether ``name`` is a public checkpoint, fetched on request, and not a network of this project."""
    return "/" in name


def load_network(name: str) -> nn.Module:
    """Network ``name`` with its trained weights; ``UnavailableError`` if there is none or they are not here."""
    methods()
    if name not in _loaders:
        raise UnavailableError(f"no network is called {name!r}; there are {', '.join(_loaders)}")
    return _loaders[name]()


def _load_own(name: str) -> nn.Module:
    network = build_network(name)
    checkpoints.load_weights(network, name)
    return network


Look = Callable[..., np.ndarray]
"""``look(**options)``: the photo's probabilities (21, h, w) when the network's forward pass is given ``options``."""


def network_method(
    name: str,
    title: str,
    build: Callable[..., nn.Module],
    about: str,
    order: int = 100,
    *,
    params: type[NetworkParams] = NetworkParams,
    options: Callable[[Any], dict] = lambda params: {},
    explain: Callable[[Look, Any], list[Picture]] = lambda look, params: [],
) -> None:
    """Register a network as a method.

    Args:
        about: what the page says of it, with the paper.
        options: further arguments of the network's forward pass, from its parameters.
        explain: pictures beside the result, from further looks at the photo; skipped when nobody will see them.
    """
    _architectures[name] = Architecture(name, title, build)
    register_loader(name, partial(_load_own, name))

    def segment(image: np.ndarray, settings: NetworkParams, run: Run) -> Segmentation:
        return segment_with(name, image, settings, run, options(settings), explain)

    segment.__doc__ = about
    unavailable = partial(checkpoints.unavailable, name)
    method(name, family="networks", title=title, params=params, unavailable=unavailable, order=order)(segment)


def normalize(images: Tensor) -> Tensor:
    """uint8 RGB of any shape -> float32 in about [-1, 1], as the trunk's ImageNet weights expect."""
    return (images.to(torch.float32) - 127.0) / 128.0


def input_shape(height: int, width: int, long_side: int, stride: int) -> tuple[int, int]:
    """The size a photo is brought to: long side about ``long_side``, both sides multiples of ``stride``."""
    zoom = long_side / max(height, width)
    return tuple(max(stride, round(side * zoom / stride) * stride) for side in (height, width))


Once = Callable[[tuple, Callable[[], Any]], Any]
"""``once(key, build)``: what ``build()`` gives, remembered for this photo under ``key``."""


def network_input(
    network: nn.Module, image: np.ndarray, long_side: int, device: torch.device, dtype: torch.dtype
) -> Tensor:
    """An (h, w, 3) uint8 image as a network takes it, (1, 3, h', w').

    Scaled to the network's input size, stretched by at most half a stride, which spares a padded border.
    """
    height, width = image.shape[:2]
    x = normalize(torch.from_numpy(np.ascontiguousarray(image)).to(device).permute(2, 0, 1)[None])  # (1, 3, h, w)
    shape = input_shape(height, width, long_side, network.stride)
    x = nn.functional.interpolate(x, size=shape, mode="bilinear", antialias=True, align_corners=False)
    return x.to(dtype, memory_format=torch.channels_last)


@torch.inference_mode()
def class_scores(
    network: nn.Module,
    image: np.ndarray,
    long_side: int,
    device: torch.device,
    dtype: torch.dtype,
    once: Once = lambda key, build: build(),
    **options: Any,
) -> Tensor:
    """Scores before the softmax, (1, K, h', w') float32, of an (h, w, 3) uint8 image, on the network's own grid.

    ``options`` go to the network's forward pass. What comes before a network's ``head``, its
    ``encode``, depends on the photo only and is run ``once``.
    """
    x = network_input(network, image, long_side, device, dtype)
    if hasattr(network, "head"):
        return network.head(once(("features", tuple(x.shape[2:])), lambda: network.encode(x)), **options).float()
    return network(x, **options).float()


@torch.inference_mode()
def predict(network: nn.Module, image: np.ndarray, *settings: Any, **options: Any) -> np.ndarray:
    """Class probabilities (K, h, w) float32 of an (h, w, 3) uint8 image.

    The scores (``class_scores``, which takes the same arguments) are enlarged bilinearly to (h, w), then the softmax is taken.
    """
    scores = class_scores(network, image, *settings, **options).contiguous()  # plane by plane: quicker from here on
    return resize(scores, image.shape[:2]).softmax(1)[0].cpu().numpy()


def probabilities(
    name: str, image: np.ndarray, run: Run, long_side: int, is_kept: bool = True, **options: Any
) -> np.ndarray:
    """Class probabilities (K, h, w) float32 of an (h, w, 3) uint8 photo by the trained network ``name``.

    With ``is_kept`` they are kept for whatever asks for them next. ``options`` as in ``class_scores``.
    """
    # Networks on one trunk have one weights file: its features serve them all.
    file = checkpoints.read_card(name)["file"]
    settings = long_side, run.device, run.dtype, lambda key, build: run.cached((file, *key), build)
    look = lambda: predict(run.network(name), image, *settings, **options)  # noqa: E731
    given = sorted(option for option in options.items() if option[1])  # no skip cut is no option
    return run.cached(("scores", name, long_side, *given), look) if is_kept else look()


NOTHING_FOUND = (
    f"Nothing but background: of the {len(VOC21) - 1} kinds of things that it knows ({', '.join(VOC21.names[1:])}) "
    "the network finds none here."
)


def segment_with(
    name: str, image: np.ndarray, params: NetworkParams, run: Run, options: dict, explain: Callable
) -> Segmentation:
    """Label every pixel with one of VOC's 21 classes."""
    card = checkpoints.read_card(name)
    with run.time("load"):
        run.step(0.05, "loading the network")
        network = run.network(name)
    long_side = params.input_size or card["input_size"]

    chosen = options

    def look(**options: Any) -> np.ndarray:
        run.step(0.2, "running the network")
        is_kept = options == chosen  # what only explains is not
        return probabilities(name, image, run, long_side, is_kept, **options)

    with run.time("network"):
        scores = look(**options)
    labels, top = likeliest(scores)
    return Segmentation(
        labels=labels,
        names=list(VOC21.names),
        palette=VOC21.palette,
        working_scores=scores if params.crf else _read_only(scores),
        pictures=[certainty(top), *(explain(look, params) if run.keep_frames else ())],
        facts={
            "parameters": card["parameters"],  # as trained: the engine's copy has batch normalization folded away
            "input": "{1} x {0}".format(*input_shape(*labels.shape, long_side, network.stride)),
        }
        | scores_of(card, params, long_side, chosen),
        notices=[] if labels.any() else [NOTHING_FOUND],
    )


def scores_of(card: dict, params: NetworkParams, long_side: int, options: dict) -> dict[str, float]:
    """The card's scores as facts, where the network runs as it was scored: at that size and whole."""
    if long_side != card["input_size"] or any(options.values()):
        return {}
    refined = {"mIoU-7 with the CRF's defaults": card["scores_with_crf"]["miou7"]} if params.crf else {}
    return {"mIoU-7 on VOC val": card["scores"]["miou7"]} | refined


def _read_only(scores: np.ndarray) -> np.ndarray:
    """The scores without the right to write: they are kept for the next run. (The CRF puts its own in their place.)"""
    view = scores.view()
    view.setflags(write=False)
    return view


def certainty(top: np.ndarray) -> Picture:
    """The probability (h, w) of the winning class as a picture."""
    note = "Probability of the winning class: dark where the network hesitates, mostly along borders."
    return Picture("certainty", heatmap(top, 0, 1), note)
