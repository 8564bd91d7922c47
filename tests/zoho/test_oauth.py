import asyncio
import logging
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from pydantic import SecretStr
from support.token_endpoint import (
    CODE,
    GRANTED,
    HTML,
    OAUTH_CLIENT,
    REFRESH,
    SECRET,
    THROTTLED,
    TOKEN,
    Endpoint,
    answer_in_turn,
    formatted,
    token_endpoint,
    tokens_at,
)

from batchlock.core.errors import BatchlockError, SignInRefused, Stopped
from batchlock.zoho.oauth import exchange

REFUSALS = [
    ("invalid_code", ["refresh token", "eu", "zoho.data_center", "batchlock login"]),
    ("invalid_client", ["client id", "eu", "https://api-console.zoho.eu"]),
    ("invalid_client_secret", ["client secret", "https://api-console.zoho.eu"]),
    ("unauthorized_client", ["unauthorized_client", "batchlock login"]),
    (f"bad {SECRET} {REFRESH}\n", ["bad … …"]),
]


@pytest.mark.parametrize("status", [200, 401])
@pytest.mark.parametrize(("error", "words"), REFUSALS)
def test_a_refusal_is_reported_and_the_request_not_repeated(
    path: Path, status: int, error: str, words: list[str]
) -> None:
    async def main() -> tuple[list[str], int]:
        messages = []
        refusing = answer_in_turn((status, {"error": error}))
        async with token_endpoint(refusing) as endpoint, tokens_at(endpoint, path) as tokens:
            for _ in range(2):
                with pytest.raises(SignInRefused) as raised:
                    await tokens.token()
                messages.append(str(raised.value))
            with pytest.raises(SignInRefused):
                await tokens.refresh("any")
            return messages, len(endpoint.forms)

    messages, requested = asyncio.run(main())
    assert requested == 1
    assert messages[0] == messages[1]
    assert all(word in messages[0] for word in words)


def request_token(path: Path, answer: object) -> None:
    async def main() -> None:
        refusing = answer_in_turn((200, answer))
        async with token_endpoint(refusing) as endpoint, tokens_at(endpoint, path) as tokens:
            await tokens.token()

    asyncio.run(main())


@pytest.mark.parametrize("token", ["", "two\nlines", "bell\x07", "é", "a b", "x" * 5000, 5, [], {}])
def test_a_malformed_token_is_refused(path: Path, token: object) -> None:
    with pytest.raises(SignInRefused, match="cannot be used"):
        request_token(path, {"access_token": token})
    assert not path.exists()


def exchange_against(answer: tuple[int, object]) -> tuple[str, Endpoint]:
    async def main() -> tuple[str, Endpoint]:
        async with (
            token_endpoint(answer_in_turn(answer)) as endpoint,
            aiohttp.ClientSession() as session,
        ):
            oauth_client = replace(
                OAUTH_CLIENT, accounts_url=endpoint.url, refresh_token=SecretStr("")
            )
            return await exchange(CODE, oauth_client, session=session, timeout_seconds=20), endpoint

    return asyncio.run(main())


def test_a_code_is_exchanged_for_a_refresh_token() -> None:
    granted = {"access_token": "a", "refresh_token": "1000.new", "expires_in": 3600}
    token, endpoint = exchange_against((200, granted))
    assert token == "1000.new"
    assert endpoint.forms == [
        {
            "grant_type": ["authorization_code"],
            "code": [CODE],
            "client_id": ["1000.CLIENT"],
            "client_secret": [SECRET],
        }
    ]


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ({"error": "invalid_code"}, SignInRefused, "used before"),
        ({"error": "invalid_client"}, SignInRefused, "client id"),
        ({"error": f"odd {CODE}"}, SignInRefused, "odd …"),
        ({"access_token": "a"}, SignInRefused, "no refresh token"),
        ({"access_token": "a", "refresh_token": "b\nc"}, SignInRefused, "no refresh token"),
        (THROTTLED, Stopped, "too many requests"),
        (HTML, Stopped, "web page"),
    ],
)
def test_a_refused_code_is_reported_without_the_code(
    answer: object, kind: type[BatchlockError], words: str
) -> None:
    with pytest.raises(kind) as raised:
        exchange_against((200, answer))
    assert words in str(raised.value)
    assert CODE not in formatted(raised.value)


def test_no_repr_message_or_log_line_has_a_secret(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    async def main() -> list[str]:
        outputs = []
        answers = answer_in_turn((200, THROTTLED), GRANTED, (200, {"error": "invalid_code"}))
        async with token_endpoint(answers) as endpoint, tokens_at(endpoint, path) as tokens:
            token = await tokens.token()
            outputs += [repr(tokens), repr(vars(tokens))]
            with pytest.raises(SignInRefused) as raised:
                await tokens.refresh(token)
            outputs += [formatted(raised.value), repr(vars(raised.value)), repr(vars(tokens))]
        return outputs

    oauth_client = [repr(OAUTH_CLIENT), str(OAUTH_CLIENT), OAUTH_CLIENT.key]
    outputs = "\n".join([*asyncio.run(main()), *oauth_client, *caplog.messages])
    for secret in (SECRET, REFRESH, TOKEN):
        assert secret not in outputs
    modes = path.read_text(encoding="utf-8")
    assert SECRET not in modes
    assert REFRESH not in modes
