"""Chains: the hidden Markov model and the linear-chain CRF, exact inference and training.

L. Rabiner, "A tutorial on hidden Markov models", Proc. IEEE 1989; J. Lafferty, A. McCallum & F. Pereira,
"Conditional random fields", ICML 2001. Both give a sequence of labels y_1..y_T the score of a path,

    generative       p(Y, X)  = prod_n p(y_n | y_n-1) p(x_n | y_n)
    discriminative   p(Y | X) = 1 / Z(X) exp sum_n [ w_(y_n) . f(x_n) + a(y_n-1, y_n) + b [y_n != y_n-1] s_n ]

and share the dynamic programs: forward-backward for marginals and Z, Viterbi for the best path. They differ in
what they are fitted to: the HMM counts, and models how pixels look; the CRF maximizes the conditional likelihood
of the labels, so that it may look at the likeness s_n of neighbouring pixels too, without modelling it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.optimize import minimize

from ..errors import ParameterError

_compiled = njit(cache=True, nogil=True)
_compiled_without_errors = njit(cache=True, nogil=True, error_model="numpy")  # 0 / 0 is NaN


class Potentials(NamedTuple):
    """Logarithmic scores of N chains of at most T steps with K labels.

    Attributes:
        initial: (K,) of the first label.
        transition: (K, K) of label pairs, row = before, column = after.
        switch: (N, T) added wherever a label differs from the one before it (entry 0 is unused).
        node: (N, T, K) of each label at each step.
        lengths: (N,) steps of each chain; what lies beyond is ignored.
    """

    initial: np.ndarray
    transition: np.ndarray
    switch: np.ndarray
    node: np.ndarray
    lengths: np.ndarray


class Marginals(NamedTuple):
    """What forward-backward finds.

    Attributes:
        node: (N, T, K) probability of each label at each step, 0 beyond a chain's end.
        pairs: (K, K) expected number of times each pair of labels follows one another, over all chains.
        switch: (N, T) probability that a step's label differs from the one before.
        log_z: (N,) the logarithm of the sum over all paths of exp(score).
    """

    node: np.ndarray
    pairs: np.ndarray
    switch: np.ndarray
    log_z: np.ndarray


def forward_backward(potentials: Potentials) -> Marginals:
    """Exact marginals of every chain, in time N T K^2 (float64).

    Raises ``ParameterError`` for scores that are not finite, or so far apart (hundreds of nats) that their
    exponentials vanish beside each other.
    """
    found = Marginals(*_forward_backward(*_prepared(potentials)))
    if not (np.isfinite(found.log_z).all() and np.isfinite(found.node).all()):
        raise ParameterError("The chain's scores lie too far apart for exact marginals: scale them down.")
    return found


def viterbi(potentials: Potentials) -> tuple[np.ndarray, np.ndarray]:
    """The best path of every chain, (N, T) int64 with -1 beyond its end, and its score (N,)."""
    return _viterbi(*_prepared(potentials))


def _prepared(p: Potentials) -> tuple[np.ndarray, ...]:
    arrays = [np.ascontiguousarray(values, np.float64) for values in p[:4]]
    if not all(np.isfinite(values).all() for values in arrays):
        raise ParameterError("The chain's scores must be finite numbers.")
    return (*arrays, np.asarray(p.lengths, np.int64))


@_compiled_without_errors
def _forward_backward(initial, transition, switch, node, lengths):
    chains, steps, labels = node.shape
    marginals, switched = np.zeros((chains, steps, labels)), np.zeros((chains, steps))
    pairs, log_z = np.zeros((labels, labels)), np.zeros(chains)
    peak = transition.max()
    moves = np.exp(transition - peak)
    forward, emitted, scale = np.empty((steps, labels)), np.empty((steps, labels)), np.empty(steps)
    backward, message, joint = np.empty(labels), np.empty(labels), np.empty((labels, labels))
    for c in range(chains):
        length = lengths[c]
        for t in range(length):  # scaled so that each step's forward message sums to 1
            highest = node[c, t].max()
            emitted[t] = np.exp(node[c, t] - highest)
            factor = np.exp(switch[c, t])
            total = 0.0
            for after in range(labels):
                if t == 0:
                    arriving = np.exp(initial[after] - initial.max())
                else:
                    arriving = 0.0
                    for before in range(labels):
                        move = moves[before, after] * (1.0 if before == after else factor)
                        arriving += forward[t - 1, before] * move
                forward[t, after] = arriving * emitted[t, after]
                total += forward[t, after]
            forward[t] /= total
            scale[t] = total
            log_z[c] += np.log(total) + highest + (peak if t > 0 else initial.max())
        backward[:] = 1.0
        for t in range(length - 1, -1, -1):
            marginals[c, t] = forward[t] * backward
            marginals[c, t] /= marginals[c, t].sum()
            if t == 0:
                break
            factor, total = np.exp(switch[c, t]), 0.0
            message[:] = 0.0
            for before in range(labels):
                for after in range(labels):
                    move = moves[before, after] * (1.0 if before == after else factor)
                    onward = move * emitted[t, after] * backward[after]
                    message[before] += onward
                    joint[before, after] = forward[t - 1, before] * onward
                    total += joint[before, after]
            for before in range(labels):
                for after in range(labels):
                    pairs[before, after] += joint[before, after] / total
                    if before != after:
                        switched[c, t] += joint[before, after] / total
            backward[:] = message / message.max()
    return marginals, pairs, switched, log_z


@_compiled
def _viterbi(initial, transition, switch, node, lengths):
    chains, steps, labels = node.shape
    paths, scores = np.full((chains, steps), -1), np.zeros(chains)
    came_from = np.zeros((steps, labels), np.int64)
    best, following = np.empty(labels), np.empty(labels)
    for c in range(chains):
        length = lengths[c]
        if length == 0:
            continue
        best[:] = initial + node[c, 0]
        for t in range(1, length):
            for after in range(labels):
                highest, origin = -np.inf, 0
                for before in range(labels):
                    score = best[before] + transition[before, after] + (switch[c, t] if before != after else 0.0)
                    if score > highest:
                        highest, origin = score, before
                following[after], came_from[t, after] = highest + node[c, t, after], origin
            best[:] = following
        label = best.argmax()
        scores[c] = best[label]
        for t in range(length - 1, -1, -1):
            paths[c, t] = label
            label = came_from[t, label]
    return paths, scores


# -- what they are fitted to ------------------------------------------------------------


class Runs(NamedTuple):
    """Labelled stretches of lines: features (N, T, D), labels (N, T) in 0..K-1, lengths (N,)."""

    features: np.ndarray
    labels: np.ndarray
    lengths: np.ndarray


def labelled_runs(features: np.ndarray, labels: np.ndarray) -> Runs:
    """Cut lines (R, T, D) with labels (R, T), -1 = unknown, into their contiguous labelled stretches.

    Raises ``ParameterError`` if nothing is labelled or a feature is not finite.
    """
    if not np.isfinite(features).all():
        raise ParameterError("The line's features must be finite numbers.")
    spans = []
    for row, line in enumerate(labels):
        edges = np.flatnonzero(np.diff(np.concatenate(([0], (line >= 0).astype(np.int8), [0]))))
        spans += [(row, start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True)]
    if not spans:
        raise ParameterError("Nothing is labelled here: choose lines that carry labels, or scribble on them.")
    longest = max(stop - start for _, start, stop in spans)
    out = Runs(
        np.zeros((len(spans), longest, features.shape[2])), np.zeros((len(spans), longest), np.int64), np.zeros(len(spans), np.int64)
    )  # fmt: skip
    for i, (row, start, stop) in enumerate(spans):
        out.features[i, : stop - start] = features[row, start:stop]
        out.labels[i, : stop - start] = labels[row, start:stop]
        out.lengths[i] = stop - start
    return out


def _inside(runs: Runs) -> np.ndarray:
    """(N, T) bool: the steps that exist."""
    return np.arange(runs.labels.shape[1]) < runs.lengths[:, None]


def _followers(runs: Runs) -> np.ndarray:
    """(N, T) bool: the steps that have one before them."""
    inside = _inside(runs)
    inside[:, 0] = False
    return inside


def count_pairs(runs: Runs, labels: int) -> np.ndarray:
    """(K, K) how often each label follows each."""
    after = _followers(runs)
    pairs = np.zeros((labels, labels))
    np.add.at(pairs, (np.roll(runs.labels, 1, axis=1)[after], runs.labels[after]), 1)
    return pairs


@dataclass
class HMM:
    """A hidden Markov model with Gaussian emissions.

    Attributes:
        initial: (K,) probabilities of the first label.
        transition: (K, K) p(y_n | y_n-1), rows sum to 1.
        means, covariances: (K, D), (K, D, D) of each label's features.
    """

    initial: np.ndarray
    transition: np.ndarray
    means: np.ndarray
    covariances: np.ndarray

    @classmethod
    def fit(cls, runs: Runs, labels: int, prior: float = 1.0, ridge: float = 1e-3) -> HMM:
        """Maximum likelihood by counting, with ``prior`` added to each count and ``ridge`` to each variance.

        A label that occurs less than twice gets the mean and covariance of all.
        """
        inside = _inside(runs)
        x, y = runs.features[inside], runs.labels[inside]
        first = np.bincount(runs.labels[:, 0], minlength=labels) + prior
        pairs = count_pairs(runs, labels) + prior
        means, covariances = [], []
        for label in range(labels):
            own = x[y == label] if (y == label).sum() > 1 else x
            means.append(own.mean(0))
            spread = own - own.mean(0)
            covariances.append(spread.T @ spread / len(own) + ridge * np.eye(x.shape[1]))
        return cls(first / first.sum(), pairs / pairs.sum(1, keepdims=True), np.array(means), np.array(covariances))

    def log_emission(self, features: np.ndarray) -> np.ndarray:
        """log p(x | y), (..., K), of features (..., D)."""
        scores = []
        for mean, covariance in zip(self.means, self.covariances, strict=True):
            factor = np.linalg.cholesky(covariance)
            whitened = np.linalg.solve(factor, (features - mean).reshape(-1, len(mean)).T)
            log_density = (
                -0.5 * (whitened**2).sum(0) - np.log(np.diag(factor)).sum() - 0.5 * len(mean) * np.log(2 * np.pi)
            )
            scores.append(log_density.reshape(features.shape[:-1]))
        return np.stack(scores, axis=-1)

    def potentials(self, features: np.ndarray, lengths: np.ndarray | None = None) -> Potentials:
        """Scores whose sum along a path is log p(Y, X), of features (N, T, D)."""
        lengths = np.full(len(features), features.shape[1]) if lengths is None else lengths
        switch = np.zeros(features.shape[:2])
        return Potentials(np.log(self.initial), np.log(self.transition), switch, self.log_emission(features), lengths)


def squared_steps(features: np.ndarray) -> np.ndarray:
    """|d_n|^2, (N, T): how far each step's features (N, T, D) are from those before; 0 for the first."""
    distance = np.zeros(features.shape[:2])
    distance[:, 1:] = (np.diff(features, axis=1) ** 2).sum(-1)
    return distance


def typical_step(runs: Runs) -> float:
    """The mean of |d_n|^2 over the runs, without what pads them; 0 where no step has one before it."""
    after = _followers(runs)
    return float(squared_steps(runs.features)[after].mean()) if after.any() else 0.0


def likeness(features: np.ndarray, typical: float) -> np.ndarray:
    """s_n in (0, 1], (N, T): how alike each step's features (N, T, D) are to those before, exp(-|d_n|^2 / (2 ``typical``))."""
    return np.exp(-squared_steps(features) / (2 * typical)) if typical > 0 else np.ones(features.shape[:2])


def quadratic(features: np.ndarray) -> np.ndarray:
    """1, x and all products of two: (..., D) -> (..., 1 + D + D (D + 1) / 2), what a Gaussian's logarithm is linear in."""
    depth = features.shape[-1]
    products = [features[..., i] * features[..., j] for i in range(depth) for j in range(i, depth)]
    return np.concatenate([np.ones((*features.shape[:-1], 1)), features, np.stack(products, -1)], axis=-1)


@dataclass
class LinearChainCRF:
    """A linear-chain CRF over ``quadratic`` features, standardized.

    Attributes:
        weights: (K, F) w of each label.
        transition: (K, K) a(before, after).
        contrast: b, what switching costs where neighbours are alike (usually negative).
        centre, spread: (D,) of the features that it was fitted to.
        typical: of ``likeness``, from the same features.
    """

    weights: np.ndarray
    transition: np.ndarray
    contrast: float
    centre: np.ndarray
    spread: np.ndarray
    typical: float

    def potentials(self, features: np.ndarray, lengths: np.ndarray | None = None) -> Potentials:
        """Scores whose sum along a path, less log Z, is log p(Y | X), of features (N, T, D)."""
        lengths = np.full(len(features), features.shape[1]) if lengths is None else lengths
        node = quadratic((features - self.centre) / self.spread) @ self.weights.T
        switch = self.contrast * likeness(features, self.typical)
        return Potentials(np.zeros(len(self.weights)), self.transition, switch, node, lengths)

    @classmethod
    def fit(cls, runs: Runs, labels: int, prior: float = 1.0, iterations: int = 60) -> LinearChainCRF:
        """Maximize sum log p(Y | X) - prior |theta|^2 / 2 by L-BFGS; the gradient is observed less expected counts.

        The penalty is on the weights of decorrelated features (their second moments are the identity), with which
        60 iterations get as far as several hundred do without.
        """
        inside = _inside(runs)
        centre, spread = runs.features[inside].mean(0), runs.features[inside].std(0) + 1e-6
        nodes = quadratic((runs.features - centre) / spread)
        moments = nodes[inside].T @ nodes[inside] / inside.sum()
        decorrelate = np.linalg.inv(np.linalg.cholesky(moments + 1e-6 * np.eye(len(moments)))).T
        typical = typical_step(runs)
        objective = Likelihood(runs, nodes @ decorrelate, likeness(runs.features, typical), labels, prior)
        found = minimize(
            objective, np.zeros(objective.size), jac=True, method="L-BFGS-B", options={"maxiter": iterations}
        )
        weights, transition, contrast = objective.unpack(found.x)
        return cls(weights @ decorrelate.T, transition, float(contrast), centre, spread, typical)


class Likelihood:
    """The negative penalized conditional log-likelihood and its gradient, as a function of one vector theta.

    Args:
        nodes: (N, T, F) features f(x_n). ``alike``: (N, T) likeness s_n.
    """

    def __init__(self, runs: Runs, nodes: np.ndarray, alike: np.ndarray, labels: int, prior: float):
        self.runs, self.nodes, self.alike, self.labels, self.prior = runs, nodes, alike, labels, prior
        self.inside, self.after = _inside(runs), _followers(runs)
        own = np.eye(labels)[runs.labels] * self.inside[..., None]  # (N, T, K)
        self.observed_nodes = np.einsum("ntk,ntf->kf", own, nodes)
        self.observed_pairs = count_pairs(runs, labels)
        switched = (runs.labels != np.roll(runs.labels, 1, axis=1)) & self.after
        self.observed_switch = float((switched * alike).sum())

    @property
    def size(self) -> int:
        return self.labels * self.nodes.shape[2] + self.labels**2 + 1

    def unpack(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        first, second = self.labels * self.nodes.shape[2], self.labels**2
        return (
            theta[:first].reshape(self.labels, -1), theta[first : first + second].reshape(self.labels, self.labels), theta[-1]
        )  # fmt: skip

    def __call__(self, theta: np.ndarray) -> tuple[float, np.ndarray]:
        weights, transition, contrast = self.unpack(theta)
        potentials = Potentials(
            np.zeros(self.labels), transition, contrast * self.alike, self.nodes @ weights.T, self.runs.lengths
        )
        expected = forward_backward(potentials)
        score = (self.observed_nodes * weights).sum() + (self.observed_pairs * transition).sum()
        score += contrast * self.observed_switch - expected.log_z.sum()
        gradient = np.concatenate([
            (self.observed_nodes - np.einsum("ntk,ntf->kf", expected.node, self.nodes)).ravel(),
            (self.observed_pairs - expected.pairs).ravel(),
            [self.observed_switch - (expected.switch * self.alike * self.after).sum()],
        ])  # fmt: skip
        return -(score - 0.5 * self.prior * theta @ theta), -(gradient - self.prior * theta)
