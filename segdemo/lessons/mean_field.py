"""Mean field iteration by iteration: score map and belief map of each class, as in DeepLab's figure 5.

L.-C. Chen et al., "DeepLab: Semantic image segmentation with deep convolutional nets, atrous convolution, and fully
connected CRFs", PAMI 2017, fig. 5: the score is the softmax's input, the belief its output. A softmax's input is known
up to a constant only; here it is the class's against all others, ln q / (1 - q), whose sigmoid is the belief q.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..crf.refine import RefinementParams, photo_crf
from ..image import fit
from ..labels import VOC21
from ..method import Run
from .beliefs import network_probabilities, reduced

MAP_SIZE = 288
"""Long side, in pixels, of the maps."""

MOST_CLASSES = 6
LEAST_BELIEF = 0.1


@dataclass
class MeanFieldFilm:
    """Every iteration, from the network's output (0) on.

    Attributes:
        classes: C classes of VOC-21, see ``leading_classes``.
        image: (h, w, 3) uint8, the photo at the size of the maps.
        beliefs: (T+1, C, h, w) float32, each class's belief.
        free_energy: T+1, in nats per pixel; mean field lowers it.
        change: T+1, mean over the pixels of sum_l |Q_t(l) - Q_t-1(l)| / 2, the belief that moved; 0 for the first.
        turned: T+1, the part of the pixels whose label differs from the network's.
    """

    classes: list[int]
    image: np.ndarray
    beliefs: np.ndarray
    free_energy: list[float]
    change: list[float]
    turned: list[float]

    @property
    def names(self) -> list[str]:
        return [VOC21.names[k] for k in self.classes]


def mean_field_film(image: np.ndarray, run: Run, network: str, **values) -> MeanFieldFilm:
    """The lesson on an (h, w, 3) uint8 photo; ``values`` are fields of ``RefinementParams``."""
    params = RefinementParams.parse(values)
    weights = params.crf_spatial_weight, params.crf_bilateral_weight
    run.step(0.05, "the network's beliefs")
    p = network_probabilities(image, run, network)
    run.step(0.15, "building the lattices")
    crf = photo_crf(image, run, params)
    small = fit(image, MAP_SIZE)
    films, energy, change, turned, labels = [], [], [], [], []
    before = None
    for iteration, (beliefs, free_energy) in enumerate(crf.descend(p, params.crf_iterations, *weights)):
        run.step(0.2 + 0.8 * iteration / params.crf_iterations, f"mean field {iteration} of {params.crf_iterations}")
        energy.append(free_energy())
        q = beliefs()
        change.append(0.0 if before is None else 0.5 * float((q - before).abs().sum(0).mean()))
        labels.append(q.argmax(0).cpu().numpy())
        turned.append(float((labels[-1] != labels[0]).mean()))
        films.append(reduced(q.cpu().numpy(), small.shape[:2]))
        before = q
    classes = leading_classes([labels[0], labels[-1]], p)
    beliefs = np.stack([film[classes] for film in films])
    return MeanFieldFilm(classes, small, beliefs, energy, change, turned)


def leading_classes(label_maps: list[np.ndarray], beliefs: np.ndarray) -> list[int]:
    """At most ``MOST_CLASSES`` numbers: those with the largest area in any of the label maps, then the most believed in.

    Left out are classes without a part of any map in which no pixel believes by more than ``LEAST_BELIEF``.
    """
    counts = [np.bincount(labels.ravel(), minlength=len(beliefs)) for labels in label_maps]
    area = np.max(counts, axis=0)
    order = np.lexsort((-beliefs.mean((1, 2)), -area))
    peak = beliefs.max((1, 2))
    return [int(k) for k in order if area[k] > 0 or peak[k] > LEAST_BELIEF][:MOST_CLASSES]
