import asyncio
import contextlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr
from support.token_endpoint import (
    OAUTH_CLIENT,
    REFRESH,
    SECRET,
    Time,
    answer_in_turn,
    grant,
    request_once,
    token_endpoint,
    tokens_at,
)

from batchlock.core.errors import SignInRefused, Stopped
from batchlock.zoho.scopes import SCOPES
from batchlock.zoho.settings import Grant
from batchlock.zoho.token_file import TokenFile


def test_a_token_is_requested_with_the_documented_form(path: Path) -> None:
    token, endpoint = request_once(grant(), path)
    assert token == "token-1"
    assert endpoint.heads[0].startswith("POST /oauth/v2/token HTTP/1.1")
    assert "Authorization" not in endpoint.heads[0]
    assert endpoint.forms == [
        {
            "grant_type": ["refresh_token"],
            "refresh_token": [REFRESH],
            "client_id": ["1000.CLIENT"],
            "client_secret": [SECRET],
        }
    ]


def test_thirty_tasks_share_one_refresh(path: Path) -> None:
    async def main() -> tuple[set[str], int]:
        async with token_endpoint(grant()) as endpoint, tokens_at(endpoint, path) as tokens:
            values = await asyncio.gather(*(tokens.token() for _ in range(30)))
            return set(values), len(endpoint.forms)

    assert asyncio.run(main()) == ({"token-1"}, 1)


def test_thirty_tasks_whose_token_is_rejected_share_one_refresh(path: Path) -> None:
    async def main() -> tuple[set[str], str, int]:
        async with token_endpoint(grant()) as endpoint, tokens_at(endpoint, path) as tokens:
            rejected = await tokens.token()
            values = await asyncio.gather(*(tokens.refresh(rejected) for _ in range(30)))
            late = await tokens.refresh(rejected)
            return set(values), late, len(endpoint.forms)

    assert asyncio.run(main()) == ({"token-2"}, "token-2", 2)


def test_no_task_gets_a_rejected_token_while_it_is_replaced(path: Path) -> None:
    async def main() -> list[str]:
        async with token_endpoint(grant()) as endpoint, tokens_at(endpoint, path) as tokens:
            rejected = await tokens.token()
            return list(await asyncio.gather(tokens.refresh(rejected), tokens.token()))

    assert asyncio.run(main()) == ["token-2", "token-2"]


PROCESS = """
import asyncio, sys
from pathlib import Path
import aiohttp
from pydantic import SecretStr
from batchlock.zoho.oauth import OAuthClient
from batchlock.zoho.token_file import TokenFile
from batchlock.zoho.tokens import Tokens

async def main(url, path, rejected):
    client = OAuthClient(accounts_url=url, client_id="c", client_secret=SecretStr("s"),
                      refresh_token=SecretStr("r"), data_center="eu", environment="production")
    async with aiohttp.ClientSession() as session:
        cache = TokenFile(Path(path))
        tokens = Tokens(client, cache=cache, session=session, max_wait=60, timeout=60)
        print("ready", flush=True)
        sys.stdin.readline()
        texts = await asyncio.gather(*(
            tokens.refresh(rejected) if rejected else tokens.token() for _ in range(5)))
        print(*set(texts))

asyncio.run(main(*sys.argv[1:]))
"""


async def tokens_from_processes(count: int, *arguments: str) -> list[str]:
    """Start processes, let all request a token at the same time, and return their tokens."""
    pipe = asyncio.subprocess.PIPE
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROCESS, *arguments, stdin=pipe, stdout=pipe
        )
        for _ in range(count)
    ]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    ends = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    return [output.decode().strip() for output, _ in ends]


def test_two_processes_share_one_refresh_and_one_replacement(path: Path) -> None:
    async def main() -> tuple[list[str], list[str], int]:
        async with token_endpoint(grant()) as endpoint:
            first = await tokens_from_processes(2, endpoint.url, str(path), "")
            second = await tokens_from_processes(2, endpoint.url, str(path), "token-1")
            return first, second, len(endpoint.forms)

    assert asyncio.run(main()) == (["token-1"] * 2, ["token-2"] * 2, 2)


def test_two_runs_in_one_process_share_one_refresh(path: Path) -> None:
    async def main() -> tuple[list[str], int]:
        async with (
            token_endpoint(grant()) as endpoint,
            tokens_at(endpoint, path) as one,
            tokens_at(endpoint, path) as other,
        ):
            values = await asyncio.gather(one.token(), other.token())
            return list(values), len(endpoint.forms)

    assert asyncio.run(main()) == (["token-1", "token-1"], 1)


def test_the_lock_of_another_process_is_not_waited_for_for_ever(path: Path) -> None:
    async def main() -> None:
        async def hang(_: int) -> tuple[int, bytes]:
            requested.set()
            await asyncio.sleep(60)
            return 200, b""

        requested = asyncio.Event()
        async with (
            token_endpoint(hang) as endpoint,
            tokens_at(endpoint, path) as one,
            tokens_at(endpoint, path, max_wait=0.1, timeout=0.1) as other,
        ):
            waiting = asyncio.create_task(one.token())
            await requested.wait()
            with pytest.raises(Stopped, match="Another batchlock"):
                await other.token()
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting

    asyncio.run(main())


def test_the_token_in_memory_is_replaced_a_minute_before_its_end(path: Path) -> None:
    async def main() -> list[str]:
        time = Time()
        async with (
            token_endpoint(grant()) as endpoint,
            tokens_at(endpoint, path, time=time) as tokens,
        ):
            values = [await tokens.token()]
            for pause in (3539, 1):
                time.now += pause
                values.append(await tokens.token())
            return values

    assert asyncio.run(main()) == ["token-1", "token-1", "token-2"]


@pytest.mark.parametrize(
    ("expires_in", "usable_seconds"),
    [(3600000, 3540), ("odd", 3540), (None, 3540), (-5, 3540), (10, 5)],
)
def test_an_odd_lifetime_counts_as_an_hour_and_half_of_a_short_one_is_used(
    path: Path, expires_in: object, usable_seconds: float
) -> None:
    async def main() -> list[str]:
        time = Time()
        async with (
            token_endpoint(grant(expires_in=expires_in)) as endpoint,
            tokens_at(endpoint, path, time=time) as tokens,
        ):
            values = [await tokens.token()]
            time.now += usable_seconds - 1
            values.append(await tokens.token())
            time.now += 1
            values.append(await tokens.token())
            return values

    assert asyncio.run(main()) == ["token-1", "token-1", "token-2"]


def tokens_after(
    path: Path, seconds: float, *answers: tuple[int, object], or_older: bool
) -> list[str]:
    """Return a token, and the one that is asked for as a recent one some time later."""

    async def main() -> list[str]:
        time = Time()
        async with (
            token_endpoint(answer_in_turn(*answers)) as endpoint,
            tokens_at(endpoint, path, time=time) as tokens,
        ):
            values = [await tokens.token()]
            time.now += seconds
            values.append(await tokens.recent(max_age_seconds=1800, or_older=or_older))
            return values

    return asyncio.run(main())


FIRST = (200, {"access_token": "token-1", "expires_in": 3600, "scope": "ZohoCRM.org.READ"})
SECOND = (200, {"access_token": "token-2", "expires_in": 3600})
BUSY = (429, b"")
REFUSED = (200, {"error": "invalid_code"})


@pytest.mark.parametrize(
    ("seconds", "answer", "second"),
    [(1799, SECOND, "token-1"), (1801, SECOND, "token-2"), (1801, BUSY, "token-1")],
)
def test_a_token_that_is_not_recent_is_replaced_if_zoho_answers(
    path: Path, seconds: float, answer: tuple[int, object], second: str
) -> None:
    assert tokens_after(path, seconds, FIRST, answer, or_older=True) == ["token-1", second]


def test_a_revoked_sign_in_is_noticed_although_its_token_could_be_used(path: Path) -> None:
    with pytest.raises(SignInRefused, match="invalid_code"):
        tokens_after(path, 1801, FIRST, REFUSED, or_older=True)


def test_without_an_older_token_a_recent_one_is_waited_for(path: Path) -> None:
    assert tokens_after(path, 1801, FIRST, BUSY, SECOND, or_older=False) == ["token-1", "token-2"]


def test_the_scopes_of_a_token_are_kept_with_it_and_both_can_be_removed(path: Path) -> None:
    async def main() -> None:
        async with token_endpoint(answer_in_turn(FIRST, SECOND)) as endpoint:
            for _ in range(2):  # in memory, then from the file
                async with tokens_at(endpoint, path) as tokens:
                    await tokens.token()
                    assert tokens.scopes == "ZohoCRM.org.READ"
            account = replace(OAUTH_CLIENT, accounts_url=endpoint.url).key
            await TokenFile(path).remove(account, now=0.0)
            await TokenFile(path).remove("another", now=0.0)
            async with tokens_at(endpoint, path) as tokens:
                assert (await tokens.token(), tokens.scopes) == ("token-2", "")

    asyncio.run(main())


def test_client_credentials_ask_for_all_scopes_of_one_org(path: Path) -> None:
    client = replace(
        OAUTH_CLIENT,
        refresh_token=SecretStr(""),
        grant=Grant.CLIENT_CREDENTIALS,
        organization_id="42",
    )

    async def main() -> dict[str, list[str]]:
        async with token_endpoint(grant()) as endpoint:
            oauth_client = replace(client, accounts_url=endpoint.url)
            async with tokens_at(endpoint, path, oauth_client=oauth_client) as tokens:
                await tokens.token()
            return endpoint.forms[0]

    assert asyncio.run(main()) == {
        "grant_type": ["client_credentials"],
        "scope": [",".join(SCOPES)],
        "soid": ["ZohoCRM.42"],
        "client_id": ["1000.CLIENT"],
        "client_secret": [SECRET],
    }
    keys = {
        one.key
        for one in (
            client,
            replace(client, organization_id="43"),
            replace(client, client_secret=SecretStr("other")),
            OAUTH_CLIENT,
        )
    }
    assert len(keys) == 4
