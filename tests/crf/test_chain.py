"""Chains: dynamic programs against enumeration, the HMM against hmmlearn, the CRF against crfsuite and finite differences."""

import itertools

import numpy as np
import pytest

from segdemo.crf.chain import (
    HMM,
    Likelihood,
    LinearChainCRF,
    Potentials,
    Runs,
    forward_backward,
    labelled_runs,
    likeness,
    quadratic,
    typical_step,
    viterbi,
)
from segdemo.errors import ParameterError


def random_potentials(chains=3, steps=5, labels=3, seed=0):
    rng = np.random.default_rng(seed)
    lengths = np.array([steps, steps - 2, 1][:chains])
    return Potentials(
        rng.normal(size=labels), rng.normal(size=(labels, labels)), rng.normal(size=(chains, steps)),
        3 * rng.normal(size=(chains, steps, labels)), lengths,
    )  # fmt: skip


def path_score(p, chain, path):
    score = p.initial[path[0]] + p.node[chain, 0, path[0]]
    for t in range(1, len(path)):
        score += p.transition[path[t - 1], path[t]] + p.node[chain, t, path[t]]
        score += p.switch[chain, t] * (path[t] != path[t - 1])
    return score


@pytest.mark.parametrize("labels, steps", [(2, 6), (3, 5), (1, 4)])
def test_everything_against_enumeration(labels, steps):
    p = random_potentials(steps=steps, labels=labels)
    found, (paths, scores) = forward_backward(p), viterbi(p)
    pairs = np.zeros((labels, labels))
    for chain, length in enumerate(p.lengths):
        every = list(itertools.product(range(labels), repeat=int(length)))
        weights = np.exp([path_score(p, chain, path) for path in every])
        assert found.log_z[chain] == pytest.approx(np.log(weights.sum()))
        best = every[int(weights.argmax())]
        assert tuple(paths[chain, :length]) == best and (paths[chain, length:] == -1).all()
        assert scores[chain] == pytest.approx(path_score(p, chain, best))
        marginals, switched = np.zeros((steps, labels)), np.zeros(steps)
        for path, weight in zip(every, weights / weights.sum(), strict=True):
            for t, label in enumerate(path):
                marginals[t, label] += weight
                if t:
                    pairs[path[t - 1], label] += weight
                    switched[t] += weight * (path[t - 1] != label)
        np.testing.assert_allclose(found.node[chain], marginals, atol=1e-12)
        np.testing.assert_allclose(found.switch[chain], switched, atol=1e-12)
    np.testing.assert_allclose(found.pairs, pairs, atol=1e-12)


def test_long_chains_with_large_scores_neither_overflow_nor_vanish():
    p = random_potentials(chains=1, steps=2000, labels=4)
    p = p._replace(node=300 * p.node, lengths=np.array([2000]))
    found = forward_backward(p)
    assert np.isfinite(found.log_z).all()
    np.testing.assert_allclose(found.node.sum(-1), 1)


def markov_lines(lines=20, steps=60, seed=0):
    """Labels from a chain that likes to stay, features with a Gaussian per label."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((lines, steps), np.int64)
    for row in labels:
        row[0] = rng.integers(3)
        for t in range(1, steps):
            row[t] = row[t - 1] if rng.random() < 0.9 else rng.integers(3)
    centres = np.array([[0.0, 0], [2, 1], [-1, 2]])
    return centres[labels] + rng.normal(size=(lines, steps, 2)), labels


def test_hmm_agrees_with_hmmlearn():
    from hmmlearn.hmm import GaussianHMM

    features, labels = markov_lines()
    ours = HMM.fit(labelled_runs(features, labels), 3)
    theirs = GaussianHMM(3, covariance_type="full")
    theirs.startprob_, theirs.transmat_ = ours.initial, ours.transition
    theirs.means_, theirs.covars_ = ours.means, ours.covariances
    potentials = ours.potentials(features)
    found, (paths, scores) = forward_backward(potentials), viterbi(potentials)
    for row in range(3):
        log_z, marginals = theirs.score_samples(features[row])
        assert found.log_z[row] == pytest.approx(log_z)
        np.testing.assert_allclose(found.node[row], marginals, atol=1e-9)
        best, path = theirs.decode(features[row])
        assert scores[row] == pytest.approx(best)
        np.testing.assert_array_equal(paths[row], path)


def test_hmm_counts():
    features = np.array([[[0.0], [1], [2], [3]]])
    model = HMM.fit(labelled_runs(features, np.array([[0, 0, 1, 1]])), 2, prior=0.0, ridge=0.0)
    np.testing.assert_allclose(model.transition, [[0.5, 0.5], [0, 1]])
    np.testing.assert_allclose(model.initial, [1, 0])
    np.testing.assert_allclose(model.means, [[0.5], [2.5]])
    np.testing.assert_allclose(model.covariances, [[[0.25]], [[0.25]]])


def test_training_beats_the_hmm_at_its_own_labels():
    """On the lines it was fitted to, the CRF gives the labels a higher conditional likelihood than the HMM does."""
    features, labels = markov_lines(lines=8)
    runs = labelled_runs(features, labels)
    likelihoods = []
    for model in (HMM.fit(runs, 3), LinearChainCRF.fit(runs, 3)):
        p = model.potentials(features)
        given = sum(path_score(p, row, labels[row]) for row in range(len(labels)))
        likelihoods.append(given - forward_backward(p).log_z.sum())
    assert likelihoods[1] > likelihoods[0] + 1


def test_training_has_converged_where_the_gradient_vanishes():
    features, labels = markov_lines(lines=8)
    runs = labelled_runs(features, labels)
    model = LinearChainCRF.fit(runs, 3, prior=1e-3)
    nodes = quadratic((runs.features - model.centre) / model.spread)
    objective = Likelihood(runs, nodes, likeness(runs.features, model.typical), 3, prior=0.0)
    theta = np.concatenate([model.weights.ravel(), model.transition.ravel(), [model.contrast]])
    _, gradient = objective(theta)
    assert np.abs(gradient).max() < 0.01 * labels.size


def test_the_objective_is_the_likelihood_of_the_labels_less_its_penalty():
    features, labels = markov_lines(lines=3, steps=8)
    labels[0, 3], labels[2, 0] = -1, -1  # runs of different lengths
    runs = labelled_runs(features, labels)
    alike = likeness(runs.features, typical_step(runs))
    nodes = quadratic(runs.features)
    objective = Likelihood(runs, nodes, alike, 3, prior=0.3)
    theta = np.random.default_rng(0).normal(size=objective.size)
    weights, transition, contrast = objective.unpack(theta)
    p = Potentials(np.zeros(3), transition, contrast * alike, nodes @ weights.T, runs.lengths)
    given = sum(path_score(p, row, runs.labels[row, : runs.lengths[row]]) for row in range(len(runs.lengths)))
    expected = given - forward_backward(p).log_z.sum() - 0.15 * (theta**2).sum()
    assert objective(theta)[0] == pytest.approx(-expected)


def test_likeness_falls_with_the_squared_step():
    features = np.array([[[0.0, 0], [3, 4], [3, 4]]])
    np.testing.assert_allclose(likeness(features, 10.0), [[1, np.exp(-25 / 20), 1]])


def test_a_label_seen_once_looks_like_all():
    features = np.array([[[0.0], [1], [2], [9]]])
    model = HMM.fit(labelled_runs(features, np.array([[0, 0, 0, 1]])), 2, ridge=0.0)
    np.testing.assert_allclose(model.means, [[1], [3]])
    np.testing.assert_allclose(model.covariances[1], [[features.var()]])


def test_gradient_of_the_likelihood():
    features, labels = markov_lines(lines=3, steps=8)
    labels[0, 3] = -1  # runs of different lengths
    runs = labelled_runs(features, labels)
    alike = likeness(runs.features, typical_step(runs))
    objective = Likelihood(runs, quadratic(runs.features), alike, 3, prior=0.3)
    theta = np.random.default_rng(0).normal(size=objective.size)
    _, gradient = objective(theta)
    for i in range(objective.size):
        step = np.zeros(objective.size)
        step[i] = 1e-5
        assert gradient[i] == pytest.approx((objective(theta + step)[0] - objective(theta - step)[0]) / 2e-5, abs=1e-4)


def test_crf_agrees_with_crfsuite(tmp_path):
    """The same features and penalty; crfsuite's c2 is half of ours, and it knows no likeness."""
    import pycrfsuite

    features, labels = markov_lines(lines=6, steps=30)
    runs = labelled_runs(features, labels)
    nodes = quadratic((features - features.min()) / 4)  # crfsuite drops features whose values sum to less than nothing
    objective = Likelihood(runs, nodes, np.zeros(labels.shape), 3, prior=1.0)
    from scipy.optimize import minimize

    weights, transition, contrast = objective.unpack(
        minimize(
            objective, np.zeros(objective.size), jac=True, method="L-BFGS-B", options={"maxiter": 500, "ftol": 1e-12}
        ).x
    )
    assert contrast == 0
    trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
    trainer.set_params(
        {
            "c1": 0,
            "c2": 0.5,
            "feature.possible_states": 1,
            "feature.possible_transitions": 1,
            "max_iterations": 2000,
            "epsilon": 1e-9,
            "delta": 1e-12,
        }
    )
    items = [[{str(i): float(v) for i, v in enumerate(step)} for step in line] for line in nodes]
    for line, own in zip(items, labels, strict=True):
        trainer.append(pycrfsuite.ItemSequence(line), [str(label) for label in own])
    trainer.train(str(tmp_path / "model"))
    tagger = pycrfsuite.Tagger()
    tagger.open(str(tmp_path / "model"))
    found = forward_backward(
        Potentials(np.zeros(3), transition, np.zeros(labels.shape), nodes @ weights.T, runs.lengths)
    )
    paths, _ = viterbi(Potentials(np.zeros(3), transition, np.zeros(labels.shape), nodes @ weights.T, runs.lengths))
    for row in range(2):
        tagger.set(pycrfsuite.ItemSequence(items[row]))
        assert [int(label) for label in tagger.tag()] == paths[row].tolist()
        theirs = [[tagger.marginal(str(k), t) for k in range(3)] for t in range(30)]
        np.testing.assert_allclose(found.node[row], theirs, atol=5e-3)


def test_likeness_lets_the_crf_switch_at_edges_only():
    """Two labels that look alike on average, but change where the features jump: only the CRF can use that."""
    rng = np.random.default_rng(0)
    labels = np.repeat(rng.integers(0, 2, (40, 6)), 10, axis=1)
    features = (np.repeat(rng.normal(0, 3, (40, 6)), 10, axis=1) + rng.normal(0, 0.1, labels.shape))[..., None]
    crf = LinearChainCRF.fit(labelled_runs(features, labels), 2)
    assert crf.contrast < -1
    hmm = HMM.fit(labelled_runs(features, labels), 2)
    scores = []
    for model in (hmm, crf):
        edge = forward_backward(model.potentials(features)).switch[:, 10::10].mean()
        inner = forward_backward(model.potentials(features)).switch[:, 5::10].mean()
        scores.append(edge / inner)
    assert scores[1] > 5 * scores[0]


def test_unknown_labels_cut_lines_into_runs():
    labels = np.array([[0, 1, -1, 1, 1], [-1, -1, -1, -1, -1]])
    runs = labelled_runs(np.arange(10.0).reshape(2, 5, 1), labels)
    assert runs.lengths.tolist() == [2, 2] and runs.labels.tolist() == [[0, 1], [1, 1]]
    assert runs.features[1, :, 0].tolist() == [3, 4]
    assert isinstance(runs, Runs)


def test_bad_input_is_explained():
    with pytest.raises(ParameterError, match="Nothing is labelled"):
        labelled_runs(np.zeros((1, 3, 1)), np.full((1, 3), -1))
    with pytest.raises(ParameterError, match="finite"):
        labelled_runs(np.full((1, 3, 1), np.nan), np.zeros((1, 3), int))
    with pytest.raises(ParameterError, match="finite"):
        forward_backward(random_potentials()._replace(node=np.full((3, 5, 3), np.inf)))


@pytest.mark.parametrize("model", [HMM, LinearChainCRF])
def test_limits(model):
    """One label, one pixel, a constant line: certain, not broken."""
    for shape in ((1, 1), (1, 30), (4, 3)):
        features = np.full((*shape, 3), 0.5)
        fitted = model.fit(labelled_runs(features, np.zeros(shape, int)), 1)
        np.testing.assert_allclose(forward_backward(fitted.potentials(features)).node, 1)
    assert (likeness(np.ones((2, 5, 3)), 0.0) == 1).all()


def test_likeness_is_measured_with_one_scale_in_training_and_after():
    """What pads short runs has no steps of its own."""
    rng = np.random.default_rng(0)
    labels = np.full((3, 40), -1)
    labels[0], labels[1, :5], labels[2, 7:9] = rng.integers(0, 2, 40), 0, 1
    features = 50 + rng.normal(0, 1, (3, 40, 2))
    runs = labelled_runs(features, labels)
    steps = [
        ((features[row, a + 1 : b] - features[row, a : b - 1]) ** 2).sum(-1)
        for row, a, b in ((0, 0, 40), (1, 0, 5), (2, 7, 9))
    ]
    assert typical_step(runs) == pytest.approx(np.concatenate(steps).mean())
    model = LinearChainCRF.fit(runs, 2)
    assert model.typical == typical_step(runs)
    np.testing.assert_allclose(model.potentials(features).switch, model.contrast * likeness(features, model.typical))


def test_scores_too_far_apart_for_exact_marginals_are_refused():
    apart = np.array([[0.0, -1000.0], [-1000.0, 0.0]])
    potentials = Potentials(np.zeros(2), apart, np.zeros((1, 2)), 2 * apart[None] * [[[1], [1]]], np.array([2]))
    with pytest.raises(ParameterError, match="too far apart"):
        forward_backward(potentials)
