import asyncio
import logging
import socket
from pathlib import Path
from typing import Any

import pytest
from support.token_endpoint import (
    GRANTED,
    HTML,
    REFRESH,
    SECRET,
    THROTTLED,
    TOKEN,
    Endpoint,
    Time,
    answer_in_turn,
    formatted,
    grant,
    request_once,
    token_endpoint,
    tokens_at,
)

from batchlock.core.errors import Stopped

BUSY = [
    (200, THROTTLED),
    (400, THROTTLED),
    (400, {"error": "Zugriff verweigert"}),
    (200, {"error": "アクセスが拒否されました", "status": "failure"}),
    (429, {"error": "too_many_requests"}),
    (429, HTML),
    (429, b""),
]


@pytest.mark.parametrize("busy", BUSY)
def test_a_request_to_a_busy_endpoint_is_repeated(
    path: Path, busy: tuple[int, object], caplog: pytest.LogCaptureFixture
) -> None:
    time = Time()
    with caplog.at_level(logging.WARNING):
        token, endpoint = request_once(answer_in_turn(busy, busy, busy, GRANTED), path, time=time)
    assert (token, len(endpoint.forms)) == (TOKEN, 4)
    assert time.waits == [2, 4, 8]
    assert len(caplog.messages) == 1
    assert "too many requests" in caplog.messages[0]


def test_waits_have_jitter_and_grow_to_a_minute_until_the_longest_wait_is_over(path: Path) -> None:
    time = Time()
    with pytest.raises(Stopped, match=r"No access token after 200 s .*too many requests"):
        request_once(
            answer_in_turn((200, THROTTLED)), path, time=time, max_wait=200, random=lambda: 0.5
        )
    assert time.waits == [1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 19]


def test_a_new_request_is_possible_after_giving_up(path: Path) -> None:
    async def main() -> str:
        later = answer_in_turn((200, THROTTLED), GRANTED)
        async with (
            token_endpoint(later) as endpoint,
            tokens_at(endpoint, path, max_wait=0) as tokens,
        ):
            with pytest.raises(Stopped):
                await tokens.token()
            return await tokens.token()

    assert asyncio.run(main()) == TOKEN


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (500, {"error": "general_error"}, "had a fault (HTTP 500)"),
        (502, HTML, "web page came back instead of Zoho's answer (HTTP 502)"),
        (200, HTML, "web page came back"),
        (403, HTML, "proxy or firewall"),
        (302, b"", "sent on to another address (HTTP 302)"),
        (200, b"", "An empty answer"),
        (200, b'{"access_token": "x', "only a part of it"),
        (200, [], "Something other"),
        (200, {"error": ""}, "Something other"),
        (200, {"error": 7}, "Something other"),
        (200, {"access_token": None}, "Something other"),
        (200, b" " * 100_000, "The answer is too long to be Zoho's"),
    ],
)
def test_a_request_without_an_answer_of_zoho_is_repeated(
    path: Path, status: int, body: object, words: str
) -> None:
    time = Time()
    with pytest.raises(Stopped) as raised:
        request_once(answer_in_turn((status, body)), path, time=time, max_wait=10)
    assert words in str(raised.value)
    assert time.waits == [2, 4, 4]
    time = Time()
    assert request_once(answer_in_turn((status, body), GRANTED), path, time=time)[0] == TOKEN


def unanswered(url: str, path: Path, **changed: Any) -> tuple[str, list[float]]:
    """Return the message about an endpoint without an answer, and the waits before it."""
    time = Time()

    async def main() -> str:
        async with tokens_at(Endpoint(grant(), url), path, time=time, **changed) as tokens:
            with pytest.raises(Stopped) as raised:
                await tokens.token()
            outputs = formatted(raised.value)
            assert SECRET not in outputs
            assert REFRESH not in outputs
            return str(raised.value)

    return asyncio.run(main()), time.waits


def test_a_refused_connection_and_an_unknown_name_are_reported(path: Path) -> None:
    with socket.socket() as silent_socket:
        silent_socket.bind(("127.0.0.1", 0))
        port = silent_socket.getsockname()[1]
        arguments, waits = unanswered(f"http://127.0.0.1:{port}", path, max_wait=6)
        assert "127.0.0.1 refused the connection." in arguments
        assert waits == [2, 4]
    arguments, _ = unanswered("http://accounts.invalid", path, max_wait=0)
    assert "The name accounts.invalid could not be looked up (DNS)." in arguments


def test_a_silent_endpoint_and_a_closed_connection_are_reported(path: Path) -> None:
    async def main() -> list[str]:
        async def hang(_: int) -> tuple[int, bytes]:
            await asyncio.sleep(60)
            return 200, b""

        async def hang_up(_: int) -> tuple[int, bytes]:
            raise ConnectionResetError

        arguments = []
        for handler, seconds in ((hang, 0.3), (hang_up, 20)):
            async with (
                token_endpoint(handler) as endpoint,
                tokens_at(endpoint, path, max_wait=0, timeout=seconds) as tokens,
            ):
                with pytest.raises(Stopped) as raised:
                    await tokens.token()
                arguments.append(str(raised.value))
        return arguments

    silent, closed = asyncio.run(main())
    assert "no answer within 0.3 s" in silent
    assert "closed the connection before it answered" in closed


def test_an_endpoint_without_tls_is_reported(path: Path) -> None:
    async def main() -> str:
        async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        listening = await asyncio.start_server(plain, "127.0.0.1", 0)
        url = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        async with tokens_at(Endpoint(grant(), url), path, max_wait=0) as tokens:
            with pytest.raises(Stopped) as raised:
                await tokens.token()
        listening.close()
        return str(raised.value)

    assert "No encrypted connection to 127.0.0.1 could be made (TLS)." in asyncio.run(main())
