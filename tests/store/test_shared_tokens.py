"""The access token of an org that several workers share through the database of a server."""

import asyncio
import time
from contextlib import AsyncExitStack

import psycopg
import pytest
from support.token_endpoint import Endpoint, grant, token_endpoint, tokens_at

from batchlock.core.access_token import AccessToken
from batchlock.core.errors import Stopped
from batchlock.store import shared_tokens
from batchlock.store.sealing import SealingKeys
from batchlock.store.shared_tokens import SharedTokens
from batchlock.store.store import Store

KEYS = SealingKeys([b"a" * 32])


def shared(store: Store, org: str = "acme", keys: SealingKeys = KEYS) -> SharedTokens:
    return store.shared_tokens(org, keys)


def execute(url: str, statement: str) -> object:
    """Execute a statement; return the first value of its result, if it has one."""
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row and row[0]


def test_a_token_is_read_by_its_account_with_its_key_only(server_store: Store) -> None:
    async def main() -> None:
        now = time.time()
        cache = shared(server_store)
        assert await cache.read("me", now=now) is None
        await cache.write("me", AccessToken("the token", now + 3000), now=now)
        # The clock of another machine is an hour ahead; the rest of the token's life is the same.
        token = await shared(server_store).read("me", now=now + 3600)
        assert token is not None
        assert token.text == "the token"
        assert now + 3600 < token.use_until <= now + 3600 + 3000
        assert await cache.read("another sign-in", now=now) is None
        assert await shared(server_store, "other").read("me", now=now) is None
        other_keys = SealingKeys([b"b" * 32])
        assert await shared(server_store, keys=other_keys).read("me", now=now) is None
        # A new sign-in takes the place of the old one.
        await cache.write("you", AccessToken("another token", now + 3000), now=now)
        assert await cache.read("me", now=now) is None

    asyncio.run(main())


def test_a_token_is_removed_when_its_sign_in_is_revoked(server_store: Store) -> None:
    async def main() -> None:
        now, cache = time.time(), shared(server_store)
        for org in ("acme", "other"):
            token = AccessToken("the token", now + 3000)
            await shared(server_store, org).write("me", token, now=now)
        await cache.remove("me", now=now)
        assert await cache.read("me", now=now) is None
        assert await shared(server_store, "other").read("me", now=now) is not None

    asyncio.run(main())


def test_workers_share_one_refresh_and_orgs_do_not_wait_for_each_other(server_store: Store) -> None:
    async def request(endpoint: Endpoint, org: str, rejected: str | None = None) -> str:
        # In real time, since the database has the clock of the machine.
        cache = shared(server_store, org)
        async with tokens_at(endpoint, None, cache=cache, wall_clock=time.time) as tokens:
            return await (tokens.token() if rejected is None else tokens.refresh(rejected))

    async def main() -> tuple[list[str], list[str], str, int]:
        async with token_endpoint(grant()) as endpoint:
            first = await asyncio.gather(*(request(endpoint, "acme") for _ in range(3)))
            second = await asyncio.gather(*(request(endpoint, "acme", "token-1") for _ in range(3)))
            async with shared(server_store).locked(timeout_seconds=1):
                third = await request(endpoint, "other")
            return first, second, third, len(endpoint.forms)

    assert asyncio.run(main()) == (["token-1"] * 3, ["token-2"] * 3, "token-3", 3)


def test_one_process_refreshes_at_a_time_until_it_is_killed(
    server_store: Store, database_url: str
) -> None:
    async def main() -> None:
        one, other = shared(server_store), shared(server_store)
        async with one.locked(timeout_seconds=0):
            with pytest.raises(Stopped, match="Another batchlock"):
                async with other.locked(timeout_seconds=0):
                    pass
        async with AsyncExitStack() as killed, AsyncExitStack() as successor:
            await killed.enter_async_context(one.locked(timeout_seconds=0))
            # As if that process had been killed half a minute ago.
            execute(database_url, "UPDATE tokens SET refreshing_until = now() - interval '1 s'")
            await successor.enter_async_context(other.locked(timeout_seconds=0))
            # It was only suspended, and gives nothing back that is not its own.
            await killed.aclose()
            with pytest.raises(Stopped):
                async with one.locked(timeout_seconds=0):
                    pass
        async with one.locked(timeout_seconds=0):
            pass

    asyncio.run(main())


def test_a_long_refresh_keeps_its_lock(
    server_store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_tokens, "_RENEWAL_SECONDS", 0.01)

    def refreshing_until() -> object:
        return execute(database_url, "SELECT refreshing_until FROM tokens")

    async def main() -> None:
        async with shared(server_store).locked(timeout_seconds=0):
            before = refreshing_until()
            while refreshing_until() == before:  # noqa: ASYNC110  a row of the database
                await asyncio.sleep(0.01)
        assert refreshing_until() is None

    asyncio.run(main())


def test_a_database_that_is_away_costs_a_token_and_no_run(
    server_store: Store, database_url: str
) -> None:
    async def main() -> None:
        cache = shared(server_store)
        async with cache.locked(timeout_seconds=0):
            execute(database_url, "ALTER TABLE tokens RENAME TO away")
            assert await cache.read("me", now=0.0) is None
            await cache.write("me", AccessToken("the token", 3000.0), now=0.0)
        with pytest.raises(Stopped, match="The database refuses"):
            async with cache.locked(timeout_seconds=0):
                pass
        execute(database_url, "ALTER TABLE away RENAME TO tokens")
        execute(database_url, "UPDATE tokens SET refreshing_until = now()")
        async with cache.locked(timeout_seconds=0):
            pass

    asyncio.run(main())
