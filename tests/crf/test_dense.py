"""The dense CRF against Krahenbuhl's code, against brute force, and its free energy."""

import numpy as np
import pytest
import torch
from dense_crf_samples import (
    blobs,
    brute_force,
    colours,
    crop,
    exact_kernels,
    peer,
    photo,
    prices,
    with_negligible_labels,
)

from segdemo.crf import DenseCRF, dense_crf


@pytest.mark.parametrize("number", range(20))
def test_agrees_with_the_authors_code(number):
    image, labels = crop(number), (2, 5, 21, 13, 8)[number // 4]
    kinds = blobs(image.shape[:2], labels, seed=number), colours(image, labels, seed=number)
    p = kinds[number % 3 > 0]
    expected, result = peer(image, p), dense_crf(image, p)
    assert np.mean(result.argmax(0) == expected.argmax(0)) >= 0.998
    assert np.abs(result - expected).mean() < 1e-3
    assert np.mean(result.argmax(0) != p.argmax(0)) > 0.005  # there was something to do


@pytest.mark.parametrize("form", ["matrix", "diagonal", "potts"])
def test_compatibilities_agree_with_the_authors_code(form):
    image = photo("coffee", 0.4)
    p = blobs(image.shape[:2], 6)
    rewards = np.random.default_rng(0).uniform(0.5, 1.5, 6)
    ours = {"matrix": prices(6), "diagonal": -np.diag(rewards), "potts": 1 - np.eye(6)}[form]
    theirs = -rewards if form == "diagonal" else ours
    scaled = [np.ascontiguousarray(w * theirs, np.float32) for w in (3, 10)]
    expected, result = peer(image, p, compatibilities=scaled), dense_crf(image, p, compatibility=ours)
    assert np.mean(result.argmax(0) == expected.argmax(0)) >= 0.998
    assert np.abs(result - expected).mean() < 1e-3
    if form == "potts":
        assert np.abs(result - dense_crf(image, p)).mean() < 1e-5
    else:
        assert np.mean(result.argmax(0) != dense_crf(image, p).argmax(0)) > 0.005


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("options", [{}, {"damping": 0.4}, {"compatibility": prices(4)},
                                     {"compatibility": prices(4), "damping": 0.6}])  # fmt: skip
def test_is_mean_field_with_the_lattices_weights(options, compiled):
    """To rounding: the only error is the lattice's."""
    image = photo("astronaut", 0.08)
    p = blobs(image.shape[:2], 4, width=3)
    crf = DenseCRF(image, compiled=compiled)
    kernels = [kernel.filter(torch.eye(image.shape[0] * image.shape[1])).double().numpy() for kernel in crf._kernels]
    exact = brute_force(kernels, p, 5, (3, 10), **options)
    assert np.abs(crf.infer(p, **options).numpy() - exact).max() < 1e-3


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("options", [{}, {"damping": 0.4}, {"compatibility": 2 * prices(12) - 0.5}])
def test_energies_on_the_way_are_those_of_the_definition(options, compiled):
    image = photo("coffee", 0.2)
    p = with_negligible_labels(image.shape[:2], 4, 12, 1e-4)
    crf = DenseCRF(image, compiled=compiled)
    compatibility = {key: value for key, value in options.items() if key == "compatibility"}
    for beliefs, energy in crf.descend(p, 4, **options):
        assert energy() == pytest.approx(crf.free_energy(beliefs(), p, **compatibility), abs=2e-4)


def test_damping_calms_beliefs_that_swing_to_and_fro():
    """Two labels that avoid each other's company: undamped, all pixels change their minds at every update."""
    image, avoid = np.full((20, 20, 3), 90, np.uint8), np.eye(2)
    p = np.stack([np.full((20, 20), 0.6), np.full((20, 20), 0.4)]).astype(np.float32)
    energies = {}
    for damping in (0.0, 0.7):
        steps = DenseCRF(image).descend(p, 12, compatibility=avoid, damping=damping)
        energies[damping] = [energy() for _, energy in steps]
    assert energies[0.7][-1] < energies[0.0][-1] - 1
    assert abs(energies[0.7][-1] - energies[0.7][-2]) < 0.05


@pytest.mark.parametrize("name", ["astronaut", "coffee"])
@pytest.mark.parametrize("sigmas, weights", [((3, 80, 13), (3, 10)), ((2, 20, 30), (2, 5)), ((5, 40, 60), (4, 6))])
def test_close_to_brute_force(name, sigmas, weights):
    """The lattice's filtering error moves beliefs by 0.002 to 0.012 on average, and at most 2.2 % of these labels."""
    image = photo(name, 0.08)
    p = blobs(image.shape[:2], 4, width=3)
    exact = brute_force(exact_kernels(image, sigmas), p, 5, weights)
    result = DenseCRF(image, *sigmas).infer(p, 5, *weights).numpy()
    assert np.abs(result - exact).mean() < 0.02
    assert np.mean(result.argmax(0) == exact.argmax(0)) > 0.96


@pytest.mark.parametrize("labels", [2, 7, 21])
def test_compiled_and_plain_paths_agree(labels):
    image = photo("coffee", 0.3)
    p = blobs(image.shape[:2], labels)
    compiled = DenseCRF(image, compiled=True)
    plain = DenseCRF(image, compiled=False)
    for a, b in zip(compiled.mean_field(p, 4), plain.mean_field(p, 4), strict=True):
        assert (a - b).abs().max() < 2e-3
        assert (a - b).abs().mean() < 1e-5
    assert compiled.free_energy(a, p) == pytest.approx(plain.free_energy(a, p), rel=1e-4)


def test_beliefs_are_distributions_and_free_energy_falls():
    image = photo("chelsea", 0.5)
    p = colours(image, 6)
    crf = DenseCRF(image)
    energies = []
    for q in crf.mean_field(p, 6):
        assert q.shape == p.shape
        assert torch.allclose(q.sum(0), torch.ones(p.shape[1:]), atol=1e-5)
        assert q.min() >= 0
        energies.append(crf.free_energy(q, p))
    assert len(energies) == 7
    assert np.all(np.diff(energies) < 1e-4)
    assert energies[0] - energies[-1] > 0.1


def test_free_energy_against_its_definition():
    image = photo("astronaut", 0.04)
    p = blobs(image.shape[:2], 3, width=2)
    crf = DenseCRF(image)
    q = crf.infer(p, 2)
    flat = q.reshape(3, -1).double()
    n = flat.shape[1]
    energy = (flat * (flat / torch.as_tensor(p).reshape(3, -1)).log()).sum()
    for weight, kernel in ((3.0, crf.spatial), (10.0, crf.bilateral)):
        matrix = kernel.filter(torch.eye(n)).double()
        energy = energy + 0.5 * weight * (matrix * (1 - flat.T @ flat)).sum()
    assert crf.free_energy(q, p) == pytest.approx(float(energy) / n, rel=1e-3)
