import asyncio
from pathlib import Path

import pytest

from batchlock.access import SignIn, access, address, sign_in
from batchlock.config import SIMULATOR, Settings, load
from batchlock.errors import BatchlockError, SignInRefused, Stopped, UsageError
from batchlock.model import RecordId, Update, Verdict
from batchlock.simulator import ORGANIZATION_ID, Behaviour, Fault, Kind, serving


def settings(tmp_path: Path, url: str, **more: str) -> Settings:
    told = {
        "BATCHLOCK_ZOHO__API_URL": url,
        "BATCHLOCK_ZOHO__ACCOUNTS_URL": url,
        "BATCHLOCK_ZOHO__CLIENT_ID": "id",
        "BATCHLOCK_ZOHO__CLIENT_SECRET": "secret",
        "BATCHLOCK_ZOHO__REFRESH_TOKEN": "token",
        "BATCHLOCK_STATE_DIRECTORY": str(tmp_path),
        "BATCHLOCK_RETRY__GIVE_UP_AFTER": "1",
        **more,
    }
    return load(environment=told)


def sign_in_to(tmp_path: Path, behaviour: Behaviour | None = None, **more: str) -> dict[Kind, int]:
    async def go() -> dict[Kind, int]:
        async with serving(behaviour) as simulator:
            given = settings(tmp_path, simulator.url, **more)
            async with access(given, sign_in(given, given.org)) as way:
                await way.signed_in()
            return {kind: simulator.ledger.count(kind) for kind in Kind}

    return asyncio.run(go())


def test_signing_in_takes_one_token_request_and_no_call(tmp_path: Path) -> None:
    calls = sign_in_to(tmp_path)
    assert calls.pop(Kind.TOKEN) == 1
    assert set(calls.values()) == {0}


@pytest.mark.parametrize("org_id", [ORGANIZATION_ID, "990000000000000001"])
def test_the_right_org_passes_by_either_of_its_ids(tmp_path: Path, org_id: str) -> None:
    assert sign_in_to(tmp_path, BATCHLOCK_ZOHO__ORGANIZATION_ID=org_id)[Kind.OTHER] == 1


def test_another_org_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"for the org .*990000000.*, not for 123\. .*login"):
        sign_in_to(tmp_path, BATCHLOCK_ZOHO__ORGANIZATION_ID="123")


@pytest.mark.parametrize(
    ("refresh_token", "expected"),
    [("scope_missing", SignInRefused), ("never_valid", SignInRefused), ("revoked", SignInRefused)],
)
def test_an_org_that_may_not_be_asked_for_needs_a_person(
    tmp_path: Path, refresh_token: str, expected: type[BatchlockError]
) -> None:
    with pytest.raises(expected):
        sign_in_to(
            tmp_path,
            BATCHLOCK_ZOHO__ORGANIZATION_ID="123",
            BATCHLOCK_ZOHO__REFRESH_TOKEN=refresh_token,
        )


def test_an_org_that_cannot_be_asked_for_now_stops_the_run(tmp_path: Path) -> None:
    failing = Behaviour(faults={Fault.BAD_GATEWAY: 1.0})
    with pytest.raises(Stopped):
        sign_in_to(tmp_path, failing, BATCHLOCK_ZOHO__ORGANIZATION_ID="123")


def test_a_rehearsal_has_its_own_org_and_needs_no_credentials(tmp_path: Path) -> None:
    given = load(environment={"BATCHLOCK_STATE_DIRECTORY": str(tmp_path)})
    with pytest.raises(UsageError, match=r"client_id is missing"):
        sign_in(given, given.org)

    async def go(how: SignIn) -> Verdict:
        async with access(given, how) as way:
            await way.signed_in()
            return (await way.client.find_lock(Update(2, "Leads", RecordId("1" * 18), None, "x"))
                    ).verdict  # fmt: skip

    assert asyncio.run(go(sign_in(given, SIMULATOR))) is Verdict.ACCEPTED
    assert address(given, SIMULATOR)[0] == "rehearsal"
    assert address(given, given.org) == ("production", "https://www.zohoapis.com")
