"""Start the demo: options, engine, page, launch."""

from __future__ import annotations

import argparse
import os
import threading

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before anything imports gradio
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch: idle threads must not spin while visitors wait

from segdemo import Engine  # noqa: E402
from segdemo.errors import ParameterError  # noqa: E402
from segdemo.ui.page import build_page, launching  # noqa: E402


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Segdemo: every segmentation method of a lecture, side by side.")
    parser.add_argument(
        "--host", default=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"), help="0.0.0.0 serves other machines"
    )
    parser.add_argument("--port", type=int, default=int(os.environ.get("GRADIO_SERVER_PORT", 7860)))
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    return parser.parse_args()


def main() -> None:
    options = parse()
    try:
        engine = Engine(options.device)
    except ParameterError as error:
        raise SystemExit(f"segdemo: {error}") from None
    page = build_page(engine)
    # Compilers and caches warm up while the first visitor still looks for a photo.
    threading.Thread(target=engine.warm, daemon=True).start()
    try:
        page.launch(server_name=options.host, server_port=options.port, inbrowser=options.open, **launching())
    except OSError:
        taken = f"segdemo: {options.host} with port {options.port} cannot be used; is another program on it?"
        raise SystemExit(f"{taken} Choose another port: python app.py --port {options.port + 1}") from None


if __name__ == "__main__":
    main()
