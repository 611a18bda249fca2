"""The mean of two trainings' weights."""

import json
import shutil

import pytest
import torch

from segdemo.networks import checkpoints
from segdemo.networks.inference import build_network
from segdemo.train import __main__ as command
from segdemo.train.soup import mean_of, soup

NETWORK = "deeplab-v3plus"


def test_mean_of_weights_and_statistics():
    first, second = torch.nn.BatchNorm2d(3).state_dict(), torch.nn.BatchNorm2d(3).state_dict()
    second = {key: value + 4 for key, value in second.items()}
    mean = mean_of(first, second)
    torch.testing.assert_close(mean["weight"], torch.full((3,), 3.0))
    torch.testing.assert_close(mean["running_mean"], torch.full((3,), 2.0))
    assert mean["num_batches_tracked"] == 4
    for other in ({}, {**second, "weight": torch.zeros(5)}):
        with pytest.raises(ValueError, match="different networks"):
            mean_of(first, other)


@pytest.mark.skipif(bool(checkpoints.unavailable(NETWORK)), reason="no trained network here")
def test_a_soup_is_published_with_its_scores(tmp_path, monkeypatch, capsys):
    card, folders = checkpoints.read_card(NETWORK), [tmp_path / "before", tmp_path / "later"]
    for folder in folders:
        folder.mkdir()
        shutil.copy(checkpoints.FOLDER / card["file"], folder)
        shutil.copy(checkpoints.card_path(NETWORK), folder)
    network = build_network(NETWORK)
    checkpoints.load_weights(network, NETWORK)
    start = network.classifier.bias.clone()
    with torch.no_grad():
        network.classifier.bias += 2
    checkpoints.save_weights(network, folders[1] / card["file"])
    monkeypatch.setattr(checkpoints, "FOLDER", folders[0])
    mixed = soup(NETWORK, folders[1], tmp_path)
    assert "mean" in mixed["training"]["soup"] and mixed["cost"] == card["cost"]
    scored = {key: card["scores"] | {"miou7": 0.5} for key in ("scores", "scores_with_crf")}
    monkeypatch.setattr(command, "scores", lambda *_: scored)
    assert command.main(["soup", NETWORK, str(folders[1]), "--data", str(tmp_path)]) == 0
    assert checkpoints.FOLDER == folders[0] and "0.5" in capsys.readouterr().out
    published = json.loads((folders[0] / f"{NETWORK}.json").read_text())
    assert published["scores"]["miou7"] == 0.5 and "soup" in published["training"]
    checkpoints.load_weights(network, NETWORK)
    torch.testing.assert_close(network.classifier.bias, start + 1)
