"""The battery that every method passes, whatever its family; a new method is in it by being registered."""

import numpy as np
import pytest
import skimage.data

from segdemo import Engine, Segmentation, methods
from segdemo.crf.refine import RefinementParams
from segdemo.errors import Cancelled, ParameterError, SegdemoError

VARIANTS = {"graphcut on superpixels": ("graphcut", {"graph": "superpixels", "superpixels": 100})}
"""Options that change the way through a method: as good as methods of their own."""
NAMES = [name for name, m in methods().items() if not m.unavailable()] + list(VARIANTS)
SIZES = [(2, 2), (1, 7), (5, 90), (120, 3), (37, 61), (96, 128)]


@pytest.fixture(scope="module")
def engine():
    return Engine("cpu")


@pytest.fixture(scope="module")
def cat():
    return skimage.data.chelsea()[60:260, 100:340]


def seeds(height, width):
    """Something of each kind of seed on any photo of at least two pixels."""
    scribbles = np.zeros((height, width), np.uint8)
    scribbles[: max(1, height // 4), : max(1, width // 4)] = 2
    scribbles[-max(1, height // 4) :, -max(1, width // 4) :] = 1
    return scribbles


def method_of(name):
    return methods()[VARIANTS[name][0] if name in VARIANTS else name]


def run(engine, name, photo, **options):
    if name in VARIANTS:
        name, variant = VARIANTS[name]
        options = variant | options
    if methods()[name].needs_scribbles:
        options.setdefault("scribbles", seeds(*photo.shape[:2]))
    return engine.run(name, photo, **options)


def check(result: Segmentation, photo):
    count = len(result.names)
    assert result.labels.shape == photo.shape[:2]
    assert result.labels.dtype.kind in "iu"
    assert 0 <= result.labels.min() and result.labels.max() < count
    assert result.palette.shape == (count, 3) and result.palette.dtype == np.uint8
    assert result.shares.sum() == pytest.approx(1)
    assert len(result.energy) in (0, len(result.frames))
    assert np.all(np.isfinite(result.energy))
    assert result.timings and all(seconds >= 0 for seconds in result.timings.values())
    for frame in result.frames:
        if frame.labels is not None:
            assert frame.labels.min() >= 0 and frame.labels.max() < count
    for picture in result.pictures:
        assert picture.image.dtype == np.uint8 and picture.image.ndim == 3 and picture.image.shape[2] == 3
    if result.working_scores is not None:
        assert result.scores.shape == (count, *photo.shape[:2]) and result.scores.dtype == np.float32
        np.testing.assert_allclose(result.scores.sum(0), 1, atol=1e-3)


def test_the_lecture_is_complete():
    assert {
        "slic",
        "felzenszwalb",
        "kmeans",
        "ncut",
        "graphcut",
        "grabcut",
        "expansion",
        "fcn-32s",
        "fcn-16s",
        "fcn-8s",
        "deeplab-v3plus",
        "segformer-b0",
    } <= set(methods())


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_any_size(engine, name, size):
    photo = np.random.default_rng(3).integers(0, 256, (*size, 3), dtype=np.uint8)
    check(run(engine, name, photo), photo)


@pytest.mark.parametrize("name", NAMES)
def test_large_photo_at_working_size(engine, name):
    photo = np.zeros((2000, 3000, 3), np.uint8)
    photo[500:1500, 800:2200] = (200, 120, 40)
    photo += np.random.default_rng(0).integers(0, 20, photo.shape, dtype=np.uint8)
    result = run(engine, name, photo, working_size=256)
    assert result.labels.shape == (2000, 3000)
    assert result.labels.max() < len(result.names)


@pytest.mark.parametrize("value", [0, 128, 255])
@pytest.mark.parametrize("name", NAMES)
def test_constant_photo(engine, name, value):
    photo = np.full((40, 50, 3), value, np.uint8)
    check(run(engine, name, photo), photo)


@pytest.mark.parametrize("name", NAMES)
def test_grey_photo(engine, name, cat):
    grey = cat[..., 1]
    result = run(engine, name, grey)
    check(result, grey)
    same = run(engine, name, np.stack([grey] * 3, -1))
    np.testing.assert_array_equal(result.labels, same.labels)


@pytest.mark.parametrize("name", NAMES)
def test_a_seed_decides_everything(name, cat):
    first, second = (run(Engine("cpu"), name, cat, seed=7) for _ in range(2))
    np.testing.assert_array_equal(first.labels, second.labels)
    assert first.energy == second.energy


@pytest.mark.parametrize("name", NAMES)
def test_cache_changes_nothing(engine, name, cat):
    cold, warm = (run(engine, name, cat) for _ in range(2))
    np.testing.assert_array_equal(cold.labels, warm.labels)


@pytest.mark.parametrize("name", NAMES)
def test_the_photo_is_left_alone(engine, name, cat):
    photo = cat.copy()
    run(engine, name, photo)
    np.testing.assert_array_equal(photo, cat)


@pytest.mark.parametrize("name", NAMES)
def test_without_frames_the_labels_are_the_same(engine, name, cat):
    silent = run(engine, name, cat, keep_frames=False)
    assert silent.frames == [] and silent.energy == []
    np.testing.assert_array_equal(silent.labels, run(engine, name, cat).labels)


@pytest.mark.parametrize("name", NAMES)
def test_progress_never_falls_and_ends(engine, name, cat):
    seen = []
    run(engine, name, cat, on_step=lambda fraction, text: seen.append(fraction))
    assert seen[-1] == 1.0 and min(seen) >= 0
    assert len(seen) >= 3


@pytest.mark.parametrize("after", [0, 1, 2])
@pytest.mark.parametrize("name", NAMES)
def test_cancellation(name, after, cat):
    engine, calls = Engine("cpu"), []

    def is_cancelled():
        calls.append(1)
        return len(calls) > after

    with pytest.raises(Cancelled):
        run(engine, name, cat, is_cancelled=is_cancelled)
    check(run(engine, name, cat), cat)  # and the engine goes on serving


@pytest.mark.parametrize("name", NAMES)
def test_wrong_parameters_are_explained(engine, name, cat):
    with pytest.raises(ParameterError, match="no such parameter"):
        run(engine, name, cat, nonsense=1)
    with pytest.raises(ParameterError, match="working_size"):
        run(engine, name, cat, working_size=1)


@pytest.mark.parametrize("name", [n for n in NAMES if method_of(n).needs_scribbles])
def test_scribbles_are_checked(engine, name, cat):
    with pytest.raises(SegdemoError, match="(?i)draw"):
        run(engine, name, cat, scribbles=None)
    with pytest.raises(SegdemoError, match="(?i)draw"):
        run(engine, name, cat, scribbles=np.zeros(cat.shape[:2], np.uint8))
    with pytest.raises(SegdemoError, match="(?i)background"):
        run(engine, name, cat, scribbles=np.ones(cat.shape[:2], np.uint8))
    with pytest.raises(SegdemoError, match="scribbles are"):
        run(engine, name, cat, scribbles=np.ones((3, 4), np.uint8))


@pytest.mark.parametrize("name", [n for n in NAMES if issubclass(method_of(n).params, RefinementParams)])
def test_crf_refinement(engine, name, cat):
    refined = run(engine, name, cat, crf=True, crf_iterations=3)
    check(refined, cat)
    assert len(refined.frames) >= 3 and refined.frames[-1].maps
    untouched = run(engine, name, cat, crf=True, crf_spatial_weight=0, crf_bilateral_weight=0)
    np.testing.assert_array_equal(untouched.labels, run(engine, name, cat).labels)


@pytest.mark.parametrize("name", methods())
def test_every_parameter_is_described(name):
    m = methods()[name]
    assert len(m.summary) > 20
    for field, schema in m.params.model_json_schema()["properties"].items():
        assert schema.get("description"), field
        assert "default" in schema, field
