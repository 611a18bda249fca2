"""The command line, called in this process."""

import json
import socket

import numpy as np
import pytest
import skimage.data
from PIL import Image

from segdemo import __main__ as command_line
from segdemo import methods
from segdemo.__main__ import main
from segdemo.train.dataset import list_names

READY = [name for name, m in methods().items() if not m.unavailable()]


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "cat.jpg"
    Image.fromarray(skimage.data.chelsea()[:150, :200]).save(path)
    return path


@pytest.fixture
def scribbles(tmp_path):
    seeds = np.zeros((150, 200), np.uint8)
    seeds[70:80, 60:140], seeds[:6] = 1, 2
    path = tmp_path / "scribbles.png"
    Image.fromarray(seeds).save(path)
    return path


def test_coco_and_numpy_files_hold_the_labels(photo, tmp_path):
    coco, arrays = tmp_path / "coco.json", tmp_path / "arrays.npz"
    assert main(["segment", str(photo), "--method", "kmeans", "--coco", str(coco), "--npz", str(arrays)]) == 0
    labels = np.load(arrays)["labels"]
    areas = {one["category_id"]: one["area"] for one in json.loads(coco.read_text())}
    assert areas == dict(zip(*(values.tolist() for values in np.unique(labels, return_counts=True))))


@pytest.mark.parametrize(
    "words, said",
    [(["--clusters"], "--clusters needs a value"), (["--automatic", "false"], "write --no-automatic")],
)
def test_options_without_their_value_or_with_one_too_many(photo, capsys, words, said):
    assert main(["segment", str(photo), "--method", "kmeans", *words]) != 0
    assert said in capsys.readouterr().err


def test_methods_lists_every_method_and_parameter(capsys):
    assert main(["methods"]) == 0
    text = capsys.readouterr().out
    for name, m in methods().items():
        assert name in text
        assert all(f"--{field.replace('_', '-')}" in text for field in m.params.model_fields)


@pytest.mark.parametrize("name", READY)
def test_segment_writes_what_was_asked_for(name, photo, scribbles, tmp_path, capsys):
    mask, overlay, report = (tmp_path / file for file in ("mask.png", "overlay.png", "report.json"))
    arguments = [
        "segment",
        str(photo),
        "--method",
        name,
        "-o",
        str(mask),
        "--overlay",
        str(overlay),
        "--json",
        str(report),
    ]
    if methods()[name].needs_scribbles:
        arguments += ["--scribbles", str(scribbles)]
    assert main([*arguments, "--device", "cpu", "--seed", "3"]) == 0
    assert Image.open(mask).size == Image.open(overlay).size == (200, 150)
    written = json.loads(report.read_text())
    assert written["method"] == name and written["seed"] == 3
    assert sum(entry["share"] for entry in written["classes"]) == pytest.approx(1, abs=1e-3)
    assert "%" in capsys.readouterr().out


def test_parameters_reach_the_method(photo, tmp_path):
    report = tmp_path / "report.json"
    assert (
        main(
            [
                "segment",
                str(photo),
                "--method",
                "kmeans",
                "--clusters",
                "3",
                "--colour-space=RGB",
                "--json",
                str(report),
            ]
        )
        == 0
    )
    parameters = json.loads(report.read_text())["parameters"]
    assert parameters["clusters"] == 3 and parameters["colour_space"] == "RGB"


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--method", "magic"], "no method is called"),
        (["--method", "kmeans", "--clusters", "99"], "clusters"),
        (["--method", "kmeans", "--nonsense", "1"], "not understood"),
        (["--method", "graphcut"], "scribbles"),
        (["--method", "kmeans", "--device", "toaster"], "no device"),
    ],
)  # fmt: skip
def test_mistakes_are_explained_in_one_line(arguments, words, photo, capsys):
    assert main(["segment", str(photo), *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1 and error.startswith("segdemo:")


def test_missing_photo(capsys, tmp_path):
    assert main(["segment", str(tmp_path / "none.jpg"), "--method", "kmeans"]) == 2
    assert "none.jpg" in capsys.readouterr().err


def test_scribbles_that_cannot_be_read(photo, tmp_path, capsys):
    huge = tmp_path / "huge.png"
    Image.new("1", (20000, 20000)).save(huge)
    for path, words in ((tmp_path / "none.png", "none.png"), (tmp_path, "not an image"), (huge, "scribbles")):
        assert main(["segment", str(photo), "--method", "graphcut", "--scribbles", str(path)]) == 2
        error = capsys.readouterr().err
        assert words in error and error.startswith("segdemo:") and error.count("\n") == 1


def test_weights_prints_a_row_per_network(capsys):
    assert main(["weights"]) == 0
    table = capsys.readouterr().out
    assert all(f"| {name} |" in table for name, m in methods().items() if m.family == "networks" and "/" not in name)


def voc_folder(root):
    """One photo, a cat over its whole lower half."""
    for sub in ("JPEGImages", "SegmentationClass", "ImageSets"):
        (root / sub).mkdir()
    Image.fromarray(skimage.data.chelsea()[:150, :200]).save(root / "JPEGImages" / "cat.jpg")
    mask = np.zeros((150, 200), np.uint8)
    mask[75:] = 8
    Image.fromarray(mask).save(root / "SegmentationClass" / "cat.png")
    (root / "ImageSets" / "val.txt").write_text("cat\n")


@pytest.mark.skipif(not [n for n in READY if methods()[n].family == "networks"], reason="no trained network here")
def test_evaluate(tmp_path, capsys):
    voc_folder(tmp_path)
    name = next(n for n in READY if methods()[n].family == "networks")
    scores = tmp_path / "scores.json"
    assert main(["evaluate", "--method", name, "--data", str(tmp_path), "--json", str(scores), "--device", "cpu"]) == 0
    written = json.loads(scores.read_text())
    assert written["support"][8] == 75 * 200 and written["photos"] == 1 and 0.2 < written["iou"][8] <= 1
    assert "mIoU-7" in capsys.readouterr().out


def test_evaluate_explains_mistakes(tmp_path, capsys):
    assert main(["evaluate", "--method", "kmeans", "--data", str(tmp_path)]) == 2
    assert "takes a network" in capsys.readouterr().err
    assert main(["evaluate", "--method", "fcn-8s", "--data", str(tmp_path)]) == 2
    assert "no split" in capsys.readouterr().err
    voc_folder(tmp_path)
    evaluate = ["evaluate", "--method", "fcn-8s", "--data", str(tmp_path)]
    (tmp_path / "ImageSets" / "empty.txt").write_text("")
    assert main([*evaluate, "--split", "empty"]) == 2 and "lists no photos" in capsys.readouterr().err
    Image.new("L", (20, 20)).save(tmp_path / "SegmentationClass" / "cat.png")
    assert main(evaluate) == 2 and "does not fit" in capsys.readouterr().err
    (tmp_path / "SegmentationClass" / "cat.png").unlink()
    assert main(evaluate) == 2 and "cat.png" in capsys.readouterr().err


def test_evaluate_reads_voc_as_it_comes(tmp_path):
    voc_folder(tmp_path)
    (tmp_path / "ImageSets" / "Segmentation").mkdir()
    (tmp_path / "ImageSets" / "val.txt").rename(tmp_path / "ImageSets" / "Segmentation" / "val.txt")
    assert list_names(tmp_path, "val") == ["cat"]


def test_ctrl_c_is_no_traceback(monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "run_download", interrupted)
    assert main(["download"]) == 130 and "stopped" in capsys.readouterr().err


def test_download_lists_checkpoints_and_refuses_unknown_ones(capsys):
    assert main(["download"]) == 0
    listed = capsys.readouterr().out
    assert "nvidia/segformer-b5-cityscapes" in listed and "no commercial use" in listed
    assert main(["download", "nvidia/segformer-b9"]) == 2
    assert "no public checkpoint" in capsys.readouterr().err


def test_a_taken_port_is_explained(monkeypatch):
    import app

    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        monkeypatch.setattr("sys.argv", ["app.py", "--device", "cpu", "--port", str(port)])
        monkeypatch.setattr(app.Engine, "warm", lambda engine: None)
        with pytest.raises(SystemExit, match=f"port {port} cannot be used.*--port {port + 1}"):
            app.main()
