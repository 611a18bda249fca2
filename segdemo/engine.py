"""The shared engine: one per process, between every door (page, command line, API) and every method.

Methods get device, networks and what is kept of a photo from here, in their ``Run``. One run computes at a
time: two CPU cores or one GPU are best used by one job, and visitors wait in line.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, get_args

import numpy as np
import torch

from . import image as door
from .clustering.slic import slic_superpixels
from .crf.refine import RefinementParams, refine
from .errors import ParameterError, ScribbleError, SegdemoError, UnavailableError
from .graphcut.scribbles import fit_scribbles
from .method import Method, Params, Run, get_method, methods
from .networks import features
from .networks.backbones import fold_batch_norm
from .networks.inference import is_public, load_network
from .segmentation import Segmentation, enlarge_labels
from .turn import Turn

GIGABYTE = 2**30
COMPILING = "compiling, some seconds, once"
NO_MEMORY = "Not enough memory: lower the working size and run again."


def choose_device(wish: str = "auto") -> torch.device:
    """``"auto"`` means cuda, then mps, then cpu; ``SEGDEMO_DEVICE`` overrules ``"auto"``.

    Raises ``ParameterError`` when the device that was asked for is not there.
    """
    if wish == "auto":
        wish = os.environ.get("SEGDEMO_DEVICE") or "auto"
    if wish == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(wish)
    except (RuntimeError, TypeError):
        raise ParameterError(f"{wish!r} is no device; use auto, cpu, cuda, cuda:1 or mps") from None
    there = {
        "cpu": True,
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(device.type, False):
        raise ParameterError(f"device {wish} is not available on this machine; use auto or cpu")
    return device


PER_OBJECT = 40
"""Bytes of a small Python object, and of the pointer to it."""


def size_of(value: Any, depth: int = 6) -> int:
    """About how many bytes hang on ``value``; what hangs on it twice counts twice."""
    if isinstance(value, (str, bytes)):
        return PER_OBJECT + len(value)
    if value is None or isinstance(value, (bool, int, float)):
        return PER_OBJECT
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, torch.Tensor):
        return value.nbytes
    if isinstance(value, torch.nn.Module):
        return sum(t.nbytes for t in value.state_dict().values())
    if depth == 0:
        return 0
    if isinstance(value, dict):
        return PER_OBJECT + sum(size_of(part, depth - 1) for item in value.items() for part in item)
    if isinstance(value, (list, tuple)):
        return PER_OBJECT + sum(size_of(part, depth - 1) for part in value)
    return size_of(vars(value), depth - 1) if hasattr(value, "__dict__") else 0


class LeastRecentlyUsed:
    """A store under a budget of bytes; when it overflows, what was used longest ago goes first."""

    def __init__(self, budget: int):
        self.budget, self.used = budget, 0
        self._entries: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.RLock()

    def get(self, key: Hashable, build: Callable[[], Any]) -> Any:
        """The value stored under ``key``, built on first use; kept only if it fits the budget at all."""
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key][0]
        value = build()
        size = size_of(value)
        with self._lock:
            if size <= self.budget and key not in self._entries:
                self._entries[key] = (value, size)
                self.used += size
                while self.used > self.budget:
                    self.used -= self._entries.popitem(last=False)[1][1]
        return value

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
            self.used = 0

    def __contains__(self, key: Hashable) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)


class Engine:
    """Runs any method on any photo.

    Args:
        device: ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.
        network_budget, photo_budget: bytes kept of loaded networks, and of what was computed for
            photos (features, affinities, lattices, scores).
    """

    def __init__(self, device: str = "auto", network_budget: int = GIGABYTE, photo_budget: int = GIGABYTE // 2):
        self.device = choose_device(device)
        self._networks = LeastRecentlyUsed(network_budget)
        self._photos = LeastRecentlyUsed(photo_budget)
        self._turn, self._compiled = Turn(), set()

    def run(
        self,
        method: str,
        image: Any,
        *,
        scribbles: np.ndarray | None = None,
        on_step: Callable[[float, str], None] | None = None,
        is_cancelled: Callable[[], bool] | None = None,
        keep_frames: bool = True,
        **params: Any,
    ) -> Segmentation:
        """Segment ``image`` (anything ``load_image`` takes) with ``method``.

        Args:
            scribbles: (H, W) integers at the size of the photo, 0 = none, 1..n = seeds.
            on_step: called with a fraction in [0, 1] and a text.
            is_cancelled: asked at every step; when true the run ends with ``Cancelled``.
            keep_frames: False saves the time and memory of the replay.
            params: the method's parameters; see ``python -m segdemo methods``.

        Returns a ``Segmentation`` whose labels have the photo's size. Raises a ``SegdemoError``
        whose message is meant for the visitor.
        """
        chosen = get_method(method)
        reason = chosen.unavailable()
        if reason:
            raise UnavailableError(reason)
        settings = chosen.params.parse(params)
        photo = door.load_image(image)
        working = door.fit(photo, settings.working_size)
        if scribbles is not None:
            scribbles = fit_scribbles(scribbles, photo.shape[:2], working.shape[:2], keep_all=True)
        elif chosen.needs_scribbles:
            raise ScribbleError(f"{chosen.title} needs scribbles: draw on the object and on the background first.")

        def attempt(device: torch.device) -> Segmentation:
            run = self._new_run(settings.seed, working, device, scribbles, on_step, is_cancelled, keep_frames)
            return self._carry_out(chosen, settings, working, run)

        with self._turn.taken(Run(on_step=on_step, is_cancelled=is_cancelled)):
            on_step = self._with_reason(method, on_step)
            result = self._with_fallback(attempt)
            self._compiled.add(method)
        result.method, result.seed = method, settings.seed
        result.title = result.title or chosen.title
        result.params = settings.model_dump()
        if working.shape != photo.shape:
            planes = result.working_scores if result.working_scores is not None else result.labels
            result.labels = enlarge_labels(planes, photo.shape[:2], len(result.names))
        return result

    def teach(
        self,
        lesson: Callable[..., Any],
        image: Any,
        *,
        working_size: int = 512,
        scribbles: np.ndarray | None = None,
        on_step: Callable[[float, str], None] | None = None,
        is_cancelled: Callable[[], bool] | None = None,
        **params: Any,
    ) -> Any:
        """What ``lesson(image, run, **params)`` returns, called in turn with the other runs and with their caches.

        For what a class wants to see besides a segmentation (``segdemo.lessons``): ``image`` reaches the lesson
        as (h, w, 3) uint8 with long side at most ``working_size``, ``run`` offers what it offers a method.
        """
        if working_size < 1:
            raise ParameterError(f"working_size: must be at least 1 (given: {working_size})")
        photo = door.load_image(image)
        working = door.fit(photo, working_size)
        if scribbles is not None:
            scribbles = fit_scribbles(scribbles, photo.shape[:2], working.shape[:2], keep_all=True)

        def attempt(device: torch.device) -> Any:
            run = self._new_run(0, working, device, scribbles, on_step, is_cancelled, True)
            with torch.inference_mode():
                return lesson(working, run, **params)

        with self._turn.taken(Run(on_step=on_step, is_cancelled=is_cancelled)):
            return self._with_fallback(attempt)

    def network(self, name: str, device: torch.device | None = None) -> torch.nn.Module:
        """The trained network ``name``, ready for inference; loaded once and kept under the budget."""
        device = device or self.device

        def load() -> torch.nn.Module:
            network = fold_batch_norm(load_network(name).eval().requires_grad_(False))
            return network.to(device, self.dtype(device), memory_format=torch.channels_last)

        return self._networks.get((name, str(device)), load)

    @staticmethod
    def dtype(device: torch.device) -> torch.dtype:
        """Half precision on CUDA, where it doubles the speed; single elsewhere."""
        return torch.float16 if device.type == "cuda" else torch.float32

    def describe_device(self) -> str:
        """The device in words: a GPU's name, or how many CPU threads."""
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return "Apple GPU" if self.device.type == "mps" else f"CPU, {torch.get_num_threads()} threads"

    def unavailable(self) -> dict[str, str]:
        """The methods that cannot run here, with the reason."""
        return {name: reason for name, m in methods().items() if (reason := m.unavailable())}

    def warm(self) -> None:
        """Run every method of the project once on a small photo, so that no visitor waits for a compiler.

        It is large enough that work is done in strips and cuts begin with blocks, as on a visitor's photo: what only
        these call, or call with arrays of another layout, is compiled as well.
        """
        height, width = 48, 512
        down, across = (np.linspace(0, 255, side, dtype=np.uint8) for side in (height, width))
        photo = np.stack(np.broadcast_arrays(down[:, None], across, across[::-1]), axis=-1)
        scribbles = np.zeros((height, width), np.uint8)
        scribbles[8:12, 64:448], scribbles[36:40, 64:448] = 1, 2
        more = scribbles.copy()  # a cut after one more stroke goes on from the one before, by code of its own
        more[22:26, 64:240] = 1
        with self._turn.as_warmer():
            for name, m in methods().items():
                if is_public(name):  # large, and wanted by few
                    continue
                extra = {"crf": True} if issubclass(m.params, RefinementParams) else {}
                trials = [{"scribbles": each} for each in (scribbles, more)] if m.needs_scribbles else [{}]
                if graph := m.params.model_fields.get("graph"):  # each kind has code of its own
                    others = set(get_args(graph.annotation)) - {graph.default}
                    trials += [trials[-1] | {"graph": other} for other in sorted(others)]
                for options in trials:
                    self._turn.warm_up(m.title)
                    try:
                        self.run(name, photo, **options, **extra)
                    except SegdemoError:
                        break

    @property
    def warming(self) -> str | None:
        """The title of the method that the warm-up has come to, or None when there is none under way."""
        return self._turn.warming

    def has_run(self, method: str) -> bool:
        """Whether the method's kernels are compiled and its network loaded: what its first run takes longer for."""
        return method in self._compiled

    def _with_reason(self, method: str, on_step: Callable | None) -> Callable | None:
        """``on_step`` that says why a method takes long which a visitor wants before the warm-up has come to it."""
        if on_step is None or self.warming is None or self.has_run(method):
            return on_step
        return lambda fraction, text: on_step(fraction, f"{text} ({COMPILING})")

    def _new_run(self, seed: int, working, device, scribbles, on_step, is_cancelled, keep_frames) -> Run:
        key = door.content_key(working)
        return Run(
            device=device,
            dtype=self.dtype(device),
            seed=seed,
            scribbles=scribbles,
            keep_frames=keep_frames,
            on_step=on_step,
            is_cancelled=is_cancelled,
            cache_get=lambda name, build: self._photos.get((key, str(device), name), build),
            load_network=lambda name: self.network(name, device),
            load_features=lambda: self._features(working, device),
            load_superpixels=lambda count, compactness: slic_superpixels(working, count, compactness),
        )

    def _features(self, working: np.ndarray, device: torch.device) -> list[np.ndarray]:
        """The maps of ``features.NETWORK``; not kept, for whoever wants them keeps what it makes of them."""
        return features.photo_features(self.network(features.NETWORK, device), working, device, self.dtype(device))

    @staticmethod
    def _carry_out(chosen: Method, settings: Params, working: np.ndarray, run: Run) -> Segmentation:
        run.step(0.0, "starting")
        torch.manual_seed(settings.seed)
        with torch.inference_mode():
            result = chosen.function(working, settings, run)
            if isinstance(settings, RefinementParams) and settings.crf:
                result = refine(working, result, settings, run)
        run.step(1.0, "done")
        result.frames, result.energy, result.timings = run.frames, run.energy, run.timings
        result.device, result.spared = str(run.device), run.spared
        return result

    def _with_fallback(self, attempt: Callable[[torch.device], Any]) -> Any:
        """Run on the engine's device; if a GPU's memory does not suffice, once more on the CPU."""
        try:
            return attempt(self.device)
        except Exception as error:
            if not lacks_memory(error):
                raise
            if self.device.type == "cpu" or lacks_memory(error, of_the_host=True):
                raise SegdemoError(NO_MEMORY) from None
        self._networks.clear()
        self._photos.clear()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        try:
            result = attempt(torch.device("cpu"))
        except Exception as error:
            if lacks_memory(error):
                raise SegdemoError(NO_MEMORY) from None
            raise
        if isinstance(result, Segmentation):
            result.notices.append(f"The memory of {self.device} did not suffice, so this ran on the CPU.")
        return result


def lacks_memory(error: Exception, of_the_host: bool = False) -> bool:
    """Whether memory ran out, of the computer itself or, unless ``of_the_host``, of a GPU.

    PyTorch has an exception of its own for CUDA alone: on the CPU and on Apple's GPUs only the words tell.
    """
    is_host = isinstance(error, MemoryError) or "DefaultCPUAllocator" in str(error)
    return is_host or (not of_the_host and (isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error)))
