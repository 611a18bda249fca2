"""Exports: what is written can be read back, by other programs too."""

import io
import json

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import segdemo
from segdemo import export
from segdemo.errors import ParameterError
from segdemo.labels import VOC21, distinct_colours, voc_colormap
from segdemo.segmentation import Segmentation

RNG = np.random.default_rng(0)


def make(labels, count, **fields) -> Segmentation:
    return Segmentation(labels, [f"region {k}" for k in range(count)], distinct_colours(count), **fields)


@pytest.mark.parametrize("count", [1, 2, 3, 16, 21, 255])
def test_label_png_is_indexed_and_comes_back(count):
    segmentation = make(RNG.integers(0, count, (9, 13)), count)
    data = export.label_png(segmentation)
    image = Image.open(io.BytesIO(data))
    assert image.mode == "P" and data[24] == 8  # the header's bit depth
    np.testing.assert_array_equal(np.asarray(image), segmentation.labels)
    np.testing.assert_array_equal(np.asarray(image.convert("RGB")), segmentation.palette[segmentation.labels])


def test_label_png_of_vocs_classes_has_vocs_colours():
    labels = np.arange(21).reshape(3, 7)
    data = export.label_png(Segmentation(labels, list(VOC21.names), VOC21.palette))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), voc_colormap(21)[labels])


@pytest.mark.parametrize("count", [256, 257, 4000, 65536])
def test_label_png_with_many_labels_has_sixteen_bits(count):
    labels = np.append(RNG.integers(0, count, 99), count - 1).reshape(10, 10)
    segmentation = Segmentation(labels, [""] * count, np.zeros((count, 3), np.uint8))
    data = export.label_png(segmentation)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), labels)
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED), labels)


def test_label_png_refuses_more_labels_than_a_png_holds():
    with pytest.raises(ParameterError, match="65536"):
        export.label_png(Segmentation(np.zeros((2, 2), int), [""] * 65537, np.zeros((65537, 3), np.uint8)))


def test_overlay_mixes_photo_and_colours():
    photo = RNG.integers(0, 256, (8, 10, 3), dtype=np.uint8)
    labels = np.zeros((8, 10), int)
    labels[:, 5:] = 1
    segmentation = make(labels, 2)
    colours = segmentation.palette[labels]
    plain = export.overlay(photo, segmentation, 0.25, outline=False)
    assert plain.dtype == np.uint8
    assert np.abs(plain - (0.75 * photo + 0.25 * colours)).max() <= 0.5
    np.testing.assert_array_equal(export.overlay(photo, segmentation, 0, outline=False), photo)
    np.testing.assert_array_equal(export.overlay(photo, segmentation, 1, outline=False), colours)
    outlined = export.overlay(photo, segmentation, 0.25)
    assert (outlined[:, 4] == 255).all()
    np.testing.assert_array_equal(np.delete(outlined, 4, 1), np.delete(plain, 4, 1))
    png = np.asarray(Image.open(io.BytesIO(export.overlay_png(photo, segmentation, 0.25))))
    np.testing.assert_array_equal(png, outlined)


def test_overlay_refuses_what_does_not_fit():
    segmentation = make(np.zeros((4, 4), int), 1)
    with pytest.raises(ParameterError, match="give the photo that was segmented"):
        export.overlay(np.zeros((4, 5, 3), np.uint8), segmentation)
    for opacity in (-0.1, 1.1, float("nan")):
        with pytest.raises(ParameterError, match="opacity"):
            export.overlay(np.zeros((4, 4, 3), np.uint8), segmentation, opacity)


def test_report_is_json_and_complete():
    labels = np.array([[0, 8, 8, 15]])
    segmentation = Segmentation(
        labels, list(VOC21.names), VOC21.palette,
        energy=[3.5, np.float32(2.5), float("inf")], energy_name="objective",
        facts={"nan": float("nan"), "inf": np.float64(-np.inf), "count": np.int64(7), "tensor": torch.tensor(1.5),
               "list": (1, np.arange(2)), "device": torch.device("cpu"), "yes": np.bool_(True), "none": None},
        notices=["ran on the CPU"], timings={"features": 0.25}, method="kmeans",
        params={"clusters": 6, "seed": 4}, seed=4, device="cuda:0",
    )  # fmt: skip
    report = json.loads(json.dumps(export.report(segmentation), allow_nan=False))
    assert report["facts"] == {
        "nan": None, "inf": None, "count": 7, "tensor": 1.5, "list": [1, [0, 1]],
        "device": "cpu", "yes": True, "none": None,
    }  # fmt: skip
    assert report["energy"] == {"name": "objective", "values": [3.5, 2.5, None]}
    assert report["method"] == "kmeans" and report["parameters"] == {"clusters": 6, "seed": 4} and report["seed"] == 4
    assert report["device"] == "cuda:0" and report["timings"] == {"features": 0.25}
    assert report["notices"] == ["ran on the CPU"] and report["size"] == {"height": 1, "width": 4}
    assert set(report["versions"]) == {"segdemo", "torch", "numpy", "python"}
    assert report["versions"]["segdemo"] == segdemo.__version__
    assert report["classes"] == [
        {"label": 8, "name": "cat", "share": 0.5, "colour": "#ce2f00"},
        {"label": 0, "name": "background", "share": 0.25, "colour": "#000000"},
        {"label": 15, "name": "person", "share": 0.25, "colour": "#ffa0a4"},
    ]


def decode_rle(rle):
    """A run-length decoder that knows only the format."""
    values = [k % 2 for k, run in enumerate(rle["counts"]) for _ in range(run)]
    height, width = rle["size"]
    return np.array(values, bool).reshape(width, height).T


def test_coco_rle_by_hand():
    assert export.coco_rle(np.array([[0, 1, 1], [0, 0, 1]], bool)) == {"size": [2, 3], "counts": [2, 1, 1, 2]}
    assert export.coco_rle(np.ones((2, 3), bool)) == {"size": [2, 3], "counts": [0, 6]}
    assert export.coco_rle(np.zeros((2, 3), bool)) == {"size": [2, 3], "counts": [6]}


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (7, 5), (40, 31)])
@pytest.mark.parametrize("density", [0.02, 0.5, 0.98])
def test_coco_rle_comes_back(shape, density):
    mask = RNG.random(shape) < density
    rle = json.loads(json.dumps(export.coco_rle(mask)))
    np.testing.assert_array_equal(decode_rle(rle), mask)
    assert all(run > 0 for run in rle["counts"][1:])


def test_coco_annotations_tile_the_photo():
    labels = np.zeros((6, 8), int)
    labels[1:3, 2:7] = 4
    labels[5, 7] = 2
    annotations = json.loads(json.dumps(export.coco_annotations(make(labels, 6))))
    assert [a["category_id"] for a in annotations] == [0, 2, 4]
    assert [a["category"] for a in annotations] == ["region 0", "region 2", "region 4"]
    assert [a["bbox"] for a in annotations] == [[0, 0, 8, 6], [7, 5, 1, 1], [2, 1, 5, 2]]
    assert [a["area"] for a in annotations] == [37, 1, 10]
    assert [a["id"] for a in annotations] == [1, 2, 3]
    assert all(a["iscrowd"] == 0 and a["image_id"] == 1 for a in annotations)
    masks = [decode_rle(a["segmentation"]) for a in annotations]
    painted = sum(mask * a["category_id"] for mask, a in zip(masks, annotations, strict=True))
    np.testing.assert_array_equal(painted, labels)
    np.testing.assert_array_equal(np.sum(masks, 0), 1)


def test_npz_comes_back(tmp_path):
    scores = RNG.random((3, 4, 5), dtype=np.float32)
    segmentation = make(RNG.integers(0, 3, (8, 10)), 3, working_scores=scores)
    path = tmp_path / "result.data"
    export.save_npz(segmentation, path)
    with np.load(path, allow_pickle=False) as saved:
        np.testing.assert_array_equal(saved["labels"], segmentation.labels)
        np.testing.assert_array_equal(saved["palette"], segmentation.palette)
        np.testing.assert_array_equal(saved["working_scores"], scores)
        assert saved["names"].tolist() == segmentation.names
    export.save_npz(make(np.zeros((2, 2), int), 1), path)
    with np.load(path, allow_pickle=False) as saved:
        assert "working_scores" not in saved
