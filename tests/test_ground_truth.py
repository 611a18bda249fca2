"""Reading what people drew: every kind of label PNG, BSDS's files, and what is neither."""

import base64
import struct
import zlib

import numpy as np
import pytest
import scipy.io
from PIL import Image

from segdemo.errors import GroundTruthError
from segdemo.export import label_png
from segdemo.graphcut.scribbles import load_scribbles
from segdemo.ground_truth import GroundTruth, load_ground_truth, read_humans
from segdemo.labels import IGNORE
from segdemo.segmentation import Segmentation
from segdemo.ui.scribble_pad.files import read_map
from segdemo.ui.scribble_pad.seeds import rasterize

LABELS = np.array([[0, 0, 1, 1], [0, 2, 2, 1], [255, 2, 2, 3]], np.uint8)


def saved(path, image, **options):
    image.save(path, **options)
    return path


def bsds_file(path, maps):
    cells = np.empty((1, len(maps)), object)
    for k, labels in enumerate(maps):
        cells[0, k] = {"Segmentation": labels, "Boundaries": labels > 1}
    scipy.io.savemat(path, {"groundTruth": cells})
    return path


def test_grey_and_palette_values_are_labels_and_255_is_void(tmp_path):
    palette = Image.fromarray(LABELS).convert("P")
    palette.putdata(LABELS.ravel().tolist())
    palette.putpalette(list(range(256)) * 3)
    for name, image in {"grey": Image.fromarray(LABELS), "palette": palette}.items():
        (found,) = load_ground_truth(saved(tmp_path / f"{name}.png", image), (3, 4)).people
        assert found.dtype == np.int32 and np.array_equal(found == IGNORE, LABELS == 255)
        assert np.array_equal(found[found != IGNORE], LABELS[LABELS != 255])


@pytest.mark.parametrize("bits", [2, 4])
def test_few_bits_are_not_stretched(tmp_path, bits):
    """Pillow reads grey values of 2 and 4 bits as if they filled the range of 8."""
    labels = np.arange(2**bits, dtype=np.uint8).reshape(2, -1)
    packed = np.packbits(np.unpackbits(labels[..., None], axis=2)[..., -bits:].reshape(2, -1), axis=1)
    rows = b"".join(b"\0" + row.tobytes() for row in packed)
    head = struct.pack(">IIBBBBB", labels.shape[1], 2, bits, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    data = b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    path = tmp_path / "few.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    (found,) = load_ground_truth(str(path)).people
    np.testing.assert_array_equal(found, labels)
    np.testing.assert_array_equal(load_scribbles(path), labels)
    if bits == 2:  # the pad knows the labels 1 to 8
        sent = read_map(base64.b64encode(path.read_bytes()).decode(), labels.shape)
        np.testing.assert_array_equal(rasterize({"strokes": [sent]}, labels.shape), labels)


@pytest.mark.parametrize("form", ["PNG", "XBM", "BMP", "TIFF", "GIF"])
def test_scribbles_of_two_values_in_any_form(tmp_path, form):
    """Pillow says in many ways how a file stores its pixels."""
    drawn = np.arange(32).reshape(4, 8) % 2
    path = saved(tmp_path / "scribbles", Image.fromarray(drawn.astype(bool)), format=form)
    found = load_scribbles(path)
    np.testing.assert_array_equal(found > 0, drawn > 0)


def test_colours_are_regions(tmp_path):
    colours = np.random.default_rng(0).integers(0, 256, (4, 3), dtype=np.uint8)
    numbered = np.where(LABELS == 255, 3, LABELS)
    for image in (Image.fromarray(colours[numbered]), Image.fromarray(colours[numbered]).convert("RGBA")):
        (found,) = load_ground_truth(saved(tmp_path / "colours.png", image)).people
        assert len(np.unique(found)) == 4 and len({*zip(found.ravel(), numbered.ravel())}) == 4


VOC_PALETTE = {0: (0, 0, 0), 8: (64, 0, 0), 15: (192, 128, 128), 255: (224, 224, 192)}
"""As VOC's masks have them: background, cat, person, void."""


def test_numbers_stay_and_vocs_colours_are_its_classes(tmp_path):
    classes = np.array([[0, 8, 15, 255]], np.uint8)
    colours = np.array([list(VOC_PALETTE.values())], np.uint8)
    indexed = Image.fromarray(np.arange(4, dtype=np.uint8)[None], "P")  # as an editor saves a mask that it has opened
    indexed.putpalette(colours.ravel().tolist())
    void = Image.fromarray(classes[:, ::3], "P")
    void.putpalette([channel for k in range(256) for channel in VOC_PALETTE.get(k, (k, k, k))])
    images = [
        Image.fromarray(classes), Image.fromarray(classes.astype(np.uint16)), Image.fromarray(np.stack([classes] * 3, -1)),
        Image.fromarray(classes).convert("LA"), Image.fromarray(colours), indexed, void,
    ]  # fmt: skip
    for image in images:
        truth = load_ground_truth(saved(tmp_path / "voc.png", image))
        expected = classes[:, ::3] if image is void else classes
        assert truth.people[0].dtype == np.int32 and truth.people[0].tolist() == expected.tolist()
        assert truth.classes().dtype == np.uint8 and truth.classes().tolist() == expected.tolist()


def test_regions_without_class_numbers_are_no_classes(tmp_path):
    red, mask = np.array([[(0, 0, 0), (255, 0, 0)]], np.uint8), np.array([[0, 255]], np.uint8)
    for image in (Image.fromarray(red), Image.fromarray(mask), Image.fromarray(np.array([[0, 300]], np.uint16))):
        with pytest.raises(GroundTruthError, match="not what they are"):
            load_ground_truth(saved(tmp_path / "regions.png", image)).classes()
    with pytest.raises(GroundTruthError, match="not what they are"):
        load_ground_truth(bsds_file(tmp_path / "person.mat", [LABELS])).classes()
    with pytest.raises(GroundTruthError, match="holds the number 21.*VOC's numbers or colours"):
        GroundTruth([np.array([[0, 21, 255]], np.int32)], True).classes()


def test_wide_values_are_labels_too(tmp_path):
    wide = LABELS.astype(np.uint16) * 100
    (found,) = load_ground_truth(saved(tmp_path / "wide.png", Image.fromarray(wide))).people
    assert len(np.unique(found)) == 5 and IGNORE not in found


def test_masks_and_trimaps(tmp_path):
    mask = np.array([[0, 255], [255, 255]], np.uint8)
    for image in (Image.fromarray(mask), Image.fromarray(mask).convert("1")):
        (found,) = load_ground_truth(saved(tmp_path / "mask.png", image)).people
        assert found.tolist() == [[0, 1], [1, 1]]
    (found,) = load_ground_truth(
        saved(tmp_path / "trimap.png", Image.fromarray(np.array([[0, 128, 255]], np.uint8)))
    ).people
    assert found.tolist() == [[0, IGNORE, 1]]


def test_many_regions_never_become_void(tmp_path):
    many = np.arange(600, dtype=np.uint16).reshape(20, 30)
    colours = np.stack([many // 256, many % 256, np.zeros_like(many)], -1).astype(np.uint8)
    (found,) = load_ground_truth(saved(tmp_path / "many.png", Image.fromarray(colours))).people
    humans = read_humans(bsds_file(tmp_path / "many.mat", [many + 1]))
    for labels in (found, *humans):
        assert len(np.unique(labels)) == 600 and IGNORE not in labels


def test_several_people(tmp_path):
    maps = [LABELS.astype(np.uint16) % 200 + 1, np.ones((3, 4), np.uint16)]
    found = load_ground_truth(bsds_file(tmp_path / "people.mat", maps), (3, 4)).people
    assert [np.array_equal(a, b) for a, b in zip(found, maps)] == [True, True]
    assert len(load_ground_truth((tmp_path / "people.mat").rename(tmp_path / "PEOPLE.MAT")).people) == 2


def test_mistakes_are_words(tmp_path):
    png = saved(tmp_path / "labels.png", Image.fromarray(LABELS))
    with pytest.raises(GroundTruthError, match="4 x 3 pixels and the photo 9 x 8"):
        load_ground_truth(png, (8, 9))
    with pytest.raises(GroundTruthError, match="no file"):
        load_ground_truth(tmp_path / "nothing.png")
    with pytest.raises(GroundTruthError, match="save it as PNG"):
        load_ground_truth(saved(tmp_path / "photo.jpg", Image.fromarray(LABELS)))
    noise = np.random.default_rng(0).integers(0, 256, (90, 90, 3), dtype=np.uint8)
    with pytest.raises(GroundTruthError, match="no label map"):
        load_ground_truth(saved(tmp_path / "noise.png", Image.fromarray(noise)))
    (tmp_path / "cut.png").write_bytes(png.read_bytes()[:50])
    with pytest.raises(GroundTruthError, match="save it as PNG"):
        load_ground_truth(tmp_path / "cut.png")
    other = tmp_path / "other.mat"
    scipy.io.savemat(other, {"x": np.ones(3)})
    text = tmp_path / "text.mat"
    text.write_text("no MATLAB here")
    (tmp_path / "empty.mat").write_bytes(b"")
    for path in (other, text, tmp_path / "empty.mat", bsds_file(tmp_path / "negative.mat", [np.array([[-1.0, 2.0]])])):
        with pytest.raises(GroundTruthError, match="no ground truth of BSDS500"):
            load_ground_truth(path)
    with pytest.raises(GroundTruthError, match="larger"):
        (tmp_path / "huge.png").write_bytes(b"0" * 30_000_001)
        load_ground_truth(tmp_path / "huge.png")


def test_a_huge_picture_in_a_small_file_is_refused_undecoded(tmp_path, monkeypatch):
    path = tmp_path / "huge.png"
    Image.new("1", (9000, 9000)).save(path)
    monkeypatch.setattr(Image.Image, "convert", lambda *_: pytest.fail("decoded"))
    with pytest.raises(GroundTruthError, match="alike"):
        load_ground_truth(path, (40, 60))
    with pytest.raises(GroundTruthError, match="megapixels"):
        load_ground_truth(path)


def test_colours_and_sixteen_bits_have_no_void(tmp_path):
    colours = np.array([[(0, 0, 0), (0, 0, 128), (0, 0, 255)]], np.uint8)
    Image.fromarray(colours).save(tmp_path / "colours.png")
    assert len(np.unique(load_ground_truth(tmp_path / "colours.png").people[0])) == 3
    many = np.arange(300, dtype=np.int32).reshape(15, 20)
    segmentation = Segmentation(many, [str(k) for k in range(300)], np.zeros((300, 3), np.uint8))
    (tmp_path / "many.png").write_bytes(label_png(segmentation))
    back = load_ground_truth(tmp_path / "many.png").people[0]
    assert len(np.unique(back)) == 300 and IGNORE not in back


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_file_is_explained(nothing):
    with pytest.raises(GroundTruthError, match="is no file"):
        load_ground_truth(nothing)
