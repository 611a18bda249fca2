"""The networks: shapes, strides, shared weights, exact batch-norm folding, and what damaged weights do."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from segdemo import Engine
from segdemo.errors import UnavailableError
from segdemo.examples import examples
from segdemo.labels import VOC21
from segdemo.networks import checkpoints
from segdemo.networks.backbones import STAGES, EfficientNetLite0, fold_batch_norm, load_imagenet
from segdemo.networks.fcn import FCN
from segdemo.networks.inference import (
    architectures,
    build_network,
    input_shape,
    network_input,
    normalize,
    predict,
    scores_of,
)
from segdemo.networks.unet import UNetParams, cut_skips

PHOTO = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", architectures())
def test_scores_have_a_whole_stride(name):
    network = build_network(name).eval()
    with torch.no_grad():
        scores = network(torch.randn(2, 3, 64, 96))
    assert scores.shape[:2] == (2, 21)
    assert 64 % scores.shape[2] == 0 and 64 // scores.shape[2] == 96 // scores.shape[3]


@pytest.mark.parametrize("name", architectures())
def test_every_parameter_learns(name):
    torch.manual_seed(0)
    network = build_network(name).train()
    network(torch.randn(2, 3, 64, 64)).square().mean().backward()
    dead = [key for key, p in network.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert dead == []


@pytest.mark.parametrize("name", architectures())
def test_folding_batch_norm_is_exact(name):
    torch.manual_seed(0)
    network = build_network(name)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1), module.running_var.uniform_(0.5, 2)
    network.eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        expected = network(x)
        scores = fold_batch_norm(network)(x)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())
    torch.testing.assert_close(scores, expected, atol=1e-4, rtol=1e-3)


def test_fcn_refines_coarse_scores_by_adding_finer_ones():
    torch.manual_seed(0)
    finest = build_network("fcn-8s").eval()
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        s32, s16, s8 = finest.all_scores(finest.trunk(x))
        assert [s.shape[-1] for s in (s32, s16, s8)] == [2, 4, 8]
        for name, expected in (("fcn-32s", s32), ("fcn-16s", s16)):
            coarse = build_network(name).eval()
            state = finest.state_dict()
            coarse.load_state_dict({key: state[key] for key in coarse.state_dict()})
            torch.testing.assert_close(coarse(x), expected)
        for head in (finest.score16, finest.score8):  # without the skips 8s is 32s enlarged
            torch.nn.init.zeros_(head.weight), torch.nn.init.zeros_(head.bias)
        enlarged = torch.nn.functional.interpolate(s32, scale_factor=2, mode="bilinear")
        enlarged = torch.nn.functional.interpolate(enlarged, scale_factor=2, mode="bilinear")
        torch.testing.assert_close(finest(x), enlarged)


@pytest.mark.parametrize("output_stride", [8, 16, 32])
def test_atrous_trunk_keeps_weights_and_field(output_stride):
    """With dilation instead of stride the same weights give, at every second place, the same features."""
    torch.manual_seed(0)
    dense, sparse = EfficientNetLite0(output_stride).eval(), EfficientNetLite0(32).eval()
    sparse.load_state_dict(dense.state_dict())
    with torch.no_grad():
        features = dense(torch.randn(1, 3, 128, 128))
    assert [f.shape[-1] for f in features] == [32, 16, 128 // min(16, output_stride), 128 // output_stride]
    assert [f.shape[1] for f in features] == list(EfficientNetLite0.channels)
    with pytest.raises(ValueError, match="output_stride"):
        EfficientNetLite0(7)


def test_atrous_convolution_reads_the_same_pixels():
    """A dilated kernel on the fine grid equals the plain kernel on the grid's even places (Chen et al. 2017, fig. 2)."""
    torch.manual_seed(0)
    kernel, x = torch.randn(1, 1, 3, 3), torch.randn(1, 1, 16, 16)
    fine = torch.nn.functional.conv2d(x, kernel, padding=2, dilation=2)
    coarse = torch.nn.functional.conv2d(x[:, :, ::2, ::2], kernel, padding=1)
    torch.testing.assert_close(fine[:, :, ::2, ::2], coarse)


def test_imagenet_weights_are_matched_by_position_and_shape():
    torch.manual_seed(0)
    source, target = EfficientNetLite0(), EfficientNetLite0()
    names, values = list(source.state_dict()), list(source.state_dict().values())
    stem = ["_conv_stem.weight"] + [f"_bn0.{key.rpartition('.')[2]}" for key in names[1:6]]
    foreign = dict(zip(stem + [f"_blocks.{i}" for i in range(len(values) - 6)], values, strict=True))
    load_imagenet(target, foreign | {"_fc.weight": torch.zeros(3)})
    for a, b in zip(values, target.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b)
    with pytest.raises(ValueError, match="do not fit"):
        load_imagenet(target, dict(list(foreign.items())[:-1]))
    with pytest.raises(ValueError, match="does not fit"):
        load_imagenet(target, foreign | {"_conv_stem.weight": torch.zeros(1)})
    assert sum(row[-1] for row in STAGES) == 16


@pytest.mark.parametrize("size", [(500, 375), (2, 2), (3, 900), (768, 768)], ids=str)
def test_input_shape(size):
    shape = input_shape(*size, 448, 32)
    assert all(side % 32 == 0 and side >= 32 for side in shape)
    assert max(shape) == 448


def test_input_shape_is_the_nearest():
    assert input_shape(500, 410, 448, 32) == (448, 352)  # of 367.4, between 352 and 384
    assert input_shape(420, 500, 448, 32) == (384, 448)  # of 376.3


def test_colours_are_those_that_imagenet_weights_expect():
    assert normalize(torch.tensor([0, 127, 255], dtype=torch.uint8)).tolist() == [-127 / 128, 0, 1]


def test_a_large_photo_is_averaged_and_not_sampled():
    photo = np.zeros((256, 256, 3), np.uint8)
    photo[:, 1::4] = 255  # of each four columns that become one
    x = network_input(SimpleNamespace(stride=32), photo, 64, torch.device("cpu"), torch.float32)
    assert x.shape == (1, 3, 64, 64)
    torch.testing.assert_close(x[..., 8:-8], torch.full_like(x[..., 8:-8], (255 / 4 - 127) / 128), atol=0.04, rtol=0)


def test_scores_are_enlarged_before_the_softmax():
    class Halves(torch.nn.Module):
        stride = 32

        def forward(self, x):
            return torch.tensor([[9.0, -3.0], [0.0, 0.0]])[None, :, None, :]

    p = predict(Halves(), PHOTO, 64, torch.device("cpu"), torch.float32)[0, 30]
    assert p[44] == pytest.approx(p[45], abs=0.02) and p[44] > 0.9  # halfway: scores of 3 and 0; of the softmax, 0.52


def test_the_trunk_is_what_imagenet_weights_were_trained_in():
    modules = list(EfficientNetLite0().modules())
    assert {m.eps for m in modules if isinstance(m, torch.nn.BatchNorm2d)} == {1e-3}
    capped = [m for m in modules if isinstance(m, torch.nn.ReLU)] + [
        m for m in modules if isinstance(m, torch.nn.ReLU6)
    ]
    assert len(capped) == 1 + 15 + 16 and all(m(torch.tensor(9.0)) == 6 for m in capped)


def test_predict_gives_probabilities():
    torch.manual_seed(0)
    scores = predict(build_network("segformer-b0").eval(), PHOTO, 64, torch.device("cpu"), torch.float32)
    assert scores.shape == (21, 60, 90) and scores.dtype == np.float32
    np.testing.assert_allclose(scores.sum(0), 1, atol=1e-5)


def test_networks_on_one_trunk_run_it_once():
    """FCN-32s after FCN-8s on the same photo costs its head only, and gives the same as alone."""
    torch.manual_seed(0)
    finest, coarsest = build_network("fcn-8s").eval(), build_network("fcn-32s").eval()
    coarsest.load_state_dict({key: finest.state_dict()[key] for key in coarsest.state_dict()})
    kept, passes = {}, []
    for network in (finest, coarsest):
        network.trunk.register_forward_hook(lambda *_: passes.append(1))

    def once(key, build):
        if key not in kept:
            kept[key] = build()
        return kept[key]

    settings = PHOTO, 64, torch.device("cpu"), torch.float32
    predict(finest, *settings, once)
    shared = predict(coarsest, *settings, once)
    assert len(passes) == 1
    np.testing.assert_array_equal(shared, predict(coarsest, *settings))


@pytest.mark.parametrize("file", sorted(checkpoints.FOLDER.glob("*.safetensors")), ids=lambda path: path.stem)
def test_every_number_of_the_shipped_weights_is_finite(file):
    assert all(value.isfinite().all() for value in load_file(file).values())


class TestWeights:
    @pytest.fixture
    def folder(self, tmp_path, monkeypatch):
        """A weights folder that holds random weights of fcn-32s, for as long as the test runs."""
        torch.manual_seed(0)
        monkeypatch.setattr(checkpoints, "FOLDER", tmp_path)
        checkpoints.save_weights(build_network("fcn-8s"), tmp_path / "fcn.safetensors")
        card = dict.fromkeys(checkpoints.CARD_ENTRIES, "") | {
            "name": "fcn-32s", "file": "fcn.safetensors", "input_size": 64,
            "scores": dict.fromkeys(checkpoints.SCORE_ENTRIES, 0.5),
            "scores_with_crf": dict.fromkeys(checkpoints.SCORE_ENTRIES, 0.6),
            "cost": dict.fromkeys(checkpoints.COST_ENTRIES, 1),
        }  # fmt: skip
        (tmp_path / "fcn-32s.json").write_text(json.dumps(card))
        return tmp_path

    def test_large_variances_survive_the_file_and_lost_numbers_are_refused(self, folder):
        network = build_network("unet")
        variance = network.state_dict()["levels.3.1.running_var"]
        variance[0] = 1e6  # more than half precision holds
        checkpoints.save_weights(network, folder / "unet.safetensors")
        assert load_file(folder / "unet.safetensors")["levels.3.1.running_var"][0] == 1e6
        before, variance[0] = (folder / "unet.safetensors").read_bytes(), np.inf
        with pytest.raises(ValueError, match="levels.3.1.running_var"):
            checkpoints.save_weights(network, folder / "unet.safetensors")
        assert (folder / "unet.safetensors").read_bytes() == before

    def test_a_finer_networks_file_serves_the_coarser(self, folder):
        result = Engine("cpu").run("fcn-32s", PHOTO)
        assert result.facts["mIoU-7 on VOC val"] == 0.5
        assert "mIoU-7 with the CRF's defaults" not in result.facts

    def test_the_score_stands_by_what_was_scored_only(self, folder):
        assert not any("mIoU" in fact for fact in Engine("cpu").run("fcn-32s", PHOTO, input_size=96).facts)
        card, params = checkpoints.read_card("fcn-32s"), UNetParams(skip_1=False)
        assert scores_of(card, params, 64, cut_skips(params)) == {} != scores_of(card, params, 64, {"cut": ()})

    def test_the_score_with_crf_stands_by_a_result_with_crf(self, folder):
        facts = Engine("cpu").run("fcn-32s", PHOTO, crf=True).facts
        assert facts["mIoU-7 on VOC val"] == 0.5 and facts["mIoU-7 with the CRF's defaults"] == 0.6

    def test_half_precision_round_trip(self, folder):
        stored = load_file(folder / "fcn.safetensors")
        assert {v.dtype for v in stored.values() if v.ndim > 1} == {torch.float16}
        network = build_network("fcn-32s")
        checkpoints.load_weights(network, "fcn-32s")
        assert network.score32.weight.dtype == torch.float32
        torch.testing.assert_close(network.score32.weight, stored["score32.weight"].float())

    def test_missing_file(self, folder):
        (folder / "fcn.safetensors").unlink()
        self.refuses("missing")

    def test_missing_card(self, folder):
        (folder / "fcn-32s.json").unlink()
        self.refuses("no trained weights")

    def test_damaged_card(self, folder):
        (folder / "fcn-32s.json").write_text("{")
        self.refuses("damaged")

    def test_incomplete_card(self, folder):
        (folder / "fcn-32s.json").write_text('{"name": "fcn-32s", "file": "fcn.safetensors"}')
        self.refuses("lacks parameters")

    @pytest.mark.parametrize("part, entry", [("scores", "miou7"), ("scores_with_crf", "photos"), ("cost", "seconds")])
    def test_incomplete_part_of_a_card(self, folder, part, entry):
        card = json.loads((folder / "fcn-32s.json").read_text())
        del card[part][entry]
        (folder / "fcn-32s.json").write_text(json.dumps(card))
        self.refuses(f"lacks {part}.{entry}")

    def test_what_is_fetched_again_counts_at_once(self, folder):
        for file in (folder / "fcn.safetensors", folder / "fcn-32s.json"):
            sound = file.read_bytes()
            assert checkpoints.unavailable("fcn-32s") is None
            file.write_bytes(sound[:100])
            assert "damaged" in checkpoints.unavailable("fcn-32s")
            file.write_bytes(sound)
            assert checkpoints.unavailable("fcn-32s") is None

    def test_another_folder_for_a_while(self, folder, tmp_path_factory):
        other = tmp_path_factory.mktemp("other")
        with pytest.raises(RuntimeError), checkpoints.kept_in(other):
            assert "missing" in checkpoints.unavailable("fcn-32s")
            raise RuntimeError
        assert checkpoints.unavailable("fcn-32s") is None

    def test_card_of_another_network(self, folder):
        (folder / "fcn-32s.json").write_text('{"name": "unet", "file": "fcn.safetensors"}')
        self.refuses("something else")

    def test_damaged_file_is_explained_and_the_others_run(self, folder):
        (folder / "fcn.safetensors").write_bytes((folder / "fcn.safetensors").read_bytes()[:1000])
        engine = Engine("cpu")
        assert "damaged" in checkpoints.unavailable("fcn-32s")  # so the page greys it out
        with pytest.raises(UnavailableError, match="damaged"):
            engine.run("fcn-32s", PHOTO)
        assert engine.run("kmeans", PHOTO).labels.shape == PHOTO.shape[:2]

    def test_weights_that_do_not_fit(self, folder):
        checkpoints.save_weights(build_network("segformer-b0"), folder / "fcn.safetensors")
        with pytest.raises(UnavailableError, match="another version"):
            Engine("cpu").run("fcn-32s", PHOTO)
        checkpoints.save_weights(build_network("fcn-32s"), folder / "fcn.safetensors")
        checkpoints.load_weights(build_network("fcn-32s"), "fcn-32s")
        with pytest.raises(UnavailableError, match="another version"):  # the same names, other shapes
            checkpoints.load_weights(FCN(classes=5, finest=32), "fcn-32s")

    @staticmethod
    def refuses(words):
        assert words in checkpoints.unavailable("fcn-32s")
        with pytest.raises(UnavailableError, match=words):
            Engine("cpu").run("fcn-32s", PHOTO)


SHIPPED = [name for name in architectures() if not checkpoints.unavailable(name)]


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_card(name):
    card = checkpoints.read_card(name)
    assert card["parameters"] == sum(p.numel() for p in build_network(name).parameters())
    assert {"architecture", "data", "recipe", "seed", "licence", "training"} <= set(card)
    for scores in (card["scores"], card["scores_with_crf"]):
        assert len(scores["iou"]) == len(scores["support"]) == 21
        assert 0 < scores["miou7"] < 1 and scores["photos"] > 200
    assert (checkpoints.FOLDER / card["file"]).stat().st_size < 16 * 2**20


@pytest.mark.parametrize("name", SHIPPED)
def test_a_result_states_its_cards_parameters_and_cannot_spoil_the_next(name):
    engine, card = Engine("cpu"), checkpoints.read_card(name)
    for crf in (False, True):
        first = engine.run(name, PHOTO, crf=crf)
        assert first.facts["parameters"] == card["parameters"]
        kept = first.labels.copy()
        for array in (first.labels, first.scores, first.palette):
            try:
                array[:] = 0
            except ValueError:  # read-only
                pass
        second = engine.run(name, PHOTO, crf=crf)
        assert np.array_equal(second.labels, kept) and second.scores.max() > 0 and second.palette.any()


@pytest.mark.skipif(not {"unet", "fcn-8s", "fcn-32s"} <= set(SHIPPED), reason="no weights here")
def test_what_is_kept_of_a_photo_serves_only_the_network_size_and_skips_it_was_made_with():
    """One after the other, and once more with the photo forgotten before each."""
    trials = [("unet", 64, {}), ("unet", 64, {"skip_4": False}), ("unet", 96, {}), ("fcn-8s", 64, {}),
              ("fcn-32s", 64, {}), ("fcn-32s", 96, {})]  # fmt: skip
    engine = Engine("cpu")
    run = lambda name, side, options: engine.run(name, PHOTO, keep_frames=False, input_size=side, **options)  # noqa: E731
    kept, seen = [run(*trial).working_scores for trial in trials], []
    for trial, scores in zip(trials, kept):
        engine._photos.clear()
        result = run(*trial)
        np.testing.assert_array_equal(scores, result.working_scores)
        assert all((scores != other).any() for other in seen)
        seen.append(scores)
    assert result.facts["input"] == "96 x 64"  # width x height of a photo of 90 x 60


@pytest.mark.skipif("fcn-32s" not in SHIPPED, reason="no weights here")
def test_certainty_is_yellow_where_the_network_is_sure():
    import skimage.data

    result = Engine("cpu").run("fcn-32s", skimage.data.chelsea(), working_size=128)
    (picture,) = [p.image for p in result.pictures if p.title == "certainty"]
    sure = result.working_scores.max(0)
    brightness = picture[..., :2].mean(axis=2)
    assert brightness[sure > 0.95].mean() > brightness[sure < 0.6].mean() + 40


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_network_knows_a_cat(name):
    import skimage.data

    result = Engine("cpu").run(name, skimage.data.chelsea())
    assert result.names[int(result.shares[1:].argmax()) + 1] == "cat"
    assert result.shares[8] > 0.3


@pytest.mark.skipif(bool(checkpoints.unavailable("deeplab-v3plus")), reason="no weights here")
def test_a_photo_of_nothing_known_says_what_is_known():
    result = Engine("cpu").run("deeplab-v3plus", next(e for e in examples() if e.name == "coffee").load())
    assert not result.labels.any() and f"{VOC21.names[16]}, " in result.notices[0]
    assert f"of the 20 kinds of things that it knows ({VOC21.names[1]}, " in result.notices[0]
