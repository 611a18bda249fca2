"""The fully connected CRF: every pixel is a neighbour of every other, and inference is filtering.

P. Krahenbuhl & V. Koltun, "Efficient inference in fully connected CRFs with Gaussian edge
potentials", NIPS 2011. The energy of a labelling x of N pixels is

    E(x) = sum_i -log p_i(x_i)  +  sum_(i<j) [x_i != x_j] (w1 k1(i, j) + w2 k2(i, j))

with the network's probabilities p, a Gaussian k1 of the distance between the pixels and a
Gaussian k2 of their distance and colour difference ("bilateral"), each normalized
symmetrically. Mean field approximates P(x) = exp(-E(x)) / Z by a product of independent
beliefs Q_i. Each iteration lets every pixel hear what all the others believe,

    m_i(l) = sum_j (w1 k1(i, j) + w2 k2(i, j)) Q_j(l)          "messages": two Gaussian filters
    Q_i(l) = p_i(l) exp(m_i(l)) / sum_l' p_i(l') exp(m_i(l'))

As in the authors' code a pixel also hears itself (i = j); it costs nothing and changes little.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
import torch

from ..errors import ParameterError
from ..strips import in_strips
from .kernels import fold, mean_field_strip, unfold
from .lattice import Lattice

Array = TypeVar("Array", np.ndarray, torch.Tensor)

CLIP = 1e-5
"""Probabilities below this count as this, so that no pixel is certain beyond appeal."""

NEGLIGIBLE = 1e-3
"""Labels that no pixel gives more than this probability are not filtered (see ``_Labels``)."""


def dense_crf(
    image: Array,
    probabilities: Array,
    iterations: int = 5,
    spatial_weight: float = 3.0,
    spatial_sigma: float = 3.0,
    bilateral_weight: float = 10.0,
    bilateral_sigma_xy: float = 80.0,
    bilateral_sigma_rgb: float = 13.0,
) -> Array:
    """Mean-field beliefs of a dense CRF, aligned with the photo's edges.

    Args:
        image: (H, W, 3) uint8, array or tensor.
        probabilities: (K, H, W), non-negative, summing to 1 over the labels; array or tensor.
        iterations: mean-field updates; 5 to 10 suffice.
        spatial_weight, spatial_sigma: strength and width (pixels) of the smoothness kernel,
            which removes specks.
        bilateral_weight, bilateral_sigma_xy, bilateral_sigma_rgb: strength, width in space
            (pixels) and in colour (grey levels) of the appearance kernel. A smaller colour
            width follows fainter edges; a larger width in space lets pixels farther apart speak.

    Returns:
        Q, (K, H, W), an array or a tensor like ``probabilities``, of their floating type and device.

    Raises:
        ParameterError: shapes that do not fit, values that are no probabilities, widths <= 0.
    """
    p = _tensor(probabilities)
    crf = DenseCRF(image, spatial_sigma, bilateral_sigma_xy, bilateral_sigma_rgb, p.device)
    beliefs = crf.infer(p, iterations, spatial_weight, bilateral_weight)
    beliefs = beliefs.to(p.dtype if p.is_floating_point() else torch.float32)
    return beliefs if isinstance(probabilities, torch.Tensor) else beliefs.numpy()


class DenseCRF:
    """The two kernels of one photo: build them once, then infer for any number of networks.

    Args:
        image: (H, W, 3) uint8, array or tensor.
        spatial_sigma, bilateral_sigma_xy, bilateral_sigma_rgb: see ``dense_crf``.
        device: where to compute. "cpu" runs compiled loops, anything else PyTorch.
        compiled: False for PyTorch on the CPU too.

    Raises:
        ParameterError: an image of another form, or widths that are not positive.
    """

    def __init__(
        self,
        image: np.ndarray | torch.Tensor,
        spatial_sigma: float = 3.0,
        bilateral_sigma_xy: float = 80.0,
        bilateral_sigma_rgb: float = 13.0,
        device: torch.device | str = "cpu",
        compiled: bool | None = None,
    ):
        image = _tensor(image)
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != torch.uint8 or image.numel() == 0:
            raise ParameterError(f"The CRF needs an (H, W, 3) uint8 picture, not {tuple(image.shape)} {image.dtype}.")
        widths = {"spatial": spatial_sigma, "bilateral xy": bilateral_sigma_xy, "bilateral rgb": bilateral_sigma_rgb}
        for name, width in widths.items():
            if not (width > 0 and math.isfinite(width)):
                raise ParameterError(f"The CRF's {name} width must be positive, not {width}.")
        self.size = tuple(image.shape[:2])
        self.device = torch.device(device)
        positions, colours = _features(image.to(self.device))
        bilateral = torch.cat([positions / bilateral_sigma_xy, colours / bilateral_sigma_rgb], 1)
        self.spatial = Lattice(positions / spatial_sigma, compiled).normalize()  # k1
        self.bilateral = Lattice(bilateral, compiled).normalize()  # k2
        self._kernels = self.spatial, self.bilateral

    def infer(
        self,
        probabilities: np.ndarray | torch.Tensor,
        iterations: int = 5,
        spatial_weight: float = 3.0,
        bilateral_weight: float = 10.0,
    ) -> torch.Tensor:
        """Q after ``iterations``, (K, H, W) float32 on ``device``; arguments as in ``dense_crf``."""
        weights = spatial_weight, bilateral_weight
        *_, beliefs = self._steps(probabilities, iterations, weights, every=max(iterations, 1))
        return beliefs()

    def mean_field(
        self,
        probabilities: np.ndarray | torch.Tensor,
        iterations: int = 5,
        spatial_weight: float = 3.0,
        bilateral_weight: float = 10.0,
    ) -> Iterator[torch.Tensor]:
        """Yields Q, (K, H, W) float32 on ``device``, before the first and after each iteration.

        The first Q is the network's, clipped. Arguments and errors as in ``dense_crf``.
        """
        for beliefs in self._steps(probabilities, iterations, (spatial_weight, bilateral_weight), every=1):
            yield beliefs()

    def _steps(self, probabilities, iterations, weights, every) -> Iterator[Callable[[], torch.Tensor]]:
        """As ``mean_field``, for each ``every``-th iteration; calling what is yielded makes the tensor."""
        _check_weights(weights)
        if iterations < 0:
            raise ParameterError(f"The CRF cannot run {iterations} iterations: ask for 1 or more.")
        labels = _Labels(self._checked(probabilities), lambda: self._gain(weights), self.spatial.compiled)
        update = self._updates_compiled if self.spatial.compiled else self._updates
        yield lambda: labels.unfold(labels.merged).view(-1, *self.size)
        for q in update(labels, weights, iterations, every):
            yield lambda q=q: labels.unfold(q).view(-1, *self.size)

    def _gain(self, weights: tuple[float, float]) -> float:
        """The largest message there can be: what a pixel hears if all believe the same."""
        return sum(weight * kernel.gain for weight, kernel in zip(weights, self._kernels, strict=True))

    def free_energy(
        self,
        beliefs: torch.Tensor,
        probabilities: np.ndarray | torch.Tensor,
        spatial_weight: float = 3.0,
        bilateral_weight: float = 10.0,
    ) -> float:
        """What mean field minimizes: KL(Q || P) up to the constant log Z, in nats per pixel.

        F(Q) = sum_i sum_l Q_i(l) log(Q_i(l) / p_i(l)) + 1/2 sum_ij (w1 k1 + w2 k2) (1 - sum_l Q_i(l) Q_j(l)),
        the second term being the expected price of unequal labels (with i = j, as in the updates).
        ``beliefs`` (K, H, W) as ``mean_field`` yields them; costs about one iteration.
        """
        weights = spatial_weight, bilateral_weight
        _check_weights(weights)
        q, p = beliefs.reshape(len(beliefs), -1), self._checked(probabilities)  # (K, N)
        energy = torch.xlogy(q, q / p).sum()
        alive = q[q.amax(1) > NEGLIGIBLE]  # the others agree with nobody to speak of
        rows = torch.cat([alive, torch.ones_like(q[:1])]).T.contiguous()  # (N, A+1), the last column for sum_j k_ij
        for weight, kernel in zip(weights, self._kernels, strict=True):
            heard = kernel.filter(rows)
            agreement = (rows[:, :-1] * heard[:, :-1]).sum()
            energy = energy + 0.5 * weight * (heard[:, -1].sum() - agreement)
        return float(energy) / q.shape[1]

    def _updates(self, labels: _Labels, weights: tuple[float, float], iterations: int, every: int):
        """Yields q (N, W) after each ``every``-th iteration; plain PyTorch."""
        q, heard = labels.merged, labels.heard
        for iteration in range(1, iterations + 1):
            messages = torch.zeros_like(q)
            for weight, kernel in zip(weights, self._kernels, strict=True):
                messages[:, :heard] += weight * kernel.filter(q[:, :heard].contiguous())
            q = labels.merged * (messages - messages.amax(1, keepdim=True)).exp()
            q = q / q.sum(1, keepdim=True)
            if iteration % every == 0:
                yield q

    def _updates_compiled(self, labels: _Labels, weights: tuple[float, float], iterations: int, every: int):
        """The same in one pass over the pixels per iteration: between two passes there are only vertex tables."""
        p, heard = labels.merged.numpy(), labels.heard
        corners = [(kernel.vertices.numpy(), kernel.weights.numpy()) for kernel in self._kernels]
        strips = min(kernel.strips for kernel in self._kernels)
        tables = [kernel.splat(labels.merged) for kernel in self._kernels]
        for iteration in range(1, iterations + 1):
            blurred = tuple(k.blur(t, w).numpy() for k, t, w in zip(self._kernels, tables, weights, strict=True))
            rows = [kernel.count + 1 if iteration < iterations else 0 for kernel in self._kernels]
            sums = [np.zeros((strips, count, p.shape[1]), np.float32) for count in rows]  # one table per thread
            q = np.empty((len(p) if iteration % every == 0 else 0, p.shape[1]), np.float32)

            def update(strip, start, stop, blurred=blurred, sums=sums, q=q):
                mean_field_strip(p, heard, *corners, blurred, start, stop, (sums[0][strip], sums[1][strip]), q)

            in_strips(update, len(p), strips)
            tables = [torch.from_numpy(sum(parts[1:], parts[0])) for parts in sums]
            if len(q):
                yield torch.from_numpy(q)

    def _checked(self, probabilities: np.ndarray | torch.Tensor) -> torch.Tensor:
        """The probabilities, (K, N) float32 on the device, clipped and summing to 1, or ``ParameterError``."""
        p = _tensor(probabilities).to(self.device, torch.float32)
        if p.ndim != 3 or len(p) == 0 or tuple(p.shape[1:]) != self.size:
            height, width = self.size
            raise ParameterError(f"The CRF needs (K, {height}, {width}) probabilities here, not {tuple(p.shape)}.")
        p = p.reshape(len(p), -1)
        if not (p.amin() >= 0 and ((p.sum(0) - 1).abs() < 0.01).all()):  # false for NaN too
            raise ParameterError("The CRF needs probabilities that are >= 0 and sum to 1: apply the softmax first.")
        p = p.clamp(min=CLIP)
        return p.div_(p.sum(0))


class _Labels:
    """Probabilities with the labels that can never win merged into one, as they need no filtering.

    Messages are at least 0 and at most ``gain`` times the label's largest belief, so that
    Q(l) <= p(l) exp(gain max Q(l)) at every iteration. Hence a label with e gain max p(l) <= 1
    never gets beyond e max p(l), and its messages, which are neglected, would shift its
    log-odds by at most e gain max p(l). Merged are those below both 1 / (e gain) and ``NEGLIGIBLE``.

    Args:
        p: (K, N) float32, > 0 and summing to 1.
        gain: the largest message there can be; asked for only when labels may be merged.

    Attributes:
        heard: A, the number of labels that are filtered.
        columns: (K,) the column of each label in ``merged``, 0..A-1 or A.
        merged: (N, W) rows that sum to 1: the A labels, the sum of the others (if there are
            any), and zeros up to a multiple of 8, which suits vector instructions.
    """

    def __init__(self, p: torch.Tensor, gain: Callable[[], float], compiled: bool):
        limit = min(NEGLIGIBLE, 1 / (2 * len(p)))
        largest = p.amax(1).cpu()
        if largest.min() <= limit:
            limit = min(limit, 1 / (math.e * max(gain(), 1)))
        can_win = largest > limit
        self.p, self.compiled, self.heard = p, compiled, int(can_win.sum())
        self.columns = torch.where(can_win, can_win.cumsum(0) - 1, self.heard).to(p.device)
        width = -(-(int(self.columns.max()) + 1) // 8) * 8
        if compiled:
            merged = np.zeros((p.shape[1], width), np.float32)
            arrays = p.numpy(), self.columns.numpy()
            in_strips(lambda _, start, stop: fold(*arrays, start, stop, merged), len(merged))
            self.merged = torch.from_numpy(merged)
        else:
            self.merged = torch.zeros(width, p.shape[1], device=p.device).index_add_(0, self.columns, p).T.contiguous()

    def unfold(self, q: torch.Tensor) -> torch.Tensor:
        """Beliefs (K, N) of all labels, of q (N, W): merged labels share theirs in proportion to p."""
        if not self.compiled:
            return self.p * (q / self.merged)[:, self.columns].T
        beliefs = np.empty(self.p.shape, np.float32)
        arrays = q.numpy(), self.merged.numpy(), self.p.numpy(), self.columns.numpy()
        in_strips(lambda _, start, stop: unfold(*arrays, start, stop, beliefs), len(q))
        return torch.from_numpy(beliefs)


def _tensor(array: np.ndarray | torch.Tensor) -> torch.Tensor:
    """A tensor over the same memory, or over a copy where PyTorch cannot share it."""
    return array if isinstance(array, torch.Tensor) else torch.from_numpy(np.require(array, requirements="CW"))


def _check_weights(weights: tuple[float, float]) -> None:
    for weight in weights:
        if not 0 <= weight <= 1000:
            raise ParameterError(f"The CRF's weights must be between 0 and 1000, not {weight}.")


def _features(image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixel positions (x, y), (N, 2), and colours, (N, 3), both float32."""
    height, width, _ = image.shape
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    positions = torch.stack([x.reshape(-1), y.reshape(-1)], 1).to(image.device, torch.float32)
    return positions, image.reshape(-1, 3).float()
