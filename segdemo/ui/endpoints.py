"""The HTTP API: one named endpoint per method, with the method's own parameters.

from gradio_client import Client, handle_file
client = Client("http://127.0.0.1:7860")
report, labels, overlay = client.predict(handle_file("cat.jpg"), clusters=4, api_name="/kmeans")
"""

from __future__ import annotations

import inspect
import json
import time
from collections.abc import Callable
from typing import Any

import gradio as gr

from ..errors import SegdemoError
from ..export import report
from ..graphcut.scribbles import load_scribbles
from ..method import Method, methods
from ..networks.inference import is_public
from .cards import ENGINE
from .controls import control
from .photo import photo_input
from .workshop import Result, Workshop, export_files, photo_of


def endpoints(workshop: Workshop) -> None:
    """Register an endpoint for every method; they have no visible part."""
    with gr.Column(visible=False):
        photo = photo_input(label="photo")
        scribbles = gr.File(
            label="scribbles: PNG, 0 = none, 1 = object, 2 = background; for expansion 1 to 8", type="filepath"
        )
        outputs = gr.JSON(label="report"), gr.File(label="label PNG"), gr.File(label="overlay PNG")
        for m in methods().values():
            if not is_public(m.name):
                schemas = m.params.model_json_schema()["properties"]
                fields = {name: control(name, schema) for name, schema in schemas.items()}
                inputs = [photo] + [scribbles] * m.needs_scribbles + list(fields.values())
                gr.Button(m.name).click(
                    endpoint(workshop, m, list(fields)), inputs, outputs, api_name=m.name, api_description=m.summary,
                    concurrency_id=ENGINE,
                )  # fmt: skip


def endpoint(workshop: Workshop, m: Method, fields: list[str]) -> Callable:
    """A function whose parameters are the photo, the scribbles if needed, and the method's own, by name."""

    def call(*values: Any):
        *values, request = values  # Gradio puts the request where the signature below names it
        given = dict(zip(names, values, strict=True))
        try:
            photo = photo_of(given.pop("photo"))
            if m.needs_scribbles:
                given["scribbles"] = load_scribbles(given["scribbles"]) if given["scribbles"] else None
            is_cancelled, start = workshop.visits.begin(request), time.perf_counter()
            result = workshop.engine.run(m.name, photo, is_cancelled=is_cancelled, keep_frames=False, **given)
            seconds = time.perf_counter() - start
            labels, overlay, _ = export_files(Result.of(m.title, "", seconds, photo, result))
        except SegdemoError as error:
            raise gr.Error(str(error), print_exception=False) from None
        return json.loads(json.dumps(report(result))), labels, overlay

    names = ["photo"] + ["scribbles"] * m.needs_scribbles + fields
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(name, kind) for name in names]
    parameters.append(inspect.Parameter("request", kind, annotation=gr.Request))
    call.__signature__ = inspect.Signature(parameters)
    call.__annotations__ = {"request": gr.Request}
    return call
