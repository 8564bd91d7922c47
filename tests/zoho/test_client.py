import asyncio
import contextlib
import gzip
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from batchlock import __version__
from batchlock.core.reply import Lock, Reply, Verdict
from batchlock.core.rows import LockId, RecordId, Update
from batchlock.zoho.client import Client, Endpoint, session
from batchlock.zoho.datacenters import DATA_CENTERS, ENVIRONMENTS, SCOPES

LOCK = LockId("5843104000000804005")
RECORD = RecordId("5843104000000425565")
UPDATE = Update(row=2, module="Leads", record_id=RECORD, lock_id=LOCK, reason="Ärger = 'groß' 🔒")
NO_LOCK_ID = Update(row=3, module="Leads", record_id=RECORD, lock_id=None, reason="x")
NOW = 1_700_000_000.0
TLS_HELLO = b"\x16"
HTML = b"<!DOCTYPE html><html><body>Access blocked</body></html>"

# Made for these tests alone: a key and a certificate that nobody trusts.
SELF_SIGNED = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgTqU+pFkriy3NA4F7
2/tmPHA3DBggaimsQrEN4u2IuQyhRANCAATieLg8Ogzr65HoAgjhFc1Ykan1Rz64
SMnddOcFV51iN/MnoJlAGINoCDfCJzaqVm76X04VG8cxrKKr9k/3avBU
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBjzCCATagAwIBAgIUbMcwXdjb2ncF8x7CnzA7SUVOJWkwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNDAxNDMzNFoYDzIxMjYxMDMx
MDE0MzM0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATieLg8Ogzr65HoAgjhFc1Ykan1Rz64SMnddOcFV51iN/MnoJlAGINo
CDfCJzaqVm76X04VG8cxrKKr9k/3avBUo2QwYjAdBgNVHQ4EFgQUPS97krS+slgQ
aPv1GRtONe8LbhQwHwYDVR0jBBgwFoAUPS97krS+slgQaPv1GRtONe8LbhQwDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0cAMEQC
IHsHUL0JOhVBwLFa4BvB2O41TaUrnVVISojLXnDk8VQOAiASu27yuY7/6mgZDVpN
tTJaI/8sq4hIEfy2su1PS8LHCg==
-----END CERTIFICATE-----
"""

Handler = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class RotatingTokens:
    """Hands out token-1, token-2 and so on, and remembers which were rejected."""

    def __init__(self) -> None:
        self.number = 1
        self.rejected: list[str] = []

    async def token(self) -> str:
        return f"token-{self.number}"

    async def refresh(self, rejected: str) -> str:
        self.rejected.append(rejected)
        self.number += 1
        return await self.token()


class Server:
    """A raw HTTP server: it shows what was sent and answers with the very bytes it is given."""

    def __init__(self, handler: Handler) -> None:
        self.requests: list[bytes] = []
        self.url = ""
        self._handler = handler

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                start = await reader.readexactly(1)
                if start == TLS_HELLO:
                    writer.write(http(400))
                    break
                head = start + await reader.readuntil(b"\r\n\r\n")
                length = re.search(rb"(?i)content-length: ([0-9]+)", head)
                body = await reader.readexactly(int(length[1]) if length else 0)
                self.requests.append(head + body)
                await self._handler(head + body, writer)


@contextlib.asynccontextmanager
async def serving(handler: Handler, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server(handler)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await server.serve(reader, writer)
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(serve(reader, writer)))

    listening = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    server.url = f"{'https' if tls else 'http'}://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def http(status: int, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def saying(answer: bytes) -> Handler:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return handler


def closing(answer: bytes = b"") -> Handler:
    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    return handler


async def put(url: str, *, bearer: RotatingTokens | None = None, seconds: float = 20) -> Reply:
    async with session(limit=1) as http_session:
        endpoint = Endpoint(api_url=url, timeout=seconds)
        client = Client(endpoint, bearer or RotatingTokens(), http_session, wall_clock=lambda: NOW)
        return await client.put_reason(UPDATE, LOCK)


async def find(url: str, update: Update) -> Reply:
    async with session(limit=1) as http_session:
        return await Client(Endpoint(api_url=url), RotatingTokens(), http_session).find_lock(update)


def put_against(handler: Handler, **how: Any) -> tuple[Reply, list[bytes]]:
    async def main() -> tuple[Reply, list[bytes]]:
        async with serving(handler) as server:
            return await put(server.url, **how), server.requests

    return asyncio.run(main())


def find_against(answer: bytes, update: Update) -> tuple[Reply, list[bytes]]:
    async def main() -> tuple[Reply, list[bytes]]:
        async with serving(saying(answer)) as server:
            return await find(server.url, update), server.requests

    return asyncio.run(main())


def envelope(code: object, message: str = "said", /, **details: object) -> dict[str, object]:
    return {"code": code, "details": details, "message": message, "status": "error"}


def success(lock_id: str = LOCK, **changed: object) -> dict[str, object]:
    row = {
        "code": "SUCCESS",
        "details": {"id": lock_id},
        "message": "relation updated",
        "status": "success",
    }
    return {"data": [row | changed]}


def test_an_update_is_the_documented_call_and_succeeds_on_zohos_word() -> None:
    reply, requests = put_against(saying(http(200, orjson.dumps(success()))))
    head, _, body = requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == f"PUT /crm/v7/Leads/{RECORD}/Locking_Information__s/{LOCK} HTTP/1.1"
    assert "Authorization: Zoho-oauthtoken token-1" in lines
    assert "Content-Type: application/json" in lines
    assert f"User-Agent: batchlock/{__version__}" in lines
    assert orjson.loads(body) == {"data": [{"Locked_Reason__s": UPDATE.reason}]}
    assert reply == Reply(
        verdict=Verdict.ACCEPTED, http_status=200, code="SUCCESS", message="relation updated"
    )


def test_the_version_and_an_odd_module_name_stand_in_the_address() -> None:
    async def main() -> bytes:
        async with (
            serving(saying(http(204))) as server,
            session(limit=1) as http_session,
        ):
            endpoint = Endpoint(api_url=server.url, version="v8")
            odd = Update(row=2, module="A/b ü", record_id=RECORD, lock_id=None, reason="x")
            await Client(endpoint, RotatingTokens(), http_session).find_lock(odd)
            return server.requests[0]

    assert asyncio.run(main()).startswith(b"GET /crm/v8/A%2Fb%20%C3%BC/" + RECORD.encode())


ERRORS = [
    (400, "MANDATORY_NOT_FOUND", {"api_name": "Locked_Reason__s"}, "refused", "reason"),
    (400, "INVALID_MODULE", {"resource_path_index": 0}, "refused", "API name"),
    (400, "INVALID_DATA", {"resource_path_index": 0}, "refused", "API name"),
    (400, "INVALID_DATA", {"resource_path_index": 1}, "refused", "no record with this id"),
    (400, "INVALID_DATA", {"resource_path_index": 3}, "refused", "no lock with this id"),
    (400, "INVALID_DATA", {"api_name": "Locked_Reason__s"}, "refused", "length"),
    (400, "INVALID_DATA", {}, "refused", "not locked any more"),
    (400, "INVALID_DATA", {"resource_path_index": []}, "refused", "not locked any more"),
    (400, "NOT_ALLOWED", {"resource_path_index": 2}, "refused", "not set up for this module"),
    (403, "NOT_ALLOWED", {"resource_path_index": 1}, "refused", "cannot be changed by hand"),
    (403, "INVALID_REQUEST_METHOD", {}, "refused", "zoho.api_url"),
    (400, "INVALID_REQUEST_METHOD", {}, "refused", "proxy"),
    (403, "NO_PERMISSION", {}, "refused", "permission"),
    (403, "NO_PERMISSION", {"permissions": ["Crm_Implied_Edit_Leads"]}, "refused", "permission"),
    (403, "NO_PERMISSION", {"permissions": ["Crm_Implied_Api_Access"]}, "denied", "API Access"),
    (400, "RECORD_LOCKED", {}, "refused", "release"),
    (400, "LIMIT_EXCEEDED", {}, "refused", "limit"),
    (400, "REQUIRED_PARAM_MISSING", {}, "refused", "part of the call"),
    (400, "FEATURE_NOT_SUPPORTED", {}, "unsupported", "edition"),
    (400, "AUTHORIZATION_FAILED", {}, "refused", "access"),
    (404, "INVALID_URL_PATTERN", {}, "refused", "record id and lock id"),
    (401, "INVALID_TOKEN", {}, "expired", "zoho.data_center"),
    (401, "INVALID_OAUTHTOKEN", {}, "expired", "zoho.environment"),
    (401, "AUTHENTICATION_FAILURE", {}, "denied", SCOPES[0]),
    (401, "OAUTH_SCOPE_MISMATCH", {}, "denied", ",".join(SCOPES)),
    (401, "SOMETHING_NEW", {}, "denied", "batchlock login"),
    (400, "SOMETHING_NEW", {}, "refused", "administrator"),
    (429, "TOO_MANY_REQUESTS", {}, "throttled", "limits.max_in_flight"),
    (400, "RATE_LIMIT_EXCEEDED", {}, "throttled", "limits.max_in_flight"),
    (429, "INVALID_DATA", {}, "throttled", "limits.max_in_flight"),
    (500, "INTERNAL_ERROR", {}, "broken", "support"),
    (500, "INTERNAL_SERVER_ERROR", {}, "broken", "support"),
    (503, "INVALID_DATA", {}, "broken", "support"),
    (200, "INVALID_MODULE", {}, "refused", "API name"),
    (200, "SOMETHING_NEW", {}, "refused", "administrator"),
    (207, "INTERNAL_ERROR", {}, "broken", "support"),
]


@pytest.mark.parametrize("wrapped", [False, True], ids=["top level", "in data"])
@pytest.mark.parametrize(("status", "code", "details", "verdict", "remedy"), ERRORS)
def test_each_error_of_zoho_is_known_in_both_envelopes(
    status: int, code: str, details: dict[str, object], verdict: str, remedy: str, wrapped: bool
) -> None:
    found = envelope(code, **details)
    body = orjson.dumps({"data": [found]} if wrapped else found)
    reply, requests = put_against(saying(http(status, body)))
    assert (reply.verdict, reply.http_status, reply.code) == (Verdict(verdict), status, code)
    assert reply.message.startswith("said")
    assert remedy in reply.remedy
    assert len(requests) == 1


def test_the_field_and_the_permission_that_zoho_names_are_in_the_message() -> None:
    details = {"api_name": "Locked_Reason__s", "json_path": "$.data[0].Locked_Reason__s"}
    found = orjson.dumps(envelope("MANDATORY_NOT_FOUND", "required field not found", **details))
    reply, _ = put_against(saying(http(400, found)))
    expected = "required field not found (Locked_Reason__s, $.data[0].Locked_Reason__s)"
    assert reply.message == expected
    denied = orjson.dumps(envelope("NO_PERMISSION", permissions=["Crm_Implied_Edit_Leads", 7]))
    reply, _ = put_against(saying(http(403, denied)))
    assert reply.message == "said (Crm_Implied_Edit_Leads)"


def test_the_older_envelope_with_a_number_as_its_code_is_read() -> None:
    told = {"code": 429, "error": "TOO_MANY_REQUESTS", "error_info": "Many", "details": []}
    reply, _ = put_against(saying(http(400, orjson.dumps(told))))
    assert (reply.verdict, reply.code) == (Verdict.THROTTLED, "TOO_MANY_REQUESTS")
    assert reply.message == "Many"


def test_a_message_of_zoho_fits_one_line_and_one_cell() -> None:
    told = orjson.dumps(envelope("NEW", "two\nlines\x00" + "x" * 5000))
    reply, _ = put_against(saying(http(400, told)))
    assert reply.message.startswith("two lines x")
    assert len(reply.message) == 500
    reply, _ = put_against(saying(http(400, b'{"code":"NEW","message":["odd"],"details":null}')))
    assert reply.message == "Zoho gave no reason (HTTP 400)."


@pytest.mark.parametrize("body", [b"", b"slow down", HTML, b'{"code":7}', b"[]"])
def test_a_429_is_throttled_whatever_it_holds(body: bytes) -> None:
    reply, _ = put_against(saying(http(429, body)))
    assert (reply.verdict, reply.code) == (Verdict.THROTTLED, "")
    assert "429" in reply.message


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
@pytest.mark.parametrize("body", [b"", HTML, b'{"da'])
def test_a_5xx_is_broken_whatever_it_holds(status: int, body: bytes) -> None:
    reply, _ = put_against(saying(http(status, body)))
    assert (reply.verdict, reply.http_status) == (Verdict.BROKEN, status)
    assert str(status) in reply.message


NOT_ZOHO = [
    (403, HTML, "A web page came back instead of Zoho's answer (HTTP 403)"),
    (404, b"\n " + HTML, "A web page came back"),
    (407, HTML, "A proxy asks for a sign-in of its own (HTTP 407)"),
    (401, HTML, "A web page came back"),
    (401, b"", "An empty answer came back (HTTP 401)"),
    (302, HTML, "sent on to another address (HTTP 302)"),
    (304, b"", "sent on to another address"),
    (302, orjson.dumps(envelope("INVALID_DATA")), "sent on to another address"),
    (408, b'{"error":"slow"}', "Something other than Zoho's answer"),
    (200, b"", "An empty answer came back (HTTP 200)"),
    (204, b"", "An empty answer came back (HTTP 204)"),
    (200, b" \r\n", "An empty answer came back"),
    (200, orjson.dumps(success())[:-9], "or only a part of it (HTTP 200)"),
    (200, HTML, "A web page came back"),
    (200, b'"SUCCESS"', "Something other"),
    (200, b"\xff\xfe", "Something other"),
    (200, b"[" * 3000, "Something other"),
    (200, b'{"data":[]}', "Something other"),
    (200, b'{"data":{"code":"SUCCESS"}}', "Something other"),
    (200, b'{"data":[null]}', "Something other"),
    (200, b'{"code":true}', "Something other"),
    (400, orjson.dumps(success()), "Something other"),
    (200, orjson.dumps(success(status="error")), "Something other"),
    (200, orjson.dumps(success(status=None)), "Something other"),
    (200, orjson.dumps(success(code="DONE")), "Something other"),
    (200, orjson.dumps(envelope("SUCCESS") | {"status": "success"}), "Something other"),
    (200, orjson.dumps(success("77")), "Zoho answered for another lock (77)"),
]


@pytest.mark.parametrize(("status", "body", "message"), NOT_ZOHO)
def test_what_is_not_zohos_word_counts_as_lost(status: int, body: bytes, message: str) -> None:
    reply, requests = put_against(saying(http(status, body)))
    assert (reply.verdict, reply.http_status) == (Verdict.LOST, status)
    assert message in reply.message
    assert reply.remedy
    assert len(requests) == 1


def test_a_success_without_an_id_or_with_a_number_for_it_is_accepted() -> None:
    for details in ({}, {"id": int(LOCK)}):
        body = orjson.dumps(success(details=details))
        assert put_against(saying(http(200, body)))[0].verdict is Verdict.ACCEPTED


@pytest.mark.parametrize(
    ("headers", "details", "seconds"),
    [
        (["Retry-After: 17"], {}, 17.0),
        (["retry-after: 1.5"], {}, 1.5),
        (["Retry-After: -5"], {}, 0.0),
        (["Retry-After: Tue, 14 Nov 2023 22:13:50 GMT"], {}, 30.0),
        (["Retry-After: Tue, 14 Nov 2023 22:13:50"], {}, 30.0),
        (["Retry-After: Tue, 14 Nov 2023 22:00:00 GMT"], {}, 0.0),
        (["Retry-After: soon"], {}, None),
        (["Retry-After: nan"], {}, None),
        (["Retry-After: inf"], {}, None),
        (["Retry-After: 1_0"], {}, None),
        (["Retry-After: " + "9" * 400], {}, None),
        (["Retry-After: Tue, 99 Nov 2023 22:13:50 GMT"], {}, None),
        (["Retry-After:"], {}, None),
        (["Retry-After: soon"], {"retry_after": 9}, 9.0),
        ([], {"retry_after": "8"}, 8.0),
        ([], {"retry_after": {"odd": 1}}, None),
        ([], {}, None),
    ],
)
def test_the_wait_that_zoho_asks_for(
    headers: list[str], details: dict[str, object], seconds: float | None
) -> None:
    body = orjson.dumps(envelope("TOO_MANY_REQUESTS", **details))
    reply, _ = put_against(saying(http(429, body, *headers)))
    assert reply.retry_after == seconds


@pytest.mark.parametrize(
    ("header", "remaining"),
    [
        ("X-API-CREDITS-REMAINING: 4711", 4711),
        ("x-api-credits-remaining: 0", 0),
        ("X-Api-Credits-Remaining: -1", None),
        ("X-API-CREDITS-REMAINING: many", None),
        ("X-API-CREDITS-REMAINING: " + "9" * 5000, None),
        ("X-Other: 1", None),
    ],
)
def test_the_credits_that_remain(header: str, remaining: int | None) -> None:
    reply, _ = put_against(saying(http(200, orjson.dumps(success()), header)))
    assert (reply.verdict, reply.credits_remaining) == (Verdict.ACCEPTED, remaining)


def test_a_token_that_is_not_taken_is_replaced_and_the_call_is_not_repeated() -> None:
    bearer = RotatingTokens()
    body = orjson.dumps(envelope("INVALID_TOKEN"))
    reply, requests = put_against(saying(http(401, body)), bearer=bearer)
    assert reply.verdict is Verdict.EXPIRED
    assert (bearer.rejected, len(requests)) == (["token-1"], 1)


@pytest.mark.parametrize("code", ["AUTHENTICATION_FAILURE", "OAUTH_SCOPE_MISMATCH", "NEW"])
def test_a_sign_in_that_is_denied_costs_no_new_token(code: str) -> None:
    bearer = RotatingTokens()
    put_against(saying(http(401, orjson.dumps(envelope(code)))), bearer=bearer)
    assert bearer.rejected == []


def test_a_redirect_is_not_followed_with_our_credentials() -> None:
    async def main() -> tuple[Reply, list[bytes]]:
        async with serving(saying(http(200, orjson.dumps(success())))) as elsewhere:
            moved = http(307, b"", f"Location: {elsewhere.url}/crm")
            async with serving(saying(moved)) as server:
                return await put(server.url), elsewhere.requests

    reply, reached = asyncio.run(main())
    assert (reply.verdict, reply.http_status, reached) == (Verdict.LOST, 307, [])


def test_cookies_are_not_kept() -> None:
    async def main() -> list[bytes]:
        answer = http(200, orjson.dumps(success()), "Set-Cookie: a=b; Path=/")
        async with serving(saying(answer)) as server, session(limit=1) as http_session:
            client = Client(Endpoint(api_url=server.url), RotatingTokens(), http_session)
            for _ in range(2):
                await client.put_reason(UPDATE, LOCK)
            return server.requests

    assert not any(b"cookie" in request.lower() for request in asyncio.run(main()))


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    reply, _ = put_against(saying(http(200, orjson.dumps(success()))))
    assert reply.verdict is Verdict.ACCEPTED


FAULTS = [
    (closing(), "closed the connection before it answered"),
    (closing(b"HTTP/1.1 200 OK\r\nContent-"), "closed the connection before it answered"),
    (closing(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"), "cut short"),
    (closing(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"), "cut short"),
    (saying(b"SSH-2.0-OpenSSH_9.6\r\n"), "is not HTTP"),
    (
        saying(http(200, b"\x1f\x8b plainly not", "Content-Encoding: gzip")),
        "cut short",
    ),
]


@pytest.mark.parametrize(("handler", "message"), FAULTS)
def test_an_answer_that_breaks_off_is_lost_and_sent_only_once(
    handler: Handler, message: str
) -> None:
    reply, requests = put_against(handler)
    assert (reply.verdict, reply.http_status) == (Verdict.LOST, None)
    assert message in reply.message
    assert "127.0.0.1" in reply.message
    assert reply.remedy
    assert len(requests) == 1


def test_a_call_that_was_sent_is_lost_even_when_the_door_closes_behind_it() -> None:
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


def test_a_call_without_an_answer_is_lost_after_its_time() -> None:
    async def hang(_: bytes, writer: asyncio.StreamWriter) -> None:
        await writer.drain()

    reply, requests = put_against(hang, seconds=0.3)
    assert (reply.verdict, len(requests)) == (Verdict.LOST, 1)
    assert reply.message == "127.0.0.1 timed out: no answer within 0.3 s."


def test_a_body_that_stalls_is_lost_after_its_time() -> None:
    stalled = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"
    reply, _ = put_against(saying(stalled), seconds=0.3)
    assert reply.verdict is Verdict.LOST
    assert "timed out" in reply.message


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_an_endless_answer_is_lost_and_does_not_block_the_next_call(packed: bool) -> None:
    large = b" " * (50 * 1024 * 1024)
    answers = [
        http(200, gzip.compress(large), "Content-Encoding: gzip") if packed else http(200, large),
        http(200, orjson.dumps(success())),
    ]

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answers.pop(0))
        await writer.drain()

    async def main() -> list[Reply]:
        async with serving(handler) as server, session(limit=1) as http_session:
            client = Client(Endpoint(api_url=server.url), RotatingTokens(), http_session)
            return [await client.put_reason(UPDATE, LOCK) for _ in range(2)]

    first, second = asyncio.run(main())
    assert (first.verdict, first.http_status) == (Verdict.LOST, 200)
    assert "Far more came back" in first.message
    assert second.verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("status", [400, 500])
def test_error_bodies_are_read_so_that_the_one_connection_stays_usable(status: int) -> None:
    body = orjson.dumps(envelope("INVALID_DATA", "x" * 500_000))

    async def main() -> list[Reply]:
        async with serving(saying(http(status, body))) as server, session(limit=1) as http_session:
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
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        reply = asyncio.run(put(f"http://127.0.0.1:{unheard.getsockname()[1]}"))
    assert (reply.verdict, reply.message) == (
        Verdict.UNREACHABLE,
        "127.0.0.1 refused the connection.",
    )


def test_a_server_without_tls_is_unreachable() -> None:
    async def main() -> Reply:
        async with serving(saying(http(200))) as server:
            return await put(server.url.replace("http:", "https:"))

    reply = asyncio.run(main())
    assert reply.verdict is Verdict.UNREACHABLE
    assert "No encrypted connection" in reply.message


def test_a_certificate_that_is_not_trusted_makes_a_server_unreachable(tmp_path: Path) -> None:
    pem = tmp_path / "self-signed.pem"
    pem.write_text(SELF_SIGNED, encoding="ascii")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)

    async def main() -> Reply:
        async with serving(saying(http(200, orjson.dumps(success()))), tls=context) as server:
            return await put(server.url)

    reply = asyncio.run(main())
    assert reply.verdict is Verdict.UNREACHABLE
    assert reply.message == "The certificate of 127.0.0.1 is not trusted (TLS)."


def test_an_address_that_cannot_be_connected_to_is_unreachable() -> None:
    reply = asyncio.run(put("http://255.255.255.255:9"))
    assert reply.verdict is Verdict.UNREACHABLE
    assert reply.message == "No connection to 255.255.255.255 could be made."


def test_a_connection_that_is_never_finished_is_unreachable() -> None:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        url = f"https://127.0.0.1:{mute.getsockname()[1]}"
        reply = asyncio.run(put(url, seconds=0.4))
    assert reply.verdict is Verdict.UNREACHABLE
    assert reply.message == "Connecting to 127.0.0.1 took too long."


def test_the_token_is_in_no_reply() -> None:
    answers = [http(401, orjson.dumps(envelope("INVALID_TOKEN"))), b"SSH-2.0\r\n", http(403, HTML)]
    for answer in answers:
        assert "token-1" not in repr(put_against(saying(answer))[0])


def item(lock_id: object = LOCK, **changed: object) -> dict[str, object]:
    return {
        "id": lock_id,
        "Locked_For__s": {"id": RECORD, "name": "Ms Lead", "module": {"api_name": "Leads"}},
        "Locked_Reason__s": "audited",
    } | changed


FOUND = [
    (UPDATE, [item()], Lock(LOCK, "audited")),
    (NO_LOCK_ID, [item(), item("6")], Lock(LOCK, "audited")),
    (NO_LOCK_ID, [item(Locked_Reason__s=None)], Lock(LOCK, None)),
    (NO_LOCK_ID, [{"id": LOCK}], Lock(LOCK, None)),
    (NO_LOCK_ID, [], None),
]


@pytest.mark.parametrize(("update", "data", "lock"), FOUND)
def test_a_look_up_shows_the_lock(
    update: Update, data: list[dict[str, object]], lock: Lock | None
) -> None:
    answer = http(200, orjson.dumps({"data": data, "info": {"count": 1}}))
    reply, _ = find_against(answer, update)
    assert (reply.verdict, reply.lock) == (Verdict.ACCEPTED, lock)


@pytest.mark.parametrize("update", [UPDATE, NO_LOCK_ID])
def test_a_look_up_asks_for_the_one_lock_or_for_the_records_locks(update: Update) -> None:
    reply, requests = find_against(http(204, b"", "X-API-CREDITS-REMAINING: 5"), update)
    which = f"/{LOCK}" if update.lock_id else ""
    target = f"/crm/v7/Leads/{RECORD}/Locking_Information__s{which}"
    assert requests[0].startswith(f"GET {target}?fields=Locked_For__s,Locked_Reason__s ".encode())
    assert reply == Reply(verdict=Verdict.ACCEPTED, http_status=204, credits_remaining=5)


@pytest.mark.parametrize(
    ("status", "body", "verdict", "message"),
    [
        (200, {"data": [item("6")]}, "lost", "another lock (6)"),
        (200, {"data": [item(Locked_For__s={"id": "7"})]}, "lost", "another record (7)"),
        (200, {"data": [item(12)]}, "lost", "Something other"),
        (200, {"data": [item("12/../3")]}, "lost", "Something other"),
        (200, {"data": ["odd"]}, "lost", "Something other"),
        (200, {"data": "odd"}, "lost", "Something other"),
        (200, [], "lost", "Something other"),
        (200, success(), "lost", "Something other"),
        (302, {"data": [item()]}, "lost", "another address"),
        (400, envelope("INVALID_DATA", resource_path_index=1), "refused", "said"),
        (401, envelope("OAUTH_SCOPE_MISMATCH"), "denied", "said"),
        (429, {"data": [item()]}, "throttled", "429"),
        (500, {"data": [item()]}, "broken", "500"),
    ],
)
def test_a_look_up_that_finds_nothing_sure_shows_no_lock(
    status: int, body: object, verdict: str, message: str
) -> None:
    reply, _ = find_against(http(status, orjson.dumps(body)), UPDATE)
    assert (reply.verdict, reply.lock) == (Verdict(verdict), None)
    assert message in reply.message


def test_a_look_up_without_an_answer_is_lost_and_with_an_old_token_expired() -> None:
    async def main() -> tuple[Reply, Reply]:
        old = http(401, orjson.dumps(envelope("INVALID_TOKEN")))
        async with serving(closing()) as mute, serving(saying(old)) as picky:
            return await find(mute.url, UPDATE), await find(picky.url, UPDATE)

    lost, expired = asyncio.run(main())
    assert (lost.verdict, expired.verdict) == (Verdict.LOST, Verdict.EXPIRED)


@pytest.mark.parametrize(
    ("key", "accounts", "api"),
    [
        ("us", "accounts.zoho.com", "zohoapis.com"),
        ("eu", "accounts.zoho.eu", "zohoapis.eu"),
        ("in", "accounts.zoho.in", "zohoapis.in"),
        ("au", "accounts.zoho.com.au", "zohoapis.com.au"),
        ("cn", "accounts.zoho.com.cn", "zohoapis.com.cn"),
        ("jp", "accounts.zoho.jp", "zohoapis.jp"),
        ("ca", "accounts.zohocloud.ca", "zohoapis.ca"),
        ("sa", "accounts.zoho.sa", "zohoapis.sa"),
        ("uk", "accounts.zoho.uk", "zohoapis.uk"),
        ("ae", "accounts.zoho.ae", "zohoapis.ae"),
        ("sg", "accounts.zoho.sg", "zohoapis.sg"),
    ],
)
def test_where_each_data_center_is(key: str, accounts: str, api: str) -> None:
    center = DATA_CENTERS[key]
    assert center.accounts_url == f"https://{accounts}"
    assert center.console_url == f"https://{accounts.replace('accounts', 'api-console')}"
    addresses = [center.api_url(environment) for environment in ENVIRONMENTS]
    assert addresses == [f"https://{host}.{api}" for host in ("www", "sandbox", "developer")]


def test_the_session_holds_no_more_connections_than_it_was_told() -> None:
    async def main() -> int:
        open_now, peak = 0, 0

        async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
            nonlocal open_now, peak
            open_now += 1
            peak = max(peak, open_now)
            await asyncio.sleep(0.01)
            open_now -= 1
            writer.write(http(200, orjson.dumps(success())))

        async with serving(handler) as server, session(limit=3) as http_session:
            client = Client(Endpoint(api_url=server.url), RotatingTokens(), http_session)
            await asyncio.gather(*(client.put_reason(UPDATE, LOCK) for _ in range(12)))
        return peak

    assert asyncio.run(main()) == 3


def test_a_session_is_an_ordinary_one() -> None:
    async def main() -> bool:
        async with session(limit=1) as http_session:
            return isinstance(http_session, aiohttp.ClientSession) and not http_session.trust_env

    assert asyncio.run(main())
