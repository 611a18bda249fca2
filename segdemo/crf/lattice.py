"""Gaussian filtering in many dimensions on the permutohedral lattice.

The sum v'_i = sum_j exp(-|f_i - f_j|^2 / 2) v_j over all N pixels j costs N^2 when done
literally. Adams, Baek & Davis, "Fast high-dimensional filtering using the permutohedral
lattice", Computer Graphics Forum 2010, do it in time linear in N: splat each value onto the
d+1 corners of the simplex around its feature, blur along the lattice's d+1 directions,
slice the outcome at the features again.

The lattice here is the paper's A*_d, in coordinates that make it short: the linear map

    y = B f,    B lower triangular,    B B^T = 2/3 (I + 1 1^T)

takes its vertices to the integer points of Z^d, its simplices to those of Kuhn's
triangulation (round y down, then walk to round-up along the axes in order of decreasing
fractional part) and its d+1 blur directions to the unit steps along the axes and the step
along (1, ..., 1). One integer, the key, names a vertex; a step adds a constant to it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F

from ..errors import ParameterError
from ..strips import in_strips
from . import kernels


class Pixels:
    """The features (x, y, values) / widths of all pixels of a picture, made where they are needed.

    Args:
        size: (H, W).
        sigma_xy: the Gaussian's width in space, in pixels.
        values: (N, c) uint8 or float32, c from 0 on.
        sigma_values: the width in them.
    """

    def __init__(self, size: tuple[int, int], sigma_xy: float, values: np.ndarray, sigma_values: float = 1.0):
        x, y = (np.arange(length) / sigma_xy for length in size[::-1])
        self.x, self.y = x.astype(np.float32), y.astype(np.float32)
        self.values, self.unit = values, np.float32(sigma_values)

    def tensor(self) -> torch.Tensor:
        """(N, 2 + c) float32."""
        x, y = np.meshgrid(self.x, self.y)
        return torch.from_numpy(np.column_stack([x.ravel(), y.ravel(), self.values / self.unit]))


class Lattice:
    """The permutohedral lattice around N features of d dimensions, in units of the Gaussian's width.

    Time and memory grow linearly with N. On the CPU the loops are compiled (numba) unless
    ``compiled`` is False; on other devices they are PyTorch. Both give the same to rounding.

    Args:
        features: (N, d) float32 tensor, or ``Pixels`` on the CPU; pixels at distance 1 weigh exp(-1/2).

    Attributes:
        vertices: (N, d+1) int32, the corners of each pixel's simplex, numbered 0..M-1.
        weights: (N, d+1) float32, its barycentric coordinates, summing to 1 (until ``normalize``).
        neighbours: (d+1, M, 2) int32, the vertices one step ahead and behind, M if there is none.

    Raises:
        ParameterError: features that are not finite, or so far apart that vertices cannot be numbered.
    """

    def __init__(self, features: torch.Tensor | Pixels, compiled: bool | None = None):
        if isinstance(features, torch.Tensor):
            features = features.float().contiguous()
            compiled = features.device.type == "cpu" if compiled is None else compiled
        elif compiled is False:
            features = features.tensor()
        self.compiled = compiled is not False
        built = _build_compiled(*_parts(features)) if self.compiled else _build(features)
        self.vertices, self.weights, self.neighbours, self._ones = built
        d = len(self.neighbours) - 1
        # The blur sums to 2^(d+1), the Gaussian to (2 pi)^(d/2) per unit of volume, with det B vertices in it.
        self.scale = (4 * math.pi / 3) ** (d / 2) * math.sqrt(d + 1) / 2 ** (d + 1)

    @property
    def count(self) -> int:
        """M, the number of vertices."""
        return self.neighbours.shape[1]

    def filter(self, values: torch.Tensor) -> torch.Tensor:
        """Gaussian-weighted sums of values (N, K) float32 over all pixels, same shape."""
        return self.slice(self.blur(self.splat(values)))

    def normalize(self) -> Lattice:
        """Make ``filter`` the symmetrically normalized D^-1/2 W D^-1/2 of W, with D = diag(W 1).

        This is how Krahenbuhl & Koltun's implementation weighs the kernels of a dense CRF.
        Changes ``weights`` in place; returns the lattice.
        """
        table = self._blurred_ones()
        if self.compiled:
            sums = np.zeros((self.strips, self.count + 1), np.float32)
            arrays = table.numpy(), self.vertices.numpy().view(np.uint32), self.weights.numpy()
            run = lambda strip, *ends: kernels.normalize(*arrays, *ends, sums[strip])  # noqa: E731
            in_strips(run, len(self.vertices), self.strips)
            self._ones = torch.from_numpy(sums.sum(0)[:, None])
        else:
            self.weights *= (self.slice(table[:, None]) + 1e-20).rsqrt()
        return self

    @cached_property
    def _row_sums(self) -> tuple[float, float]:
        """The largest, and the sum, of the filter's row sums: of what it makes of a map of ones."""
        table = self._blurred_ones()
        if not self.compiled:
            sums = self.slice(table[:, None])
            return float(sums.max()), float(sums.double().sum())
        arrays = table.numpy(), self.vertices.numpy().view(np.uint32), self.weights.numpy()
        parts = in_strips(lambda _, *ends: kernels.row_sums(*arrays, *ends), len(self.vertices))
        return max(part[0] for part in parts), sum(part[1] for part in parts)

    def _blurred_ones(self) -> torch.Tensor:
        """(M+1,): a map of ones, splatted and blurred."""
        if self.compiled:  # the loops that made the weights have summed them up
            return self.blur(self._ones)[:, 0]
        return self.blur(self.splat(torch.ones(len(self.weights), 1, device=self.weights.device)))[:, 0]

    @property
    def gain(self) -> float:
        """The largest row sum of the filter."""
        return self._row_sums[0]

    @property
    def mass(self) -> float:
        """The sum of all the filter's N^2 weights."""
        return self._row_sums[1]

    @property
    def strips(self) -> int:
        """How many threads may splat, each into a table of its own, with memory linear in N."""
        return max(1, min(torch.get_num_threads(), 2 * len(self.vertices) // self.count, len(self.vertices) // 4096))

    def splat(self, values: torch.Tensor, tables: np.ndarray | None = None) -> torch.Tensor:
        """Values (N, K) gathered at the vertices, (M+1, K); the last row is zero.

        ``tables``: on the CPU, (threads, M+1, columns) to work in, for the first ``columns`` of the values only; the
        first table comes back. By default new ones.
        """
        if not self.compiled:
            pixels, order, starts = self._bags
            weights = self.weights.view(-1)[order]
            return F.embedding_bag(pixels, values, starts, mode="sum", per_sample_weights=weights)
        if tables is None:
            tables = np.empty((self.strips, self.count + 1, values.shape[1]), np.float32)
        arrays = values.contiguous().numpy(), self.vertices.numpy(), self.weights.numpy()

        def run(strip, start, stop):
            tables[strip].fill(0)
            kernels.splat(*arrays, start, stop, tables[strip])

        in_strips(run, len(values), len(tables))
        for other in tables[1:]:
            tables[0] += other
        return torch.from_numpy(tables[0])

    def blur(
        self,
        table: torch.Tensor,
        scale: float = 1.0,
        spare: Sequence[np.ndarray] | None = None,
        strips: int | None = None,
    ) -> torch.Tensor:
        """The table (M+1, K) convolved with (1/2, 1, 1/2) along each direction in turn, times ``scale``.

        ``spare``: two arrays of the table's shape to work in, one of which comes back; by default new ones.
        ``strips``: on the CPU, in so many threads; by default what suits the table's size.
        """
        factors = [scale * self.scale] + [1.0] * (len(self.neighbours) - 1)
        if not self.compiled:
            for neighbours, factor in zip(self.neighbours, factors, strict=True):
                ahead, behind = neighbours.unbind(1)
                blurred = factor * (table[:-1] + 0.5 * (table[ahead] + table[behind]))
                table = F.pad(blurred, (0, 0, 0, 1))
            return table
        strips = strips or max(1, min(torch.get_num_threads(), table.numel() // 2**16))
        spare = spare or (np.empty(table.shape, np.float32), np.empty(table.shape, np.float32))
        table = table.numpy()
        for axis, (neighbours, factor) in enumerate(zip(self.neighbours.numpy(), factors, strict=True)):
            blurred = spare[axis % 2]
            arrays = table, neighbours, np.float32(factor), blurred
            run = lambda _, start, stop, arrays=arrays: kernels.blur(*arrays, start, stop)  # noqa: E731
            in_strips(run, self.count, strips)
            blurred[-1] = 0
            table = blurred
        return torch.from_numpy(table)

    def slice(self, table: torch.Tensor) -> torch.Tensor:
        """The table (M+1, K) read at the pixels, (N, K)."""
        if not self.compiled:
            return F.embedding_bag(self.vertices, table, mode="sum", per_sample_weights=self.weights)
        values = np.zeros((len(self.vertices), table.shape[1]), np.float32)
        arrays = table.numpy(), self.vertices.numpy().view(np.uint32), self.weights.numpy()
        run = lambda _, start, stop: kernels.slice_(*arrays, start, stop, values)  # noqa: E731
        in_strips(run, len(values))
        return torch.from_numpy(values)

    @cached_property
    def _bags(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """For splatting without scatter: which pixels each vertex sums up, in a fixed order.

        Returns the pixels and their places in ``weights``, sorted by vertex, and where each of
        the M+1 vertices starts (the last one is empty).
        """
        corners = self.vertices.view(-1)
        order = torch.argsort(corners, stable=True)
        counts = torch.bincount(corners, minlength=self.count + 1)
        pixels = (order // self.vertices.shape[1]).int()
        return pixels, order, (counts.cumsum(0) - counts).int()


def lattice_coordinates(features: torch.Tensor) -> torch.Tensor:
    """y = B f (see the head of this file) of features (N, d), same shape.

    With t_a = f_a sqrt(2/3) / sqrt((a+1)(a+2)), a from 0, it is y_a = t_0 + ... + t_a + (a+1) t_a.
    """
    axes = torch.arange(features.shape[1], device=features.device, dtype=features.dtype)
    steps = features * (2 / 3 / ((axes + 1) * (axes + 2))).sqrt()
    return steps.cumsum(1) + (axes + 1) * steps


def _numbering(ends: torch.Tensor) -> tuple[list[int], list[int], list[int], int]:
    """How a vertex y becomes one integer, key = sum_a (y_a - low_a) radix_a, unique for all vertices.

    ``ends``: (2, d) the smallest and the largest feature along each axis.
    Returns low, radix, the key's change along the d+1 blur directions, and what all keys are smaller than.
    """
    corners = lattice_coordinates(ends)  # B >= 0: bounds map to bounds
    if not torch.isfinite(corners).all():
        raise ParameterError("The CRF's widths are too small or its picture is not finite: use larger widths.")
    low, high = corners.floor().cpu().tolist()
    extents = [int(b - a) + 6 for a, b in zip(low, high, strict=True)]  # one simplex, one step, and rounding
    radix = [math.prod(extents[:a]) for a in range(len(extents))]
    if math.prod(extents) >= 2**62:
        raise ParameterError("The CRF's widths are too small for this picture: use larger widths.")
    return [int(a) - 3 for a in low], radix, [sum(radix), *radix], math.prod(extents)


def _parts(features: torch.Tensor | Pixels) -> tuple[tuple, torch.Tensor]:
    """Features as ``kernels.embed`` reads them, x, y, values and their unit; and their bounds, (2, d)."""
    nowhere = np.empty(0, np.float32)
    pixels = not isinstance(features, torch.Tensor)
    parts = (features.x, features.y, features.values, features.unit) if pixels else (
        nowhere, nowhere, features.numpy(), np.float32(1))  # fmt: skip
    x, y, values, unit = parts
    ends = np.stack(in_strips(lambda _, a, b: kernels.bounds(values, a, b), len(values)))  # (strips, 2, c)
    ends = np.stack([ends[:, 0].min(0), ends[:, 1].max(0)]) / unit
    if pixels:
        ends = np.column_stack([[x[0], x[-1]], [y[0], y[-1]], ends])
    return parts, torch.from_numpy(ends)


def _build_compiled(features: tuple, ends: torch.Tensor):
    low, radix, steps, end = _numbering(ends)
    count, corners = len(features[2]), len(steps)
    vertices, weights = np.empty((count, corners), np.int32), np.empty((count, corners), np.float32)
    low, radix, steps = (np.array(values, np.int64) for values in (low, radix, steps))
    bits = min(16, max(12, count.bit_length() - 2))  # of the hash table to begin with: 2^bits places
    shift = 64 - bits  # see ``kernels._slot``
    if 2 * end <= count:  # as for pixels in the plane
        bits, shift = (2 * end).bit_length(), 0
    embed = lambda _, *ends: kernels.embed(features, low, radix, bits, shift, *ends, vertices, weights)  # noqa: E731
    found, sums = zip(*in_strips(embed, count), strict=True)  # what each strip has met, numbered by itself
    keys = np.concatenate(found)
    bits = max(bits, (2 * len(keys) - 1).bit_length())
    shift = shift and 64 - bits
    table, numbers = kernels.number_keys(keys, bits, shift)
    _renumber(vertices, numbers, [len(part) for part in found])
    known = np.empty(numbers.max() + 1, np.int64)
    known[numbers] = keys
    neighbours = np.full((corners, len(known), 2), len(known), np.int32)
    connect = lambda _, *ends: kernels.connect(known, steps, table, shift, *ends, neighbours)  # noqa: E731
    in_strips(connect, len(known))
    ones = np.bincount(numbers, np.concatenate(sums), len(known) + 1).astype(np.float32)
    return *map(torch.from_numpy, (vertices, weights, neighbours)), torch.from_numpy(ones)[:, None]


def _renumber(vertices: np.ndarray, numbers: np.ndarray, met: list[int]) -> None:
    """Each strip's own numbers become everyone's, ``numbers``; the first strip's are. All threads help with each."""
    for strip in range(1, len(met)):
        own = numbers[sum(met[:strip]) : sum(met[: strip + 1])]
        rows = vertices[len(vertices) * strip // len(met) : len(vertices) * (strip + 1) // len(met)]
        in_strips(lambda _, *ends, rows=rows, own=own: kernels.renumber(rows, own, *ends), len(rows))


def _build(features: torch.Tensor):
    low, radix, steps, _ = _numbering(torch.stack(features.aminmax(dim=0)))
    low, radix, steps = (torch.tensor(values, device=features.device) for values in (low, radix, steps))
    y = lattice_coordinates(features)  # (N, d)
    fraction, order = (y - y.floor()).sort(dim=1, descending=True, stable=True)
    first = ((y.floor().long() - low) * radix).sum(1, keepdim=True)  # (N, 1)
    keys = torch.cat([first, first + radix[order].cumsum(1)], 1)  # (N, d+1)
    edges = F.pad(fraction, (1, 0), value=1.0), F.pad(fraction, (0, 1))
    known, vertices = keys.unique(return_inverse=True)  # (M,), (N, d+1)
    wanted = known[None, :, None] + torch.stack([steps, -steps], 1)[:, None]  # (d+1, M, 2)
    place = torch.searchsorted(known, wanted).clamp_(max=len(known) - 1)
    neighbours = torch.where(known[place] == wanted, place, len(known))
    return vertices.int(), edges[0] - edges[1], neighbours.int(), None
