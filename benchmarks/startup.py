"""``python -m benchmarks.startup``: seconds from ``python app.py`` to the page, and the idle server's memory (Linux)."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

WARM_UP = 30.0
"""Seconds given to the warm-up behind the page before memory is read."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def main() -> None:
    port, start = free_port(), time.perf_counter()
    server = subprocess.Popen([sys.executable, "app.py", "--port", str(port)], stdout=subprocess.DEVNULL)
    try:
        while server.poll() is None:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1)
                break
            except (urllib.error.URLError, TimeoutError):
                time.sleep(0.1)
        seconds = time.perf_counter() - start
        time.sleep(WARM_UP)
        status = Path(f"/proc/{server.pid}/status").read_text()
        kilobytes = int(status.split("VmRSS:")[1].split()[0])
        print(f"start to page: {seconds:.1f} s; idle memory after the warm-up: {kilobytes / 2**20:.2f} GB")
    finally:
        server.terminate()


if __name__ == "__main__":
    main()
