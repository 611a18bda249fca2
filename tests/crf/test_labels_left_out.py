"""Labels that nobody would hear of: left out by a proven bound, dropped once they have lost, taken up again."""

import numpy as np
import pytest
import torch
from dense_crf_samples import blobs, photo, with_negligible_labels

from segdemo.crf import DenseCRF, dense_crf, meanfield


def without_shortcuts(monkeypatch, crf, p, **options):
    """Q with all labels filtered, however small their beliefs."""
    with monkeypatch.context() as patch:
        patch.setattr(meanfield, "INAUDIBLE", 0.0)
        assert crf.start(p, **options).labels.heard == len(p)
        return crf.infer(p, **options)


@pytest.mark.parametrize("compiled", [True, False])
def test_labels_that_cannot_win_are_not_filtered_and_nothing_changes(monkeypatch, compiled):
    image = photo("rocket", 0.4)
    p = with_negligible_labels(image.shape[:2], 3, 21, 5e-4)
    crf = DenseCRF(image, compiled=compiled)
    assert crf.start(p).labels.heard == 3
    fast, full = crf.infer(p), without_shortcuts(monkeypatch, crf, p)
    assert (fast - full).abs().max() < 1e-2
    assert (fast - full).abs().mean() < 1e-4
    assert torch.equal(fast.argmax(0), full.argmax(0))
    assert torch.allclose(fast.sum(0), torch.ones(image.shape[:2]), atol=1e-5)
    for q in (fast, full):  # the stated bound holds, filtered or not
        assert q[3:].max() < np.exp(meanfield.INAUDIBLE) * p[3:].max()


def test_neglected_messages_stay_below_the_stated_bound(monkeypatch):
    """Labels just below the limit, with all messages computed: beliefs and messages keep the promise."""
    image = photo("coffee", 0.2)
    crf, eps = DenseCRF(image), meanfield.INAUDIBLE
    limit = np.exp(-eps) * eps / crf._gain((3.0, 10.0))
    p = with_negligible_labels(image.shape[:2], 2, 4, 0.98 * limit)
    assert crf.start(p).labels.heard == 2
    for weak in (2, 3):
        messages = sum(w * k.filter(torch.as_tensor(p[weak]).reshape(-1, 1)) for w, k in zip((3, 10), crf._kernels))
        assert messages.max() < eps
    monkeypatch.setattr(meanfield, "INAUDIBLE", 0.0)
    for q in crf.mean_field(p, 4):
        assert q[2:].max() <= limit * np.exp(eps)


def test_labels_that_have_lost_are_no_longer_filtered(monkeypatch):
    """12 of 20 labels are plausible somewhere but win nowhere: after one update 8 columns suffice."""
    image = photo("chelsea", 0.5)
    p = with_negligible_labels(image.shape[:2], 8, 20, 1e-5)
    p[8:, :4, :4] = 0.006
    p /= p.sum(0)
    crf = DenseCRF(image)
    state = crf.start(p)
    assert state.labels.heard == 20 and state._tables[0].shape[1] == 24
    for _ in range(2):
        state.update()
        assert state._tables[0].shape[1] == state._tables[1].shape[1] == 8
    fast, full = crf.infer(p), without_shortcuts(monkeypatch, crf, p)
    assert (fast - full).abs().mean() < 1e-5 and (fast - full).abs().max() < 1e-2


def test_a_label_that_comes_back_is_filtered_again():
    image = photo("coffee", 0.1)
    p = blobs(image.shape[:2], 20, width=3)
    state = DenseCRF(image).start(p)
    state.labels.quiet = 1.0  # pretend that everybody is inaudible, then that nobody is
    state.update()
    assert state._tables[0].shape[1] == 8
    state.labels.quiet = 0.0
    state.update()
    columns = state._own >= 0
    labels = state._own[columns]
    assert sorted(labels) == list(range(20))
    for kernel, table in zip(state.kernels, state._tables, strict=True):
        assert torch.allclose(table[:, columns], kernel.splat(state.beliefs()[labels].T), atol=1e-3)


def test_a_rare_but_possible_label_survives():
    """A small object that one label claims weakly is still filtered, and can win by its colour."""
    image = np.full((60, 60, 3), 40, np.uint8)
    image[20:40, 20:40] = 220
    p = np.zeros((12, 60, 60), np.float32)
    p[0], p[1] = 0.99, 0.01
    p[0, 20:40, 20:40], p[1, 20:40, 20:40] = 0.45, 0.55
    q = dense_crf(image, p)
    assert np.array_equal(q.argmax(0) == 1, image[..., 0] == 220)
