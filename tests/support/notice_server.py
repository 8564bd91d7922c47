"""A server on loopback that gets notices, and answers well or badly."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from support.http_server import tls_of


@dataclass(frozen=True, slots=True)
class Received:
    """A request that a server has got."""

    path: str
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class NoticeServer:
    url: str = ""
    requests: list[Received] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    """The answers of the next requests; 200 when there is none left."""
    headers: dict[str, str] = field(default_factory=dict)
    """Of every answer."""
    hangs: bool = False
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def paths(self) -> list[str]:
        """The paths of the requests, without their queries."""
        return [request.path.partition("?")[0] for request in self.requests]


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Print nothing: a client that does not trust the certificate, or waits no longer."""


@contextmanager
def notice_server(
    *statuses: int, hangs: bool = False, pem: Path | None = None, **headers: str
) -> Iterator[NoticeServer]:
    """Serve, with TLS when there is a key and a certificate in `pem`."""
    state = NoticeServer(statuses=[*statuses], hangs=hangs, headers=headers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            state.requests.append(Received(self.path, self.headers, body))
            if state.hangs:
                state.closing.wait()
                return
            self.send_response(state.statuses.pop(0) if state.statuses else 200)
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = _HttpServer(("127.0.0.1", 0), Handler)
    if pem is not None:
        server.socket = tls_of(pem).wrap_socket(server.socket, server_side=True)
    scheme = "http" if pem is None else "https"
    state.url = f"{scheme}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield state
    finally:
        state.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def closed_port() -> int:
    """Return a port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
    return port
