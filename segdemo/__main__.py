"""The command line: ``python -m segdemo methods | segment | evaluate | weights | download``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from .engine import Engine
from .errors import ParameterError, SegdemoError
from .evaluate import evaluate, table
from .export import coco_annotations, label_png, overlay_png, report, save_npz
from .graphcut.scribbles import load_scribbles
from .image import load_image
from .method import Method, Params, methods
from .networks import checkpoints
from .networks.inference import is_public
from .networks.official import download, official


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="python -m segdemo", description="Image segmentation from the command line.")
    commands = top.add_subparsers(dest="command", required=True)
    commands.add_parser("methods", help="every method with its parameters")
    commands.add_parser("weights", help="the trained networks and their scores")
    fetch = commands.add_parser("download", help="fetch a public checkpoint; without a name, list them")
    fetch.add_argument("name", nargs="?")

    segment = commands.add_parser(
        "segment", help="segment one photo; method parameters as --name value",
        usage="%(prog)s PHOTO --method METHOD [--PARAMETER VALUE ...] [-o PNG] [--overlay PNG] [--json JSON] [--coco JSON] [--npz NPZ]",
    )  # fmt: skip
    segment.add_argument("photo", type=Path)
    segment.add_argument("--method", required=True)
    segment.add_argument(
        "--scribbles", type=Path, help="indexed or grey PNG, 0 = none, 1 = object, 2 = background; for expansion 1 to 8"
    )
    segment.add_argument("-o", "--output", type=Path, help="label PNG, indexed, with palette")
    segment.add_argument("--overlay", type=Path, help="photo with the labels over it, PNG")
    segment.add_argument("--json", type=Path, help="report: parameters, timings, class shares")
    segment.add_argument("--coco", type=Path, help="one COCO annotation per label, as run lengths, JSON")
    segment.add_argument("--npz", type=Path, help="labels, names, palette and probabilities for NumPy")
    segment.add_argument("--device", default="auto")

    score = commands.add_parser("evaluate", help="score a network on photos with masks")
    score.add_argument("--method", required=True)
    score.add_argument("--data", type=Path, required=True, help="folder laid out like PASCAL VOC")
    score.add_argument("--split", default="val")
    score.add_argument("--limit", type=int, default=0, help="only so many photos")
    score.add_argument("--json", type=Path)
    score.add_argument("--device", default="auto")
    return top


def method_parameters(params: type[Params], words: list[str]) -> dict[str, Any]:
    """``["--clusters", "4", "--crf"]`` -> ``{"clusters": "4", "crf": True}``; pydantic does the rest."""
    known = {name.replace("_", "-"): (name, field.annotation) for name, field in params.model_fields.items()}
    values: dict[str, Any] = {}
    words = [part for word in words for part in word.split("=", 1)]
    while words:
        option = words.pop(0).removeprefix("--")
        negated = option.removeprefix("no-")
        if negated in known and known[negated][1] is bool:
            values[known[negated][0]] = negated == option
            if words and not words[0].startswith("--"):
                raise ParameterError(f"--{negated} takes no value; to switch it off, write --no-{negated}")
        elif option in known and words:
            values[known[option][0]] = words.pop(0)
        elif option in known:
            raise ParameterError(f"--{option} needs a value")
        else:
            raise ParameterError(f"--{option} is not understood; this method takes --{', --'.join(known)}")
    return {name: _number(value) for name, value in values.items()}


def _number(word: Any) -> Any:
    """A word as the number it spells, so that choices among numbers are recognised; else as it is."""
    for kind in (int, float):
        try:
            return kind(word) if isinstance(word, str) else word
        except ValueError:
            continue
    return word


def describe(m: Method) -> str:
    reason = m.unavailable()
    lines = [f"{m.name}  ({m.family}){'  UNAVAILABLE: ' + reason if reason else ''}", f"    {m.summary}"]
    if m.needs_scribbles:
        lines.append("    --scribbles FILE  seeds on the photo, 1 = object, 2 = background; for expansion 1 to 8")
    for name, schema in m.params.model_json_schema()["properties"].items():
        limits = f"{schema['minimum']} to {schema['maximum']}, " if "maximum" in schema else ""
        choices = f"{' or '.join(map(str, schema['enum']))}, " if "enum" in schema else ""
        lines.append(
            f"    --{name.replace('_', '-'):<24}{schema['description']} ({limits}{choices}default {schema['default']})"
        )
    return "\n".join(lines)


def run_segment(options: argparse.Namespace, rest: list[str]) -> None:
    known = methods()
    if options.method not in known:
        raise ParameterError(f"no method is called {options.method!r}; there are {', '.join(known)}")
    params = method_parameters(known[options.method].params, rest)
    photo = load_image(options.photo)
    scribbles = load_scribbles(options.scribbles) if options.scribbles else None
    result = Engine(options.device).run(options.method, photo, scribbles=scribbles, **params)
    if options.output:
        options.output.write_bytes(label_png(result))
    if options.overlay:
        options.overlay.write_bytes(overlay_png(photo, result))
    if options.json:
        options.json.write_text(json.dumps(report(result), indent=1) + "\n")
    if options.coco:
        options.coco.write_text(json.dumps(coco_annotations(result)) + "\n")
    if options.npz:
        save_npz(result, options.npz)
    for label in np.argsort(-result.shares):
        if result.shares[label] >= 0.001:
            print(f"{result.shares[label]:7.1%}  {result.names[label]}")
    for notice in result.notices:
        print(notice)
    print(", ".join(f"{stage} {seconds:.2f} s" for stage, seconds in result.timings.items()), f"on {result.device}")


def run_evaluate(options: argparse.Namespace, rest: list[str]) -> None:
    params = method_parameters(methods()[options.method].params, rest) if options.method in methods() else {}
    scores = evaluate(
        Engine(options.device), options.method, options.data, options.split, options.limit,
        on_photo=lambda done, total: print(f"\r{done}/{total}", end="", file=sys.stderr, flush=True), **params,
    )  # fmt: skip
    print(file=sys.stderr)
    print(table(scores))
    if options.json:
        known = {name: None if score != score else score for name, score in scores.items()}  # JSON has no NaN
        options.json.write_text(json.dumps(known, indent=1) + "\n")


def run_download(name: str | None) -> None:
    """Fetch a public checkpoint, its terms first; or list all of them."""
    if name is None:
        for entry in official().values():
            print(f"{entry.name:<40}{entry.megabytes:>5} MB  {'here' if entry.file else entry.licence}")
        return
    if name in official() and not official()[name].file:
        print(f"Licence: {official()[name].licence}", file=sys.stderr)

    def show(done: int, total: int | None) -> None:
        print(f"\r{done / 1e6:.1f} of {f'{total / 1e6:.1f}' if total else '?'} MB", end="", file=sys.stderr, flush=True)

    print(download(name, show))


def weights_table() -> str:
    """One Markdown row per network with its card's numbers; cost is that at 512 x 512."""
    rows = [
        "| network | mIoU-7 | with CRF | boundary F | with CRF | pixel accuracy | 10⁶ parameters | 10⁹ multiply-adds | seconds | MB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in (name for name, m in methods().items() if m.family == "networks" and not is_public(name)):
        reason = checkpoints.unavailable(name)
        if reason:
            rows.append(f"| {name} | {reason} | | | | | | | | |")
            continue
        card = checkpoints.read_card(name)
        plain, refined, cost = card["scores"], card["scores_with_crf"], card["cost"]
        rows.append(
            f"| {name} | {plain['miou7']:.3f} | {refined['miou7']:.3f} | {plain['boundary_f']:.3f} | {refined['boundary_f']:.3f} | "
            f"{plain['pixel_accuracy']:.3f} | {card['parameters'] / 1e6:.2f} | {cost['multiply_adds'] / 1e9:.1f} | "
            f"{cost['seconds']:.3f} | {cost['memory_mb']:.0f} |"
        )
    return "\n".join(rows)


def main(arguments: list[str] | None = None) -> int:
    options, rest = parser().parse_known_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without ⁶ shows a question mark
    try:
        if options.command == "segment":
            run_segment(options, rest)
        elif options.command == "evaluate":
            run_evaluate(options, rest)
        elif rest:
            raise ParameterError(f"{' '.join(rest)} is not understood; see python -m segdemo --help")
        elif options.command == "download":
            run_download(options.name)
        elif options.command == "methods":
            print("\n\n".join(describe(m) for m in methods().values()))
        else:
            print(weights_table())
    except (SegdemoError, OSError) as error:
        print(f"segdemo: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # what a download has fetched is kept
        print("\nsegdemo: stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
