"""A model hub on this machine: serves files from memory, in part on request, and fails when told to."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hub:
    """Files by path. ``break_after`` bytes of a body the connection is cut; ``requests`` tells what was asked for."""

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.break_after: int | None = None
        self.states_checksums = True
        self.requests: list[tuple[str, str, str | None]] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self):
                hub.answer(self, with_body=False)

            def do_GET(self):
                hub.answer(self, with_body=True)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, handler: BaseHTTPRequestHandler, with_body: bool) -> None:
        wanted = handler.headers.get("Range")
        self.requests.append((handler.command, handler.path, wanted))
        body = self.files.get(handler.path.removeprefix("/store"))
        if body is None:
            handler.send_error(404, "Not Found")
            return
        digest = hashlib.sha256(body).hexdigest()
        if not handler.path.startswith("/store"):  # like a hub: the file itself lies elsewhere
            handler.send_response(302)
            handler.send_header("Location", f"{self.url}/store{handler.path}")
            if self.states_checksums:
                handler.send_header("X-Linked-ETag", f'"{digest}"')
                handler.send_header("X-Linked-Size", str(len(body)))
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        start = 0
        if wanted and handler.headers.get("If-Range") == f'"{digest}"':
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
            if start >= len(body):
                handler.send_error(416, "Range Not Satisfiable")
                return
        handler.send_response(206 if start else 200)
        handler.send_header("ETag", f'"{digest}"')
        handler.send_header("Content-Length", str(len(body) - start))
        handler.end_headers()
        if with_body:
            rest = body[start:]
            handler.wfile.write(rest if self.break_after is None else rest[: self.break_after])

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
