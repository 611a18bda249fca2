"""A dense CRF term by term: the unary alone, with either kernel, with both; and what each labelling costs.

The energy of the labels x of N pixels (Krahenbuhl & Koltun, NIPS 2011; ``segdemo.crf.dense``),

    E(x) = sum_i -log p_i(x_i)  +  sum_(i<j) [x_i != x_j] w_s k_s(i, j)  +  sum_(i<j) [x_i != x_j] w_b k_b(i, j),

is taken of all four results with all its terms, also of those that were found without some of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from ..crf.dense import DenseCRF
from ..crf.refine import RefinementParams, photo_crf
from ..method import Run
from .beliefs import clipped, network_probabilities

VARIANTS = (
    ("unary only", False, False),
    ("unary + spatial", True, False),
    ("unary + bilateral", False, True),
    ("unary + spatial + bilateral", True, True),
)
"""Title, and whether the spatial and the bilateral kernel take part."""


@dataclass(frozen=True)
class Energy:
    """The three terms of E(x), in nats per pixel."""

    unary: float
    spatial: float
    bilateral: float

    @property
    def total(self) -> float:
        return self.unary + self.spatial + self.bilateral


@dataclass(frozen=True)
class TermsResult:
    """Mean field with some of the terms.

    Attributes:
        beliefs: (K, h, w) float32. ``labels``: (h, w), their maximum.
        energy: of ``labels``, under the full energy.
        free_energy: of ``beliefs``, under the full energy, in nats per pixel: what mean field with all terms minimizes.
        changed: the part of the pixels whose label is not the network's.
    """

    title: str
    beliefs: np.ndarray
    labels: np.ndarray
    energy: Energy
    free_energy: float
    changed: float


def gibbs_energy(crf: DenseCRF, labels: np.ndarray, probabilities: np.ndarray, weights: tuple[float, float]) -> Energy:
    """E(x) of (h, w) labels x with all three terms, in nats per pixel.

    Args:
        probabilities: (K, h, w), the unary term's p. ``weights``: (spatial, bilateral).

    The free energy of certain beliefs is the Gibbs energy, as their entropy is 0. With a unary term that prefers
    nothing, and only the labels that occur, it gives the pairwise terms one by one, and at little cost.
    """
    used, numbers = np.unique(labels, return_inverse=True)
    certain = torch.nn.functional.one_hot(torch.from_numpy(numbers.reshape(labels.shape)), len(used))
    certain = certain.permute(2, 0, 1).to(crf.device, torch.float32)
    even = torch.full_like(certain, 1 / len(used))
    spatial, bilateral = (
        crf.free_energy(certain, even, *alone) - math.log(len(used)) for alone in ((weights[0], 0), (0, weights[1]))
    )
    unary = -np.log(np.take_along_axis(clipped(probabilities), np.asarray(labels)[None], 0)).mean()
    return Energy(float(unary), spatial, bilateral)


def crf_terms(image: np.ndarray, run: Run, network: str, **values) -> list[TermsResult]:
    """The lesson on an (h, w, 3) uint8 photo: one result for each of ``VARIANTS``, in their order.

    ``values`` are fields of ``RefinementParams``; ``ParameterError`` for a wrong one.
    """
    params = RefinementParams.parse(values)
    weights = params.crf_spatial_weight, params.crf_bilateral_weight
    run.step(0.05, "the network's beliefs")
    p = network_probabilities(image, run, network)
    run.step(0.2, "building the lattices")
    crf = photo_crf(image, run, params)
    unary = torch.from_numpy(clipped(p)).to(crf.device)
    results = []
    for number, (title, *taking_part) in enumerate(VARIANTS):
        run.step(0.3 + 0.7 * number / len(VARIANTS), title)
        own = [weight * part for weight, part in zip(weights, taking_part, strict=True)]
        q = crf.infer(p, params.crf_iterations, *own) if any(taking_part) else unary
        beliefs, labels = q.cpu().numpy(), q.argmax(0).cpu().numpy()
        changed = float((q.argmax(0) != unary.argmax(0)).float().mean())
        energy = gibbs_energy(crf, labels, p, weights)
        free_energy = crf.free_energy(q, p, *weights)
        results.append(TermsResult(title, beliefs, labels, energy, free_energy, changed))
    return results
