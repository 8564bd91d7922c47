import asyncio
import gzip
import socket
from pathlib import Path

import orjson
import pytest
from support.http_server import (
    SELF_SIGNED,
    Handler,
    answer_with,
    close_after,
    http_response,
    raw_server,
    tls_of,
)
from support.zoho_calls import (
    ACCEPTING,
    LOCK,
    UPDATE,
    RotatingTokens,
    envelope,
    put,
    put_against,
    success,
)

from batchlock.core.reply import Reply, Verdict
from batchlock.zoho.client import Client, Endpoint, session

FAULTS = [
    (close_after(), "closed the connection before it answered"),
    (close_after(b"HTTP/1.1 200 OK\r\nContent-"), "closed the connection before it answered"),
    (close_after(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"), "cut short"),
    (close_after(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"), "cut short"),
    (answer_with(b"SSH-2.0-OpenSSH_9.6\r\n"), "is not HTTP"),
    (
        answer_with(http_response(200, b"\x1f\x8b plainly not", "Content-Encoding: gzip")),
        "cut short",
    ),
]


@pytest.mark.parametrize(("handler", "message"), FAULTS)
def test_a_call_with_a_broken_answer_is_lost_and_sent_only_once(
    handler: Handler, message: str
) -> None:
    reply, requests = put_against(handler)
    assert (reply.verdict, reply.http_status) == (Verdict.LOST, None)
    assert message in reply.message
    assert "127.0.0.1" in reply.message
    assert reply.remedy
    assert len(requests) == 1


def test_a_sent_call_is_lost_even_when_the_server_stops_listening() -> None:
    async def main() -> Reply:
        listening: list[asyncio.Server] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            listening[0].close()
            writer.close()

        listening.append(await asyncio.start_server(serve, "127.0.0.1", 0))
        port = listening[0].sockets[0].getsockname()[1]
        return await put(f"http://127.0.0.1:{port}")

    assert asyncio.run(main()).verdict is Verdict.LOST


def test_a_call_without_an_answer_is_lost_after_the_timeout() -> None:
    async def hang(_: bytes, writer: asyncio.StreamWriter) -> None:
        await writer.drain()

    reply, requests = put_against(hang, seconds=0.3)
    assert (reply.verdict, len(requests)) == (Verdict.LOST, 1)
    assert reply.message == "127.0.0.1 timed out: no answer within 0.3 s."


def test_a_stalled_body_is_lost_after_the_timeout() -> None:
    stalled = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"
    reply, _ = put_against(answer_with(stalled), seconds=0.3)
    assert reply.verdict is Verdict.LOST
    assert "timed out" in reply.message


@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_a_huge_answer_is_lost_and_does_not_block_the_next_call(compressed: bool) -> None:
    body = b" " * (50 * 1024 * 1024)
    answers = [
        http_response(200, gzip.compress(body), "Content-Encoding: gzip")
        if compressed
        else http_response(200, body),
        http_response(200, orjson.dumps(success())),
    ]

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answers.pop(0))
        await writer.drain()

    async def main() -> list[Reply]:
        async with raw_server(handler) as server, session(limit=1) as http_session:
            client = Client(Endpoint(api_url=server.url), RotatingTokens(), http_session)
            return [await client.put_reason(UPDATE, LOCK) for _ in range(2)]

    first, second = asyncio.run(main())
    assert (first.verdict, first.http_status) == (Verdict.LOST, 200)
    assert "The answer is too long to be Zoho's" in first.message
    assert second.verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("status", [400, 500])
def test_error_bodies_are_read_so_that_a_single_connection_stays_usable(status: int) -> None:
    body = orjson.dumps(envelope("INVALID_DATA", "x" * 500_000))

    async def main() -> list[Reply]:
        async with (
            raw_server(answer_with(http_response(status, body))) as server,
            session(limit=1) as http_session,
        ):
            client = Client(Endpoint(api_url=server.url), RotatingTokens(), http_session)
            calls = (client.put_reason(UPDATE, LOCK) for _ in range(5))
            return await asyncio.gather(*calls)

    assert [reply.http_status for reply in asyncio.run(main())] == [status] * 5


def test_a_name_that_does_not_exist_is_unreachable() -> None:
    reply = asyncio.run(put("http://zoho.invalid"))
    assert reply.verdict is Verdict.UNREACHABLE
    assert reply.message == "The name zoho.invalid could not be looked up (DNS)."
    assert "zoho.data_center" in reply.remedy


def test_a_refused_connection_is_unreachable() -> None:
    with socket.socket() as silent_socket:
        silent_socket.bind(("127.0.0.1", 0))
        reply = asyncio.run(put(f"http://127.0.0.1:{silent_socket.getsockname()[1]}"))
    assert (reply.verdict, reply.message) == (
        Verdict.UNREACHABLE,
        "127.0.0.1 refused the connection.",
    )


def test_a_server_without_tls_is_unreachable() -> None:
    async def main() -> Reply:
        async with raw_server(answer_with(http_response(200))) as server:
            return await put(server.url.replace("http:", "https:"))

    reply = asyncio.run(main())
    assert reply.verdict is Verdict.UNREACHABLE
    assert "No encrypted connection" in reply.message


def test_a_server_with_an_untrusted_certificate_is_a_fault_of_this_machine(tmp_path: Path) -> None:
    pem = tmp_path / "self-signed.pem"
    pem.write_text(SELF_SIGNED, encoding="ascii")

    async def main() -> Reply:
        async with raw_server(ACCEPTING, tls=tls_of(pem)) as server:
            return await put(server.url)

    reply = asyncio.run(main())
    assert reply.verdict is Verdict.MISCONFIGURED
    assert reply.message == "The certificate of 127.0.0.1 is not trusted (TLS)."


def test_an_address_that_cannot_be_connected_to_is_unreachable() -> None:
    reply = asyncio.run(put("http://255.255.255.255:9"))
    assert reply.verdict is Verdict.UNREACHABLE
    assert reply.message == "No connection to 255.255.255.255 could be made."


def test_a_server_that_never_answers_the_tls_handshake_is_unreachable() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        reply = asyncio.run(put(url, seconds=0.4))
    assert reply.verdict is Verdict.UNREACHABLE
    assert reply.message == "Connecting to 127.0.0.1 took too long."
