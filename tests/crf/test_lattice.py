"""The permutohedral lattice against the sum it approximates, and against itself without compiled loops."""

import numpy as np
import pytest
import torch

from segdemo.crf.lattice import Lattice, Pixels, lattice_coordinates
from segdemo.errors import ParameterError


def gaussian(features):
    return torch.exp(-0.5 * torch.cdist(features.double(), features.double()) ** 2)


def cloud(count, dimensions, spread=1.5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return spread * torch.randn(count, dimensions, generator=generator)


def relative(a, b):
    return float((a - b).norm() / b.norm())


@pytest.mark.parametrize("dimensions, limit", [(1, 0.03), (2, 0.06), (3, 0.1)])
def test_close_to_the_exact_gaussian(dimensions, limit):
    features, values = cloud(2000, dimensions, spread=1.0), torch.rand(2000, 3)
    exact = gaussian(features).float() @ values
    assert relative(Lattice(features).filter(values), exact) < limit


@pytest.mark.parametrize("dimensions, limit", [(1, 0.01), (2, 0.01), (3, 0.02), (5, 0.08)])
def test_normalized_filter_close_to_the_exact_one(dimensions, limit):
    features, values = cloud(3000, dimensions, spread=1.0), torch.rand(3000, 3)
    kernel = gaussian(features)
    scale = kernel.sum(1).rsqrt()
    exact = ((scale[:, None] * kernel * scale) @ values.double()).float()
    assert relative(Lattice(features).normalize().filter(values), exact) < limit


def test_filter_of_an_image_row_preserves_the_integral():
    """Far from the border, a map of ones becomes the Gaussian's integral, sqrt(2 pi) sigma."""
    x = torch.arange(400.0)[:, None]
    middle = Lattice(x / 5).filter(torch.ones(400, 1))[100:300]
    assert torch.allclose(middle, torch.full_like(middle, 5 * (2 * np.pi) ** 0.5), rtol=0.02)


@pytest.mark.parametrize("dimensions", [1, 2, 3, 5, 6])
@pytest.mark.parametrize("channels", [1, 7, 24])
def test_compiled_and_plain_paths_agree(dimensions, channels):
    features = cloud(5000, dimensions, seed=dimensions)
    values = torch.rand(5000, channels)
    compiled, plain = Lattice(features), Lattice(features, compiled=False)
    assert compiled.count == plain.count
    assert torch.allclose(compiled.weights, plain.weights, atol=1e-5)
    assert torch.allclose(compiled.filter(values), plain.filter(values), rtol=1e-4, atol=1e-4)
    assert compiled.normalize().gain == pytest.approx(plain.normalize().gain, rel=1e-3)


@pytest.mark.parametrize("channels", [0, 3])
@pytest.mark.parametrize("size", [(1, 1), (3, 50), (97, 131)])
def test_lattice_of_pixels_is_that_of_their_features(channels, size):
    """Features made on the way give the same bits as features in a table."""
    values = np.random.default_rng(0).integers(0, 256, (size[0] * size[1], channels), np.uint8)
    pixels = Pixels(size, 7.0, values, 30.0)
    a, b = Lattice(pixels), Lattice(pixels.tensor())
    for name in ("vertices", "weights", "neighbours"):
        assert torch.equal(getattr(a, name), getattr(b, name))
    assert Lattice(pixels, compiled=False).count == a.count


@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_weights_summed_while_they_are_made_are_a_map_of_ones_splatted(dimensions):
    lattice = Lattice(cloud(20000, dimensions))
    for made in (lattice, lattice.normalize()):
        assert torch.allclose(made._ones, made.splat(torch.ones(20000, 1)), rtol=1e-4)


@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_simplex_reproduces_the_feature(dimensions):
    """Barycentric weights are >= 0, sum to 1, and with the vertices' coordinates give the feature back."""
    features = cloud(500, dimensions)
    y = lattice_coordinates(features)
    lattice = Lattice(features, compiled=False)
    fraction, order = (y - y.floor()).sort(dim=1, descending=True)
    rebuilt = y.floor()
    for corner in range(1, dimensions + 1):
        after = lattice.weights[:, corner:].sum(1)  # the weight of all corners beyond this step
        rebuilt[torch.arange(500), order[:, corner - 1]] += after
    assert (lattice.weights >= 0).all()
    assert torch.allclose(lattice.weights.sum(1), torch.ones(500), atol=1e-5)
    assert torch.allclose(rebuilt, y, atol=1e-5)


def test_coordinates_make_all_blur_steps_equally_long():
    """B^-1 takes the d+1 steps to vectors of one length, at equal angles: the permutohedral lattice."""
    for d in (1, 2, 3, 5):
        B = lattice_coordinates(torch.eye(d, dtype=torch.float64)).T
        steps = torch.linalg.solve(B, torch.cat([torch.eye(d).double(), -torch.ones(d, 1).double()], 1))  # (d, d+1)
        gram = steps.T @ steps
        expected = 1.5 * (torch.eye(d + 1).double() - 1 / (d + 1))
        assert torch.allclose(gram, expected, atol=1e-6)
        assert torch.allclose(B @ B.T, 2 / 3 * (torch.eye(d).double() + 1), atol=1e-6)


def test_neighbours_are_mutual():
    lattice = Lattice(cloud(800, 3))
    for ahead, behind in zip(lattice.neighbours[..., 0], lattice.neighbours[..., 1], strict=True):
        here = torch.arange(lattice.count)
        known = ahead < lattice.count
        assert torch.equal(behind[ahead[known].long()], here[known].int())


@pytest.mark.parametrize("compiled", [True, False])
def test_kernel_is_nearly_symmetric_and_linear(compiled):
    lattice = Lattice(cloud(400, 2), compiled)
    kernel = lattice.filter(torch.eye(400))
    assert relative(kernel, kernel.T) < 0.02
    assert (kernel >= 0).all()
    a, b = torch.rand(400, 3), torch.rand(400, 3)
    both = lattice.filter(2 * a - b)
    assert torch.allclose(both, 2 * lattice.filter(a) - lattice.filter(b), atol=1e-3)


@pytest.mark.parametrize("compiled", [True, False])
def test_same_features_same_bits(compiled):
    features, values = cloud(20000, 5), torch.rand(20000, 8)
    assert torch.equal(Lattice(features, compiled).filter(values), Lattice(features, compiled).filter(values))


def test_result_hardly_depends_on_the_number_of_threads():
    features, values, threads = cloud(20000, 2), torch.rand(20000, 8), torch.get_num_threads()
    try:
        results = []
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            results.append(Lattice(features).filter(values))
    finally:
        torch.set_num_threads(threads)
    assert relative(results[1], results[0]) < 1e-6
    assert relative(results[2], results[0]) < 1e-6


@pytest.mark.parametrize("compiled", [True, False])
def test_one_point_and_coinciding_points(compiled):
    one = Lattice(torch.zeros(1, 5), compiled).normalize()
    assert one.filter(torch.ones(1, 2)).numpy() == pytest.approx(1, rel=1e-4)
    many = Lattice(torch.full((100, 2), 0.3), compiled).normalize()
    values = torch.rand(100, 1)
    assert torch.allclose(many.filter(values), values.mean().expand(100, 1), rtol=1e-4)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e30])
def test_features_that_cannot_be_numbered(bad):
    features = torch.zeros(4, 5)
    features[1:] = bad
    with pytest.raises(ParameterError, match="larger widths"):
        Lattice(features)
