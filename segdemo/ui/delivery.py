"""How the page travels to the browser: every script and style on it once, and compressed.

A ``gr.HTML`` carries its own script (``head``) and style (``css_template``), and so works in any ``gr.Blocks``. A page
with forty viewers would carry forty copies of each, several megabytes; here they move to the head of the page.
"""

from __future__ import annotations

from hashlib import sha1
from typing import Any

from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import Receive, Scope, Send


def hoist(config: dict[str, Any]) -> dict[str, Any]:
    """A page's configuration as Gradio makes it, with every script and style of its ``gr.HTML`` in it once.

    Gradio's own script puts ``config["head"]`` on the page before it draws a component, and each component's style
    under an id of that component. A style in common stands under a class instead, in a rule that weighs as much.
    """
    parts = dict.fromkeys([config.get("head") or ""])  # in the order of first use
    components = []
    for component in config["components"]:
        props = component["props"]
        if component["type"] == "html":
            props = dict(props)
            parts[props.pop("head", None) or ""] = None
            if style := props.pop("css_template", None):
                kind = f"style-{sha1(style.encode()).hexdigest()[:8]}"
                parts[f"<style>:is(#{kind}, .{kind}) {{ {style} }}</style>"] = None
                props["elem_classes"] = [*(props.get("elem_classes") or []), kind]
        components.append(component | {"props": props})
    return config | {"components": components, "head": "\n".join(filter(None, parts))}


class Compressed(GZipMiddleware):
    """Compresses the page itself; Gradio does so for its scripts, and pictures and live messages gain nothing."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        whole = scope["type"] == "http" and scope["path"].endswith("/")
        await (super().__call__(scope, receive, send) if whole else self.app(scope, receive, send))


COMPRESSION = {"middleware": [Middleware(Compressed, compresslevel=5)]}
"""For ``launch(app_kwargs=...)``."""
