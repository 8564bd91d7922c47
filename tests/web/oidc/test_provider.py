"""Providers that are down, slow or wrong, and settings that cannot work."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.http_server import Handler, answer_with, http_response, raw_server
from support.loops import entered, running_loop
from support.page_server import served_page
from support.settings import settings_of
from support.visitor import Visitor, eventually, write_config

from batchlock.core.errors import UsageError
from batchlock.web.oidc.client import OidcClient, oidc_client
from batchlock.web.oidc.failure import Failure, SignInFailedError

BACK = "https://page.test/login/oidc/done"


def client_of(issuer: str, more: str = "") -> OidcClient:
    text = f"""
web:
  oidc:
    issuer: {issuer}
    client_id: a client
    groups: {{crm: sender}}
    {more}
"""
    client = oidc_client(settings_of(text))
    assert client is not None
    return client


def failure_at(handler: Handler, *, timeout: str = "10s") -> SignInFailedError:
    """Return why no sign-in begins at a provider that answers in some way."""

    async def begin() -> None:
        async with raw_server(handler) as server:
            client = client_of(server.url, f"timeout: {timeout}")
            await client.authorization_url("secret", BACK)

    with pytest.raises(SignInFailedError) as error:
        asyncio.run(begin())
    assert error.value.__cause__ is None
    return error.value


async def never(_: bytes, __: object) -> None:
    await asyncio.Event().wait()


def metadata(**values: object) -> Handler:
    return answer_with(http_response(200, json.dumps(values).encode()))


def test_a_slow_provider_is_reported() -> None:
    error = failure_at(never, timeout="100ms")
    assert error.failure is Failure.UNREACHABLE
    assert str(error) == "127.0.0.1 timed out: no answer within 0.1 s."


@pytest.mark.parametrize("status", [500, 503])
def test_a_provider_that_fails_is_reported(status: int) -> None:
    error = failure_at(answer_with(http_response(status)))
    assert error.failure is Failure.UNREACHABLE


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (answer_with(http_response(404, b"{}")), "no metadata of the provider (HTTP 404)"),
        (answer_with(http_response(302, b"", "Location: https://b.test")), "HTTP 302"),
        (answer_with(http_response(200, b"<html>")), "HTTP 200 and no JSON object"),
        (answer_with(http_response(200, b"[]")), "no JSON object"),
        (answer_with(http_response(200, b" " * (1024 * 1024 + 1))), "no JSON object"),
        (metadata(), "the provider names itself None"),
        (metadata(issuer="https://b.test"), "the provider names itself 'https://b.test'"),
    ],
)
def test_a_provider_with_wrong_metadata_is_reported(handler: Handler, reason: str) -> None:
    error = failure_at(handler)
    assert error.failure is Failure.UNUSABLE
    assert reason in str(error)


@pytest.mark.parametrize("endpoint", ["http://b.test/login", "ftp://b.test", 7, None])
def test_an_endpoint_without_tls_is_not_used(endpoint: object) -> None:
    async def handler(request: bytes, writer: asyncio.StreamWriter) -> None:
        host = request.partition(b"Host: ")[2].partition(b"\r\n")[0].decode()
        values = {"issuer": f"http://{host}", "authorization_endpoint": endpoint}
        writer.write(http_response(200, json.dumps(values).encode()))

    error = failure_at(handler)
    assert str(error) == "the metadata of the provider has no authorization_endpoint with https"


def test_all_who_ask_at_the_same_time_share_one_call() -> None:
    async def count() -> int:
        async with raw_server(answer_with(http_response(404, b"{}"))) as server:
            client = client_of(server.url)
            urls = [client.authorization_url("s", BACK) for _ in range(9)]
            failures = await asyncio.gather(*urls, return_exceptions=True)
            assert {type(one) for one in failures} == {SignInFailedError}
            return len(server.requests)

    assert asyncio.run(count()) == 1


def test_a_provider_that_is_down_is_reported_on_the_page(tmp_path: Path) -> None:
    oidc = "{issuer: http://127.0.0.1:9, client_id: a, groups: {crm: sender}, label: By Acme}"
    write_config(tmp_path, f"web: {{oidc: {oidc}}}")
    with served_page(tmp_path, simulate=True) as page:
        visitor = Visitor(page.url)
        answer = visitor.get("/login/oidc?next=/account")
        assert answer.status == 503
        assert "The sign-in of your company does not answer." in answer.words
        assert 'href="/login/oidc?next=/account"' in answer.text
        assert visitor.get("/login/oidc/done?code=x&state=y").status == 400


def test_too_many_sign_ins_at_a_time_are_refused(tmp_path: Path) -> None:
    released = asyncio.Event()

    async def handler(_: bytes, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.write(http_response(404, b"{}"))

    with (
        running_loop("provider") as loop,
        entered(loop, raw_server(handler)) as server,
        ThreadPoolExecutor(24) as threads,
    ):
        oidc = f"{{issuer: '{server.url}', client_id: a, groups: {{crm: sender}}, timeout: 1h}}"
        write_config(tmp_path, f"web: {{oidc: {oidc}}}")
        with served_page(tmp_path, simulate=True) as page:
            visits = [
                threads.submit(lambda: Visitor(page.url).get("/login/oidc").status)
                for _ in range(24)
            ]
            eventually(lambda: sum(visit.done() for visit in visits) == 4)
            loop.call_soon_threadsafe(released.set)
            statuses = sorted(visit.result() for visit in visits)
            assert statuses == [429] * 4 + [502] * 20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("client_id: a", "there are settings of a provider, and no issuer"),
        ("issuer: https://a.test", "web.oidc.client_id is not set"),
        ("{issuer: https://a.test, client_id: a}", "web.oidc.groups is empty"),
        (
            "{issuer: https://a.test, client_id: a, groups: {b: viewer}, client_secret_file: none}",
            "web.oidc.client_secret_file: none cannot be read",
        ),
        (
            (
                "{issuer: https://a.test, client_id: a, groups: {b: viewer}, client_secret: a, "
                "client_secret_command: b}"
            ),
            "web.oidc.client_secret is set in more than one way",
        ),
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(text: str, message: str) -> None:
    inline = text if text.startswith("{") else f"{{{text}}}"
    with pytest.raises(UsageError, match=message):
        oidc_client(settings_of(f"web: {{oidc: {inline}}}"))


def test_without_an_issuer_there_is_no_client() -> None:
    assert oidc_client(settings_of("")) is None


def test_a_page_on_which_nobody_could_sign_in_is_not_served(tmp_path: Path) -> None:
    write_config(tmp_path, "web: {passwords: no}")
    with (
        pytest.raises(UsageError, match=r"web\.passwords is off"),
        served_page(tmp_path, simulate=True),
    ):
        pass


def test_a_secret_goes_into_the_form_where_the_provider_takes_it_there() -> None:
    forms: list[bytes] = []

    async def handler(request: bytes, writer: asyncio.StreamWriter) -> None:
        host = request.partition(b"Host: ")[2].partition(b"\r\n")[0].decode()
        url = f"http://{host}"
        if request.startswith(b"POST"):
            forms.append(request)
            writer.write(http_response(400, b'{"error": "invalid_client"}'))
            return
        values = {
            "issuer": url,
            "authorization_endpoint": f"{url}/a?tenant=b",
            "token_endpoint": f"{url}/t",
            "jwks_uri": f"{url}/k",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }
        writer.write(http_response(200, json.dumps(values).encode()))

    async def exchange() -> None:
        async with raw_server(handler) as server:
            client = client_of(server.url, "client_secret: a+b")
            assert "/a?tenant=b&response_type=code" in await client.authorization_url("s", BACK)
            await client.provider.exchange("code", "verifier", BACK)

    with pytest.raises(SignInFailedError, match="the token endpoint answered invalid_client"):
        asyncio.run(exchange())
    assert b"client_secret=a%2Bb" in forms[0]
    assert b"Authorization" not in forms[0]
