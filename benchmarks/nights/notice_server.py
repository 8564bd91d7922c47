"""A server on loopback that records the notices an administrator gets.

The first part of a path says how it answers: `/ok/…` well, `/faulty/…` with 500, `/hanging/…` not
at all before it is closed.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """A notice as it has arrived."""

    path: str
    """Without its query."""
    body: bytes


@dataclass(slots=True)
class NoticeServer:
    """The notices so far."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)

    def pings(self, prefix: str) -> list[str]:
        """Return what follows the address in each ping of a night: `/start`, `/3`, or nothing."""
        address = f"{prefix}/ping"
        return [
            request.path.removeprefix(address)
            for request in self.requests
            if request.path == address or request.path.startswith(f"{address}/")
        ]

    def webhooks(self, prefix: str) -> list[dict[str, Any]]:
        """Return the objects that the webhook of a night got."""
        return [
            json.loads(request.body)
            for request in self.requests
            if request.path == f"{prefix}/hook"
        ]


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: a client that was killed, or waits no longer."""


@contextmanager
def notice_server() -> Iterator[NoticeServer]:
    """Serve during the block."""
    state = NoticeServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            state.requests.append(Request(path, body))
            if path.startswith("/hanging/"):
                state.closing.wait()
                return
            self.send_response(500 if path.startswith("/faulty/") else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = _HttpServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield state
    finally:
        state.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
