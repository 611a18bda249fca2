"""Data and checkpoints in small pieces: the same afterwards, and whole whatever is interrupted."""

import filecmp

import numpy as np
import pytest
import torch
from PIL import Image

from segdemo.train import checkpointing
from segdemo.train.__main__ import main
from segdemo.train.checkpointing import load_state, save_state
from segdemo.train.dataset import load_training_photos
from segdemo.train.pack import pack, unpack


@pytest.fixture
def data(tmp_path):
    """Nine photos of about 12 kB: five to train with, two to measure on, two pseudo-labelled."""
    rng = np.random.default_rng(0)
    splits = {"voc/train": "abcde", "voc/val": "fg", "pseudo/": "hi"}
    for place, names in splits.items():
        folder, split = place.split("/")
        for sub in ("JPEGImages", "SegmentationClass", "ImageSets"):
            (tmp_path / "data" / folder / sub).mkdir(parents=True, exist_ok=True)
        for name in names:
            Image.fromarray(rng.integers(0, 255, (90, 120, 3), np.uint8)).save(
                tmp_path / "data" / folder / "JPEGImages" / f"{name}.jpg"
            )
            Image.fromarray(rng.integers(0, 21, (90, 120), np.uint8)).save(
                tmp_path / "data" / folder / "SegmentationClass" / f"{name}.png"
            )
        if split:
            (tmp_path / "data" / folder / "ImageSets" / f"{split}.txt").write_text("\n".join(names) + "\n")
    return tmp_path / "data"


def test_unpacked_data_are_the_same(data, tmp_path):
    shards = pack(data, tmp_path / "shards", shard_mib=0.05)
    assert len(shards) > 3 and all(shard.stat().st_size <= 0.05 * 2**20 for shard in shards)
    assert unpack(tmp_path / "shards", tmp_path / "again") == 9
    comparison = filecmp.dircmp(data / "voc" / "JPEGImages", tmp_path / "again" / "voc" / "JPEGImages")
    assert sorted(comparison.same_files) == [f"{n}.jpg" for n in "abcdefg"]
    for ours, theirs in zip(load_training_photos(tmp_path / "again"), load_training_photos(data), strict=True):
        assert (ours.name, ours.trusted) == (theirs.name, theirs.trusted)
        np.testing.assert_array_equal(ours.mask, theirs.mask)


def test_some_shards_are_enough_to_begin(data, tmp_path):
    shards = pack(data, tmp_path / "shards", shard_mib=0.05)
    shards[1].unlink()
    there = unpack(tmp_path / "shards", tmp_path / "again")
    assert 0 < there < 9
    assert 0 < len(load_training_photos(tmp_path / "again")) < 7


def test_damaged_and_missing_shards_are_named(data, tmp_path, capsys):
    shards = pack(data, tmp_path / "shards", shard_mib=0.05)
    shards[0].write_bytes(shards[0].read_bytes()[:100])
    with pytest.raises(ValueError, match="shard-000.zip is damaged"):
        unpack(tmp_path / "shards", tmp_path / "again")
    assert main(["unpack", "--shards", str(tmp_path), "--data", str(tmp_path / "x")]) == 2
    assert "lists.zip is missing" in capsys.readouterr().err


STATE = {"network": {"w": torch.arange(30_000.0), "n": torch.tensor(3)}, "iteration": 7, "log": [{"loss": 0.5}]}


def test_a_checkpoint_is_cut_in_pieces_and_put_together(tmp_path):
    save_state(STATE, tmp_path, piece=50_000)
    parts = list(tmp_path.glob("*.part"))
    assert len(parts) == 3 and all(part.stat().st_size <= 50_000 for part in parts)
    state = load_state(tmp_path)
    torch.testing.assert_close(state["network"]["w"], STATE["network"]["w"])
    assert state["iteration"] == 7 and state["log"] == [{"loss": 0.5}]
    assert load_state(tmp_path / "nowhere") is None
    assert checkpointing.PIECE < 16 * 2**20


def test_an_interrupted_write_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    save_state(STATE, tmp_path, piece=50_000)

    def fails(*_):
        raise OSError("the power is gone")

    monkeypatch.setattr(checkpointing.json, "dumps", fails)
    with pytest.raises(OSError):
        save_state(STATE | {"iteration": 8}, tmp_path, piece=50_000)
    assert load_state(tmp_path)["iteration"] == 7
    monkeypatch.undo()
    save_state(STATE | {"iteration": 9}, tmp_path, piece=50_000)
    assert load_state(tmp_path)["iteration"] == 9 and len(list(tmp_path.glob("*.part"))) == 3


def test_a_missing_piece_is_named(tmp_path):
    save_state(STATE, tmp_path, piece=50_000)
    next(tmp_path.glob("*.part")).unlink()
    with pytest.raises(ValueError, match="missing or damaged"):
        load_state(tmp_path)
