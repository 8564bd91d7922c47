"""The request to revoke a token, against an accounts server whose answers the tests choose."""

import asyncio
from dataclasses import replace

import aiohttp
import pytest
from pydantic import SecretStr
from support.token_endpoint import HTML, OAUTH_CLIENT, THROTTLED, answer_in_turn, token_endpoint

from batchlock.core.errors import Stopped
from batchlock.zoho.revocation import revoke


def revoked(status: int, answer: object) -> bool:
    async def main() -> bool:
        async with (
            token_endpoint(answer_in_turn((status, answer))) as endpoint,
            aiohttp.ClientSession() as session,
        ):
            client = replace(OAUTH_CLIENT, accounts_url=endpoint.url)
            done = await revoke(SecretStr("1000.a+b"), client, session=session, timeout_seconds=60)
            assert endpoint.heads[0].startswith(
                "POST /oauth/v2/token/revoke?token=1000.a%2Bb HTTP/1.1"
            )
            return done

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        (200, {"status": "success"}, True),
        (400, {"error": "invalid_token"}, False),
        (400, b"", False),
    ],
)
def test_a_token_is_revoked_or_was_not_valid(status: int, answer: object, expected: bool) -> None:
    assert revoked(status, answer) is expected


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, {"status": "failure"}),
        (200, HTML),
        (400, THROTTLED),
        (429, b""),
        (502, HTML),
    ],
)
def test_another_answer_leaves_open_whether_the_token_is_valid(status: int, answer: object) -> None:
    with pytest.raises(Stopped) as error:
        revoked(status, answer)
    assert "1000.a" not in str(error.value)
