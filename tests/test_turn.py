"""Whose turn it is: visitors wait in line, and pass the warm-up."""

import subprocess
import sys
import threading

import pytest
from trial_methods import PHOTO, blank

from segdemo import Engine
from segdemo.errors import Cancelled
from segdemo.method import _registry, methods


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
