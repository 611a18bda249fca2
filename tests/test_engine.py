"""The engine: devices, budgets, fallback, waiting in line."""

import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from segdemo import Engine
from segdemo.crf.dense import DenseCRF
from segdemo.engine import LeastRecentlyUsed, choose_device, size_of
from segdemo.errors import Cancelled, ImageError, ParameterError, SegdemoError
from segdemo.method import Params, Run, _registry, method, methods
from segdemo.segmentation import Segmentation, enlarge_labels, heatmap, resize_nearest

PHOTO = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)


@pytest.fixture
def registered():
    """Register a method for one test: ``registered(function)`` returns its name."""

    def register(function):
        method("trial", family="clustering", title="Trial", params=Params)(function)
        return "trial"

    yield register
    _registry.pop("trial", None)


def blank(image, params, run):
    """A result without content."""
    return Segmentation(np.zeros(image.shape[:2], np.int32), ["all"], np.zeros((1, 3), np.uint8))


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


def test_visitors_wait_in_line_and_may_give_up(registered):
    inside, release = threading.Event(), threading.Event()

    def function(image, params, run):
        """Holds the engine until told."""
        if params.seed == 0:
            inside.set()
            assert release.wait(10)
        return blank(image, params, run)

    engine, name = Engine("cpu"), registered(function)
    first = threading.Thread(target=engine.run, args=(name, PHOTO))
    first.start()
    assert inside.wait(10)
    texts = []
    with pytest.raises(Cancelled):
        engine.run(name, PHOTO, seed=1, on_step=lambda _, text: texts.append(text), is_cancelled=lambda: len(texts) > 0)
    assert "waiting" in texts[0]
    release.set()
    first.join(10)
    assert engine.run(name, PHOTO, seed=1).seed == 1


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


def test_enlarged_labels_keep_areas_and_range():
    labels = np.zeros((20, 30), np.int32)
    labels[5:15, 10:20] = 2
    large = enlarge_labels(labels, (200, 300), 3)
    assert set(np.unique(large)) == {0, 2}
    assert (large == 2).mean() == pytest.approx((labels == 2).mean(), rel=0.03)
    np.testing.assert_array_equal(large[5::10, 5::10], labels)
    many = np.arange(600, dtype=np.int32).reshape(20, 30)
    np.testing.assert_array_equal(resize_nearest(enlarge_labels(many, (40, 60), 600), (20, 30)), many)


def test_labels_grow_with_their_probabilities_where_there_are_some(registered):
    """At working size the right half is the second label's, but so narrowly that on the photo the border lies left of it."""

    def function(image, params, run):
        """Two labels side by side, the first almost undecided."""
        result = blank(image, params, run)
        second = np.where(np.arange(image.shape[1]) < image.shape[1] // 2, 0.49, 1.0)
        scores = np.broadcast_to([1 - second, second], (image.shape[0], 2, image.shape[1])).transpose(1, 0, 2)
        result.labels, result.working_scores = scores.argmax(0), scores.astype(np.float32)
        result.names, result.palette = ["a", "b"], np.zeros((2, 3), np.uint8)
        return result

    result = Engine("cpu").run(registered(function), np.zeros((640, 640, 3), np.uint8), working_size=64)
    found = result.labels[320]
    assert (np.diff(found) >= 0).all() and 310 <= np.count_nonzero(found == 0) < 320
    np.testing.assert_array_equal(result.labels, result.scores.argmax(0))


def test_a_heatmap_runs_from_dark_violet_to_yellow():
    violet, green, yellow = (68, 1, 84), (33, 145, 140), (253, 231, 37)  # viridis, as Matplotlib has it
    shown = heatmap(np.array([[2.0, 3.0, 4.0]]))[0].astype(int)
    np.testing.assert_allclose(shown, [violet, green, yellow], atol=3)
    beyond = heatmap(np.array([[-9.0, 0.5, 9.0, np.nan, -np.inf, np.inf]]), 0, 1)[0].astype(int)
    np.testing.assert_allclose(beyond, [violet, green, yellow, violet, violet, yellow], atol=3)
    for constant in (np.full((2, 3), 7.0), np.full((2, 3), np.nan)):
        np.testing.assert_allclose(heatmap(constant).reshape(-1, 3), np.tile(violet, (6, 1)), atol=3)


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


def test_the_warm_up_runs_every_kind_of_graph(monkeypatch):
    runs = []
    monkeypatch.setattr("segdemo.turn.PAUSE", 0.0)
    engine = Engine("cpu")
    monkeypatch.setattr(engine, "run", lambda name, photo, **options: runs.append((name, options)))
    engine.warm()
    kinds = [(name, options["graph"]) for name, options in runs if "graph" in options]
    assert set(kinds) == {("graphcut", "superpixels"), ("ncut", "pixels")}
    assert all(("scribbles" in options) == methods()[name].needs_scribbles for name, options in runs)


WARMED_AND_USED = """
import gc

import numpy as np
from numba.core.dispatcher import Dispatcher
from skimage import data

from segdemo import Engine, methods


def compiled():
    return {o: len(o.signatures) for o in gc.get_objects() if issubclass(type(o), Dispatcher)}


engine = Engine("cpu")
engine.warm()
before, photo = compiled(), data.chelsea()
photo.setflags(write=False)  # as the page hands it over
seeds = np.zeros(photo.shape[:2], np.uint8)
seeds[100:104, 100:300], seeds[10:14, 20:400] = 1, 2
for name, m in methods().items():
    if m.family != "networks":
        engine.run(name, photo, scribbles=seeds if m.needs_scribbles else None)
    elif "/" not in name and not m.unavailable():
        engine.run(name, photo, crf=True)
print(sorted(o.__name__ for o, count in compiled().items() if count > before.get(o, 0)))
"""


def test_after_the_warm_up_nothing_is_left_to_compile():
    """Numba compiles for seconds whenever the types or layouts of arguments are new; in a process of its own none are yet."""
    ran = subprocess.run([sys.executable, "-c", WARMED_AND_USED], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_the_warm_up_lets_visitors_pass_and_is_named_to_those_who_wait(registered, monkeypatch):
    """A visitor who comes while one method is warmed up is next, whatever else is still to be warmed up."""
    inside, release, order, texts = threading.Event(), threading.Event(), [], []

    def function(image, params, run):
        """Notes whose turn it is, and holds the warm-up until told."""
        order.append("visitor" if params.seed else "warm-up")
        run.step(0.5, "half")
        if not params.seed:
            inside.set()
            assert release.wait(10)
        return blank(image, params, run)

    name = registered(function)
    trials = {f"trial {k}": _registry[name] for k in range(3)}
    monkeypatch.setattr("segdemo.engine.methods", lambda: trials)
    monkeypatch.setattr("segdemo.engine.get_method", trials.get)
    monkeypatch.setattr("segdemo.turn.PAUSE", 0.0)
    engine = Engine("cpu")
    warmer = threading.Thread(target=engine.warm)
    warmer.start()
    assert inside.wait(10) and engine.warming == "Trial"

    def on_step(_, text):
        texts.append(text)
        release.set()

    engine.run("trial 2", PHOTO, seed=1, on_step=on_step)
    warmer.join(10)
    assert order == ["warm-up", "visitor", "warm-up", "warm-up"] and engine.warming is None
    assert "warming up: compiling Trial" in texts[0] and "half (compiling" in texts[-2]
    texts.clear()
    engine.run("trial 2", PHOTO, seed=1, on_step=on_step)
    assert texts == ["starting", "half", "done"]


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
