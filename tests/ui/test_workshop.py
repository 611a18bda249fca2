"""Between button and viewer: stopping, explaining, exporting; without a browser."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from segdemo import Engine
from segdemo.errors import Cancelled, ImageError
from segdemo.method import Params, _registry, method
from segdemo.segmentation import Segmentation
from segdemo.ui import workshop as workshop_module
from segdemo.ui.cards import Card, Shared, card, export_result, run_cards
from segdemo.ui.controls import SHARED, controls_for
from segdemo.ui.lessons.teaching import taught
from segdemo.ui.networks import share_text
from segdemo.ui.workshop import Result, Visits, Workshop, export_files, photo_of

PHOTO = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)


def visitor(name):
    return SimpleNamespace(session_hash=name)


def test_stop_concerns_one_visitor_and_one_run():
    visits = Visits()
    mine, yours = visits.begin(visitor("me")), visits.begin(visitor("you"))
    visits.stop(visitor("me"))
    assert mine() and not yours()
    again = visits.begin(visitor("me"))
    assert not again()
    visits.stop(visitor("nobody"))


def test_stop_concerns_all_that_runs_for_a_visitor():
    """A download goes on beside a run; Stop, or the page's end, is for both."""
    visits = Visits()
    download, run = visits.begin(visitor("me")), visits.begin(visitor("me"))
    visits.stop(visitor("me"))
    assert download() and run()


def test_a_stop_is_pending_until_the_last_stopped_run_has_ended():
    visits = Visits()
    download, run, other = (visits.begin(visitor(name)) for name in ("me", "me", "you"))
    assert not visits.stopping(visitor("me"))
    visits.stop(visitor("me"))
    assert visits.stopping(visitor("me")) and not visits.stopping(visitor("you"))
    again = visits.begin(visitor("me"))
    del download
    assert visits.stopping(visitor("me"))
    del run
    assert not visits.stopping(visitor("me")) and not again() and not other()


def test_nothing_is_kept_of_runs_that_ended():
    visits = Visits()
    runs = [visits.begin(visitor(f"client {number}")) for number in range(50)]
    assert len(visits._tokens) == 50
    del runs
    assert len(visits._tokens) == 0


def test_runs_one_after_the_other_send_text_and_repeat_what_is_not():
    """Objects of one yield that the next leaves out are taken apart by Gradio's script, drawn or not."""
    with gr.Blocks():
        shared = Shared(gr.State({}), gr.State([]))
        cards = [card(name, name, name, "", shared, "hint") for name in ("kmeans", "slic")]
        status = gr.HTML()
    jobs, workshop = [(c, {}) for c in cards], Workshop(Engine("cpu"))
    with TemporaryDirectory() as folder:
        path = str(Path(folder) / "photo.png")
        Image.fromarray(PHOTO).save(path)
        updates = list(run_cards(workshop, jobs, path, {}, shared, status, lambda *a, **k: None, visitor("me")))
    values = [update[c.viewer] for update in updates for c in cards if c.viewer in update]
    assert [json.loads(value)["title"] for value in values] == ["k-means", "SLIC superpixels"]
    objects = [{place: sent for place, sent in u.items() if not isinstance(sent, str)} for u in updates]
    kept = [{place: sent for place, sent in u.items() if place is not shared.results} for u in objects]
    assert all(u == kept[0] for u in kept) and set(kept[0]) == {c.files for c in cards}


def test_a_run_gives_a_value_and_a_slim_result():
    value, result = Workshop(Engine("cpu")).run("kmeans", PHOTO, None, None, clusters=3)
    assert value["state"] == "result" and value["title"] == "k-means" and len(value["frames"]) > 1
    assert result.segmentation.frames == [] and result.segmentation.labels.dtype == np.uint8
    assert len(result.segmentation.energy) > 1  # what the report holds of the curve
    photo, shown = result.shown(20)
    assert photo.shape == (15, 20, 3) and shown.labels.shape == (15, 20)


def counted(engine, name):
    """The engine, whose method ``name`` notes in the list returned that it was called."""
    calls, method = [], getattr(engine, name)
    setattr(engine, name, lambda *args, **kwargs: calls.append(1) or method(*args, **kwargs))
    return calls


def test_what_was_asked_before_is_not_computed_again():
    """A class that opens the same link waits once."""
    workshop = Workshop(Engine("cpu"))
    runs = counted(workshop.engine, "run")
    value, _ = workshop.run("kmeans", PHOTO, None, None, clusters=3)
    assert value["subtitle"].endswith(", the first since the start, which loads and compiles")
    value, result = workshop.run("kmeans", PHOTO, None, None, clusters=3)
    again, kept = workshop.run("kmeans", PHOTO.copy(), None, None, clusters=3)
    assert len(runs) == 2  # the first one's time is no measure
    assert again == value | {"subtitle": f"{value['subtitle']}, kept from an earlier run"}
    assert kept is not result and kept.number == result.number and kept.seconds == result.seconds
    others = [(PHOTO, {"clusters": 4}), (PHOTO, {"clusters": 3, "seed": 1}), (255 - PHOTO, {"clusters": 3})]
    for number, (photo, params) in enumerate(others, start=3):
        assert "kept" not in workshop.run("kmeans", photo, None, None, **params)[0]["subtitle"] and len(runs) == number
    seeds = np.zeros(PHOTO.shape[:2], np.uint8)
    seeds[5], seeds[25] = 1, 2
    for _ in range(3):
        value, _ = workshop.run("graphcut", PHOTO, None, None, scribbles=seeds)
    assert len(runs) == 8 and value["state"] == "result"


def test_what_failed_is_tried_again():
    workshop = Workshop(Engine("cpu"))
    workshop.run("slic", PHOTO, None, None)
    run, workshop.engine.run = workshop.engine.run, None
    assert workshop.run("slic", PHOTO, None, None)[1] is None
    workshop.engine.run = run
    assert workshop.run("slic", PHOTO, None, None)[1] is not None


def test_a_lesson_is_computed_once_for_a_photo_and_its_settings(tmp_path):
    Image.fromarray(PHOTO).save(tmp_path / "photo.png")
    Image.fromarray(255 - PHOTO).save(tmp_path / "other.png")
    workshop, path = Workshop(Engine("cpu")), str(tmp_path / "photo.png")
    lessons = counted(workshop.engine, "teach")

    def mean(image, run, of):
        return float(image[..., of].mean())

    def asked(of, path=path):
        given = {"of": of, "on_step": lambda fraction, text: None}  # another function every time
        return taught(workshop, mean, lambda photo: given, lambda photo, found: {"mean": found}, path, visitor("me"))

    assert asked(0) == asked(0) != asked(1) and len(lessons) == 2
    assert asked(0, str(tmp_path / "other.png")) != asked(0) and len(lessons) == 3


def test_mistakes_and_defects_become_messages():
    def broken(image, params, run):
        """A method with a defect."""
        raise ZeroDivisionError

    workshop = Workshop(Engine("cpu"))
    value, result = workshop.run("graphcut", PHOTO, None, None)
    assert result is None and "draw" in value["message"]
    method("broken", family="clustering", title="Broken", params=Params)(broken)
    try:
        value, result = workshop.run("broken", PHOTO, None, None)
    finally:
        _registry.pop("broken")
    assert result is None and "server's log" in value["message"]


def test_stopping_keeps_what_was_ready(tmp_path):
    """The visitor presses Stop while the second of two methods runs."""
    Image.fromarray(PHOTO).save(tmp_path / "photo.png")
    with gr.Blocks():
        viewers, status = [gr.HTML() for _ in range(2)], gr.HTML()
        shared = Shared(gr.State({}), gr.State([]))
    workshop, me = Workshop(Engine("cpu")), visitor("me")
    cards = [Card(name, name, name, None, viewer, gr.File()) for name, viewer in zip(("kmeans", "slic"), viewers)]

    def progress(fraction, desc):
        if desc.startswith("SLIC"):
            workshop.visits.stop(me)

    jobs = [(card, {}) for card in cards]
    updates = list(run_cards(workshop, jobs, str(tmp_path / "photo.png"), {}, shared, status, progress, me))
    assert updates[0][status] == ""  # what the run before said
    assert viewers[0] in updates[1] and list(updates[1][shared.results]) == ["kmeans"]
    assert "Stopped" in updates[-1][status] and not any(viewers[1] in update for update in updates)


def test_cancelled_passes_through_the_workshop():
    with pytest.raises(Cancelled):
        Workshop(Engine("cpu")).run("kmeans", PHOTO, None, lambda: True)


def test_photos_are_refused_with_advice(tmp_path):
    with pytest.raises(ImageError, match="Choose a photo"):
        photo_of(None)
    (tmp_path / "x.jpg").write_text("no photo")
    with pytest.raises(ImageError, match="not a picture"):
        photo_of(str(tmp_path / "x.jpg"))


def test_export():
    _, result = Workshop(Engine("cpu")).run("kmeans", PHOTO, None, None, clusters=3)
    labels, overlay, report = export_files(result)
    np.testing.assert_array_equal(np.asarray(Image.open(labels)), result.segmentation.labels)
    assert Image.open(overlay).size == (40, 30)
    with open(report, encoding="utf-8") as file:
        assert json.load(file)["parameters"]["clusters"] == 3


def test_controls_follow_the_model():
    from segdemo import methods

    for m in methods().values():
        controls, schemas = controls_for(m.params), m.params.model_json_schema()["properties"]
        assert set(controls) == set(schemas) - set(SHARED)
        for name, control in controls.items():
            assert control.value == schemas[name]["default"]
            assert control.info == schemas[name]["description"]


def test_exports_do_not_pile_up(monkeypatch):
    _, result = Workshop(Engine("cpu")).run("kmeans", PHOTO, None, None, clusters=2)
    first = export_files(result)
    assert all(Path(path).is_file() for path in first) and all(Path(path).is_file() for path in export_files(result))
    monkeypatch.setattr(workshop_module, "EXPORTS_KEPT", -1)
    second = export_files(result)
    assert not any(Path(path).exists() for path in first) and all(Path(path).is_file() for path in second)


def test_too_many_labels_for_a_file_are_explained():
    labels = np.arange(260 * 260).reshape(260, 260)
    names, palette = [str(k) for k in range(labels.size)], np.zeros((labels.size, 3), np.uint8)
    result = Result.of("many", "", 0.0, np.zeros((260, 260, 3), np.uint8), Segmentation(labels, names, palette))
    with pytest.raises(gr.Error, match="65536"):
        export_result("many", {"many": result})
    with pytest.raises(gr.Error, match="no result"):
        export_result("other", {"many": result})


def test_shares_of_the_photo_have_as_many_digits_as_on_the_cards():
    assert [share_text(part) for part in (0, 0.0004, 0.0006, 0.0312, 0.17, 1)] == [
        "·",
        "·",
        "0.1 %",
        "3.1 %",
        "17 %",
        "100 %",
    ]
