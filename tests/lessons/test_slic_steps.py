"""SLIC round by round: the very rounds of the method, with centres that explain them."""

import numpy as np
import pytest
from skimage import data, measure

from segdemo import Engine
from segdemo.clustering.slic import SlicParams, slic
from segdemo.errors import Cancelled, ParameterError
from segdemo.image import fit
from segdemo.lab import lab_colours
from segdemo.lessons.slic_steps import slic_steps
from segdemo.method import Run

PHOTO = fit(data.astronaut(), 96)


@pytest.fixture(scope="module")
def steps():
    return slic_steps(PHOTO, Run(), superpixels=40, compactness=12.0)


@pytest.mark.parametrize("adaptive", [False, True])
def test_the_rounds_are_the_methods(adaptive):
    run, settings = Run(), {"superpixels": 40, "compactness": 12.0, "adaptive": adaptive}
    steps, result = slic_steps(PHOTO, Run(), **settings), slic(PHOTO, SlicParams(**settings), run)
    np.testing.assert_array_equal(steps.superpixels, result.labels)
    assert [r.objective for r in steps.rounds] == pytest.approx(run.energy[:-1])
    assert steps.rounds[-1].movement == pytest.approx(
        result.facts["movement of the centres in the last iteration, in pixels"], abs=5e-4
    )


def distances(colour, offset, step, spacing):
    """D² of squared colour distances and offsets, (h, w, K) and (h, w, K, 2), as the paper writes it."""
    if step.compactness is None:
        return colour + (12.0 / spacing) ** 2 * (offset**2).sum(3)
    return colour / step.compactness.astype(np.float64) ** 2 + (offset**2).sum(3) / spacing**2


@pytest.mark.parametrize("adaptive", [False, True])
def test_centres_explain_every_round(adaptive):
    """Each pixel's D² to its centre is the least among the centres whose window it lies in."""
    steps = slic_steps(PHOTO, Run(), superpixels=40, compactness=12.0, adaptive=adaptive)
    lab, spacing = lab_colours(PHOTO).astype(np.float64), steps.spacing
    place = np.indices(steps.cells.shape).transpose(1, 2, 0)
    labels = steps.cells
    colours = np.stack([lab[tuple(seed.astype(int))] for seed in steps.seeds])
    for number, step in enumerate(steps.rounds):
        np.testing.assert_allclose(step.searched, steps.seeds if number == 0 else steps.rounds[number - 1].centres)
        offset = place[:, :, None] - step.searched
        squared = distances(((lab[:, :, None] - colours) ** 2).sum(3), offset, step, spacing)
        admitted = (np.abs(offset) <= spacing).all(3)
        np.put_along_axis(admitted, labels[..., None].astype(int), True, axis=2)  # every pixel knows its last centre
        least = np.where(admitted, squared, np.inf).min(2)
        chosen = np.take_along_axis(squared, step.labels[..., None].astype(int), 2)[..., 0]
        np.testing.assert_allclose(chosen, least, rtol=1e-4, atol=1e-3)
        assert step.objective == pytest.approx(least.mean(), rel=1e-4)
        labels = step.labels
        colours = np.stack(
            [lab[labels == k].mean(0) if (labels == k).any() else colours[k] for k in range(len(colours))]
        )
        inside = [place[labels == k].mean(0) for k in range(len(colours)) if (labels == k).any()]
        np.testing.assert_allclose(step.centres[np.unique(labels)], inside)


def test_every_superpixel_measures_with_the_largest_colour_distance_it_has_seen():
    steps = slic_steps(PHOTO, Run(), superpixels=40, compactness=12.0, adaptive=True)
    lab = lab_colours(PHOTO).astype(np.float64)
    colours, seen = np.stack([lab[tuple(seed.astype(int))] for seed in steps.seeds]), np.ones(len(steps.seeds))
    assert np.all(steps.rounds[0].compactness == 12)
    for step, following in zip(steps.rounds, steps.rounds[1:]):
        away = np.sqrt(((lab - colours[step.labels]) ** 2).sum(2))
        np.maximum.at(seen, step.labels, away)
        np.testing.assert_allclose(following.compactness, seen, rtol=1e-4)
        present = np.unique(step.labels)
        colours[present] = [lab[step.labels == k].mean(0) for k in present]
    assert np.ptp(seen) > 20
    assert slic_steps(PHOTO, Run(), superpixels=40).rounds[0].compactness is None


def test_a_centre_that_no_pixel_chooses_stays_where_it_is():
    noise = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    steps = slic_steps(noise, Run(), superpixels=100, compactness=0.5)
    for step in steps.rounds:
        empty = np.setdiff1d(np.arange(len(steps.seeds)), step.labels)
        np.testing.assert_array_equal(step.centres[empty], step.searched[empty])
        assert step.movement == pytest.approx(np.hypot(*(step.centres - step.searched).T).mean(), abs=1e-4)
    assert len(empty) > 0


def test_superpixels_are_in_one_piece_each(steps):
    for k in range(steps.superpixels.max() + 1):
        assert measure.label(steps.superpixels == k, connectivity=1).max() == 1


def test_compactness_makes_superpixels_rounder():
    def edges(labels):
        return (labels[:, 1:] != labels[:, :-1]).sum() + (labels[1:] != labels[:-1]).sum()

    loose, tight = (slic_steps(PHOTO, Run(), superpixels=40, compactness=m) for m in (1.0, 60.0))
    assert edges(tight.rounds[-1].labels) < 0.6 * edges(loose.rounds[-1].labels)


def test_engine_mistakes_and_tiny_photos():
    engine = Engine("cpu")
    assert engine.teach(slic_steps, data.astronaut(), working_size=64, superpixels=20).image.shape == (64, 64, 3)
    with pytest.raises(ParameterError, match="compactness"):
        engine.teach(slic_steps, PHOTO, compactness=-1)
    with pytest.raises(Cancelled):
        engine.teach(slic_steps, PHOTO, is_cancelled=lambda: True)
    tiny = slic_steps(PHOTO[:1, :3], Run(), superpixels=4)
    assert tiny.superpixels.shape == (1, 3)
