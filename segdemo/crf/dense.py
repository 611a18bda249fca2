"""The fully connected CRF: every pixel is a neighbour of every other, and inference is filtering.

P. Krahenbuhl & V. Koltun, "Efficient inference in fully connected CRFs with Gaussian edge
potentials", NIPS 2011. The energy of a labelling x of N pixels is

    E(x) = sum_i -log p_i(x_i)  +  sum_(i<j) mu(x_i, x_j) (w1 k1(i, j) + w2 k2(i, j))

with the network's probabilities p, a Gaussian k1 of the distance between the pixels and a
Gaussian k2 of their distance and colour difference ("bilateral"), each normalized
symmetrically, and a compatibility mu, which for Potts is 1 for any two different labels. Mean field approximates P(x) = exp(-E(x)) / Z by a product of independent
beliefs Q_i. Each iteration lets every pixel hear what all the others believe,

    m_i(l) = sum_j (w1 k1(i, j) + w2 k2(i, j)) Q_j(l)          "messages" (Potts): two Gaussian filters
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
from .lattice import Lattice, Pixels
from .meanfield import CLIP, CompiledMeanField, Labels, MeanField

Array = TypeVar("Array", np.ndarray, torch.Tensor)


def dense_crf(
    image: Array,
    probabilities: Array,
    iterations: int = 5,
    spatial_weight: float = 3.0,
    spatial_sigma: float = 3.0,
    bilateral_weight: float = 10.0,
    bilateral_sigma_xy: float = 80.0,
    bilateral_sigma_rgb: float = 13.0,
    *,
    compatibility: Array | None = None,
    damping: float = 0.0,
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
        compatibility: mu, (K, K) symmetric: the price of each pair of labels, times both weights. None is Potts,
            1 - I: any two different labels cost 1. A diagonal matrix -diag(w) rewards each label's agreement by w.
        damping: in [0, 1), the part of the old beliefs that stays at each update. All pixels change at once, and
            large weights can make them swing to and fro; damping stops that.

    Returns:
        Q, (K, H, W), an array or a tensor like ``probabilities``, of their floating type and device.

    Raises:
        ParameterError: shapes that do not fit, values that are no probabilities, widths <= 0, a compatibility that
            is not symmetric or finite.
    """
    p = _tensor(probabilities)
    crf = DenseCRF(image, spatial_sigma, bilateral_sigma_xy, bilateral_sigma_rgb, p.device)
    options = {"compatibility": compatibility, "damping": damping}
    beliefs = crf.infer(p, iterations, spatial_weight, bilateral_weight, **options)
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
        compiled = self.device.type == "cpu" if compiled is None else compiled
        colours = image.cpu().contiguous().numpy().reshape(-1, 3)
        spatial = Pixels(self.size, spatial_sigma, colours[:, :0])
        bilateral = Pixels(self.size, bilateral_sigma_xy, colours, bilateral_sigma_rgb)
        lattices = (Lattice(f if compiled else f.tensor().to(device), compiled) for f in (spatial, bilateral))
        self.spatial, self.bilateral = (lattice.normalize() for lattice in lattices)  # k1, k2

    @property
    def _kernels(self) -> tuple[Lattice, Lattice]:
        return self.spatial, self.bilateral

    def start(
        self,
        probabilities: np.ndarray | torch.Tensor,
        spatial_weight: float = 3.0,
        bilateral_weight: float = 10.0,
        *,
        compatibility: np.ndarray | torch.Tensor | None = None,
        damping: float = 0.0,
    ) -> MeanField:
        """Mean field before its first update; arguments and errors as in ``dense_crf``."""
        weights, p = (spatial_weight, bilateral_weight), self._checked(probabilities)
        _check_weights(weights, damping)
        matrix = _checked_compatibility(compatibility, len(p))
        compiled = self.spatial.compiled
        labels = Labels(p, None if matrix is not None else lambda: self._gain(weights), compiled)
        return (CompiledMeanField if compiled else MeanField)(self._kernels, labels, weights, matrix, damping)

    def infer(
        self,
        probabilities: np.ndarray | torch.Tensor,
        iterations: int = 5,
        spatial_weight: float = 3.0,
        bilateral_weight: float = 10.0,
        **options,
    ) -> torch.Tensor:
        """Q after ``iterations``, (K, H, W) float32 on ``device``; arguments as in ``dense_crf``."""
        state = self.start(probabilities, spatial_weight, bilateral_weight, **options)
        for _ in range(_checked_iterations(iterations) - 1):
            state.update(keep=False)
        return (state.finish() if iterations else state.beliefs()).view(-1, *self.size)

    def mean_field(
        self,
        probabilities: np.ndarray | torch.Tensor,
        iterations: int = 5,
        spatial_weight: float = 3.0,
        bilateral_weight: float = 10.0,
        **options,
    ) -> Iterator[torch.Tensor]:
        """Yields Q, (K, H, W) float32 on ``device``, before the first and after each iteration.

        The first Q is the network's, clipped. Arguments and errors as in ``dense_crf``.
        """
        for beliefs, _ in self.descend(probabilities, iterations, spatial_weight, bilateral_weight, **options):
            yield beliefs()

    def descend(
        self,
        probabilities: np.ndarray | torch.Tensor,
        iterations: int = 5,
        spatial_weight: float = 3.0,
        bilateral_weight: float = 10.0,
        **options,
    ) -> Iterator[tuple[Callable[[], torch.Tensor], Callable[[], float]]]:
        """As ``mean_field``, but yields two functions that give Q and its free energy (nats per pixel) when called.

        They are valid until the next iteration. The energy comes almost free (see ``meanfield.py``).
        """
        state = self.start(probabilities, spatial_weight, bilateral_weight, **options)
        for iteration in range(_checked_iterations(iterations) + 1):
            if iteration > 0:
                state.update()
            yield lambda: state.beliefs().view(-1, *self.size), state.free_energy

    def _gain(self, weights: tuple[float, float]) -> float:
        """The largest message there can be: what a pixel hears if all believe the same."""
        return sum(weight * kernel.gain for weight, kernel in zip(weights, self._kernels, strict=True))

    def free_energy(
        self,
        beliefs: torch.Tensor,
        probabilities: np.ndarray | torch.Tensor,
        spatial_weight: float = 3.0,
        bilateral_weight: float = 10.0,
        *,
        compatibility: np.ndarray | torch.Tensor | None = None,
    ) -> float:
        """What mean field lowers, in nats per pixel, of any beliefs: KL(Q || P) - log Z and what i = j adds to it.

        F(Q) as in ``meanfield.py``, its second term being the expected price of unequal labels. The lattice's filters,
        and with them the updates, hear a pixel itself; E(x) sums over i < j. With i = j, F is larger by
        1/2 sum_m w_m sum_i k_m(i, i) (1 - sum_l Q_i(l)^2): little where many pixels are alike. ``beliefs`` (K, H, W)
        as ``mean_field`` yields them; costs about one iteration.
        """
        weights, p = (spatial_weight, bilateral_weight), self._checked(probabilities).clamp(min=CLIP)
        _check_weights(weights)
        matrix = _checked_compatibility(compatibility, len(p))
        ceiling, affinity = (1.0, None) if matrix is None else (matrix.max(), torch.as_tensor(matrix.max() - matrix))
        q = beliefs.reshape(len(beliefs), -1)
        rows = torch.cat([q, torch.ones_like(q[:1])]).T.contiguous()  # (N, K+1), the last column for sum_j k_ij
        energy = torch.xlogy(q, q / (p / p.sum(0))).sum(0).double().sum()
        for weight, kernel in zip(weights, self._kernels, strict=True):
            heard, everyone = kernel.filter(rows).split([len(q), 1], dim=1)
            heard = heard if affinity is None else heard @ affinity.to(heard)
            agreement = (rows[:, :-1] * heard).sum(1).double().sum()
            energy = energy + 0.5 * weight * (ceiling * everyone.double().sum() - agreement)
        return float(energy) / q.shape[1]

    def _checked(self, probabilities: np.ndarray | torch.Tensor) -> torch.Tensor:
        """The probabilities, (K, N) float32 on the device, or ``ParameterError`` if their shape does not fit."""
        p = _tensor(probabilities).to(self.device, torch.float32)
        if p.ndim != 3 or len(p) == 0 or tuple(p.shape[1:]) != self.size:
            height, width = self.size
            raise ParameterError(f"The CRF needs (K, {height}, {width}) probabilities here, not {tuple(p.shape)}.")
        return p.reshape(len(p), -1).contiguous()


def _tensor(array: np.ndarray | torch.Tensor) -> torch.Tensor:
    """A tensor over the same memory, or over a copy where PyTorch cannot share it."""
    if isinstance(array, torch.Tensor):
        return array
    array = np.asarray(array)
    return torch.from_numpy(np.require(array, array.dtype.newbyteorder("="), requirements="CW"))


def _check_weights(weights: tuple[float, float], damping: float = 0.0) -> None:
    for weight in weights:
        if not 0 <= weight <= 1000:
            raise ParameterError(f"The CRF's weights must be between 0 and 1000, not {weight}.")
    if not 0 <= damping < 1:
        raise ParameterError(f"The CRF's damping must be at least 0 and less than 1, not {damping}.")


def _checked_iterations(iterations: int) -> int:
    if not isinstance(iterations, (int, np.integer)) or iterations < 0:
        raise ParameterError(f"The CRF cannot run {iterations} iterations: ask for a whole number, 0 or more.")
    return int(iterations)


def _checked_compatibility(matrix: np.ndarray | torch.Tensor | None, labels: int) -> np.ndarray | None:
    """The matrix as float64, or None if it is None or Potts; ``ParameterError`` if it does not fit."""
    if matrix is None:
        return None
    try:
        matrix = np.asarray(matrix.cpu() if isinstance(matrix, torch.Tensor) else matrix, np.float64)
    except (TypeError, ValueError):
        raise ParameterError(f"The CRF's compatibility must be a {labels} x {labels} matrix of numbers.") from None
    if matrix.shape != (labels, labels):
        raise ParameterError(f"The CRF's compatibility must be a {labels} x {labels} matrix, not {matrix.shape}.")
    if not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T):
        raise ParameterError("The CRF's compatibility must be finite and symmetric.")
    return None if np.array_equal(matrix, 1 - np.eye(labels)) else matrix
