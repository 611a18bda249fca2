"""``python -m segdemo.train RECIPE``: train a network, then score it and write its card.

``python -m segdemo.train measure [NAME ...]`` measures anew what networks cost and writes it to their cards;
``python -m segdemo.train score --data DATA [NAME ...]`` does so for their scores on val.
``python -m segdemo.train soup NAME FOLDER --data DATA`` publishes the mean of two trainings' weights.
``python -m segdemo.train crf --data DATA`` fits the dense CRF's weights and widths.
``python -m segdemo.train pack`` and ``unpack`` carry the data to another machine in small files.

The run folder holds the checkpoint (the same command resumes from it) and ``log.json``
(the training curve). ``--publish`` turns the averaged weights into ``weights/FILE.safetensors``
and a card for every network that the file serves, with scores measured on val.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path

import torch

from ..engine import Engine, choose_device
from ..errors import SegdemoError
from ..evaluate import evaluate
from ..networks import checkpoints
from ..networks.backbones import count_parameters
from ..networks.inference import architectures, build_network
from . import crf, pack, soup
from .dataset import load_training_photos
from .measure import measure
from .recipe import RECIPES, Recipe, Trainer

SERVES = {"fcn": ("fcn-32s", "fcn-16s", "fcn-8s")}
"""Which networks a recipe's file serves, where it is more than the one of its own name."""

SCORES = {"scores": False, "scores_with_crf": True}
"""The score entries of a card, and whether they are with the CRF."""

DATA_AND_TERMS = (
    "PASCAL VOC 2012 with SBD-style masks (3,131 photos; Flickr terms, for research and teaching); 4,231 photos of "
    "ImageNet and Corel-1k samples (research use) and Caltech-101 (CC BY 4.0) with labels predicted by a "
    "DeepLabv3-MobileNetV2 (Apache-2.0); EfficientNet-Lite0 ImageNet weights (Apache-2.0) as the start of the trunk"
)


def data_and_terms(recipe: Recipe) -> str:
    """What a network learned from; one that began from nothing has its ImageNet weights by its teacher."""
    if recipe.start != "scratch":
        return DATA_AND_TERMS
    return f"{DATA_AND_TERMS} of its teacher, {recipe.teacher}" if recipe.teacher else DATA_AND_TERMS.rsplit("; ", 1)[0]


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m segdemo.train", description=__doc__)
    parser.add_argument("recipe", choices=RECIPES)
    parser.add_argument("--data", type=Path, required=True, help="folder with voc/ and pseudo/")
    parser.add_argument("--imagenet", type=Path, help="EfficientNet-Lite0 weights in EfficientNet-PyTorch naming")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="folder of run folders")
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="time budget; the schedule fits itself to it"
    )
    parser.add_argument("--iterations", type=int, help="instead of the recipe's")
    parser.add_argument("--batch", type=int, help="photos per step, instead of the recipe's")
    parser.add_argument("--rate", type=float, help="peak learning rate of new layers, instead of the recipe's")
    parser.add_argument(
        "--crop", type=int, help="crop in pixels, instead of the recipe's; photos shrink with it (low resolution first)"
    )
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, help="CPU threads")
    parser.add_argument("--seed", type=int, help="instead of the recipe's")
    parser.add_argument("--input-size", type=int, default=448, help="long side at which the network will see photos")
    parser.add_argument(
        "--continue-from", help="a new schedule from another run's folder or, with 'published', from weights/"
    )
    parser.add_argument("--publish", action="store_true", help="write weights and cards when done")
    return parser.parse_args(arguments)


def publish(recipe_name: str, network: torch.nn.Module, trainer: Trainer, options: argparse.Namespace) -> None:
    """Write the weights file and, for each network it serves, a card with scores measured on val.

    All is made in the run folder and moved to ``weights/`` when whole, so that nothing unmeasured is ever there.
    """
    final, draft = checkpoints.FOLDER, trainer.folder / "weights"
    final.mkdir(exist_ok=True)
    draft.mkdir(exist_ok=True)
    file = f"{recipe_name}.safetensors"
    names = SERVES.get(recipe_name, (recipe_name,))
    with checkpoints.kept_in(draft):
        checkpoints.save_weights(network, draft / file)
        for name in names:
            card = new_card(name, file, trainer, options.input_size)
            write_card(card)
            card["cost"] = measure(name)
            card |= scores(name, options.data, options.device)
            write_card(card)
            print(
                name, json.dumps({k: v for k, v in card["scores"].items() if k not in ("iou", "support")}), flush=True
            )
    for made in [file, *(f"{name}.json" for name in names)]:
        shutil.copyfile(draft / made, final / made)


def new_card(name: str, file: str, trainer: Trainer, input_size: int) -> dict:
    """Everything a card says before its network has been scored."""
    unscored = dict.fromkeys(checkpoints.SCORE_ENTRIES, 0)
    return {
        "name": name,
        "file": file,
        "architecture": architectures()[name].title,
        "parameters": count_parameters(build_network(name)),
        "input_size": input_size,
        "labels": "VOC-21",
        "data": data_and_terms(trainer.recipe),
        "licence": "Apache-2.0 for the weights as such; the photos behind them restrict use to research and teaching",
        "recipe": asdict(trainer.recipe),
        "seed": trainer.recipe.seed,
        "training": {
            "minutes": round((trainer.elapsed + sum(earlier["elapsed"] for earlier in trainer.history)) / 60, 1),
            "iterations": trainer.iteration,
            "device": str(trainer.device),
            "earlier_schedules": trainer.history,
            "curve": trainer.log,
        },
        "scores": unscored,
        "scores_with_crf": unscored,
        "cost": dict.fromkeys(checkpoints.COST_ENTRIES, 0),
    }


def write_card(card: dict) -> None:
    checkpoints.card_path(card["name"]).write_text(json.dumps(card, indent=1) + "\n")


def adjusted(recipe: Recipe, options: argparse.Namespace) -> Recipe:
    """The recipe with what the command line asks for instead."""
    wishes = {name: getattr(options, name) for name in ("iterations", "seed", "batch", "crop", "rate")}
    changes = {name: value for name, value in wishes.items() if value is not None}
    if "crop" in changes:
        changes["scale"] = tuple(round(zoom * options.crop / recipe.crop, 3) for zoom in recipe.scale)
    return replace(recipe, **changes)


def trained_networks() -> list[str]:
    return [name for name in architectures() if not checkpoints.unavailable(name)]


def score_all(arguments: list[str]) -> None:
    """Write the scores on val of these networks, or of all that have weights, to their cards."""
    parser = argparse.ArgumentParser(prog="python -m segdemo.train score")
    parser.add_argument("names", nargs="*", help="networks; all that have weights if none is named")
    parser.add_argument("--data", type=Path, required=True, help="folder with voc/")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(arguments)
    for name in options.names or trained_networks():
        card = checkpoints.read_card(name) | scores(name, options.data, options.device)
        write_card(card)
        print(name, *(f"{card[key]['miou7']} {card[key]['boundary_f']}" for key in SCORES), flush=True)


def scores(name: str, data: Path, device: str) -> dict:
    """The two score entries of a card, without and with CRF."""
    engine = Engine(device)
    return {key: evaluate(engine, name, data / "voc", crf=crf) for key, crf in SCORES.items()}


def measure_all(arguments: list[str]) -> None:
    """Write the cost of these networks, or of all that have weights, to their cards."""
    parser = argparse.ArgumentParser(prog="python -m segdemo.train measure")
    parser.add_argument("names", nargs="*", help="networks; all that have weights if none is named")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args(arguments)
    for name in options.names or trained_networks():
        card = checkpoints.read_card(name)
        card["cost"] = measure(name, options.device)
        write_card(card)
        print(name, json.dumps(card["cost"]), flush=True)


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if arguments[:1] == ["measure"]:
            measure_all(arguments[1:])
        elif arguments[:1] == ["score"]:
            score_all(arguments[1:])
        elif arguments[:1] in (["pack"], ["unpack"]):
            pack.main(arguments)
        elif arguments[:1] == ["soup"]:
            soup.main(arguments[1:], scores, write_card)
        elif arguments[:1] == ["crf"]:
            crf.main(arguments[1:])
        else:
            train(parse(arguments))
    except (SegdemoError, FileNotFoundError, ValueError) as error:
        print(f"segdemo.train: {error}", file=sys.stderr)
        return 2
    return 0


def train(options: argparse.Namespace) -> None:
    """Train by a recipe, from a checkpoint if there is one, and publish if asked."""
    if options.minutes <= 0:
        raise ValueError("--minutes is a positive number")
    if options.threads:
        torch.set_num_threads(options.threads)
    recipe = adjusted(RECIPES[options.recipe], options)
    photos = load_training_photos(options.data)
    folder, device = options.out / options.recipe, str(choose_device(options.device))
    trainer = Trainer(recipe, photos, folder, device, options.imagenet)
    if trainer.resume():
        print(f"resuming at iteration {trainer.iteration}, {trainer.elapsed / 60:.1f} minutes in", flush=True)
    elif options.continue_from == "published":
        trainer.continue_published()
    elif options.continue_from:
        trainer.continue_from(Path(options.continue_from))
    trainer.run(options.minutes)
    if options.publish:
        publish(options.recipe, trainer.recalibrate(), trainer, options)


if __name__ == "__main__":
    sys.exit(main())
