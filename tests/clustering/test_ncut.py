"""The method: cuts at edges, any photo, every parameter, and what is reported of it."""

import numpy as np
import pytest
import skimage.data

from segdemo.clustering.ncut import NcutParams, ncut, vector_map
from segdemo.errors import Cancelled
from segdemo.method import Run


def two_tone(height, width, split):
    image = np.full((height, width, 3), (40, 60, 160), np.uint8)
    image[:, split:] = (200, 170, 60)
    return image


@pytest.mark.parametrize("graph", ["superpixels", "pixels"])
@pytest.mark.parametrize("size", [(20, 30), (40, 60), (150, 200)])
def test_two_tones_are_cut_at_their_edge(graph, size):
    split = size[1] // 3 + 1
    result = ncut(two_tone(*size, split), NcutParams(segments=2, graph=graph), Run())
    expected = (np.arange(size[1]) < split).astype(int)[None].repeat(size[0], 0)
    assert np.array_equal(result.labels, expected)  # the right part is the larger one: label 0
    assert result.facts["Ncut" if graph == "superpixels" else "Ncut of the nodes"] < 1e-3


@pytest.mark.parametrize("graph", ["superpixels", "pixels"])
def test_photo(graph):
    image = skimage.data.astronaut()[::3, ::3].copy()
    run = Run()
    result = ncut(image, NcutParams(graph=graph, superpixels=150), run)
    assert result.labels.shape == image.shape[:2]
    assert np.all(np.diff(result.shares) <= 0) and result.shares[-1] > 0
    assert len(run.frames) == len(run.energy) <= 30
    assert np.all(np.diff(run.energy) <= 1e-9)
    assert np.array_equal(run.frames[-1].labels, result.labels)
    assert result.facts["largest residual ‖L f − λ D f‖ / ‖D f‖"] < 1e-5
    titles = [picture.title.partition(",")[0] for picture in result.pictures]
    assert titles == ["boundaries", "contours", *(f"eigenvector {k}" for k in range(2, 7))]  # the first is constant
    again = ncut(image, NcutParams(graph=graph, superpixels=150), Run())
    assert np.array_equal(again.labels, result.labels)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 2), (2, 90), (20, 21)])
@pytest.mark.parametrize("kind", ["constant", "noise"])
@pytest.mark.parametrize("cuts", ["k-way", "recursive"])
@pytest.mark.parametrize("automatic", [False, True])
@pytest.mark.parametrize("graph", ["superpixels", "pixels"])
def test_any_size(shape, kind, graph, cuts, automatic):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    image = noise if kind == "noise" else np.full_like(noise, 128)
    result = ncut(image, NcutParams(graph=graph, cuts=cuts, automatic=automatic), Run())
    assert result.labels.shape == shape and all(np.isfinite(v) for v in result.facts.values() if not isinstance(v, str))
    assert 0 <= result.labels.min() and result.labels.max() < len(result.names) == len(result.palette)
    if shape == (2, 2) and not automatic:
        assert "from 6 to 4" in result.notices[0]
        assert sorted(result.labels.ravel()) == [0, 1, 2, 3]


@pytest.mark.parametrize("graph", ["superpixels", "pixels"])
def test_recursive_cuts_end_with_as_many_segments(graph):
    image = skimage.data.coffee()[::5, ::5].copy()
    run = Run()
    result = ncut(image, NcutParams(graph=graph, cuts="recursive", segments=5, superpixels=100), run)
    assert len(result.names) == 5 == len(run.frames) and run.frames[0].labels.max() == 0
    assert np.array_equal(run.frames[-1].labels, result.labels)
    assert run.energy[0] == 0 and run.energy[-1] == pytest.approx(
        result.facts["Ncut" if graph == "superpixels" else "Ncut of the nodes"]
    )
    for before, after in zip(run.frames, run.frames[1:]):  # each step cuts one part and leaves the others
        joint = np.unique(np.stack([before.labels, after.labels]).reshape(2, -1), axis=1)
        assert joint.shape[1] <= len(np.unique(before.labels)) + 1


def stripes(count):
    image = np.zeros((60, 24 * count, 3), np.uint8)
    for k in range(count):
        image[:, 24 * k : 24 * (k + 1)] = [(230, 40, 40), (40, 90, 230), (240, 230, 60), (20, 20, 20), (90, 240, 90)][k]
    return image


@pytest.mark.parametrize("cuts", ["k-way", "recursive"])
@pytest.mark.parametrize("count", [3, 5])
def test_k_is_found_by_itself(count, cuts):
    result = ncut(stripes(count), NcutParams(automatic=True, cuts=cuts, segments=2), Run())
    assert len(result.names) == count
    assert [v for k, v in result.facts.items() if k.startswith("K at the")] == [count]
    columns = result.labels[30].reshape(count, 24)
    assert (columns == columns[:, :1]).all() and len(np.unique(columns)) == count


def test_contours_matter():
    """A white frame on grey: one colour inside and outside, which only the edge between them tells apart."""
    image = np.full((90, 120, 3), 110, np.uint8)
    image[25:65, 35:85] = 250
    image[28:62, 38:82] = 110
    inside = np.zeros((90, 120), bool)
    inside[32:58, 42:78] = True
    labels = ncut(image, NcutParams(segments=2, sigma_colour=60, contour=2.0), Run()).labels
    assert len(np.unique(labels[inside])) == 1 and (labels == labels[45, 60]).mean() < 0.3


def test_superpixels_are_computed_once_per_photo():
    kept = {}

    def cache(key, build):
        if key not in kept:
            kept[key] = build()
        return kept[key]

    image = skimage.data.coffee()[::4, ::4].copy()
    first = ncut(image, NcutParams(segments=3), Run(cache_get=cache))
    assert list(kept) == [("superpixels", 400, 10.0)]
    second = ncut(image, NcutParams(segments=5), Run(cache_get=cache))
    assert first.facts["nodes"] == second.facts["nodes"] == kept["superpixels", 400, 10.0][0].max() + 1


def test_can_be_cancelled():
    with pytest.raises(Cancelled):
        ncut(two_tone(20, 20, 9), NcutParams(), Run(is_cancelled=lambda: True))


def test_eigenvector_pictures_show_the_rest_beside_one_far_part():
    values = np.tile(np.linspace(-1.0, 1.0, 100), (100, 1))
    values[:10, :10] = 500.0  # 1 % of the pixels
    shown = vector_map(values)[50].astype(int)
    assert np.abs(np.diff(shown, axis=0)).sum() > 300, "by its own minimum and maximum it would be one colour"
    constant = np.zeros((100, 100))
    constant[:10, :10] = 1.0
    constant += np.random.default_rng(0).normal(0, 1e-12, constant.shape)
    assert len(np.unique(vector_map(constant).reshape(-1, 3), axis=0)) == 2, "noise of rounding is not to be seen"
