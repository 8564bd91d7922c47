"""A guard stops calls at the last moment, and learns of calls that were cut."""

import asyncio

import pytest
from support.http_server import raw_server
from support.zoho_calls import ACCEPTING, LOCK, UPDATE, RotatingTokens

from batchlock.core.errors import LeaseLost
from batchlock.core.reply import Verdict
from batchlock.zoho.client import Client, Endpoint, session


class Guard:
    """Refuses some checks, by their numbers; each call makes two."""

    def __init__(self, *refused: int) -> None:
        self.refused = refused
        self.checks = 0
        self.cut_calls = 0

    def check(self) -> None:
        self.checks += 1
        if self.checks in self.refused:
            raise LeaseLost("The lease has ended.")

    def note_cut_call(self) -> None:
        self.cut_calls += 1


@pytest.mark.parametrize("is_connected", [False, True])
def test_a_call_is_stopped_that_has_got_its_connection(is_connected: bool) -> None:
    guard = Guard(4) if is_connected else Guard(2)

    async def main() -> int:
        async with raw_server(ACCEPTING) as server, session(limit=1, guard=guard) as http_session:
            client = Client(
                Endpoint(api_url=server.url), RotatingTokens(), http_session, guard=guard
            )
            if is_connected:
                await client.put_reason(UPDATE, LOCK)
            before = len(server.requests)
            with pytest.raises(LeaseLost):
                await client.put_reason(UPDATE, LOCK)
            assert len(server.requests) == before
            # The only connection that the session may have can be used again.
            reply = await client.put_reason(UPDATE, LOCK)
            assert reply.verdict is Verdict.ACCEPTED
            return len(server.requests) - before

    assert asyncio.run(main()) == 1
    assert guard.cut_calls == 0


def test_a_call_that_is_cut_is_noted() -> None:
    guard = Guard()

    async def main() -> None:
        has_request = asyncio.Event()

        async def never_answer(_: bytes, writer: asyncio.StreamWriter) -> None:
            del writer
            has_request.set()
            await asyncio.Event().wait()

        async with (
            raw_server(never_answer) as server,
            session(limit=1, guard=guard) as http_session,
        ):
            client = Client(
                Endpoint(api_url=server.url), RotatingTokens(), http_session, guard=guard
            )
            call = asyncio.create_task(client.put_reason(UPDATE, LOCK))
            await has_request.wait()
            call.cancel()
            await asyncio.wait([call])
            assert call.cancelled()

    asyncio.run(main())
    assert guard.cut_calls == 1
