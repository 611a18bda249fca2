"""Public checkpoints: official file formats with random weights, served by a hub on this machine, against their own libraries."""

import hashlib
import io

import numpy as np
import pytest
import torch
from local_hub import Hub
from safetensors.torch import save

from segdemo import Engine, methods
from segdemo.errors import DownloadError, ParameterError, UnavailableError
from segdemo.labels import ADE20K, CITYSCAPES, VOC21, voc_columns
from segdemo.networks import official
from segdemo.networks.official import IMAGENET_MEAN, IMAGENET_STD, as_own, as_voc

PHOTO = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
NAMES = list(official.official())


@pytest.fixture
def hub(tmp_path, monkeypatch):
    hub = Hub()
    monkeypatch.setattr(official, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(official, "HUB", hub.url)
    yield hub
    hub.close()


@pytest.fixture(scope="module")
def segformer():
    """transformers' SegFormer-B0 for ADE20K with random weights, and its checkpoint as published."""
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    torch.manual_seed(0)
    network = SegformerForSemanticSegmentation(SegformerConfig(num_labels=150)).eval()
    for p in network.parameters():
        torch.nn.init.normal_(p, 0.02 if p.ndim == 1 else 0.0, 0.05)
    return network


def published(network, folder):
    """State dict with the names that the hub's files have."""
    from safetensors.torch import load_file

    network.save_pretrained(folder)
    return load_file(folder / "model.safetensors")


def imagenet(photo):
    x = torch.from_numpy(photo).permute(2, 0, 1)[None] / 255
    return (x - torch.tensor(IMAGENET_MEAN)[:, None, None]) / torch.tensor(IMAGENET_STD)[:, None, None]


def pickled(state):
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


REPOSITORY = "/nvidia/segformer-b0-finetuned-ade-512-512/resolve/main/"


@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_nvidias_segformer_scores_as_in_transformers(hub, segformer, tmp_path, file):
    state = published(segformer, tmp_path)
    assert any(name.startswith("segformer.encoder.block.0.0.attention.self.query") for name in state)
    hub.files[REPOSITORY + file] = save(state) if file.endswith("safetensors") else pickled(state)
    assert official.unavailable("nvidia/segformer-b0-ade")
    official.download("nvidia/segformer-b0-ade")
    assert official.unavailable("nvidia/segformer-b0-ade") is None
    network = official.load("nvidia/segformer-b0-ade").eval()
    x = (torch.from_numpy(PHOTO[:32, :64]).permute(2, 0, 1)[None].float() - 127) / 128
    with torch.no_grad():
        torch.testing.assert_close(network(x), segformer(imagenet(PHOTO[:32, :64])).logits, atol=1e-4, rtol=1e-3)


def test_through_the_engine_as_voc_and_as_its_own_labels(hub, segformer, tmp_path):
    hub.files[REPOSITORY + "model.safetensors"] = save(published(segformer, tmp_path))
    official.download("nvidia/segformer-b0-ade")
    engine = Engine("cpu")
    as_voc_result = engine.run("nvidia/segformer-b0-ade", PHOTO, input_size=64)
    assert tuple(as_voc_result.names) == VOC21.names
    assert as_voc_result.facts["parameters"] == segformer.num_parameters()
    np.testing.assert_allclose(as_voc_result.scores.sum(0), 1, atol=1e-4)
    own = engine.run("nvidia/segformer-b0-ade", PHOTO, input_size=64, labels="own", crf=True, crf_iterations=1)
    assert set(own.names) <= set(ADE20K.names) and own.labels.max() < len(own.names)
    requests = len(hub.requests)
    official.download("nvidia/segformer-b0-ade")
    assert len(hub.requests) == requests  # it is here: nothing is asked again


@pytest.mark.parametrize("variant", ["b1", "b2", "b5"])
def test_larger_segformers_have_the_published_shapes(variant):
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    depths = {"b1": [2, 2, 2, 2], "b2": [3, 4, 6, 3], "b5": [3, 6, 40, 3]}[variant]
    config = SegformerConfig(
        num_labels=19,
        depths=depths,
        hidden_sizes=[64, 128, 320, 512],
        decoder_hidden_size=256 if variant == "b1" else 768,
    )
    with torch.device("meta"):
        theirs = SegformerForSemanticSegmentation(config)
        ours = official.official()[f"nvidia/segformer-{variant}-cityscapes"].build()
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())


@pytest.mark.parametrize("builder", ["lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large", "fcn_resnet50"])
def test_torchvisions_networks(hub, builder, monkeypatch):
    """With the auxiliary head that the real files have, and the checksum in the file's name."""
    from torchvision.models import get_model, get_model_weights

    torch.manual_seed(0)
    options = {} if builder.startswith("lraspp") else {"aux_loss": True}
    theirs = get_model(builder, weights=None, weights_backbone=None, num_classes=21, **options).eval()
    body = pickled(theirs.state_dict())
    name = f"/models/{builder}-{hashlib.sha256(body).hexdigest()[:8]}.pth"
    hub.files[name] = body
    weights = get_model_weights(builder).DEFAULT
    monkeypatch.setattr(type(weights), "url", property(lambda self: hub.url + name))
    official.download(f"torchvision/{builder}")
    network = official.load(f"torchvision/{builder}").eval()
    x = (torch.from_numpy(PHOTO).permute(2, 0, 1)[None].float() - 127) / 128
    with torch.no_grad():
        torch.testing.assert_close(network(x), theirs(imagenet(PHOTO))["out"], atol=1e-4, rtol=1e-3)
    hub.files[name] = body[:-100]  # another body under the same checksum: refused, and nothing is left
    (official.CACHE / f"torchvision/{builder}" / name.rpartition("/")[2]).unlink()
    with pytest.raises(DownloadError, match="checksum"):
        official.download(f"torchvision/{builder}")
    assert official.unavailable(f"torchvision/{builder}")


def test_damage_on_this_disk_is_explained(hub, segformer, tmp_path):
    hub.files[REPOSITORY + "model.safetensors"] = save(published(segformer, tmp_path))
    path = official.download("nvidia/segformer-b0-ade")
    for content in (b"", path.read_bytes()[:5000], save({"other.weight": torch.zeros(3)})):
        path.write_bytes(content)
        with pytest.raises(UnavailableError, match="damaged.*download it again"):
            Engine("cpu").run("nvidia/segformer-b0-ade", PHOTO)


def test_pickles_with_code_are_refused(hub):
    class Evil:
        def __reduce__(self):
            return print, ("run",)

    hub.files[REPOSITORY + "pytorch_model.bin"] = pickled({"x": Evil()})
    official.download("nvidia/segformer-b0-ade")
    with pytest.raises(UnavailableError, match="damaged"):
        official.load("nvidia/segformer-b0-ade")


def test_nothing_is_fetched_unasked_and_the_licence_comes_first(hub):
    for name in NAMES:
        reason = methods()[name].unavailable()
        assert "Licence:" in reason and "MB" in reason and f"segdemo download {name}" in reason
    assert "no commercial use" in official.unavailable("nvidia/segformer-b5-ade")
    with pytest.raises(UnavailableError, match="not downloaded"):
        Engine("cpu").run(NAMES[0], PHOTO)
    assert hub.requests == []
    with pytest.raises(UnavailableError, match="no public checkpoint"):
        official.download("nvidia/segformer-b9-ade")


def test_probabilities_are_summed_by_voc_class():
    torch.manual_seed(0)
    scores = torch.randn(1, 150, 4, 5)
    beliefs, names, palette = as_voc(scores, ADE20K, (4, 5))
    p = scores.softmax(1)[0].numpy()
    chairs = [ADE20K.names.index(name) for name in ("chair", "armchair", "swivel chair")]
    np.testing.assert_allclose(beliefs[VOC21.names.index("chair")], p[chairs].sum(0), atol=1e-6)
    np.testing.assert_allclose(beliefs.sum(0), 1, atol=1e-5)
    assert len(names) == 21 and palette.shape == (21, 3)
    assert (voc_columns(CITYSCAPES) > 0).sum() == 7 and (voc_columns(VOC21) == np.arange(21)).all()


def test_own_labels_keep_every_winner():
    torch.manual_seed(0)
    scores = 5 * torch.randn(1, 19, 4, 5)
    beliefs, names, palette = as_own(scores, CITYSCAPES, (4, 5))
    winners = scores.argmax(1)[0].numpy()
    assert [[CITYSCAPES.names[k] for k in row] for row in winners] == [
        [names[k] for k in row] for row in beliefs.argmax(0)
    ]
    np.testing.assert_allclose(beliefs.sum(0), 1, atol=1e-5)
    assert palette.shape == (len(names), 3)


def test_scores_against_voc_masks_need_vocs_labels(hub, segformer, tmp_path):
    from PIL import Image

    from segdemo.evaluate import evaluate

    hub.files[REPOSITORY + "model.safetensors"] = save(published(segformer, tmp_path))
    official.download("nvidia/segformer-b0-ade")
    for sub in ("JPEGImages", "SegmentationClass", "ImageSets"):
        (tmp_path / "voc" / sub).mkdir(parents=True)
    Image.fromarray(PHOTO).save(tmp_path / "voc/JPEGImages/a.jpg")
    Image.fromarray(np.zeros((60, 90), np.uint8)).save(tmp_path / "voc/SegmentationClass/a.png")
    (tmp_path / "voc/ImageSets/val.txt").write_text("a\n")
    assert evaluate(Engine("cpu"), "nvidia/segformer-b0-ade", tmp_path / "voc", input_size=64)["photos"] == 1
    with pytest.raises(ParameterError, match="VOC"):
        evaluate(Engine("cpu"), "nvidia/segformer-b0-ade", tmp_path / "voc", labels="own", input_size=64)
