"""What a method is: parameters, a function, a registration.

A new method is one new file in a family's folder: a ``Params`` model, a function
``(image, params, run) -> Segmentation`` and the decorator ``@method``. The page, the
command line, the API, the tests and the benchmarks find it by themselves.
"""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from .errors import Cancelled, ParameterError, ScribbleError, UnavailableError
from .segmentation import Frame, Segmentation

FAMILIES = ("clustering", "graphcut", "networks")


class Params(BaseModel):
    """Parameters that all methods share. Subclasses add their own as pydantic fields.

    The fields are the one source of the page's controls, the command line's options
    and the API's schema: give each a default, bounds and a one-line ``description``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(
        0,
        ge=0,
        le=2**31 - 1,
        description="seed of every random choice; methods that make none give the same for every seed",
    )
    working_size: int = Field(768, ge=64, le=4096, description="long side, in pixels, at which the method works")

    @classmethod
    def parse(cls, values: dict[str, Any]) -> Params:
        """Validate ``values``; raises ``ParameterError`` with one line per wrong parameter."""
        try:
            return cls(**values)
        except ValidationError as error:
            lines = []
            for problem in error.errors():
                name = ".".join(map(str, problem["loc"])) or "parameters"
                if problem["type"] == "extra_forbidden":
                    known = ", ".join(cls.model_fields)
                    lines.append(f"{name}: no such parameter; there are {known}")
                else:
                    lines.append(
                        f"{name}: {problem['msg'][0].lower()}{problem['msg'][1:]} (given: {problem['input']!r})"
                    )
            raise ParameterError("; ".join(lines)) from None


@dataclass
class Run:
    """One run of one method: the services a method may ask for, and nothing else.

    Attributes:
        device: where tensors go.
        dtype: the floating-point type networks compute in (half precision on CUDA).
        rng: numpy generator seeded by ``params.seed``.
        scribbles: (h, w) uint8 at working size, 0 = none, 1..n = seeds, or None.
        keep_frames: False when nobody will look at the replay; ``frame`` is then free of cost.
        spared: seconds that ``cached`` has saved so far; ``known``: the keys that are built or counted.
    """

    device: torch.device = torch.device("cpu")
    dtype: torch.dtype = torch.float32
    seed: int = 0
    scribbles: np.ndarray | None = None
    keep_frames: bool = True
    on_step: Callable[[float, str], None] | None = None
    is_cancelled: Callable[[], bool] | None = None
    cache_get: Callable[[Hashable, Callable[[], Any]], Any] | None = None
    load_network: Callable[[str], Any] | None = None
    load_features: Callable[[], list[np.ndarray]] | None = None
    load_superpixels: Callable[[int, float], np.ndarray] | None = None
    timings: dict[str, float] = field(default_factory=dict)
    spared: float = 0.0
    known: set[Hashable] = field(default_factory=set)
    frames: list[Frame] = field(default_factory=list)
    energy: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self._inside = 0.0  # seconds that stages inside the present one have taken

    def step(self, fraction: float, text: str = "") -> None:
        """Report progress in [0, 1]; call it at least once per iteration. Raises ``Cancelled`` as ``check`` does."""
        self.check()
        if self.on_step is not None:
            self.on_step(min(max(float(fraction), 0.0), 1.0), text)

    def check(self) -> None:
        """Raises ``Cancelled`` when the visitor has pressed Stop or left; for inner loops, which ``step`` would flood."""
        if self.is_cancelled is not None and self.is_cancelled():
            raise Cancelled("stopped")

    @contextmanager
    def time(self, stage: str) -> Iterator[None]:
        """Add the seconds spent inside the block to ``timings[stage]``; those of a stage inside count for that alone."""
        start, outer, self._inside = time.perf_counter(), self._inside, 0.0
        try:
            yield
        finally:
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            whole = time.perf_counter() - start
            self.timings[stage] = self.timings.get(stage, 0.0) + whole - self._inside
            self._inside = outer + whole

    def frame(
        self,
        caption: str,
        labels: np.ndarray | None = None,
        image: np.ndarray | None = None,
        maps: dict[str, np.ndarray] | None = None,
        energy: float | None = None,
        step: int | None = None,
        is_after: bool = False,
    ) -> None:
        """Add one step to the replay (see ``Frame``); ``energy`` is the objective after it.

        ``step`` is its number where the replay leaves out some; the default is the one after the frame before.
        """
        if not self.keep_frames:
            return
        if step is None:
            step = self.frames[-1].step + 1 if self.frames else 1
        self.frames.append(Frame(caption, labels, image, maps or {}, step, is_after))
        if energy is not None:
            self.energy.append(float(energy))

    def cached(self, key: Hashable, build: Callable[[], Any]) -> Any:
        """``build()``, or what it returned the last time for this photo at this size.

        For what depends on the photo and ``key`` only: features, affinities, a lattice. If an earlier run has built it,
        the time that it took is added to ``spared``.
        """
        if self.cache_get is None:
            return build()

        def timed() -> tuple[Any, float, set[Hashable]]:
            """What is built, what it took or would have taken, and which keys that includes."""
            start, spared, before = time.perf_counter(), self.spared, set(self.known)
            self.known.add(key)
            value = build()
            return value, time.perf_counter() - start + self.spared - spared, self.known - before

        value, seconds, included = self.cache_get(key, timed)
        if key not in self.known:
            self.known |= included
            self.spared += seconds
        return value

    def network(self, name: str) -> Any:
        """The trained network ``name``, in eval mode on ``device``; ``UnavailableError`` without weights."""
        if self.load_network is None:
            raise UnavailableError(f"{name}: networks are loaded by the engine; run this method through Engine.run")
        return self.load_network(name)

    def features(self) -> list[np.ndarray]:
        """What a trained network sees in the photo: maps (C, h', w') float32, some fine, some coarse.

        Raises ``UnavailableError`` where there is none.
        """
        if self.load_features is None:
            raise UnavailableError("features come from a network, which the engine loads; run this through Engine.run")
        return self.load_features()

    def superpixels(self, count: int, compactness: float = 10.0) -> np.ndarray:
        """About ``count`` SLIC superpixels of the photo, (h, w) int32, 0..n-1; kept for the next run on this photo."""
        if self.load_superpixels is None:
            raise UnavailableError("superpixels come from SLIC, which the engine calls; run this through Engine.run")
        return self.cached(("superpixels", count, compactness), lambda: self.load_superpixels(count, compactness))


@dataclass(frozen=True)
class Method:
    """A registered method.

    ``function(image, params, run)`` takes an (h, w, 3) uint8 RGB image at working size and
    returns a ``Segmentation`` at that size. ``unavailable()`` gives the reason why the
    method cannot run here, or None. ``order`` is its place in the family's lecture.
    """

    name: str
    family: str
    title: str
    params: type[Params]
    function: Callable[[np.ndarray, Any, Run], Segmentation]
    needs_scribbles: bool = False
    unavailable: Callable[[], str | None] = lambda: None
    order: int = 100

    @property
    def summary(self) -> str:
        """First paragraph of the function's docstring, on one line."""
        return " ".join((self.function.__doc__ or "").strip().split("\n\n")[0].split())


_registry: dict[str, Method] = {}


def method(
    name: str,
    *,
    family: str,
    title: str,
    params: type[Params],
    needs_scribbles: bool = False,
    unavailable: Callable[[], str | None] = lambda: None,
    order: int = 100,
) -> Callable:
    """Register the decorated function as a method; see ``Method`` for its form."""
    if family not in FAMILIES:
        raise ValueError(f"family {family!r} is none of {FAMILIES}")

    def register(function: Callable) -> Callable:
        _registry[name] = Method(name, family, title, params, function, needs_scribbles, unavailable, order)
        return function

    return register


@cache
def _discover() -> None:
    root = __name__.rpartition(".")[0]
    for package_name in FAMILIES:
        package = importlib.import_module(f"{root}.{package_name}")
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{package.__name__}.{module.name}")


def methods() -> dict[str, Method]:
    """All methods by name, in the order of the lecture."""
    _discover()
    return dict(sorted(_registry.items(), key=lambda item: (FAMILIES.index(item[1].family), item[1].order)))


def get_method(name: str) -> Method:
    """The method called ``name``; ``ParameterError`` lists the names there are."""
    known = methods()
    if not isinstance(name, str) or name not in known:
        raise ParameterError(f"no method is called {name!r}; there are {', '.join(known)}")
    return known[name]


def require_scribbles(run: Run, labels: int = 2) -> np.ndarray:
    """``run.scribbles`` with each seed 1..labels present, else ``ScribbleError`` saying what to draw."""
    if run.scribbles is None or not np.any(run.scribbles):
        raise ScribbleError(
            "There are no scribbles yet: draw at least one stroke on the object and one on the background."
        )
    missing = [k for k in range(1, labels + 1) if not np.any(run.scribbles == k)]
    if missing:
        names = {1: "the object (foreground)", 2: "the background"}
        raise ScribbleError(
            "One kind of scribble is missing: draw a stroke on "
            + " and ".join(names.get(k, f"label {k}") for k in missing)
            + "."
        )
    return run.scribbles
