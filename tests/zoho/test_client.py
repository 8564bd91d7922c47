import asyncio

import aiohttp
import orjson
import pytest
from support.http_server import HTML, answer_with, http_response, raw_server
from support.zoho_calls import (
    ACCEPTING,
    LOCK,
    RECORD,
    UPDATE,
    RotatingTokens,
    envelope,
    put,
    put_against,
    success,
)

from batchlock import __version__
from batchlock.core.reply import Reply, Verdict
from batchlock.core.rows import Update
from batchlock.zoho.client import Client, Endpoint, session


def test_an_update_is_the_documented_call_and_needs_a_success_of_zoho() -> None:
    reply, requests = put_against(ACCEPTING)
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


def test_the_address_has_the_version_and_an_encoded_module_name() -> None:
    async def main() -> bytes:
        async with (
            raw_server(answer_with(http_response(204))) as server,
            session(limit=1) as http_session,
        ):
            endpoint = Endpoint(api_url=server.url, version="v8")
            update = Update(row=2, module="A/b ü", record_id=RECORD, lock_id=None, reason="x")
            await Client(endpoint, RotatingTokens(), http_session).find_lock(update)
            return server.requests[0]

    assert asyncio.run(main()).startswith(b"GET /crm/v8/A%2Fb%20%C3%BC/" + RECORD.encode())


def test_a_rejected_token_is_replaced_and_the_call_is_not_repeated() -> None:
    tokens = RotatingTokens()
    body = orjson.dumps(envelope("INVALID_TOKEN"))
    reply, requests = put_against(answer_with(http_response(401, body)), tokens=tokens)
    assert reply.verdict is Verdict.EXPIRED
    assert (tokens.rejected, len(requests)) == (["token-1"], 1)


@pytest.mark.parametrize("code", ["AUTHENTICATION_FAILURE", "OAUTH_SCOPE_MISMATCH", "NEW"])
def test_a_denied_sign_in_requests_no_new_token(code: str) -> None:
    tokens = RotatingTokens()
    put_against(answer_with(http_response(401, orjson.dumps(envelope(code)))), tokens=tokens)
    assert tokens.rejected == []


def test_a_redirect_is_not_followed() -> None:
    async def main() -> tuple[Reply, list[bytes]]:
        async with raw_server(
            answer_with(http_response(200, orjson.dumps(success())))
        ) as elsewhere:
            moved = http_response(307, b"", f"Location: {elsewhere.url}/crm")
            async with raw_server(answer_with(moved)) as server:
                return await put(server.url), elsewhere.requests

    reply, redirected = asyncio.run(main())
    assert (reply.verdict, reply.http_status, redirected) == (Verdict.LOST, 307, [])


def test_cookies_are_not_sent_back() -> None:
    async def main() -> list[bytes]:
        answer = http_response(200, orjson.dumps(success()), "Set-Cookie: a=b; Path=/")
        async with raw_server(answer_with(answer)) as server, session(limit=1) as http_session:
            client = Client(Endpoint(api_url=server.url), RotatingTokens(), http_session)
            for _ in range(2):
                await client.put_reason(UPDATE, LOCK)
            return server.requests

    assert not any(b"cookie" in request.lower() for request in asyncio.run(main()))


def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    reply, _ = put_against(ACCEPTING)
    assert reply.verdict is Verdict.ACCEPTED


def test_the_token_is_in_no_reply() -> None:
    answers = [
        http_response(401, orjson.dumps(envelope("INVALID_TOKEN"))),
        b"SSH-2.0\r\n",
        http_response(403, HTML),
    ]
    for answer in answers:
        assert "token-1" not in repr(put_against(answer_with(answer))[0])


def test_the_session_opens_no_more_connections_than_its_limit() -> None:
    async def main() -> int:
        open_now, peak = 0, 0

        async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
            nonlocal open_now, peak
            open_now += 1
            peak = max(peak, open_now)
            await asyncio.sleep(0.01)
            open_now -= 1
            writer.write(http_response(200, orjson.dumps(success())))

        async with raw_server(handler) as server, session(limit=3) as http_session:
            client = Client(Endpoint(api_url=server.url), RotatingTokens(), http_session)
            await asyncio.gather(*(client.put_reason(UPDATE, LOCK) for _ in range(12)))
        return peak

    assert asyncio.run(main()) == 3


def test_a_session_takes_nothing_from_the_environment() -> None:
    async def main() -> bool:
        async with session(limit=1) as http_session:
            return isinstance(http_session, aiohttp.ClientSession) and not http_session.trust_env

    assert asyncio.run(main())
