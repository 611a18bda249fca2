"""The training data in shards of bounded size, to feed a machine that takes only small files.

``python -m segdemo.train pack --data DATA --out SHARDS`` writes them, ``python -m segdemo.train unpack
--shards SHARDS --data DATA`` lays the folders out again, from however many shards have arrived. A shard is
a zip file, uncompressed as JPEG and PNG are, of photos each together with its mask.
"""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Iterator
from pathlib import Path

from .dataset import list_names

SHARD_MIB = 60
SPLITS = (("voc", "train"), ("voc", "val"), ("pseudo", None))
"""Folders and splits that training and its evaluation read."""


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m segdemo.train", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack", help="write shards")
    packing.add_argument("--data", type=Path, required=True, help="folder with voc/ and pseudo/")
    packing.add_argument("--out", type=Path, required=True, help="folder of shards")
    packing.add_argument("--shard-mib", type=float, default=SHARD_MIB, help="size of a shard at most, in MiB")
    unpacking = commands.add_parser("unpack", help="lay the folders out from shards")
    unpacking.add_argument("--shards", type=Path, required=True)
    unpacking.add_argument("--data", type=Path, required=True, help="folder to write voc/ and pseudo/ to")
    return parser.parse_args(arguments)


def photo_files(data: Path) -> Iterator[tuple[str | None, list[str]]]:
    """(line for its split's list or None, [photo, mask]) of each photo; paths are relative to ``data``."""
    for folder, split in SPLITS:
        for name in list_names(data / folder, split):
            files = [f"{folder}/JPEGImages/{name}.jpg", f"{folder}/SegmentationClass/{name}.png"]
            yield (f"{folder}/ImageSets/{split}.txt" if split else None), files


def pack(data: Path, out: Path, shard_mib: float = SHARD_MIB) -> list[Path]:
    """Write ``shard-000.zip`` ... to ``out``; returns them. No shard exceeds ``shard_mib`` unless one photo does."""
    out.mkdir(parents=True, exist_ok=True)
    limit, shards, size, file = shard_mib * 2**20, [], 0, None
    for _, paths in photo_files(data):
        contents = [(path, (data / path).read_bytes()) for path in paths]
        needed = sum(len(content) + 2 * len(path) + 250 for path, content in contents)  # and the zip's own entries
        if file is None or size + needed > limit:
            if file is not None:
                file.close()
            shards.append(out / f"shard-{len(shards):03}.zip")
            file, size = zipfile.ZipFile(shards[-1], "w", zipfile.ZIP_STORED), 0
        for path, content in contents:
            file.writestr(path, content)
        size += needed
    if file is not None:
        file.close()
    lists: dict[str, list[str]] = {}
    for split, paths in photo_files(data):
        if split:
            lists.setdefault(split, []).append(Path(paths[0]).stem)
    with zipfile.ZipFile(out / "lists.zip", "w", zipfile.ZIP_DEFLATED) as file:
        for split, names in lists.items():
            file.writestr(split, "\n".join(names) + "\n")
    return [*shards, out / "lists.zip"]


def unpack(shards: Path, data: Path) -> int:
    """Lay out what the shards in ``shards`` hold under ``data``; returns the number of photos that are there.

    The lists of the splits name only photos that are there. Raises ``ValueError`` for a damaged shard
    and ``FileNotFoundError`` if the lists or all shards are missing.
    """
    if not (shards / "lists.zip").exists():
        raise FileNotFoundError(f"{shards / 'lists.zip'} is missing: it says which photo belongs to which split")
    found = sorted(shards.glob("shard-*.zip"))
    if not found:
        raise FileNotFoundError(f"there are no shards in {shards}")
    for shard in found:
        try:
            with zipfile.ZipFile(shard) as file:
                file.extractall(data)
        except zipfile.BadZipFile as error:
            raise ValueError(f"{shard} is damaged ({error}): bring it again") from None
    with zipfile.ZipFile(shards / "lists.zip") as file:
        for split in file.namelist():
            folder = data / Path(split).parts[0]
            names = [n for n in file.read(split).decode().split() if (folder / "JPEGImages" / f"{n}.jpg").exists()]
            (data / split).parent.mkdir(parents=True, exist_ok=True)
            (data / split).write_text("\n".join(names) + "\n")
    return sum(1 for _ in data.glob("*/JPEGImages/*.jpg"))


def main(arguments: list[str]) -> None:
    options = parse(arguments)
    if options.command == "pack":
        for shard in pack(options.data, options.out, options.shard_mib):
            print(f"{shard}  {shard.stat().st_size / 2**20:.1f} MiB")
    else:
        print(f"{unpack(options.shards, options.data)} photos are in {options.data}")
