"""A server on loopback that answers in a faulty way."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from support.commands import TIMEOUT_SECONDS

SUCCESS = (
    b'{"data":[{"code":"SUCCESS","details":{},"message":"relation updated","status":"success"}]}'
)
PAGE = b"<html><body><h1>Access to this site is restricted</h1></body></html>"


@dataclass(slots=True)
class BadServer:
    port: int
    sent: list[int] = field(default_factory=list)
    """Bytes sent in answer to each request."""
    closing: threading.Event = field(default_factory=threading.Event)


Handler = Callable[[socket.socket, BadServer], None]
"""Handles one connection."""


@contextmanager
def bad_server(handler: Handler) -> Iterator[BadServer]:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        server = BadServer(listening.getsockname()[1])
        threads: list[threading.Thread] = []

        def accept() -> None:
            while not server.closing.is_set():
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                thread = threading.Thread(target=serve, args=(connection,))
                threads.append(thread)
                thread.start()

        def serve(connection: socket.socket) -> None:
            connection.settimeout(0.1)
            try:
                with connection:
                    handler(connection, server)
            except OSError:
                pass  # the client has closed the connection, or the test has ended

        accepting = threading.Thread(target=accept)
        accepting.start()
        try:
            yield server
        finally:
            server.closing.set()
            listening.shutdown(socket.SHUT_RDWR)
            accepting.join(TIMEOUT_SECONDS)
            for thread in threads:
                thread.join(TIMEOUT_SECONDS)


def read_request(connection: socket.socket, server: BadServer) -> bytes:
    """Return the next request; empty when the client sends no more."""
    request = b""
    while not server.closing.is_set():
        try:
            part = connection.recv(65536)
        except TimeoutError:
            continue
        request += part
        head, _, body = request.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if not part or (b"\r\n\r\n" in request and len(body) >= int(length or 0)):
            return request if part else b""
    return b""


def answers(status: str, body: bytes) -> Handler:
    def handler(connection: socket.socket, server: BadServer) -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode() + body)
        server.sent.append(len(body))

    return handler


def closes_after_answer(connection: socket.socket, server: BadServer) -> None:
    """Answer well, without the header that announces the close."""
    if read_request(connection, server):
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(SUCCESS)}\r\n\r\n"
        connection.sendall(head.encode() + SUCCESS)
        server.sent.append(len(SUCCESS))


def resets(connection: socket.socket, server: BadServer) -> None:
    server.sent.append(0)
    # Linger on, for 0 seconds: close() sends a reset.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def hangs(connection: socket.socket, server: BadServer) -> None:
    server.sent.append(0)
    server.closing.wait(TIMEOUT_SECONDS)


def never_ends(connection: socket.socket, server: BadServer) -> None:
    server.sent.append(0)
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not server.closing.wait(0.05):
        connection.sendall(b"1\r\n \r\n")


def sends_50_mb(connection: socket.socket, server: BadServer) -> None:
    server.sent.append(0)
    connection.settimeout(TIMEOUT_SECONDS)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
    for _ in range(50):
        connection.sendall(b" " * 1_000_000)
        server.sent[-1] += 1_000_000


def speaks_no_http(connection: socket.socket, server: BadServer) -> None:
    server.sent.append(0)
    connection.sendall(b"220 mail.example.com ESMTP\r\n")
