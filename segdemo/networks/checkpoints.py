"""Trained weights: where they lie, the card beside them, and whether they can be used.

``weights/NAME.json`` is the card of network NAME; its ``file`` names a safetensors file
in the same folder (kernels in half precision). Networks on one trunk may share a file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from ..errors import UnavailableError

FOLDER = Path(os.environ.get("SEGDEMO_WEIGHTS") or Path(__file__).resolve().parents[2] / "weights")
"""Where weights and cards lie; the environment variable ``SEGDEMO_WEIGHTS`` names another folder."""


@contextmanager
def kept_in(folder: Path) -> Iterator[None]:
    """Within it, weights and cards are those in ``folder``."""
    global FOLDER
    before, FOLDER = FOLDER, folder
    try:
        yield
    finally:
        FOLDER = before


CARD_ENTRIES = (
    "name", "file", "parameters", "input_size", "labels", "data", "licence", "recipe", "seed", "training", "scores", "scores_with_crf", "cost",
)  # fmt: skip
"""What every card has to say; ``segdemo.train --publish`` writes it."""

COST_ENTRIES = ("multiply_adds", "seconds", "memory_mb", "device")
"""At 512 x 512; ``segdemo.train measure`` writes it."""

SCORE_ENTRIES = ("iou", "support", "miou7", "miou", "pixel_accuracy", "boundary_f", "photos", "seconds_per_photo")


def card_path(name: str) -> Path:
    return FOLDER / f"{name}.json"


@lru_cache(maxsize=64)
def _read_card(path: Path, changed_ns: int) -> dict:
    return json.loads(path.read_text())


def read_card(name: str) -> dict:
    """The card of a trained network; ``UnavailableError`` when there is none or it is damaged."""
    path = card_path(name)
    if not path.exists():
        raise UnavailableError(f"{name} has no trained weights here ({path.name} is missing from {FOLDER.name}/).")
    try:
        card = _read_card(path, path.stat().st_mtime_ns)
    except ValueError:
        raise UnavailableError(f"{name}: its card {path.name} is damaged; fetch the weights folder again.") from None
    if not isinstance(card, dict) or card.get("name") != name:
        raise UnavailableError(
            f"{name}: the card {path.name} describes something else; fetch the weights folder again."
        )
    missing = [entry for entry in CARD_ENTRIES if entry not in card]
    for part in ("scores", "scores_with_crf"):
        missing += [f"{part}.{entry}" for entry in SCORE_ENTRIES if entry not in card.get(part, ())]
    missing += [f"cost.{entry}" for entry in COST_ENTRIES if entry not in card.get("cost", ())]
    if missing:
        raise UnavailableError(
            f"{name}: the card {path.name} lacks {', '.join(missing)}; fetch the weights folder again."
        )
    return card


def unavailable(name: str) -> str | None:
    """Why network ``name`` cannot run, or None if its card and file are there and the file is whole."""
    try:
        card = read_card(name)
    except UnavailableError as error:
        return str(error)
    path = FOLDER / card["file"]
    if not path.exists():
        return f"{name} has no trained weights here ({card['file']} is missing from {FOLDER.name}/)."
    damage = _damage(path, path.stat().st_mtime_ns)
    return damage and f"{name}: {card['file']} is damaged ({damage}); fetch it again."


@lru_cache(maxsize=64)
def _damage(path: Path, changed_ns: int) -> str | None:
    """What the head of a safetensors file says is wrong with it: no such file, cut short, or None."""
    try:
        with safe_open(path, "pt"):
            return None
    except (SafetensorError, OSError) as error:
        return str(error).splitlines()[0]


def load_weights(network: nn.Module, name: str) -> None:
    """Load the trained weights of ``name`` into ``network``, as float32.

    The file may hold more than this network needs (a shared trunk's finer heads) but
    never less; raises ``UnavailableError`` if it is missing, damaged or does not fit.
    """
    path = FOLDER / read_card(name)["file"]
    try:
        stored = load_file(path)
        wanted = network.state_dict()
        network.load_state_dict({key: stored[key].to(value.dtype) for key, value in wanted.items()})
    except FileNotFoundError:
        raise UnavailableError(f"{name} has no trained weights here ({path.name} is missing).") from None
    except (SafetensorError, KeyError, RuntimeError) as error:
        detail = str(error).splitlines()[0]
        raise UnavailableError(
            f"{name}: {path.name} is damaged or of another version ({detail}); fetch it again."
        ) from None


def save_weights(network: nn.Module, path: Path) -> None:
    """Write ``network`` as safetensors: matrices and kernels in half precision, vectors as they are.

    A batch norm's variances may be larger than the 65504 up to which half precision reaches. Raises ``ValueError``
    where a number is or becomes infinite, and leaves what is there.
    """
    state = {key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()}
    state = {
        key: value.half() if value.dtype == torch.float32 and value.ndim > 1 else value for key, value in state.items()
    }
    lost = [key for key, value in state.items() if not value.isfinite().all()]
    if lost:
        raise ValueError(f"the network has no finite {lost[0]}: it is not written to {path.name}")
    save_file(state, path)
