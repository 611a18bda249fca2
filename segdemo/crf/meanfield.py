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
from functools import cached_property

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
    """Probabilities, and which labels nobody would hear of.

    With Potts compatibility, messages are at least 0 and at most ``gain`` times the label's largest belief, so that
    Q(l) <= p(l) exp(gain max Q(l)) at every update. By induction, if gain max p(l) e^eps <= eps, then always

        Q(l) <= p(l) e^eps    and    0 <= messages(l) <= eps        with eps = ``INAUDIBLE``.

    Those labels get no messages, and share one column of ``merged``. They can win nowhere if max p(l) e^eps < 1/K, which is
    required as well. Any other compatibility keeps all labels apart (``gain`` None).

    Args:
        p: (K, N) float32, checked here: ``ParameterError`` unless >= 0 and summing to 1.
        gain: returns the largest message there can be, if all pixels believe the same; may cost a filter.

    Attributes:
        heard: A, the number of labels with a column of their own.
        order: (K,) the labels, the largest max p(l) first: A that are heard, then the others.
        columns: (K,) the column of each label in ``merged``, 0..A-1 or A.
        peaks: (A,) the largest p in each column.
        quiet: what nobody believes in more than this is inaudible.
        merged: (N, A or A+1) rows that sum to 1: the A labels, and the sum of the others (if there are any).
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
        self.order = order
        self.columns = np.empty(len(p), np.int64)
        self.columns[order] = np.minimum(np.arange(len(p)), self.heard)
        self.peaks = peaks[order[: self.heard]]

    @cached_property
    def merged(self) -> torch.Tensor:
        """See the head of the class; compiled loops do without."""
        clipped = self.p.clamp(min=CLIP)
        columns = torch.as_tensor(self.columns, device=self.p.device)
        rows = torch.zeros(int(self.columns.max()) + 1, self.p.shape[1], device=self.p.device)
        return rows.index_add_(0, columns, clipped / clipped.sum(0)).T.contiguous()

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

    def unfold(self, q: torch.Tensor) -> torch.Tensor:
        """Beliefs (K, N) of all labels, of q (N, W): merged labels share theirs in proportion to p."""
        clipped = self.p.clamp(min=CLIP)
        return clipped / clipped.sum(0) * (q / self.merged)[:, torch.as_tensor(self.columns)].T


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
        self.ceiling, self.affinity = 1.0, None
        if compatibility is not None:
            columns, width = labels.order, self._width
            self.ceiling, affinity = float(compatibility.max()), np.zeros((width, width), np.float32)
            affinity[: len(columns), : len(columns)] = self.ceiling - compatibility[np.ix_(columns, columns)]
            self.affinity = torch.as_tensor(affinity, device=labels.p.device)
        self._begin()

    @property
    def _width(self) -> int:
        """The number of columns that messages have at first."""
        return self.labels.heard

    def _begin(self) -> None:
        self.q, self._heard = self.labels.merged, None

    def update(self, keep: bool = True) -> None:
        """Let every pixel hear the others.

        Without ``keep`` there are no ``beliefs`` afterwards; where loops are compiled, that saves time.
        """
        messages = self._messages()
        q = self.labels.merged * (messages - messages.amax(1, keepdim=True)).exp()
        q = q / q.sum(1, keepdim=True)
        self.q, self._heard = torch.lerp(q, self.q, self.damping), None

    def finish(self) -> torch.Tensor:
        """Q, (K, N), after one more update, the last: nothing else may be called afterwards."""
        self.update()
        return self.beliefs()

    def beliefs(self) -> torch.Tensor:
        """Q, (K, N)."""
        return self.labels.unfold(self.q)

    def free_energy(self) -> float:
        """F(Q) in nats per pixel."""
        prices = [weight * self.ceiling * kernel.mass for weight, kernel in zip(self.weights, self.kernels)]
        return (self._entropy() + 0.5 * (sum(prices) - self._agreement())) / self.labels.p.shape[1]

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
        return float(torch.xlogy(self.q, self.q / self.labels.merged).sum(1).double().sum())

    def _agreement(self) -> float:
        """sum_i sum_l Q_i(l) m_i(l)."""
        return float((self.q * self._messages()).sum(1).double().sum())


class CompiledMeanField(MeanField):
    """The same in one pass over the pixels per update: between two passes there are only vertex tables.

    As the filter is S B S^T (slice, blur, splat), sum_i Q_i . m_i = (S^T Q) . (B S^T Q) is a sum over vertices,
    and compatibilities act on vertices too.

    With Potts compatibility, a label that no pixel believes in with more than quiet = ``INAUDIBLE`` / gain sends
    messages below ``INAUDIBLE`` in the next update. Only the others have a column in the tables: most labels lose in
    the first update. Should one come back, the pass that it came back in is done again for all.
    """

    @property
    def _width(self) -> int:
        return len(_padded(self.labels.order[: self.labels.heard]))

    def _begin(self) -> None:
        self._p, heard = self.labels.p.numpy(), self.labels.order[: self.labels.heard]
        arrays = [(kernel.vertices.numpy().view(np.uint32), kernel.weights.numpy()) for kernel in self.kernels]
        self._lattices = tuple(array.reshape(-1) for pair in arrays for array in pair)
        self._strips = min(kernel.strips for kernel in self.kernels)
        self._make_room()
        self._narrows = self.affinity is None and not self.damping  # whether inaudible labels lose their columns
        self._own = _padded(heard[self.labels.peaks > self.labels.quiet] if self._narrows else heard)
        self._divergence = 0.0  # of q from p
        self._collect(self._splat_first(), self._own)
        self._rows = self._first_rows() if self.damping else _NO_ROWS

    def _make_room(self) -> None:
        """For each kernel a table per thread, and two to blur in.

        New memory costs more time than arithmetic. So all of it is where the last update will put its beliefs, but for
        the tables that it reads from: of each pair of ``_spare`` the one that the last axis is blurred into.
        """
        sizes = [(kernel.count + 1) * self._width for kernel in self.kernels]
        needed = [self._strips * size for size in sizes] + sizes
        self._room = np.empty(max(sum(needed), self._p.size), np.float32)
        *self._sums, first, second, _ = np.split(self._room, np.cumsum(needed))
        pairs = zip((first, second), np.split(np.empty(sum(sizes), np.float32), sizes[:1]), strict=True)
        odd = [len(kernel.neighbours) % 2 for kernel in self.kernels]
        self._spare = [pair[::-1] if last else pair for pair, last in zip(pairs, odd, strict=True)]

    def update(self, keep: bool = True) -> None:
        own, heard = self._own, self.labels.order[: self.labels.heard]
        while True:
            rows = self._empty_rows(own) if keep or self.damping else _NO_ROWS
            sums, peaks, self._divergence = self._pass(own, rows)
            missing = np.setdiff1d(heard, own)
            if not self._narrows or not len(missing) or peaks[-1] <= self.labels.quiet:
                break
            own = _padded(np.concatenate([own[own >= 0], missing]))  # one came back: again for all
        self._rows, loud = rows, own
        if self._narrows:
            loud = _padded(own[(own >= 0) & (peaks[:-1] > self.labels.quiet)])
        self._collect(sums, own, loud)

    def finish(self) -> torch.Tensor:
        beliefs = self._room[: self._p.size].reshape(self._p.shape)
        self._pass(self._own, _NO_ROWS, beliefs)
        return torch.from_numpy(beliefs)

    def beliefs(self) -> torch.Tensor:
        own, q, shares = self._rows if len(self._rows[0]) else self._first_rows()
        beliefs, unary = np.empty(self._p.shape, np.float32), self._unary(own)
        in_strips(lambda _, *ends: loops.unfold(q, shares, unary, *ends, beliefs), len(q))
        return torch.from_numpy(beliefs)

    def _unary(self, own: np.ndarray) -> tuple:
        """What the loops want to know about p if ``own`` are the labels with a column."""
        return self._p, own, np.setdiff1d(np.arange(len(self._p)), own), np.float32(CLIP)

    def _empty_rows(self, own: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """``own`` and room for q, (N, W), and shares, (N,), see ``updates``; the same memory again if it fits."""
        pixels = self._p.shape[1]
        if self._rows[1].shape == (pixels, len(own)):
            return own, *self._rows[1:]
        return own, np.empty((pixels, len(own)), np.float32), np.empty(pixels, np.float32)

    def _first_rows(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        self._rows = _NO_ROWS
        own, q, shares = self._empty_rows(self._own)
        in_strips(lambda _, *ends: loops.first_rows(self._unary(own), *ends, q, shares), len(q))
        return own, q, shares

    def _splat_first(self) -> list[np.ndarray]:
        sums, unary = self._empty_tables(len(self._own)), self._unary(self._own)

        def splat(strip, start, stop):
            loops.splat_first(unary, self._lattices, start, stop, _zeroed(sums, strip))

        in_strips(splat, self._p.shape[1], self._strips)
        return sums

    def _pass(self, own: np.ndarray, rows: tuple, beliefs: np.ndarray | None = None):
        """One update: for each kernel the threads' tables (strips, M+1, W), the columns' peaks, q's divergence from p.

        q goes to ``rows``, or to ``beliefs`` (K, N) and nowhere else.
        """
        last = beliefs is not None
        sums = self._empty_tables(0 if last else len(own))
        beliefs = beliefs if last else np.empty((0, 0), np.float32)
        blurred, unary = tuple(table.numpy() for table in self._messages()), self._unary(own)
        peaks = np.zeros((self._strips, len(own) + 1), np.float32)
        options = np.float32(self.damping), self._rows[1:], rows[1:], beliefs, len(rows[1]) > 0 and not self.damping

        def update(strip, start, stop):
            tables = _zeroed(sums, strip)
            return loops.update(unary, self._lattices, blurred, start, stop, tables, peaks[strip], *options)

        divergences = in_strips(update, self._p.shape[1], self._strips)
        return sums, peaks.max(0), sum(divergences)

    def _empty_tables(self, width: int) -> list[np.ndarray]:
        """For each kernel (threads, M+1, width), or (threads, 0, 0), not yet zero; the next call gives the same memory."""
        shapes = [(self._strips, kernel.count + 1 if width else 0, width) for kernel in self.kernels]
        return [flat[: math.prod(shape)].reshape(shape) for flat, shape in zip(self._sums, shapes, strict=True)]

    def _collect(self, sums: list[np.ndarray], own: np.ndarray, loud: np.ndarray | None = None) -> None:
        """Make the threads' tables one, with the columns of the labels ``loud`` if those are fewer than ``own``."""
        narrower = loud is not None and len(loud) < len(own)
        columns = [np.flatnonzero(own == label)[0] if label >= 0 else -1 for label in loud] if narrower else []

        def add(number, *_):
            parts = sums[number]
            if narrower:
                table = np.empty((parts.shape[1], len(columns)), np.float32)
                loops.collect(parts, np.array(columns), table)
                return torch.from_numpy(table)
            for other in parts[1:]:
                parts[0] += other
            return torch.from_numpy(parts[0])

        self._tables = in_strips(add, len(sums), len(sums))
        self._own, self._blurred = loud if narrower else own, None

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
        return self.kernels[number].blur(table, self.weights[number], spare, strips)

    def _entropy(self) -> float:
        if not self.damping:
            return self._divergence
        q, p = self.beliefs(), self.labels.p.clamp(min=CLIP)
        return float(torch.xlogy(q, q / (p / p.sum(0))).sum(0).double().sum())

    def _agreement(self) -> float:
        pairs = zip(self._tables, self._messages(), strict=True)
        return sum(float(np.einsum("vk,vk->v", *pair).sum(dtype=np.float64)) for pair in pairs)


_NO_ROWS = np.empty(0, np.int64), np.empty((0, 0), np.float32), np.empty(0, np.float32)


def _padded(labels: np.ndarray) -> np.ndarray:
    """The labels (int64) and -1 up to a multiple of 8 columns, which suits vector instructions."""
    return np.pad(labels, (0, -len(labels) % LANES if len(labels) else LANES), constant_values=-1)


def _zeroed(sums: list[np.ndarray], strip: int) -> tuple[np.ndarray, ...]:
    """A thread's tables out of (strips, M+1, W) for each kernel, filled with zeros."""
    tables = tuple(parts[strip] for parts in sums)
    for table in tables:
        table.fill(0)
    return tables
