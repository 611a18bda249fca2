"""The mean of two trainings' weights: one network that is better than either.

Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves accuracy without increasing
inference time", ICML 2022. A further schedule that starts from trained weights stays in their valley: halfway between
start and end the loss is lower than at both, and what the schedule unlearned of rare classes is partly back.

``python -m segdemo.train soup NAME FOLDER --data DATA`` publishes the mean of the weights in ``weights/`` and of those in FOLDER:
a copy of ``weights/`` that a further schedule published to (``SEGDEMO_WEIGHTS=FOLDER``, ``--continue-from published``).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from ..networks import checkpoints
from ..networks.inference import build_network


def mean_of(first: dict[str, Tensor], second: dict[str, Tensor]) -> dict[str, Tensor]:
    """The mean of two states of one network, statistics of batch norms included; counters are the second's.

    Raises ``ValueError`` where they are not of one network.
    """
    if first.keys() != second.keys() or any(first[key].shape != second[key].shape for key in first):
        raise ValueError("the two weights belong to different networks")
    return {
        key: (first[key].float() + value.float()) / 2 if value.is_floating_point() else value
        for key, value in second.items()
    }


def soup(name: str, later: Path, out: Path) -> dict:
    """Write the mean of a network's weights in ``weights/`` and in the folder ``later`` to the folder ``out``; returns its card.

    The card is the later one's, which lists all schedules; its scores are not yet the mean's.
    """
    before, network = build_network(name), build_network(name)
    checkpoints.load_weights(before, name)
    card = checkpoints.read_card(name)
    with checkpoints.kept_in(later):
        checkpoints.load_weights(network, name)
        card = checkpoints.read_card(name) | {"cost": card["cost"]}  # the network costs what it did
    network.load_state_dict(mean_of(before.state_dict(), network.state_dict()))
    card["training"] = card["training"] | {"soup": "the mean of the weights before and after the last schedule"}
    checkpoints.save_weights(network, out / card["file"])
    return card


def main(arguments: list[str], scores: Callable[[str, Path, str], dict], write_card: Callable[[dict], None]) -> None:
    """The command line; ``scores(name, data, device)`` gives a card's score entries, ``write_card(card)`` writes it."""
    parser = argparse.ArgumentParser(prog="python -m segdemo.train soup", description=__doc__)
    parser.add_argument("name", help="a network whose weights file is its own")
    parser.add_argument("later", type=Path, help="folder with weights and card of a further schedule")
    parser.add_argument("--data", type=Path, required=True, help="folder with voc/")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as draft:
        card = soup(options.name, options.later, Path(draft))
        with checkpoints.kept_in(Path(draft)):
            write_card(card)
            card |= scores(options.name, options.data, options.device)
            write_card(card)
        for made in (card["file"], f"{options.name}.json"):
            (checkpoints.FOLDER / made).write_bytes((Path(draft) / made).read_bytes())
    print(options.name, {key: card[key]["miou7"] for key in ("scores", "scores_with_crf")}, flush=True)
