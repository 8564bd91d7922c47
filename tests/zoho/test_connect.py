import asyncio
from pathlib import Path

import pytest

from batchlock.config import load
from batchlock.core.errors import SignInRefused, UsageError
from batchlock.core.reply import Verdict
from batchlock.core.rows import RecordId, Update
from batchlock.execute import connection_to
from batchlock.simulator import Kind, serving
from batchlock.zoho.connect import address
from batchlock.zoho.credentials import Credentials, load_credentials
from batchlock.zoho.settings import SIMULATOR


def first_token_calls(tmp_path: Path, refresh_token: str) -> dict[Kind, int]:
    """Connect to a simulator, wait for the first token, and return the calls by kind."""

    async def main() -> dict[Kind, int]:
        async with serving() as simulator:
            settings = load(
                environment={
                    "BATCHLOCK_ZOHO__API_URL": simulator.url,
                    "BATCHLOCK_ZOHO__ACCOUNTS_URL": simulator.url,
                    "BATCHLOCK_ZOHO__CLIENT_ID": "id",
                    "BATCHLOCK_ZOHO__CLIENT_SECRET": "secret",
                    "BATCHLOCK_ZOHO__REFRESH_TOKEN": refresh_token,
                    "BATCHLOCK_STATE_DIRECTORY": str(tmp_path),
                }
            )
            credentials = load_credentials(settings.zoho, settings.network, settings.org)
            async with connection_to(settings, credentials) as connection:
                await connection.first_token()
            return {kind: simulator.ledger.count(kind) for kind in Kind}

    return asyncio.run(main())


def test_connecting_takes_one_token_request_and_no_call(tmp_path: Path) -> None:
    calls = first_token_calls(tmp_path, "token")
    assert calls.pop(Kind.TOKEN) == 1
    assert set(calls.values()) == {0}


def test_a_revoked_refresh_token_is_reported_by_the_first_token(tmp_path: Path) -> None:
    with pytest.raises(SignInRefused, match="invalid_code"):
        first_token_calls(tmp_path, "revoked")


def test_a_rehearsal_has_its_own_org_and_needs_no_credentials(tmp_path: Path) -> None:
    settings = load(environment={"BATCHLOCK_STATE_DIRECTORY": str(tmp_path)})
    with pytest.raises(UsageError, match=r"client_id is missing"):
        load_credentials(settings.zoho, settings.network, settings.org)

    async def look_up(credentials: Credentials) -> Verdict:
        update = Update(2, "Leads", RecordId("1" * 18), None, "x")
        async with connection_to(settings, credentials) as connection:
            await connection.first_token()
            assert connection.org_id is None
            return (await connection.client.find_lock(update)).verdict

    rehearsal = load_credentials(settings.zoho, settings.network, SIMULATOR)
    assert asyncio.run(look_up(rehearsal)) is Verdict.ACCEPTED
    assert address(settings.zoho, SIMULATOR)[0] == "rehearsal"
    assert address(settings.zoho, settings.org) == ("production", "https://www.zohoapis.com")
