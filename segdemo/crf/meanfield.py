"""Mean field in the dense CRF, one update at a time: plain PyTorch, and the same with compiled loops.

Both hold the beliefs as rows of labels, one row per pixel, and know the variational free energy

    F(Q) = sum_i sum_l Q_i(l) log(Q_i(l) / p_i(l))  +  sum_m w_m / 2 sum_ij k_m(i, j) sum_ll' mu(l, l') Q_i(l) Q_j(l')

(with i = j, as in the updates). The messages that the second sum needs are those of the next update anyway, so it
costs next to nothing. Adding a constant to mu changes no belief; so it is kept as the affinity c - mu >= 0, c = max mu,
which makes all messages positive. For Potts that is the identity, and a label's messages come from itself alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch

from ..errors import ParameterError
from ..strips import in_strips
from . import updates as loops
from .lattice import Lattice
from .simd import LANES

CLIP = 1e-5
"""Probabilities below this count as this, so that no pixel is certain beyond appeal."""

INAUDIBLE = 0.05
"""Messages that can be shown to stay below this many nats are not computed (see ``Labels`` and ``CompiledMeanField``)."""


class Labels:
    """Probabilities as rows, with the labels that nobody would hear of merged into one column.

    With Potts compatibility, messages are at least 0 and at most ``gain`` times the label's largest belief, so that
    Q(l) <= p(l) exp(gain max Q(l)) at every update. By induction, if gain max p(l) e^eps <= eps, then always

        Q(l) <= p(l) e^eps    and    0 <= messages(l) <= eps        with eps = ``INAUDIBLE``.

    Those labels get no messages, and share one column. They can win nowhere if max p(l) e^eps < 1/K, which is
    required as well. Any other compatibility keeps all labels apart (``gain`` None).

    Args:
        p: (K, N) float32, checked here: ``ParameterError`` unless >= 0 and summing to 1.
        gain: returns the largest message there can be, if all pixels believe the same; may cost a filter.

    Attributes:
        heard: A, the number of labels with a column of their own, the largest max p(l) first.
        columns: (K,) the column of each label in ``merged``, 0..A-1 or A.
        peaks: (A,) the largest p in each column.
        merged: (N, W) rows that sum to 1: the A labels, the sum of the others (if there are any), and
            zeros up to a multiple of 8, which suits vector instructions.
    """

    def __init__(self, p: torch.Tensor, gain: Callable[[], float] | None, compiled: bool):
        self.p, self.compiled = p, compiled
        peaks = self._survey()
        eps, self.quiet, limit = INAUDIBLE, 0.0, 0.0  # quiet: beliefs below it are inaudible
        if gain is not None and eps > 0:
            self.quiet = eps / max(gain(), eps)
            limit = math.exp(-eps) * min(self.quiet, 0.999 / len(p))
        order = np.argsort(-peaks, kind="stable")
        self.heard = int((peaks > limit).sum())
        self.columns = np.empty(len(p), np.int64)
        self.columns[order] = np.minimum(np.arange(len(p)), self.heard)
        self.peaks = peaks[order[: self.heard]]
        width = -(-(int(self.columns.max()) + 1) // LANES) * LANES
        if compiled:
            merged = np.zeros((p.shape[1], width), np.float32)
            in_strips(lambda _, start, stop: loops.fold(*self._arrays, start, stop, merged), len(merged))
            self.merged = torch.from_numpy(merged)
        else:
            clipped = p.clamp(min=CLIP)
            columns = torch.as_tensor(self.columns, device=p.device)
            rows = torch.zeros(width, p.shape[1], device=p.device).index_add_(0, columns, clipped / clipped.sum(0))
            self.merged = rows.T.contiguous()

    def _survey(self) -> np.ndarray:
        """(K,) at least the largest probability of each label, or ``ParameterError``."""
        if self.compiled:
            parts = in_strips(lambda _, *ends: loops.survey(self.p.numpy(), *ends), self.p.shape[1])
            largest, sound = np.max([part[0] for part in parts], axis=0), not sum(part[1] for part in parts)
        else:
            sound = bool(self.p.amin() >= 0 and ((self.p.sum(0) - 1).abs() < 0.01).all())  # false for NaN too
            largest = self.p.amax(1).cpu().numpy()
        if not sound:
            raise ParameterError("The CRF needs probabilities that are >= 0 and sum to 1: apply the softmax first.")
        return np.maximum(largest, CLIP) / 0.99  # sums that are off by a hundredth pass, and are normalized later

    @property
    def _arrays(self) -> tuple:
        return self.p.numpy(), self.columns, self.heard, np.float32(CLIP)

    @property
    def used(self) -> int:
        """How many columns of ``merged`` stand for labels."""
        return int(self.columns.max()) + 1

    def unfold(self, q: torch.Tensor) -> torch.Tensor:
        """Beliefs (K, N) of all labels, of q (N, W): merged labels share theirs in proportion to p."""
        if not self.compiled:
            clipped = self.p.clamp(min=CLIP)
            return clipped / clipped.sum(0) * (q / self.merged)[:, torch.as_tensor(self.columns)].T
        beliefs = np.empty(self.p.shape, np.float32)
        in_strips(lambda _, *ends: loops.unfold(q.numpy(), *self._arrays, *ends, beliefs), len(q))
        return torch.from_numpy(beliefs)


class MeanField:
    """The beliefs of one inference, and how they change.

    Args:
        kernels, weights: the lattices k_m and their w_m.
        labels: the unary terms; the first beliefs.
        compatibility: mu (K, K) or None for Potts, 1 - I.
        damping: in [0, 1), the part of the old beliefs that stays in an update.
    """

    def __init__(
        self,
        kernels: Sequence[Lattice],
        labels: Labels,
        weights: Sequence[float],
        compatibility: np.ndarray | None = None,
        damping: float = 0.0,
    ):
        self.kernels, self.labels, self.weights, self.damping = kernels, labels, weights, damping
        self.q, self.ceiling, self.affinity = labels.merged, 1.0, None
        if compatibility is not None:
            width, columns = labels.merged.shape[1], labels.columns
            self.ceiling, affinity = float(compatibility.max()), np.zeros((width, width), np.float32)
            affinity[np.ix_(columns, columns)] = self.ceiling - compatibility
            self.affinity = torch.as_tensor(affinity, device=labels.merged.device)
        self._heard: torch.Tensor | None = None

    def update(self, keep: bool = True, splat: bool = True) -> None:
        """Let every pixel hear the others.

        Without ``keep`` there are no ``beliefs`` afterwards, without ``splat`` no ``free_energy`` and no further
        update; where loops are compiled, that saves time.
        """
        messages = self._messages()
        q = self.labels.merged * (messages - messages.amax(1, keepdim=True)).exp()
        q = q / q.sum(1, keepdim=True)
        self.q, self._heard = torch.lerp(q, self.q, self.damping), None

    def beliefs(self) -> torch.Tensor:
        """Q, (K, N)."""
        return self.labels.unfold(self.q)

    def free_energy(self) -> float:
        """F(Q) in nats per pixel."""
        prices = [weight * self.ceiling * kernel.mass for weight, kernel in zip(self.weights, self.kernels)]
        return (self._entropy() + 0.5 * (sum(prices) - self._agreement())) / len(self.q)

    def _messages(self) -> torch.Tensor:
        """m (N, W), each pixel's from all pixels."""
        if self._heard is None:
            heard = self.labels.heard
            self._heard = torch.zeros_like(self.q)
            for weight, kernel in zip(self.weights, self.kernels, strict=True):
                self._heard[:, :heard] += weight * kernel.filter(self.q[:, :heard].contiguous())
            if self.affinity is not None:
                self._heard = self._heard @ self.affinity
        return self._heard

    def _entropy(self) -> float:
        """sum_i sum_l Q_i(l) log(Q_i(l) / p_i(l))."""
        q, p = self.q[:, : self.labels.used], self.labels.merged[:, : self.labels.used]
        return float(torch.xlogy(q, q / p).sum(1).double().sum())

    def _agreement(self) -> float:
        """sum_i sum_l Q_i(l) m_i(l)."""
        return float((self.q * self._messages()).sum(1).double().sum())


class CompiledMeanField(MeanField):
    """The same in one pass over the pixels per update: between two passes there are only vertex tables.

    As the filter is S B S^T (slice, blur, splat), sum_i Q_i . m_i = (S^T Q) . (B S^T Q) is a sum over vertices,
    and compatibilities act on vertices too.

    With Potts compatibility, a label that no pixel believes in with more than quiet = ``INAUDIBLE`` / gain sends
    messages below ``INAUDIBLE`` in the next update. Only the columns up to the last other one are filtered: most
    labels lose in the first update. Should one come back, the pass that it came back in is done again for more.
    """

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.p = self.labels.merged.numpy()
        self._lattices = [(kernel.vertices.numpy().view(np.uint32), kernel.weights.numpy()) for kernel in self.kernels]
        self._blurred: list[torch.Tensor] | None = None
        self._strips = min(kernel.strips for kernel in self.kernels)
        sizes = [(kernel.count + 1) * self.p.shape[1] for kernel in self.kernels]
        # For each kernel one table per thread, and two to blur in; all in one piece, so that its pages may be large.
        pieces = np.split(np.empty((self._strips + 2) * sum(sizes), np.float32), [(self._strips + 2) * sizes[0]])
        self._sums = [piece[: self._strips * size] for piece, size in zip(pieces, sizes, strict=True)]
        self._spare = [piece[self._strips * size :].reshape(2, size) for piece, size in zip(pieces, sizes, strict=True)]
        tables = self._empty_tables(self._audible(self.labels.peaks))
        self._tables = [k.splat(self.labels.merged, table) for k, table in zip(self.kernels, tables, strict=True)]
        self._divergence = 0.0  # of q from p

    def update(self, keep: bool = True, splat: bool = True) -> None:
        blurred = tuple(table.numpy() for table in self._messages())
        width = blurred[0].shape[1] if splat else 0
        while True:
            sums, peaks, q, divergence = self._pass(blurred, width, keep or self.damping > 0)
            needed = self._audible(peaks)
            if needed <= width or not splat:
                break
            width = needed
        self._tables = [torch.from_numpy(np.ascontiguousarray(table[:, :needed])) for table in sums]
        self._blurred, self.q, self._divergence = None, torch.from_numpy(q), divergence

    def _pass(self, blurred: tuple[np.ndarray, ...], width: int, keep: bool):
        """The vertex tables (M+1, width), the columns' largest beliefs, q (N, W) or (0, W), its divergence from p."""
        pixels, columns = self.p.shape
        sums = self._empty_tables(width)
        peaks = np.zeros((self._strips, columns), np.float32)
        # After the last update nobody needs p any more, and new memory would cost as much time as the update.
        q = self.p if keep and not width else np.empty((pixels if keep else 0, columns), np.float32)
        damping, previous = np.float32(self.damping), self.q.numpy()

        def update(strip, start, stop):
            tables = sums[0][strip], sums[1][strip]
            for table in tables:
                table.fill(0)
            options = damping, previous, tables, q, peaks[strip], keep and width > 0 and damping == 0
            return loops.update(self.p, *self._lattices, blurred, start, stop, *options)

        divergences = in_strips(update, pixels, self._strips)
        for parts in sums:
            for other in parts[1:]:
                parts[0] += other
        return [parts[0] for parts in sums], peaks.max(0)[: self.labels.heard], q, sum(divergences)

    def _empty_tables(self, width: int) -> list[np.ndarray]:
        """For each kernel (threads, M+1, width), or (threads, 0, 0), not yet zero; the next call gives the same memory."""
        shapes = [(self._strips, kernel.count + 1 if width else 0, width) for kernel in self.kernels]
        return [flat[: math.prod(shape)].reshape(shape) for flat, shape in zip(self._sums, shapes, strict=True)]

    def _audible(self, peaks: np.ndarray) -> int:
        """So many columns hold all labels that somebody believes in enough to be heard; a multiple of 8."""
        if self.affinity is not None:
            return self.p.shape[1]
        above = np.flatnonzero(peaks > self.labels.quiet)
        return -(-(int(above.max(initial=0)) + 1) // LANES) * LANES

    def _messages(self) -> list[torch.Tensor]:
        """What the pixels read their messages off: blurred tables (M+1, columns), with weights and compatibility."""
        if self._blurred is None:
            both, few = len(self.kernels), torch.get_num_threads() < 4
            if few:  # one thread each
                blurred = in_strips(lambda number, *_: self._blur(number, strips=1), both, both)
            else:
                blurred = [self._blur(number) for number in range(both)]
            self._blurred = blurred if self.affinity is None else [table @ self.affinity for table in blurred]
        return self._blurred

    def _blur(self, number: int, strips: int | None = None) -> torch.Tensor:
        table = self._tables[number]
        spare = [flat[: table.numel()].reshape(table.shape) for flat in self._spare[number]]
        blurred = self.kernels[number].blur(table, self.weights[number], spare, strips)
        blurred.numpy()[:, self.labels.heard :] = 0  # the merged labels; NumPy, as PyTorch would wake its threads
        return blurred

    def _entropy(self) -> float:
        return super()._entropy() if self.damping else self._divergence

    def _agreement(self) -> float:
        pairs = zip(self._tables, self._messages(), strict=True)
        return sum(float(np.einsum("vk,vk->v", *pair).sum(dtype=np.float64)) for pair in pairs)
