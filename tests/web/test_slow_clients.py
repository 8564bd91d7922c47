"""Clients that send or read slowly, or open many connections: they keep nobody else out."""

import asyncio
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from support.page_server import PageServer, page_server, served_page
from support.visitor import Visitor, csv_content, eventually, write_config

from batchlock.config.settings import WebSettings
from batchlock.web.connections import ConnectionLimits, OpenConnections
from batchlock.web.protocol import connection_factory

HOME = "/orgs/simulator"
HALF_A_HEADER = b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: 1"
FORM = (
    b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\n\r\nname="
)


@pytest.fixture(scope="module")
def strict_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """Serve a page that waits a second for slow clients.

    It is a process: it has the event loop of the command line, whose transports are others.
    """
    folder = tmp_path_factory.mktemp("strict")
    write_config(folder, "web: {header_timeout: 1s, transfer_timeout: 1s, idle_timeout: 1s}")
    with page_server(folder, "--simulate") as page:
        yield page


@pytest.fixture(scope="module")
def small_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    """Serve a page with few connections, which waits for ever."""
    folder = tmp_path_factory.mktemp("small")
    write_config(
        folder,
        "web: {header_timeout: 10h, transfer_timeout: 10h, idle_timeout: 10h, max_connections: 6,"
        " max_connections_per_address: 3}",
    )
    with served_page(folder, simulate=True) as page:
        yield page


def connect(page: PageServer, content: bytes = b"", *, source: str = "127.0.0.1") -> socket.socket:
    """Connect to a page from an address of this machine, and send something."""
    url = urlsplit(page.url)
    address = str(url.hostname), int(url.port or 0)
    connection = socket.create_connection(address, source_address=(source, 0))
    connection.sendall(content)
    return connection


def upload_head(visitor: Visitor) -> bytes:
    """Return the beginning of an upload of 10,000 bytes: its token, and a part of its file."""
    return (
        f"POST {visitor.home or HOME}/files HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Length: 10000\r\nCookie: {visitor.cookie or 'a=b'}\r\n"
        f"X-CSRF-Token: {visitor.csrf}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        '--b\r\nContent-Disposition: form-data; name="file"; filename="half.csv"\r\n\r\nModule,'
    ).encode()


def is_closed(connection: socket.socket) -> bool:
    """Return whether the server has closed a connection, without waiting for it."""
    connection.setblocking(False)
    try:
        while connection.recv(1 << 16):
            pass
    except BlockingIOError:
        return False
    except ConnectionError:
        pass
    return True


def refuses_bytes(connection: socket.socket) -> bool:
    """Return whether the server has closed a connection, without reading from it."""
    try:
        connection.send(b" ")
    except ConnectionError:
        return True
    return False


def test_slow_clients_are_cut_while_others_are_answered(strict_page: PageServer) -> None:
    someone = strict_page.visitor()
    idle = b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    beginnings = [b"", HALF_A_HEADER, FORM, upload_head(someone), idle, idle + HALF_A_HEADER]
    connections = [connect(strict_page, beginning) for beginning in beginnings]
    assert someone.get(someone.home).status == 200
    eventually(lambda: all(is_closed(connection) for connection in connections))
    for connection in connections:
        connection.close()
    assert "half.csv" not in someone.get(someone.home).text
    folder = strict_page.state / "web" / "files"
    eventually(lambda: not folder.exists() or not list(folder.iterdir()))


def test_a_client_that_does_not_read_its_answers_is_aborted(strict_page: PageServer) -> None:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    url = urlsplit(strict_page.url)
    connection.connect((str(url.hostname), int(url.port or 0)))
    # Far more than the buffers of the operating system take.
    connection.sendall(b"GET /static/style.css HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 400)
    eventually(lambda: refuses_bytes(connection))
    connection.close()


def test_a_slow_upload_that_goes_on_is_taken(strict_page: PageServer) -> None:
    someone = strict_page.visitor()
    content = csv_content(200, first=400)
    disposition = b'Content-Disposition: form-data; name="file"; filename="whole.csv"\r\n\r\n'
    body = b"--b\r\n" + disposition + content + b"\r\n--b--\r\n"
    head = upload_head(someone).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    with connect(strict_page, head.replace(b"10000", str(len(body)).encode())) as connection:
        # Longer than a client may stand still, with something in each part of this time.
        part = len(body) // 5 + 1
        for begin in range(0, len(body), part):
            time.sleep(0.3)
            connection.sendall(body[begin : begin + part])
        with connection.makefile("rb") as answer:
            assert answer.readline().startswith(b"HTTP/1.1 303 ")
    assert "whole.csv" in someone.get(someone.home).words


def test_a_body_is_not_read_without_a_session(small_page: PageServer) -> None:
    for content in (upload_head(Visitor(small_page.url)), FORM.replace(b"/login", b"/logout")):
        with connect(small_page, content) as connection, connection.makefile("rb") as answer:
            assert answer.readline().startswith(b"HTTP/1.1 401 ")


def test_the_connection_gives_way_that_has_waited_longest(small_page: PageServer) -> None:
    half_open = [connect(small_page, HALF_A_HEADER) for _ in range(20)]
    assert Visitor(small_page.url).get("/login").status == 200
    eventually(lambda: sum(not is_closed(connection) for connection in half_open) <= 3)
    # The last one still has its place, unless the visitor has taken that.
    half_open[-1].setblocking(True)
    half_open[-1].sendall(b"\r\n\r\n")
    assert half_open[-1].recv(8) == b"HTTP/1.1"
    for connection in half_open:
        connection.close()


@pytest.mark.skipif(sys.platform != "linux", reason="a machine has one loopback address there")
def test_other_addresses_do_not_share_the_bound_of_one(small_page: PageServer) -> None:
    sources = [f"127.0.1.{number}" for number in range(1, 4)]
    half_open = [
        connect(small_page, HALF_A_HEADER, source=source) for source in sources for _ in range(2)
    ]
    assert Visitor(small_page.url).get("/login").status == 200
    eventually(lambda: sum(not is_closed(connection) for connection in half_open) == 5)
    for connection in half_open:
        connection.close()


@dataclass(eq=False)
class Place:
    """A connection with a fixed state."""

    waits_since: float | None
    is_aborted: bool = False

    def abort(self) -> None:
        self.is_aborted = True


def limits(*, most: int, of_address: int) -> ConnectionLimits:
    return ConnectionLimits(
        header_seconds=1, transfer_seconds=1, idle_seconds=1,
        max_connections=most, max_per_address=of_address, proxies=["10.0.0.1"],
    )  # fmt: skip


def test_nobody_is_aborted_who_waits_for_an_answer() -> None:
    connections = OpenConnections(limits(most=3, of_address=2))
    first, second = Place(None), Place(5.0)
    assert connections.admit(first, "2001:db8::1")
    assert connections.admit(second, "2001:db8::2")  # the same network
    assert connections.admit(Place(None), "2001:db8::3")
    assert (first.is_aborted, second.is_aborted) == (False, True)
    assert not connections.admit(Place(9.0), "2001:db8::4")
    connections.remove(first)
    assert connections.admit(Place(9.0), "2001:db8::5")


def test_a_new_client_is_told_that_all_are_at_work() -> None:
    async def answer_of_second() -> bytes:
        began, may_end = asyncio.Event(), asyncio.Event()

        async def work(request: web.BaseRequest) -> web.Response:
            began.set()
            await may_end.wait()
            return web.Response()

        connections = OpenConnections(limits(most=9, of_address=1))
        loop = asyncio.get_running_loop()
        factory = connection_factory(web.Server(work), loop, connections)
        listener = await loop.create_server(factory, "127.0.0.1", 0)
        address = listener.sockets[0].getsockname()
        _, first = await asyncio.open_connection(*address)
        first.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await began.wait()
        reader, second = await asyncio.open_connection(*address)
        answer = await reader.read()
        may_end.set()
        for writer in (first, second):
            writer.close()
        listener.close()
        return answer

    answer = asyncio.run(answer_of_second())
    assert answer.startswith(b"HTTP/1.1 503 ")
    headers, _, text = answer.partition(b"\r\n\r\n")
    for header in (f"Content-Length: {len(text)}", "X-Content-Type-Options: nosniff",
                   "Content-Security-Policy: default-src 'none'"):  # fmt: skip
        assert header.encode() in headers


def test_the_people_behind_a_proxy_share_no_bound() -> None:
    connections = OpenConnections(limits(most=3, of_address=1))
    assert all(connections.admit(Place(None), "10.0.0.1") for _ in range(3))
    assert not connections.admit(Place(None), "10.0.0.1")


def test_there_are_fewer_connections_than_descriptors() -> None:
    resource = pytest.importorskip("resource")
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = ConnectionLimits.of(WebSettings(max_connections=10**9)).max_connections
    assert found < descriptors
