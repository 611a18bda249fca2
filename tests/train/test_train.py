"""Training: the data's crops, the loss, the average, resuming; on photos made here, with the smallest schedule."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from segdemo.labels import IGNORE
from segdemo.networks import checkpoints
from segdemo.networks.backbones import EfficientNetLite0
from segdemo.networks.inference import normalize
from segdemo.train.__main__ import adjusted, main, parse
from segdemo.train.dataset import (
    Batches,
    Photo,
    augment,
    list_names,
    load_training_photos,
    read_photo,
    sampling_weights,
)
from segdemo.train.losses import Mimicry, pixel_loss
from segdemo.train.recipe import RECIPES, Recipe, Trainer

TINY = Recipe("segformer-b0", iterations=4, batch=2, crop=64, start="scratch", frozen_stages=0, rate=1e-3)


def disc(centre, label, name="disc", trusted=True):
    """A bright disc on dark ground, and its mask."""
    y, x = np.mgrid[:60, :80]
    inside = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < 300
    image = np.where(inside[..., None], (220, 180, 40), (20, 40, 60)).astype(np.uint8)
    return Photo(name, image, np.where(inside, label, 0).astype(np.uint8), trusted)


PHOTOS = [disc((30, 30), 8), disc((20, 50), 12), disc((30, 40), 8, trusted=False)]


def write(folder, photo, split=None):
    for sub in ("JPEGImages", "SegmentationClass", "ImageSets"):
        (folder / sub).mkdir(parents=True, exist_ok=True)
    Image.fromarray(photo.image).save(folder / "JPEGImages" / f"{photo.name}.jpg")
    Image.fromarray(photo.mask).save(folder / "SegmentationClass" / f"{photo.name}.png")
    if split:
        with (folder / "ImageSets" / f"{split}.txt").open("a") as file:
            file.write(photo.name + "\n")


@pytest.fixture
def data(tmp_path):
    write(tmp_path / "voc", replace(PHOTOS[0], name="a"), "train")
    write(tmp_path / "voc", replace(PHOTOS[1], name="b"), "val")
    write(tmp_path / "pseudo", replace(PHOTOS[2], name="c"))
    return tmp_path


def test_folders(data):
    assert list_names(data / "voc", "train") == ["a"] and list_names(data / "pseudo", None) == ["c"]
    photos = load_training_photos(data)
    assert [(p.name, p.trusted) for p in photos] == [("a", True), ("c", False)]
    np.testing.assert_array_equal(photos[0].mask, PHOTOS[0].mask)
    with pytest.raises(FileNotFoundError, match="no split"):
        list_names(data / "voc", "test")
    Image.fromarray(PHOTOS[0].mask[:5]).save(data / "voc" / "SegmentationClass" / "a.png")
    with pytest.raises(ValueError, match="does not fit"):
        read_photo(data / "voc", "a")


def test_image_and_mask_are_warped_alike():
    """After any crop the bright pixels are still the labelled ones; outside lies grey, ignored."""
    rng = np.random.default_rng(0)
    for _ in range(40):
        image, mask = augment(PHOTOS[0], 64, (0.1, 2.0), rng)
        assert image.shape == (64, 64, 3) and mask.shape == (64, 64)
        assert set(np.unique(mask)) <= {0, 8, IGNORE}
        if (mask == 8).sum() > 50 and (mask == 0).sum() > 50:
            bright = image.astype(int).sum(-1)
            assert np.median(bright[mask == 8]) > np.median(bright[mask == 0])
            agreement = ((bright > (np.median(bright[mask == 8]) + np.median(bright[mask == 0])) / 2) == (mask == 8))[
                mask != IGNORE
            ]
            assert agreement.mean() > 0.9


def test_rare_and_trusted_photos_are_drawn_more_often():
    many = [disc((30, 30), 15)] * 400 + [disc((30, 30), 8)] * 25 + [disc((30, 30), 8, trusted=False)]
    weights = sampling_weights(many)
    assert weights.sum() == pytest.approx(1)
    assert weights[400] / weights[0] == pytest.approx((400 / 26) ** 0.5)
    assert weights[400] / weights[-1] == pytest.approx(2)


def test_batches_depend_on_seed_and_number_only():
    def batches(seed=1, start=0):
        return iter(Batches(PHOTOS, 2, 32, (0.5, 1.0), seed, start))

    first = batches()
    next(first)
    np.testing.assert_array_equal(next(first)[0], next(batches(start=1))[0])
    assert not np.array_equal(next(batches())[0], next(batches(seed=2))[0])


def test_pixel_loss():
    torch.manual_seed(0)
    scores, target = torch.randn(2, 21, 4, 4), torch.randint(0, 21, (2, 4, 4))
    plain = torch.nn.functional.cross_entropy(scores, target)
    torch.testing.assert_close(pixel_loss(scores, target), plain)
    target_with_void = target.clone()
    target_with_void[0] = IGNORE
    torch.testing.assert_close(
        pixel_loss(scores, target_with_void), torch.nn.functional.cross_entropy(scores[1:], target[1:])
    )
    sure = torch.nn.functional.one_hot(target, 21).permute(0, 3, 1, 2).float()
    torch.testing.assert_close(pixel_loss(scores, target, sure), plain)


def test_mimicry_is_zero_for_the_teacher_itself():
    mimicry = Mimicry((4, 6, 6, 6), (4, 6, 6, 6), ((1, 1), (2, 2), (3, 3)))
    for layer in mimicry.maps:
        torch.nn.init.dirac_(layer.weight), torch.nn.init.zeros_(layer.bias)
    maps = [torch.randn(1, c, 8, 8) for c in (4, 6, 6, 6)]
    assert mimicry(maps, [3 * m for m in maps]).item() == pytest.approx(0, abs=1e-5)
    assert mimicry(maps, [-m for m in maps]).item() == pytest.approx(2, abs=1e-5)


def test_rate_warms_up_and_ends_at_zero(tmp_path):
    trainer = Trainer(TINY, PHOTOS, tmp_path)
    rates = []
    for progress in (0.0, 0.02, 0.04, 0.5, 1.0):
        trainer.set_rate(progress)
        rates.append(trainer.groups()[0]["lr"])
    assert rates[0] < rates[1] < rates[2] > rates[3] > rates[4]
    assert rates[2] == pytest.approx(1e-3, rel=0.01) and rates[4] == pytest.approx(0)


def test_training_lowers_the_loss(tmp_path):
    trainer = Trainer(replace(TINY, rate=2e-3), PHOTOS[:1], tmp_path)
    trainer.network.train()
    batch = Batches(PHOTOS[:1], 2, 64, (1.0, 1.5), 0).make(0)
    losses = [trainer.step(*batch) for _ in range(12)]
    assert losses[-1] < 0.6 * losses[0]


def test_a_resumed_training_goes_on_where_it_stopped(tmp_path):
    whole = Trainer(TINY, PHOTOS, tmp_path / "whole")
    whole.run()
    Trainer(replace(TINY, iterations=2), PHOTOS, tmp_path / "parts").run()
    rest = Trainer(TINY, PHOTOS, tmp_path / "parts")
    assert rest.resume() and rest.iteration == 2
    rest.run()
    assert rest.iteration == whole.iteration == 4
    stale = Trainer(replace(TINY, network="fcn-8s"), PHOTOS, tmp_path / "parts")
    with pytest.raises(ValueError, match="belongs to segformer-b0"):
        stale.resume()


def test_muon_trains_every_matrix_of_a_linear_layer_and_resumes(tmp_path):
    recipe = replace(TINY, iterations=1, muon=True)
    trainer = Trainer(recipe, PHOTOS, tmp_path)
    matrices = {id(m.weight) for m in trainer.network.modules() if isinstance(m, torch.nn.Linear)}
    adamw, muon = ([id(p) for g in o.param_groups for p in g["params"]] for o in trainer.optimizers)
    assert set(muon) == matrices and not matrices & set(adamw)
    assert sorted(adamw + muon) == sorted(id(p) for p in trainer.network.parameters())
    trainer.run()
    again = Trainer(recipe, PHOTOS, tmp_path)
    assert again.resume()
    for ours, theirs in zip(again.optimizers, trainer.optimizers, strict=True):
        assert str(ours.state_dict()) == str(theirs.state_dict()) and ours.state_dict()["state"]


def test_a_warm_restart_takes_the_average_and_remembers_where_from(tmp_path):
    first = Trainer(replace(TINY, iterations=2), PHOTOS, tmp_path / "first")
    first.run()
    second = Trainer(replace(TINY, seed=9), PHOTOS, tmp_path / "second")
    second.continue_from(tmp_path / "first")
    for (name, value), start in zip(
        first.average.state_dict().items(), second.network.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(start, value, msg=name)
    assert second.iteration == 0 and [h["iteration"] for h in second.history] == [2]


def test_a_warm_restart_from_published_weights_carries_their_history_on(tmp_path):
    card = checkpoints.read_card("segformer-b0")
    trainer = Trainer(TINY, PHOTOS, tmp_path)
    trainer.continue_published()
    published = load_file(checkpoints.FOLDER / card["file"])
    for network in (trainer.network, trainer.average):
        for key, value in network.state_dict().items():
            torch.testing.assert_close(value, published[key].to(value.dtype), msg=key)
    minutes = sum(earlier["elapsed"] for earlier in trainer.history) / 60
    assert minutes == pytest.approx(card["training"]["minutes"], abs=0.05)
    assert trainer.history[-1]["iteration"] == card["training"]["iterations"] and trainer.iteration == 0


def test_a_batch_that_cannot_be_made_ends_the_training_instead_of_hanging_it():
    nothing = replace(PHOTOS[0], mask=np.full_like(PHOTOS[0].mask, 255))
    with np.errstate(invalid="ignore"), pytest.raises(ValueError):
        next(iter(Batches([nothing], 1, 32, (1.0, 1.2), 0)))


def test_imagenet_weights_are_asked_for_only_where_a_training_begins(tmp_path):
    recipe = Recipe("deeplab-v3plus", iterations=1, batch=2, crop=64)
    with pytest.raises(FileNotFoundError, match="--imagenet"):
        Trainer(recipe, PHOTOS, tmp_path).run()
    trainer = Trainer(recipe, PHOTOS, tmp_path)
    trainer.continue_published()
    trainer.run()
    assert trainer.iteration == 1


def test_frozen_stages_keep_weights_and_statistics(tmp_path):
    trainer = Trainer(Recipe("deeplab-v3plus", 2, 2, 64, start="scratch", frozen_stages=2), PHOTOS, tmp_path)
    before = {key: value.clone() for key, value in trainer.network.state_dict().items()}
    trainer.run()
    moved = {key for key, value in trainer.network.state_dict().items() if not torch.equal(value, before[key])}
    assert not any(key.startswith(("trunk.stem", "trunk.stages.0", "trunk.stages.1")) for key in moved)
    assert any(key.startswith("trunk.stages.2") for key in moved) and any(key.startswith("classifier") for key in moved)
    assert isinstance(trainer.network.trunk, EfficientNetLite0)


def test_command_line_writes_log_and_checkpoint(data, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(RECIPES, "segformer-b0", replace(TINY, iterations=3, batch=1, crop=32))
    arguments = ["segformer-b0", "--data", str(data), "--out", str(tmp_path / "runs"), "--device", "cpu"]
    assert main(arguments) == 0
    log = json.loads((tmp_path / "runs" / "segformer-b0" / "log.json").read_text())
    assert log["log"][-1]["iteration"] == 3 and log["recipe"]["network"] == "segformer-b0"
    assert main(arguments) == 0 and "resuming at iteration 3" in capsys.readouterr().out
    assert main(["segformer-b0", "--data", str(tmp_path / "nowhere")]) == 2
    assert "segdemo.train:" in capsys.readouterr().err


def test_smaller_crops_are_of_smaller_photos():
    recipe = replace(TINY, crop=128, scale=(0.5, 1.5))
    smaller = adjusted(recipe, parse(["unet", "--data", "x", "--crop", "64", "--batch", "3", "--rate", "0.5"]))
    assert (smaller.crop, smaller.batch, smaller.scale, smaller.rate) == (64, 3, (0.25, 0.75), 0.5)
    assert adjusted(recipe, parse(["unet", "--data", "x"])) == recipe


@pytest.mark.parametrize("name, levels", [("unet", 4), ("segnet", 5)])
def test_a_deep_decoder_gets_a_loss_on_every_level(tmp_path, name, levels):
    recipe = Recipe(name, 1, 2, 64, start="scratch", frozen_stages=0, deep=True)
    trainer = Trainer(recipe, PHOTOS, tmp_path)
    assert len(trainer.heads) == levels - 1
    before = [head.weight.clone() for head in trainer.heads]
    trainer.run()
    assert all(not torch.equal(head.weight, old) for head, old in zip(trainer.heads, before, strict=True))
    again = Trainer(recipe, PHOTOS, tmp_path)
    assert again.resume()
    for ours, theirs in zip(again.heads.parameters(), trainer.heads.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs)
    assert not any("heads" in key for key in trainer.average.state_dict())


def test_recalibrated_statistics_are_those_of_the_averaged_network(tmp_path):
    trainer = Trainer(Recipe("deeplab-v3plus", 1, 2, 64, start="scratch", frozen_stages=2), PHOTOS, tmp_path)
    kept = trainer.average.trunk.stem[1].running_mean.clone().fill_(3)
    for norm in (trainer.average.trunk.stem[1], trainer.average.low[1]):
        norm.running_mean.fill_(3)
    network = trainer.recalibrate(count=3)
    torch.testing.assert_close(network.trunk.stem[1].running_mean, kept)  # frozen
    seen = []
    network.low[0].register_forward_hook(lambda *values: seen.append(values[-1].mean((0, 2, 3))))
    batches = Batches(PHOTOS, 2, 64, trainer.recipe.scale, trainer.recipe.seed, 0)
    with torch.no_grad():
        for number in range(3):
            network(normalize(torch.from_numpy(batches.make(number)[0]).permute(0, 3, 1, 2)))
    assert not network.training
    # What comes before the layer is frozen, so that its statistics are those of the very same maps.
    torch.testing.assert_close(network.low[1].running_mean, torch.stack(seen).mean(0), atol=1e-4, rtol=1e-3)
