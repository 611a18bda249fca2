"""The engine: devices, budgets, fallback."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from trial_methods import PHOTO, blank

from segdemo import Engine
from segdemo.crf.dense import DenseCRF
from segdemo.engine import LeastRecentlyUsed, choose_device, size_of
from segdemo.errors import ImageError, ParameterError, SegdemoError
from segdemo.method import Run


def test_choose_device(monkeypatch):
    monkeypatch.delenv("SEGDEMO_DEVICE", raising=False)
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device("auto").type in ("cpu", "cuda", "mps")
    monkeypatch.setenv("SEGDEMO_DEVICE", "cpu")
    assert choose_device("auto") == torch.device("cpu")
    with pytest.raises(ParameterError, match="no device"):
        choose_device("toaster")
    with pytest.raises(ParameterError, match="not available"):
        choose_device("cuda:77")


def test_least_recently_used_goes_first():
    store, built = LeastRecentlyUsed(300), []

    def get(key, size=100):
        return store.get(key, lambda: built.append(key) or np.zeros(size, np.uint8))

    get("a"), get("b"), get("c"), get("a"), get("d")
    assert "b" not in store and "a" in store and store.used == 300
    assert get("a") is get("a") and built == ["a", "b", "c", "d"]
    get("huge", 301)
    assert "huge" not in store and len(store) == 3


def test_only_the_photo_and_its_size_share_a_cache(registered):
    built = []

    def function(image, params, run):
        """Counts how often its features are built."""
        run.cached("features", lambda: built.append(1) or np.zeros(3))
        return blank(image, params, run)

    engine, name = Engine("cpu"), registered(function)
    engine.run(name, PHOTO)
    engine.run(name, PHOTO.copy(), seed=3)
    assert len(built) == 1
    engine.run(name, PHOTO[::-1])
    assert len(built) == 2


def test_what_is_kept_for_one_device_serves_no_other(registered, monkeypatch):
    """Arrays and networks stay on the device for which they were made."""

    def function(image, params, run):
        """Says for which device its features were built, and where its network is."""
        result = blank(image, params, run)
        weight = run.network("trial").weight
        result.facts = {"built for": run.cached("features", lambda: str(run.device)), "network on": str(weight.device)}
        return result

    monkeypatch.setattr("segdemo.engine.load_network", lambda name: torch.nn.Conv2d(1, 1, 1))
    engine, name = Engine("cpu"), registered(function)
    for device in ("cpu", "meta", "cpu"):  # "meta" stands for a GPU
        engine.device = torch.device(device)
        assert engine.run(name, PHOTO).facts == {"built for": device, "network on": device}


def test_the_seed_decides_what_torch_draws(registered):
    def function(image, params, run):
        """Draws a number."""
        result = blank(image, params, run)
        result.facts = {"drawn": torch.rand(1).item()}
        return result

    engine, name = Engine("cpu"), registered(function)
    first, again, other = (engine.run(name, PHOTO, seed=seed).facts["drawn"] for seed in (1, 1, 2))
    assert first == again != other


def test_a_result_has_the_methods_title_unless_it_has_its_own(registered):
    def function(image, params, run):
        """Is called otherwise when the seed is 1."""
        result = blank(image, params, run)
        result.title = "Trial, adaptive" if params.seed else ""
        return result

    engine, name = Engine("cpu"), registered(function)
    assert [engine.run(name, PHOTO, seed=seed).title for seed in (0, 1)] == ["Trial", "Trial, adaptive"]


def test_what_an_earlier_run_spares_is_told(monkeypatch):
    """Or a second method on the same features would look faster than the first."""
    now, kept = [0.0], {}
    monkeypatch.setattr("segdemo.method.time", SimpleNamespace(perf_counter=lambda: now[0]))

    def takes(seconds, value=None):
        now[0] += seconds
        return value

    def get(key, build):
        return kept[key] if key in kept else kept.setdefault(key, build())

    def use(run, *names):
        inner = lambda: run.cached("inner", lambda: takes(3.0))  # noqa: E731
        known = {"inner": inner, "outer": lambda: run.cached("outer", lambda: takes(2.0, inner()))}
        for name in names:
            known[name]()
        return run.spared

    assert use(Run(cache_get=get), "outer", "inner", "outer") == 0  # the run itself has built them
    for asked in (["outer"], ["outer", "inner"], ["outer", "outer", "inner"]):
        assert use(Run(cache_get=get), *asked) == 5.0
    assert use(Run(cache_get=get), "inner", "inner") == 3.0


def test_a_result_says_what_earlier_runs_spared_it(registered):
    def function(image, params, run):
        """Takes its time, once per photo."""
        run.cached("slow", lambda: time.sleep(0.03))
        return blank(image, params, run)

    engine, name = Engine("cpu"), registered(function)
    assert engine.run(name, PHOTO).spared == 0 and engine.run(name, PHOTO).spared >= 0.03


def test_frames_are_numbered_on_from_the_one_before():
    for first, steps in ((None, [1, 2, 9, 10]), (0, [0, 1, 9, 10])):
        run = Run()
        for step in (first, None, 9, None):
            run.frame("a step", step=step)
        assert [frame.step for frame in run.frames] == steps


def test_strokes_that_meet_in_one_place_of_the_working_size_all_arrive(registered):
    seen, scribbles = [], np.zeros((640, 640), np.uint8)
    scribbles[321, 321:327], scribbles[325, 325] = 2, 1  # within ten pixels, which are one at working size

    def function(image, params, run):
        """Notes which strokes there are."""
        seen.append(set(np.unique(run.scribbles)))
        return blank(image, params, run)

    engine, photo = Engine("cpu"), np.zeros((640, 640, 3), np.uint8)
    engine.run(registered(function), photo, scribbles=scribbles, working_size=64)
    engine.teach(lambda image, run: function(image, None, run), photo, scribbles=scribbles, working_size=64)
    assert seen == [{0, 1, 2}] * 2


def test_the_lattices_that_are_kept_count_against_the_budget():
    engine = Engine("cpu")
    run = engine._new_run(0, PHOTO, torch.device("cpu"), None, None, None, True)
    crf = run.cached("crf", lambda: DenseCRF(PHOTO, 3.0, 50.0, 8.0))
    assert engine._photos.used >= size_of(crf) > PHOTO.nbytes


def test_gpu_memory_falls_back_to_the_cpu(registered):
    def function(image, params, run):
        """Needs more memory than any GPU has."""
        if run.device.type != "cpu":
            raise torch.OutOfMemoryError("too much")
        return blank(image, params, run)

    engine, name = Engine("cpu"), registered(function)
    engine.device = torch.device("meta")  # stands for a GPU that is too small
    result = engine.run(name, PHOTO)
    assert result.device == "cpu" and "ran on the CPU" in result.notices[0]


@pytest.mark.parametrize(
    "device", ["cpu", "meta"]
)  # "meta" stands for a GPU, which this machine's memory does not help
@pytest.mark.parametrize("need", [lambda: np.empty(2**50), lambda: torch.empty(2**50)])
def test_memory_of_the_cpu_is_explained(registered, need, device):
    def function(image, params, run):
        """Needs more memory than there is."""
        need()

    engine = Engine("cpu")
    engine.device = torch.device(device)
    with pytest.raises(SegdemoError, match="lower the working size"):
        engine.run(registered(function), PHOTO)


def test_what_a_gpu_and_then_the_cpu_cannot_hold_is_explained(registered):
    def function(image, params, run):
        """Needs more memory than any device has; Apple's GPUs say so in words only."""
        raise RuntimeError("MPS backend out of memory") if run.device.type != "cpu" else MemoryError

    engine = Engine("cpu")
    engine.device = torch.device("meta")
    with pytest.raises(SegdemoError, match="lower the working size"):
        engine.run(registered(function), PHOTO)


def test_a_failed_run_leaves_the_engine_usable(registered):
    def function(image, params, run):
        """Breaks when the seed is 1."""
        if params.seed == 1:
            raise ValueError("defect")
        return blank(image, params, run)

    engine, name = Engine("cpu"), registered(function)
    with pytest.raises(ValueError, match="defect"):
        engine.run(name, PHOTO, seed=1)
    assert engine.run(name, PHOTO).method == name


def test_bad_requests_are_explained():
    engine = Engine("cpu")
    with pytest.raises(ParameterError, match="no method is called"):
        engine.run("magic", PHOTO)
    with pytest.raises(ImageError):
        engine.run("kmeans", b"this is no image")


def test_report_of_a_run():
    result = Engine("cpu").run("kmeans", PHOTO, clusters=3, seed=5)
    assert (result.method, result.seed, result.params["clusters"], result.device) == ("kmeans", 5, 3, "cpu")


def test_run_without_engine_offers_no_network():
    with pytest.raises(SegdemoError, match="Engine.run"):
        Run().network("fcn-8s")


def test_a_lesson_shares_turn_size_and_caches():
    engine, built = Engine("cpu"), []
    photo = np.zeros((200, 100, 3), np.uint8)

    def lesson(image, run, factor):
        value = run.cached("grey", lambda: built.append(1) or image.mean())
        return image.shape, value, factor, engine._turn.lock.locked(), run.scribbles.shape

    for factor in (2, 3):
        seen = engine.teach(lesson, photo, working_size=100, scribbles=np.ones((200, 100), np.uint8), factor=factor)
        assert seen == ((100, 50, 3), 0.0, factor, True, (100, 50))
    assert built == [1] and not engine._turn.lock.locked()


def test_a_stage_inside_another_counts_once():
    run = Run()
    with run.time("outer"):
        time.sleep(0.02)
        with run.time("inner"):
            time.sleep(0.05)
    assert 0.02 <= run.timings["outer"] < 0.05 <= run.timings["inner"]


@pytest.mark.parametrize("call", [
    lambda engine, image: engine.run(["kmeans"], image),
    lambda engine, image: engine.teach(lambda image, run: 0, image, working_size=0),
    lambda engine, image: Engine(7.5),
])  # fmt: skip
def test_wrong_kinds_of_arguments_are_explained(call):
    with pytest.raises(ParameterError):
        call(Engine("cpu"), np.zeros((4, 4, 3), np.uint8))
