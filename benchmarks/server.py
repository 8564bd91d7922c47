"""Run a stand-in for Zoho that uses hardly any CPU: `python -m benchmarks.server`.

It handles only as much HTTP/1.1 as the token endpoint and the PUT of a lock need, and always
answers SUCCESS, so that it never limits a client. With a delay it answers later by that time. With
a cap it refuses calls above the cap at once, as Zoho does. It prints its address; `GET /counts`
returns what it has counted.
"""

import argparse
import asyncio
import json
import random
import re
import time
from dataclasses import asdict, dataclass
from typing import cast

_BODY = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_JSON = b"\r\nContent-Type: application/json;charset=UTF-8\r\n\r\n"
_SUCCESS = b'{"data":[{"code":"SUCCESS","details":{"id":"%b"},"message":"relation updated",'
_SUCCESS += b'"status":"success"}]}'
# Bytes of the body without a lock id, for Content-Length.
_EMPTY = len(_SUCCESS) - len(b"%b")
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d"
_TOKEN = json.dumps(
    {"access_token": "1000.benchmark", "expires_in": 3600, "token_type": "Bearer"}
).encode()
_BUSY = json.dumps(
    {
        "code": "TOO_MANY_REQUESTS",
        "details": {},
        "message": "too many requests. please try again after some time",
        "status": "error",
    }
).encode()


@dataclass(slots=True)
class Counts:
    """What the server has counted. Times are monotonic seconds."""

    accepted: int = 0
    refused: int = 0
    peak: int = 0
    """The most calls in flight, without refused ones."""
    delays: float = 0.0
    """The sum of the delays of all accepted calls, in seconds."""
    first: float = 0.0
    """When the first PUT arrived."""
    last: float = 0.0
    """When the last answer to a PUT was sent."""


class Zoho:
    """The state that all connections share."""

    def __init__(self, *, delay: float, jitter: float, cap: int) -> None:
        self.delay = delay
        self.jitter = jitter
        self.cap = cap
        self.in_flight = 0
        self.counts = Counts()
        self.random = random.Random(1)  # noqa: S311  delays that are the same in each round


class Connection(asyncio.Protocol):
    """One connection, open until the client closes it."""

    def __init__(self, zoho: Zoho) -> None:
        self._zoho = zoho
        self._unread = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by descent

    def data_received(self, data: bytes) -> None:
        """Answer every complete request in the buffer."""
        # A request can come in several pieces, and several requests in one piece.
        data = self._unread + data
        while (end := data.find(b"\r\n\r\n")) >= 0:
            length = _BODY.search(data, 0, end)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(data) < whole:
                break
            line = data[: data.find(b" HTTP/1.1\r\n")]
            data = data[whole:]
            self._answer(line)
        self._unread = data

    def _answer(self, line: bytes) -> None:
        if line.startswith(b"PUT "):
            self._put(line[line.rfind(b"/") + 1 :])
        elif line.startswith(b"POST /oauth/"):
            self._send((_HEAD + _JSON) % len(_TOKEN) + _TOKEN)
        elif line == b"GET /counts":
            body = json.dumps(asdict(self._zoho.counts)).encode()
            self._send((_HEAD + _JSON) % len(body) + body)
        else:
            self._send(b"HTTP/1.1 204 No Content\r\n\r\n")

    def _put(self, lock_id: bytes) -> None:
        zoho = self._zoho
        counts = zoho.counts
        if not counts.first:
            counts.first = time.monotonic()
        if zoho.cap and zoho.in_flight >= zoho.cap:
            counts.refused += 1
            self._send(
                b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: %d" % len(_BUSY) + _JSON + _BUSY
            )
            return
        zoho.in_flight += 1
        counts.peak = max(counts.peak, zoho.in_flight)
        answer = (_HEAD + _JSON + _SUCCESS) % (_EMPTY + len(lock_id), lock_id)
        if zoho.delay:
            delay = zoho.random.uniform(zoho.delay - zoho.jitter, zoho.delay + zoho.jitter)
            counts.delays += delay
            asyncio.get_running_loop().call_later(delay, self._accept, answer)
        else:
            self._accept(answer)

    def _accept(self, answer: bytes) -> None:
        zoho = self._zoho
        zoho.in_flight -= 1
        zoho.counts.accepted += 1
        zoho.counts.last = time.monotonic()
        self._send(answer)

    def _send(self, answer: bytes) -> None:
        assert self._transport is not None
        if not self._transport.is_closing():
            self._transport.write(answer)


async def serve(zoho: Zoho) -> None:
    """Answer until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(zoho), "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    """Run the server."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--jitter", type=float, default=0.0)
    parser.add_argument("--cap", type=int, default=0)
    zoho = Zoho(**vars(parser.parse_args()))
    try:
        import uvloop
    except ImportError:
        asyncio.run(serve(zoho))
    else:
        uvloop.run(serve(zoho))


if __name__ == "__main__":
    main()
